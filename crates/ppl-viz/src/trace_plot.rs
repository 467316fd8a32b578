//! Marginal densities beside the draws they come from, one row for each site.

use ndarray::{Array3, ArrayView, ArrayView2, Axis, Dimension};

use crate::axes::{Axes, Captions, HAIR, LABEL, TICK, TITLE, iterations};
use crate::canvas::{Canvas, Rect};
use crate::check::{Check, widen};
use crate::color::{Color, hsluv_to_rgb};
use crate::density::density;
use crate::error::VizError;
use crate::figure::Plot;

const CHECK: Check = Check("TracePlot");

/// Kernel densities at the left, draws by iteration at the right.
///
/// A scalar site shows one curve for each chain, in a colour of its own. A site with several components shows all of
/// them in one row, one hue for each component, its chains alike.
///
/// ```
/// # use ndarray::Array3;
/// # use ppl_viz::{Figure, TracePlot};
/// let weights = Array3::from_shape_fn((4, 100, 3), |(c, d, k)| ((c + 7 * d + k) % 10) as f64);
/// let plot = TracePlot::new([("w0", weights.view())])?;
/// assert!(Figure::new(plot).to_svg()?.contains("w0"));
/// # Ok::<(), ppl_viz::VizError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TracePlot {
    rows: Vec<Row>,
    /// The draws that diverged.
    divergences: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Row {
    name: String,
    /// Chain, draw, component.
    draws: Array3<f64>,
    extent: (f64, f64),
}

impl TracePlot {
    /// Sites with their names and draws `[chains, draws, ..]`; further axes are components of the site.
    ///
    /// # Errors
    /// [`VizError::Shape`] for fewer than two axes, [`VizError::Empty`], [`VizError::NotFinite`].
    pub fn new<'a, N, D>(sites: impl IntoIterator<Item = (N, ArrayView<'a, f64, D>)>) -> Result<Self, VizError>
    where
        N: Into<String>,
        D: Dimension,
    {
        let rows: Vec<Row> =
            sites.into_iter().map(|(name, draws)| Row::new(name.into(), draws)).collect::<Result<_, _>>()?;
        if rows.is_empty() {
            return Err(VizError::Empty { plot: CHECK.0, what: "the list of sites".into() });
        }
        Ok(Self { rows, divergences: Vec::new() })
    }

    /// Mark the draws `[chains, draws]` at which a chain diverged by ticks below each trace.
    #[must_use]
    pub fn divergences(self, diverging: ArrayView2<'_, bool>) -> Self {
        let mut divergences: Vec<usize> = diverging.indexed_iter().filter(|(_, d)| **d).map(|((_, i), _)| i).collect();
        divergences.sort_unstable();
        divergences.dedup();
        Self { divergences, ..self }
    }
}

impl Row {
    fn new<D: Dimension>(name: String, draws: ArrayView<'_, f64, D>) -> Result<Self, VizError> {
        let what = format!("site \"{name}\"");
        let shape = draws.shape();
        let [chains, iterations, event @ ..] = shape else {
            return Err(CHECK.shape(what, "[chains, draws, ..]", shape));
        };
        let extent = CHECK.extent(what.clone(), draws.iter())?;
        let dim = (*chains, *iterations, event.iter().product());
        let draws = Array3::from_shape_vec(dim, draws.iter().copied().collect())
            .map_err(|_| CHECK.shape(what, "[chains, draws, ..]", draws.shape()))?;
        Ok(Self { name, draws, extent })
    }

    /// The curves in the order of drawing: chain, component, colour.
    fn curves(&self) -> impl Iterator<Item = (Vec<f64>, Color)> + '_ {
        let components = self.draws.len_of(Axis(2));
        self.draws.axis_iter(Axis(0)).enumerate().flat_map(move |(chain, draws)| {
            (0..components).map(move |k| {
                let color = if components == 1 { Color::cycle(chain) } else { component_color(k, components) };
                (draws.column(k).to_vec(), color)
            })
        })
    }

    /// Opacity and width of the curves: the more there are, the finer.
    fn stroke(&self) -> (f64, f64) {
        match self.draws.len_of(Axis(0)) * self.draws.len_of(Axis(2)) {
            0..=4 => (0.85, 1.2),
            5..=16 => (0.75, 0.9),
            _ => (0.6, 0.7),
        }
    }

    fn draw_density(&self, canvas: &mut Canvas<'_>, area: Rect, captions: Captions<'_>) -> Result<(), VizError> {
        let curves: Vec<_> = self.curves().map(|(draws, color)| (density(&draws), draws, color)).collect();
        let heights = curves.iter().filter_map(|(curve, ..)| curve.as_ref()).flatten().map(|(_, p)| *p);
        let top = heights.filter(|p| p.is_finite()).fold(0.0, f64::max);
        let top = if top > 0.0 { 1.06 * top } else { 1.0 };
        let axes = Axes::new(area, CHECK.range("draws", widen(self.extent, 0.04))?, (0.0, top))?;
        let (alpha, width) = self.stroke();
        for (curve, draws, color) in curves {
            let color = color.with_alpha(alpha);
            match curve {
                Some(curve) => axes.line(canvas, curve, color, width)?,
                // A point mass.
                None => axes.line(canvas, [(draws[0], 0.0), (draws[0], 0.94 * top)], color, width)?,
            }
        }
        axes.floor(canvas)?;
        axes.ticks_below(canvas, true)?;
        axes.captions(canvas, captions)
    }

    fn draw_trace(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        captions: Captions<'_>,
        divergences: &[usize],
    ) -> Result<(), VizError> {
        let count = self.draws.len_of(Axis(1));
        let axes = Axes::new(area, iterations(count), CHECK.range("draws", widen(self.extent, 0.08))?)?;
        let (alpha, width) = self.stroke();
        for (draws, color) in self.curves() {
            if let [draw] = draws[..] {
                canvas.disc(axes.at(0.0, draw), 1.8, color)?;
            }
            let points = draws.iter().enumerate().map(|(i, v)| (i as f64, *v));
            axes.line(canvas, points, color.with_alpha(alpha), 0.75 * width)?;
        }
        for draw in divergences.iter().filter(|d| **d < count) {
            let x = axes.at(*draw as f64, axes.y.0).0;
            canvas.line(&[(x, area.bottom - 7.0), (x, area.bottom)], Color::BLACK, HAIR)?;
        }
        axes.corner(canvas)?;
        axes.ticks_below(canvas, true)?;
        axes.ticks_left(canvas, true)?;
        axes.captions(canvas, captions)
    }
}

/// Hues evenly around the circle, all equally light.
fn component_color(index: usize, count: usize) -> Color {
    let hue = 250.0 + 360.0 * index as f64 / count as f64;
    Color::from_unit(hsluv_to_rgb(hue % 360.0, 85.0, 52.0))
}

impl Plot for TracePlot {
    /// 170 pixels to a row.
    fn size(&self) -> (u32, u32) {
        (1000, u32::try_from(self.rows.len()).unwrap_or(u32::MAX).saturating_mul(170).saturating_add(30))
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> Result<(), VizError> {
        // The last row alone names the axis, so it is higher by the name.
        let name = LABEL + 10.0;
        let height = (area.height() - name) / self.rows.len() as f64;
        let split = area.left + 0.42 * area.width();
        for (index, row) in self.rows.iter().enumerate() {
            let last = index + 1 == self.rows.len();
            let top = area.top + height * index as f64;
            let (top, bottom) = (top + TITLE + 14.0, top + height - TICK - 12.0);
            let left = Rect { left: area.left + 20.0, top, right: split - 20.0, bottom };
            let right = Rect { left: split + 48.0, top, right: area.right - 18.0, bottom };
            let label = |text| if last { text } else { "" };
            row.draw_density(canvas, left, Captions { title: &row.name, x: label("value"), y: "" })?;
            row.draw_trace(canvas, right, Captions { title: &row.name, x: label("draw"), y: "" }, &self.divergences)?;
        }
        Ok(())
    }
}
