//! Sine and cosine.

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
