//! The inverse Gaussian (Wald) law: the time at which a Brownian motion with drift reaches a level.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::search::inverse_cdf;
use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Inverse Gaussian distribution on the positive numbers, with m the mean and l the concentration:
/// `p(x) = sqrt(l / (2 pi x^3)) exp(-l (x - m)^2 / (2 m^2 x))`.
///
/// # Shapes
/// `mean`, `concentration` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent. The value 0 has no density here.
///
/// # Source
/// PyMC `Wald(mu, lam)`; Michael, Schucany and Haas (1976), The American Statistician
/// 30(2), for the draws.
/// NumPyro and Stan have none.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::InverseGaussian;
/// // At the mean only the constant is left.
/// let (log_prob, _) = value_and_grad(|x| InverseGaussian::new(1.0, 1.0).log_prob(x), 1.0)?;
/// assert!((log_prob - (-0.5 * (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct InverseGaussian {
    mean: Var,
    concentration: Var,
}

impl InverseGaussian {
    /// By the mean and the concentration; the variance is `mean^3 / concentration`.
    #[track_caller]
    pub fn new(mean: impl Into<Var>, concentration: impl Into<Var>) -> Self {
        let mean = check::positive("InverseGaussian", "mean", mean);
        let concentration = check::positive("InverseGaussian", "concentration", concentration);
        Self { mean, concentration }
    }
}

impl Distribution for InverseGaussian {
    fn name(&self) -> &'static str {
        "InverseGaussian"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        batch_of("InverseGaussian", &[self.mean, self.concentration])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(f64::INFINITY);
        let x = inside.select(value, 1.0);
        let (m, l) = (self.mean, self.concentration);
        let log_prob = 0.5 * l.ln() - 1.5 * x.ln() - LN_SQRT_2PI - 0.5 * l / x * ((x - m) / m).square();
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    /// A root of a quadratic equation with a chi-square number, or its mirror `mean^2 / x`.
    fn draw(&self, batch: &Shape) -> Var {
        let w = 0.5 * self.mean / self.concentration * Var::random(Law::Normal, batch, &[]).square();
        let ratio = (1.0 + w + (w * (w + 2.0)).sqrt()).recip();
        let first = (Var::random(Law::Uniform, batch, &[]) * (1.0 + ratio)).le(1.0);
        self.mean * first.select(ratio, ratio.recip())
    }
    fn mean(&self) -> Option<Var> {
        Some(self.mean.broadcast_to(self.batch_shape()))
    }
    fn variance(&self) -> Option<Var> {
        Some(self.mean.powi(3) / self.concentration)
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(0.0);
        let x = inside.select(value, 1.0);
        let (root, ratio) = ((self.concentration / x).sqrt(), x / self.mean);
        let first = (root * (ratio - 1.0)).log_ndtr().exp();
        let second = (2.0 * self.concentration / self.mean + (-root * (ratio + 1.0)).log_ndtr()).exp();
        Some(inside.select(first + second, 0.0))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(inverse_cdf(self, probability))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "InverseGaussian",
    forms: &[Form {
        constructor: "new",
        arguments: &["mean", "concentration"],
        good: &[&[1.5, 2.0], &[0.3, 9.0], &[20.0, 5.0]],
        bad: &[&[0.0, 1.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
        build: |p| Box::new(InverseGaussian::new(p[0], p[1])),
    }],
};
