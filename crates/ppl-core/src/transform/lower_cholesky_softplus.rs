//! Onto lower triangular matrices with a positive diagonal that grows linearly.

use ppl_autodiff::{Shape, Var};

use super::lower_cholesky::{diagonal, pack, triangle, unpack};
use super::{Entry, Softplus, Transform};
use crate::support::Support;

/// As [`LowerCholesky`](super::LowerCholesky), with the diagonal through the softplus: for full-rank guides, whose scales
/// should not run away. The log-determinant is the sum of `-ln(1 + e^-x)` over the diagonal. NumPyro's
/// `SoftplusLowerCholeskyTransform`.
#[derive(Clone, Copy, Debug)]
pub struct LowerCholeskySoftplus;

impl Transform for LowerCholeskySoftplus {
    fn name(&self) -> &'static str {
        "lower cholesky softplus"
    }
    fn event_rank(&self) -> usize {
        2
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        triangle(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        pack(x, Var::softplus)
    }
    fn inverse(&self, y: Var) -> Var {
        unpack(y, |d| Softplus.inverse(d))
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        -(-diagonal(x)).softplus().sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "LowerCholeskySoftplus",
    build: || Box::new(LowerCholeskySoftplus),
    image: || Support::LowerCholesky,
    shapes: &[&[1, 1], &[3, 3], &[2, 2, 2]],
};
