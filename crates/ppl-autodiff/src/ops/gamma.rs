//! The log-gamma function and its derivatives.

use crate::kernels::elementary;
use crate::ops::Elementwise;
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
