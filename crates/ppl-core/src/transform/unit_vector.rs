//! Onto the sphere: directions.

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// From K numbers to `y = x / |x|`.
///
/// The length of x is free: it gets a standard normal term, `-|x|^2 / 2` in place of a log-determinant, under which y is
/// uniform on the sphere and the distribution of x is proper. There is no direction at x = 0: y is NaN there. The inverse
/// gives the x of length 1. Muller (1959), Comm. ACM 2(4); Stan Reference Manual, "Unit vector".
#[derive(Clone, Copy, Debug)]
pub struct UnitVector;

impl Transform for UnitVector {
    fn name(&self) -> &'static str {
        "unit vector"
    }
    fn event_rank(&self) -> usize {
        1
    }
    /// Scaled by the largest element, so that squares neither overflow nor underflow; the result does not depend on it.
    fn forward(&self, x: Var) -> Var {
        let x = x / x.abs().max_axes(&[-1]).detach();
        x / x.square().sum_axes(&[-1]).sqrt()
    }
    fn inverse(&self, y: Var) -> Var {
        y
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        -0.5 * x.square().sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "UnitVector",
    build: || Box::new(UnitVector),
    image: || Support::UnitVector,
    shapes: &[&[2], &[4], &[2, 3]],
};
