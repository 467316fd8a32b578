//! The Levy law: the time at which a Brownian motion without drift reaches a level.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::EULER;
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Levy distribution on the numbers above `loc`, with `d = x - loc`:
/// `p(x) = sqrt(scale / (2 pi d^3)) exp(-scale / (2 d))`. It has no mean.
///
/// # Shapes
/// `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location that is not finite: at once where they are numbers; as a point
/// without density where they are latent. The value `loc` has no density here.
///
/// # Source
/// NumPyro `Levy(loc, scale)`.
/// PyMC and Stan have none.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Levy;
/// let (log_prob, _) = value_and_grad(|x| Levy::new(0.0, 1.0).log_prob(x), 1.0)?;
/// assert!((log_prob - (-0.5 - 0.5 * (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Levy {
    loc: Var,
    scale: Var,
}

impl Levy {
    /// Above `loc`; the mode is `loc + scale / 3`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        let loc = check::real("Levy", "loc", loc);
        let scale = check::positive("Levy", "scale", scale);
        Self { loc, scale }
    }
}

impl Distribution for Levy {
    fn name(&self) -> &'static str {
        "Levy"
    }
    fn support(&self) -> Support {
        Support::LowerBound { low: self.loc }
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Levy", &[self.loc, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(self.loc) * value.lt(f64::INFINITY);
        let d = inside.select(value - self.loc, 1.0);
        let log_prob = 0.5 * self.scale.ln() - 1.5 * d.ln() - 0.5 * self.scale / d - LN_SQRT_2PI;
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.loc + self.scale / Var::random(Law::Normal, batch, &[]).square()
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(self.loc);
        let d = inside.select(value - self.loc, 1.0);
        Some(inside.select((0.5 * self.scale / d).sqrt().erfc(), 0.0))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.loc + self.scale / (0.5 * probability).ndtri().square())
    }
    fn entropy(&self) -> Option<Var> {
        Some(
            (self.scale.ln() + 0.5 * (1.0 + 3.0 * EULER + (16.0 * std::f64::consts::PI).ln()))
                .broadcast_to(self.batch_shape()),
        )
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Levy",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale"],
        good: &[&[0.0, 1.0], &[-3.0, 0.2], &[1e3, 40.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(Levy::new(p[0], p[1])),
    }],
};
