//! The asymmetric Laplace law: exponential tails of different lengths on either side.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::support::Support;

/// Asymmetric Laplace distribution on the real numbers, with `z = (x - loc) / scale` and k the asymmetry:
/// `p(x) = exp(-k z) / (scale (k + 1/k))` for z >= 0, `exp(z / k) / (scale (k + 1/k))` for z < 0.
///
/// # Shapes
/// `loc`, `scale`, `asymmetry` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale or asymmetry that is not positive and finite, a location that is not finite: at once where they are numbers;
/// as a point without density where they are latent.
///
/// # Source
/// NumPyro `AsymmetricLaplace(loc, scale, asymmetry)`; PyMC `AsymmetricLaplace(kappa, mu, b)` with `b = 1 / scale`.
/// Stan `skew_double_exponential(mu, sigma, tau)` has the ratio of the sides as a probability tau.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::AsymmetricLaplace;
/// // With asymmetry 1 it is the Laplace law: e^-|x| / 2.
/// let (log_prob, _) = value_and_grad(|x| AsymmetricLaplace::new(0.0, 1.0, 1.0).log_prob(x), 2.0)?;
/// assert!((log_prob - (-2.0 - LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AsymmetricLaplace {
    loc: Var,
    scale: Var,
    asymmetry: Var,
}

impl AsymmetricLaplace {
    /// The mode is `loc`; the right tail is shorter than the left one where `asymmetry` is above 1.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>, asymmetry: impl Into<Var>) -> Self {
        let loc = check::real("AsymmetricLaplace", "loc", loc);
        let scale = check::positive("AsymmetricLaplace", "scale", scale);
        let asymmetry = check::positive("AsymmetricLaplace", "asymmetry", asymmetry);
        Self { loc, scale, asymmetry }
    }
}

impl Distribution for AsymmetricLaplace {
    fn name(&self) -> &'static str {
        "AsymmetricLaplace"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("AsymmetricLaplace", &[self.loc, self.scale, self.asymmetry])
    }
    fn log_prob(&self, value: Var) -> Var {
        let (z, k) = (value - self.loc, self.asymmetry);
        // The slope on the side on which the value lies.
        let slope = z.gt(0.0).select(-(k / self.scale), (self.scale * k).recip());
        z * slope - (self.scale * (k + k.recip())).ln()
    }
    fn draw(&self, batch: &Shape) -> Var {
        let [a, b] = [(); 2].map(|()| Var::random(Law::Exponential, batch, &[]));
        self.loc + self.scale * (a / self.asymmetry - b * self.asymmetry)
    }
    fn mean(&self) -> Option<Var> {
        let k = self.asymmetry;
        Some(self.loc + self.scale * (k.recip() - k))
    }
    fn variance(&self) -> Option<Var> {
        let k = self.asymmetry;
        Some(self.scale.square() * (k.square().recip() + k.square()).broadcast_to(self.batch_shape()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        let k = self.asymmetry;
        let below = k.square() / (1.0 + k.square());
        let left = z.lt(0.0);
        let tail = left.select(z / k, -k * z).exp();
        Some(left.select(below * tail, 1.0 - (1.0 - below) * tail))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let k = self.asymmetry;
        let below = k.square() / (1.0 + k.square());
        let left = probability.lt(below);
        let share = left.select(probability / below, (1.0 - probability) * (1.0 + k.square()));
        let tail = share.ln();
        Some(self.loc + self.scale * left.select(k * tail, -tail / k))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "AsymmetricLaplace",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale", "asymmetry"],
        good: &[&[0.0, 1.0, 1.0], &[-3.0, 0.2, 0.4], &[0.5, 4.0, 3.0]],
        bad: &[&[0.0, 0.0, 1.0], &[0.0, 1.0, -1.0], &[f64::NAN, 1.0, 1.0], &[0.0, 1.0, f64::INFINITY]],
        build: |p| Box::new(AsymmetricLaplace::new(p[0], p[1], p[2])),
    }],
};
