//! Transforms from unconstrained space onto supports, each with its log-Jacobian in one file.

mod exp;
mod identity;
mod interval;

use ppl_autodiff::{Shape, Var};

pub use exp::Exp;
pub use identity::Identity;
pub use interval::Interval;

/// A bijection from unconstrained numbers to a support, with the logarithm of its Jacobian determinant.
///
/// Both the forward map and the log-determinant are computed from the unconstrained argument: a value that was rounded
/// to a boundary has lost what they need.
pub trait Transform {
    /// The name, for errors and tables.
    fn name(&self) -> &'static str;

    /// The number of axes of one event of the result: log-determinants sum over as many axes of the argument.
    fn event_rank(&self) -> usize {
        0
    }

    /// The shape of the unconstrained argument for a result of shape `constrained`; the same unless stated.
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        constrained.clone()
    }

    /// The map, over any leading axes.
    fn forward(&self, x: Var) -> Var;

    /// The inverse map.
    fn inverse(&self, y: Var) -> Var;

    /// `ln |det dy/dx|` at `x`, where `y = forward(x)`; one number for each event.
    fn log_det(&self, x: Var, y: Var) -> Var;
}
