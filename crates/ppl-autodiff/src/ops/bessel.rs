//! The modified Bessel functions of orders 0 and 1, times `e^-|x|`. Derivatives: DLMF 10.29.3.

use crate::ops::Elementwise;
use crate::real::Real;
use crate::var::Var;

pub(super) struct I0e;

impl Elementwise for I0e {
    const NAME: &'static str = "i0e";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_i0e()
    }
    fn adjoint(x: Var, y: Var, g: Var) -> Option<Var> {
        Some(g * (x.i1e() - x.signum() * y))
    }
}

pub(super) struct I1e;

impl Elementwise for I1e {
    const NAME: &'static str = "i1e";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_i1e()
    }
    /// `i0e - y (sign + 1/x)`, whose limit at 0 is 1/2.
    fn adjoint(x: Var, y: Var, g: Var) -> Option<Var> {
        let zero = x.eq(0.0);
        let ratio = zero.select(0.5, y / zero.select(1.0, x));
        Some(g * (x.i0e() - x.signum() * y - ratio))
    }
}
