//! Functions whose derivative is a step or nothing: absolute value, sign, floor, detach.

use crate::ops::Elementwise;
use crate::real::Real;
use crate::var::Var;

pub(super) struct Abs;

impl Elementwise for Abs {
    const NAME: &'static str = "abs";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.abs()
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g * x.signum())
    }
}

pub(super) struct Signum;

impl Elementwise for Signum {
    const NAME: &'static str = "signum";
    /// 0 at 0, NaN at NaN.
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        T::select(x > T::ZERO, T::ONE, T::select(x < T::ZERO, -T::ONE, x))
    }
    fn adjoint(_: Var, _: Var, _: Var) -> Option<Var> {
        None
    }
}

pub(super) struct Floor;

impl Elementwise for Floor {
    const NAME: &'static str = "floor";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.floor()
    }
    fn adjoint(_: Var, _: Var, _: Var) -> Option<Var> {
        None
    }
}

pub(super) struct Detach;

impl Elementwise for Detach {
    const NAME: &'static str = "detach";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x
    }
    fn adjoint(_: Var, _: Var, _: Var) -> Option<Var> {
        None
    }
}
