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
}

impl Support {
    /// The number of axes of one event.
    pub fn event_rank(&self) -> usize {
        match self {
            Support::RealVector | Support::Simplex => 1,
            Support::CorrelationCholesky => 2,
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
            Support::LowerBound { .. } => "numbers above a bound",
            Support::UpperBound { .. } => "numbers below a bound",
            Support::Circular => "angles between -pi and pi",
            Support::Point { .. } => "a single value",
            Support::RealVector => "real vectors",
            Support::Simplex => "simplices (non-negative, sum 1)",
            Support::CorrelationCholesky => "Cholesky factors of correlation matrices",
            Support::Boolean => "0 or 1",
            Support::NonNegativeInteger => "non-negative integers",
            Support::IntegerInterval { .. } => "integers within bounds",
        }
    }

    /// The map from unconstrained space onto the support; `None` where it is discrete.
    pub fn transform(&self) -> Option<Box<dyn Transform>> {
        Some(match *self {
            Support::Real | Support::RealVector => Box::new(transform::Identity),
            Support::Positive => Box::new(transform::Exp),
            Support::UnitInterval => Box::new(transform::Interval::unit()),
            Support::Interval { low, high } => Box::new(transform::Interval::new(low, high)),
            Support::LowerBound { low } => Box::new(transform::Lower::new(low)),
            Support::UpperBound { high } => Box::new(transform::Upper::new(high)),
            Support::Circular => Box::new(transform::Interval::new(-PI, PI)),
            Support::Simplex => Box::new(transform::StickBreaking),
            Support::CorrelationCholesky => Box::new(transform::CorrelationCholesky),
            Support::Boolean
            | Support::NonNegativeInteger
            | Support::IntegerInterval { .. }
            | Support::Point { .. } => {
                return None;
            }
        })
    }

    /// 1 where an element (or, for supports with events, an event) belongs to the support, else 0. NaN never does.
    pub fn contains(&self, value: Var) -> Var {
        let whole = |v: Var| v.floor().eq(v);
        // How far constraints on sums may be off: the rounding of long sums, not a wrong vector.
        const SLACK: f64 = 1e-6;
        match *self {
            Support::Real => value.abs().lt(f64::INFINITY),
            Support::Positive => value.ge(0.0) * value.lt(f64::INFINITY),
            Support::UnitInterval => value.ge(0.0) * value.le(1.0),
            Support::Interval { low, high } => value.ge(low) * value.le(high),
            Support::LowerBound { low } => value.ge(low) * value.lt(f64::INFINITY),
            Support::UpperBound { high } => value.le(high) * value.gt(f64::NEG_INFINITY),
            Support::Circular => value.abs().le(PI),
            Support::Point { value: point } => value.eq(point),
            Support::RealVector => value.abs().lt(f64::INFINITY).min_axis(-1),
            Support::Simplex => value.ge(0.0).min_axis(-1) * (value.sum_axis(-1) - 1.0).abs().le(SLACK),
            Support::CorrelationCholesky => {
                let rows = (value.square().sum_axis(-1) - 1.0).abs().le(SLACK).min_axis(-1);
                rows * value.diag().gt(0.0).min_axis(-1) * (value - value.tril()).eq(0.0).min_axis(-1).min_axis(-1)
            }
            Support::Boolean => value.eq(0.0) + value.eq(1.0),
            Support::NonNegativeInteger => value.ge(0.0) * whole(value) * value.lt(f64::INFINITY),
            Support::IntegerInterval { low, high } => value.ge(low) * value.le(high) * whole(value),
        }
    }
}
