//! The elementary functions over slices, and a table of them.
//!
//! One scalar formula for each function (methods `k_*` of [`Real`]) is compiled for every instruction set; see
//! [`dispatch`](super::dispatch). The result does not depend on the set, nor on a number's place in its slice.

pub(crate) mod arctangent;
pub(crate) mod bessel;
pub(crate) mod erf;
pub(crate) mod exp;
pub(crate) mod gamma;
pub(crate) mod hyperbolic;
pub(crate) mod lane;
pub(crate) mod log;
pub(crate) mod normal;
pub(crate) mod pow;
pub(crate) mod trig;

use super::dispatch::multiversion;
use crate::real::Real;

/// A function of one number, as a type, so that loops over it are compiled with the function inside.
pub trait Unary {
    /// The value at `x`. Implementations are `#[inline(always)]` and straight line.
    fn apply<T: Real>(x: T) -> T;
    /// Does `x` need [`apply_rare`](Unary::apply_rare)?
    #[inline(always)]
    fn is_rare<T: Real>(_x: T) -> bool {
        false
    }
    /// The value at a rare `x`, for which [`apply`](Unary::apply) may give anything.
    fn apply_rare<T: Real>(x: T) -> T {
        Self::apply(x)
    }
}

/// Elements that a loop handles at a time.
const BLOCK: usize = 32;
/// What is left over is handled so many at a time, the last of it padded.
const REST: usize = 8;

/// `out[i] = F(x[i])`, and whether a rare argument was among them.
#[inline(always)]
fn straight<T: Real, F: Unary>(x: &[T], out: &mut [T]) -> bool {
    let mut rare = false;
    for (o, &x) in out.iter_mut().zip(x) {
        *o = F::apply(x);
        rare |= F::is_rare(x);
    }
    rare
}

multiversion! {
    /// `out[i] = F(x[i])`, as far as both slices reach.
    pub fn map_unary<T: Real, F: Unary>(x: &[T], out: &mut [T]) {
        let n = x.len().min(out.len());
        let (x, out) = (&x[..n], &mut out[..n]);
        if let ([x], [out]) = (x, &mut *out) {
            *out = if F::is_rare(*x) { rare_value::<T, F>(*x) } else { F::apply(*x) };
            return;
        }
        let whole = n - n % BLOCK;
        let mut rare = straight::<T, F>(&x[..whole], &mut out[..whole]);
        let (x_rest, out_rest) = (x[whole..].chunks(REST), out[whole..].chunks_mut(REST));
        for (x, out) in x_rest.zip(out_rest) {
            // The remainder in whole vectors too: a loop over single elements would cost more than the rest of a short
            // slice.
            let mut padded = [x[0]; REST];
            match <&[T; REST]>::try_from(x) {
                Ok(whole) => padded = *whole,
                Err(_) => padded.iter_mut().zip(x).for_each(|(to, &x)| *to = x),
            }
            let mut result = padded;
            rare |= straight::<T, F>(&padded, &mut result);
            match <&mut [T; REST]>::try_from(&mut *out) {
                Ok(whole) => *whole = result,
                Err(_) => out.iter_mut().zip(result).for_each(|(to, x)| *to = x),
            }
        }
        if rare {
            redo_rare::<T, F>(x, out);
        }
    }
}

#[cold]
#[inline(never)]
fn redo_rare<T: Real, F: Unary>(x: &[T], out: &mut [T]) {
    for (o, &x) in out.iter_mut().zip(x).filter(|(_, x)| F::is_rare(**x)) {
        *o = F::apply_rare(x);
    }
}

#[cold]
#[inline(never)]
fn rare_value<T: Real, F: Unary>(x: T) -> T {
    F::apply_rare(x)
}

multiversion! {
    /// `out[i] = x[i]` to the power `y[i]`, as far as all slices reach.
    pub fn pow<T: Real>(x: &[T], y: &[T], out: &mut [T]) {
        for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
            *o = x.k_powf(y);
        }
    }
}

/// What tests, benchmarks and documents know about an elementary function.
#[derive(Clone, Copy, Debug)]
pub struct Elementary {
    /// Its name.
    pub name: &'static str,
    /// The function over `f64` slices.
    pub f64: fn(&[f64], &mut [f64]),
    /// The function over `f32` slices.
    pub f32: fn(&[f32], &mut [f32]),
    /// Where its error bounds hold. Outside it may lose digits to cancellation (near the zeros of the gamma functions
    /// at negative numbers) but not be grossly wrong.
    pub domain: (f64, f64),
    /// Largest error in `f64`, in units in the last place of the result.
    pub max_ulp: f64,
    /// Largest error in `f32`, in units in the last place of the result.
    pub max_ulp_f32: f64,
}

macro_rules! elementary {
    ($($name:ident, $marker:ident, $apply:path $(, rare: $is_rare:path => $rare:path)?;
        $doc:literal, on $domain:expr, ulp $ulp:literal, f32 $ulp_f32:literal;)+) => {
        $(
            #[doc = concat!("The type that stands for [`", stringify!($name), "`] in loops.")]
            #[derive(Clone, Copy, Debug)]
            pub struct $marker;

            impl Unary for $marker {
                #[inline(always)]
                fn apply<T: Real>(x: T) -> T {
                    $apply(x)
                }
                $(
                    #[inline(always)]
                    fn is_rare<T: Real>(x: T) -> bool {
                        $is_rare(x)
                    }
                    fn apply_rare<T: Real>(x: T) -> T {
                        $rare(x)
                    }
                )?
            }

            #[doc = concat!("`out[i] = ", $doc, "`, as far as both slices reach.")]
            pub fn $name<T: Real>(x: &[T], out: &mut [T]) {
                map_unary::<T, $marker>(x, out);
            }
        )+

        /// Every elementary function of one number.
        pub const ELEMENTARY: &[Elementary] = &[$(Elementary {
            name: stringify!($name),
            f64: $name::<f64>,
            f32: $name::<f32>,
            domain: $domain,
            max_ulp: $ulp,
            max_ulp_f32: $ulp_f32,
        }),+];
    };
}

const LINE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
const POSITIVE: (f64, f64) = (0.0, f64::INFINITY);

elementary! {
    exp, Exp, Real::k_exp; "e^x", on LINE, ulp 1.25, f32 1.25;
    expm1, Expm1, Real::k_expm1; "e^x - 1", on LINE, ulp 1.5, f32 1.5;
    ln, Ln, Real::k_ln; "ln x", on POSITIVE, ulp 1.0, f32 1.0;
    ln_1p, Ln1p, Real::k_ln_1p; "ln(1 + x)", on (-1.0, f64::INFINITY), ulp 1.0, f32 1.0;
    tanh, Tanh, Real::k_tanh; "tanh x", on LINE, ulp 2.0, f32 2.0;
    sigmoid, Sigmoid, Real::k_sigmoid; "1 / (1 + e^-x)", on LINE, ulp 2.0, f32 2.0;
    softplus, Softplus, Real::k_softplus; "ln(1 + e^x)", on LINE, ulp 2.0, f32 2.0;
    sin, Sin, Real::k_sin_near, rare: Real::k_is_far => Real::k_sin; "sin x", on LINE, ulp 1.0, f32 1.0;
    cos, Cos, Real::k_cos_near, rare: Real::k_is_far => Real::k_cos; "cos x", on LINE, ulp 1.0, f32 1.0;
    atan, Atan, Real::k_atan; "arctan x", on LINE, ulp 1.5, f32 0.6;
    erf, Erf, Real::k_erf; "erf x", on LINE, ulp 1.5, f32 1.5;
    erfc, Erfc, Real::k_erfc; "1 - erf x", on LINE, ulp 2.0, f32 2.0;
    lgamma, Lgamma, gamma::lgamma_positive, rare: gamma::is_negative => gamma::lgamma_negative;
        "ln |Gamma(x)|", on POSITIVE, ulp 1.5, f32 0.6;
    digamma, Digamma, gamma::digamma_positive, rare: gamma::is_negative => gamma::digamma_negative;
        "d/dx ln |Gamma(x)|", on POSITIVE, ulp 2.0, f32 0.6;
    trigamma, Trigamma, gamma::trigamma_positive, rare: gamma::is_negative => gamma::trigamma_negative;
        "d^2/dx^2 ln |Gamma(x)|", on POSITIVE, ulp 1.5, f32 0.6;
    erfcx, Erfcx, Real::k_erfcx; "e^(x^2) (1 - erf x)", on LINE, ulp 4.0, f32 4.0;
    log_ndtr, LogNdtr, Real::k_log_ndtr; "ln Phi(x)", on LINE, ulp 4.0, f32 0.6;
    ndtri, Ndtri, Real::k_ndtri; "Phi^-1(x)", on (0.0, 1.0), ulp 4.0, f32 0.6;
    i0e, I0e, Real::k_i0e; "e^-|x| I0(x)", on LINE, ulp 4.0, f32 0.6;
    i1e, I1e, Real::k_i1e; "e^-|x| I1(x)", on LINE, ulp 4.0, f32 0.6;
}
