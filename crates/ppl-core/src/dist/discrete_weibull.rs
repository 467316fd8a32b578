//! The discrete Weibull law: whole numbers of steps until something fails.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::support::Support;

/// Discrete Weibull distribution on {0, 1, 2, ..}, with q the probability of surviving the first step and b the
/// concentration: `P(X >= k) = q^(k^b)`.
///
/// Failure becomes more likely with time for b > 1 and less for b < 1; at b = 1 it is the geometric law of 1 - q.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A probability that is not strictly between 0 and 1, a concentration that is not positive and finite: at once where they
/// are numbers; as a point without density where they are latent.
///
/// # Source
/// PyMC `DiscreteWeibull(q, beta)`; NumPyro and Stan have none. Nakagawa and Osaki (1975), IEEE Trans. Reliability 24(5).
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::DiscreteWeibull;
/// // P(0) = 1 - q.
/// let (log_prob, _) = value_and_grad(|q| DiscreteWeibull::new(q, 3.0).log_prob(0.0.into()), 0.75)?;
/// assert!((log_prob - 0.25f64.ln()).abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DiscreteWeibull {
    survival: Var,
    concentration: Var,
}

const NAME: &str = "DiscreteWeibull";

impl DiscreteWeibull {
    /// By the probability of more than 0 and the concentration.
    #[track_caller]
    pub fn new(survival: impl Into<Var>, concentration: impl Into<Var>) -> Self {
        Self {
            survival: check::open_unit(NAME, "survival", survival),
            concentration: check::positive(NAME, "concentration", concentration),
        }
    }

    /// `k^b`, without a slope by b at 0.
    fn power(&self, k: Var) -> Var {
        let some = k.gt(0.0);
        some.select((self.concentration * some.select(k, 1.0).ln()).exp(), 0.0)
    }

    /// The smallest k with `P(X > k) <= e^-hazard`.
    fn at_hazard(&self, hazard: Var) -> Var {
        let steps = ((hazard / -self.survival.ln()).ln() / self.concentration).exp();
        (-(-steps).floor() - 1.0).max(0.0)
    }
}

impl Distribution for DiscreteWeibull {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::NonNegativeInteger
    }
    fn batch_shape(&self) -> Shape {
        batch_of(NAME, &[self.survival, self.concentration])
    }
    /// `ln(q^(k^b) - q^((k+1)^b))`, the difference of the powers by `k^b ((1 + 1/k)^b - 1)`.
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let k = inside.select(value, 0.0);
        let some = k.gt(0.0);
        let (power, ln_q) = (self.power(k), self.survival.ln());
        let growth = (self.concentration * some.select(k, 1.0).recip().ln_1p()).exp_m1();
        let step = some.select(power * growth, 1.0);
        inside.select(power * ln_q + (-step * ln_q).log1mexp(), f64::NEG_INFINITY)
    }
    /// An exponential draw is the hazard that is survived.
    fn draw(&self, batch: &Shape) -> Var {
        let hazard = Var::random(Law::Exponential, batch, &[]);
        ((hazard / -self.survival.ln()).ln() / self.concentration).exp().floor()
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let steps = value.floor().max(-1.0) + 1.0;
        Some(-(self.power(steps) * self.survival.ln()).exp_m1())
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(self.power(value.floor().max(-1.0) + 1.0) * self.survival.ln())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.at_hazard(-(-probability).ln_1p()))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["survival", "concentration"],
        good: &[&[0.8, 0.9], &[0.99, 2.0], &[0.3, 1.0]],
        bad: &[&[0.0, 1.0], &[1.0, 1.0], &[0.5, 0.0], &[f64::NAN, 1.0]],
        build: |p| Box::new(DiscreteWeibull::new(p[0], p[1])),
    }],
};
