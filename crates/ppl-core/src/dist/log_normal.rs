//! The log-normal law: `e^N` with N normal.

use std::f64::consts::FRAC_1_SQRT_2;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::special::deviance;
use crate::support::Support;

/// Log-normal distribution on the positive numbers:
/// `p(x) = exp(-(ln x - loc)^2 / (2 scale^2)) / (x scale sqrt(2 pi))`.
///
/// # Shapes
/// `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location that is not finite: at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// NumPyro `LogNormal(loc, scale)`, PyMC `LogNormal(mu, sigma)`, Stan `lognormal(mu, sigma)`: mean and standard
/// deviation of the logarithm.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::LogNormal;
/// let (log_prob, _) = value_and_grad(|x| LogNormal::new(0.0, 1.0).log_prob(x), 1.0)?;
/// assert!((log_prob - (-0.5 * (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogNormal {
    loc: Var,
    scale: Var,
}

impl LogNormal {
    /// The exponential of a normal draw with mean `loc` and standard deviation `scale`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        Self { loc: check::real("LogNormal", "loc", loc), scale: check::positive("LogNormal", "scale", scale) }
    }
}

impl Distribution for LogNormal {
    fn name(&self) -> &'static str {
        "LogNormal"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        batch_of("LogNormal", &[self.loc, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(f64::INFINITY);
        let ln = inside.select(value, 1.0).ln();
        let z = (ln - self.loc) / self.scale;
        let log_prob = -0.5 * z.square() - (self.scale.ln() + LN_SQRT_2PI) - ln;
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        (self.loc + self.scale * Var::random(Law::Normal, batch, &[])).exp()
    }
    fn mean(&self) -> Option<Var> {
        Some((self.loc + 0.5 * self.scale.square()).exp())
    }
    fn variance(&self) -> Option<Var> {
        let s = self.scale.square();
        Some(s.exp_m1() * (2.0 * self.loc + s).exp())
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(0.0);
        let z = (inside.select(value, 1.0).ln() - self.loc) / self.scale;
        Some(inside.select(0.5 * (z * -FRAC_1_SQRT_2).erfc(), 0.0))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some((self.loc + self.scale * probability.ndtri()).exp())
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(0.0);
        let z = (inside.select(value, 1.0).ln() - self.loc) / self.scale;
        Some(inside.select(z.log_ndtr(), f64::NEG_INFINITY))
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(0.0);
        let z = (inside.select(value, 1.0).ln() - self.loc) / self.scale;
        Some(inside.select((-z).log_ndtr(), 0.0))
    }
    fn entropy(&self) -> Option<Var> {
        Some(self.loc + self.scale.ln() + (LN_SQRT_2PI + 0.5))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

impl KlDivergence for LogNormal {
    fn kl_divergence(&self, q: &Self) -> Var {
        let ratio = (self.scale / q.scale).square();
        0.5 * (deviance(Var::from(1.0), ratio) + ((self.loc - q.loc) / q.scale).square())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "LogNormal",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale"],
        good: &[&[0.0, 0.5], &[-3.0, 0.2], &[2.0, 1.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(LogNormal::new(p[0], p[1])),
    }],
};
