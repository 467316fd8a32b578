//! Onto increasing vectors of positive numbers.

use ppl_autodiff::{Var, concat};

use super::ordered::steps;
use super::{Entry, Transform};
use crate::support::Support;

/// `y_1 = e^{x_1}`, `y_k = y_{k-1} + e^{x_k}`; the log-determinant is the sum of x. Stan Reference Manual, "Positive
/// ordered vector". (NumPyro's map of this name is the exponential of an ordered vector, another one.)
#[derive(Clone, Copy, Debug)]
pub struct PositiveOrdered;

impl Transform for PositiveOrdered {
    fn name(&self) -> &'static str {
        "positive ordered"
    }
    fn event_rank(&self) -> usize {
        1
    }
    fn forward(&self, x: Var) -> Var {
        x.exp().cumsum(-1)
    }
    fn inverse(&self, y: Var) -> Var {
        let (first, steps) = steps(y);
        concat(&[first, steps], -1).ln()
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        x.sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "PositiveOrdered",
    build: || Box::new(PositiveOrdered),
    image: || Support::PositiveOrdered,
    shapes: &[&[1], &[4], &[2, 3]],
};
