//! Improper laws: the constant density on the real line and on the positive half.

use ppl_autodiff::{Shape, Var};

use super::Distribution;
use crate::support::Support;

/// The density 1 on the real numbers.
///
/// It is no probability distribution: [`draw`](Distribution::draw) gives NaN. A posterior may exist all the same.
///
/// # Shapes
/// The batch shape is scalar; [`expand`](Distribution::expand) gives others. A `log_prob` has the shape of the value.
///
/// # Errors
/// None.
///
/// # Source
/// NumPyro `ImproperUniform`, PyMC `Flat`, Stan's default for parameters without a prior.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Flat;
/// let (log_prob, _) = value_and_grad(|x| Flat.log_prob(x), 7.0)?;
/// assert_eq!(log_prob, 0.0);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Flat;

impl Distribution for Flat {
    fn name(&self) -> &'static str {
        "Flat"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        Shape::scalar()
    }
    fn log_prob(&self, value: Var) -> Var {
        self.support().contains(value).select(0.0, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        Var::from(f64::NAN).broadcast_to(batch.clone())
    }
}

/// The density 1 on the positive numbers and 0.
///
/// It is no probability distribution: [`draw`](Distribution::draw) gives NaN. A posterior may exist all the same.
///
/// # Shapes
/// The batch shape is scalar; [`expand`](Distribution::expand) gives others. A `log_prob` has the shape of the value.
///
/// # Errors
/// None.
///
/// # Source
/// NumPyro `ImproperUniform`, PyMC `HalfFlat`, Stan's default for parameters without a prior.
#[derive(Clone, Copy, Debug, Default)]
pub struct HalfFlat;

impl Distribution for HalfFlat {
    fn name(&self) -> &'static str {
        "HalfFlat"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        Shape::scalar()
    }
    fn log_prob(&self, value: Var) -> Var {
        self.support().contains(value).select(0.0, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        Var::from(f64::NAN).broadcast_to(batch.clone())
    }
}
