//! Transforms from unconstrained space onto supports, each with its log-Jacobian in one file.

mod correlation_cholesky;
mod exp;
mod identity;
mod interval;
mod lower;
mod stick_breaking;
mod upper;

use ppl_autodiff::{Shape, Var};

pub use correlation_cholesky::CorrelationCholesky;
pub use exp::Exp;
pub use identity::Identity;
pub use interval::Interval;
pub use lower::Lower;
pub use stick_breaking::StickBreaking;
pub use upper::Upper;

use crate::support::Support;

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

/// What tests know about a transform: its line in the catalogue.
pub struct Entry {
    /// The name of the type.
    pub name: &'static str,
    /// The transform.
    pub build: fn() -> Box<dyn Transform>,
    /// The set that it maps onto.
    pub image: fn() -> Support,
    /// Shapes of results to try.
    pub shapes: &'static [&'static [usize]],
}

/// Every transform.
pub const CATALOGUE: &[Entry] = &[
    correlation_cholesky::ENTRY,
    exp::ENTRY,
    identity::ENTRY,
    interval::ENTRY,
    lower::ENTRY,
    stick_breaking::ENTRY,
    upper::ENTRY,
];
