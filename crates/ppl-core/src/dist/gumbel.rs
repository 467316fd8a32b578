//! The Gumbel law: the limit of maxima of many draws with light tails.

use std::f64::consts::PI;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::EULER;
use crate::support::Support;

/// Gumbel distribution of maxima on the real numbers, with `z = (x - loc) / scale`: `p(x) = exp(-z - e^-z) / scale`.
///
/// # Shapes
/// `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location that is not finite: at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// NumPyro `Gumbel(loc, scale)`, PyMC `Gumbel(mu, beta)`, Stan `gumbel(mu, beta)`.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Gumbel;
/// let (log_prob, _) = value_and_grad(|x| Gumbel::new(0.0, 1.0).log_prob(x), 0.0)?;
/// assert!((log_prob + 1.0).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gumbel {
    loc: Var,
    scale: Var,
}

impl Gumbel {
    /// The mode is `loc`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        let loc = check::real("Gumbel", "loc", loc);
        let scale = check::positive("Gumbel", "scale", scale);
        Self { loc, scale }
    }
}

impl Distribution for Gumbel {
    fn name(&self) -> &'static str {
        "Gumbel"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Gumbel", &[self.loc, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let z = (value - self.loc) / self.scale;
        -z - (-z).exp() - self.scale.ln()
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.loc - self.scale * Var::random(Law::Exponential, batch, &[]).ln()
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc + EULER * self.scale)
    }
    fn variance(&self) -> Option<Var> {
        Some((self.scale.square() * (PI * PI / 6.0)).broadcast_to(self.batch_shape()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some((-(-z).exp()).exp())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.loc - self.scale * (-probability.ln()).ln())
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some(-(-z).exp())
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some((-z).exp().log1mexp())
    }
    fn entropy(&self) -> Option<Var> {
        Some((self.scale.ln() + (EULER + 1.0)).broadcast_to(self.batch_shape()))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Gumbel",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale"],
        good: &[&[0.0, 1.0], &[-3.0, 0.2], &[1e3, 40.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(Gumbel::new(p[0], p[1])),
    }],
};
