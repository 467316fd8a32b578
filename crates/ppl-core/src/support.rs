//! Supports: where a distribution lives, stated once; the support picks the transform from unconstrained space.

use std::f64::consts::PI;

use ppl_autodiff::Var;

use crate::transform::{self, Transform};

/// The set on which a distribution has mass.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Support {
    /// All real numbers.
    Real,
    /// The positive numbers and 0.
    Positive,
    /// The numbers between 0 and 1.
    UnitInterval,
    /// The numbers between two bounds.
    Interval {
        /// The lower bound.
        low: Var,
        /// The upper bound.
        high: Var,
    },
    /// The numbers from a bound on.
    LowerBound {
        /// The bound.
        low: Var,
    },
    /// The numbers up to a bound.
    UpperBound {
        /// The bound.
        high: Var,
    },
    /// Angles from -pi to pi. The transform cuts the circle at pi, as an interval.
    Circular,
    /// A single value.
    Point {
        /// The value.
        value: Var,
    },
    /// Real vectors: an event of rank 1.
    RealVector,
    /// Vectors of non-negative numbers that sum to 1: an event of rank 1.
    Simplex,
    /// Real matrices: an event of rank 2.
    RealMatrix,
    /// Increasing vectors: an event of rank 1.
    Ordered,
    /// Increasing vectors of positive numbers: an event of rank 1.
    PositiveOrdered,
    /// Vectors that sum to 0: an event of rank 1.
    ZeroSum,
    /// Vectors of length 1: an event of rank 1.
    UnitVector,
    /// Correlation matrices: symmetric, positive definite, with ones on the diagonal; rank 2.
    Correlation,
    /// Symmetric positive definite matrices; rank 2.
    PositiveDefinite,
    /// Lower triangular matrices with a positive diagonal; rank 2.
    LowerCholesky,
    /// Cholesky factors of correlation matrices: lower triangular, rows of length 1, positive diagonal; rank 2.
    CorrelationCholesky,
    /// 0 and 1.
    Boolean,
    /// 0, 1, 2, ...
    NonNegativeInteger,
    /// The integers from `low` to `high`, both included.
    IntegerInterval {
        /// The smallest.
        low: Var,
        /// The largest.
        high: Var,
    },
    /// The numbers between two bounds, of which single ones have a mass of their own: censored data. Bounds may be
    /// infinite.
    Mixed {
        /// The lower bound.
        low: Var,
        /// The upper bound.
        high: Var,
    },
    /// Vectors of 0, 1, 2, .. with a given sum: an event of rank 1.
    Counts {
        /// The sum.
        total: Var,
    },
}

impl Support {
    /// The number of axes of one event.
    pub fn event_rank(&self) -> usize {
        match self {
            Support::RealVector
            | Support::Simplex
            | Support::Ordered
            | Support::PositiveOrdered
            | Support::ZeroSum
            | Support::UnitVector
            | Support::Counts { .. } => 1,
            Support::RealMatrix
            | Support::Correlation
            | Support::CorrelationCholesky
            | Support::LowerCholesky
            | Support::PositiveDefinite => 2,
            _ => 0,
        }
    }

    /// What it is called in errors.
    pub fn name(&self) -> &'static str {
        match self {
            Support::Real => "real numbers",
            Support::Positive => "positive numbers",
            Support::UnitInterval => "numbers between 0 and 1",
            Support::Interval { .. } => "numbers between two bounds",
            Support::Mixed { .. } => "numbers of which some have a mass of their own",
            Support::LowerBound { .. } => "numbers above a bound",
            Support::UpperBound { .. } => "numbers below a bound",
            Support::Circular => "angles between -pi and pi",
            Support::Point { .. } => "a single value",
            Support::RealVector => "real vectors",
            Support::Simplex => "simplices (non-negative, sum 1)",
            Support::RealMatrix => "real matrices",
            Support::Ordered => "increasing vectors",
            Support::PositiveOrdered => "increasing vectors of positive numbers",
            Support::ZeroSum => "vectors with sum 0",
            Support::UnitVector => "vectors of length 1",
            Support::Correlation => "correlation matrices",
            Support::PositiveDefinite => "symmetric positive definite matrices",
            Support::LowerCholesky => "lower triangular matrices with a positive diagonal",
            Support::Counts { .. } => "vectors of non-negative integers with the total count as sum",
            Support::CorrelationCholesky => "Cholesky factors of correlation matrices",
            Support::Boolean => "0 or 1",
            Support::NonNegativeInteger => "non-negative integers",
            Support::IntegerInterval { .. } => "integers within bounds",
        }
    }

    /// Whether it consists of integers (or vectors of them).
    pub fn is_discrete(&self) -> bool {
        matches!(
            self,
            Support::Boolean | Support::NonNegativeInteger | Support::IntegerInterval { .. } | Support::Counts { .. }
        )
    }

    /// The map from unconstrained space onto the support; `None` where it is discrete or has
    /// points with a mass of their own.
    pub fn transform(&self) -> Option<Box<dyn Transform>> {
        Some(match *self {
            Support::Real | Support::RealVector | Support::RealMatrix => Box::new(transform::Identity),
            Support::Positive => Box::new(transform::Exp),
            Support::UnitInterval => Box::new(transform::Interval::unit()),
            Support::Interval { low, high } => Box::new(transform::Interval::new(low, high)),
            Support::LowerBound { low } => Box::new(transform::Lower::new(low)),
            Support::UpperBound { high } => Box::new(transform::Upper::new(high)),
            Support::Circular => Box::new(transform::Interval::new(-PI, PI)),
            Support::Simplex => Box::new(transform::StickBreaking),
            Support::Ordered => Box::new(transform::Ordered),
            Support::PositiveOrdered => Box::new(transform::PositiveOrdered),
            Support::ZeroSum => Box::new(transform::ZeroSum),
            Support::UnitVector => Box::new(transform::UnitVector),
            Support::Correlation => Box::new(transform::CorrelationMatrix),
            Support::CorrelationCholesky => Box::new(transform::CorrelationCholesky),
            Support::PositiveDefinite => Box::new(transform::CovarianceMatrix),
            Support::LowerCholesky => Box::new(transform::LowerCholesky),
            Support::Boolean
            | Support::NonNegativeInteger
            | Support::IntegerInterval { .. }
            | Support::Counts { .. }
            | Support::Mixed { .. }
            | Support::Point { .. } => {
                return None;
            }
        })
    }

    /// 1 where an element (or, for supports with events, an event) belongs to the support, else 0. NaN never does.
    pub fn contains(&self, value: Var) -> Var {
        let whole = |v: Var| (v - v.floor()).eq(0.0);
        // How far constraints on sums may be off: the rounding of long sums, not a wrong vector.
        const SLACK: f64 = 1e-6;
        match *self {
            Support::Real => value.abs().lt(f64::INFINITY),
            Support::Positive => value.ge(0.0) * value.lt(f64::INFINITY),
            Support::UnitInterval => value.ge(0.0) * value.le(1.0),
            Support::Interval { low, high } => value.ge(low) * value.le(high),
            Support::Mixed { low, high } => value.ge(low) * value.le(high) * value.abs().lt(f64::INFINITY),
            Support::LowerBound { low } => value.ge(low) * value.lt(f64::INFINITY),
            Support::UpperBound { high } => value.le(high) * value.gt(f64::NEG_INFINITY),
            Support::Circular => value.abs().le(PI),
            Support::Point { value: point } => value.eq(point),
            Support::RealVector => value.abs().lt(f64::INFINITY).min_axis(-1),
            Support::Simplex => value.ge(0.0).min_axis(-1) * (value.sum_axis(-1) - 1.0).abs().le(SLACK),
            Support::RealMatrix => value.abs().lt(f64::INFINITY).min_axis(-1).min_axis(-1),
            Support::Ordered => increasing(value) * value.abs().lt(f64::INFINITY).min_axis(-1),
            Support::PositiveOrdered => increasing(value) * (value.ge(0.0) * value.lt(f64::INFINITY)).min_axis(-1),
            Support::ZeroSum => {
                let size = value.abs().sum_axis(-1);
                value.sum_axis(-1).abs().le(SLACK * size.max(1.0)) * size.lt(f64::INFINITY)
            }
            Support::UnitVector => (value.square().sum_axis(-1) - 1.0).abs().le(SLACK),
            Support::Correlation => (value.diag() - 1.0).abs().le(SLACK).min_axis(-1) * definite(value, SLACK),
            Support::PositiveDefinite => definite(value, SLACK),
            Support::LowerCholesky => {
                let finite = value.abs().lt(f64::INFINITY).min_axis(-1).min_axis(-1);
                finite * value.diag().gt(0.0).min_axis(-1) * (value - value.tril()).eq(0.0).min_axis(-1).min_axis(-1)
            }
            Support::CorrelationCholesky => {
                let rows = (value.square().sum_axis(-1) - 1.0).abs().le(SLACK).min_axis(-1);
                rows * value.diag().gt(0.0).min_axis(-1) * (value - value.tril()).eq(0.0).min_axis(-1).min_axis(-1)
            }
            Support::Boolean => value.eq(0.0) + value.eq(1.0),
            Support::NonNegativeInteger => value.ge(0.0) * whole(value) * value.lt(f64::INFINITY),
            Support::IntegerInterval { low, high } => value.ge(low) * value.le(high) * whole(value),
            Support::Counts { total } => (value.ge(0.0) * whole(value)).min_axis(-1) * value.sum_axis(-1).eq(total),
        }
    }
}

/// 1 where no element of `[.., n]` is below the one before it. Neighbours may be equal by rounding.
fn increasing(value: Var) -> Var {
    let n = value.dim(-1);
    let steps = value.slice(-1, n.min(1)..n) - value.slice(-1, 0..n - n.min(1));
    // Of nothing the smallest is +inf.
    steps.ge(0.0).min_axis(-1).min(1.0)
}

/// 1 where `[.., n, n]` is symmetric, up to rounding, and positive definite.
fn definite(value: Var, slack: f64) -> Var {
    let largest = value.abs().max_axes(&[-2, -1]);
    let symmetric = (value - value.t()).abs().le(slack * largest).min_axis(-1).min_axis(-1);
    symmetric * value.cholesky().diag().gt(0.0).min_axis(-1)
}
