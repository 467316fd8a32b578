//! Colour maps from their published formulas: a diverging one for probabilities, a sequential one for uncertainty.

use std::f64::consts::TAU;

use crate::color::{Color, hsluv_to_rgb};

/// A map from `[0, 1]` to colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Colormap {
    /// Blue over near-white to red.
    ///
    /// Both arms run linearly in sRGB from a light grey of their hue (saturation 0.15 * 85, lightness 95) to
    /// the full hue (250 and 12 degrees, saturation 85, lightness 25) of the HSLuv space, and meet in 0.95 grey.
    ///
    /// # Source
    /// The construction of seaborn's `diverging_palette(250, 12, s=85, l=25)`.
    Diverging,
    /// White to dark purple by a helix around the grey diagonal of the colour cube, so that lightness falls evenly.
    ///
    /// # Source
    /// Green (2011), Bull. Astr. Soc. India 39, 289, with the parameters of seaborn's
    /// `cubehelix_palette(start=0, rot=0.4, gamma=1, hue=0.8, light=1, dark=0.15)`.
    Sequential,
}

impl Colormap {
    /// The colour at `t`, clamped to `[0, 1]`; NaN maps to the middle.
    #[must_use]
    pub fn at(self, t: f64) -> Color {
        Color::from_unit(self.unit(t))
    }

    fn unit(self, t: f64) -> [f64; 3] {
        let t = if t.is_nan() { 0.5 } else { t.clamp(0.0, 1.0) };
        match self {
            Self::Diverging => diverging(t),
            Self::Sequential => cubehelix(1.0 - 0.85 * t),
        }
    }
}

fn diverging(t: f64) -> [f64; 3] {
    const SATURATION: f64 = 85.0;
    const LIGHTNESS: f64 = 25.0;
    // Seaborn puts 128 colours on each arm and one grey between them.
    const ARM: f64 = 127.0 / 256.0;
    let (hue, depth) = if t < 0.5 { (250.0, (0.5 - t) * 2.0) } else { (12.0, (t - 0.5) * 2.0) };
    let full = hsluv_to_rgb(hue, SATURATION, LIGHTNESS);
    let light = hsluv_to_rgb(hue, 0.15 * SATURATION, 95.0);
    let gap = 1.0 - 2.0 * ARM;
    if depth < gap { mix([0.95; 3], light, depth / gap) } else { mix(light, full, (depth - gap) / (1.0 - gap)) }
}

fn mix(a: [f64; 3], b: [f64; 3], t: f64) -> [f64; 3] {
    std::array::from_fn(|i| a[i] + t * (b[i] - a[i]))
}

/// Green's helix at lightness `x`: `x + a (p0 cos phi + p1 sin phi)`, `a = hue x (1 - x) / 2`.
fn cubehelix(x: f64) -> [f64; 3] {
    const START: f64 = 0.0;
    const ROTATIONS: f64 = 0.4;
    const HUE: f64 = 0.8;
    const WEIGHTS: [(f64, f64); 3] = [(-0.14861, 1.78277), (-0.29227, -0.90649), (1.97294, 0.0)];
    let amplitude = HUE * x * (1.0 - x) / 2.0;
    let (sin, cos) = (TAU * (START / 3.0 + ROTATIONS * x)).sin_cos();
    WEIGHTS.map(|(p0, p1)| x + amplitude * (p0 * cos + p1 * sin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(got: Color, want: [u8; 3], slack: i16) {
        for (g, w) in got.rgb.iter().zip(want) {
            assert!((i16::from(*g) - i16::from(w)).abs() <= slack, "got {:?}, wanted {want:?}", got.rgb);
        }
    }

    /// Seaborn 0.13.2: `diverging_palette(250, 12, s=85, l=25, as_cmap=True)(t)`, a table of 256 entries.
    #[test]
    fn diverging_map_is_seaborn_s() {
        for (t, want) in [
            (0.0, [23, 61, 101]),
            (0.1, [66, 96, 129]),
            (0.25, [133, 152, 173]),
            (0.4, [198, 206, 215]),
            (0.5, [242, 241, 241]),
            (0.6, [219, 197, 197]),
            (0.75, [180, 128, 129]),
            (0.9, [143, 62, 62]),
            (1.0, [119, 18, 19]),
        ] {
            assert_near(Colormap::Diverging.at(t), want, 3);
        }
    }

    /// Seaborn 0.13.2: `cubehelix_palette(light=1, as_cmap=True)(t)`, a table of 256 entries.
    #[test]
    fn sequential_map_is_seaborn_s() {
        for (t, want) in [
            (0.0, [255, 255, 255]),
            (0.1, [245, 230, 224]),
            (0.25, [230, 189, 188]),
            (0.4, [209, 148, 164]),
            (0.5, [190, 123, 152]),
            (0.6, [167, 101, 142]),
            (0.75, [123, 71, 121]),
            (0.9, [75, 46, 89]),
            (1.0, [45, 30, 62]),
        ] {
            assert_near(Colormap::Sequential.at(t), want, 2);
        }
    }

    #[test]
    fn what_lies_beyond_takes_the_colour_of_the_end() {
        for map in [Colormap::Diverging, Colormap::Sequential] {
            assert_eq!(map.at(-3.0), map.at(0.0));
            assert_eq!(map.at(f64::INFINITY), map.at(1.0));
            assert_eq!(map.at(f64::NAN), map.at(0.5));
        }
    }
}
