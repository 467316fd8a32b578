//! The point mass: a value that is certain.

use ppl_autodiff::{Shape, Var};

use super::{Distribution, check};
use crate::support::Support;

/// All mass on one value: `log_prob` is 0 there and -inf elsewhere.
///
/// # Shapes
/// `value: [B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A value that is not finite: at once where it is a number.
///
/// # Source
/// NumPyro `Delta(v)`, PyMC `DiracDelta(c)`.
/// Stan has none.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Delta;
/// let (log_prob, _) = value_and_grad(|x| Delta::new(2.0).log_prob(x), 2.0)?;
/// assert_eq!(log_prob, 0.0);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Delta {
    value: Var,
}

impl Delta {
    /// On `value`.
    #[track_caller]
    pub fn new(value: impl Into<Var>) -> Self {
        Self { value: check::real("Delta", "value", value) }
    }
}

impl Distribution for Delta {
    fn name(&self) -> &'static str {
        "Delta"
    }
    fn support(&self) -> Support {
        Support::Point { value: self.value }
    }
    fn batch_shape(&self) -> Shape {
        self.value.shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        value.eq(self.value).select(0.0, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.value.broadcast_to(batch.clone())
    }
    fn mean(&self) -> Option<Var> {
        Some(self.value)
    }
    fn variance(&self) -> Option<Var> {
        Some(Var::zeros(self.value.shape()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(value.ge(self.value))
    }
}
