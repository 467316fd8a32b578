//! The normal law of vectors with sum 0: effects of groups against their mean.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, check};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Normal distribution on the vectors of length n with sum 0, by the scale s:
/// `p(x) = exp(-|x|^2 / (2 s^2)) / (s sqrt(2 pi))^(n - 1)`, a density over the plane of sum 0.
///
/// It is the law of n independent normal variables less their mean: an element has variance `s^2 (1 - 1/n)`.
///
/// # Shapes
/// `scale: [B..]`; a draw has shape `[B.., n]`, a `log_prob` has `[B..]`; the event is a vector.
///
/// # Errors
/// A scale that is not positive and finite: at once where it is a number; as a point without density where it is latent.
/// Length 0: at once. A value whose sum is not 0 has no density.
///
/// # Source
/// NumPyro `ZeroSumNormal(scale, event_shape)`, PyMC `ZeroSumNormal(sigma, shape)`, Stan `sum_to_zero_vector` with a
/// normal prior.
///
/// ```
/// use std::f64::consts::PI;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::ZeroSumNormal;
/// let (log_prob, _) = value_and_grad(|x| ZeroSumNormal::new(1.0, 2).log_prob(x), &array![1.0, -1.0])?;
/// assert!((log_prob - (-1.0 - 0.5 * (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ZeroSumNormal {
    scale: Var,
    length: usize,
}

const NAME: &str = "ZeroSumNormal";

impl ZeroSumNormal {
    /// By the scale before the mean is taken away and the length of a vector.
    #[track_caller]
    pub fn new(scale: impl Into<Var>, length: usize) -> Self {
        if length == 0 {
            check::fail(NAME, "length", "at least 1", 0.0);
        }
        Self { scale: check::positive(NAME, "scale", scale), length: length.max(1) }
    }
}

impl Distribution for ZeroSumNormal {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::ZeroSum
    }
    fn batch_shape(&self) -> Shape {
        self.scale.shape()
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.length)
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let x = inside.expand_dims(-1).select(value, 0.0);
        let squares = (x / self.scale.expand_dims(-1)).square().sum_axis(-1);
        let free = self.length as f64 - 1.0;
        inside.select(-0.5 * squares - free * (self.scale.ln() + LN_SQRT_2PI), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let z = Var::random(Law::Normal, batch.join(&[self.length]), &[]);
        (z - z.sum_axes(&[-1]) / self.length as f64) * self.scale.expand_dims(-1)
    }
    fn mean(&self) -> Option<Var> {
        Some(Var::zeros(self.batch_shape().join(&[self.length])))
    }
    fn variance(&self) -> Option<Var> {
        let variance = self.scale.square() * (1.0 - (self.length as f64).recip());
        Some(variance.expand_dims(-1).broadcast_to(self.batch_shape().join(&[self.length])))
    }
    /// The coordinates of a vector are independent.
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((Var::from(0.0), self.scale.expand_dims(-1)))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["scale"],
        good: &[&[1.5], &[0.4]],
        bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
        build: |p| Box::new(ZeroSumNormal::new(p[0], 3)),
    }],
};
