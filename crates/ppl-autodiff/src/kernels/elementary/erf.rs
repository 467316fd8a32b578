//! The error function, its complement and the scaled complement.

use std::f64::consts::FRAC_2_SQRT_PI;

use super::exp::{ExpTable, exp_sum};
use super::lane::{at_least, at_most, horner};

/// Constants of the error function, for each number type.
pub trait ErfTable: ExpTable {
    /// `E` of `erf x = x + x E(x^2)` on `|x| <= 1`, near-minimax.
    const E: &'static [Self];
    /// The centre `c` of the map `q = (x - c) / (x + c)` that takes `[0, inf)` to `[-1, 1)` (Shepherd and Laframboise
    /// 1981).
    const CENTRE: Self;
    /// The polynomial in `q` of `(1 + 2x) e^(x^2) erfc x`, near-minimax.
    const SCALED: &'static [Self];
    /// What rounding took from its first coefficient.
    const SCALED_LOW: Self;
    /// From here on `erfc x` is 0.
    const ERFC_ZERO: Self;
    /// From here on `sqrt(pi) x e^(x^2) erfc x` is 1.
    const SCALED_LIMIT: Self;
}

impl ErfTable for f64 {
    const E: &'static [Self] = &[
        0.128_379_167_095_512_56,
        -0.376_126_389_031_835_43,
        0.112_837_916_709_450_06,
        -0.026_866_170_643_237_77,
        0.005_223_977_607_116_422_5,
        -0.000_854_832_597_538_969_2,
        0.000_120_552_949_048_397_07,
        -1.492_473_690_741_966e-05,
        1.644_742_470_331_736_2e-06,
        -1.620_848_380_187_170_5e-07,
        1.372_006_454_677_768_6e-08,
        -7.795_898_827_002_142e-10,
    ];
    const CENTRE: Self = 4.0;
    const SCALED: &'static [Self] = &[
        1.232_995_118_625_552_6,
        -0.139_621_116_840_562_5,
        0.015_379_652_102_619_59,
        0.068_097_054_254_691_3,
        -0.101_039_066_036_299_9,
        0.093_732_834_998_410_5,
        -0.066_330_365_812_199_05,
        0.037_167_515_536_323_99,
        -0.016_197_734_059_683_29,
        0.005_031_969_989_524_251_5,
        -0.000_757_773_262_030_915,
        -0.000_199_256_760_264_104_58,
        0.000_150_621_492_378_373_35,
        -2.439_899_445_576_21e-05,
        -1.122_129_261_531_427_4e-05,
        5.709_314_113_532_492e-06,
        2.919_821_908_454_825_6e-07,
        -8.250_783_386_812_45e-07,
        7.746_068_635_681_98e-08,
        1.102_527_199_900_015_2e-07,
        -2.055_453_136_985_93e-08,
        -1.480_698_814_692_579_5e-08,
        3.167_261_111_936_169_5e-09,
        1.825_695_118_953_907e-09,
        -2.655_726_616_312_575e-10,
        -1.431_131_847_092_816_2e-10,
    ];
    const SCALED_LOW: Self = -4.491_171e-17;
    const ERFC_ZERO: Self = 28.0;
    const SCALED_LIMIT: Self = 1e8;
}

impl ErfTable for f32 {
    const E: &'static [Self] =
        &[0.128_379_17, -0.376_126_26, 0.112_835_94, -0.026_854_211, 0.005_189_087_2, -0.000_801_686_43, 7.875_875e-05];
    const CENTRE: Self = 2.0;
    const SCALED: &'static [Self] = &[
        1.276_978_4,
        -0.092_763_76,
        -0.166_030_39,
        0.164_049_4,
        -0.054_220_185,
        -0.008_018_636,
        0.008_724_295,
        0.001_216_665_5,
        -0.001_463_511_7,
        -0.000_357_177_9,
        0.000_221_105_45,
        6.310_018e-5,
        -2.010_893_1e-5,
    ];
    const SCALED_LOW: Self = 8.025_002e-9;
    const ERFC_ZERO: Self = 11.0;
    const SCALED_LIMIT: Self = 1e4;
}

/// `e^(x^2) erfc x` for `0 <= x <= SCALED_LIMIT`; both quotients share a division and are corrected by their remainders.
#[inline(always)]
fn scaled<T: ErfTable>(x: T) -> T {
    let [high, low] = scaled_in_two(x);
    high + low
}

/// As a sum of two, of which the second is what rounding took from the first.
#[inline(always)]
pub(super) fn scaled_in_two<T: ErfTable>(x: T) -> [T; 2] {
    let (below, above, d) = (x - T::CENTRE, x + T::CENTRE, T::TWO.mul_add(x, T::ONE));
    let inverse = T::ONE / (above * d);
    let (over_above, over_d) = (inverse * d, inverse * above);
    let q = below * over_above;
    let q = over_above.mul_add(q.mul_add(-T::CENTRE, q.mul_add(-x, below)), q);
    let (first, rest) = (T::SCALED[0], horner(q, &T::SCALED[1..]));
    let p = q.mul_add(rest, first);
    let p_low = q.mul_add(rest, first - p) + T::SCALED_LOW;
    let y = p * over_d;
    [y, over_d * (y.mul_add(-(T::TWO * x), p - y) + p_low)]
}

/// `erfc x` for `x >= 1/2`: `e^(-x^2)` with the rounding error of the square, times the scaled function.
#[inline(always)]
fn upper_tail<T: ErfTable>(x: T) -> T {
    let x = at_most(x, T::ERFC_ZERO);
    let square = x * x;
    let low = x.mul_add(x, -square);
    exp_sum(at_least(-square, T::UNDERFLOW), -low, scaled_in_two(x))
}

/// Error function.
#[inline(always)]
pub fn erf<T: ErfTable>(x: T) -> T {
    let a = x.abs();
    let near = x.mul_add(horner(x * x, T::E), x);
    let far = (T::ONE - upper_tail(a)).copysign(x);
    T::select(a < T::ONE, near, far)
}

/// Complement of the error function.
#[inline(always)]
pub fn erfc<T: ErfTable>(x: T) -> T {
    let a = x.abs();
    let near = T::ONE - x.mul_add(horner(x * x, T::E), x);
    let tail = upper_tail(a);
    let far = T::select(x < T::ZERO, T::TWO - tail, tail);
    T::select(a < T::HALF, near, far)
}

/// `e^(x^2) erfc x`; below 0 by `2 e^(x^2)` less the value at `-x`, with the rounding error of the square.
#[inline(always)]
pub fn erfcx<T: ErfTable>(x: T) -> T {
    let a = x.abs();
    let near = scaled(at_most(a, T::SCALED_LIMIT));
    let upper = T::select(a < T::SCALED_LIMIT, near, T::from_f64(0.5 * FRAC_2_SQRT_PI) / a);
    let b = at_most(a, T::ERFC_ZERO);
    let square = b * b;
    let low = b.mul_add(b, -square);
    let lower = exp_sum(at_most(square, T::OVERFLOW), low, [T::TWO, T::ZERO]) - upper;
    T::select(x < T::ZERO, lower, upper)
}
