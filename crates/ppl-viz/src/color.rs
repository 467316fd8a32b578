//! Colours: sRGB with opacity, and the HSLuv space in which hues are equally light.

use plotters_backend::BackendColor;

/// An sRGB colour with an opacity in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Color {
    /// Red, green and blue.
    pub rgb: [u8; 3],
    /// Opacity: 0 is invisible, 1 covers what lies below.
    pub alpha: f64,
}

impl Color {
    /// Black.
    pub const BLACK: Self = Self::rgb(0, 0, 0);
    /// White.
    pub const WHITE: Self = Self::rgb(255, 255, 255);
    /// The ink of text and axes: a soft black.
    pub const INK: Self = Self::rgb(38, 38, 38);

    /// An opaque colour.
    #[must_use]
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        Self { rgb: [red, green, blue], alpha: 1.0 }
    }

    /// The same colour with another opacity; clamped to `[0, 1]`, NaN counts as opaque.
    #[must_use]
    pub fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha: if alpha.is_nan() { 1.0 } else { alpha.clamp(0.0, 1.0) }, ..self }
    }

    /// The colour of the HSLuv space at hue `[0, 360)` degrees, saturation and lightness in `[0, 100]`.
    ///
    /// HSLuv is CIELUV in polar form, its chroma given as a percentage of what sRGB can show at that hue and lightness.
    ///
    /// # Source
    /// <https://www.hsluv.org>, revision 4.
    #[must_use]
    pub fn hsluv(hue: f64, saturation: f64, lightness: f64) -> Self {
        Self::from_unit(hsluv_to_rgb(hue, saturation, lightness))
    }

    /// Red, green and blue given in `[0, 1]`, clamped and rounded.
    #[must_use]
    pub fn from_unit(rgb: [f64; 3]) -> Self {
        let [red, green, blue] = rgb.map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8);
        Self::rgb(red, green, blue)
    }

    /// The `index`th of a cycle of eight colours that colour-blind readers can tell apart.
    ///
    /// # Source
    /// Okabe and Ito (2008), Color Universal Design, with the yellow darkened for white paper.
    #[must_use]
    pub const fn cycle(index: usize) -> Self {
        const COLORS: [Color; 8] = [
            Color::rgb(0, 114, 178),
            Color::rgb(213, 94, 0),
            Color::rgb(0, 158, 115),
            Color::rgb(204, 121, 167),
            Color::rgb(86, 180, 233),
            Color::rgb(230, 159, 0),
            Color::rgb(110, 110, 110),
            Color::rgb(170, 155, 20),
        ];
        COLORS[index % COLORS.len()]
    }

    pub(crate) fn backend(self) -> BackendColor {
        let [red, green, blue] = self.rgb;
        BackendColor { alpha: self.alpha, rgb: (red, green, blue) }
    }
}

/// HSLuv to sRGB in `[0, 1]`.
pub(crate) fn hsluv_to_rgb(hue: f64, saturation: f64, lightness: f64) -> [f64; 3] {
    let (sin, cos) = hue.to_radians().sin_cos();
    let chroma = max_chroma(lightness, sin, cos) * saturation / 100.0;
    luv_to_rgb(lightness, chroma * cos, chroma * sin)
}

/// XYZ to linear sRGB, white point D65.
const XYZ_TO_RGB: [[f64; 3]; 3] = [
    [3.240_969_941_904_521, -1.537_383_177_570_093, -0.498_610_760_293],
    [-0.969_243_636_280_87, 1.875_967_501_507_72, 0.041_555_057_407_175],
    [0.055_630_079_696_993, -0.203_976_958_888_97, 1.056_971_514_242_878],
];
/// CIE constants and the white point in the u'v' plane.
const KAPPA: f64 = 903.296_296_296_296_3;
const EPSILON: f64 = 0.008_856_451_679_035_631;
const WHITE_U: f64 = 0.197_830_006_642_836_8;
const WHITE_V: f64 = 0.468_319_994_938_791;

/// CIE luminance `Y` of a lightness `L*`.
fn luminance(lightness: f64) -> f64 {
    if lightness > 8.0 { ((lightness + 16.0) / 116.0).powi(3) } else { lightness / KAPPA }
}

/// The largest chroma along a hue: each face `channel = 0 or 1` of the sRGB cube is a line
/// `v = slope u + intercept` in the plane of equal lightness; the nearest one ahead bounds the ray.
fn max_chroma(lightness: f64, sin: f64, cos: f64) -> f64 {
    if !(1e-8..=100.0 - 1e-8).contains(&lightness) {
        return 0.0;
    }
    let cubed = (lightness + 16.0).powi(3) / 1_560_896.0;
    let scaled = if cubed > EPSILON { cubed } else { lightness / KAPPA };
    let mut nearest = f64::INFINITY;
    for [m1, m2, m3] in XYZ_TO_RGB {
        for face in [0.0, 1.0] {
            let top1 = (284_517.0 * m1 - 94_839.0 * m3) * scaled;
            let top2 =
                (838_422.0 * m3 + 769_860.0 * m2 + 731_718.0 * m1) * lightness * scaled - 769_860.0 * face * lightness;
            let bottom = (632_260.0 * m3 - 126_452.0 * m2) * scaled + 126_452.0 * face;
            let (slope, intercept) = (top1 / bottom, top2 / bottom);
            let length = intercept / (sin - slope * cos);
            if length >= 0.0 {
                nearest = nearest.min(length);
            }
        }
    }
    nearest
}

fn luv_to_rgb(lightness: f64, u: f64, v: f64) -> [f64; 3] {
    if lightness <= 1e-8 {
        return [0.0; 3];
    }
    let (u, v) = (u / (13.0 * lightness) + WHITE_U, v / (13.0 * lightness) + WHITE_V);
    let y = luminance(lightness);
    let x = y * 9.0 * u / (4.0 * v);
    let z = y * (12.0 - 3.0 * u - 20.0 * v) / (4.0 * v);
    XYZ_TO_RGB.map(|[a, b, c]| {
        let linear = (a * x + b * y + c * z).clamp(0.0, 1.0);
        if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hsluv_agrees_with_the_reference_implementation() {
        // The husl package for Python as bundled with seaborn 0.13.2; its constants have six digits.
        for ((hue, saturation, lightness), want) in [
            ((250.0, 85.0, 25.0), [0.090_194, 0.237_272, 0.397_890]),
            ((12.0, 85.0, 25.0), [0.467_533, 0.070_477, 0.073_882]),
            ((120.0, 50.0, 60.0), [0.448_077, 0.609_755, 0.393_034]),
            ((30.0, 100.0, 80.0), [1.0, 0.710_686, 0.598_175]),
        ] {
            let got = hsluv_to_rgb(hue, saturation, lightness);
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 5e-4), "{got:?}, wanted {want:?}");
        }
    }

    #[test]
    fn the_ends_of_lightness_are_black_and_white() {
        assert_eq!(Color::hsluv(123.0, 100.0, 0.0), Color::BLACK);
        assert_eq!(Color::hsluv(123.0, 100.0, 100.0), Color::WHITE);
    }
}
