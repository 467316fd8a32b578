//! Points of two classes in the plane.

use ndarray::{ArrayView1, ArrayView2};

use crate::axes::{Axes, Captions, LABEL};
use crate::canvas::{Canvas, Rect};
use crate::check::{Check, widen};
use crate::class_points::{ClassPoints, legend};
use crate::error::VizError;
use crate::figure::Plot;

const CHECK: Check = Check("Scatter");

/// Two classes of points with a legend.
///
/// ```
/// # use ndarray::array;
/// # use ppl_viz::{Figure, Scatter};
/// let points = array![[0.0, 0.5], [1.0, 0.2], [0.4, -0.3]];
/// let plot = Scatter::new(points.view(), array![0.0, 1.0, 1.0].view())?.class_names("outer", "inner");
/// assert!(Figure::new(plot).to_svg()?.contains("inner"));
/// # Ok::<(), ppl_viz::VizError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scatter {
    pub(crate) points: ClassPoints,
    names: [String; 2],
    x_label: String,
    y_label: String,
}

impl Scatter {
    /// Points `[n, 2]` and their classes `[n]`, each 0 or 1.
    ///
    /// # Errors
    /// [`VizError::Shape`], [`VizError::Empty`], [`VizError::NotFinite`], [`VizError::Class`].
    pub fn new(points: ArrayView2<'_, f64>, classes: ArrayView1<'_, f64>) -> Result<Self, VizError> {
        let points = ClassPoints::new(CHECK, points, classes)?;
        Ok(Self { points, names: ["Class 0".into(), "Class 1".into()], x_label: String::new(), y_label: String::new() })
    }

    /// Names of the classes 0 and 1 in the legend.
    #[must_use]
    pub fn class_names(self, zero: impl Into<String>, one: impl Into<String>) -> Self {
        Self { names: [zero.into(), one.into()], ..self }
    }

    /// Labels of the two axes.
    #[must_use]
    pub fn axis_labels(self, x: impl Into<String>, y: impl Into<String>) -> Self {
        Self { x_label: x.into(), y_label: y.into(), ..self }
    }

    pub(crate) fn ranges(&self) -> ((f64, f64), (f64, f64)) {
        (widen(self.points.x, 0.06), widen(self.points.y, 0.06))
    }
}

impl Plot for Scatter {
    fn size(&self) -> (u32, u32) {
        (720, 560)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> Result<(), VizError> {
        let (x, y) = self.ranges();
        let captions = Captions { title: "", x: &self.x_label, y: &self.y_label };
        let axes =
            Axes::fit(area.inset(0.0, LABEL + 6.0, 0.0, 0.0), CHECK.range("x", x)?, CHECK.range("y", y)?, captions)?;
        self.points.draw(canvas, &axes)?;
        axes.corner(canvas)?;
        axes.ticks_below(canvas, true)?;
        axes.ticks_left(canvas, true)?;
        axes.captions(canvas, captions)?;
        legend(canvas, (axes.frame.right, axes.frame.top - 6.0 - LABEL / 2.0), &self.names)
    }
}
