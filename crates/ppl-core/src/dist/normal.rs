//! The normal law.

use std::f64::consts::FRAC_1_SQRT_2;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::special::NormalInterval;
use crate::special::deviance;
use crate::support::Support;

/// Normal distribution: `p(x) = exp(-(x - loc)^2 / (2 scale^2)) / (scale sqrt(2 pi))` on the real numbers.
///
/// # Shapes
/// `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location that is not finite: at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// NumPyro `Normal(loc, scale)`, PyMC `Normal(mu, sigma)`, Stan `normal(mu, sigma)`.
///
/// ```
/// use ppl_autodiff::trace;
/// use ppl_core::dist::{Distribution, Normal};
/// let (shape, _) = trace(|| Normal::new([0.0, 1.0], 2.0).batch_shape())?;
/// assert_eq!(shape, [2].into());
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Normal {
    loc: Var,
    scale: Var,
}

impl Normal {
    /// Mean `loc`, standard deviation `scale`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        Self { loc: check::real("Normal", "loc", loc), scale: check::positive("Normal", "scale", scale) }
    }
}

impl Distribution for Normal {
    fn name(&self) -> &'static str {
        "Normal"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Normal", &[self.loc, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let z = (value - self.loc) / self.scale;
        -0.5 * z.square() - (self.scale.ln() + LN_SQRT_2PI)
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.loc + self.scale * Var::random(Law::Normal, batch, &[])
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc.broadcast_to(self.batch_shape()))
    }
    fn variance(&self) -> Option<Var> {
        Some(self.scale.square().broadcast_to(self.batch_shape()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some(0.5 * (z * -FRAC_1_SQRT_2).erfc())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.loc + self.scale * probability.ndtri())
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some(z.log_ndtr())
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some((-z).log_ndtr())
    }
    /// Between neighbours too.
    fn log_mass(&self, low: Option<Var>, high: Option<Var>) -> Option<Var> {
        let standard = |x: Var| (x - self.loc) / self.scale;
        Some(match (low.map(standard), high.map(standard)) {
            (None, None) => Var::from(0.0),
            (None, Some(b)) => b.log_ndtr(),
            (Some(a), None) => (-a).log_ndtr(),
            (Some(a), Some(b)) => {
                let some = b.gt(a);
                let interval = NormalInterval::new(some.select(a, -1.0), some.select(b, 1.0));
                some.select(interval.log_mass(), f64::NEG_INFINITY)
            }
        })
    }
    fn entropy(&self) -> Option<Var> {
        Some((self.scale.ln() + (LN_SQRT_2PI + 0.5)).broadcast_to(self.batch_shape()))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

impl KlDivergence for Normal {
    fn kl_divergence(&self, q: &Self) -> Var {
        let ratio = (self.scale / q.scale).square();
        0.5 * (deviance(Var::from(1.0), ratio) + ((self.loc - q.loc) / q.scale).square())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Normal",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale"],
        good: &[&[0.0, 1.0], &[-3.0, 0.2], &[1e3, 40.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(Normal::new(p[0], p[1])),
    }],
};
