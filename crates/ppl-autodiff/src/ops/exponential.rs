//! Exponentials, logarithms and powers.

use std::f64::consts::LN_2;

use crate::ops::{Elementwise, Elementwise2, Unary};
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

/// Above it `1 + x` and `x` have one logarithm, and below it squares are finite, in either number type.
const FAR: f64 = 1e17;

/// `ln(1 + x^2)`, also where the square would overflow.
#[inline(always)]
pub(crate) fn ln_1p_square<T: Real>(x: T) -> T {
    let size = x.abs();
    let far = size > T::from_f64(FAR);
    let y = T::select(far, size, x * x).k_ln_1p();
    T::select(far, y + y, y)
}

/// `2 x / (1 + x^2)`, the derivative of `ln(1 + x^2)`.
#[inline(always)]
pub(crate) fn ln_1p_square_slope<T: Real>(x: T) -> T {
    let far = x.abs() > T::from_f64(FAR);
    T::select(far, T::TWO, x + x) / T::select(far, x, x.mul_add(x, T::ONE))
}

pub(super) struct Ln1pSquare;

impl Elementwise for Ln1pSquare {
    const NAME: &'static str = "ln_1p_square";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        ln_1p_square(x)
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g * x.apply(Unary::Ln1pSquareSlope))
    }
}

pub(super) struct Ln1pSquareSlope;

impl Elementwise for Ln1pSquareSlope {
    const NAME: &'static str = "ln_1p_square_slope";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        ln_1p_square_slope(x)
    }
    fn adjoint(x: Var, y: Var, g: Var) -> Option<Var> {
        Some(g * (2.0 / (x.square() + 1.0) - y.square()))
    }
}

pub(super) struct Log1mExp;

impl Elementwise for Log1mExp {
    const NAME: &'static str = "log1mexp";
    /// Maechler (2012), "Accurately computing log(1 - exp(-|a|))".
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        let near = (-(-x).k_expm1()).k_ln();
        let far = (-(-x).k_exp()).k_ln_1p();
        T::select(x < T::from_f64(LN_2), near, far)
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g / x.exp_m1())
    }
}

pub(super) struct LogAddExp;

impl Elementwise2 for LogAddExp {
    const NAME: &'static str = "logaddexp";
    /// Equal arguments may be infinite.
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        let gap = T::select(a == b, T::ZERO, (a - b).abs());
        a.max(b) + (-gap).k_exp().k_ln_1p()
    }
    /// The shares of the two; 0 where both are -inf.
    fn adjoint(a: Var, b: Var, y: Var, g: Var) -> (Option<Var>, Option<Var>) {
        let gap = a.eq(b).select(0.0, a - b);
        let g = y.gt(f64::NEG_INFINITY).select(g, 0.0);
        (Some(g * gap.sigmoid()), Some(g * (-gap).sigmoid()))
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
