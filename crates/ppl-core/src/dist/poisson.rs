//! The Poisson law: how often something rare happens.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, check};
use crate::special::LN_SQRT_2PI;
use crate::special::{Tails, gamma_tails};
use crate::special::{deviance, stirling_correction};
use crate::support::Support;

/// Counts from which on the terms of the plain formula are so large that the saddle point pays.
const MANY: f64 = 1e2;

/// Poisson distribution on {0, 1, 2, ..}: `P(k) = rate^k exp(-rate) / k!`, by the rate or its logarithm.
///
/// # Shapes
/// The parameter `[B..]`; a draw and a `log_prob` have shape `[B..]`; the event is a scalar.
///
/// # Errors
/// A rate that is negative or not finite, a log-rate that is not finite: at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// NumPyro `Poisson(rate)`, PyMC `Poisson(mu)`, Stan `poisson(lambda)`, `poisson_log(alpha)`. Saddle point: Loader
/// (2000).
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Poisson;
/// let (log_prob, _) = value_and_grad(|rate| Poisson::new(rate).log_prob(0.0.into()), 2.0)?;
/// assert!((log_prob + 2.0).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Poisson(Parameter);

#[derive(Clone, Copy, Debug)]
enum Parameter {
    Rate(Var),
    LogRate(Var),
}

impl Poisson {
    /// By the rate: the mean.
    #[track_caller]
    pub fn new(rate: impl Into<Var>) -> Self {
        Self(Parameter::Rate(check::non_negative("Poisson", "rate", rate)))
    }

    /// By the logarithm of the rate.
    #[track_caller]
    pub fn log_rate(log_rate: impl Into<Var>) -> Self {
        Self(Parameter::LogRate(check::real("Poisson", "log_rate", log_rate)))
    }

    fn rate(&self) -> Var {
        match self.0 {
            Parameter::Rate(rate) => rate,
            Parameter::LogRate(log_rate) => log_rate.exp(),
        }
    }
}

impl Poisson {
    /// Both tails of the waiting time for one more event.
    fn tails(&self, value: Var) -> Tails {
        // P(X <= k) = Q(k + 1, rate).
        gamma_tails(value.floor().max(-0.5) + 1.0, value.ge(0.0).select(self.rate(), f64::INFINITY))
    }
}

impl Distribution for Poisson {
    fn name(&self) -> &'static str {
        "Poisson"
    }
    fn support(&self) -> Support {
        Support::NonNegativeInteger
    }
    fn batch_shape(&self) -> Shape {
        let (Parameter::Rate(rate) | Parameter::LogRate(rate)) = self.0;
        rate.shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let k = inside.select(value, 0.0);
        let rate = self.rate();
        let plain = match self.0 {
            Parameter::Rate(rate) => k.xlogy(rate),
            Parameter::LogRate(log_rate) => k * log_rate,
        } - rate
            - (k + 1.0).lgamma();
        let many = k.ge(MANY);
        let saddle = {
            let (k, rate) = (many.select(k, MANY), many.select(rate, MANY));
            -0.5 * k.ln() - LN_SQRT_2PI - stirling_correction(k) - deviance(k, rate)
        };
        inside.select(many.select(saddle, plain), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        Var::random(Law::Poisson, batch, &[self.rate()])
    }
    fn mean(&self) -> Option<Var> {
        Some(self.rate())
    }
    fn variance(&self) -> Option<Var> {
        Some(self.rate())
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).plain().1)
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().1)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().0)
    }
}

impl KlDivergence for Poisson {
    fn kl_divergence(&self, q: &Self) -> Var {
        let (p, q) = (self.rate(), q.rate());
        let some = p.gt(0.0);
        some.select(deviance(some.select(p, 1.0), some.select(q, 1.0)), q)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Poisson",
    forms: &[
        Form {
            constructor: "new",
            arguments: &["rate"],
            good: &[&[0.3], &[4.5], &[1010.0]],
            bad: &[&[-1.0], &[f64::NAN], &[f64::INFINITY]],
            build: |p| Box::new(Poisson::new(p[0])),
        },
        Form {
            constructor: "log_rate",
            arguments: &["log_rate"],
            good: &[&[-2.0], &[3.0]],
            bad: &[&[f64::NAN], &[f64::INFINITY]],
            build: |p| Box::new(Poisson::log_rate(p[0])),
        },
    ],
};
