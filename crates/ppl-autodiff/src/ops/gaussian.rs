//! The error function and its complement.

use std::f64::consts::FRAC_2_SQRT_PI;

use crate::ops::Elementwise;
use crate::real::Real;
use crate::var::Var;

pub(super) struct Erf;

impl Elementwise for Erf {
    const NAME: &'static str = "erf";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_erf()
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g * (-x.square()).exp() * FRAC_2_SQRT_PI)
    }
}

pub(super) struct Erfc;

impl Elementwise for Erfc {
    const NAME: &'static str = "erfc";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_erfc()
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g * (-x.square()).exp() * -FRAC_2_SQRT_PI)
    }
}
