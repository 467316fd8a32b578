//! The logistic law, whose distribution function is the sigmoid.

use std::f64::consts::PI;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::support::Support;

/// Logistic distribution on the real numbers, with `z = (x - loc) / scale`: `p(x) = e^-z / (scale (1 + e^-z)^2)`.
///
/// # Shapes
/// `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location that is not finite: at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// NumPyro `Logistic(loc, scale)`, PyMC `Logistic(mu, s)`, Stan `logistic(mu, sigma)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Logistic;
/// // 1/4 at the middle.
/// let (log_prob, _) = value_and_grad(|x| Logistic::new(0.0, 1.0).log_prob(x), 0.0)?;
/// assert!((log_prob - (-2.0 * LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Logistic {
    loc: Var,
    scale: Var,
}

impl Logistic {
    /// Mean and median `loc`; the standard deviation is `pi / sqrt(3)` times `scale`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        let loc = check::real("Logistic", "loc", loc);
        let scale = check::positive("Logistic", "scale", scale);
        Self { loc, scale }
    }
}

impl Distribution for Logistic {
    fn name(&self) -> &'static str {
        "Logistic"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Logistic", &[self.loc, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let z = (value - self.loc) / self.scale;
        -z.softplus() - (-z).softplus() - self.scale.ln()
    }
    fn draw(&self, batch: &Shape) -> Var {
        let u = Var::random(Law::Uniform, batch, &[]);
        self.loc + self.scale * (u.ln() - (-u).ln_1p())
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc.broadcast_to(self.batch_shape()))
    }
    fn variance(&self) -> Option<Var> {
        Some((self.scale.square() * (PI * PI / 3.0)).broadcast_to(self.batch_shape()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some(z.sigmoid())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.loc + self.scale * (probability.ln() - (-probability).ln_1p()))
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some(-(-z).softplus())
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some(-z.softplus())
    }
    fn entropy(&self) -> Option<Var> {
        Some((self.scale.ln() + 2.0).broadcast_to(self.batch_shape()))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Logistic",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale"],
        good: &[&[0.0, 1.0], &[-3.0, 0.2], &[1e3, 40.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(Logistic::new(p[0], p[1])),
    }],
};
