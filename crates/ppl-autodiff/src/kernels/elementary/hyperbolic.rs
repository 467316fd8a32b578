//! The S-shaped functions: hyperbolic tangent, logistic function and softplus.

use super::exp::{ExpTable, Reduced, exp, reduce};
use super::lane::{at_least, at_most, horner_in_two};
use super::log::{LogTable, ln_1p_unit};

/// Where the functions have reached their limits.
pub trait SigmoidTable: ExpTable + LogTable {
    /// From here on tanh rounds to 1.
    const TANH_ONE: Self;
    /// From here on the logistic function rounds to 1.
    const SIGMOID_ONE: Self;
}

impl SigmoidTable for f64 {
    const TANH_ONE: Self = 20.0;
    const SIGMOID_ONE: Self = 40.0;
}

impl SigmoidTable for f32 {
    const TANH_ONE: Self = 10.0;
    const SIGMOID_ONE: Self = 20.0;
}

/// `tanh |x| = u / (u + 2)` with `u = e^(2|x|) - 1`: one exponential and one division for the whole line. Small
/// quotients are used as `u/2 - (u/2) u / (u + 2)`, which keeps only a part of their rounding errors.
#[inline(always)]
pub fn tanh<T: SigmoidTable>(x: T) -> T {
    let a = at_most(x.abs(), T::TANH_ONE);
    let Reduced { t, r, low } = reduce(a + a);
    let square = r * r;
    let p = r + square.mul_add(horner_in_two(r, square, T::Q), low);
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
    let square = r * r;
    let p = square.mul_add(horner_in_two(r, square, T::Q), r);
    let (a, b) = T::pow2_split_neg(t);
    let power = a * b;
    let sum = power + T::ONE;
    // What rounding took from the sum: nothing where the power is above 1.
    let error = power - (sum - T::ONE);
    (a / (sum + (p + error))) * b
}

/// `max(x, 0) + ln(1 + e)` with `e = e^-|x|`, which is at most 1 and so needs no general logarithm.
#[inline(always)]
pub fn softplus<T: SigmoidTable>(x: T) -> T {
    at_least(x, T::ZERO) + ln_1p_unit(exp(-x.abs()))
}
