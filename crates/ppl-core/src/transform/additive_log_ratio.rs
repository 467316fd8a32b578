//! Onto the simplex, by the softmax of numbers against a last one that stays 0.

use ppl_autodiff::{Shape, Var, concat};

use super::{Entry, Transform, zero_sum};
use crate::support::Support;

/// From K - 1 numbers to K non-negative ones with sum 1: `y = softmax([x, 0])`, so that `x_k = ln(y_k / y_K)`.
///
/// The coordinates of multinomial logistic regression; the last piece is treated apart from the others. The
/// log-determinant is that of the first K - 1 pieces, `sum ln y`. Aitchison (1982), J. Royal Statistical Society B 44(2).
#[derive(Clone, Copy, Debug)]
pub struct AdditiveLogRatio;

fn with_zero(x: Var) -> Var {
    let shape = x.shape();
    let batch = Shape::from(&shape[..shape.rank().saturating_sub(1)]);
    concat(&[x, Var::zeros(batch.join(&[1]))], -1)
}

impl Transform for AdditiveLogRatio {
    fn name(&self) -> &'static str {
        "additive log ratio"
    }
    fn event_rank(&self) -> usize {
        1
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        zero_sum::shorter(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        with_zero(x).softmax(-1)
    }
    fn inverse(&self, y: Var) -> Var {
        let n = y.dim(-1);
        let ln = y.ln();
        ln.slice(-1, 0..n.saturating_sub(1)) - ln.slice(-1, n.saturating_sub(1)..n)
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let pieces = x.dim(-1) as f64 + 1.0;
        x.sum_axis(-1) - pieces * with_zero(x).logsumexp_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "AdditiveLogRatio",
    build: || Box::new(AdditiveLogRatio),
    image: || Support::Simplex,
    shapes: &[&[2], &[4], &[2, 3]],
};
