//! The Laplace law: an exponential draw with a random sign.

use std::f64::consts::LN_2;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, batch_of, check};
use crate::support::Support;

/// Laplace (double exponential) distribution: `p(x) = exp(-|x - loc| / scale) / (2 scale)` on the real numbers.
///
/// The derivative at `loc`, where there is a kink, counts as 0.
///
/// # Shapes
/// `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location that is not finite: at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// NumPyro `Laplace(loc, scale)`, PyMC `Laplace(mu, b)`, Stan `double_exponential(mu, sigma)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Laplace;
/// // e^-|x| / 2.
/// let (log_prob, _) = value_and_grad(|x| Laplace::new(0.0, 1.0).log_prob(x), 2.0)?;
/// assert!((log_prob - (-2.0 - LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Laplace {
    loc: Var,
    scale: Var,
}

impl Laplace {
    /// Around `loc`, with mean distance `scale`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        let loc = check::real("Laplace", "loc", loc);
        let scale = check::positive("Laplace", "scale", scale);
        Self { loc, scale }
    }
}

impl Distribution for Laplace {
    fn name(&self) -> &'static str {
        "Laplace"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Laplace", &[self.loc, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let z = (value - self.loc) / self.scale;
        -z.abs() - (2.0 * self.scale).ln()
    }
    fn draw(&self, batch: &Shape) -> Var {
        // The difference of two exponential draws.
        let [a, b] = [(); 2].map(|()| Var::random(Law::Exponential, batch, &[]));
        self.loc + self.scale * (a - b)
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc.broadcast_to(self.batch_shape()))
    }
    fn variance(&self) -> Option<Var> {
        Some((2.0 * self.scale.square()).broadcast_to(self.batch_shape()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        let left = z.lt(0.0);
        let half = 0.5 * left.select(z, -z).exp();
        Some(left.select(half, 1.0 - half))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let low = probability.lt(0.5);
        let tail = (2.0 * low.select(probability, 1.0 - probability)).ln();
        Some(self.loc + self.scale * low.select(tail, -tail))
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        let left = z.lt(0.0);
        let half = (-0.5 * left.select(z, -z).exp()).ln_1p();
        Some(left.select(z - LN_2, half))
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        let left = z.lt(0.0);
        let half = (-0.5 * left.select(z, -z).exp()).ln_1p();
        Some(left.select(half, -z - LN_2))
    }
    fn entropy(&self) -> Option<Var> {
        Some(((2.0 * self.scale).ln() + 1.0).broadcast_to(self.batch_shape()))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

impl KlDivergence for Laplace {
    fn kl_divergence(&self, q: &Self) -> Var {
        let distance = (self.loc - q.loc).abs();
        let ratio = self.scale / q.scale;
        distance / q.scale + ratio * (-distance / self.scale).exp() - 1.0 - ratio.ln()
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Laplace",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale"],
        good: &[&[0.0, 1.0], &[-3.0, 0.2], &[1e3, 40.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(Laplace::new(p[0], p[1])),
    }],
};
