//! Sums of `ln(1 + e^x)` as logarithms of products: one logarithm for many numbers, and the logistic function, which is the
//! slope of each, from the same exponentials.

use super::dispatch::multiversion;
use super::elementwise::pairwise;
use crate::real::Real;

/// Products side by side, and numbers that are handled at a time.
const ACCUMULATORS: usize = 32;

/// Numbers of which products are taken. A vector of products is left when their logarithms are taken, of 128 factors in
/// double precision and 64 in single precision, none of which is above 2.
const MOST: usize = 1024;

/// `sum ln(1 + e^x) = sum max(x, 0) + ln(1 + q)` with `1 + q = prod (1 + e^-|x|)`, of as many numbers as [`MOST`].
///
/// q is kept instead of the product: all its terms are positive, so that small ones lose no digits.
struct Product<T> {
    q: [T; ACCUMULATORS],
    positive: [T; ACCUMULATORS],
}

impl<T: Real> Product<T> {
    #[inline(always)]
    fn new() -> Self {
        Self { q: [T::ZERO; ACCUMULATORS], positive: [T::ZERO; ACCUMULATORS] }
    }

    /// Takes in numbers x with their `e^-|x|`.
    #[inline(always)]
    fn take(&mut self, x: &[T; ACCUMULATORS], e: &[T; ACCUMULATORS]) {
        for ((q, &e), (p, &x)) in self.q.iter_mut().zip(e).zip(self.positive.iter_mut().zip(x)) {
            *q = both(*q, e);
            // Not a maximum, which hides NaN.
            *p += T::select(x < T::ZERO, T::ZERO, x);
        }
    }

    /// Takes in all but the first few.
    #[inline(always)]
    fn take_from(&mut self, first: usize, x: &[T; ACCUMULATORS], e: &[T; ACCUMULATORS]) {
        let (mut from_x, mut from_e) = (*x, *e);
        for (i, (x, e)) in from_x.iter_mut().zip(&mut from_e).enumerate() {
            *x = if i < first { T::ZERO } else { *x };
            *e = if i < first { T::ZERO } else { *e };
        }
        self.take(&from_x, &from_e);
    }

    #[inline(always)]
    fn total(self) -> T {
        let (q, positive): ([T; 16], [T; 16]) = (halved(&self.q, both), halved(&self.positive, plus));
        if size_of::<T>() < 8 {
            return Self::logarithms(q, positive);
        }
        Self::logarithms::<8>(halved(&q, both), halved(&positive, plus))
    }

    #[inline(always)]
    fn logarithms<const N: usize>(q: [T; N], mut positive: [T; N]) -> T {
        for (p, q) in positive.iter_mut().zip(q) {
            *p += q.k_ln_1p();
        }
        pairwise(positive)
    }
}

/// `(1 + a) (1 + b) - 1`
#[inline(always)]
fn both<T: Real>(a: T, b: T) -> T {
    a.mul_add(b, a + b)
}

#[inline(always)]
fn plus<T: Real>(a: T, b: T) -> T {
    a + b
}

/// Each number with the one half the length on.
#[inline(always)]
fn halved<T: Real, const N: usize, const HALF: usize>(x: &[T; N], join: impl Fn(T, T) -> T) -> [T; HALF] {
    let mut out = [T::ZERO; HALF];
    for ((o, &a), &b) in out.iter_mut().zip(&x[..HALF]).zip(&x[HALF..]) {
        *o = join(a, b);
    }
    out
}

/// The sum, and `1 / (1 + e^-x)` where there is room for it.
#[inline(always)]
fn sum<T: Real, const SLOPES: bool>(x: &[T], slopes: &mut [T]) -> T {
    let mut total = T::ZERO;
    let mut e = [T::ZERO; ACCUMULATORS];
    for (part, x) in x.chunks(MOST).enumerate() {
        let mut product = Product::new();
        let slopes = if SLOPES { &mut slopes[part * MOST..][..x.len()] } else { &mut [] };
        let (whole, rest) = x.as_chunks::<ACCUMULATORS>();
        for (i, x) in whole.iter().enumerate() {
            if SLOPES {
                with_slopes(x, &mut e, &mut slopes[i * ACCUMULATORS..][..ACCUMULATORS]);
            } else {
                exponentials(x, &mut e);
            }
            product.take(x, &e);
        }
        let but = ACCUMULATORS - rest.len();
        match x.last_chunk() {
            _ if rest.is_empty() => {}
            // The last numbers once more, to be computed as whole vectors.
            Some(last) => {
                if SLOPES {
                    let at = slopes.len() - ACCUMULATORS;
                    with_slopes(last, &mut e, &mut slopes[at..]);
                } else {
                    exponentials(last, &mut e);
                }
                product.take_from(but, last, &e);
            }
            None => {
                let (mut x, mut s) = ([T::ZERO; ACCUMULATORS], [T::ZERO; ACCUMULATORS]);
                x[but..].copy_from_slice(rest);
                with_slopes(&x, &mut e, &mut s);
                if SLOPES {
                    slopes.copy_from_slice(&s[but..]);
                }
                product.take_from(but, &x, &e);
            }
        }
        total += product.total();
    }
    total
}

#[inline(always)]
fn exponentials<T: Real>(x: &[T; ACCUMULATORS], e: &mut [T; ACCUMULATORS]) {
    x.iter().zip(e).for_each(|(x, e)| *e = (-x.abs()).k_exp());
}

#[inline(always)]
fn with_slopes<T: Real>(x: &[T; ACCUMULATORS], e: &mut [T; ACCUMULATORS], slopes: &mut [T]) {
    for ((&x, e), slope) in x.iter().zip(e).zip(slopes) {
        *e = (-x.abs()).k_exp();
        *slope = T::select(x < T::ZERO, *e, T::ONE) / (T::ONE + *e);
    }
}

multiversion! {
    /// `sum ln(1 + e^x[i])`.
    pub(crate) fn softplus_sum<T: Real>(x: &[T]) -> T {
        sum::<T, false>(x, &mut [])
    }
}

multiversion! {
    /// `slopes[i] = 1 / (1 + e^-x[i])`; returns `sum ln(1 + e^x[i])`.
    pub(crate) fn softplus_sum_with_slopes<T: Real>(x: &[T], slopes: &mut [T]) -> T {
        sum::<T, true>(x, slopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::elementary::lane::two_sum;
    use crate::random::{Philox, Purpose};

    /// Against sums of the function itself in double precision, whose terms are right to 2 units in the last place, for
    /// arguments of all sizes. Terms do not cancel, and 32 sums or products stand side by side: what rounding takes from
    /// each step is at most eps / 2 of a 32nd part.
    fn check<T: Real>(eps: f64) {
        for (n, scale) in [(1, 1.0), (5, 30.0), (32, 0.1), (33, 2.0), (900, 3.0), (1024, 0.0), (5000, 10.0)] {
            for shift in [-600.0, -80.0, -30.0, 0.0, 30.0, 600.0] {
                let mut z = vec![0.0; n];
                Philox::new(5, Purpose::Init, n as u32, 0).fill_standard_normal(&mut z);
                let x: Vec<T> = z.iter().map(|z| T::from_f64(scale * z + shift)).collect();
                let mut slopes = vec![T::NAN; n];
                let with = softplus_sum_with_slopes(&x, &mut slopes);
                assert_eq!(with.to_f64().to_bits(), softplus_sum(&x).to_f64().to_bits());
                let (mut want, mut rounded) = (0.0, 0.0);
                for x in &x {
                    let (sum, error) = two_sum(want, x.to_f64().k_softplus());
                    (want, rounded) = (sum, rounded + error);
                }
                want += rounded;
                let error = (with.to_f64() - want).abs();
                // Subnormal numbers have fewer digits.
                let tiny = n as f64 * T::MIN_POSITIVE.to_f64();
                assert!(error <= 8.0 * eps * want + tiny, "{n} {scale} {shift}: {} {want}", with.to_f64());
                for (x, slope) in x.iter().zip(&slopes) {
                    let want = x.to_f64().k_sigmoid();
                    let error = (slope.to_f64() - want).abs();
                    assert!(error <= 2.25 * eps * want + T::MIN_POSITIVE.to_f64(), "{}", x.to_f64());
                }
            }
        }
    }

    #[test]
    fn sums_are_those_of_the_function() {
        check::<f64>(f64::EPSILON);
        check::<f32>(f64::from(f32::EPSILON));
    }

    #[test]
    fn what_is_no_number_and_what_is_infinite() {
        let infinite = [1.0, f64::INFINITY, f64::NEG_INFINITY];
        let mut slopes = [0.0; 3];
        assert_eq!(softplus_sum_with_slopes(&infinite, &mut slopes), f64::INFINITY);
        assert_eq!(slopes[1..], [1.0, 0.0]);
        assert_eq!(softplus_sum(&[f64::NEG_INFINITY; 40]), 0.0);
        assert!(softplus_sum(&[1.0, f64::NAN]).is_nan());
        assert_eq!(softplus_sum::<f64>(&[]), 0.0);
    }
}
