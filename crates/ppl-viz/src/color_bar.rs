//! The key from colours to numbers.

use crate::axes::{Axes, HAIR, LABEL, TICK};
use crate::canvas::{Align, Canvas, Rect, Text};
use crate::color::Color;
use crate::colormap::Colormap;
use crate::error::VizError;
use crate::font::text_width;
use crate::ticks::{Ticks, ticks};

/// Width of the coloured strip, and its distance from what it explains.
const STRIP: f64 = 16.0;
const DISTANCE: f64 = 6.0;

/// A vertical strip in as many bands as the contours have.
pub(crate) struct ColorBar<'a> {
    pub colormap: Colormap,
    pub limits: (f64, f64),
    pub bands: usize,
    pub label: &'a str,
}

impl ColorBar<'_> {
    /// The colour of a band: the map's at its middle.
    pub(crate) fn color(&self, band: usize) -> Color {
        self.colormap.at((band as f64 + 0.5) / self.bands as f64)
    }

    /// Room that the bar takes at the right of an area of some height.
    pub(crate) fn width(&self, height: f64) -> f64 {
        let numbers = self.ticks(height).labels.iter().map(|l| text_width(l, TICK)).fold(0.0, f64::max);
        DISTANCE + STRIP + 8.0 + numbers + if self.label.is_empty() { 8.0 } else { 16.0 + LABEL }
    }

    /// Draw the bar right of a frame, as high as the frame.
    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>, frame: Rect) -> Result<(), VizError> {
        let left = frame.right + DISTANCE;
        let strip = Rect { left, right: left + STRIP, ..frame };
        // From the top downwards over all that is below, so that no seam shows between bands.
        for band in (0..self.bands).rev() {
            let top = strip.bottom - strip.height() * (band + 1) as f64 / self.bands as f64;
            canvas.rect(Rect { top, ..strip }, self.color(band))?;
        }
        let axes = Axes::new(strip, (0.0, 1.0), self.limits)?;
        axes.outline(canvas)?;
        let ticks = self.ticks(strip.height());
        let mut right: f64 = 0.0;
        for (value, label) in ticks.values.iter().zip(&ticks.labels) {
            let y = axes.at(0.0, *value).1;
            canvas.line(&[(strip.right, y), (strip.right + 4.0, y)], Color::INK, HAIR)?;
            let text = Text::new(label, TICK).align(Align::Start);
            right = right.max(text.width());
            canvas.text((strip.right + 8.0, y), text, Color::INK)?;
        }
        if !self.label.is_empty() {
            let size = Axes::fitting_size(self.label, LABEL, strip.height() + 16.0);
            let at = (strip.right + 16.0 + right + LABEL / 2.0, strip.center().1);
            canvas.text(at, Text::new(self.label, size).upward(), Color::INK)?;
        }
        Ok(())
    }

    fn ticks(&self, height: f64) -> Ticks {
        ticks(self.limits.0, self.limits.1, (height / 50.0).clamp(2.0, 6.0))
    }
}
