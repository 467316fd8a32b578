//! The arctangent, in `f64`; for `f32` arguments the result is rounded once more.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

use super::lane::horner;
use crate::real::Real;

/// `P` of `atan(t) = t + t^3 P(t^2)` on `|t| <= tan(pi/8)`, near-minimax.
const ATAN: &[f64] = &[
    -0.333_333_333_333_333_3,
    0.199_999_999_999_998_04,
    -0.142_857_142_856_597_79,
    0.111_111_111_051_505_88,
    -0.090_909_087_532_591_12,
    0.076_922_963_680_422_96,
    -0.066_664_247_602_005_2,
    0.058_789_275_544_738_07,
    -0.052_304_436_406_869_48,
    0.045_515_447_340_221_615,
    -0.034_569_315_063_326_09,
    0.016_284_375_050_043_393,
];

/// What pi/2 and pi/4 lack as doubles.
const FRAC_PI_2_LOW: f64 = 6.123_233_995_736_766e-17;
const FRAC_PI_4_LOW: f64 = 3.061_616_997_868_383e-17;

/// `atan x`, straight line: above `tan(pi/8)` the angle is turned by pi/4, above its inverse by pi/2.
#[inline(always)]
pub fn atan<T: Real>(x: T) -> T {
    let x = x.to_f64();
    let a = x.abs();
    let (far, middle) = (a > 2.414, a > 0.4142);
    let above = f64::select(far, -1.0, f64::select(middle, a - 1.0, a));
    let below = f64::select(far, a, f64::select(middle, a + 1.0, 1.0));
    let t = above / below;
    let turn = f64::select(far, FRAC_PI_2, f64::select(middle, FRAC_PI_4, 0.0));
    let turn_low = f64::select(far, FRAC_PI_2_LOW, f64::select(middle, FRAC_PI_4_LOW, 0.0));
    let s = t * t;
    let y = turn + (t + (t * s).mul_add(horner(s, ATAN), turn_low));
    T::from_f64(y.copysign(x))
}
