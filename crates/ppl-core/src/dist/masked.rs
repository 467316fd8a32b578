//! Masks: some terms of a density left out.

use ppl_autodiff::{Shape, Var};

use super::Distribution;
use crate::support::Support;

/// A distribution whose `log_prob` is 0 where a mask is 0: for padding, or observations that do not count.
///
/// # Shapes
/// The mask broadcasts against the batch shape of the base.
///
/// # Source
/// NumPyro `MaskedDistribution`, `handlers.mask`.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::{Masked, Normal};
/// let (log_prob, _) = value_and_grad(|x| Masked::new(Normal::new(0.0, 1.0), 0.0).log_prob(x), 3.0)?;
/// assert_eq!(log_prob, 0.0);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Masked<D> {
    base: D,
    mask: Var,
}

impl<D: Distribution> Masked<D> {
    /// The terms of `base` where `mask` is not 0. Values at the others must still lie in the support.
    pub fn new(base: D, mask: impl Into<Var>) -> Self {
        Self { base, mask: mask.into() }
    }
}

impl<D: Distribution> Distribution for Masked<D> {
    fn name(&self) -> &'static str {
        self.base.name()
    }
    fn support(&self) -> Support {
        self.base.support()
    }
    fn batch_shape(&self) -> Shape {
        let shape = self.base.batch_shape();
        shape.broadcast(&self.mask.shape()).unwrap_or(shape)
    }
    fn event_shape(&self) -> Shape {
        self.base.event_shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        self.mask.select(self.base.log_prob(value), 0.0)
    }
    fn log_prob_of_logit(&self, logit: Var) -> Option<Var> {
        Some(self.mask.select(self.base.log_prob_of_logit(logit)?, 0.0))
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.base.draw(batch)
    }
    fn mean(&self) -> Option<Var> {
        Some(self.base.mean()?.broadcast_to(self.batch_shape().join(&self.event_shape())))
    }
    fn variance(&self) -> Option<Var> {
        Some(self.base.variance()?.broadcast_to(self.batch_shape().join(&self.event_shape())))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        self.base.location_scale()
    }
}
