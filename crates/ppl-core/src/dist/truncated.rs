//! Truncation: any law of numbers cut off below, above or on both sides.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::search::{batch_with, between, check_scalar, missing, quantile};
use super::{Distribution, Entry, Form, Gamma, Normal, Poisson, check};
use crate::support::Support;

/// A law given that its draws lie between bounds, both included: `p(x) / P(low <= X <= high)`.
///
/// The normalisation comes from the smaller tail, in logarithms, so that intervals far out in a tail keep their digits
/// where the base's `log_cdf` and `log_sf` do. [`TruncatedNormal`](super::TruncatedNormal) is the same for normal laws,
/// with narrow intervals too.
///
/// # Shapes
/// The bounds and the batch shape of the base broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that
/// shape. The base has scalar events.
///
/// # Errors
/// Bounds that are not finite or out of order: at once where they are numbers; as a point without density where they are
/// latent. A base with events that are not scalars, or without distribution function: at once.
///
/// # Source
/// PyMC `Truncated(dist, lower, upper)`, NumPyro `TruncatedDistribution(base, low, high)`; Stan `T[low, high]`.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::{Exponential, Truncated};
/// // An exponential law from 2 on is the same law moved by 2.
/// let difference = |x| Truncated::left(Exponential::new(1.5), 2.0).log_prob(x + 2.0) - Exponential::new(1.5).log_prob(x);
/// assert!(value_and_grad(difference, 0.7)?.0.abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Truncated<D> {
    base: D,
    low: Option<Var>,
    high: Option<Var>,
}

const NAME: &str = "Truncated";

impl<D: Distribution> Truncated<D> {
    /// Between `low` and `high`.
    #[track_caller]
    pub fn new(base: D, low: impl Into<Var>, high: impl Into<Var>) -> Self {
        let low = check::real(NAME, "low", low);
        let high = match base.support().is_discrete() {
            true => check::real(NAME, "high", high),
            false => check::above(NAME, "high", low, high),
        };
        Self::with(base, Some(low), Some(high))
    }

    /// From `low` on.
    #[track_caller]
    pub fn left(base: D, low: impl Into<Var>) -> Self {
        Self::with(base, Some(check::real(NAME, "low", low)), None)
    }

    /// Up to `high`.
    #[track_caller]
    pub fn right(base: D, high: impl Into<Var>) -> Self {
        Self::with(base, None, Some(check::real(NAME, "high", high)))
    }

    #[track_caller]
    fn with(base: D, low: Option<Var>, high: Option<Var>) -> Self {
        check_scalar(NAME, &base);
        if base.log_mass(low, high).is_none() || between(&base.support(), low, high).is_none() {
            missing(NAME);
        }
        Self { base, low, high }
    }

    /// A value of the support, for places where the argument has none.
    fn inner_point(&self) -> Var {
        let support = self.support();
        match (&support, support.transform()) {
            (Support::IntegerInterval { low, .. }, _) => *low,
            (_, Some(transform)) => transform.forward(Var::from(0.0)).detach(),
            _ => Var::from(0.0),
        }
    }
}

impl<D: Distribution> Distribution for Truncated<D> {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        between(&self.base.support(), self.low, self.high).unwrap_or(Support::Real)
    }
    fn batch_shape(&self) -> Shape {
        batch_with(NAME, &self.base, &[self.low, self.high])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let mass = self.base.log_mass(self.low, self.high).unwrap_or(Var::from(0.0));
        let possible = mass.gt(f64::NEG_INFINITY);
        // Where the value is outside, the base has no slope; nor may the mass have one.
        let mass = inside.select(possible.select(mass, 0.0), 0.0);
        let safe = inside.select(value, self.inner_point());
        (inside * possible).select(self.base.log_prob(safe) - mass, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let u = Var::random(Law::Uniform, batch, &[]);
        quantile(NAME, &self.base, self.low, self.high, u)
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let support = self.support();
        let (low, high) = super::search::bounds(&support)?;
        let below = low.map_or(Var::from(0.0), |low| value.lt(low));
        let above = high.map_or(Var::from(0.0), |high| value.ge(high));
        let inner = (below + above).select(low.or(high).unwrap_or(value), value);
        let share = self.base.log_mass(self.low, Some(inner))? - self.base.log_mass(self.low, self.high)?;
        Some(below.select(0.0, above.select(1.0, share.exp())))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let shape = probability.shape().broadcast(&self.batch_shape())?;
        Some(quantile(NAME, &self.base, self.low, self.high, probability.broadcast_to(shape)))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["concentration", "rate", "low", "high"],
            good: &[&[2.5, 1.5, 0.5, 4.0], &[0.3, 2.0, 3.0, 8.0]],
            bad: &[&[1.0, 1.0, 2.0, 1.0], &[1.0, 1.0, f64::NAN, 1.0], &[1.0, 1.0, 0.0, f64::INFINITY]],
            build: |p| Box::new(Truncated::new(Gamma::new(p[0], p[1]), p[2], p[3])),
        },
        Form {
            constructor: "left",
            arguments: &["loc", "scale", "low"],
            good: &[&[0.0, 1.0, -1.0], &[0.0, 2.0, 14.0]],
            bad: &[&[0.0, 1.0, f64::NEG_INFINITY]],
            build: |p| Box::new(Truncated::left(Normal::new(p[0], p[1]), p[2])),
        },
        Form {
            constructor: "right",
            arguments: &["rate", "high"],
            good: &[&[3.0, 5.0], &[12.0, 7.0]],
            bad: &[&[1.0, f64::INFINITY]],
            build: |p| Box::new(Truncated::right(Poisson::new(p[0]), p[1])),
        },
    ],
};
