//! The Weibull law: times to failure whose hazard is a power of time.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::EULER;
use crate::support::Support;

/// Weibull distribution on the positive numbers, with l the scale and k the concentration:
/// `p(x) = k / l (x / l)^(k - 1) exp(-(x / l)^k)`.
///
/// # Shapes
/// `scale`, `concentration` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent. The value 0 has no density here.
///
/// # Source
/// NumPyro `Weibull(scale, concentration)`; PyMC `Weibull(alpha, beta)` and Stan `weibull(alpha, sigma)` have the
/// concentration first.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Weibull;
/// // With concentration 1 it is exponential.
/// let (log_prob, _) = value_and_grad(|x| Weibull::new(1.0, 1.0).log_prob(x), 2.0)?;
/// assert!((log_prob + 2.0).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Weibull {
    scale: Var,
    concentration: Var,
}

impl Weibull {
    /// By scale (the quantile of `1 - 1/e`) and concentration (shape).
    #[track_caller]
    pub fn new(scale: impl Into<Var>, concentration: impl Into<Var>) -> Self {
        let scale = check::positive("Weibull", "scale", scale);
        let concentration = check::positive("Weibull", "concentration", concentration);
        Self { scale, concentration }
    }
}

impl Distribution for Weibull {
    fn name(&self) -> &'static str {
        "Weibull"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Weibull", &[self.scale, self.concentration])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(f64::INFINITY);
        let (l, k) = (self.scale, self.concentration);
        let ln = (inside.select(value, l) / l).ln();
        let log_prob = (k / l).ln() + (k - 1.0) * ln - (k * ln).exp();
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.scale * (Var::random(Law::Exponential, batch, &[]).ln() / self.concentration).exp()
    }
    fn mean(&self) -> Option<Var> {
        Some(self.scale * (1.0 + self.concentration.recip()).lgamma().exp())
    }
    fn variance(&self) -> Option<Var> {
        let first = (1.0 + self.concentration.recip()).lgamma();
        let second = (1.0 + 2.0 / self.concentration).lgamma();
        Some(self.scale.square() * (2.0 * first).exp() * (second - 2.0 * first).exp_m1())
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(0.0);
        let ln = (inside.select(value, self.scale) / self.scale).ln();
        Some(inside.select(-(-(self.concentration * ln).exp()).exp_m1(), 0.0))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let hazard = -(-probability).ln_1p();
        Some(self.scale * (hazard.ln() / self.concentration).exp())
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(0.0);
        let ln = (inside.select(value, self.scale) / self.scale).ln();
        Some(inside.select(-(self.concentration * ln).exp(), 0.0))
    }
    fn entropy(&self) -> Option<Var> {
        Some(EULER * (1.0 - self.concentration.recip()) + (self.scale / self.concentration).ln() + 1.0)
    }
    /// Of the logarithm.
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.scale.ln(), 1.0 / self.concentration))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Weibull",
    forms: &[Form {
        constructor: "new",
        arguments: &["scale", "concentration"],
        good: &[&[1.5, 0.8], &[2.0, 8.0], &[30.0, 1.0]],
        bad: &[&[0.0, 1.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
        build: |p| Box::new(Weibull::new(p[0], p[1])),
    }],
};
