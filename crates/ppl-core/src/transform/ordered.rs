//! Onto increasing vectors: cutpoints, and the locations of mixtures without their symmetry.

use ppl_autodiff::{Var, concat};

use super::{Entry, Transform};
use crate::support::Support;

/// `y_1 = x_1`, `y_k = y_{k-1} + e^{x_k}`; the log-determinant is `x_2 + .. + x_K`. Stan Reference Manual, "Ordered
/// vector"; NumPyro's `OrderedTransform`.
#[derive(Clone, Copy, Debug)]
pub struct Ordered;

/// The first element and the others.
fn split(x: Var) -> (Var, Var) {
    let length = x.dim(-1);
    let first = length.min(1);
    (x.slice(-1, 0..first), x.slice(-1, first..length))
}

/// The first element and the steps between neighbours.
pub(super) fn steps(y: Var) -> (Var, Var) {
    let (first, rest) = split(y);
    let length = rest.dim(-1);
    (first, rest - y.slice(-1, 0..length))
}

impl Transform for Ordered {
    fn name(&self) -> &'static str {
        "ordered"
    }
    fn event_rank(&self) -> usize {
        1
    }
    fn forward(&self, x: Var) -> Var {
        let (first, rest) = split(x);
        concat(&[first, rest.exp()], -1).cumsum(-1)
    }
    fn inverse(&self, y: Var) -> Var {
        let (first, steps) = steps(y);
        concat(&[first, steps.ln()], -1)
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        split(x).1.sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry =
    Entry { name: "Ordered", build: || Box::new(Ordered), image: || Support::Ordered, shapes: &[&[1], &[4], &[2, 3]] };
