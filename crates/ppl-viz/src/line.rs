//! Curves against the iteration: a loss, an evidence lower bound, an acceptance rate.

use ndarray::ArrayView1;

use crate::axes::{Axes, Captions, LABEL, iterations};
use crate::canvas::{Align, Canvas, Rect, Text};
use crate::check::{Check, union, widen};
use crate::color::Color;
use crate::error::VizError;
use crate::figure::Plot;

const CHECK: Check = Check("LinePlot");

/// One or more named curves over `0, 1, 2, ...`, with a legend when there are several.
#[derive(Clone, Debug)]
pub struct LinePlot {
    lines: Vec<Line>,
    x_label: String,
    y_label: String,
    y_range: Option<(f64, f64)>,
    alpha: f64,
    width: f64,
}

#[derive(Clone, Debug)]
struct Line {
    name: String,
    values: Vec<f64>,
    extent: (f64, f64),
}

impl LinePlot {
    /// Axes with these labels, without curves yet.
    #[must_use]
    pub fn new(x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        let (x_label, y_label) = (x_label.into(), y_label.into());
        Self { lines: Vec::new(), x_label, y_label, y_range: None, alpha: 1.0, width: 1.3 }
    }

    /// One more curve: its value at each iteration.
    ///
    /// # Errors
    /// [`VizError::Empty`], [`VizError::NotFinite`].
    pub fn line(mut self, name: impl Into<String>, values: ArrayView1<'_, f64>) -> Result<Self, VizError> {
        let name = name.into();
        let extent = CHECK.extent(format!("line \"{name}\""), values.iter())?;
        self.lines.push(Line { name, values: values.to_vec(), extent });
        Ok(self)
    }

    /// Opacity and width in pixels of the curves, for instance 0.3 and 0.8 where many overlap.
    #[must_use]
    pub fn stroke(self, alpha: f64, width: f64) -> Self {
        Self { alpha, width: if width.is_finite() { width.clamp(0.1, 20.0) } else { self.width }, ..self }
    }

    /// Show only this interval of values: curves are cut at its ends.
    ///
    /// # Errors
    /// [`VizError::Range`].
    pub fn y_range(self, low: f64, high: f64) -> Result<Self, VizError> {
        Ok(Self { y_range: Some(CHECK.range("y_range", (low, high))?), ..self })
    }
}

impl Plot for LinePlot {
    fn size(&self) -> (u32, u32) {
        (800, 450)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> Result<(), VizError> {
        let Some(extent) = self.lines.iter().map(|line| line.extent).reduce(union) else {
            return Err(VizError::Empty { plot: CHECK.0, what: "the list of lines".into() });
        };
        let x = iterations(self.lines.iter().map(|line| line.values.len()).max().unwrap_or(0));
        let y = CHECK.range("y", self.y_range.unwrap_or_else(|| widen(extent, 0.04)))?;
        let captions = Captions { title: "", x: &self.x_label, y: &self.y_label };
        let with_legend = self.lines.len() > 1;
        let head = if with_legend { LABEL + 8.0 } else { 0.0 };
        let axes = Axes::fit(area.inset(0.0, head, 0.0, 0.0), x, y, captions)?;

        let mut end = axes.frame.right;
        for (index, line) in self.lines.iter().enumerate().rev() {
            let color = Color::cycle(index);
            let points = line.values.iter().enumerate().map(|(i, v)| (i as f64, *v));
            axes.line(canvas, points, color.with_alpha(self.alpha), self.width)?;
            if line.values.len() == 1 {
                canvas.disc(axes.at(0.0, line.values[0]), 2.5, color)?;
            }
            let text = Text::new(&line.name, LABEL).align(Align::End);
            // Names that no longer fit into the row are left out.
            if with_legend && end - text.width() - 24.0 > axes.frame.left {
                let y = axes.frame.top - 8.0 - LABEL / 2.0;
                canvas.text((end, y), text, Color::INK)?;
                end -= text.width() + 6.0;
                canvas.line(&[(end - 18.0, y), (end, y)], color, 2.0)?;
                end -= 38.0;
            }
        }
        axes.corner(canvas)?;
        axes.ticks_below(canvas, true)?;
        axes.ticks_left(canvas, true)?;
        axes.captions(canvas, captions)
    }
}
