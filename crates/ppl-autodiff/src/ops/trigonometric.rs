//! Sine, cosine and the arctangent.

use crate::kernels::elementary;
use crate::ops::Elementwise;
use crate::real::Real;
use crate::var::Var;

pub(super) struct Sin;

impl Elementwise for Sin {
    const NAME: &'static str = "sin";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_sin()
    }
    fn block<T: Real>(x: &[T], out: &mut [T]) {
        elementary::sin(x, out);
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g * x.cos())
    }
}

pub(super) struct Cos;

impl Elementwise for Cos {
    const NAME: &'static str = "cos";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_cos()
    }
    fn block<T: Real>(x: &[T], out: &mut [T]) {
        elementary::cos(x, out);
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(-(g * x.sin()))
    }
}

pub(super) struct Atan;

impl Elementwise for Atan {
    const NAME: &'static str = "atan";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_atan()
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g / (1.0 + x.square()))
    }
}
