//! The exponential law: waiting times without memory.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, check};
use crate::special::deviance;
use crate::support::Support;

/// Exponential distribution on `[0, inf)`: `p(x) = rate exp(-rate x)`.
///
/// # Shapes
/// `rate: [B..]`; a draw and a `log_prob` have shape `[B..]`; the event is a scalar.
///
/// # Errors
/// A rate (or a mean) that is not positive and finite: at once where it is a number; as a point without density where
/// it is latent.
///
/// # Source
/// NumPyro `Exponential(rate)`, PyMC `Exponential(lam | scale)`, Stan `exponential(beta)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Exponential;
/// // 2 e^(-2 x).
/// let (log_prob, _) = value_and_grad(|x| Exponential::new(2.0).log_prob(x), 1.5)?;
/// assert!((log_prob - (LN_2 - 3.0)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Exponential {
    rate: Var,
}

impl Exponential {
    /// By the rate: the inverse of the mean.
    #[track_caller]
    pub fn new(rate: impl Into<Var>) -> Self {
        Self { rate: check::positive("Exponential", "rate", rate) }
    }

    /// By the mean, which is also the standard deviation.
    #[track_caller]
    pub fn with_mean(mean: impl Into<Var>) -> Self {
        Self { rate: check::positive("Exponential", "mean", mean).recip() }
    }
}

impl Distribution for Exponential {
    fn name(&self) -> &'static str {
        "Exponential"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        self.rate.shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let log_prob = self.rate.ln() - self.rate * inside.select(value, 0.0);
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        Var::random(Law::Exponential, batch, &[]) / self.rate
    }
    fn mean(&self) -> Option<Var> {
        Some(self.rate.recip())
    }
    fn variance(&self) -> Option<Var> {
        Some(self.rate.square().recip())
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(-(-self.rate * value.max(0.0)).exp_m1())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(-(-probability).ln_1p() / self.rate)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(-self.rate * value.max(0.0))
    }
    fn entropy(&self) -> Option<Var> {
        Some(1.0 - self.rate.ln())
    }
    /// Of the logarithm.
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((-self.rate.ln(), Var::from(1.0)))
    }
}

impl KlDivergence for Exponential {
    fn kl_divergence(&self, q: &Self) -> Var {
        deviance(Var::from(1.0), q.rate / self.rate)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Exponential",
    forms: &[
        Form {
            constructor: "new",
            arguments: &["rate"],
            good: &[&[0.3], &[1.0], &[40.0]],
            bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
            build: |p| Box::new(Exponential::new(p[0])),
        },
        Form {
            constructor: "with_mean",
            arguments: &["mean"],
            good: &[&[2.5]],
            bad: &[&[0.0], &[f64::NAN]],
            build: |p| Box::new(Exponential::with_mean(p[0])),
        },
    ],
};
