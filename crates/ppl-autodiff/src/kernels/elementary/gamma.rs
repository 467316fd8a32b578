//! `ln |Gamma(x)|` and its first two derivatives.
//!
//! All work in `f64`; for `f32` arguments the result is rounded once more, which makes it the nearest but for rare ties.

use super::exp::ExpTable;
use super::lane::{Lane, horner, two_product, two_sum};
use super::log::{self, ln};
use super::trig::{cos_near, sin_near};
use crate::real::Real;

/// From here on Stirling's series is used; below, recurrences lead to an interval of length 1.
const STIRLING: f64 = 4.0;

/// `P` of `lgamma(2 + t) = (1 - euler) t + t^2 P(t)` on `|t| <= 1/2`, near-minimax.
const LGAMMA: &[f64] = &[
    0.322_467_033_424_113_2,
    -0.067_352_301_053_198_1,
    0.020_580_808_427_784_553,
    -0.007_385_551_028_671_998_6,
    0.002_890_510_330_740_574,
    -0.001_192_753_911_842_815_6,
    0.000_509_669_524_809_716_7,
    -0.000_223_154_754_005_205_07,
    9.945_751_065_656_83e-05,
    -4.492_631_337_915_57e-05,
    2.050_724_939_057_788_3e-05,
    -9.438_715_099_211_532e-06,
    4.374_497_421_555_722e-06,
    -2.043_904_810_702_990_7e-06,
    9.573_811_846_241_715e-07,
    -4.325_243_344_560_481_4e-07,
    2.040_840_149_566_362_7e-07,
    -1.321_994_566_611_787_4e-07,
    6.286_887_600_397_704e-08,
];

/// `1 - euler`, in two parts.
const ONE_MINUS_EULER: [f64; 2] = [0.422_784_335_098_467_13, 4.942_915_152_430_645e-18];

/// `ln(2 pi)/2 - 1/2`.
const STIRLING_CONSTANT: f64 = 0.418_938_533_204_672_7;

/// `C` of `lgamma(x) = (x - 1/2)(ln x - 1) + ln(2 pi)/2 - 1/2 + C(1/x^2)/x` on `x >= 4`, near-minimax.
const LGAMMA_STIRLING: &[f64] = &[
    0.083_333_333_333_333_33,
    -0.002_777_777_777_771_288,
    0.000_793_650_790_180_589_4,
    -0.000_595_237_367_260_747_4,
    0.000_841_672_148_378_057_9,
    -0.001_912_536_810_857_489_7,
    0.006_210_992_276_421_007,
    -0.024_319_700_815_182_16,
    0.086_008_869_153_620_22,
    -0.173_902_239_784_223_67,
];

/// The positive zero of digamma, in two parts.
const ROOT: [f64; 2] = [1.461_632_144_968_362_2, 9.549_995_429_965_697e-17];

/// `G` of `digamma(x) = (x - root) G(x - 3/2)` on `1 <= x <= 2`, near-minimax.
const DIGAMMA: &[f64] = &[
    0.951_055_876_031_832_8,
    -0.423_627_421_281_457_3,
    0.240_542_484_240_784_78,
    -0.148_404_923_054_858_08,
    0.094_988_724_453_541_83,
    -0.061_922_133_190_727_07,
    0.040_760_833_884_338_7,
    -0.026_975_800_029_253_667,
    0.017_907_250_563_619_775,
    -0.011_908_146_513_976_738,
    0.007_926_972_735_646_359,
    -0.005_280_903_066_090_605,
    0.003_518_750_436_195_013_4,
    -0.002_337_552_647_103_118,
    0.001_558_074_913_721_376_1,
    -0.001_077_686_396_723_422_6,
    0.000_718_410_796_904_637_8,
    -0.000_354_763_520_533_719_77,
    0.000_236_501_717_193_398_14,
    -0.000_378_390_789_724_885_8,
    0.000_252_259_050_696_488_5,
];

/// `D` of `digamma(x) = ln x - 1/(2x) - w D(w)`, `w = 1/x^2`, on `x >= 4`, near-minimax.
const DIGAMMA_STIRLING: &[f64] = &[
    0.083_333_333_333_333_3,
    -0.008_333_333_333_220_18,
    0.003_968_253_907_681_641,
    -0.004_166_653_932_895_41,
    0.007_574_376_314_502_456,
    -0.021_004_729_764_303_443,
    0.079_785_858_937_978_04,
    -0.348_758_355_556_930_5,
    1.317_667_749_896_685,
    -2.763_246_144_177_119_7,
];

/// `T` of `trigamma(x) = 1/x + 1/(2x^2) + T(1/x^2)/x^3` on `x >= 4`, near-minimax.
const TRIGAMMA_STIRLING: &[f64] = &[
    0.166_666_666_666_666_6,
    -0.033_333_333_333_051_524,
    0.023_809_523_626_646_25,
    -0.033_333_286_478_507_106,
    0.075_751_324_865_120_58,
    -0.252_616_750_023_843_04,
    1.141_258_502_711_947_3,
    -6.212_848_416_800_843,
    33.494_756_096_387_37,
    -137.646_927_820_666_86,
    291.539_608_821_451_5,
];

/// `c[0] + c[1] x + ..` and what the last rounding took from it, for coefficients after the first that are a correction.
#[inline(always)]
fn horner_parts(x: f64, coefficients: &[f64]) -> (f64, f64) {
    let rest = x * horner(x, &coefficients[1..]);
    let sum = coefficients[0] + rest;
    (sum, (coefficients[0] - sum) + rest)
}

/// The logarithm of a positive finite number as a sum of two.
#[inline(always)]
fn ln_parts(x: f64) -> (f64, f64) {
    let subnormal = x < f64::MIN_POSITIVE;
    let (m, k, _) = f64::select(subnormal, x * f64::SUBNORMAL_SCALE, x).split();
    let k = k - f64::select(subnormal, f64::SUBNORMAL_SHIFT, 0.0);
    let (f, tail) = log::ln_near_one_parts(m - 1.0, k * f64::LN2_LOW);
    let high = k * f64::LN2_HIGH;
    let sum = high + f;
    (sum, ((high - sum) + f) + tail)
}

/// `ln Gamma(x)` for `x >= 0`, straight line.
#[inline(always)]
pub fn lgamma_positive<T: Real>(x: T) -> T {
    let x = x.to_f64();
    let (large, below, low) = (x >= STIRLING, x < 1.5, x < 0.5);

    // Gamma(x) = (x-1)(x-2)..y Gamma(y), y in (3/2, 5/2].
    let (mut y, mut product) = (x, 1.0);
    for _ in 0..2 {
        let (shift, next) = (y > 2.5, y - 1.0);
        product = f64::select(shift, product * next, product);
        y = f64::select(shift, next, y);
    }
    // Below 3/2: Gamma(x) = Gamma(x+1) / x, and once more, Gamma(x+2) / (x(x+1)), below 1/2.
    let up_twice = x.mul_add(x, x);
    let up_twice_error = x.mul_add(x, x - up_twice);
    let t = f64::select(low, x, f64::select(below, x - 1.0, y - 2.0));

    let factor = f64::select(large, x, f64::select(low, up_twice, f64::select(below, x, product)));
    let (log, log_low) = ln_parts(factor);
    let inverse = 1.0 / factor;
    let log_low = log_low + f64::select(low, up_twice_error * inverse, 0.0);

    // Stirling.
    let w = inverse * inverse;
    let (a, b) = (x - 0.5, log - 1.0);
    let (main, main_low) = two_product(a, b);
    let correction = horner(w, LGAMMA_STIRLING).mul_add(inverse, STIRLING_CONSTANT);
    let far = main + (a.mul_add(log_low, main_low) + correction);
    let far = f64::select(main < f64::INFINITY, far, main);

    // Near 2, plus or minus the logarithm of the factors.
    let (linear, linear_low) = two_product(t, ONE_MINUS_EULER[0]);
    let ((square, square_low), (slope, slope_low)) = (two_product(t, t), horner_parts(t, LGAMMA));
    let (curved, curved_low) = two_product(square, slope);
    let curved_low = square.mul_add(slope_low, square_low.mul_add(slope, curved_low));
    let (log, log_low) = (f64::select(below, -log, log), f64::select(below, -log_low, log_low));
    let (sum, error) = two_sum(linear, log);
    let (sum, second_error) = two_sum(sum, curved);
    let low = t.mul_add(ONE_MINUS_EULER[1], linear_low) + (log_low + curved_low);
    let near = sum + ((error + second_error) + low);

    let y = f64::select(large, far, near);
    T::from_f64(f64::select(x == 0.0, f64::INFINITY, y))
}

/// `sin(pi x)` and `cos(pi x)` for a negative number, of which the whole part is dropped first: up to a common sign.
fn sin_cos_pi(x: f64) -> (f64, f64) {
    let angle = std::f64::consts::PI * (x - x.round_ties_even());
    (sin_near(angle), cos_near(angle))
}

/// `ln |Gamma(x)|` for `x < 0` by reflection, `|Gamma(-a) Gamma(a)| = pi / (a |sin(pi a)|)`.
#[cold]
pub fn lgamma_negative<T: Real>(x: T) -> T {
    let a = -x.to_f64();
    let y = if a == a.floor() {
        f64::INFINITY
    } else if a < 0.5 {
        lgamma_positive(1.0 - a) - ln(a)
    } else {
        let sine = sin_cos_pi(a).0.abs();
        ln(std::f64::consts::PI / (a * sine)) - lgamma_positive(a)
    };
    T::from_f64(y)
}

/// `ln |Gamma(x)|`.
#[inline(always)]
pub fn lgamma<T: Real>(x: T) -> T {
    if is_negative(x) { lgamma_negative(x) } else { lgamma_positive(x) }
}

/// Does `x` need reflection?
#[inline(always)]
pub fn is_negative<T: Real>(x: T) -> bool {
    x < T::ZERO
}

/// Digamma for `x >= 0`, straight line.
#[inline(always)]
pub fn digamma_positive<T: Real>(x: T) -> T {
    let x = x.to_f64();
    let (large, below) = (x >= STIRLING, x < 1.0);

    // digamma(x) = n/d + digamma(y) with y in [1, 2]: up one step below 1, down as many as it takes above 2.
    let mut y = f64::select(below, x + 1.0, x);
    let (mut n, mut d) = (f64::select(below, -1.0, 0.0), f64::select(below, x, 1.0));
    for _ in 0..2 {
        let (shift, next) = (y > 2.0, y - 1.0);
        n = f64::select(shift, n.mul_add(next, d), n);
        d = f64::select(shift, d * next, d);
        y = f64::select(shift, next, y);
    }
    let inverse = 1.0 / f64::select(large, x, d);
    let quotient = n * inverse;
    let remainder = quotient.mul_add(-d, n) * inverse;
    let remainder = f64::select(quotient.abs() < f64::INFINITY, remainder, 0.0);
    let (slope, slope_low) = horner_parts(y - 1.5, DIGAMMA);
    let (near, near_low) = two_product(y - ROOT[0], slope);
    let near_low = (y - ROOT[0]).mul_add(slope_low, slope.mul_add(-ROOT[1], near_low));
    let (sum, error) = two_sum(quotient, near);
    let sum = sum + (error + (remainder + near_low));
    let near = f64::select(quotient.abs() < f64::INFINITY, sum, quotient);

    let w = inverse * inverse;
    let far = ln(x) - 0.5f64.mul_add(inverse, w * horner(w, DIGAMMA_STIRLING));

    T::from_f64(f64::select(large, far, near))
}

/// Digamma for `x < 0` and -0: `digamma(-a) = digamma(1 + a) + pi cot(pi a)`.
#[cold]
pub fn digamma_negative<T: Real>(x: T) -> T {
    let a = -x.to_f64();
    let y = if a == a.floor() {
        f64::NAN
    } else {
        let (sine, cosine) = sin_cos_pi(a);
        digamma_positive(1.0 + a) + std::f64::consts::PI * (cosine / sine)
    };
    T::from_f64(y)
}

/// The derivative of `ln |Gamma(x)|`.
#[inline(always)]
pub fn digamma<T: Real>(x: T) -> T {
    if is_negative(x) { digamma_negative(x) } else { digamma_positive(x) }
}

/// Trigamma for `x >= 0`, straight line.
#[inline(always)]
pub fn trigamma_positive<T: Real>(x: T) -> T {
    let x = x.to_f64();
    let large = x >= STIRLING;

    // trigamma(x) = 1/x^2 + n/d + trigamma(x + 4), n/d = sum of 1/(x+i)^2 over i = 1..3.
    // Numerator and denominator with what rounding took from them: the quotient is a good part of the sum.
    let y = x + 1.0;
    let ((mut n, mut n_low), (mut d, mut d_low)) = ((1.0f64, 0.0f64), two_product(y, y));
    for i in 2..4 {
        let y = x + f64::from(i);
        let (square, square_low) = two_product(y, y);
        let (product, product_low) = two_product(n, square);
        let product_low = n.mul_add(square_low, n_low.mul_add(square, product_low));
        let (sum, error) = two_sum(product, d);
        (n, n_low) = (sum, error + (product_low + d_low));
        let (product, product_low) = two_product(d, square);
        (d, d_low) = (product, d.mul_add(square_low, d_low.mul_add(square, product_low)));
    }
    let quotient = n / d;
    let quotient_low = (quotient.mul_add(-d, n) + quotient.mul_add(-d_low, n_low)) / d;
    let inverse = 1.0 / f64::select(large, x, x + STIRLING);
    let w = inverse * inverse;
    let far = inverse + 0.5f64.mul_add(w, (w * inverse) * horner(w, TRIGAMMA_STIRLING));

    let first = 1.0 / x;
    let first_low = first.mul_add(-x, 1.0) * first;
    let (square, square_low) = two_product(first, first);
    let square_low = (first + first).mul_add(first_low, square_low);
    let square_low = f64::select(square < f64::INFINITY, square_low, 0.0);
    let (sum, error) = two_sum(quotient, far);
    let (sum, second_error) = two_sum(square, sum);
    let near = sum + (second_error + (error + (quotient_low + square_low)));
    // Of an infinite square nothing is left to add.
    let near = f64::select(square < f64::INFINITY, near, square);

    T::from_f64(f64::select(large, far, near))
}

/// Trigamma for `x < 0`: `trigamma(-a) = pi^2 / sin(pi a)^2 - trigamma(1 + a)`.
#[cold]
pub fn trigamma_negative<T: Real>(x: T) -> T {
    let a = -x.to_f64();
    let y = if a == a.floor() {
        f64::INFINITY
    } else {
        let ratio = std::f64::consts::PI / sin_cos_pi(a).0;
        ratio * ratio - trigamma_positive(1.0 + a)
    };
    T::from_f64(y)
}

/// The second derivative of `ln |Gamma(x)|`.
#[inline(always)]
pub fn trigamma<T: Real>(x: T) -> T {
    if is_negative(x) { trigamma_negative(x) } else { trigamma_positive(x) }
}
