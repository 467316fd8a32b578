//! The identity, for supports without constraints.

use ppl_autodiff::Var;

use super::Transform;

/// `y = x`.
#[derive(Clone, Copy, Debug)]
pub struct Identity;

impl Transform for Identity {
    fn name(&self) -> &'static str {
        "identity"
    }
    fn forward(&self, x: Var) -> Var {
        x
    }
    fn inverse(&self, y: Var) -> Var {
        y
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        Var::zeros(x.shape())
    }
}
