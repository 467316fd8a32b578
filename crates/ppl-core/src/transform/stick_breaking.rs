//! Onto the simplex, by breaking a stick of length 1 again and again.

use ppl_autodiff::{Shape, Var, concat};

use super::{Entry, Transform};
use crate::support::Support;

/// From K - 1 numbers to K non-negative ones with sum 1: piece k is the fraction `1 / (1 + e^-t)` of what the pieces
/// before have left, with `t = x_k - ln(K - k)` for k = 1..K-1, so that x = 0 gives equal pieces.
///
/// All lengths are kept as logarithms: a piece of e^-700 is as exact as any other. The log-determinant is that of the
/// first K - 1 pieces, `sum_k ln rest_k + ln z_k + ln(1 - z_k)` with z the fractions. Stan Reference Manual, "Unit
/// simplex"; NumPyro's `StickBreakingTransform`.
#[derive(Clone, Copy, Debug)]
pub struct StickBreaking;

/// `ln(K - k)` for k = 1..K-1: the log-odds of a fair share.
fn fair(pieces: usize) -> Var {
    Var::from((1..pieces).rev().map(|left| (left as f64).ln()).collect::<Vec<f64>>())
}

/// The logarithms of what is left before each piece, `[.., K]`; the last one is the last piece.
fn ln_rest(t: Var) -> Var {
    let mut start = t.shape().to_vec();
    if let Some(last) = start.last_mut() {
        *last = 1;
    }
    concat(&[Var::zeros(start), (-t.softplus()).cumsum(-1)], -1)
}

impl Transform for StickBreaking {
    fn name(&self) -> &'static str {
        "stick breaking"
    }
    fn event_rank(&self) -> usize {
        1
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        let mut shape = constrained.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = last.saturating_sub(1);
        }
        Shape::from(shape)
    }
    fn forward(&self, x: Var) -> Var {
        let pieces = x.dim(-1) + 1;
        let t = x - fair(pieces);
        let rest = ln_rest(t);
        let broken = rest.slice(-1, 0..pieces - 1) - (-t).softplus();
        concat(&[broken, rest.slice(-1, pieces - 1..pieces)], -1).exp()
    }
    /// The log-odds of a piece against the sum of those after it.
    fn inverse(&self, y: Var) -> Var {
        let pieces = y.dim(-1).max(1);
        let backwards: Vec<usize> = (0..pieces - 1).rev().collect();
        let after = y.slice(-1, 1..pieces).gather(-1, &backwards);
        let after = after.cumsum(-1).gather(-1, &backwards);
        y.slice(-1, 0..pieces - 1).ln() - after.ln() + fair(pieces)
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let pieces = x.dim(-1) + 1;
        let t = x - fair(pieces);
        let rest = ln_rest(t).slice(-1, 0..pieces - 1);
        (rest - t.softplus() - (-t).softplus()).sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "StickBreaking",
    build: || Box::new(StickBreaking),
    image: || Support::Simplex,
    shapes: &[&[2], &[4], &[2, 3]],
};
