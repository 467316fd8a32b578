//! The log-gamma function and its derivatives, and the deviance that Stirling's formula leaves.

use crate::kernels::elementary;
use crate::ops::{Elementwise, Elementwise2};
use crate::real::Real;
use crate::var::Var;

pub(super) struct Lgamma;

impl Elementwise for Lgamma {
    const NAME: &'static str = "lgamma";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_lgamma()
    }
    fn block<T: Real>(x: &[T], out: &mut [T]) {
        elementary::lgamma(x, out);
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g * x.digamma())
    }
}

pub(super) struct Digamma;

impl Elementwise for Digamma {
    const NAME: &'static str = "digamma";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_digamma()
    }
    fn block<T: Real>(x: &[T], out: &mut [T]) {
        elementary::digamma(x, out);
    }
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        Some(g * x.trigamma())
    }
}

pub(super) struct Trigamma;

impl Elementwise for Trigamma {
    const NAME: &'static str = "trigamma";
    #[inline(always)]
    fn value<T: Real>(x: T) -> T {
        x.k_trigamma()
    }
    fn block<T: Real>(x: &[T], out: &mut [T]) {
        elementary::trigamma(x, out);
    }
    /// psi''(x) by recurrence up to x >= 10 and the asymptotic series there; it is needed only for third derivatives
    /// of `lgamma`, so it is a composition rather than a kernel. Abramowitz and Stegun (1964), 6.4.6 and 6.4.14.
    fn adjoint(x: Var, _: Var, g: Var) -> Option<Var> {
        const C: [f64; 7] = [0.5, 1.0 / 6.0, 1.0 / 6.0, 0.3, 5.0 / 6.0, 691.0 / 210.0, 17.5];
        let shift: Var = (0..10).rev().map(|i| (x + f64::from(i)).powi(3).recip()).sum();
        let r = (x + 10.0).recip();
        let z = r.square();
        let tail = C.iter().rev().fold(Var::from(0.0), |rest, &c| c - z * rest);
        let series = z * (1.0 + r + z * tail);
        Some(-(g * (series + shift * 2.0)))
    }
}

/// `x ln(x / m) + m - x` for positive x and m, half of a Poisson deviance: 0 at `x = m`. Near there by a series in
/// `v = (x - m) / (x + m)`. Loader (2000), "Fast and accurate computation of binomial probabilities".
pub(super) struct Deviance;

/// Up to this |v| by the series.
const NEAR: f64 = 0.1;

/// `1/3, 1/5, 1/7, ..`: `atanh(v) = v + v^3/3 + v^5/5 + ..`.
const ATANH: [f64; 8] = [1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0, 1.0 / 17.0];

impl Elementwise2 for Deviance {
    const NAME: &'static str = "deviance";
    #[inline(always)]
    fn value<T: Real>(x: T, m: T) -> T {
        let difference = x - m;
        let v = difference / (x + m);
        let s = v * v;
        let series = ATANH.iter().rev().fold(T::ZERO, |sum, &c| sum.mul_add(s, T::from_f64(c)));
        let near = difference * v + T::TWO * x * v * s * series;
        let far = x * (x / m).k_ln() - difference;
        T::select(v.abs() < T::from_f64(NEAR), near, far)
    }
    /// `ln(x / m)` and `1 - x / m`, both from the difference where the two are near each other.
    fn adjoint(x: Var, m: Var, _: Var, g: Var) -> (Option<Var>, Option<Var>) {
        let ratio = (x - m) / m;
        let near = ratio.abs().lt(0.25);
        let ln = near.select(near.select(ratio, 0.0).ln_1p(), near.select(1.0, x / m).ln());
        (Some(g * ln), Some(-g * ratio))
    }
}
