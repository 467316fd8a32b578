//! A plotters backend that paints anti-aliased RGB pixels.
//!
//! Its coordinates are fractions of a pixel, since plotters' are integers. A stroke is one shape (the union of its
//! segments and round joints), so that a translucent line is not darker where it crosses itself.

use std::convert::Infallible;
use std::f64::consts::TAU;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontTransform,
};

use crate::canvas::EM_TO_SIZE;
use crate::font;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;
type Point = (f64, f64);

/// Scan lines a pixel is cut into; along a scan line the coverage is exact.
const SCANS: usize = 8;

/// Half the x-height of the bundled face over its em: the `0.5ex` by which plotters' SVG shifts text.
pub(crate) const HALF_EX: f64 = 0.2735;

/// A white sheet of `columns * rows` pixels, each `units` backend units wide.
pub(crate) struct Raster {
    columns: usize,
    rows: usize,
    units: f64,
    rgb: Vec<u8>,
}

impl Raster {
    pub(crate) fn new(columns: u32, rows: u32, units: f64) -> Self {
        let (columns, rows) = (columns as usize, rows as usize);
        Self { columns, rows, units, rgb: vec![255; columns * rows * 3] }
    }

    pub(crate) fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    fn pixel(&self, (x, y): BackendCoord) -> Point {
        (f64::from(x) / self.units, f64::from(y) / self.units)
    }

    fn blend(&mut self, column: usize, row: usize, color: BackendColor, coverage: f64) {
        let weight = (coverage * color.alpha).clamp(0.0, 1.0);
        let start = (row * self.columns + column) * 3;
        let (red, green, blue) = color.rgb;
        if let Some(pixel) = self.rgb.get_mut(start..start + 3) {
            for (below, above) in pixel.iter_mut().zip([red, green, blue]) {
                let mixed = f64::from(*below) + weight * (f64::from(above) - f64::from(*below));
                *below = mixed.round() as u8;
            }
        }
    }

    /// Paint all points around which the outline winds, once each.
    fn fill(&mut self, mut outline: Outline, color: BackendColor) {
        outline.edges.retain(|edge| edge.bottom > 0.0 && edge.top < self.rows as f64);
        outline.edges.sort_by(|a, b| a.top.total_cmp(&b.top));
        let bottom = outline.edges.iter().fold(0.0, |low: f64, edge| low.max(edge.bottom));
        let Some(first) = outline.edges.first() else {
            return;
        };
        let rows = first.top.max(0.0) as usize..self.rows.min(bottom.ceil() as usize);

        let mut waiting = outline.edges.iter().peekable();
        let mut active: Vec<&Edge> = Vec::new();
        let mut crossings: Vec<(f64, i32)> = Vec::new();
        let mut steps = vec![0.0; self.columns + 2];
        for row in rows {
            let mut touched = (self.columns, 0);
            for scan in 0..SCANS {
                let y = row as f64 + (scan as f64 + 0.5) / SCANS as f64;
                while let Some(edge) = waiting.next_if(|edge| edge.top <= y) {
                    active.push(edge);
                }
                active.retain(|edge| edge.bottom > y);
                crossings.clear();
                crossings.extend(active.iter().map(|edge| (edge.left + (y - edge.top) * edge.slope, edge.winding)));
                crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
                let mut winding = 0;
                let mut start = 0.0;
                for &(x, turn) in &crossings {
                    if winding == 0 {
                        start = x;
                    }
                    winding += turn;
                    if winding == 0 {
                        self.add_span(&mut steps, &mut touched, start, x);
                    }
                }
            }
            let mut coverage = 0.0;
            let span = touched.0.min(touched.1)..touched.1;
            for (column, step) in span.clone().zip(&mut steps[span]) {
                coverage += std::mem::take(step);
                if coverage > 1e-4 && column < self.columns {
                    self.blend(column, row, color, coverage);
                }
            }
        }
    }

    /// Add one scan line's span to the row: `steps` holds differences, whose running sum is the coverage.
    fn add_span(&self, steps: &mut [f64], touched: &mut (usize, usize), from: f64, to: f64) {
        let width = self.columns as f64;
        for (x, sign) in [(from.clamp(0.0, width), 1.0), (to.clamp(0.0, width), -1.0)] {
            let column = x as usize;
            let fraction = x - column as f64;
            steps[column] += sign * (1.0 - fraction) / SCANS as f64;
            steps[column + 1] += sign * fraction / SCANS as f64;
            *touched = (touched.0.min(column), touched.1.max(column + 2));
        }
    }
}

/// An edge of an outline, from its top downwards.
struct Edge {
    top: f64,
    bottom: f64,
    left: f64,
    slope: f64,
    winding: i32,
}

/// Closed rings, in pixels.
#[derive(Default)]
struct Outline {
    edges: Vec<Edge>,
}

impl Outline {
    fn ring(&mut self, points: &[Point]) {
        for (a, b) in points.iter().zip(points.iter().cycle().skip(1)) {
            let (high, low, winding) = if a.1 < b.1 { (a, b, 1) } else { (b, a, -1) };
            if high.1 < low.1 {
                let slope = (low.0 - high.0) / (low.1 - high.1);
                self.edges.push(Edge { top: high.1, bottom: low.1, left: high.0, slope, winding });
            }
        }
    }

    /// A rectangle around the segment `a b`; turns the same way as `disc`, so that they add up.
    fn segment(&mut self, a: Point, b: Point, radius: f64) {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = dx.hypot(dy);
        if length > 0.0 {
            let (nx, ny) = (-dy / length * radius, dx / length * radius);
            self.ring(&[(a.0 + nx, a.1 + ny), (b.0 + nx, b.1 + ny), (b.0 - nx, b.1 - ny), (a.0 - nx, a.1 - ny)]);
        }
    }

    fn disc(&mut self, center: Point, radius: f64) {
        let corners = (8.0 + 4.0 * radius).min(64.0) as usize;
        let ring: Vec<_> = (0..corners)
            .map(|i| {
                let (sin, cos) = (-TAU * i as f64 / corners as f64).sin_cos();
                (center.0 + radius * cos, center.1 + radius * sin)
            })
            .collect();
        self.ring(&ring);
    }
}

impl DrawingBackend for Raster {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        ((self.columns as f64 * self.units).round() as u32, (self.rows as f64 * self.units).round() as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.fill_polygon([(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)], &color)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &S, fill: bool) -> Drawn {
        let ring = [a, (b.0, a.1), b, (a.0, b.1)];
        if fill { self.fill_polygon(ring, style) } else { self.draw_path(ring.into_iter().chain([a]), style) }
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points: Vec<_> = path.into_iter().map(|p| self.pixel(p)).collect();
        let radius = f64::from(style.stroke_width()) / self.units / 2.0;
        let mut outline = Outline::default();
        for pair in points.windows(2) {
            outline.segment(pair[0], pair[1], radius);
        }
        for joint in points.iter().skip(1).take(points.len().saturating_sub(2)) {
            outline.disc(*joint, radius);
        }
        self.fill(outline, style.color());
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        let (center, radius) = (self.pixel(center), f64::from(radius) / self.units);
        let mut outline = Outline::default();
        if fill {
            outline.disc(center, radius);
        } else {
            let half = f64::from(style.stroke_width()) / self.units / 2.0;
            outline.disc(center, radius + half);
            // The inner ring winds the other way, which cuts the hole.
            let solid = outline.edges.len();
            outline.disc(center, (radius - half).max(0.0));
            outline.edges[solid..].iter_mut().for_each(|edge| edge.winding = -edge.winding);
        }
        self.fill(outline, style.color());
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points: Vec<_> = path.into_iter().map(|p| self.pixel(p)).collect();
        let mut outline = Outline::default();
        outline.ring(&points);
        self.fill(outline, style.color());
        Ok(())
    }

    /// Anchored as plotters' SVG backend does it, so that both formats look alike.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, position: BackendCoord) -> Drawn {
        let em = style.size() / EM_TO_SIZE / self.units;
        let start = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -font::text_width(text, em) / 2.0,
            HPos::Right => -font::text_width(text, em),
        };
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => HALF_EX * em,
            VPos::Bottom => -HALF_EX * em,
        };
        // Baselines on whole pixels keep small text crisp.
        let (x, y) = self.pixel(position);
        let (turn, color) = (style.transform(), style.color());
        let (origin, offset) = match turn {
            FontTransform::None => ((0, 0), (x + start, (y + baseline).round())),
            FontTransform::Rotate90 => (((x - baseline).round() as i32, y as i32), (start + y.fract(), 0.0)),
            FontTransform::Rotate180 => ((x as i32, (y - baseline).round() as i32), (start - x.fract(), 0.0)),
            FontTransform::Rotate270 => (((x + baseline).round() as i32, y as i32), (start - y.fract(), 0.0)),
        };
        font::rasterize(text, em, offset, |column, row, coverage| {
            let (column, row) = match turn {
                FontTransform::None => (column, row),
                FontTransform::Rotate90 => (-row - 1, column),
                FontTransform::Rotate180 => (-column - 1, -row - 1),
                FontTransform::Rotate270 => (row, -column - 1),
            };
            let (column, row) = (origin.0 + column, origin.1 + row);
            if (0..self.columns as i32).contains(&column) && (0..self.rows as i32).contains(&row) {
                self.blend(column as usize, row as usize, color, f64::from(coverage));
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::color::Color;

    /// Ink laid on white by `paint`, in whole black pixels.
    fn ink(alpha: f64, paint: impl FnOnce(&mut Raster, &Pen)) -> f64 {
        let mut raster = Raster::new(40, 40, 10.0);
        paint(&mut raster, &Pen(Color::BLACK.with_alpha(alpha)));
        raster.into_rgb().chunks(3).map(|p| (255.0 - f64::from(p[0])) / 255.0).sum()
    }

    struct Pen(Color);

    impl BackendStyle for Pen {
        fn color(&self) -> BackendColor {
            self.0.backend()
        }
        fn stroke_width(&self) -> u32 {
            20 // two pixels
        }
    }

    #[test]
    fn areas_are_those_of_geometry() {
        // Sides in pixels; 8 scan lines and 8-bit grey leave about half a percent.
        let square = ink(1.0, |r, pen| r.draw_rect((53, 47), (253, 247), pen, true).unwrap());
        assert!((square - 400.0).abs() < 2.0, "{square}");
        let triangle = ink(1.0, |r, pen| r.fill_polygon([(20, 20), (320, 20), (20, 220)], pen).unwrap());
        assert!((triangle - 300.0).abs() < 2.0, "{triangle}");
        let disc = ink(1.0, |r, pen| r.draw_circle((200, 200), 100, pen, true).unwrap());
        assert!((disc - 314.16).abs() < 3.0, "{disc}");
        let ring = ink(1.0, |r, pen| r.draw_circle((200, 200), 100, pen, false).unwrap());
        assert!((ring - TAU * 10.0 * 2.0).abs() < 2.5, "{ring}");
        let line = ink(1.0, |r, pen| r.draw_line((50, 50), (350, 50), pen).unwrap());
        assert!((line - 60.0).abs() < 0.5, "{line}");
    }

    #[test]
    fn a_translucent_stroke_is_laid_once_where_it_meets_itself() {
        let there_and_back = ink(0.5, |r, pen| r.draw_path([(50, 100), (350, 100), (50, 100)], pen).unwrap());
        // 60 pixels at half opacity, and half a disc of radius one as joint.
        assert!((there_and_back - 0.5 * (60.0 + TAU / 4.0)).abs() < 0.6, "{there_and_back}");
    }

    #[test]
    fn what_lies_outside_the_sheet_is_clipped() {
        let covered = ink(1.0, |r, pen| r.draw_rect((-5000, -5000), (200, 9000), pen, true).unwrap());
        assert!((covered - 20.0 * 40.0).abs() < 1e-6, "{covered}");
    }
}
