//! Onto symmetric positive definite matrices, through their Cholesky factors.

use std::f64::consts::LN_2;

use ppl_autodiff::{Shape, Var};

use super::{Entry, Transform, lower_cholesky};
use crate::support::Support;

/// From K (K + 1) / 2 numbers to `S = L L'` with L the image under [`LowerCholesky`](super::LowerCholesky).
///
/// The log-determinant is that of the lower triangle of S: with d_i the numbers on the diagonal, i = 1..K, it is
/// `K ln 2 + sum_i (K - i + 2) d_i`. Stan Reference Manual, "Covariance matrices".
#[derive(Clone, Copy, Debug)]
pub struct CovarianceMatrix;

impl Transform for CovarianceMatrix {
    fn name(&self) -> &'static str {
        "covariance matrix"
    }
    fn event_rank(&self) -> usize {
        2
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        lower_cholesky::triangle(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        let l = lower_cholesky::forward(x);
        l.matmul(l.t())
    }
    fn inverse(&self, y: Var) -> Var {
        lower_cholesky::inverse(y.cholesky())
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let diagonal = lower_cholesky::diagonal(x);
        let rows = diagonal.dim(-1);
        let powers = Var::from((0..rows).map(|i| (rows - i + 1) as f64).collect::<Vec<f64>>());
        (powers * diagonal).sum_axis(-1) + rows as f64 * LN_2
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "CovarianceMatrix",
    build: || Box::new(CovarianceMatrix),
    image: || Support::PositiveDefinite,
    shapes: &[&[1, 1], &[2, 2], &[2, 2, 2]],
};
