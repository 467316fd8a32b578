//! Onto vectors with sum 0, without stretching anything.

use ppl_autodiff::{Shape, Var, concat};

use super::{Entry, Transform};
use crate::support::Support;

/// From N numbers to N + 1 with sum 0: with `w_n = x_n / sqrt(n (n + 1))`, `y_1 = sum_n w_n` and
/// `y_{n+1} = sum_{i>n} w_i - n w_n`.
///
/// The columns of this map are orthonormal: lengths stay, the log-determinant (in an orthonormal basis of the plane) is
/// 0, and the inverse is the transpose. Stan Reference Manual, "Zero sum vector".
#[derive(Clone, Copy, Debug)]
pub struct ZeroSum;

/// One number for each n = 1..N.
fn each(count: usize, f: impl Fn(f64) -> f64) -> Var {
    Var::from((1..=count).map(|n| f(n as f64)).collect::<Vec<f64>>())
}

/// A zero for each row of `x: [.., n]`.
fn zero(x: Var) -> Var {
    let shape = x.shape();
    Var::zeros(Shape::from(&shape[..shape.rank().saturating_sub(1)]).join(&[1]))
}

pub(super) fn forward(x: Var) -> Var {
    let count = x.dim(-1);
    let backwards: Vec<usize> = (0..count).rev().collect();
    let w = x * each(count, |n| (n * (n + 1.0)).sqrt().recip());
    let after = w.gather(-1, &backwards).cumsum(-1).gather(-1, &backwards);
    concat(&[after, zero(x)], -1) - concat(&[zero(x), w * each(count, |n| n)], -1)
}

pub(super) fn inverse(y: Var) -> Var {
    let count = y.dim(-1).saturating_sub(1);
    let before = y.slice(-1, 0..count).cumsum(-1);
    let next = y.slice(-1, y.dim(-1) - count..y.dim(-1));
    (before - next * each(count, |n| n)) * each(count, |n| (n * (n + 1.0)).sqrt().recip())
}

/// One element less along the last axis.
pub(super) fn shorter(shape: &Shape) -> Shape {
    let mut shape = shape.to_vec();
    if let Some(last) = shape.last_mut() {
        *last = last.saturating_sub(1);
    }
    Shape::from(shape)
}

impl Transform for ZeroSum {
    fn name(&self) -> &'static str {
        "zero sum"
    }
    fn event_rank(&self) -> usize {
        1
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        shorter(constrained)
    }
    fn forward(&self, x: Var) -> Var {
        forward(x)
    }
    fn inverse(&self, y: Var) -> Var {
        inverse(y)
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let shape = x.shape();
        Var::zeros(Shape::from(&shape[..shape.rank().saturating_sub(1)]))
    }
}

pub(super) const ENTRY: Entry =
    Entry { name: "ZeroSum", build: || Box::new(ZeroSum), image: || Support::ZeroSum, shapes: &[&[2], &[4], &[2, 3]] };
