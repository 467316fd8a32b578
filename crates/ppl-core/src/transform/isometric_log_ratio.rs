//! Onto the simplex, by the softmax of a vector with sum 0.

use ppl_autodiff::{Shape, Var};

use super::{Entry, Transform, zero_sum};
use crate::support::Support;

/// From K - 1 numbers to K non-negative ones with sum 1: `y = softmax(z)` with z the image of x under
/// [`ZeroSum`](super::ZeroSum).
///
/// All pieces are treated alike, unlike in [`StickBreaking`](super::StickBreaking). The log-determinant is that of the
/// first K - 1 pieces, `ln(K) / 2 - K ln sum e^z`. Egozcue et al. (2003), Mathematical Geology 35(3); Stan from 2.37 on.
#[derive(Clone, Copy, Debug)]
pub struct IsometricLogRatio;

impl Transform for IsometricLogRatio {
    fn name(&self) -> &'static str {
        "isometric log ratio"
    }
    fn event_rank(&self) -> usize {
        1
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        zero_sum::shorter(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        zero_sum::forward(x).softmax(-1)
    }
    /// The transpose of the linear map takes constants to 0: the logarithms need no centring.
    fn inverse(&self, y: Var) -> Var {
        zero_sum::inverse(y.ln())
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let pieces = x.dim(-1) as f64 + 1.0;
        0.5 * pieces.ln() - pieces * zero_sum::forward(x).logsumexp_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "IsometricLogRatio",
    build: || Box::new(IsometricLogRatio),
    image: || Support::Simplex,
    shapes: &[&[2], &[4], &[2, 3]],
};
