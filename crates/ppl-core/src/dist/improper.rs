//! The flat prior, which is not a distribution.

use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::Distribution;
use super::custom::split;
use crate::support::Support;

/// A density of 1 on all of a support: a prior that says nothing but where.
///
/// The posterior is proper only if the rest of the model makes it so. On an ordered support it is the usual prior of
/// cutpoints.
///
/// # Shapes
/// `shape` is the batch shape followed by the event shape, whose rank the support fixes.
///
/// # Errors
/// There are no draws: a prior predictive run is an error.
///
/// # Source
/// NumPyro `ImproperUniform(support, batch_shape, event_shape)`, PyMC `Flat`, `HalfFlat`; in Stan a parameter without a
/// prior.
///
/// ```
/// use ppl_core::dist::{Improper, OrderedLogistic};
/// use ppl_core::model::{FnModel, ModelTrace};
/// use ppl_core::{Support, observe, sample};
/// let model = FnModel::new("grades", || {
///     let cutpoints = sample("cutpoints", || Improper::new(Support::Ordered, 3));
///     observe("grade", || OrderedLogistic::new(0.0, cutpoints), [0, 2, 1, 3, 3]);
/// });
/// assert_eq!(ModelTrace::unconstrained(&model, &[])?.sites().len(), 2);
/// # Ok::<(), ppl_core::ModelError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Improper {
    support: Support,
    shape: Shape,
}

impl Improper {
    /// Flat on a support.
    pub fn new(support: Support, shape: impl Into<Shape>) -> Self {
        Self { support, shape: shape.into() }
    }
}

impl Distribution for Improper {
    fn name(&self) -> &'static str {
        "Improper"
    }
    fn support(&self) -> Support {
        self.support
    }
    fn batch_shape(&self) -> Shape {
        split(&self.shape, &self.support).0
    }
    fn event_shape(&self) -> Shape {
        split(&self.shape, &self.support).1
    }
    fn log_prob(&self, value: Var) -> Var {
        self.support.contains(value).select(0.0, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let (owner, wanted) = (self.name().to_owned(), "finite for draws");
        mistake(Mistake::Argument { owner, argument: "total mass", wanted, got: f64::INFINITY });
        Var::zeros(batch.join(&self.event_shape()))
    }
}
