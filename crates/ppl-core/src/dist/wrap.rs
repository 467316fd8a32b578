//! The same distribution in another shape: more independent copies, or copies counted as one event.

use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::Distribution;
use crate::support::Support;

/// A distribution with a larger batch shape; see [`Distribution::expand`].
#[derive(Clone, Debug)]
pub struct Expanded<D> {
    base: D,
    batch: Shape,
}

impl<D: Distribution> Expanded<D> {
    #[track_caller]
    pub(super) fn new(base: D, batch: Shape) -> Self {
        let own = base.batch_shape();
        if !own.broadcasts_to(&batch) {
            let rule = "a batch shape (first) expands only to one that it broadcasts to (second)";
            mistake(Mistake::Shapes { operation: "expand", shapes: vec![own, batch.clone()], rule });
        }
        Self { base, batch }
    }

    fn expanded(&self, log_prob: Var) -> Var {
        let shape = log_prob.shape().broadcast(&self.batch);
        shape.map_or(log_prob, |shape| log_prob.broadcast_to(shape))
    }
}

impl<D: Distribution> Distribution for Expanded<D> {
    fn name(&self) -> &'static str {
        self.base.name()
    }
    fn support(&self) -> Support {
        self.base.support()
    }
    fn batch_shape(&self) -> Shape {
        self.batch.clone()
    }
    fn event_shape(&self) -> Shape {
        self.base.event_shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        self.expanded(self.base.log_prob(value))
    }
    fn log_prob_of_logit(&self, logit: Var) -> Option<Var> {
        Some(self.expanded(self.base.log_prob_of_logit(logit)?))
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.base.draw(batch)
    }
    fn mean(&self) -> Option<Var> {
        Some(self.base.mean()?.broadcast_to(self.batch.join(&self.event_shape())))
    }
    fn variance(&self) -> Option<Var> {
        Some(self.base.variance()?.broadcast_to(self.batch.join(&self.event_shape())))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        self.base.cdf(value)
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        self.base.icdf(probability)
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        self.base.log_cdf(value)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        self.base.log_sf(value)
    }
    fn log_mass(&self, low: Option<Var>, high: Option<Var>) -> Option<Var> {
        self.base.log_mass(low, high)
    }
    fn entropy(&self) -> Option<Var> {
        Some(self.base.entropy()?.broadcast_to(&self.batch))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        self.base.location_scale()
    }
}

/// A distribution whose last batch axes belong to the event; see [`Distribution::to_event`].
#[derive(Clone, Debug)]
pub struct Independent<D> {
    base: D,
    axes: usize,
}

impl<D: Distribution> Independent<D> {
    #[track_caller]
    pub(super) fn new(base: D, axes: usize) -> Self {
        let shape = base.batch_shape();
        if axes > shape.rank() {
            mistake(Mistake::Axis { operation: "to_event", axis: -(axes as isize), shape: shape.clone() });
        }
        Self { axes: axes.min(shape.rank()), base }
    }

    fn split(&self) -> (Shape, Shape) {
        let batch = self.base.batch_shape();
        let at = batch.rank() - self.axes;
        (Shape::from(&batch[..at]), Shape::from(&batch[at..]))
    }

    /// Summed over the axes that belong to the event.
    fn summed(&self, each: Var) -> Var {
        (0..self.axes).fold(each, |sum, _| sum.sum_axis(-1))
    }
}

impl<D: Distribution> Distribution for Independent<D> {
    fn name(&self) -> &'static str {
        self.base.name()
    }
    fn support(&self) -> Support {
        self.base.support()
    }
    fn batch_shape(&self) -> Shape {
        self.split().0
    }
    fn event_shape(&self) -> Shape {
        self.split().1.join(&self.base.event_shape())
    }
    fn log_prob(&self, value: Var) -> Var {
        self.summed(self.base.log_prob(value))
    }
    fn log_prob_of_logit(&self, logit: Var) -> Option<Var> {
        Some(self.summed(self.base.log_prob_of_logit(logit)?))
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.base.draw(&batch.join(&self.split().1))
    }
    fn mean(&self) -> Option<Var> {
        self.base.mean()
    }
    fn variance(&self) -> Option<Var> {
        self.base.variance()
    }
    fn entropy(&self) -> Option<Var> {
        Some(self.summed(self.base.entropy()?.broadcast_to(self.base.batch_shape())))
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        self.base.location_scale()
    }
}
