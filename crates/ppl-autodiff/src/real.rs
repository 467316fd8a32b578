//! The numbers that programs compute with: `f64` and `f32`, behind one trait.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::kernels::elementary::{arctangent, bessel, erf, exp, gamma, hyperbolic, log, normal, pow, trig};

/// A floating-point number that kernels are generic over.
///
/// Kernels are written once, as scalar code over `T: Real`, and the compiler makes vectors of them. So every method is
/// inlined, chooses by [`select`](Real::select) instead of branching, and says where it wants a fused multiply-add
/// ([`mul_add`](Real::mul_add), one rounding) instead of leaving that to the compiler. Consequence: a kernel gives the
/// same bits on every instruction set and at every vector width.
///
/// Methods `k_*` are the elementary functions; the prefix keeps them apart from the inherent methods of `f64`, which
/// would win without notice and are neither vectorised nor equal on all platforms. Their largest errors are listed in
/// [`ELEMENTARY`](crate::kernels::elementary::ELEMENTARY).
///
/// `k_sin`, `k_cos`, `k_lgamma`, `k_digamma` and `k_trigamma` have rare arguments (huge, or negative) that leave the
/// straight line, which keeps a loop that calls them from becoming vectors: over slices use the functions of
/// [`elementary`](crate::kernels::elementary), which give the same bits.
pub trait Real:
    crate::program::machine::Machine
    + Copy
    + Debug
    + Display
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// 2.
    const TWO: Self;
    /// 1/2.
    const HALF: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// Negative infinity.
    const NEG_INFINITY: Self;
    /// Not a number.
    const NAN: Self;
    /// Distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The smallest positive normal number.
    const MIN_POSITIVE: Self;
    /// The largest finite number.
    const MAX: Self;

    /// The nearest number to `x`.
    fn from_f64(x: f64) -> Self;
    /// The same number as `f64`, which is exact.
    fn to_f64(self) -> f64;

    /// `self * a + b` with one rounding.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// Square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// The largest integer not above `self`.
    fn floor(self) -> Self;
    /// The nearest integer; ties go to the even one, as in the vector instructions.
    fn round(self) -> Self;
    /// The magnitude of `self` with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// The next larger number; infinity and NaN stay.
    fn next_up(self) -> Self;
    /// The next smaller number; negative infinity and NaN stay.
    fn next_down(self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Is it NaN?
    fn is_nan(self) -> bool;

    /// `a` where `condition` holds, else `b`; both are evaluated.
    #[inline(always)]
    fn select(condition: bool, a: Self, b: Self) -> Self {
        if condition { a } else { b }
    }

    /// The larger of two numbers, NaN if either is NaN. Of zeros of both signs it returns `other`.
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self::select(self.is_nan(), self, Self::select(self > other, self, other))
    }

    /// The smaller of two numbers, NaN if either is NaN. Of zeros of both signs it returns `other`.
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self::select(self.is_nan(), self, Self::select(self < other, self, other))
    }

    /// `e^x`; subnormal results are rounded, not flushed.
    fn k_exp(self) -> Self;
    /// `e^x - 1`, relatively accurate at 0.
    fn k_expm1(self) -> Self;
    /// Natural logarithm: `-inf` at 0, NaN below.
    fn k_ln(self) -> Self;
    /// `ln(1 + x)`, relatively accurate at 0: `-inf` at -1, NaN below.
    fn k_ln_1p(self) -> Self;
    /// Hyperbolic tangent.
    fn k_tanh(self) -> Self;
    /// Logistic function `1 / (1 + e^-x)`.
    fn k_sigmoid(self) -> Self;
    /// `ln(1 + e^x)`.
    fn k_softplus(self) -> Self;
    /// Sine.
    fn k_sin(self) -> Self;
    /// Cosine.
    fn k_cos(self) -> Self;
    /// The straight-line part of [`k_sin`](Real::k_sin), for arguments that are not [far](Real::k_is_far).
    fn k_sin_near(self) -> Self;
    /// The straight-line part of [`k_cos`](Real::k_cos), for arguments that are not [far](Real::k_is_far).
    fn k_cos_near(self) -> Self;
    /// Is the argument so large (`1e9`; `3e4` in `f32`) that its multiple of pi/2 needs a longer reduction?
    fn k_is_far(self) -> bool;
    /// The angle between -pi/2 and pi/2 whose tangent this is.
    fn k_atan(self) -> Self;
    /// Error function `2/sqrt(pi) int_0^x e^(-t^2) dt`.
    fn k_erf(self) -> Self;
    /// `1 - erf(x)`, relatively accurate in the upper tail.
    fn k_erfc(self) -> Self;
    /// `ln |Gamma(x)|`; `+inf` at 0 and the negative integers.
    fn k_lgamma(self) -> Self;
    /// Derivative of `ln Gamma`; NaN at the negative integers, `-inf` at +0 and `+inf` at -0.
    fn k_digamma(self) -> Self;
    /// Second derivative of `ln Gamma`; `+inf` at 0 and the negative integers.
    fn k_trigamma(self) -> Self;
    /// `e^(x^2) erfc(x)`.
    fn k_erfcx(self) -> Self;
    /// `ln Phi(x)`, the logarithm of the standard normal distribution function.
    fn k_log_ndtr(self) -> Self;
    /// The standard normal quantile: infinite at 0 and 1, NaN outside.
    fn k_ndtri(self) -> Self;
    /// `e^-|x| I0(x)`, the modified Bessel function of order 0.
    fn k_i0e(self) -> Self;
    /// `e^-|x| I1(x)`, the modified Bessel function of order 1.
    fn k_i1e(self) -> Self;
    /// `self` to the power `exponent`, with the special values of IEEE 754 `pow`.
    fn k_powf(self, exponent: Self) -> Self;
}

macro_rules! impl_real {
    ($t:ident) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const TWO: Self = 2.0;
            const HALF: Self = 0.5;
            const INFINITY: Self = $t::INFINITY;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            const NAN: Self = $t::NAN;
            const EPSILON: Self = $t::EPSILON;
            const MIN_POSITIVE: Self = $t::MIN_POSITIVE;
            const MAX: Self = $t::MAX;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                $t::mul_add(self, a, b)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $t::floor(self)
            }
            #[inline(always)]
            fn round(self) -> Self {
                $t::round_ties_even(self)
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                $t::copysign(self, sign)
            }
            #[inline(always)]
            fn next_up(self) -> Self {
                $t::next_up(self)
            }
            #[inline(always)]
            fn next_down(self) -> Self {
                $t::next_down(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
            impl_real!(@elementary
                k_exp = exp::exp, k_expm1 = exp::expm1, k_ln = log::ln, k_ln_1p = log::ln_1p,
                k_tanh = hyperbolic::tanh, k_sigmoid = hyperbolic::sigmoid, k_softplus = hyperbolic::softplus,
                k_sin = trig::sin, k_cos = trig::cos, k_sin_near = trig::sin_near, k_cos_near = trig::cos_near, k_erf = erf::erf, k_erfc = erf::erfc,
                k_atan = arctangent::atan,
                k_lgamma = gamma::lgamma, k_digamma = gamma::digamma, k_trigamma = gamma::trigamma,
                k_erfcx = erf::erfcx, k_log_ndtr = normal::log_ndtr, k_ndtri = normal::ndtri,
                k_i0e = bessel::i0e, k_i1e = bessel::i1e);
            #[inline(always)]
            fn k_is_far(self) -> bool {
                trig::is_far(self)
            }
            #[inline(always)]
            fn k_powf(self, exponent: Self) -> Self {
                pow::powf(self, exponent)
            }
        }
    };
    (@elementary $($method:ident = $function:path),*) => {
        $(#[inline(always)]
        fn $method(self) -> Self {
            $function(self)
        })*
    };
}

impl_real!(f64);
impl_real!(f32);
