//! Transforms from unconstrained space onto supports, each with its log-Jacobian in one file.

mod additive_log_ratio;
mod affine;
mod centered_log_ratio;
mod circular;
mod compose;
mod correlation_cholesky;
mod correlation_matrix;
mod covariance_matrix;
mod exp;
mod identity;
mod interval;
mod isometric_log_ratio;
mod lower;
mod lower_cholesky;
mod lower_cholesky_softplus;
mod ordered;
mod positive_ordered;
mod softplus;
mod stick_breaking;
mod tanh;
mod unit_vector;
mod upper;
mod zero_sum;
mod zero_sum_householder;

use ppl_autodiff::{Shape, Var};

pub use additive_log_ratio::AdditiveLogRatio;
pub use affine::Affine;
pub use centered_log_ratio::CenteredLogRatio;
pub use circular::Circular;
pub use compose::Compose;
pub use correlation_cholesky::CorrelationCholesky;
pub use correlation_matrix::CorrelationMatrix;
pub use covariance_matrix::CovarianceMatrix;
pub use exp::Exp;
pub use identity::Identity;
pub use interval::Interval;
pub use isometric_log_ratio::IsometricLogRatio;
pub use lower::Lower;
pub use lower_cholesky::LowerCholesky;
pub use lower_cholesky_softplus::LowerCholeskySoftplus;
pub use ordered::Ordered;
pub use positive_ordered::PositiveOrdered;
pub use softplus::Softplus;
pub use stick_breaking::StickBreaking;
pub use tanh::Tanh;
pub use unit_vector::UnitVector;
pub use upper::Upper;
pub use zero_sum::ZeroSum;
pub use zero_sum_householder::ZeroSumHouseholder;

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

impl<T: Transform + ?Sized> Transform for Box<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn event_rank(&self) -> usize {
        (**self).event_rank()
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        (**self).unconstrained_shape(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        (**self).forward(x)
    }
    fn inverse(&self, y: Var) -> Var {
        (**self).inverse(y)
    }
    fn log_det(&self, x: Var, y: Var) -> Var {
        (**self).log_det(x, y)
    }
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
    additive_log_ratio::ENTRY,
    affine::ENTRY,
    centered_log_ratio::ENTRY,
    circular::ENTRY,
    compose::ENTRY,
    correlation_cholesky::ENTRY,
    correlation_matrix::ENTRY,
    covariance_matrix::ENTRY,
    exp::ENTRY,
    identity::ENTRY,
    interval::ENTRY,
    isometric_log_ratio::ENTRY,
    lower::ENTRY,
    lower_cholesky::ENTRY,
    lower_cholesky_softplus::ENTRY,
    ordered::ENTRY,
    positive_ordered::ENTRY,
    softplus::ENTRY,
    stick_breaking::ENTRY,
    tanh::ENTRY,
    unit_vector::ENTRY,
    upper::ENTRY,
    zero_sum::ENTRY,
    zero_sum_householder::ENTRY,
];
