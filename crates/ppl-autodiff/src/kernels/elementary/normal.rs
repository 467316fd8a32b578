//! The logarithm of the normal distribution function, and the quantile function.
//!
//! Both work in `f64`; for `f32` arguments the result is rounded once more.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

use super::erf::{erfcx, scaled_in_two};
use super::exp::{ExpTable, exp_sum};
use super::lane::{at_least, at_most, horner};
use super::log::{ln, ln_1p};
use crate::real::Real;

/// `sqrt(2 pi)`.
const SQRT_2PI: f64 = 2.506_628_274_631_000_5;

/// Below this probability (and above 1 less it) the quantile starts from the tail's formula.
const TAIL: f64 = 0.02425;
/// The start of quantiles, to about 1e-9: numerators and denominators of the middle and of the tail, after P. J. Acklam,
/// "An algorithm for computing the inverse normal cumulative distribution function" (2003).
const MIDDLE_ABOVE: &[f64] = &[
    2.506_628_277_459_239,
    -30.664_798_066_147_16,
    138.357_751_867_269,
    -275.928_510_446_968_7,
    220.946_098_424_520_5,
    -39.696_830_286_653_76,
];
const MIDDLE_BELOW: &[f64] = &[
    1.0,
    -13.280_681_552_885_72,
    66.801_311_887_719_72,
    -155.698_979_859_886_6,
    161.585_836_858_040_9,
    -54.476_098_798_224_06,
];
const TAIL_ABOVE: &[f64] = &[
    2.938_163_982_698_783,
    4.374_664_141_464_968,
    -2.549_732_539_343_734,
    -2.400_758_277_161_838,
    -0.322_396_458_041_136_5,
    -0.007_784_894_002_430_293,
];
const TAIL_BELOW: &[f64] =
    &[1.0, 3.754_408_661_907_416, 2.445_134_137_142_996, 0.322_467_129_070_039_8, 0.007_784_695_709_041_462];

/// The upper tail beyond `a >= 0`: `erfc(a / sqrt 2) / 2`. The exponent is made from `a`, not from `a / sqrt 2`.
#[inline(always)]
fn upper(a: f64) -> f64 {
    let a = at_most(a, 40.0);
    let square = a * a;
    let low = a.mul_add(a, -square);
    let half = at_least(-0.5 * square, f64::UNDERFLOW);
    0.5 * exp_sum(half, -0.5 * low, scaled_in_two(a * FRAC_1_SQRT_2))
}

/// `ln Phi(x)`.
#[inline(always)]
pub fn log_ndtr<T: Real>(x: T) -> T {
    let x = x.to_f64();
    let a = x.abs();
    let below = ln(erfcx(a * FRAC_1_SQRT_2)) - (0.5 * a).mul_add(a, LN_2);
    let above = ln_1p(-upper(a));
    T::from_f64(f64::select(x < 0.0, below, above))
}

/// The x with `Phi(x) = p`: infinite at 0 and 1, NaN outside. One step of Halley's method leaves nothing of the error of
/// the start.
#[inline(always)]
pub fn ndtri<T: Real>(p: T) -> T {
    let p = p.to_f64();
    let q = p - 0.5;
    let tail = f64::select(q > 0.0, 1.0 - p, p);

    // Where the middle's formula counts: the error of Phi(x) - 1/2 over the density.
    let r = q * q;
    let x = q * (horner(r, MIDDLE_ABOVE) / horner(r, MIDDLE_BELOW));
    let scale = SQRT_2PI * f64::k_exp(0.5 * x * x);
    let step = f64::mul_add(0.5, f64::k_erf(x * FRAC_1_SQRT_2), -q) * scale;
    let middle = x - step / f64::mul_add(0.5 * x, step, 1.0);

    // In the tail: the same for the logarithms, whose second derivative is -slope (x + slope) .
    let log = ln(at_least(tail, f64::from_bits(1)));
    let r = (-2.0 * log).sqrt();
    let x = horner(r, TAIL_ABOVE) / horner(r, TAIL_BELOW);
    let inverse_slope = (0.5 * SQRT_2PI) * erfcx(-x * FRAC_1_SQRT_2);
    let step = (log_ndtr(x) - log) * inverse_slope;
    let x = x - step / f64::mul_add(0.5 * (x + 1.0 / inverse_slope), step, 1.0);
    let far = f64::select(q > 0.0, -x, x);

    let inside = f64::select(tail < TAIL, far, middle);
    let at_end = f64::select(p == 0.0, f64::NEG_INFINITY, f64::select(p == 1.0, f64::INFINITY, f64::NAN));
    T::from_f64(f64::select(tail > 0.0, inside, at_end))
}
