//! The Rice law: the length of a normal vector in the plane around a point off the origin.

use std::f64::consts::FRAC_PI_2;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::ln_i0e;
use crate::support::Support;

/// Rice distribution on the positive numbers, with s the scale:
/// `p(x) = x / s^2 exp(-(x^2 + nu^2) / (2 s^2)) I0(x nu / s^2)`.
///
/// # Shapes
/// `nu`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a distance `nu` that is negative or not finite: at once where they are
/// numbers; as a point without density where they are latent. The value 0 has no density here.
///
/// # Source
/// PyMC `Rice(nu, sigma)`.
/// NumPyro and Stan have none.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Rice;
/// // Without a signal it is Rayleigh's law: x e^(-x^2 / 2).
/// let (log_prob, _) = value_and_grad(|x| Rice::new(0.0, 1.0).log_prob(x), 1.0)?;
/// assert!((log_prob + 0.5).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rice {
    nu: Var,
    scale: Var,
}

impl Rice {
    /// At the distance `nu` from the origin, with standard deviation `scale` in both directions.
    #[track_caller]
    pub fn new(nu: impl Into<Var>, scale: impl Into<Var>) -> Self {
        let nu = check::non_negative("Rice", "nu", nu);
        let scale = check::positive("Rice", "scale", scale);
        Self { nu, scale }
    }
}

impl Distribution for Rice {
    fn name(&self) -> &'static str {
        "Rice"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Rice", &[self.nu, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(f64::INFINITY);
        let (x, s) = (inside.select(value, 1.0), self.scale);
        let log_prob = (x / s.square()).ln() - 0.5 * ((x - self.nu) / s).square() + ln_i0e((x / s) * (self.nu / s));
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let [a, b] = [(); 2].map(|()| Var::random(Law::Normal, batch, &[]));
        let (x, y) = (self.nu + self.scale * a, self.scale * b);
        (x.square() + y.square()).sqrt()
    }
    fn mean(&self) -> Option<Var> {
        let k = (0.5 * self.nu / self.scale).square();
        let laguerre = (1.0 + 2.0 * k) * k.i0e() + 2.0 * k * k.i1e();
        Some(self.scale * FRAC_PI_2.sqrt() * laguerre)
    }
    fn variance(&self) -> Option<Var> {
        let mean = self.mean()?;
        Some(2.0 * self.scale.square() + self.nu.square() - mean.square())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Rice",
    forms: &[Form {
        constructor: "new",
        arguments: &["nu", "scale"],
        good: &[&[2.0, 1.0], &[0.3, 0.5], &[30.0, 2.0]],
        bad: &[&[-1.0, 1.0], &[1.0, 0.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
        build: |p| Box::new(Rice::new(p[0], p[1])),
    }],
};
