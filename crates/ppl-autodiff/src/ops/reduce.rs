//! Reductions over axes.

use smallvec::SmallVec;

use super::Axes;
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
pub(super) fn adjoint(op: Reduction, axes: &Axes, x: Var, y: Var, g: Var) -> Var {
    let reduce = |x: Var, op: Reduction| {
        let axes: SmallVec<[isize; 4]> = axes.iter().map(|&axis| axis as isize).collect();
        x.reduce(op, &axes, true)
    };
    match op {
        Reduction::Sum => g.broadcast_to(x.shape()),
        // Ties share evenly, as in JAX.
        Reduction::Max | Reduction::Min => {
            let hit = x.eq(y);
            g * (hit / reduce(hit, Reduction::Sum))
        }
        // The softmax, in the nodes that the value is expanded to (`passes/expand`), which are then shared. Where all are
        // -inf no element counts, where some are +inf those share, and a NaN stays one.
        Reduction::LogSumExp => {
            let max = reduce(x.detach(), Reduction::Max);
            let shift = max.abs().lt(f64::INFINITY).select(max, 0.0);
            let power = (x - shift).exp();
            let sum = reduce(power, Reduction::Sum);
            let hit = x.eq(f64::INFINITY);
            let hits = reduce(hit, Reduction::Sum);
            let infinite = max.eq(f64::INFINITY);
            let whole = infinite.select(hits, sum.eq(0.0).select(1.0, sum));
            g * (infinite.select(hit, power) / whole)
        }
    }
}
