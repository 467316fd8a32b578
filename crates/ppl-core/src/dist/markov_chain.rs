//! Markov chains of continuous states: each state has a law that depends on the one before.

use ppl_autodiff::{Shape, Var, concat};

use super::{Distribution, check};
use crate::support::Support;

/// A path of T states: the first from one law, each other from a law that the state before gives:
/// `p(x) = p_1(x_1) prod_t p(x_t | x_{t-1})`.
///
/// Given a whole path, all steps are independent of each other, so the density takes no loop: `next` gets all states but
/// the last at once.
///
/// # Shapes
/// With a first law of batch shape `[B..]` and event shape `[E..]`, a draw has shape `[B.., T, E..]` and a `log_prob` `[B..]`.
/// `next` is called with states `[B.., n, E..]` for any n and gives a law of batch shape `[B.., n]`: what it uses with batch
/// axes of its own needs an axis of extent 1 in the place of n.
///
/// # Errors
/// Those of the two laws. No steps: at once.
///
/// # Source
/// NumPyro and Pyro write a `scan`, Stan a loop; PyMC has `GaussianRandomWalk`, `AR` and `CustomDist` with a scan.
///
/// ```
/// use ppl_autodiff::Var;
/// use ppl_core::dist::{MarkovChain, Normal};
/// use ppl_core::model::{FnModel, ModelTrace};
/// use ppl_core::sample;
/// let model = FnModel::new("pendulum", || {
///     let next = |angle: Var| Normal::new(angle - 0.1 * angle.sin(), 0.05);
///     sample("angle", || MarkovChain::new(Normal::new(0.0, 1.0), next, 50));
/// });
/// assert_eq!(ModelTrace::unconstrained(&model, &[])?.sites()[0].shape, [50].into());
/// # Ok::<(), ppl_core::ModelError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MarkovChain<D, F> {
    first: D,
    next: F,
    steps: usize,
}

const NAME: &str = "MarkovChain";

impl<D: Distribution, N: Distribution, F: Fn(Var) -> N> MarkovChain<D, F> {
    /// By the law of the first state, the law of a state given the one before, and the number of states.
    #[track_caller]
    pub fn new(first: D, next: F, steps: usize) -> Self {
        if steps == 0 {
            check::fail(NAME, "steps", "at least 1", 0.0);
        }
        Self { first, next, steps: steps.max(1) }
    }

    /// The axis of the steps.
    fn axis(&self) -> isize {
        -1 - self.first.event_shape().rank() as isize
    }
}

impl<D: Distribution, N: Distribution, F: Fn(Var) -> N> Distribution for MarkovChain<D, F> {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        self.first.support()
    }
    fn batch_shape(&self) -> Shape {
        self.first.batch_shape()
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.steps).join(&self.first.event_shape())
    }
    fn log_prob(&self, value: Var) -> Var {
        let (axis, n) = (self.axis(), self.steps);
        let first = self.first.log_prob(value.index(axis, 0));
        if n == 1 {
            return first;
        }
        let later = (self.next)(value.slice(axis, 0..n - 1)).log_prob(value.slice(axis, 1..n));
        first + later.sum_axis(-1)
    }
    /// Step by step: the tape of a draw grows with the number of steps.
    fn draw(&self, batch: &Shape) -> Var {
        let axis = self.axis();
        let mut path = vec![self.first.draw(batch).expand_dims(axis)];
        for t in 1..self.steps {
            let next = (self.next)(path[t - 1]);
            path.push(next.draw(&batch.join(&[1])));
        }
        concat(&path, axis)
    }
}
