//! Censoring: values beyond a limit are seen as the limit.

use ppl_autodiff::{Shape, Var};

use super::search::{batch_with, bounds, check_scalar, missing, narrower};
use super::{Distribution, Entry, Form, Poisson, check};
use crate::support::Support;

/// A law whose draws below `low` are seen as `low` and those above `high` as `high`: an instrument with a limited range,
/// a study that ends. The bounds have the mass of the tails, `P(X <= low)` and `P(X >= high)`; between them the density
/// is that of the base.
///
/// # Shapes
/// The bounds and the batch shape of the base broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that
/// shape. The base has scalar events.
///
/// # Errors
/// Bounds that are not finite or out of order: at once where they are numbers. A base with events that are not scalars, or
/// without distribution function: at once. It is a law of data: a latent site with it is an error, since the bounds have
/// masses of their own.
///
/// # Source
/// PyMC `Censored(dist, lower, upper)`, NumPyro `LeftCensoredDistribution`, `RightCensoredDistribution` (which take the
/// indicator apart); Stan: `normal_lccdf` for censored rows. Tobin (1958), Econometrica 26(1).
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::{Censored, Exponential};
/// // What is seen at 3 lasted at least so long: e^(-0.5 * 3).
/// let (log_prob, _) = value_and_grad(|x| Censored::right(Exponential::new(0.5), 3.0).log_prob(x), 3.0)?;
/// assert!((log_prob + 1.5).abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Censored<D> {
    base: D,
    low: Option<Var>,
    high: Option<Var>,
}

const NAME: &str = "Censored";

impl<D: Distribution> Censored<D> {
    /// Seen between `low` and `high`.
    #[track_caller]
    pub fn new(base: D, low: impl Into<Var>, high: impl Into<Var>) -> Self {
        let low = check::real(NAME, "low", low);
        let high = check::above(NAME, "high", low, high);
        Self::with(base, Some(low), Some(high))
    }

    /// Seen from `low` on.
    #[track_caller]
    pub fn left(base: D, low: impl Into<Var>) -> Self {
        Self::with(base, Some(check::real(NAME, "low", low)), None)
    }

    /// Seen up to `high`.
    #[track_caller]
    pub fn right(base: D, high: impl Into<Var>) -> Self {
        Self::with(base, None, Some(check::real(NAME, "high", high)))
    }

    #[track_caller]
    fn with(base: D, low: Option<Var>, high: Option<Var>) -> Self {
        check_scalar(NAME, &base);
        if base.log_mass(low, high).is_none() || bounds(&base.support()).is_none() {
            missing(NAME);
        }
        Self { base, low, high }
    }
}

impl<D: Distribution> Distribution for Censored<D> {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        let own = bounds(&self.base.support()).unwrap_or((None, None));
        let low = narrower(own.0, self.low, |a, b| a.max(b)).unwrap_or(Var::from(f64::NEG_INFINITY));
        let high = narrower(own.1, self.high, |a, b| a.min(b)).unwrap_or(Var::from(f64::INFINITY));
        match self.base.support().is_discrete() {
            true => Support::IntegerInterval { low, high },
            false => Support::Mixed { low, high },
        }
    }
    fn batch_shape(&self) -> Shape {
        batch_with(NAME, &self.base, &[self.low, self.high])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let zero = Var::from(0.0);
        let at_low = self.low.map_or(zero, |low| value.le(low));
        let at_high = self.high.map_or(zero, |high| value.ge(high));
        let (below, above) =
            (self.low.map(|l| self.base.log_mass(None, Some(l))), self.high.map(|h| self.base.log_mass(Some(h), None)));
        let tail = |mass: Option<Option<Var>>| mass.flatten().unwrap_or(Var::from(f64::NEG_INFINITY));
        let seen = at_low.select(tail(below), at_high.select(tail(above), self.base.log_prob(value)));
        inside.select(seen, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let x = self.base.draw(batch);
        let x = self.low.map_or(x, |low| x.max(low));
        self.high.map_or(x, |high| x.min(high))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let cdf = self.base.cdf(value)?;
        let cdf = self.low.map_or(cdf, |low| value.lt(low).select(0.0, cdf));
        Some(self.high.map_or(cdf, |high| value.ge(high).select(1.0, cdf)))
    }
}

/// What is known only to lie between two bounds: the density at any value is `P(low <= X <= high)`.
///
/// A bound may be infinite: rows that are censored on one side and rows that lie in an interval are one array. The value
/// is not read, so that `observe` may be given the midpoints.
///
/// # Shapes
/// As [`Censored`].
///
/// # Errors
/// Bounds that are not numbers: at once. A base without distribution function: at once.
///
/// # Source
/// NumPyro `IntervalCensoredDistribution`; survival analysis' "interval2" data.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::{IntervalCensored, Logistic};
/// // The logistic function at 1 less that at -1 is tanh(1/2).
/// let seen = |x| IntervalCensored::new(Logistic::new(0.0, 1.0), -1.0, 1.0).log_prob(x);
/// assert!((value_and_grad(seen, 0.0)?.0 - 0.5f64.tanh().ln()).abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct IntervalCensored<D> {
    base: D,
    low: Var,
    high: Var,
}

impl<D: Distribution> IntervalCensored<D> {
    /// Between `low` and `high`, which may be infinite.
    #[track_caller]
    pub fn new(base: D, low: impl Into<Var>, high: impl Into<Var>) -> Self {
        let owner = "IntervalCensored";
        check_scalar(owner, &base);
        let (low, high) = (check::number(owner, "low", low), check::number(owner, "high", high));
        if base.log_mass(Some(low), Some(high)).is_none() {
            missing(owner);
        }
        Self { base, low, high }
    }
}

impl<D: Distribution> Distribution for IntervalCensored<D> {
    fn name(&self) -> &'static str {
        "IntervalCensored"
    }
    fn support(&self) -> Support {
        self.base.support()
    }
    fn batch_shape(&self) -> Shape {
        batch_with(self.name(), &self.base, &[Some(self.low), Some(self.high)])
    }
    fn log_prob(&self, value: Var) -> Var {
        let (open_low, open_high) = (self.low.le(f64::NEG_INFINITY), self.high.ge(f64::INFINITY));
        let (low, high) = (open_low.select(-1.0, self.low), open_high.select(1.0, self.high));
        let closed = (1.0 - open_low) * (1.0 - open_high);
        let mass = |low: Option<Var>, high: Option<Var>| self.base.log_mass(low, high).unwrap_or(Var::from(0.0));
        let both = mass(Some(closed.select(low, -1.0)), Some(closed.select(high, 1.0)));
        let one = open_low.select(open_high.select(0.0, mass(None, Some(high))), mass(Some(low), None));
        let log_prob = closed.select(both, one);
        let shape = log_prob.shape().broadcast(&value.shape());
        shape.map_or(log_prob, |shape| log_prob.broadcast_to(shape))
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.base.draw(batch)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["rate", "low", "high"],
        good: &[&[3.0, 1.0, 5.0], &[12.0, 9.0, 20.0]],
        bad: &[&[1.0, 2.0, 1.0], &[1.0, f64::NAN, 3.0], &[1.0, 0.0, f64::INFINITY]],
        build: |p| Box::new(Censored::new(Poisson::new(p[0]), p[1], p[2])),
    }],
};
