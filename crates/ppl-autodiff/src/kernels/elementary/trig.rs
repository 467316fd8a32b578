//! Sine and cosine.

use super::lane::{Lane, horner, two_product, two_sum};

/// Constants of sine and cosine, for each number type.
pub trait TrigTable: Lane {
    /// `2 / pi`.
    const TWO_OVER_PI: Self;
    /// pi/2 as the sum of three numbers, each the nearest to what the others leave.
    const HALF_PI: [Self; 3];
    /// `S` of `sin r = r + r^3 S(r^2)` on `|r| <= pi/4`, near-minimax.
    const S: &'static [Self];
    /// `C` of `cos r = 1 - r^2/2 + r^4 C(r^2)` on `|r| <= pi/4`, near-minimax.
    const C: &'static [Self];
    /// Beyond it three numbers are too few for pi/2.
    const FAR: Self;
}

impl TrigTable for f64 {
    const TWO_OVER_PI: Self = std::f64::consts::FRAC_2_PI;
    const HALF_PI: [Self; 3] = [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17, -1.497_384_904_859_169_8e-33];
    const S: &'static [Self] = &[
        -0.166_666_666_666_666_66,
        0.008_333_333_333_330_946,
        -0.000_198_412_698_367_549_7,
        2.755_731_610_068_303e-06,
        -2.505_113_145_542_794_6e-08,
        1.591_810_123_027_412e-10,
    ];
    const C: &'static [Self] = &[
        0.041_666_666_666_666_664,
        -0.001_388_888_888_888_739_5,
        2.480_158_729_876_343_3e-05,
        -2.755_731_727_056_032_6e-07,
        2.087_614_602_468_974_7e-09,
        -1.138_261_486_855_632_5e-11,
    ];
    const FAR: Self = 1e9;
}

impl TrigTable for f32 {
    const TWO_OVER_PI: Self = std::f32::consts::FRAC_2_PI;
    const HALF_PI: [Self; 3] = [std::f32::consts::FRAC_PI_2, -4.371_139e-8, -1.715_124_5e-15];
    const S: &'static [Self] = &[-0.166_666_64, 0.008_332_748, -0.000_195_878_41];
    const C: &'static [Self] = &[0.041_666_664, -0.001_388_830_2, 2.454_789_1e-05];
    const FAR: Self = 3e4;
}

/// An argument cut as `x = n pi/2 + r + low`, with the sine and cosine of `r + low`.
struct Quadrant<T> {
    t: T,
    sin: T,
    cos: T,
}

/// Cuts off the multiple of pi/2. The first product is exact with its sum, since a fused multiply-add leaves at most
/// 53 (24) bits above the last place of pi/2; the later ones keep their rounding errors.
#[inline(always)]
fn quadrant<T: TrigTable>(x: T) -> Quadrant<T> {
    let t = x.mul_add(T::TWO_OVER_PI, T::ROUND);
    let n = t - T::ROUND;
    let a = n.mul_add(-T::HALF_PI[0], x);
    let (second, second_error) = two_product(n, T::HALF_PI[1]);
    let (b, error) = two_sum(a, -second);
    let rest = n.mul_add(-T::HALF_PI[2], error - second_error);
    let r = b + rest;
    let low = (b - r) + rest;
    let z = r * r;
    let sin = (r * z).mul_add(horner(z, T::S), low) + r;
    let h = T::HALF * z;
    let c = T::ONE - h;
    let cos = c + (((T::ONE - c) - h) + (z * z).mul_add(horner(z, T::C), -(r * low)));
    Quadrant { t, sin, cos }
}

/// Does the sine of `x` need [`sin_far`]?
#[inline(always)]
pub fn is_far<T: TrigTable>(x: T) -> bool {
    x.abs() > T::FAR
}

/// Sine for arguments that are not far.
#[inline(always)]
pub fn sin_near<T: TrigTable>(x: T) -> T {
    let Quadrant { t, sin, cos } = quadrant(x);
    let y = T::select(T::is_odd(t), cos, sin).flip_if_bit_1(t);
    // Keeps the sign of -0.
    T::select(x == T::ZERO, x, y)
}

/// Cosine for arguments that are not far.
#[inline(always)]
pub fn cos_near<T: TrigTable>(x: T) -> T {
    let Quadrant { t, sin, cos } = quadrant(x);
    T::select(T::is_odd(t), sin, cos).flip_if_bit_1(t + T::ONE)
}

/// Sine for far arguments, where a multiple of pi/2 takes more digits than are worth carrying in every loop.
#[cold]
pub fn sin_far<T: TrigTable>(x: T) -> T {
    T::from_f64(x.to_f64().sin())
}

/// Cosine for far arguments.
#[cold]
pub fn cos_far<T: TrigTable>(x: T) -> T {
    T::from_f64(x.to_f64().cos())
}

/// Sine.
#[inline(always)]
pub fn sin<T: TrigTable>(x: T) -> T {
    if is_far(x) { sin_far(x) } else { sin_near(x) }
}

/// Cosine.
#[inline(always)]
pub fn cos<T: TrigTable>(x: T) -> T {
    if is_far(x) { cos_far(x) } else { cos_near(x) }
}
