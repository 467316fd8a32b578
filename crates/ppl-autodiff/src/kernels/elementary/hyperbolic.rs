//! The S-shaped functions: hyperbolic tangent, logistic function and softplus.

use super::exp::{ExpTable, Reduced, exp, reduce};
use super::lane::{at_least, at_most, horner};
use super::log::LogTable;

/// Where the functions have reached their limits.
pub trait SigmoidTable: ExpTable + LogTable {
    /// From here on tanh rounds to 1.
    const TANH_ONE: Self;
    /// From here on the logistic function rounds to 1.
    const SIGMOID_ONE: Self;
    /// sqrt(2) - 1, where the logarithm of `1 + e` changes its exponent.
    const SQRT_2_MINUS_1: Self;
}

impl SigmoidTable for f64 {
    const TANH_ONE: Self = 20.0;
    const SIGMOID_ONE: Self = 40.0;
    const SQRT_2_MINUS_1: Self = 0.414_213_562_373_095_05;
}

impl SigmoidTable for f32 {
    const TANH_ONE: Self = 10.0;
    const SIGMOID_ONE: Self = 20.0;
    const SQRT_2_MINUS_1: Self = 0.414_213_57;
}

/// `tanh |x| = u / (u + 2)` with `u = e^(2|x|) - 1`: one exponential and one division for the whole line. Small
/// quotients are used as `u/2 - (u/2) u / (u + 2)`, which keeps only a part of their rounding errors.
#[inline(always)]
pub fn tanh<T: SigmoidTable>(x: T) -> T {
    let a = at_most(x.abs(), T::TANH_ONE);
    let Reduced { t, r, low } = reduce(a + a);
    let p = r + (r * r).mul_add(horner(r, T::Q), low);
    let s = T::pow2(t);
    let u = s.mul_add(p, s - T::ONE);
    let (quotient, half) = (u / (u + T::TWO), T::HALF * u);
    T::select(u < T::ONE, half.mul_add(-quotient, half), quotient).copysign(x)
}

/// `1 / (1 + e^-x)`, multiplied above and below by a power of two so that nothing overflows:
/// with `e^-x = 2^n (1 + p)` it is `2^-n / (2^-n + 1 + p)`, whose numerator is exact.
#[inline(always)]
pub fn sigmoid<T: SigmoidTable>(x: T) -> T {
    let Reduced { t, r, .. } = reduce(-at_most(at_least(x, T::UNDERFLOW), T::SIGMOID_ONE));
    let p = (r * r).mul_add(horner(r, T::Q), r);
    let (a, b) = T::pow2_split_neg(t);
    let power = a * b;
    let sum = power + T::ONE;
    // What rounding took from the sum: nothing where the power is above 1.
    let error = power - (sum - T::ONE);
    (a / (sum + (p + error))) * b
}

/// `max(x, 0) + ln(1 + e)` with `e = e^-|x|`. As `e <= 1`, `1 + e` needs no general logarithm: it is near 1, or near 2.
#[inline(always)]
pub fn softplus<T: SigmoidTable>(x: T) -> T {
    let e = exp(-x.abs());
    let near_two = e > T::SQRT_2_MINUS_1;
    let f = T::select(near_two, (e - T::ONE) * T::HALF, e);
    let k = T::select(near_two, T::ONE, T::ZERO);
    at_least(x, T::ZERO) + T::ln_near_one(f, k, T::ZERO)
}
