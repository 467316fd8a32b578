//! A function over the plane as filled contours, with data over it.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::axes::{Axes, Captions};
use crate::canvas::{Canvas, Rect};
use crate::check::{Check, widen};
use crate::class_points::ClassPoints;
use crate::color::Color;
use crate::color_bar::ColorBar;
use crate::colormap::Colormap;
use crate::contour::rings;
use crate::error::VizError;
use crate::figure::Plot;

const CHECK: Check = Check("Surface");

/// Colours that the interval of values is cut into, unless asked otherwise.
const BANDS: usize = 20;

/// Filled contours of values on a regular grid, with a colour bar.
///
/// Row `i` and column `j` of the values `[rows, columns]` belong to the `i`th of `rows` equally spaced points of the
/// interval `y` and the `j`th of `columns` points of `x`, ends included. Between the nodes the surface is bilinear.
///
/// ```
/// # use ndarray::{array, Array2};
/// # use ppl_viz::{Figure, Surface};
/// let sd = Array2::from_shape_fn((30, 30), |(i, j)| (i * j) as f64 / 2000.0);
/// let plot = Surface::uncertainty(sd.view(), (-3.0, 3.0), (-3.0, 3.0))?
///     .points(array![[0.0, 0.0], [1.0, 2.0]].view(), array![0.0, 1.0].view())?;
/// assert!(Figure::new(plot).to_png()?.starts_with(b"\x89PNG"));
/// # Ok::<(), ppl_viz::VizError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Surface {
    values: Array2<f64>,
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
    pub(crate) limits: (f64, f64),
    pub(crate) colormap: Colormap,
    pub(crate) bands: usize,
    pub(crate) bar_label: String,
    contour: Option<f64>,
    points: Option<ClassPoints>,
    x_label: String,
    y_label: String,
}

impl Surface {
    /// Values over the intervals `x` and `y`, coloured from the smallest to the largest by the sequential map.
    ///
    /// # Errors
    /// [`VizError::Shape`] for fewer than two rows or columns, [`VizError::NotFinite`], [`VizError::Range`].
    pub fn new(values: ArrayView2<'_, f64>, x: (f64, f64), y: (f64, f64)) -> Result<Self, VizError> {
        if values.nrows() < 2 || values.ncols() < 2 {
            return Err(CHECK.shape("values", "at least 2 rows and 2 columns", values.shape()));
        }
        let extent = CHECK.extent("values", values.iter())?;
        Ok(Self {
            values: values.to_owned(),
            x: CHECK.range("x", x)?,
            y: CHECK.range("y", y)?,
            limits: CHECK.range("limits", if extent.0 < extent.1 { extent } else { widen(extent, 0.0) })?,
            colormap: Colormap::Sequential,
            bands: BANDS,
            bar_label: String::new(),
            contour: None,
            points: None,
            x_label: String::new(),
            y_label: String::new(),
        })
    }

    /// A probability over the plane: the diverging map from 0 to 1, and a line where it is one half.
    ///
    /// # Errors
    /// As [`Surface::new`].
    pub fn decision(probability: ArrayView2<'_, f64>, x: (f64, f64), y: (f64, f64)) -> Result<Self, VizError> {
        let surface = Self::new(probability, x, y)?.colormap(Colormap::Diverging).limits(0.0, 1.0)?;
        Ok(surface.contour(0.5).bar_label("Posterior predictive mean probability of class 1"))
    }

    /// A standard deviation over the plane: the sequential map from 0 to the largest value.
    ///
    /// # Errors
    /// As [`Surface::new`].
    pub fn uncertainty(sd: ArrayView2<'_, f64>, x: (f64, f64), y: (f64, f64)) -> Result<Self, VizError> {
        let surface = Self::new(sd, x, y)?;
        let top = surface.values.fold(0.0, |top: f64, v| top.max(*v));
        let label = "Uncertainty (posterior predictive standard deviation)";
        Ok(surface.limits(0.0, if top > 0.0 { top } else { 1.0 })?.bar_label(label))
    }

    /// Data over the surface: points `[n, 2]` with classes `[n]`, each 0 or 1. Points off the grid are not shown.
    ///
    /// # Errors
    /// [`VizError::Shape`], [`VizError::Empty`], [`VizError::NotFinite`], [`VizError::Class`].
    pub fn points(self, points: ArrayView2<'_, f64>, classes: ArrayView1<'_, f64>) -> Result<Self, VizError> {
        Ok(Self { points: Some(ClassPoints::new(CHECK, points, classes)?), ..self })
    }

    /// The colour map.
    #[must_use]
    pub fn colormap(self, colormap: Colormap) -> Self {
        Self { colormap, ..self }
    }

    /// The values at the two ends of the colour map; what lies beyond takes the colour of the end.
    ///
    /// # Errors
    /// [`VizError::Range`].
    pub fn limits(self, low: f64, high: f64) -> Result<Self, VizError> {
        Ok(Self { limits: CHECK.range("limits", (low, high))?, ..self })
    }

    /// Number of colours, from 1 to 256 (clamped).
    #[must_use]
    pub fn bands(self, bands: usize) -> Self {
        Self { bands: bands.clamp(1, 256), ..self }
    }

    /// A dark line where the surface has this value.
    #[must_use]
    pub fn contour(self, level: f64) -> Self {
        Self { contour: Some(level), ..self }
    }

    /// Label of the colour bar.
    #[must_use]
    pub fn bar_label(self, label: impl Into<String>) -> Self {
        Self { bar_label: label.into(), ..self }
    }

    /// Labels of the two axes.
    #[must_use]
    pub fn axis_labels(self, x: impl Into<String>, y: impl Into<String>) -> Self {
        Self { x_label: x.into(), y_label: y.into(), ..self }
    }

    pub(crate) fn bar(&self) -> ColorBar<'_> {
        ColorBar { colormap: self.colormap, limits: self.limits, bands: self.bands, label: &self.bar_label }
    }

    /// The inside of a frame, coloured by a bar that may belong to several surfaces.
    pub(crate) fn draw_inside(&self, canvas: &mut Canvas<'_>, axes: &Axes, bar: &ColorBar<'_>) -> Result<(), VizError> {
        let (rows, columns) = self.values.dim();
        let place = |&(column, row): &(f64, f64)| {
            let along = |t: f64, (low, high): (f64, f64)| low + t * (high - low);
            axes.at(along(column / (columns - 1) as f64, self.x), along(row / (rows - 1) as f64, self.y))
        };
        let (low, high) = bar.limits;
        let levels: Vec<f64> = (1..bar.bands).map(|k| low + (high - low) * k as f64 / bar.bands as f64).collect();
        let (left, bottom) = axes.at(self.x.0, self.y.0);
        let (right, top) = axes.at(self.x.1, self.y.1);
        canvas.rect(Rect { left, top, right, bottom }, bar.color(0))?;
        for ring in rings(self.values.view(), &levels) {
            let points: Vec<_> = ring.points.iter().map(place).collect();
            canvas.polygon(&points, bar.color(ring.level + usize::from(ring.encloses_above)))?;
        }
        if let Some(level) = self.contour {
            for ring in rings(self.values.view(), &[level]) {
                for line in ring.inner_lines((rows, columns)) {
                    let points: Vec<_> = line.iter().map(place).collect();
                    canvas.line(&points, Color::INK, 1.2)?;
                }
            }
        }
        self.points.as_ref().map_or(Ok(()), |points| points.draw(canvas, axes))
    }
}

impl Plot for Surface {
    fn size(&self) -> (u32, u32) {
        (800, 600)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> Result<(), VizError> {
        let captions = Captions { title: "", x: &self.x_label, y: &self.y_label };
        let bar = self.bar();
        let axes = Axes::fit(area.inset(0.0, 0.0, bar.width(area.height()), 0.0), self.x, self.y, captions)?;
        self.draw_inside(canvas, &axes, &bar)?;
        axes.outline(canvas)?;
        axes.ticks_below(canvas, true)?;
        axes.ticks_left(canvas, true)?;
        axes.captions(canvas, captions)?;
        bar.draw(canvas, axes.frame)
    }
}
