//! Exponentials, logarithms and powers.

use crate::ops::{Elementwise, Elementwise2};
use crate::real::Real;
use crate::var::Var;

pub(super) struct Exp;

impl Elementwise for Exp {
    const NAME: &'static str = "exp";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_exp()
    }
    fn adjoint(_: Var, y: Var, g: Var) -> Option<Var> {
        Some(g * y)
    }
}

pub(super) struct ExpM1;

impl Elementwise for ExpM1 {
    const NAME: &'static str = "exp_m1";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_expm1()
    }
    fn adjoint(_: Var, y: Var, g: Var) -> Option<Var> {
        Some(g * (y + 1.0))
    }
}

pub(super) struct Ln;

impl Elementwise for Ln {
    const NAME: &'static str = "ln";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_ln()
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g / x)
    }
}

pub(super) struct Ln1p;

impl Elementwise for Ln1p {
    const NAME: &'static str = "ln_1p";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_ln_1p()
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g / (x + 1.0))
    }
}

pub(super) struct Pow;

impl Elementwise2 for Pow {
    const NAME: &'static str = "pow";
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        a.k_powf(b)
    }
    /// `y = a^b`: `da = g b a^(b-1)`, which is 0 where b = 0; `db = g y ln a`, which is 0 where a = 0.
    fn adjoint(a: Var, b: Var, y: Var, g: Var) -> (Option<Var>, Option<Var>) {
        let positive = a.gt(0.0);
        let log = positive.select(a, 1.0).ln();
        let db = positive.select(y * log, a.eq(0.0).select(0.0, f64::NAN));
        let exponent = b.eq(0.0).select(1.0, b) - 1.0;
        (Some(g * b * a.pow(exponent)), Some(g * db))
    }
}
