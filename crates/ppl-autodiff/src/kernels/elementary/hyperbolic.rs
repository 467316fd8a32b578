//! The S-shaped functions: hyperbolic tangent, logistic function and softplus.

use super::exp::{ExpTable, Reduced, exp, reduce};
use super::lane::{at_least, at_most, horner, horner_in_two};
use super::log::{LogTable, ln_1p_unit};

/// Where the functions have reached their limits, and the tangent near 0.
pub trait SigmoidTable: ExpTable + LogTable {
    /// From here on tanh rounds to 1.
    const TANH_ONE: Self;
    /// From here on the logistic function rounds to 1.
    const SIGMOID_ONE: Self;
    /// A little more than `arctanh(1/2) - ln(2)/2`.
    const TANH_SHIFT: Self;
    /// `U` and `V` of `tanh g = g (1 + z U(z)) / (1 + z V(z))`, `z = g^2`, on `|g| <= 0.5494`, near-minimax.
    const TANH: [&'static [Self]; 2];
}

impl SigmoidTable for f64 {
    const TANH_ONE: Self = 20.0;
    const SIGMOID_ONE: Self = 40.0;
    const TANH_SHIFT: Self = 0.2028;
    const TANH: [&'static [Self]; 2] = [
        &[0.128_167_906_926_149_38, 0.002_793_069_524_160_23, 7.360_780_526_498_903e-6],
        &[0.461_501_240_259_482_7, 0.023_293_482_943_989_2, 0.000_206_610_362_148_223_5],
    ];
}

impl SigmoidTable for f32 {
    const TANH_ONE: Self = 10.0;
    const SIGMOID_ONE: Self = 20.0;
    const TANH_SHIFT: Self = 0.2028;
    const TANH: [&'static [Self]; 2] = [&[0.094_976_09], &[0.428_309_37, 0.009_437_464]];
}

/// Below 1/2 `h - (h - tanh h)`, above `1 - 2 / (e^(2h) + 1)`, `h = |x|`: a number known exactly and a smaller one, whose
/// rounding errors hardly count. Both have one quotient: with `h = n ln 2 + g`, where `n` is 0 below 1/2, and
/// `tanh g = p / q`, `e^(2h)` is `4^n (q + p) / (q - p)`.
#[inline(always)]
pub fn tanh<T: SigmoidTable>(x: T) -> T {
    let h = at_most(x.abs(), T::TANH_ONE);
    let t = (h - T::TANH_SHIFT).mul_add(T::LOG2_E, T::ROUND);
    let n = t - T::ROUND;
    let g = n.mul_add(-(T::LN2_HIGH + T::LN2_LOW), h);
    let z = g * g;
    let [u, v] = T::TANH.map(|c| horner(z, c));
    let gz = g * z;
    let (p, q) = (gz.mul_add(u, g), z.mul_add(v, T::ONE));
    let (high, low) = (q + p, q - p);
    // Not a comparison of t, from which compilers learn the power and divide once for each branch.
    let small = n < T::HALF;
    let half = T::select(small, gz * (v - u), low) / T::pow4(t).mul_add(high, low);
    half.mul_add(-T::TWO, T::select(small, h, T::ONE)).copysign(x)
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
