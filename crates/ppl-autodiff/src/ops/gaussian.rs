//! The error function, its complement and the normal distribution function.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use crate::ops::Elementwise;
use crate::real::Real;
use crate::var::Var;

/// `sqrt(2 pi)`.
const SQRT_2PI: f64 = 2.506_628_274_631_000_5;

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

pub(super) struct Erfcx;

impl Elementwise for Erfcx {
    const NAME: &'static str = "erfcx";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_erfcx()
    }
    /// `2 x y - 2/sqrt(pi)`, which cancels where x is large. There `sqrt(pi) y = 1 / (x + c)` with a continued fraction
    /// c (DLMF 7.9.3), and the derivative is `-2 c y`.
    fn adjoint(x: Var, y: Var, g: Var) -> Option<Var> {
        const LEVELS: u32 = 16;
        let far = x.gt(4.0);
        let z = far.select(x, 4.0);
        let c = (1..=LEVELS).rev().fold(Var::from(0.0), |c, k| 0.5 * f64::from(k) / (z + c));
        let near = far.select(1.0, 2.0 * x * y - FRAC_2_SQRT_PI);
        Some(g * far.select(-2.0 * c * y, near))
    }
}

pub(super) struct LogNdtr;

impl Elementwise for LogNdtr {
    const NAME: &'static str = "log_ndtr";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_log_ndtr()
    }
    /// `phi(x) / Phi(x)`: left of 0 `sqrt(2/pi) / erfcx(-x/sqrt 2)`, where neither underflows.
    fn adjoint(x: Var, y: Var, g: Var) -> Option<Var> {
        let left = x.lt(0.0);
        let tail = (left.select(x, 0.0) * -FRAC_1_SQRT_2).erfcx();
        let x = left.select(0.0, x);
        let right = (-0.5 * x.square() - left.select(0.0, y)).exp() * (0.5 * FRAC_2_SQRT_PI);
        Some(g * left.select(FRAC_2_SQRT_PI / tail, right) * FRAC_1_SQRT_2)
    }
}

pub(super) struct Ndtri;

impl Elementwise for Ndtri {
    const NAME: &'static str = "ndtri";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_ndtri()
    }
    /// `1 / phi(y)`, as Mills' ratio at the smaller tail over that tail: the square of y would cost digits.
    fn adjoint(x: Var, y: Var, g: Var) -> Option<Var> {
        let ratio = (y.abs() * FRAC_1_SQRT_2).erfcx() * (0.5 * SQRT_2PI);
        Some(g * ratio / x.min(1.0 - x))
    }
}
