//! Lines, areas and text in picture pixels, sent to any plotters backend.

use std::convert::Infallible;

use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, FontFamily, FontTransform,
};

use crate::color::Color;
use crate::error::VizError;
use crate::font;
use crate::raster::HALF_EX;

/// What plotters calls the size of a font is this times the em.
pub(crate) const EM_TO_SIZE: f64 = 1.24;

/// A rectangle in pixels, y downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

impl Rect {
    /// Width, negative where the edges have crossed.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Height, negative where the edges have crossed.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// The centre.
    #[must_use]
    pub fn center(&self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    /// The rectangle without margins of these widths.
    #[must_use]
    pub fn inset(self, left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self { left: self.left + left, top: self.top + top, right: self.right - right, bottom: self.bottom - bottom }
    }
}

/// Where the anchor of a text lies along the line of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// The text begins at the anchor.
    Start,
    /// The anchor is the middle.
    Middle,
    /// The text ends at the anchor.
    End,
}

/// A line of text; the anchor lies on half the height of its capitals.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// What to write.
    pub text: &'a str,
    /// The em in pixels.
    pub size: f64,
    /// Position of the anchor along the line.
    pub align: Align,
    /// Written upwards instead of rightwards.
    pub upward: bool,
}

impl<'a> Text<'a> {
    /// Horizontal text around its middle.
    #[must_use]
    pub fn new(text: &'a str, size: f64) -> Self {
        Self { text, size, align: Align::Middle, upward: false }
    }

    /// The same text, anchored elsewhere.
    #[must_use]
    pub fn align(self, align: Align) -> Self {
        Self { align, ..self }
    }

    /// The same text, written upwards.
    #[must_use]
    pub fn upward(self) -> Self {
        Self { upward: true, ..self }
    }

    /// Length of the line in pixels.
    #[must_use]
    pub fn width(&self) -> f64 {
        font::text_width(self.text, self.size)
    }
}

/// A sheet of white paper. Coordinates are pixels from the upper left corner.
pub struct Canvas<'a> {
    device: &'a mut dyn Device,
    units: f64,
}

impl<'a> Canvas<'a> {
    /// Draw through a device with `units` of its coordinates to one pixel.
    pub(crate) fn new(device: &'a mut dyn Device, units: f64) -> Self {
        Self { device, units }
    }

    /// A connected line.
    ///
    /// # Errors
    /// [`VizError::Backend`] from the backend, here and in all other primitives.
    pub fn line(&mut self, points: &[(f64, f64)], color: Color, width: f64) -> Result<(), VizError> {
        if points.len() < 2 {
            return Ok(());
        }
        let points = self.points(points);
        let width = self.length(width).max(1);
        self.device.path(&points, Style { color, width })
    }

    /// The inside of a closed ring.
    ///
    /// # Errors
    /// See [`Canvas::line`].
    pub fn polygon(&mut self, ring: &[(f64, f64)], color: Color) -> Result<(), VizError> {
        if ring.len() < 3 {
            return Ok(());
        }
        let ring = self.points(ring);
        self.device.polygon(&ring, Style { color, width: 1 })
    }

    /// A filled rectangle.
    ///
    /// # Errors
    /// See [`Canvas::line`].
    pub fn rect(&mut self, r: Rect, color: Color) -> Result<(), VizError> {
        self.polygon(&[(r.left, r.top), (r.right, r.top), (r.right, r.bottom), (r.left, r.bottom)], color)
    }

    /// A filled disc.
    ///
    /// # Errors
    /// See [`Canvas::line`].
    pub fn disc(&mut self, center: (f64, f64), radius: f64, color: Color) -> Result<(), VizError> {
        let radius = self.length(radius);
        self.device.disc(self.point(center), radius, Style { color, width: 1 })
    }

    /// A line of text with its anchor at a point.
    ///
    /// # Errors
    /// See [`Canvas::line`].
    pub fn text(&mut self, (x, y): (f64, f64), text: Text<'_>, color: Color) -> Result<(), VizError> {
        // The backends put the baseline half an ex above a bottom anchor; it belongs half a capital below ours.
        let shift = (font::CAP_HEIGHT / 2.0 + HALF_EX) * text.size;
        let at = if text.upward { (x + shift, y) } else { (x, y + shift) };
        let label = Label { em: text.size * self.units, align: text.align, upward: text.upward, color };
        self.device.text(text.text, &label, self.point(at))
    }

    fn points(&self, points: &[(f64, f64)]) -> Vec<BackendCoord> {
        points.iter().map(|p| self.point(*p)).collect()
    }

    /// Saturates far outside of the picture, with room for the backends' own sums.
    fn point(&self, (x, y): (f64, f64)) -> BackendCoord {
        let coordinate = |v: f64| (v * self.units).round().clamp(-1e6, 1e6) as i32;
        (coordinate(x), coordinate(y))
    }

    fn length(&self, length: f64) -> u32 {
        (length * self.units).round() as u32
    }
}

/// The primitives as an object, whatever the type of the backend.
pub(crate) trait Device {
    fn path(&mut self, points: &[BackendCoord], style: Style) -> Result<(), VizError>;
    fn polygon(&mut self, ring: &[BackendCoord], style: Style) -> Result<(), VizError>;
    fn disc(&mut self, center: BackendCoord, radius: u32, style: Style) -> Result<(), VizError>;
    fn text(&mut self, text: &str, label: &Label, at: BackendCoord) -> Result<(), VizError>;
}

impl<B: DrawingBackend> Device for B {
    fn path(&mut self, points: &[BackendCoord], style: Style) -> Result<(), VizError> {
        self.draw_path(points.iter().copied(), &style).map_err(backend)
    }
    fn polygon(&mut self, ring: &[BackendCoord], style: Style) -> Result<(), VizError> {
        self.fill_polygon(ring.iter().copied(), &style).map_err(backend)
    }
    fn disc(&mut self, center: BackendCoord, radius: u32, style: Style) -> Result<(), VizError> {
        self.draw_circle(center, radius, &style, true).map_err(backend)
    }
    fn text(&mut self, text: &str, label: &Label, at: BackendCoord) -> Result<(), VizError> {
        self.draw_text(text, label, at).map_err(backend)
    }
}

pub(crate) fn backend(error: impl std::fmt::Display) -> VizError {
    VizError::Backend { message: error.to_string() }
}

#[derive(Clone, Copy)]
pub(crate) struct Style {
    color: Color,
    width: u32,
}

impl BackendStyle for Style {
    fn color(&self) -> BackendColor {
        self.color.backend()
    }
    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// The style of a text in backend units; draws itself for backends that have no text of their own.
pub(crate) struct Label {
    em: f64,
    align: Align,
    upward: bool,
    color: Color,
}

impl BackendTextStyle for Label {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        self.color.backend()
    }

    fn size(&self) -> f64 {
        self.em * EM_TO_SIZE
    }

    fn transform(&self) -> FontTransform {
        if self.upward { FontTransform::Rotate270 } else { FontTransform::None }
    }

    fn anchor(&self) -> Pos {
        let along = match self.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        Pos::new(along, VPos::Bottom)
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name(font::FAMILY)
    }

    /// The box ends half an ex below the baseline, where the vector backends put a bottom anchor.
    fn layout_box(&self, text: &str) -> Result<((i32, i32), (i32, i32)), Infallible> {
        let top = (-font::CAP_HEIGHT * self.em) as i32;
        Ok(((0, top), (font::text_width(text, self.em).ceil() as i32, (HALF_EX * self.em) as i32)))
    }

    fn draw<E, F: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        (x, y): BackendCoord,
        mut draw: F,
    ) -> Result<Result<(), E>, Infallible> {
        let color = self.color.backend();
        let mut result = Ok(());
        font::rasterize(text, self.em, (f64::from(x), f64::from(y)), |column, row, coverage| {
            if result.is_ok() {
                let alpha = color.alpha * f64::from(coverage);
                result = draw(column, row, BackendColor { alpha, ..color });
            }
        });
        Ok(result)
    }
}
