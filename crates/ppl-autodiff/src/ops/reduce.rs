//! Reductions over axes.

use crate::var::Var;

/// What a reduction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// The sum; 0 of nothing.
    Sum,
    /// The largest; NaN if any is, -inf of nothing.
    Max,
    /// The smallest; NaN if any is, +inf of nothing.
    Min,
    /// `ln sum e^x` without overflow; -inf of nothing.
    LogSumExp,
}

impl Reduction {
    /// All of them.
    pub const ALL: &[Reduction] = &[Reduction::Sum, Reduction::Max, Reduction::Min, Reduction::LogSumExp];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Max => "max_axis",
            Reduction::Min => "min_axis",
            Reduction::LogSumExp => "logsumexp",
        }
    }
}

/// `y` and `g` have the reduced axes with extent 1, so they broadcast against `x`.
pub(super) fn adjoint(op: Reduction, x: Var, y: Var, g: Var) -> Var {
    match op {
        Reduction::Sum => g.broadcast_to(x.shape()),
        // Ties share evenly, as in JAX.
        Reduction::Max | Reduction::Min => {
            let hit = x.eq(y);
            g * (hit / hit.sum_to(&y.shape()))
        }
        // exp(x - y) is the softmax; where y = -inf no element counts, where y = +inf the infinite ones share, and a
        // NaN stays one.
        Reduction::LogSumExp => {
            let infinite = y.abs().eq(f64::INFINITY);
            let soft = (x - infinite.select(0.0, y)).exp();
            let hit = x.eq(f64::INFINITY);
            let hits = hit.sum_to(&y.shape()).max(1.0);
            g * y.eq(f64::INFINITY).select(hit / hits, soft)
        }
    }
}
