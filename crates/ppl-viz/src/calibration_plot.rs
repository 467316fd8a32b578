//! Ranks of calibration by simulation: their histogram, and their distribution function within its band.

use crate::axes::{Axes, Captions, HAIR, LABEL, TICK, TITLE};
use crate::canvas::{Align, Canvas, Rect, Text};
use crate::check::{Check, union, widen};
use crate::color::Color;
use crate::error::VizError;
use crate::figure::Plot;

const CHECK: Check = Check("CalibrationPlot");

/// The band, and what is expected in its middle.
const BAND: Color = Color::rgb(222, 226, 231);
const MIDDLE: Color = Color::rgb(140, 146, 154);
/// At most so many bars of a histogram.
const BARS: usize = 10;

/// One row a parameter: at the left the ranks of the truth among draws of the posterior, at the right the empirical
/// distribution function of these ranks less that of uniform ones, with the band that it keeps to at all points at once
/// when the method is right. A parameter that leaves its band is drawn in another colour.
///
/// The shade of the histogram is where a bar of a right method lies, expected height and two standard deviations of the
/// binomial law; the band at the right is what decides.
///
/// # Source
/// Talts et al. (2018), "Validating Bayesian inference algorithms with simulation-based calibration"; Säilynoja, Bürkner
/// and Vehtari (2022), "Graphical test for discrete uniformity".
///
/// ```
/// # use ppl_viz::{CalibrationPlot, Figure};
/// // Twelve ranks among three draws; the distribution function at 1/2 and 1, less 1/2 and 1.
/// let ranks = [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 0];
/// let plot = CalibrationPlot::new(3).parameter("mu", &ranks, &[0.5, 1.0], &[0.083, 0.0], (&[-0.3, 0.0], &[0.3, 0.0]))?;
/// assert!(Figure::new(plot).to_svg()?.contains("mu"));
/// # Ok::<(), ppl_viz::VizError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CalibrationPlot {
    draws: usize,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    name: String,
    /// Simulations by bar.
    counts: Vec<f64>,
    simulations: f64,
    at: Vec<f64>,
    difference: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    extent: (f64, f64),
}

impl CalibrationPlot {
    /// A plot of ranks among so many draws, `0..=draws`, without parameters yet.
    #[must_use]
    pub fn new(draws: usize) -> Self {
        Self { draws, rows: Vec::new() }
    }

    /// One more parameter: its ranks, one a simulation, and its curve with the lower and the upper end of the band, at
    /// increasing points of (0, 1].
    ///
    /// # Errors
    /// [`VizError::Empty`] without ranks or points, [`VizError::Shape`] for curves of unequal length,
    /// [`VizError::NotFinite`].
    pub fn parameter(
        mut self,
        name: impl Into<String>,
        ranks: &[usize],
        at: &[f64],
        difference: &[f64],
        (lower, upper): (&[f64], &[f64]),
    ) -> Result<Self, VizError> {
        let name = name.into();
        if ranks.is_empty() {
            return Err(VizError::Empty { plot: CHECK.0, what: format!("the ranks of \"{name}\"") });
        }
        CHECK.extent(format!("the points of \"{name}\""), at)?;
        let mut extent = (0.0, 0.0);
        for (what, values) in [("the curve", difference), ("the lower band", lower), ("the upper band", upper)] {
            let what = format!("{what} of \"{name}\"");
            if values.len() != at.len() {
                return Err(CHECK.shape(what, format!("[{}]", at.len()), &[values.len()]));
            }
            extent = union(extent, CHECK.extent(what, values)?);
        }
        let slots = self.draws + 1;
        // Bars of equal width need a divisor of the number of ranks.
        let bars = (1..=BARS.min(slots)).rev().find(|k| slots.is_multiple_of(*k)).unwrap_or(1);
        let mut counts = vec![0.0; bars];
        ranks.iter().for_each(|&rank| counts[(rank.min(self.draws) * bars / slots).min(bars - 1)] += 1.0);
        let simulations = ranks.len() as f64;
        let [at, difference, lower, upper] = [at, difference, lower, upper].map(<[f64]>::to_vec);
        self.rows.push(Row { name, counts, simulations, at, difference, lower, upper, extent });
        Ok(self)
    }
}

impl Row {
    fn color(&self) -> Color {
        // Bounds are counts by their number: equal ones may differ by a rounding.
        let slack = 1e-9;
        let inside = (0..self.at.len())
            .all(|k| self.lower[k] - slack <= self.difference[k] && self.difference[k] <= self.upper[k] + slack);
        Color::cycle(usize::from(!inside))
    }

    fn draw_ranks(&self, canvas: &mut Canvas<'_>, area: Rect, captions: Captions<'_>) -> Result<(), VizError> {
        let share = 1.0 / self.counts.len() as f64;
        let expected = self.simulations * share;
        let spread = 2.0 * (expected * (1.0 - share)).sqrt();
        let tallest = self.counts.iter().copied().fold(expected + spread, f64::max);
        let axes = Axes::new(area, (0.0, 1.0), (0.0, 1.08 * tallest.max(1.0)))?;
        let (left, top) = axes.at(0.0, expected + spread);
        let (right, bottom) = axes.at(1.0, (expected - spread).max(0.0));
        canvas.rect(Rect { left, top, right, bottom }, BAND)?;
        for (k, count) in self.counts.iter().enumerate() {
            let (left, top) = axes.at(k as f64 * share, *count);
            let (right, bottom) = axes.at((k + 1) as f64 * share, 0.0);
            let bar = Rect { left: left + 1.5, top, right: right - 1.5, bottom };
            if *count > 0.0 && bar.right > bar.left {
                canvas.rect(bar, self.color().with_alpha(0.75))?;
            }
        }
        axes.line(canvas, [(0.0, expected), (1.0, expected)], MIDDLE, HAIR)?;
        axes.corner(canvas)?;
        axes.ticks_left(canvas, true)?;
        axes.captions(canvas, captions)
    }

    fn draw_curve(&self, canvas: &mut Canvas<'_>, area: Rect, captions: Captions<'_>) -> Result<(), VizError> {
        let axes = Axes::new(area, (0.0, 1.0), CHECK.range("difference", widen(self.extent, 0.08))?)?;
        // At 0 all are 0, so there everything begins.
        let points = |values: &[f64]| -> Vec<(f64, f64)> {
            std::iter::once((0.0, 0.0)).chain(self.at.iter().copied().zip(values.iter().copied())).collect()
        };
        let mut ring: Vec<(f64, f64)> = points(&self.upper);
        ring.extend(points(&self.lower).into_iter().rev());
        let ring: Vec<(f64, f64)> = ring.into_iter().map(|(x, y)| axes.at(x, y)).collect();
        canvas.polygon(&ring, BAND)?;
        axes.line(canvas, [(0.0, 0.0), (1.0, 0.0)], MIDDLE, HAIR)?;
        axes.line(canvas, points(&self.difference), self.color(), 1.6)?;
        axes.corner(canvas)?;
        axes.ticks_below(canvas, true)?;
        axes.ticks_left(canvas, true)?;
        axes.captions(canvas, captions)
    }
}

impl Plot for CalibrationPlot {
    /// 170 pixels to a row.
    fn size(&self) -> (u32, u32) {
        (1000, u32::try_from(self.rows.len()).unwrap_or(u32::MAX).saturating_mul(170).saturating_add(30))
    }

    fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> Result<(), VizError> {
        if self.rows.is_empty() {
            return Err(VizError::Empty { plot: CHECK.0, what: "the list of parameters".into() });
        }
        // The last row alone names the axes, so it is higher by the names.
        let height = (area.height() - LABEL - 10.0) / self.rows.len() as f64;
        let split = area.left + 0.47 * area.width();
        for (index, row) in self.rows.iter().enumerate() {
            let last = index + 1 == self.rows.len();
            let top = area.top + height * index as f64;
            let (top, bottom) = (top + TITLE + 14.0, top + height - TICK - 12.0);
            let left = Rect { left: area.left + 56.0, top, right: split - 20.0, bottom };
            let right = Rect { left: split + 56.0, top, right: area.right - 18.0, bottom };
            let label = |text| if last { text } else { "" };
            row.draw_ranks(canvas, left, Captions { title: &row.name, x: label("rank of the truth"), y: "" })?;
            let most = self.draws.to_string();
            for (x, text, align) in [(left.left, "0", Align::Start), (left.right, most.as_str(), Align::End)] {
                canvas.text((x, bottom + 4.0 + TICK / 2.0 + 4.0), Text::new(text, TICK).align(align), Color::INK)?;
            }
            let x = label("share of the ranks' range");
            row.draw_curve(canvas, right, Captions { title: &row.name, x, y: "" })?;
        }
        Ok(())
    }
}
