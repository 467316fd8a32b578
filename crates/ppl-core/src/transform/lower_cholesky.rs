//! Onto lower triangular matrices with a positive diagonal: the Cholesky factors of covariance matrices.

use ppl_autodiff::{Mistake, Shape, Var, concat, mistake};

use super::{Entry, Transform};
use crate::support::Support;

/// From K (K + 1) / 2 numbers, row by row, to a lower triangular K x K matrix: the diagonal through the exponential, what
/// is below as it is. The log-determinant, that of the lower triangle, is the sum of the numbers on the diagonal. Stan
/// Reference Manual, "Cholesky factors of covariance matrices"; NumPyro's `LowerCholeskyTransform`.
#[derive(Clone, Copy, Debug)]
pub struct LowerCholesky;

/// The number of rows of a triangle with `count` elements, the diagonal included.
pub(super) fn rows(x: Var) -> usize {
    let count = x.dim(-1);
    let rows = (((1 + 8 * count) as f64).sqrt() as usize).saturating_sub(1) / 2;
    if rows * (rows + 1) / 2 == count {
        return rows;
    }
    let rule = "[.., K (K + 1) / 2] is needed";
    mistake(Mistake::Shapes { operation: "lower cholesky", shapes: vec![x.shape()], rule });
    0
}

/// Where the diagonal stands among the elements of a triangle, row by row.
pub(super) fn diagonal(x: Var) -> Var {
    let places: Vec<usize> = (0..rows(x)).map(|i| i * (i + 3) / 2).collect();
    x.gather(-1, &places)
}

pub(super) fn triangle(constrained: &Shape) -> Shape {
    match constrained[..] {
        [ref batch @ .., rows, _] => Shape::from(batch).join(&[rows * (rows + 1) / 2]),
        _ => constrained.clone(),
    }
}

pub(super) fn forward(x: Var) -> Var {
    pack(x, Var::exp)
}

pub(super) fn inverse(y: Var) -> Var {
    unpack(y, Var::ln)
}

/// The matrix of a triangle's elements, the diagonal through a function.
pub(super) fn pack(x: Var, positive: fn(Var) -> Var) -> Var {
    let rows = rows(x);
    let shape = x.shape();
    let batch = Shape::from(&shape[..shape.rank() - 1]);
    let count = rows * (rows + 1) / 2;
    let place = |i: usize, j: usize| if j < i { i * (i + 1) / 2 + j } else { count };
    let places: Vec<usize> = (0..rows * rows).map(|at| place(at / rows, at % rows)).collect();
    let padded = concat(&[x, Var::zeros(batch.join(&[1]))], -1);
    padded.gather(-1, &places).reshape(batch.join(&[rows, rows])) + positive(diagonal(x)).diag_embed()
}

/// The elements of a matrix's triangle, the diagonal through the inverse of that function.
pub(super) fn unpack(y: Var, inverse: fn(Var) -> Var) -> Var {
    let (shape, rows) = (y.shape(), y.dim(-1));
    let batch = Shape::from(&shape[..shape.rank().saturating_sub(2)]);
    // The rows with what the diagonal came from behind them.
    let both = concat(&[y.reshape(batch.join(&[rows * rows])), inverse(y.diag())], -1);
    let place = |i: usize, j: usize| if j < i { i * rows + j } else { rows * rows + i };
    let places: Vec<usize> = (0..rows).flat_map(|i| (0..=i).map(move |j| place(i, j))).collect();
    both.gather(-1, &places)
}

impl Transform for LowerCholesky {
    fn name(&self) -> &'static str {
        "lower cholesky"
    }
    fn event_rank(&self) -> usize {
        2
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        triangle(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        forward(x)
    }
    fn inverse(&self, y: Var) -> Var {
        inverse(y)
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        diagonal(x).sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "LowerCholesky",
    build: || Box::new(LowerCholesky),
    image: || Support::LowerCholesky,
    shapes: &[&[1, 1], &[3, 3], &[2, 2, 2]],
};
