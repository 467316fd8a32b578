//! The Cauchy law: heavy tails, neither mean nor variance.

use std::f64::consts::PI;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::support::Support;

/// Cauchy distribution on the real numbers: `p(x) = 1 / (pi scale (1 + ((x - loc) / scale)^2))`.
///
/// # Shapes
/// `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location that is not finite: at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// NumPyro `Cauchy(loc, scale)`, PyMC `Cauchy(alpha, beta)`, Stan `cauchy(mu, sigma)`.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Cauchy;
/// // 1 / (pi (1 + 1)).
/// let (log_prob, _) = value_and_grad(|x| Cauchy::new(0.0, 1.0).log_prob(x), 1.0)?;
/// assert!((log_prob - (-(2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cauchy {
    loc: Var,
    scale: Var,
}

impl Cauchy {
    /// Median `loc`, half the interquartile range `scale`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        Self { loc: check::real("Cauchy", "loc", loc), scale: check::positive("Cauchy", "scale", scale) }
    }
}

impl Distribution for Cauchy {
    fn name(&self) -> &'static str {
        "Cauchy"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Cauchy", &[self.loc, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        -((value - self.loc) / self.scale).ln_1p_square() - (self.scale.ln() + PI.ln())
    }
    /// The quantile function `tan(pi (u - 1/2))` of a uniform number.
    fn draw(&self, batch: &Shape) -> Var {
        let angle = PI * (Var::random(Law::Uniform, batch, &[]) - 0.5);
        self.loc + self.scale * (angle.sin() / angle.cos())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let angle = PI * (probability - 0.5);
        Some(self.loc + self.scale * (angle.sin() / angle.cos()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        // Far out on the left the angle of the reciprocal: 1/2 less almost 1/2 would have no digits.
        let z = (value - self.loc) / self.scale;
        let far = z.lt(-1.0);
        let tail = (-far.select(z, -1.0).recip()).atan() / PI;
        Some(far.select(tail, 0.5 + far.select(0.0, z).atan() / PI))
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        self.cdf(2.0 * self.loc - value).map(Var::ln)
    }
    fn entropy(&self) -> Option<Var> {
        Some(((4.0 * PI).ln() + self.scale.ln()).broadcast_to(self.batch_shape()))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Cauchy",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale"],
        good: &[&[0.0, 1.0], &[-3.0, 0.2], &[1e3, 40.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(Cauchy::new(p[0], p[1])),
    }],
};
