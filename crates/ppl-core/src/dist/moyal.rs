//! The Moyal law: an approximation of the energy loss of fast particles in matter.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI};

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::EULER;
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Moyal distribution on the real numbers, with `z = (x - loc) / scale`:
/// `p(x) = exp(-(z + e^-z) / 2) / (scale sqrt(2 pi))`.
///
/// # Shapes
/// `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location that is not finite: at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// PyMC `Moyal(mu, sigma)`; Moyal (1955), Philosophical Magazine 46(374).
/// NumPyro and Stan have none.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Moyal;
/// let (log_prob, _) = value_and_grad(|x| Moyal::new(0.0, 1.0).log_prob(x), 0.0)?;
/// assert!((log_prob - (-0.5 - 0.5 * (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Moyal {
    loc: Var,
    scale: Var,
}

impl Moyal {
    /// The mode is `loc`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        let loc = check::real("Moyal", "loc", loc);
        let scale = check::positive("Moyal", "scale", scale);
        Self { loc, scale }
    }
}

impl Distribution for Moyal {
    fn name(&self) -> &'static str {
        "Moyal"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Moyal", &[self.loc, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let z = (value - self.loc) / self.scale;
        -0.5 * (z + (-z).exp()) - (self.scale.ln() + LN_SQRT_2PI)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let normal = Var::random(Law::Normal, batch, &[]);
        self.loc - self.scale * normal.square().ln()
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc + (EULER + LN_2) * self.scale)
    }
    fn variance(&self) -> Option<Var> {
        Some((self.scale.square() * (0.5 * PI * PI)).broadcast_to(self.batch_shape()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some(((-0.5 * z).exp() * FRAC_1_SQRT_2).erfc())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let root = -(0.5 * probability).ndtri();
        Some(self.loc - 2.0 * self.scale * root.ln())
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Moyal",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale"],
        good: &[&[0.0, 1.0], &[-3.0, 0.2], &[1e3, 40.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(Moyal::new(p[0], p[1])),
    }],
};
