//! The softplus, onto the positive numbers: for scales that should grow linearly.

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// `y = ln(1 + e^x)`; the log-determinant is `-ln(1 + e^-x)`.
///
/// Close to `e^x` for negative x and to x for positive x, where the exponential would run away. Stan's and NumPyro's
/// `softplus`.
#[derive(Clone, Copy, Debug)]
pub struct Softplus;

impl Transform for Softplus {
    fn name(&self) -> &'static str {
        "softplus"
    }
    fn forward(&self, x: Var) -> Var {
        x.softplus()
    }
    /// `ln(e^y - 1)`: by `y + ln(1 - e^-y)`, which does not overflow.
    fn inverse(&self, y: Var) -> Var {
        y + (-(-y).exp_m1()).ln()
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        -(-x).softplus()
    }
}

pub(super) const ENTRY: Entry =
    Entry { name: "Softplus", build: || Box::new(Softplus), image: || Support::Positive, shapes: &[&[], &[3]] };
