//! The half-Cauchy law: the absolute value of a Cauchy draw around 0.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, TAU};

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, check};
use crate::support::Support;

/// Half-Cauchy distribution on `[0, inf)`: `p(x) = 2 / (pi scale (1 + (x / scale)^2))`.
///
/// # Shapes
/// `scale: [B..]`; a draw and a `log_prob` have shape `[B..]`; the event is a scalar.
///
/// # Errors
/// A scale that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent.
///
/// # Source
/// NumPyro `HalfCauchy(scale)`, PyMC `HalfCauchy(beta)`; Stan: `cauchy(0, sigma)` with a lower bound of 0. As a prior
/// of scales: Gelman (2006), Bayesian Analysis 1(3).
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::HalfCauchy;
/// // 2 / (pi (1 + 1)).
/// let (log_prob, _) = value_and_grad(|x| HalfCauchy::new(1.0).log_prob(x), 1.0)?;
/// assert!((log_prob - (-PI.ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HalfCauchy {
    scale: Var,
}

impl HalfCauchy {
    /// Median `scale`.
    #[track_caller]
    pub fn new(scale: impl Into<Var>) -> Self {
        Self { scale: check::positive("HalfCauchy", "scale", scale) }
    }
}

impl Distribution for HalfCauchy {
    fn name(&self) -> &'static str {
        "HalfCauchy"
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
        let log_prob = -z.ln_1p_square() - (self.scale.ln() - FRAC_2_PI.ln());
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    /// The quantile function `tan(pi u / 2)` of a uniform number.
    fn draw(&self, batch: &Shape) -> Var {
        let angle = FRAC_PI_2 * Var::random(Law::Uniform, batch, &[]);
        self.scale * (angle.sin() / angle.cos())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let angle = FRAC_PI_2 * probability;
        Some(self.scale * (angle.sin() / angle.cos()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(FRAC_2_PI * (value.max(0.0) / self.scale).atan())
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        let z = value.max(0.0) / self.scale;
        let far = z.gt(1.0);
        let tail = (FRAC_2_PI * far.select(z, 1.0).recip().atan()).ln();
        Some(far.select(tail, (-FRAC_2_PI * far.select(0.0, z).atan()).ln_1p()))
    }
    fn entropy(&self) -> Option<Var> {
        Some(TAU.ln() + self.scale.ln())
    }
    /// Of the logarithm.
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.scale.ln(), Var::from(1.0)))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "HalfCauchy",
    forms: &[Form {
        constructor: "new",
        arguments: &["scale"],
        good: &[&[0.3], &[1.0], &[40.0]],
        bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
        build: |p| Box::new(HalfCauchy::new(p[0])),
    }],
};
