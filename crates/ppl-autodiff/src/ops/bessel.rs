//! The modified Bessel functions of orders 0 and 1, times `e^-|x|`. Derivatives: DLMF 10.29.3.

use crate::ops::Elementwise;
use crate::real::Real;
use crate::var::Var;

/// `i0e(x) - i1e(x)` for `x >= 0` from both: where x is large by the difference of Hankel's series, DLMF 10.40.1, with
/// the coefficients `((2j - 1)!!)^2 / (j! 8^j) * 4j / (2j - 1)`.
fn difference(x: Var, i0e: Var, i1e: Var) -> Var {
    const FROM: f64 = 25.0;
    const C: [f64; 20] = {
        let (mut c, mut a, mut j) = ([0.0; 20], 1.0, 1);
        while j <= 20 {
            let odd = (2 * j - 1) as f64;
            a *= odd * odd / (8 * j) as f64;
            c[j - 1] = a * (4 * j) as f64 / odd;
            j += 1;
        }
        c
    };
    let large = x.ge(FROM);
    let r = large.select(x, FROM).recip();
    let series = r * C.iter().rev().fold(Var::from(0.0), |sum, &c| sum * r + c);
    large.select(series * (r * (0.5 / std::f64::consts::PI)).sqrt(), i0e - i1e)
}

pub(super) struct I0e;

impl Elementwise for I0e {
    const NAME: &'static str = "i0e";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_i0e()
    }
    fn adjoint(x: Var, y: Var, g: Var) -> Option<Var> {
        Some(-g * x.signum() * difference(x.abs(), y, x.abs().i1e()))
    }
}

pub(super) struct I1e;

impl Elementwise for I1e {
    const NAME: &'static str = "i1e";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_i1e()
    }
    /// `i0e - |y| - y / x`, whose limit at 0 is 1/2.
    fn adjoint(x: Var, y: Var, g: Var) -> Option<Var> {
        let zero = x.eq(0.0);
        let ratio = zero.select(0.5, y / zero.select(1.0, x));
        Some(g * (difference(x.abs(), x.i0e(), y.abs()) - ratio))
    }
}
