//! Small multiples: many panels that share their axes and one colour bar.

use crate::axes::{Axes, LABEL, TICK};
use crate::canvas::{Canvas, Rect, Text};
use crate::check::{Check, union};
use crate::color::Color;
use crate::color_bar::ColorBar;
use crate::error::VizError;
use crate::figure::Plot;
use crate::font::text_width;
use crate::scatter::Scatter;
use crate::surface::Surface;

const CHECK: Check = Check("Grid");

/// Space between columns for two numbers side by side, and above each panel for its title.
const GUTTER: f64 = 24.0;
const HEAD: f64 = 24.0;

/// What a cell of a [`Grid`] shows.
#[derive(Clone, Debug)]
pub enum Panel {
    /// Filled contours; boxed since it is large.
    Surface(Box<Surface>),
    /// Points of two classes.
    Scatter(Box<Scatter>),
}

impl From<Surface> for Panel {
    fn from(surface: Surface) -> Self {
        Self::Surface(Box::new(surface))
    }
}

impl From<Scatter> for Panel {
    fn from(scatter: Scatter) -> Self {
        Self::Scatter(Box::new(scatter))
    }
}

impl Panel {
    fn ranges(&self) -> ((f64, f64), (f64, f64)) {
        match self {
            Self::Surface(surface) => (surface.x, surface.y),
            Self::Scatter(scatter) => scatter.ranges(),
        }
    }
}

/// Panels in rows, filled from the upper left, each with a title.
///
/// All panels show the same part of the plane. Surfaces are coloured alike: by the map, the number of bands and the
/// label of the first one, and by limits that hold those of all.
///
/// ```
/// # use ndarray::Array2;
/// # use ppl_viz::{Figure, Grid, Surface};
/// let mut grid = Grid::new(2).axis_labels("X", "Y");
/// for i in 0..4 {
///     let sd = Array2::from_elem((20, 20), 0.1 * i as f64);
///     grid = grid.panel(format!("Category {i}"), Surface::uncertainty(sd.view(), (-3.0, 3.0), (-3.0, 3.0))?);
/// }
/// assert!(Figure::new(grid).to_svg()?.contains("Category 3"));
/// # Ok::<(), ppl_viz::VizError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grid {
    columns: usize,
    panels: Vec<(String, Panel)>,
    x_label: String,
    y_label: String,
}

impl Grid {
    /// A grid of so many columns (at least one), without panels yet.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { columns: columns.max(1), panels: Vec::new(), x_label: String::new(), y_label: String::new() }
    }

    /// One more panel.
    #[must_use]
    pub fn panel(mut self, title: impl Into<String>, panel: impl Into<Panel>) -> Self {
        self.panels.push((title.into(), panel.into()));
        self
    }

    /// Labels of the axes that all panels share.
    #[must_use]
    pub fn axis_labels(self, x: impl Into<String>, y: impl Into<String>) -> Self {
        Self { x_label: x.into(), y_label: y.into(), ..self }
    }

    fn rows(&self) -> usize {
        self.panels.len().div_ceil(self.columns)
    }

    /// The bar of the first surface, with limits that hold those of all.
    fn bar(&self) -> Option<ColorBar<'_>> {
        let surfaces = self.panels.iter().filter_map(|(_, panel)| match panel {
            Panel::Surface(surface) => Some(surface.bar()),
            Panel::Scatter(_) => None,
        });
        surfaces.reduce(|first, next| ColorBar { limits: union(first.limits, next.limits), ..first })
    }
}

impl Plot for Grid {
    /// 375 by 300 pixels to a panel.
    fn size(&self) -> (u32, u32) {
        let side = |panels: usize, pixels: u32| u32::try_from(panels).unwrap_or(u32::MAX).saturating_mul(pixels);
        (side(self.columns, 375), side(self.rows(), 300))
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> Result<(), VizError> {
        let ranges = self.panels.iter().map(|(_, panel)| panel.ranges());
        let Some((x, y)) = ranges.reduce(|a, b| (union(a.0, b.0), union(a.1, b.1))) else {
            return Err(VizError::Empty { plot: CHECK.0, what: "the list of panels".into() });
        };
        let (x, y) = (CHECK.range("x", x)?, CHECK.range("y", y)?);
        let (columns, rows) = (self.columns, self.rows());

        let bar = self.bar();
        let numbers = text_width("−0.5", TICK);
        let left = 22.0 + numbers + if self.y_label.is_empty() { 0.0 } else { LABEL + 6.0 };
        let bottom = 18.0 + TICK + if self.x_label.is_empty() { 0.0 } else { LABEL + 8.0 };
        let right = bar.as_ref().map_or(14.0, |bar| bar.width(area.height()) + 14.0);
        let inner = area.inset(left, 4.0, right, bottom);
        let wide = (inner.width() - GUTTER * (columns - 1) as f64) / columns as f64;
        let high = (inner.height() - 4.0 * (rows - 1) as f64) / rows as f64;

        for (index, (title, panel)) in self.panels.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let left = inner.left + (wide + GUTTER) * column as f64;
            let top = inner.top + (high + 4.0) * row as f64;
            let frame = Rect { left, right: left + wide, top: top + HEAD, bottom: top + high };
            let axes = Axes::new(frame, x, y)?;
            match panel {
                Panel::Surface(surface) => {
                    surface.draw_inside(canvas, &axes, bar.as_ref().unwrap_or(&surface.bar()))?
                }
                Panel::Scatter(scatter) => scatter.points.draw(canvas, &axes)?,
            }
            axes.outline(canvas)?;
            axes.ticks_left(canvas, column == 0)?;
            // The last panel of a column carries its numbers, also where the last row is not full.
            axes.ticks_below(canvas, index + columns >= self.panels.len())?;
            let size = Axes::fitting_size(title, LABEL, frame.width());
            canvas.text((frame.center().0, frame.top - HEAD / 2.0), Text::new(title, size), Color::INK)?;
        }

        let whole = Rect { top: inner.top + HEAD, ..inner };
        let (x_middle, y_middle) = whole.center();
        canvas.text((x_middle, area.bottom - 6.0 - LABEL / 2.0), Text::new(&self.x_label, LABEL), Color::INK)?;
        canvas.text((area.left + 8.0 + LABEL / 2.0, y_middle), Text::new(&self.y_label, LABEL).upward(), Color::INK)?;
        bar.map_or(Ok(()), |bar| bar.draw(canvas, Rect { right: whole.right + 8.0, ..whole }))
    }
}
