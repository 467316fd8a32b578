//! The law of a function of a random variable.

use ppl_autodiff::{Shape, Var};

use super::Distribution;
use crate::support::Support;
use crate::transform::Transform;

/// The law of `y = T(x)` with x from a base distribution: `ln p(y) = ln p(x) - ln |det dT/dx|` at `x = T^-1(y)`.
///
/// # Shapes
/// Where T acts on vectors or matrices, so does the result: batch axes of the base become part of an event as needed.
///
/// # Errors
/// Those of the base and of the transform. A value outside the stated support has no density.
///
/// # Source
/// NumPyro `TransformedDistribution(base, transforms)`.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::dist::{LogNormal, Normal, Transformed};
/// use ppl_core::transform::Exp;
/// use ppl_core::{Distribution, Support};
/// let difference = |y| {
///     let by_hand = Transformed::new(Normal::new(0.3, 2.0), Exp, Support::Positive).log_prob(y);
///     by_hand - LogNormal::new(0.3, 2.0).log_prob(y)
/// };
/// assert!(value_and_grad(difference, 1.7)?.0.abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Transformed<D, T> {
    base: D,
    transform: T,
    support: Support,
}

impl<D: Distribution, T: Transform> Transformed<D, T> {
    /// The law of the image of a draw of `base`, which lies in `support`.
    pub fn new(base: D, transform: T, support: Support) -> Self {
        Self { base, transform, support }
    }

    /// The batch axes of the base that an event of the transform needs.
    fn taken(&self) -> usize {
        let (batch, event) = (self.base.batch_shape().rank(), self.base.event_shape().rank());
        self.transform.event_rank().saturating_sub(event).min(batch)
    }

    fn split(&self) -> (Shape, Shape) {
        let batch = self.base.batch_shape();
        let at = batch.rank() - self.taken();
        (Shape::from(&batch[..at]), Shape::from(&batch[at..]).join(&self.base.event_shape()))
    }

    /// An event inside the support.
    fn inside(&self) -> Var {
        self.transform.forward(Var::zeros(self.split().1))
    }
}

impl<D: Distribution, T: Transform> Distribution for Transformed<D, T> {
    fn name(&self) -> &'static str {
        "Transformed"
    }
    fn support(&self) -> Support {
        self.support
    }
    fn batch_shape(&self) -> Shape {
        self.split().0
    }
    fn event_shape(&self) -> Shape {
        self.inside().shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        let event = self.event_shape().rank();
        let (mut inside, elements) = (self.support.contains(value), self.support.event_rank());
        inside = (elements..event).fold(inside, |all, _| all.min_axis(-1));
        let safe = |inside: Var| {
            let wide = (0..event).fold(inside, |v, _| v.expand_dims(-1));
            wide.select(value, self.inside())
        };
        // A boundary may belong to the support but not to the image.
        let x = self.transform.inverse(safe(inside));
        let finite = x.abs().lt(f64::INFINITY);
        let finite = (0..event).fold(finite, |all, _| all.min_axis(-1));
        let inside = inside * finite;
        let y = safe(inside);
        let x = self.transform.inverse(y);
        let log_prob = (0..self.taken()).fold(self.base.log_prob(x), |sum, _| sum.sum_axis(-1));
        let own = self.transform.event_rank();
        let log_det = (own..event).fold(self.transform.log_det(x, y), |sum, _| sum.sum_axis(-1));
        inside.select(log_prob - log_det, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let batch = batch.join(&self.base.batch_shape()[self.split().0.rank()..]);
        self.transform.forward(self.base.draw(&batch))
    }
}
