//! The gamma law: waiting times until the n-th event, and the usual prior of rates and precisions.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::search::inverse_cdf;
use super::{Distribution, Entry, Form, KlDivergence, batch_of, check};
use crate::special::gamma_entropy;
use crate::special::gamma_kernel;
use crate::special::{Tails, gamma_tails};
use crate::support::Support;

/// Gamma distribution on the positive numbers, with a the concentration and b the rate:
/// `p(x) = b^a / Gamma(a) x^(a - 1) exp(-b x)`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent. The value 0 has no density here.
///
/// # Source
/// NumPyro `Gamma(concentration, rate)`, PyMC `Gamma(alpha, beta | mu, sigma)`, Stan `gamma(alpha, beta)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Gamma;
/// // With concentration 1 it is exponential: 2 e^(-2 x).
/// let (log_prob, _) = value_and_grad(|x| Gamma::new(1.0, 2.0).log_prob(x), 1.5)?;
/// assert!((log_prob - (LN_2 - 3.0)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gamma {
    concentration: Var,
    rate: Var,
}

impl Gamma {
    /// By concentration (shape) and rate (inverse scale).
    #[track_caller]
    pub fn new(concentration: impl Into<Var>, rate: impl Into<Var>) -> Self {
        Self {
            concentration: check::positive("Gamma", "concentration", concentration),
            rate: check::positive("Gamma", "rate", rate),
        }
    }

    /// By mean and standard deviation.
    #[track_caller]
    pub fn mean_sd(mean: impl Into<Var>, sd: impl Into<Var>) -> Self {
        let mean = check::positive("Gamma", "mean", mean);
        let sd = check::positive("Gamma", "sd", sd);
        Self { concentration: (mean / sd).square(), rate: mean / sd.square() }
    }
}

impl Gamma {
    /// Both tails at a value.
    fn tails(&self, value: Var) -> Tails {
        gamma_tails(self.concentration, self.rate * value)
    }
}

impl Distribution for Gamma {
    fn name(&self) -> &'static str {
        "Gamma"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Gamma", &[self.concentration, self.rate])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(f64::INFINITY);
        let x = inside.select(value, 1.0);
        let ln = x.ln();
        let kernel = gamma_kernel(self.concentration, self.rate.ln() + ln, self.rate * x);
        inside.select(kernel - ln, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        (Var::random(Law::LogGamma, batch, &[self.concentration]) - self.rate.ln()).exp()
    }
    fn mean(&self) -> Option<Var> {
        Some(self.concentration / self.rate)
    }
    fn variance(&self) -> Option<Var> {
        Some(self.concentration / self.rate.square())
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).plain().0)
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(inverse_cdf(self, probability))
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().0)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().1)
    }
    fn entropy(&self) -> Option<Var> {
        Some(gamma_entropy(self.concentration) - self.rate.ln())
    }
    /// Of the logarithm.
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((-self.rate.ln(), Var::from(1.0)))
    }
}

impl KlDivergence for Gamma {
    fn kl_divergence(&self, q: &Self) -> Var {
        let (a, b) = (self.concentration, q.concentration);
        let shapes = (a - b) * a.digamma() - a.lgamma() + b.lgamma();
        shapes + b * (self.rate / q.rate).ln() + a * (q.rate - self.rate) / self.rate
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Gamma",
    forms: &[
        Form {
            constructor: "new",
            arguments: &["concentration", "rate"],
            good: &[&[0.6, 2.0], &[1.0, 1.0], &[7.5, 0.1], &[250.0, 3.0]],
            bad: &[&[0.0, 1.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
            build: |p| Box::new(Gamma::new(p[0], p[1])),
        },
        Form {
            constructor: "mean_sd",
            arguments: &["mean", "sd"],
            good: &[&[3.0, 1.5]],
            bad: &[&[-3.0, 1.5], &[3.0, 0.0]],
            build: |p| Box::new(Gamma::mean_sd(p[0], p[1])),
        },
    ],
};
