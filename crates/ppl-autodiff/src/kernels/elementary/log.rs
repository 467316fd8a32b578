//! `ln x` and `ln(1 + x)`.

use super::lane::{Lane, horner, horner_in_two, two_product};
use crate::real::Real;

/// The logarithm near 1, for each number type.
pub trait LogTable: Lane {
    /// `ln(1 + f) + k ln 2 + low` for `sqrt(1/2) <= 1 + f < sqrt(2)`, integer `k`, and a `low` of the size of a rounding
    /// error.
    fn ln_near_one(f: Self, k: Self, low: Self) -> Self;
    /// `P` of `ln((1+s)/(1-s)) = 2s + s z P(z)`, `z = s^2`, on `0 <= s <= 1/3`, near-minimax.
    const P_THIRD: &'static [Self];
}

/// `ln(1 + e)` for `0 <= e <= 1`: with `s = e / (2 + e)` it is `2s + s z P(z)`, where `2s = e - s e` keeps of the
/// rounding of `s` only a part.
#[inline(always)]
pub fn ln_1p_unit<T: LogTable>(e: T) -> T {
    let s = e / (T::TWO + e);
    let z = s * s;
    let rest = z.mul_add(horner_in_two(z, z * z, T::P_THIRD), -e);
    s.mul_add(rest, e)
}

/// `P` of `ln((1+s)/(1-s)) = 2s + s z P(z)`, `z = s^2`, near-minimax.
const P_F64: &[f64] = &[
    0.666_666_666_666_667,
    0.399_999_999_998_992,
    0.285_714_286_261_145_2,
    0.222_222_111_121_049_48,
    0.181_828_907_780_261_3,
    0.153_316_666_765_971_75,
    0.146_171_283_998_073,
];

/// `ln(1 + f)` as a sum of two numbers, the second with `low` in it.
#[inline(always)]
pub fn ln_near_one_parts(f: f64, low: f64) -> (f64, f64) {
    let s = f / (2.0 + f);
    let z = s * s;
    let (square, square_error) = two_product(0.5 * f, f);
    let tail = s.mul_add(z.mul_add(horner(z, P_F64), square), low) - square_error;
    let sum = f - square;
    (sum, ((f - sum) - square) + tail)
}

impl LogTable for f64 {
    const P_THIRD: &'static [f64] = &[
        0.666_666_666_666_666_6,
        0.400_000_000_000_145_85,
        0.285_714_285_671_087_2,
        0.222_222_227_174_316,
        0.181_817_894_359_448_45,
        0.153_855_700_702_369_48,
        0.133_141_441_230_827_8,
        0.120_010_736_332_158_22,
        0.088_007_342_781_335_32,
        0.161_640_545_372_353_06,
    ];

    /// With `s = f / (2 + f)`: `ln(1 + f) = f - (f^2/2 - s (f^2/2 + z P(z)))` (the arrangement of fdlibm, whose rounding
    /// errors are all multiplied by `s` or `f`).
    #[inline(always)]
    fn ln_near_one(f: f64, k: f64, low: f64) -> f64 {
        use super::exp::ExpTable;
        let s = f / (2.0 + f);
        let z = s * s;
        let half_square = 0.5 * f * f;
        let sum = z.mul_add(horner(z, P_F64), half_square);
        let tail = s.mul_add(sum, k.mul_add(f64::LN2_LOW, low));
        k.mul_add(f64::LN2_HIGH, f - (half_square - tail))
    }
}

/// `P` of `ln(1 + f) = f - f^2/2 + f^3 P(f)`, near-minimax.
const P_F32: &[f32] = &[
    0.333_333_3,
    -0.249_999_97,
    0.200_007_16,
    -0.166_678_03,
    0.142_490_58,
    -0.124_256_87,
    0.116_854_2,
    -0.114_797_34,
    0.069_716_12,
];

impl LogTable for f32 {
    const P_THIRD: &'static [f32] = &[0.666_666_7, 0.399_997_06, 0.285_923_57, 0.217_065_75, 0.232_243_34];

    #[inline(always)]
    fn ln_near_one(f: f32, k: f32, low: f32) -> f32 {
        // ln 2 = 355/512 - 2.12e-4, whose first part has 9 bits.
        const LN2_HIGH: f32 = 0.693_359_4;
        const LN2_LOW: f32 = -2.121_944_4e-4;
        let square = f * f;
        let tail = (square * f).mul_add(horner(f, P_F32), k.mul_add(LN2_LOW, low));
        k.mul_add(LN2_HIGH, f + (-0.5f32).mul_add(square, tail))
    }
}

/// Natural logarithm: with `x = 2^k m`, `ln x = k ln 2 + ln m`.
#[inline(always)]
pub fn ln<T: LogTable>(x: T) -> T {
    let subnormal = x < T::MIN_POSITIVE;
    let (m, k, _) = T::select(subnormal, x * T::SUBNORMAL_SCALE, x).split();
    let k = k - T::select(subnormal, T::SUBNORMAL_SHIFT, T::ZERO);
    let y = T::ln_near_one(m - T::ONE, k, T::ZERO);
    at_the_ends(x, y)
}

/// `ln(1 + x)`: the logarithm of `u = 1 + x` as rounded, and the rounding error over `u`.
#[inline(always)]
pub fn ln_1p<T: LogTable>(x: T) -> T {
    let u = T::ONE + x;
    let (m, k, twice_scale) = u.split();
    let error = T::select(x >= T::ONE, T::ONE - (u - x), x - (u - T::ONE));
    let small = k == T::ZERO;
    let f = T::select(small, x, m - T::ONE);
    // 1/m to 3 percent is enough for a rounding error: 1/(1+f) = (1 - f)(1 + f^2 + ...), here half of it.
    let half = T::HALF.mul_add(-f, T::HALF);
    let half_inverse = (f * f).mul_add(half, half);
    let low = T::select(small, T::ZERO, (error * twice_scale) * half_inverse);
    let y = T::ln_near_one(f, k, low);
    let y = at_the_ends(u, y);
    T::select(x.abs() < T::EPSILON * T::HALF, x, y)
}

/// What the bits of a number that is not finite and positive would get wrong.
#[inline(always)]
fn at_the_ends<T: Real>(x: T, y: T) -> T {
    let y = T::select(x < T::INFINITY, y, x);
    let y = T::select(x < T::ZERO, T::NAN, y);
    T::select(x == T::ZERO, T::NEG_INFINITY, y)
}
