//! The half-normal law: `|Z| * scale` with Z standard normal.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI};

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, check};
use crate::special::LN_SQRT_2PI;
use crate::special::deviance;
use crate::support::Support;

/// Half-normal distribution on `[0, inf)`: `p(x) = sqrt(2/pi) / scale * exp(-x^2 / (2 scale^2))`.
///
/// # Shapes
/// `scale: [B..]`; a draw and a `log_prob` have shape `[B..]`; the event is a scalar.
///
/// # Errors
/// A scale that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent.
///
/// # Source
/// NumPyro and PyMC `HalfNormal(scale)`; Stan: `normal(0, scale)` with a lower bound of 0. Leone, Nelson and
/// Nottingham (1961), Technometrics 3(4), with mean 0.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::HalfNormal;
/// // sqrt(2 / pi) at 0.
/// let (log_prob, _) = value_and_grad(|x| HalfNormal::new(1.0).log_prob(x), 0.0)?;
/// assert!((log_prob - (0.5 * (2.0 / PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HalfNormal {
    scale: Var,
}

impl HalfNormal {
    /// The absolute value of a normal draw with mean 0 and standard deviation `scale`.
    #[track_caller]
    pub fn new(scale: impl Into<Var>) -> Self {
        Self { scale: check::positive("HalfNormal", "scale", scale) }
    }
}

impl Distribution for HalfNormal {
    fn name(&self) -> &'static str {
        "HalfNormal"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        self.scale.shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let z = inside.select(value, 0.0) / self.scale;
        let log_prob = -0.5 * z.square() - (self.scale.ln() + (LN_SQRT_2PI - LN_2));
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.scale * Var::random(Law::Normal, batch, &[]).abs()
    }
    fn mean(&self) -> Option<Var> {
        Some(self.scale * (2.0 / PI).sqrt())
    }
    fn variance(&self) -> Option<Var> {
        Some(self.scale.square() * (1.0 - 2.0 / PI))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some((value.max(0.0) / self.scale * FRAC_1_SQRT_2).erf())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(-self.scale * (0.5 * (1.0 - probability)).ndtri())
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some((-value.max(0.0) / self.scale).log_ndtr() + LN_2)
    }
    fn entropy(&self) -> Option<Var> {
        Some(self.scale.ln() + (LN_SQRT_2PI + 0.5 - LN_2))
    }
    /// Of the logarithm.
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.scale.ln(), Var::from(1.0)))
    }
}

impl KlDivergence for HalfNormal {
    fn kl_divergence(&self, q: &Self) -> Var {
        0.5 * deviance(Var::from(1.0), (self.scale / q.scale).square())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "HalfNormal",
    forms: &[Form {
        constructor: "new",
        arguments: &["scale"],
        good: &[&[0.3], &[1.0], &[40.0]],
        bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
        build: |p| Box::new(HalfNormal::new(p[0])),
    }],
};
