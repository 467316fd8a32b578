//! The skew normal law of Azzalini.

use std::f64::consts::{FRAC_2_PI, LN_2};

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Skew normal distribution on the real numbers, with `z = (x - loc) / scale`:
/// `p(x) = 2 / scale phi(z) Phi(alpha z)`, phi and Phi the standard normal density and distribution function.
///
/// # Shapes
/// `loc`, `scale`, `alpha` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location or `alpha` that is not finite: at once where they are numbers;
/// as a point without density where they are latent.
///
/// # Source
/// PyMC `SkewNormal(mu, sigma, alpha)`, Stan `skew_normal(xi, omega, alpha)`; Azzalini (1985), Scandinavian Journal of
/// Statistics 12(2).
/// NumPyro has none.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::SkewNormal;
/// // Without skew it is normal.
/// let (log_prob, _) = value_and_grad(|x| SkewNormal::new(0.0, 1.0, 0.0).log_prob(x), 0.0)?;
/// assert!((log_prob - (-0.5 * (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SkewNormal {
    loc: Var,
    scale: Var,
    alpha: Var,
}

impl SkewNormal {
    /// Skewed to the right where `alpha` is positive; normal where it is 0.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>, alpha: impl Into<Var>) -> Self {
        let loc = check::real("SkewNormal", "loc", loc);
        let scale = check::positive("SkewNormal", "scale", scale);
        let alpha = check::real("SkewNormal", "alpha", alpha);
        Self { loc, scale, alpha }
    }
}

impl Distribution for SkewNormal {
    fn name(&self) -> &'static str {
        "SkewNormal"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("SkewNormal", &[self.loc, self.scale, self.alpha])
    }
    fn log_prob(&self, value: Var) -> Var {
        let z = (value - self.loc) / self.scale;
        (self.alpha * z).log_ndtr() - 0.5 * z.square() - (self.scale.ln() + (LN_SQRT_2PI - LN_2))
    }
    fn draw(&self, batch: &Shape) -> Var {
        let [a, b] = [(); 2].map(|()| Var::random(Law::Normal, batch, &[]));
        let root = (1.0 + self.alpha.square()).sqrt();
        self.loc + self.scale * (self.alpha * a.abs() + b) / root
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc + self.scale * FRAC_2_PI.sqrt() * self.alpha / (1.0 + self.alpha.square()).sqrt())
    }
    fn variance(&self) -> Option<Var> {
        let square = self.alpha.square();
        Some(self.scale.square() * (1.0 - FRAC_2_PI * square / (1.0 + square)).broadcast_to(self.batch_shape()))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "SkewNormal",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale", "alpha"],
        good: &[&[0.0, 1.0, 3.0], &[-3.0, 0.2, -0.7], &[10.0, 4.0, 0.0]],
        bad: &[&[0.0, 0.0, 1.0], &[0.0, -1.0, 1.0], &[f64::NAN, 1.0, 1.0], &[0.0, 1.0, f64::INFINITY]],
        build: |p| Box::new(SkewNormal::new(p[0], p[1], p[2])),
    }],
};
