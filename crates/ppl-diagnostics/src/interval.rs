//! Quantiles and credible intervals.

use ndarray::ArrayView2;
use std::fmt;

/// A probability outside `[0, 1]` was asked for as the content of an interval.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("an interval contains a probability between 0 and 1, not {0}")]
pub struct ProbabilityError(pub f64);

/// Which of the many intervals of a given probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalKind {
    /// The quantiles at `(1 - p)/2` and `(1 + p)/2`.
    EqualTailed,
    /// The shortest interval that contains the probability.
    HighestDensity,
}

/// An interval to report: which, and of which probability.
///
/// The default is equal-tailed with probability 0.94. Equal tails: the ends are quantiles, so they go along with any
/// monotone change of scale, have a standard error ([`mcse_quantile`](crate::mcse_quantile)), and are what
/// [`ess_tail`](crate::ess_tail) vouches for; the shortest interval has none of this and is noisier. The probability is
/// ArviZ's, odd enough to remind that no probability is special.
///
/// ```
/// use ppl_diagnostics::Interval;
/// assert_eq!(Interval::default(), Interval::equal_tailed(0.94)?);
/// assert_eq!(Interval::equal_tailed(0.9)?.to_string(), "90% equal-tailed");
/// assert!(Interval::highest_density(90.0).is_err());
/// # Ok::<(), ppl_diagnostics::ProbabilityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    kind: IntervalKind,
    prob: f64,
}

impl Interval {
    /// Between the quantiles at `(1 - prob)/2` and `(1 + prob)/2`.
    ///
    /// # Errors
    /// A probability outside `[0, 1]`.
    pub fn equal_tailed(prob: f64) -> Result<Self, ProbabilityError> {
        Self::new(IntervalKind::EqualTailed, prob)
    }

    /// The shortest interval that contains probability `prob`.
    ///
    /// # Errors
    /// A probability outside `[0, 1]`.
    pub fn highest_density(prob: f64) -> Result<Self, ProbabilityError> {
        Self::new(IntervalKind::HighestDensity, prob)
    }

    /// The interval of the given kind and probability.
    ///
    /// # Errors
    /// A probability outside `[0, 1]`.
    pub fn new(kind: IntervalKind, prob: f64) -> Result<Self, ProbabilityError> {
        if (0.0..=1.0).contains(&prob) { Ok(Self { kind, prob }) } else { Err(ProbabilityError(prob)) }
    }

    /// Equal-tailed or of highest density.
    pub fn kind(&self) -> IntervalKind {
        self.kind
    }

    /// The probability inside.
    pub fn prob(&self) -> f64 {
        self.prob
    }

    /// Both ends, for values in ascending order.
    pub(crate) fn of_sorted(&self, sorted: &[f64]) -> (f64, f64) {
        match self.kind {
            IntervalKind::EqualTailed => {
                let outside = 0.5 * (1.0 - self.prob);
                (quantile_of_sorted(sorted, outside), quantile_of_sorted(sorted, 1.0 - outside))
            }
            IntervalKind::HighestDensity => shortest(sorted, self.prob),
        }
    }
}

impl Default for Interval {
    fn default() -> Self {
        Self { kind: IntervalKind::EqualTailed, prob: 0.94 }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            IntervalKind::EqualTailed => "equal-tailed",
            IntervalKind::HighestDensity => "highest-density",
        };
        write!(f, "{} {kind}", percent(self.prob))
    }
}

/// A probability in percent with at most one decimal.
pub(crate) fn percent(prob: f64) -> String {
    format!("{}%", (prob * 1000.0).round() / 10.0)
}

/// Highest-density interval of probability `prob`: the shortest `[x_(i), x_(i + k)]` of the sorted draws of all chains with
/// `k = floor(prob S)`; of equally short ones the lowest. Meant for one mode: around two it takes in the gap.
///
/// ```
/// let x = ndarray::array![[0.0, 1.0, 1.1, 1.2, 1.3, 4.0]];
/// assert_eq!(ppl_diagnostics::hdi(x.view(), 0.5), (1.0, 1.3));
/// ```
pub fn hdi(x: ArrayView2<f64>, prob: f64) -> (f64, f64) {
    interval(IntervalKind::HighestDensity, x, prob)
}

/// Equal-tailed interval of probability `prob`: the quantiles at `(1 - prob)/2` and `(1 + prob)/2`.
///
/// ```
/// let x = ndarray::array![[4.0, 0.0, 2.0, 1.0, 3.0]];
/// assert_eq!(ppl_diagnostics::eti(x.view(), 0.5), (1.0, 3.0));
/// ```
pub fn eti(x: ArrayView2<f64>, prob: f64) -> (f64, f64) {
    interval(IntervalKind::EqualTailed, x, prob)
}

fn interval(kind: IntervalKind, x: ArrayView2<f64>, prob: f64) -> (f64, f64) {
    Interval::new(kind, prob).map_or((f64::NAN, f64::NAN), |interval| interval.of_sorted(&sorted(x)))
}

/// The quantile at `prob` of the draws of all chains, with linear interpolation between order statistics (type 7 of
/// Hyndman and Fan 1996, the default of R and NumPy).
///
/// ```
/// let x = ndarray::array![[4.0, 1.0], [3.0, 2.0]];
/// assert_eq!(ppl_diagnostics::quantile(x.view(), 0.5), 2.5);
/// ```
pub fn quantile(x: ArrayView2<f64>, prob: f64) -> f64 {
    quantile_of_sorted(&sorted(x), prob)
}

/// The median of the draws of all chains.
///
/// ```
/// let x = ndarray::array![[4.0, 1.0], [3.0, 20.0]];
/// assert_eq!(ppl_diagnostics::median(x.view()), 3.5);
/// ```
pub fn median(x: ArrayView2<f64>) -> f64 {
    median_of_sorted(&sorted(x))
}

/// All draws in ascending order; empty if one of them is not finite.
pub(crate) fn sorted(x: ArrayView2<f64>) -> Vec<f64> {
    let values: Vec<f64> = x.iter().copied().collect();
    if values.iter().all(|v| v.is_finite()) { sorted_slice(&values) } else { Vec::new() }
}

/// The values in ascending order.
pub(crate) fn sorted_slice(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// [`quantile`] of values in ascending order; NaN if there are none or if `prob` lies outside `[0, 1]`.
pub(crate) fn quantile_of_sorted(sorted: &[f64], prob: f64) -> f64 {
    if sorted.is_empty() || !(0.0..=1.0).contains(&prob) {
        return f64::NAN;
    }
    let position = prob * (sorted.len() - 1) as f64;
    // 0.95 * 20 may miss 19 by an ulp, which would leave that draw on the wrong side of an indicator.
    let near = position.round();
    if (position - near).abs() <= 4.0 * f64::EPSILON * near {
        return sorted[near as usize];
    }
    let (low, high) = (sorted[position as usize], sorted[position as usize + 1]);
    low + position.fract() * (high - low)
}

/// The middle value, or the mean of the middle two, written so that it changes its sign with the values.
pub(crate) fn median_of_sorted(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if !odd.is_multiple_of(2) => sorted[half],
        _ => 0.5 * (sorted[half - 1] + sorted[half]),
    }
}

/// The shortest interval between order statistics that lie `floor(prob S)` apart.
fn shortest(sorted: &[f64], prob: f64) -> (f64, f64) {
    let Some(last) = sorted.len().checked_sub(1) else {
        return (f64::NAN, f64::NAN);
    };
    let apart = ((prob * sorted.len() as f64) as usize).min(last);
    let mut best = (sorted[0], sorted[apart]);
    for (&low, &high) in sorted.iter().zip(&sorted[apart..]) {
        if high - low < best.1 - best.0 {
            best = (low, high);
        }
    }
    best
}
