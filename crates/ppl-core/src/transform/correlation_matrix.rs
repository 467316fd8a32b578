//! Onto correlation matrices, through their Cholesky factors.

use ppl_autodiff::{Shape, Var};

use super::correlation_cholesky::{self, CorrelationCholesky};
use super::{Entry, Transform};
use crate::support::Support;

/// From K (K - 1) / 2 numbers to `R = L L'` with L the image under [`CorrelationCholesky`].
///
/// The log-determinant is that of the elements of R below the diagonal: `sum_i (K - i) ln L_ii` more than that of L. Stan
/// Reference Manual, "Correlation matrices".
#[derive(Clone, Copy, Debug)]
pub struct CorrelationMatrix;

impl Transform for CorrelationMatrix {
    fn name(&self) -> &'static str {
        "correlation matrix"
    }
    fn event_rank(&self) -> usize {
        2
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        CorrelationCholesky.unconstrained_shape(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        let l = CorrelationCholesky.forward(x);
        l.matmul(l.t())
    }
    fn inverse(&self, y: Var) -> Var {
        CorrelationCholesky.inverse(y.cholesky())
    }
    fn log_det(&self, x: Var, y: Var) -> Var {
        let ln = correlation_cholesky::ln_diagonal(x);
        let rows = ln.dim(-1);
        let powers = Var::from((1..=rows).map(|i| (rows - i) as f64).collect::<Vec<f64>>());
        CorrelationCholesky.log_det(x, y) + (powers * ln).sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "CorrelationMatrix",
    build: || Box::new(CorrelationMatrix),
    image: || Support::Correlation,
    shapes: &[&[2, 2], &[3, 3], &[2, 3, 3]],
};
