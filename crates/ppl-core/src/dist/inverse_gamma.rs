//! The inverse-gamma law: `1/G` with G from a gamma law; the conjugate prior of a normal's variance.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::search::inverse_cdf;
use super::{Distribution, Entry, Form, KlDivergence, batch_of, check};
use crate::special::gamma_entropy;
use crate::special::gamma_kernel;
use crate::special::{Tails, gamma_tails};
use crate::support::Support;

/// Inverse-gamma distribution on the positive numbers, with a the concentration and b the rate:
/// `p(x) = b^a / Gamma(a) x^(-a - 1) exp(-b / x)`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent. The value 0 has no density here.
///
/// # Source
/// NumPyro `InverseGamma(concentration, rate)`, PyMC `InverseGamma(alpha, beta)`, Stan `inv_gamma(alpha, beta)`; the
/// rate is that of the gamma law, hence a scale of x.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::InverseGamma;
/// // e^(-1/x) / x^2.
/// let (log_prob, _) = value_and_grad(|x| InverseGamma::new(1.0, 1.0).log_prob(x), 1.0)?;
/// assert!((log_prob + 1.0).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct InverseGamma {
    concentration: Var,
    rate: Var,
}

impl InverseGamma {
    /// The inverse of a `Gamma(concentration, rate)` draw.
    #[track_caller]
    pub fn new(concentration: impl Into<Var>, rate: impl Into<Var>) -> Self {
        Self {
            concentration: check::positive("InverseGamma", "concentration", concentration),
            rate: check::positive("InverseGamma", "rate", rate),
        }
    }
}

impl InverseGamma {
    /// Both tails of the reciprocal's gamma law.
    fn tails(&self, value: Var) -> Tails {
        let positive = value.gt(0.0);
        // No value is where the reciprocal is infinite.
        gamma_tails(self.concentration, positive.select(self.rate / positive.select(value, 1.0), f64::INFINITY))
    }
}

impl Distribution for InverseGamma {
    fn name(&self) -> &'static str {
        "InverseGamma"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        batch_of("InverseGamma", &[self.concentration, self.rate])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(f64::INFINITY);
        let x = inside.select(value, 1.0);
        let ln = x.ln();
        let kernel = gamma_kernel(self.concentration, self.rate.ln() - ln, self.rate / x);
        inside.select(kernel - ln, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        (self.rate.ln() - Var::random(Law::LogGamma, batch, &[self.concentration])).exp()
    }
    /// Infinite where the concentration is not above 1.
    fn mean(&self) -> Option<Var> {
        let finite = self.concentration.gt(1.0);
        let a = finite.select(self.concentration, 2.0);
        Some(finite.select(self.rate / (a - 1.0), f64::INFINITY))
    }
    /// Infinite where the concentration is not above 2.
    fn variance(&self) -> Option<Var> {
        let finite = self.concentration.gt(2.0);
        let a = finite.select(self.concentration, 3.0);
        let variance = (self.rate / (a - 1.0)).square() / (a - 2.0);
        Some(finite.select(variance, f64::INFINITY))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).plain().1)
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(inverse_cdf(self, probability))
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().1)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().0)
    }
    fn entropy(&self) -> Option<Var> {
        Some(gamma_entropy(self.concentration) + self.rate.ln() - 2.0 * self.concentration.digamma())
    }
    /// Of the logarithm.
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.rate.ln(), Var::from(1.0)))
    }
}

impl KlDivergence for InverseGamma {
    fn kl_divergence(&self, q: &Self) -> Var {
        // That of the reciprocals.
        let (a, b) = (self.concentration, q.concentration);
        let shapes = (a - b) * a.digamma() - a.lgamma() + b.lgamma();
        shapes + b * (self.rate / q.rate).ln() + a * (q.rate - self.rate) / self.rate
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "InverseGamma",
    forms: &[Form {
        constructor: "new",
        arguments: &["concentration", "rate"],
        good: &[&[4.5, 2.0], &[9.0, 0.1], &[250.0, 300.0]],
        bad: &[&[0.0, 1.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
        build: |p| Box::new(InverseGamma::new(p[0], p[1])),
    }],
};
