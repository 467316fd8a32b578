//! The gamma-Poisson law: a Poisson law whose rate has a gamma law.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::ln_choose_rising;
use crate::special::{Tails, beta_tails};
use crate::support::Support;

/// Gamma-Poisson distribution on {0, 1, 2, ..}: Poisson with a rate from `Gamma(a, b)`, with a the concentration and b
/// the rate, `P(k) = Gamma(k + a) / (Gamma(a) k!) (b / (1 + b))^a (1 + b)^-k`.
///
/// The same laws as [`NegativeBinomial`](super::NegativeBinomial), of mean `a / b`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent.
///
/// # Source
/// NumPyro `GammaPoisson(concentration, rate)`, Stan `neg_binomial(alpha, beta)`; PyMC has it as
/// `NegativeBinomial(mu=a/b, alpha=a)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::GammaPoisson;
/// // With concentration and rate 1 it is geometric: 2^-(k + 1).
/// let (log_prob, _) = value_and_grad(|a| GammaPoisson::new(a, 1.0).log_prob(2.0.into()), 1.0)?;
/// assert!((log_prob - (-3.0 * LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GammaPoisson {
    concentration: Var,
    rate: Var,
}

impl GammaPoisson {
    /// By concentration and rate of the gamma law.
    #[track_caller]
    pub fn new(concentration: impl Into<Var>, rate: impl Into<Var>) -> Self {
        Self {
            concentration: check::positive("GammaPoisson", "concentration", concentration),
            rate: check::positive("GammaPoisson", "rate", rate),
        }
    }
}

impl GammaPoisson {
    /// Both tails at a value.
    fn tails(&self, value: Var) -> Tails {
        // P(X <= k) = I_q(a, k + 1) with q = b / (1 + b).
        let b = self.rate;
        let some = value.ge(0.0);
        let k = some.select(value.floor(), 0.0);
        let (q, p) = (some.select(b / (1.0 + b), 0.0), some.select((1.0 + b).recip(), 1.0));
        beta_tails(self.concentration, k + 1.0, q, p)
    }
}

impl Distribution for GammaPoisson {
    fn name(&self) -> &'static str {
        "GammaPoisson"
    }
    fn support(&self) -> Support {
        Support::NonNegativeInteger
    }
    fn batch_shape(&self) -> Shape {
        batch_of("GammaPoisson", &[self.concentration, self.rate])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let k = inside.select(value, 0.0);
        let (a, b) = (self.concentration, self.rate);
        let log_prob = ln_choose_rising(k, a) - a * b.recip().ln_1p() - k * b.ln_1p();
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let rate = (Var::random(Law::LogGamma, batch, &[self.concentration]) - self.rate.ln()).exp();
        Var::random(Law::Poisson, batch, &[rate])
    }
    fn mean(&self) -> Option<Var> {
        Some(self.concentration / self.rate)
    }
    fn variance(&self) -> Option<Var> {
        Some(self.concentration / self.rate * (1.0 + self.rate.recip()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).plain().0)
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().0)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "GammaPoisson",
    forms: &[Form {
        constructor: "new",
        arguments: &["concentration", "rate"],
        good: &[&[2.0, 0.5], &[0.6, 0.2], &[40.0, 10.0]],
        bad: &[&[0.0, 1.0], &[1.0, -1.0], &[f64::NAN, 1.0]],
        build: |p| Box::new(GammaPoisson::new(p[0], p[1])),
    }],
};
