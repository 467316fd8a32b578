//! Sums, products, quotients, squares and roots.

use crate::error::Mistake;
use crate::ops::{Elementwise, Elementwise2};
use crate::real::Real;
use crate::shape::Shape;
use crate::var::Var;

/// The common shape of elementwise operands.
pub(super) fn broadcast(operation: &'static str, x: &[&Shape]) -> Result<Shape, Mistake> {
    x.iter().try_fold(Shape::scalar(), |common, shape| common.broadcast(shape)).ok_or_else(|| Mistake::Shapes {
        operation,
        shapes: x.iter().map(|&s| s.clone()).collect(),
        rule: "axes align from the right and must be equal or 1",
    })
}

pub(super) struct Add;

impl Elementwise2 for Add {
    const NAME: &'static str = "add";
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        a + b
    }
    fn adjoint(_: Var, _: Var, _: Var, g: Var) -> (Option<Var>, Option<Var>) {
        (Some(g), Some(g))
    }
}

pub(super) struct Sub;

impl Elementwise2 for Sub {
    const NAME: &'static str = "sub";
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        a - b
    }
    fn adjoint(_: Var, _: Var, _: Var, g: Var) -> (Option<Var>, Option<Var>) {
        (Some(g), Some(-g))
    }
}

pub(super) struct Mul;

impl Elementwise2 for Mul {
    const NAME: &'static str = "mul";
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        a * b
    }
    fn adjoint(a: Var, b: Var, _: Var, g: Var) -> (Option<Var>, Option<Var>) {
        (Some(g * b), Some(g * a))
    }
}

pub(super) struct Div;

impl Elementwise2 for Div {
    const NAME: &'static str = "div";
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        a / b
    }
    /// `y = a / b`: `da = g / b`, `db = -g y / b`.
    fn adjoint(_: Var, b: Var, y: Var, g: Var) -> (Option<Var>, Option<Var>) {
        let da = g / b;
        (Some(da), Some(-(da * y)))
    }
}

pub(super) struct Neg;

impl Elementwise for Neg {
    const NAME: &'static str = "neg";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        -x
    }
    fn adjoint(_: Var, _: Var, g: Var) -> Option<Var> {
        Some(-g)
    }
}

pub(super) struct Square;

impl Elementwise for Square {
    const NAME: &'static str = "square";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x * x
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g * (x + x))
    }
}

pub(super) struct Recip;

impl Elementwise for Recip {
    const NAME: &'static str = "recip";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        T::ONE / x
    }
    fn adjoint(_: Var, y: Var, g: Var) -> Option<Var> {
        Some(-(g * y.square()))
    }
}

pub(super) struct Sqrt;

impl Elementwise for Sqrt {
    const NAME: &'static str = "sqrt";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.sqrt()
    }
    fn adjoint(_: Var, y: Var, g: Var) -> Option<Var> {
        Some(g * 0.5 / y)
    }
}
