//! Onto the simplex, by the softmax of numbers and the one that brings their sum to 0.

use ppl_autodiff::{Shape, Var, concat};

use super::{Entry, Transform, zero_sum};
use crate::support::Support;

/// From K - 1 numbers to K non-negative ones with sum 1: `y = softmax([x, -sum x])`, so that x are the first logarithms
/// less the mean of all.
///
/// The log-determinant is that of the first K - 1 pieces, `ln K - K ln sum e^z`. PyMC's simplex transform.
#[derive(Clone, Copy, Debug)]
pub struct CenteredLogRatio;

fn centred(x: Var) -> Var {
    concat(&[x, -x.sum_axes(&[-1])], -1)
}

impl Transform for CenteredLogRatio {
    fn name(&self) -> &'static str {
        "centered log ratio"
    }
    fn event_rank(&self) -> usize {
        1
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        zero_sum::shorter(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        centred(x).softmax(-1)
    }
    fn inverse(&self, y: Var) -> Var {
        let n = y.dim(-1);
        let ln = y.ln();
        ln.slice(-1, 0..n.saturating_sub(1)) - ln.sum_axes(&[-1]) / n as f64
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let pieces = x.dim(-1) as f64 + 1.0;
        pieces.ln() - pieces * centred(x).logsumexp_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "CenteredLogRatio",
    build: || Box::new(CenteredLogRatio),
    image: || Support::Simplex,
    shapes: &[&[2], &[4], &[2, 3]],
};
