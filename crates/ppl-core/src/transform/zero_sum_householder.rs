//! Onto the vectors with sum 0, by a reflection.

use ppl_autodiff::{Shape, Var, concat};

use super::{Entry, Transform, zero_sum};
use crate::support::Support;

/// From K - 1 numbers with sum s to K with sum 0: `y_k = x_k - s / (K + sqrt K)`, the last one `-s / sqrt K`.
///
/// An isometry, as [`ZeroSum`](super::ZeroSum), of which it is a rotation: the log-determinant is 0. PyMC's and NumPyro's
/// zero-sum transform.
#[derive(Clone, Copy, Debug)]
pub struct ZeroSumHouseholder;

impl Transform for ZeroSumHouseholder {
    fn name(&self) -> &'static str {
        "zero sum householder"
    }
    fn event_rank(&self) -> usize {
        1
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        zero_sum::shorter(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        let pieces = x.dim(-1) as f64 + 1.0;
        let sum = x.sum_axes(&[-1]);
        concat(&[x - sum / (pieces + pieces.sqrt()), -sum / pieces.sqrt()], -1)
    }
    fn inverse(&self, y: Var) -> Var {
        let n = y.dim(-1);
        let (first, last) = (y.slice(-1, 0..n.saturating_sub(1)), y.slice(-1, n.saturating_sub(1)..n));
        first - last / (1.0 + (n as f64).sqrt())
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let shape = x.shape();
        Var::zeros(Shape::from(&shape[..shape.rank().saturating_sub(1)]))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "ZeroSumHouseholder",
    build: || Box::new(ZeroSumHouseholder),
    image: || Support::ZeroSum,
    shapes: &[&[2], &[5], &[2, 3]],
};
