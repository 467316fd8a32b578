//! A law cut down to a smaller support, such as normal variables in increasing order.

use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::Distribution;
use crate::support::Support;

/// The law of independent variables given that they lie in a support: `p(x) / P(support)`, with the probability of the
/// support left out of the density.
///
/// That factor depends on the parameters of the law, so they should be known, not latent; otherwise the density says
/// something else. Locations of a mixture are often given a restricted prior on [`Support::Ordered`], which takes away the
/// symmetry of its components.
///
/// # Shapes
/// Where the support is one of vectors or matrices, the last batch axes of the law become axes of the event.
///
/// # Errors
/// Those of the law. A law with too few axes for the support poisons the trace. There are no draws: a prior predictive
/// run is an error.
///
/// # Source
/// Stan, where a parameter's declared support restricts whatever prior it is given.
///
/// ```
/// use ppl_core::dist::{Normal, Restricted};
/// use ppl_core::model::{FnModel, ModelTrace};
/// use ppl_core::{Support, sample};
/// let model = FnModel::new("locations", || {
///     sample("mu", || Restricted::new(Normal::new([-1.0, 0.0, 1.0], 2.0), Support::Ordered));
/// });
/// assert_eq!(ModelTrace::unconstrained(&model, &[])?.sites()[0].shape, [3].into());
/// # Ok::<(), ppl_core::ModelError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Restricted<D> {
    base: D,
    support: Support,
}

impl<D: Distribution> Restricted<D> {
    /// The law `base` where it lies in `support`.
    #[track_caller]
    pub fn new(base: D, support: Support) -> Self {
        let (batch, event) = (base.batch_shape(), base.event_shape());
        if batch.rank() + event.rank() < support.event_rank() {
            let rule = "the law (batch, then event shape) has at least the axes of the support's events";
            mistake(Mistake::Shapes { operation: "Restricted", shapes: vec![batch, event], rule });
        }
        Self { base, support }
    }

    /// The batch axes of the law that an event of the support takes.
    fn taken(&self) -> usize {
        let taken = self.support.event_rank().saturating_sub(self.base.event_shape().rank());
        taken.min(self.base.batch_shape().rank())
    }

    fn split(&self) -> (Shape, Shape) {
        let batch = self.base.batch_shape();
        let at = batch.rank() - self.taken();
        (Shape::from(&batch[..at]), Shape::from(&batch[at..]).join(&self.base.event_shape()))
    }
}

impl<D: Distribution> Distribution for Restricted<D> {
    fn name(&self) -> &'static str {
        "Restricted"
    }
    fn support(&self) -> Support {
        self.support
    }
    fn batch_shape(&self) -> Shape {
        self.split().0
    }
    fn event_shape(&self) -> Shape {
        self.split().1
    }
    fn log_prob(&self, value: Var) -> Var {
        let log_prob = (0..self.taken()).fold(self.base.log_prob(value), |sum, _| sum.sum_axis(-1));
        let own = self.support.event_rank();
        let inside = (own..self.event_shape().rank()).fold(self.support.contains(value), |all, _| all.min_axis(-1));
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let (owner, wanted) = (self.name().to_owned(), "known for draws");
        mistake(Mistake::Argument { owner, argument: "probability of the support", wanted, got: f64::NAN });
        Var::zeros(batch.join(&self.event_shape()))
    }
}
