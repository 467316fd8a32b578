//! `x^y`.

use super::exp::{ExpTable, exp, exp_sum};
use super::lane::{Lane, at_least, at_most, horner, two_product, two_sum};
use super::log::ln;
use crate::real::Real;

/// The power of a positive number, for each number type.
pub trait PowTable: Lane {
    /// `a^y` for `a >= 0` (0 and infinity included) and any `y`; unspecified where `a` is NaN or the product
    /// `y ln a` is `0 * inf`.
    fn positive_power(a: Self, y: Self) -> Self;
}

/// `G` of `ln((1+s)/(1-s)) = 2s + s z (2/3 + z G(z))`, `z = s^2`, on `|s| <= 0.1716`, near-minimax.
const G: &[f64] = &[
    0.4,
    0.285_714_285_714_293_7,
    0.222_222_222_216_545,
    0.181_818_183_357_067_2,
    0.153_845_949_289_841_1,
    0.133_348_065_173_055,
    0.117_061_875_199_787_93,
    0.117_236_890_236_492_27,
];

/// `2/3` in two parts.
const TWO_THIRDS: [f64; 2] = [0.666_666_666_666_666_6, 3.700_743_415_417_188e-17];

/// The logarithm of `a > 0` as a sum of two numbers, to about 65 bits.
#[inline(always)]
fn ln_wide(a: f64) -> (f64, f64) {
    let subnormal = a < f64::MIN_POSITIVE;
    let (m, k, _) = f64::select(subnormal, a * f64::SUBNORMAL_SCALE, a).split();
    let k = k - f64::select(subnormal, f64::SUBNORMAL_SHIFT, 0.0);
    let f = m - 1.0;

    // s = f / (2 + f), its square and its cube, each with what rounding took.
    let d = 2.0 + f;
    let d_low = f - (d - 2.0);
    let inverse = 1.0 / d;
    let s = f * inverse;
    let s_low = s.mul_add(-d_low, s.mul_add(-d, f)) * inverse;
    let (z, z_error) = two_product(s, s);
    let z_low = (s + s).mul_add(s_low, z_error);
    let (cube, cube_error) = two_product(s, z);
    let cube_low = s.mul_add(z_low, s_low.mul_add(z, cube_error));

    let curve = z * horner(z, G);
    let factor = TWO_THIRDS[0] + curve;
    let factor_low = (TWO_THIRDS[0] - factor) + curve + TWO_THIRDS[1];
    let (tail, tail_error) = two_product(cube, factor);
    let tail_low = cube.mul_add(factor_low, cube_low.mul_add(factor, tail_error));

    let (sum, error) = two_sum(k * f64::LN2_HIGH, s + s);
    let (sum, second_error) = two_sum(sum, tail);
    let low = k.mul_add(f64::LN2_LOW, (s_low + s_low) + tail_low) + (error + second_error);
    let high = sum + low;
    (high, (sum - high) + low)
}

impl PowTable for f64 {
    #[inline(always)]
    fn positive_power(a: f64, y: f64) -> f64 {
        let (log, log_low) = ln_wide(a);
        let log = f64::select(a == 0.0, f64::NEG_INFINITY, f64::select(a < f64::INFINITY, log, a));
        let product = at_most(at_least(y * log, f64::UNDERFLOW), f64::OVERFLOW);
        let product_low = y.mul_add(log_low, y.mul_add(log, -product));
        let clamped = (product <= f64::UNDERFLOW) | (product >= f64::OVERFLOW);
        let product_low = f64::select(clamped, 0.0, product_low);

        exp_sum(product, product_low, [1.0, 0.0])
    }
}

impl PowTable for f32 {
    /// Twice the precision makes the plain formula right to the last bit.
    #[inline(always)]
    fn positive_power(a: f32, y: f32) -> f32 {
        exp(f64::from(y) * ln(f64::from(a))) as f32
    }
}

/// `x` to the power `y`. A negative `x` has a real power only if `y` is an integer, whose parity decides the sign.
#[inline(always)]
pub fn powf<T: PowTable>(x: T, y: T) -> T {
    let a = x.abs();
    let power = T::positive_power(a, y);
    // 1^inf and (-1)^inf are 1.
    let power = T::select((a == T::ONE) & !y.is_nan(), T::ONE, power);
    let whole = y.floor() == y;
    let half = y * T::HALF;
    // Infinity counts as even.
    let odd = whole & (half.floor() != half);
    let negative = T::ONE.copysign(x) < T::ZERO;
    let power = T::select(negative & odd, -power, power);
    let undefined = x.is_nan() | (negative & !whole & (x != T::ZERO) & (a < T::INFINITY));
    let power = T::select(undefined, T::NAN, power);
    T::select((y == T::ZERO) | (x == T::ONE), T::ONE, power)
}
