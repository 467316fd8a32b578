//! What elementary functions need to know of a number's bits, and polynomials.

use crate::real::Real;

/// Arithmetic on the exponent field, all of it integer additions and shifts that exist as vector instructions.
///
/// Integers travel inside floating-point numbers: adding [`ROUND`](Lane::ROUND) to `x` rounds it to an integer `n` which
/// then stands in the lowest bits, so a shift brings `n` to the exponent field with no conversion (which AVX2 lacks).
pub trait Lane: Real {
    /// `1.5 * 2^(p-1)`, `p` the precision: its last bit has the value 1.
    const ROUND: Self;
    /// `2^p * 2`, which makes every subnormal normal.
    const SUBNORMAL_SCALE: Self;
    /// `log2(SUBNORMAL_SCALE)`.
    const SUBNORMAL_SHIFT: Self;

    /// `4^n` from `t = ROUND + n`, for exponents of normal numbers.
    fn pow4(t: Self) -> Self;
    /// `2^(n-1)` from `t = ROUND + n`.
    fn pow2_half(t: Self) -> Self;
    /// `(2^a, 2^b)` with `a + b = n` and `a = floor(n/2)`: reaches past the normal exponents.
    fn pow2_split(t: Self) -> (Self, Self);
    /// `(2^-a, 2^-b)`, as [`pow2_split`](Lane::pow2_split).
    fn pow2_split_neg(t: Self) -> (Self, Self);
    /// `(m, k, 2^(1-k))` with `x = m * 2^k`, `sqrt(1/2) <= m < sqrt(2)`, for positive normal `x`; the last only
    /// for `x >= 2^-60`.
    fn split(self) -> (Self, Self, Self);
    /// Is the integer in `t = ROUND + n` odd?
    fn is_odd(t: Self) -> bool;
    /// `self` with its sign flipped where bit 1 of the integer in `t = ROUND + n` is set.
    fn flip_if_bit_1(self, t: Self) -> Self;
}

macro_rules! impl_lane {
    ($t:ident, $bits:ident, round: $round:expr, sqrt_half: $sqrt_half:expr, explicit: $explicit:expr) => {
        impl Lane for $t {
            const ROUND: Self = $round;
            const SUBNORMAL_SCALE: Self = ((1 as $bits) << ($explicit + 2)) as $t;
            const SUBNORMAL_SHIFT: Self = ($explicit + 2) as $t;

            #[inline(always)]
            fn pow4(t: Self) -> Self {
                $t::from_bits((t.to_bits() << ($explicit + 1)).wrapping_add((1.0 as $t).to_bits()))
            }
            #[inline(always)]
            fn pow2_half(t: Self) -> Self {
                $t::from_bits((t.to_bits() << $explicit).wrapping_add((0.5 as $t).to_bits()))
            }
            #[inline(always)]
            fn pow2_split(t: Self) -> (Self, Self) {
                let (n, one) = (t.to_bits(), (1.0 as $t).to_bits());
                let half = n >> 1;
                (
                    $t::from_bits((half << $explicit).wrapping_add(one)),
                    $t::from_bits((n.wrapping_sub(half) << $explicit).wrapping_add(one)),
                )
            }
            #[inline(always)]
            fn pow2_split_neg(t: Self) -> (Self, Self) {
                let (n, one) = (t.to_bits(), (1.0 as $t).to_bits());
                let half = n >> 1;
                (
                    $t::from_bits(one.wrapping_sub(half << $explicit)),
                    $t::from_bits(one.wrapping_sub(n.wrapping_sub(half) << $explicit)),
                )
            }
            #[inline(always)]
            fn split(self) -> (Self, Self, Self) {
                const FRACTION: $bits = (1 << $explicit) - 1;
                // 2^explicit: an integer or'ed to its bits stands in the last places.
                const WHOLE: $t = ((1 as $bits) << $explicit) as $t;
                const BIAS: $t = ($t::MAX_EXP - 1) as $t;
                const MIRROR: $bits = 2 * ($t::MAX_EXP - 1) as $bits + 1;
                let one = (1.0 as $t).to_bits();
                let shifted = self.to_bits().wrapping_add(one.wrapping_sub($sqrt_half));
                let exponent = shifted >> $explicit;
                let m = $t::from_bits((shifted & FRACTION).wrapping_add($sqrt_half));
                let k = $t::from_bits(exponent | WHOLE.to_bits()) - (WHOLE + BIAS);
                (m, k, $t::from_bits(MIRROR.wrapping_sub(exponent) << $explicit))
            }
            #[inline(always)]
            fn is_odd(t: Self) -> bool {
                t.to_bits() & 1 != 0
            }
            #[inline(always)]
            fn flip_if_bit_1(self, t: Self) -> Self {
                $t::from_bits(self.to_bits() ^ ((t.to_bits() & 2) << ($bits::BITS - 2)))
            }
        }
    };
}

impl_lane!(f64, u64, round: 6_755_399_441_055_744.0, sqrt_half: 0x3FE6_A09E_667F_3BCD_u64, explicit: 52);
impl_lane!(f32, u32, round: 12_582_912.0, sqrt_half: 0x3F35_04F3_u32, explicit: 23);

/// `c[0] + c[1] x + c[2] x^2 + ...` by Horner's rule with fused multiply-adds: the fewest operations, in one long chain.
#[inline(always)]
pub fn horner<T: Real>(x: T, coefficients: &[T]) -> T {
    let mut sum = T::ZERO;
    let mut first = true;
    for &c in coefficients.iter().rev() {
        sum = if first { c } else { sum.mul_add(x, c) };
        first = false;
    }
    sum
}

/// As [`horner`], its even and its odd part side by side, given `square = x^2`.
///
/// As many operations where the square is at hand, in a chain of half the length: an out-of-order core sees only so many
/// instructions ahead, so the long chain of a whole function leaves its multipliers waiting.
#[inline(always)]
pub fn horner_in_two<T: Real>(x: T, square: T, coefficients: &[T]) -> T {
    let mut parts = [T::ZERO; 2];
    for (i, &c) in coefficients.iter().enumerate().rev() {
        let part = &mut parts[i % 2];
        *part = if i + 2 < coefficients.len() { part.mul_add(square, c) } else { c };
    }
    parts[1].mul_add(x, parts[0])
}

/// `sum` and what rounding took from it: `a + b = sum + error` exactly (Knuth's two-sum).
#[inline(always)]
pub fn two_sum<T: Real>(a: T, b: T) -> (T, T) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// `product` and what rounding took from it: `a * b = product + error` exactly.
#[inline(always)]
pub fn two_product<T: Real>(a: T, b: T) -> (T, T) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// The larger of `x` and `low`, NaN if `x` is: one instruction, unlike [`Real::max`].
#[inline(always)]
pub fn at_least<T: Real>(x: T, low: T) -> T {
    T::select(low > x, low, x)
}

/// The smaller of `x` and `high`, NaN if `x` is.
#[inline(always)]
pub fn at_most<T: Real>(x: T, high: T) -> T {
    T::select(high < x, high, x)
}
