//! Short functions of one array and some numbers, one after the other in one loop: memory is walked once, where step by step
//! each result would go through the first-level cache.

use crate::kernels::dispatch::multiversion;
use crate::kernels::elementwise::{by_reciprocal, quotient, reciprocal};
use crate::real::Real;

/// The numbers of a line: `m` and `s` of its start, five of its middle, and both ends of the interval and what stands
/// outside of it at its end. Those that a line has no use for are 0.
pub(crate) const NUMBERS: usize = 10;
/// `out[i]` is the end of the middle of the start of `x[i]`.
pub(crate) type LineKernel<T> = fn(x: &[T], numbers: &[T; NUMBERS], out: &mut [T]);

/// How a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// `x - m`
    Sub,
    /// `(x - m) / s`
    SubDiv,
}

/// What a line does next, to a number v.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Middle {
    /// `v a + b`
    Affine,
    /// `v^2 a + b`, the square rounded.
    OfSquare,
    /// `v (v a + b) + c`
    Quadratic,
    /// `a - |v|`
    SubAbs,
    /// `v (v > a ? b : c) + d`
    Bent,
    /// `v = a ? b : c`
    Case,
    /// `v = a ? b : v = c ? d : e`
    Cases,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With what it has.
    Everywhere,
    /// With that where `low <= x <= high`, else with another number.
    Within,
    /// With that where moreover x is a whole number.
    WithinWhole,
}

trait Starts {
    /// What division by s needs.
    fn prepare<T: Real>(s: T) -> [T; 2];
    fn value<T: Real>(x: T, m: T, s: T, prepared: [T; 2]) -> T;
}

struct Sub;
/// Division by an estimate and its correction.
struct SubQuotient;
struct SubDiv;

impl Starts for Sub {
    #[inline(always)]
    fn prepare<T: Real>(_: T) -> [T; 2] {
        [T::ZERO; 2]
    }
    #[inline(always)]
    fn value<T: Real>(x: T, m: T, _: T, _: [T; 2]) -> T {
        x - m
    }
}
impl Starts for SubQuotient {
    #[inline(always)]
    fn prepare<T: Real>(s: T) -> [T; 2] {
        reciprocal(s)
    }
    #[inline(always)]
    fn value<T: Real>(x: T, m: T, s: T, prepared: [T; 2]) -> T {
        quotient(x - m, s, prepared)
    }
}
impl Starts for SubDiv {
    #[inline(always)]
    fn prepare<T: Real>(_: T) -> [T; 2] {
        [T::ZERO; 2]
    }
    #[inline(always)]
    fn value<T: Real>(x: T, m: T, s: T, _: [T; 2]) -> T {
        (x - m) / s
    }
}

trait Goes {
    fn value<T: Real>(v: T, numbers: [T; 5]) -> T;
}

macro_rules! middles {
    ($($name:ident($v:ident, $numbers:pat) $value:expr;)*) => { $(
        struct $name;
        impl Goes for $name {
            #[inline(always)]
            fn value<T: Real>($v: T, $numbers: [T; 5]) -> T {
                $value
            }
        }
    )* };
}
middles! {
    Affine(v, [a, b, ..]) v.mul_add(a, b);
    OfSquare(v, [a, b, ..]) (v * v).mul_add(a, b);
    Quadratic(v, [a, b, c, ..]) v.mul_add(v.mul_add(a, b), c);
    SubAbs(v, [a, ..]) a - v.abs();
    Bent(v, [a, b, c, d, _]) v.mul_add(T::select(v > a, b, c), d);
    Case(v, [a, b, c, ..]) T::select(v == a, b, c);
    Cases(v, [a, b, c, d, e]) T::select(v == a, b, T::select(v == c, d, e));
}

trait Ends {
    fn value<T: Real>(x: T, v: T, interval: [T; 2], other: T) -> T;
}

struct Everywhere;
struct Within;
struct WithinWhole;

impl Ends for Everywhere {
    #[inline(always)]
    fn value<T: Real>(_: T, v: T, _: [T; 2], _: T) -> T {
        v
    }
}
impl Ends for Within {
    #[inline(always)]
    fn value<T: Real>(x: T, v: T, [low, high]: [T; 2], other: T) -> T {
        T::select((x >= low) & (x <= high), v, other)
    }
}
impl Ends for WithinWhole {
    #[inline(always)]
    fn value<T: Real>(x: T, v: T, [low, high]: [T; 2], other: T) -> T {
        T::select((x >= low) & (x <= high) & (x - x.floor() == T::ZERO), v, other)
    }
}

multiversion! {
    fn line<T: Real, S: Starts, M: Goes, E: Ends>(x: &[T], numbers: &[T; NUMBERS], out: &mut [T]) {
        let [m, s, a, b, c, d, e, low, high, other] = *numbers;
        let prepared = S::prepare(s);
        for (o, &x) in out.iter_mut().zip(x) {
            let v = M::value(S::value(x, m, s, prepared), [a, b, c, d, e]);
            *o = E::value(x, v, [low, high], other);
        }
    }
}

/// A line that divides: the same bits by whichever way is faster.
fn divided<T: Real, M: Goes, E: Ends>(x: &[T], numbers: &[T; NUMBERS], out: &mut [T]) {
    if by_reciprocal(numbers[1]) {
        line::<T, SubQuotient, M, E>(x, numbers, out);
    } else {
        line::<T, SubDiv, M, E>(x, numbers, out);
    }
}

/// The kernel of a line, if there is one.
pub(crate) fn line_kernel<T: Real>(start: Start, middle: Middle, end: End) -> Option<LineKernel<T>> {
    fn real<T: Real, M: Goes>(start: Start, end: End) -> Option<LineKernel<T>> {
        Some(match (start, end) {
            (Start::Sub, End::Everywhere) => line::<T, Sub, M, Everywhere>,
            (Start::Sub, End::Within) => line::<T, Sub, M, Within>,
            (Start::SubDiv, End::Everywhere) => divided::<T, M, Everywhere>,
            (Start::SubDiv, End::Within) => divided::<T, M, Within>,
            (_, End::WithinWhole) => return None,
        })
    }
    fn whole<T: Real, M: Goes>(start: Start, end: End) -> Option<LineKernel<T>> {
        Some(match (start, end) {
            (Start::Sub, End::Everywhere) => line::<T, Sub, M, Everywhere>,
            (Start::Sub, End::Within) => line::<T, Sub, M, Within>,
            (Start::Sub, End::WithinWhole) => line::<T, Sub, M, WithinWhole>,
            (Start::SubDiv, _) => return None,
        })
    }
    match middle {
        Middle::Affine => real::<T, Affine>(start, end),
        Middle::OfSquare => real::<T, OfSquare>(start, end),
        Middle::Quadratic => real::<T, Quadratic>(start, end),
        Middle::SubAbs => real::<T, SubAbs>(start, end),
        Middle::Bent => real::<T, Bent>(start, end),
        Middle::Case => whole::<T, Case>(start, end),
        Middle::Cases => whole::<T, Cases>(start, end),
    }
}
