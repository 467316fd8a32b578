//! Onto the Cholesky factors of correlation matrices, through partial correlations.

use std::f64::consts::LN_2;

use ppl_autodiff::{Mistake, Shape, Tensor, Var, concat, mistake};

use super::{Entry, Transform};
use crate::support::Support;

/// From K (K - 1) / 2 numbers, row by row, to a lower triangular K x K matrix with rows of length 1 and a positive
/// diagonal. With `z = tanh x` in row i and columns j < i: `L_ij = z_ij sqrt(prod_{k<j} 1 - z_ik^2)`, and `L_ii` is what
/// remains of the row's length.
///
/// What remains is kept as a logarithm, from `ln(1 - tanh^2 x) = 2 (ln 2 - x - softplus(-2 x))`. The log-determinant is
/// that of the elements below the diagonal. Lewandowski, Kurowicka and Joe (2009); Stan Reference Manual, "Cholesky
/// factors of correlation matrices".
#[derive(Clone, Copy, Debug)]
pub struct CorrelationCholesky;

/// The number of rows of a triangle with `count` elements below the diagonal.
fn rows(x: Var) -> usize {
    let count = x.dim(-1);
    let rows = (((1 + 8 * count) as f64).sqrt() as usize).div_ceil(2);
    if rows * (rows - 1) / 2 == count {
        return rows;
    }
    mistake(Mistake::Shapes {
        operation: "correlation cholesky",
        shapes: vec![x.shape()],
        rule: "[.., K (K - 1) / 2] is needed",
    });
    1
}

/// 1 below the diagonal, else 0.
fn strictly_lower(rows: usize) -> Var {
    let mask: Vec<f64> = (0..rows * rows).map(|i| f64::from(u8::from(i % rows < i / rows))).collect();
    Tensor::new([rows, rows], mask).map_or_else(|| Var::zeros([rows, rows]), Var::from)
}

/// `[.., K (K - 1) / 2]` as square matrices with zeros on and above the diagonal.
fn unpack(x: Var, rows: usize) -> Var {
    let shape = x.shape();
    let batch = Shape::from(&shape[..shape.rank() - 1]);
    let (count, mut next) = (rows * (rows - 1) / 2, 0);
    let mut places = vec![count; rows * rows];
    for i in 0..rows {
        for j in 0..i {
            places[i * rows + j] = next;
            next += 1;
        }
    }
    let padded = concat(&[x, Var::zeros(batch.join(&[1]))], -1);
    padded.gather(-1, &places).reshape(batch.join(&[rows, rows]))
}

/// `ln(1 - z^2)` and the logarithm of what it leaves of each row's squared length before each column.
fn ln_rest(square: Var, rows: usize) -> (Var, Var) {
    let mask = strictly_lower(rows);
    let ln = 2.0 * (LN_2 - square - (-2.0 * square).softplus());
    let ln = mask.select(ln, 0.0);
    let shape = ln.shape();
    let first = Var::zeros(Shape::from(&shape[..shape.rank() - 1]).join(&[1]));
    let rest = concat(&[first, ln.slice(-1, 0..rows - 1).cumsum(-1)], -1);
    (ln, rest)
}

/// The logarithms of the diagonal, `[.., K]`.
pub(super) fn ln_diagonal(x: Var) -> Var {
    let rows = rows(x);
    0.5 * ln_rest(unpack(x, rows), rows).1.diag()
}

impl Transform for CorrelationCholesky {
    fn name(&self) -> &'static str {
        "correlation cholesky"
    }
    fn event_rank(&self) -> usize {
        2
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        match constrained[..] {
            [ref batch @ .., rows, _] => Shape::from(batch).join(&[rows * rows.saturating_sub(1) / 2]),
            _ => constrained.clone(),
        }
    }
    fn forward(&self, x: Var) -> Var {
        let rows = rows(x);
        let square = unpack(x, rows);
        let (_, rest) = ln_rest(square, rows);
        let identity = Var::from(1.0).broadcast_to([rows]).diag_embed();
        (square.tanh() + identity) * (strictly_lower(rows) + identity).select(0.5 * rest, 0.0).exp()
    }
    /// `x = atanh z` from the squared lengths r of what remains of a row before and after a column, summed from the
    /// right so that nothing cancels: `1 - z^2 = r_after / r_before`.
    fn inverse(&self, y: Var) -> Var {
        let (shape, rows) = (y.shape(), y.dim(-1).max(1));
        let backwards: Vec<usize> = (0..rows).rev().collect();
        let lower = y.tril();
        let rest = lower.square().gather(-1, &backwards).cumsum(-1);
        let rest = rest.gather(-1, &backwards);
        let (before, after) = (rest.slice(-1, 0..rows - 1), rest.slice(-1, 1..rows));
        let mask = strictly_lower(rows).slice(-1, 0..rows - 1);
        let (before, after) = (mask.select(before, 1.0), mask.select(after, 1.0));
        let z = mask.select(lower.slice(-1, 0..rows - 1), 0.0) / before.sqrt();
        // atanh z = ln(1 + z) - ln(1 - z^2) / 2 for z >= 0, and odd.
        let positive = z.ge(0.0);
        let x = positive.select(z, -z).ln_1p() - 0.5 * (after.ln() - before.ln());
        let x = positive.select(x, -x);
        let batch = Shape::from(&shape[..shape.rank().saturating_sub(2)]);
        let places: Vec<usize> = (0..rows).flat_map(|i| (0..i).map(move |j| i * (rows - 1) + j)).collect();
        x.reshape(batch.join(&[rows * (rows - 1)])).gather(-1, &places)
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let rows = rows(x);
        let (ln, rest) = ln_rest(unpack(x, rows), rows);
        let terms = strictly_lower(rows).select(0.5 * rest + ln, 0.0);
        terms.sum_axis(-1).sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "CorrelationCholesky",
    build: || Box::new(CorrelationCholesky),
    image: || Support::CorrelationCholesky,
    shapes: &[&[2, 2], &[4, 4], &[2, 3, 3]],
};
