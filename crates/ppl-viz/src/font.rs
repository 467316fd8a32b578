//! The bundled typeface: measuring and rasterising text without any font of the system.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};

/// What an SVG names: the bundled face where it is installed, else its nearest kin, else any sans-serif.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

/// Height of a capital over the size of the font, for centring labels on a tick.
pub(crate) const CAP_HEIGHT: f64 = 0.729;

static BYTES: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");

fn font() -> Option<&'static FontRef<'static>> {
    static FONT: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    FONT.get_or_init(|| FontRef::try_from_slice(BYTES).ok()).as_ref()
}

/// `size` is the em in pixels, as in CSS; ab_glyph scales by ascent minus descent instead.
fn scale(font: &FontRef<'_>, size: f64) -> PxScale {
    let em = font.units_per_em().unwrap_or(2048.0);
    PxScale::from(size as f32 * font.height_unscaled() / em)
}

/// Advance width of a line of text, in the unit of `size`.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let Some(font) = font() else { return 0.0 };
    let scaled = font.as_scaled(scale(font, size));
    text.chars().map(|c| f64::from(scaled.h_advance(scaled.glyph_id(c)))).sum()
}

/// Coverage of each pixel of a line of text whose baseline starts at `(x, y)`: calls `put(column, row, coverage)`.
pub(crate) fn rasterize(text: &str, size: f64, (x, y): (f64, f64), mut put: impl FnMut(i32, i32, f32)) {
    let Some(font) = font() else { return };
    let scale = scale(font, size);
    let scaled = font.as_scaled(scale);
    let mut pen = x as f32;
    for c in text.chars() {
        let id = scaled.glyph_id(c);
        let glyph = Glyph { id, scale, position: point(pen, y as f32) };
        if let Some(outline) = font.outline_glyph(glyph) {
            let bounds = outline.px_bounds();
            let (left, top) = (bounds.min.x as i32, bounds.min.y as i32);
            outline.draw(|column, row, coverage| put(left + column as i32, top + row as i32, coverage));
        }
        pen += scaled.h_advance(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_font_has_latin_greek_and_mathematical_signs() {
        let font = font().expect("the bundled bytes are a font");
        for c in "AZaz09 äßé−±×·≤≥∞∂∑√μσθβαλΩ′₀₉⁰⁹".chars() {
            assert_ne!(font.glyph_id(c).0, 0, "no glyph for {c}");
        }
    }

    #[test]
    fn widths_are_the_font_s_advances() {
        // DejaVu Sans, 2048 units per em: every digit is 1303 wide, the space 651.
        assert!((text_width("0123456789", 2048.0) - 13_030.0).abs() < 0.5);
        assert!((text_width(" ", 20.48) - 6.51).abs() < 1e-3);
    }

    #[test]
    fn ink_lies_between_baseline_and_cap_height() {
        let (mut top, mut bottom, mut ink) = (i32::MAX, i32::MIN, 0.0);
        rasterize("H", 100.0, (10.0, 200.0), |_, row, coverage| {
            if coverage > 0.0 {
                top = top.min(row);
                bottom = bottom.max(row);
            }
            ink += f64::from(coverage);
        });
        assert_eq!((top, bottom), (127, 199)); // 72.9 pixels above the baseline at 200
        assert!((1500.0..2500.0).contains(&ink)); // two stems and a bar, each about 10 pixels thick
    }
}
