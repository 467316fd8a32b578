//! `e^x` and `e^x - 1`.

use super::lane::{Lane, at_least, at_most, horner_in_two};

/// Constants of the exponential, for each number type.
pub trait ExpTable: Lane {
    /// `1 / ln 2`.
    const LOG2_E: Self;
    /// The leading bits of ln 2, so few that `n * LN2_HIGH` is exact.
    const LN2_HIGH: Self;
    /// `ln 2 - LN2_HIGH`.
    const LN2_LOW: Self;
    /// `Q` of `e^r = 1 + r + r^2 Q(r)` on `|r| <= ln(2)/2`, near-minimax.
    const Q: &'static [Self];
    /// At and above it `e^x` is infinite.
    const OVERFLOW: Self;
    /// At and below it `e^x` is 0.
    const UNDERFLOW: Self;
    /// At and below it `e^x - 1` is -1.
    const EXPM1_LOW: Self;
}

impl ExpTable for f64 {
    const LOG2_E: Self = std::f64::consts::LOG2_E;
    const LN2_HIGH: Self = 0.693_147_180_559_890_3;
    const LN2_LOW: Self = 5.497_923_018_708_371e-14;
    const Q: &'static [Self] = &[
        0.500_000_000_000_000_1,
        0.166_666_666_666_666_69,
        0.041_666_666_666_624_13,
        0.008_333_333_333_330_062,
        0.001_388_888_891_721_371_7,
        0.000_198_412_698_630_536_18,
        2.480_152_129_595_437_6e-05,
        2.755_726_845_999_706_4e-06,
        2.762_008_844_540_974_6e-07,
        2.510_038_549_551_032e-08,
    ];
    const OVERFLOW: Self = 710.0;
    const UNDERFLOW: Self = -746.0;
    const EXPM1_LOW: Self = -40.0;
}

impl ExpTable for f32 {
    const LOG2_E: Self = std::f32::consts::LOG2_E;
    const LN2_HIGH: Self = 0.693_145_75;
    const LN2_LOW: Self = 1.428_606_8e-6;
    const Q: &'static [Self] = &[0.5, 0.166_665_76, 0.041_666_556, 0.008_363_179, 0.001_392_618_4];
    const OVERFLOW: Self = 89.0;
    const UNDERFLOW: Self = -104.0;
    const EXPM1_LOW: Self = -20.0;
}

/// An argument cut as `x = n ln 2 + r + low`.
pub struct Reduced<T> {
    /// `ROUND + n`, from which [`Lane`] makes powers of two.
    pub t: T,
    /// The remainder, `|r| <= 0.3466`.
    pub r: T,
    /// What rounding took from `r`.
    pub low: T,
}

/// Cuts off the multiple of ln 2 (Cody and Waite 1980).
#[inline(always)]
pub fn reduce<T: ExpTable>(x: T) -> Reduced<T> {
    let t = x.mul_add(T::LOG2_E, T::ROUND);
    let n = t - T::ROUND;
    let high = n.mul_add(-T::LN2_HIGH, x);
    let r = n.mul_add(-T::LN2_LOW, high);
    Reduced { t, r, low: n.mul_add(-T::LN2_LOW, high - r) }
}

/// `e^x = 2^a 2^b (1 + p)`: the power in two parts, because subnormal results reach below the smallest exponent.
#[inline(always)]
pub fn exp<T: ExpTable>(x: T) -> T {
    let Reduced { t, r, .. } = reduce(at_most(at_least(x, T::UNDERFLOW), T::OVERFLOW));
    let square = r * r;
    let p = square.mul_add(horner_in_two(r, square, T::Q), r);
    let (a, b) = T::pow2_split(t);
    a.mul_add(p, a) * b
}

/// `(scale + low) e^(x + extra)` for `UNDERFLOW <= x <= OVERFLOW`, an `extra` of the size of a rounding error of `x`, and a
/// `scale` near 1 with a `low` of the size of its rounding error; rounded once for exponential, sum and product together.
#[inline(always)]
pub fn exp_sum<T: ExpTable>(x: T, extra: T, [scale, scale_low]: [T; 2]) -> T {
    let Reduced { t, r, low } = reduce(x);
    let low = low + extra;
    let square = r * r;
    // e^r - 1 as a sum of two, the second of which takes in what the argument's rounding took.
    let curved = square * horner_in_two(r, square, T::Q);
    let p = r + curved;
    let p_low = ((r - p) + curved) + low.mul_add(p, low);
    let (a, b) = T::pow2_split(t);
    let y = scale.mul_add(p, scale.mul_add(p_low, scale_low.mul_add(p, scale_low))) + scale;
    a * y * b
}

/// `e^x - 1 = (2^n - 1) + 2^n r + 2^n (e^r - 1 - r)`, summed from the large to the small term, each fused.
#[inline(always)]
pub fn expm1<T: ExpTable>(x: T) -> T {
    let Reduced { t, r, low } = reduce(at_most(at_least(x, T::EXPM1_LOW), T::OVERFLOW));
    let square = r * r;
    let c = square.mul_add(horner_in_two(r, square, T::Q), low);
    // Half of it, since 2^1024 is no number and half of it is.
    let h = T::pow2_half(t);
    let y = h.mul_add(c, h.mul_add(r, h - T::HALF));
    // Halving loses a bit of a subnormal.
    T::select(x.abs() < T::EPSILON * T::HALF, x, y + y)
}
