//! The hyperbolic tangent and its kin: sigmoid and softplus.

use crate::ops::Elementwise;
use crate::real::Real;
use crate::var::Var;

pub(super) struct Tanh;

impl Elementwise for Tanh {
    const NAME: &'static str = "tanh";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_tanh()
    }
    fn adjoint(_: Var, y: Var, g: Var) -> Option<Var> {
        Some(g * (1.0 - y.square()))
    }
}

pub(super) struct Sigmoid;

impl Elementwise for Sigmoid {
    const NAME: &'static str = "sigmoid";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_sigmoid()
    }
    fn adjoint(_: Var, y: Var, g: Var) -> Option<Var> {
        Some(g * (y * (1.0 - y)))
    }
}

pub(super) struct Softplus;

impl Elementwise for Softplus {
    const NAME: &'static str = "softplus";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_softplus()
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g * x.sigmoid())
    }
}
