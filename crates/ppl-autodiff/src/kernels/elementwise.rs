//! Elementwise loops over one block: the steps of fused programs.

use std::marker::PhantomData;

use crate::kernels::dispatch::{Isa, multiversion};
use crate::kernels::elementary::{Unary, map_unary};
use crate::ops::{Binary, Elementwise, Elementwise2, Reduction};
use crate::real::Real;

/// `out[i] = f(x[i])`.
pub(crate) type UnaryKernel<T> = fn(x: &[T], out: &mut [T]);
/// `out[i] = f(a[i], b[i])`; in the versions for one number on a side, that slice has one element.
pub(crate) type BinaryKernel<T> = fn(a: &[T], b: &[T], out: &mut [T]);
/// `out[i] = f(a[i], b[i], c[i])`, likewise with one number in the place of the second or the third.
pub(crate) type TernaryKernel<T> = fn(a: &[T], b: &[T], c: &[T], out: &mut [T]);
/// `out[i] = c[i] != 0 ? a[i] : b[i]`.
pub(crate) type SelectKernel<T> = fn(c: &[T], a: &[T], b: &[T], out: &mut [T]);
/// `out[i] = a[i]` where `x[i]` compares with a number as it should, else `b[i]`; the number's slice has one element.
pub(crate) type ChoiceKernel<T> = fn(x: &[T], key: &[T], a: &[T], b: &[T], out: &mut [T]);
/// `out[i] = a[i]` where `x[i]` lies between two numbers, else another number; the slices of numbers have one element.
pub(crate) type InnerKernel<T> = fn(x: &[T], ends: [&[T]; 2], a: &[T], other: &[T], out: &mut [T]);
/// How many elements lie between two numbers, whose slices have one element.
pub(crate) type CountKernel<T> = fn(x: &[T], low: &[T], high: &[T]) -> T;
/// The sum of a slice, or of a function of its elements.
pub(crate) type SumKernel<T> = fn(x: &[T]) -> T;
/// `out[i] = f(x[i])`; returns a sum over x.
pub(crate) type SummingKernel<T> = fn(x: &[T], out: &mut [T]) -> T;
/// The sum of the products of two slices.
pub(crate) type DotKernel<T> = fn(x: &[T], y: &[T]) -> T;

/// An operation of the tape as a function that loops are compiled with.
struct Apply<U>(PhantomData<U>);

impl<U: Elementwise> Unary for Apply<U> {
    #[inline(always)]
    fn apply<T: Real>(x: T) -> T {
        U::value(x)
    }
}

/// `out[i] = U(x[i])` for a function whose value is a straight line.
pub(crate) fn straight_line<T: Real, U: Elementwise>(x: &[T], out: &mut [T]) {
    map_unary::<T, Apply<U>>(x, out);
}

/// A function of two numbers, of the tape or standing for several of its operations.
pub(crate) trait Function2 {
    fn value<T: Real>(a: T, b: T) -> T;
}

impl<U: Elementwise2> Function2 for Apply<U> {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        U::value(a, b)
    }
}

/// Which operands of a binary operation are arrays.
pub(crate) trait Form {
    const LEFT: bool;
    const RIGHT: bool;
}

struct Both;
struct NumberLeft;
struct NumberRight;

impl Form for Both {
    const LEFT: bool = true;
    const RIGHT: bool = true;
}
impl Form for NumberLeft {
    const LEFT: bool = false;
    const RIGHT: bool = true;
}
impl Form for NumberRight {
    const LEFT: bool = true;
    const RIGHT: bool = false;
}

multiversion! {
    fn binary<T: Real, U: Function2, F: Form>(a: &[T], b: &[T], out: &mut [T]) {
        let n = out.len();
        if F::LEFT && F::RIGHT {
            for ((o, &a), &b) in out.iter_mut().zip(&a[..n]).zip(&b[..n]) {
                *o = U::value(a, b);
            }
        } else if F::LEFT {
            let b = b[0];
            for (o, &a) in out.iter_mut().zip(&a[..n]) {
                *o = U::value(a, b);
            }
        } else {
            let a = a[0];
            for (o, &b) in out.iter_mut().zip(&b[..n]) {
                *o = U::value(a, b);
            }
        }
    }
}

/// The versions with two arrays, with one number on the left, with one number on the right.
pub(crate) fn binary_kernels<T: Real, U: Elementwise2>() -> [BinaryKernel<T>; 3] {
    function_kernels::<T, Apply<U>>()
}

/// As [`binary_kernels`], for any function.
pub(crate) fn function_kernels<T: Real, U: Function2>() -> [BinaryKernel<T>; 3] {
    [binary::<T, U, Both>, binary::<T, U, NumberLeft>, binary::<T, U, NumberRight>]
}

/// A function of three numbers that stands for several operations of the tape.
pub(crate) trait Elementwise3 {
    fn value<T: Real>(a: T, b: T, c: T) -> T;
}

/// `a b + c` with one rounding.
pub(crate) struct MulAdd;
/// `a b - c` with one rounding.
pub(crate) struct MulSub;
/// `c - a b` with one rounding.
pub(crate) struct SubMul;

/// `(a - b) / c`, with both roundings.
pub(crate) struct SubDiv;

impl Elementwise3 for SubDiv {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T, c: T) -> T {
        (a - b) / c
    }
}

/// 1 where `b <= a <= c`, else 0, with `<` for an end that does not belong to the interval.
pub(crate) struct Between<const LOW: bool, const HIGH: bool>;

impl<const LOW: bool, const HIGH: bool> Elementwise3 for Between<LOW, HIGH> {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T, c: T) -> T {
        T::select(Self::holds(a, b, c), T::ONE, T::ZERO)
    }
}

impl Elementwise3 for MulAdd {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T, c: T) -> T {
        a.mul_add(b, c)
    }
}
impl Elementwise3 for MulSub {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T, c: T) -> T {
        a.mul_add(b, -c)
    }
}
impl Elementwise3 for SubMul {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T, c: T) -> T {
        (-a).mul_add(b, c)
    }
}

/// `a^2 b + c`, the square rounded.
pub(crate) struct SquareMulAdd;
/// `a^2 b - c`, the square rounded.
pub(crate) struct SquareMulSub;

impl Elementwise3 for SquareMulAdd {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T, c: T) -> T {
        (a * a).mul_add(b, c)
    }
}
impl Elementwise3 for SquareMulSub {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T, c: T) -> T {
        (a * a).mul_add(b, -c)
    }
}

/// `b - |a|`
pub(crate) struct SubAbs;

impl Function2 for SubAbs {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        b - a.abs()
    }
}

struct Neither;

impl Form for Neither {
    const LEFT: bool = false;
    const RIGHT: bool = false;
}

multiversion! {
    /// The form says which of b and c are arrays.
    fn ternary<T: Real, U: Elementwise3, F: Form>(a: &[T], b: &[T], c: &[T], out: &mut [T]) {
        let n = out.len();
        let a = &a[..n];
        if F::LEFT && F::RIGHT {
            for (((o, &a), &b), &c) in out.iter_mut().zip(a).zip(&b[..n]).zip(&c[..n]) {
                *o = U::value(a, b, c);
            }
        } else if F::LEFT {
            let c = c[0];
            for ((o, &a), &b) in out.iter_mut().zip(a).zip(&b[..n]) {
                *o = U::value(a, b, c);
            }
        } else if F::RIGHT {
            let b = b[0];
            for ((o, &a), &c) in out.iter_mut().zip(a).zip(&c[..n]) {
                *o = U::value(a, b, c);
            }
        } else {
            let (b, c) = (b[0], c[0]);
            for (o, &a) in out.iter_mut().zip(a) {
                *o = U::value(a, b, c);
            }
        }
    }
}

/// The versions with three arrays, with a number in the second place, in the third, in both.
pub(crate) fn ternary_kernels<T: Real, U: Elementwise3>() -> [TernaryKernel<T>; 4] {
    [ternary::<T, U, Both>, ternary::<T, U, NumberLeft>, ternary::<T, U, NumberRight>, ternary::<T, U, Neither>]
}

/// `a (1 - b^2)`.
pub(crate) struct TimesOneMinusSquare;

impl Function2 for TimesOneMinusSquare {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        a * (-b).mul_add(b, T::ONE)
    }
}

multiversion! {
    /// `out[i] = c[i] != 0 ? a[i] : b[i]`; the form says which of a and b are arrays.
    fn select<T: Real, F: Form>(c: &[T], a: &[T], b: &[T], out: &mut [T]) {
        choose::<T, Different, F>(c, T::ZERO, a, b, out);
    }
}

/// The versions of a choice with two arrays, with a number in the first place, in the second, in both.
pub(crate) fn select_kernels<T: Real>() -> [SelectKernel<T>; 4] {
    [select::<T, Both>, select::<T, NumberLeft>, select::<T, NumberRight>, select::<T, Neither>]
}

/// Divisors between this and its inverse are divided by as [`quotient`] does.
const FAR: f64 = 1e30;

/// `a / b` with one rounding, from `r = 1 / b` and what its rounding took from it: an estimate to the last digit, which its
/// remainder corrects. Brisebarre, Muller and Raina (2004), IEEE Trans. Computers 53(8); the correction is Markstein's. Of a
/// number below some 2^-900 the last digit may be off by one, and the sign of a zero.
#[inline(always)]
pub(super) fn quotient<T: Real>(a: T, b: T, [r, r_low]: [T; 2]) -> T {
    let q = a.mul_add(r, a * r_low);
    let remainder = q.mul_add(-b, a);
    T::select(q.abs() < T::INFINITY, remainder.mul_add(r, q), a * r)
}

/// `1 / b` as a sum of two.
#[inline(always)]
pub(super) fn reciprocal<T: Real>(b: T) -> [T; 2] {
    let r = T::ONE / b;
    [r, r.mul_add(-b, T::ONE) * r]
}

/// Whether to divide many numbers by `b` is faster by [`quotient`]: where a multiply and add is one instruction.
pub(super) fn by_reciprocal<T: Real>(b: T) -> bool {
    let size = b.to_f64().abs();
    Isa::current() > Isa::Portable && size < FAR && size > 1.0 / FAR
}

multiversion! {
    fn divide_fast<T: Real>(a: &[T], b: T, out: &mut [T]) {
        let r = reciprocal(b);
        for (o, &a) in out.iter_mut().zip(a) {
            *o = quotient(a, b, r);
        }
    }
}

multiversion! {
    fn sub_divide_fast<T: Real, F: Form>(a: &[T], b: &[T], c: T, out: &mut [T]) {
        let r = reciprocal(c);
        if F::LEFT {
            for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *o = quotient(a - b, c, r);
            }
        } else {
            let b = b[0];
            for (o, &a) in out.iter_mut().zip(a) {
                *o = quotient(a - b, c, r);
            }
        }
    }
}

struct Quotient;

impl Function2 for Quotient {
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        a / b
    }
}

/// `out[i] = a[i] / b`: the same as the plain loop in half the time.
pub(crate) fn divide_by_number<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    if by_reciprocal(b[0]) {
        divide_fast(a, b[0], out);
    } else {
        binary::<T, Quotient, NumberRight>(a, b, out);
    }
}

/// As [`divide_by_number`], for `(a[i] - b[i]) / c`.
fn sub_divide_by_number<T: Real, F: Form>(a: &[T], b: &[T], c: &[T], out: &mut [T]) {
    if by_reciprocal(c[0]) {
        sub_divide_fast::<T, F>(a, b, c[0], out);
    } else {
        ternary::<T, SubDiv, F>(a, b, c, out);
    }
}

/// The versions of `(a - b) / c` as of [`ternary_kernels`].
pub(crate) fn sub_div_kernels<T: Real>() -> [TernaryKernel<T>; 4] {
    let [plain, number, ..] = ternary_kernels::<T, SubDiv>();
    [plain, number, sub_divide_by_number::<T, NumberRight>, sub_divide_by_number::<T, Neither>]
}

multiversion! {
    /// 1 for whole numbers, 0 for others.
    pub(crate) fn is_whole<T: Real>(x: &[T], out: &mut [T]) {
        for (o, &x) in out.iter_mut().zip(x) {
            *o = T::select(x - x.floor() == T::ZERO, T::ONE, T::ZERO);
        }
    }
}

/// A comparison of two numbers.
trait Comparison {
    fn holds<T: Real>(a: T, b: T) -> bool;
}

macro_rules! comparisons {
    ($($name:ident $op:tt),*) => { $(
        struct $name;
        impl Comparison for $name {
            #[inline(always)]
            fn holds<T: Real>(a: T, b: T) -> bool {
                a $op b
            }
        }
    )* };
}
comparisons!(Equal ==, Different !=, Above >, NotBelow >=, Below <, NotAbove <=);

/// `out[i] = x[i] compared with key ? a[i] : b[i]`; the form says which of a and b are arrays.
#[inline(always)]
fn choose<T: Real, C: Comparison, F: Form>(x: &[T], key: T, a: &[T], b: &[T], out: &mut [T]) {
    let n = out.len();
    let x = &x[..n];
    if F::LEFT && F::RIGHT {
        for (((o, &x), &a), &b) in out.iter_mut().zip(x).zip(&a[..n]).zip(&b[..n]) {
            *o = T::select(C::holds(x, key), a, b);
        }
    } else if F::LEFT {
        let b = b[0];
        for ((o, &x), &a) in out.iter_mut().zip(x).zip(&a[..n]) {
            *o = T::select(C::holds(x, key), a, b);
        }
    } else if F::RIGHT {
        let a = a[0];
        for ((o, &x), &b) in out.iter_mut().zip(x).zip(&b[..n]) {
            *o = T::select(C::holds(x, key), a, b);
        }
    } else {
        let (a, b) = (a[0], b[0]);
        for (o, &x) in out.iter_mut().zip(x) {
            *o = T::select(C::holds(x, key), a, b);
        }
    }
}

multiversion! {
    fn choice<T: Real, C: Comparison, F: Form>(x: &[T], key: &[T], a: &[T], b: &[T], out: &mut [T]) {
        choose::<T, C, F>(x, key[0], a, b, out);
    }
}

/// The versions of a choice by a comparison with two arrays, with a number in the first place, in the second, in both.
pub(crate) fn choice_kernels<T: Real>(op: Binary) -> Option<[ChoiceKernel<T>; 4]> {
    fn forms<T: Real, C: Comparison>() -> [ChoiceKernel<T>; 4] {
        [choice::<T, C, Both>, choice::<T, C, NumberLeft>, choice::<T, C, NumberRight>, choice::<T, C, Neither>]
    }
    Some(match op {
        Binary::Eq => forms::<T, Equal>(),
        Binary::Gt => forms::<T, Above>(),
        Binary::Ge => forms::<T, NotBelow>(),
        Binary::Lt => forms::<T, Below>(),
        Binary::Le => forms::<T, NotAbove>(),
        _ => return None,
    })
}

/// Which ends belong to an interval, as [`Between`] says.
trait Interval {
    fn holds<T: Real>(a: T, low: T, high: T) -> bool;
}

impl<const LOW: bool, const HIGH: bool> Interval for Between<LOW, HIGH> {
    #[inline(always)]
    fn holds<T: Real>(a: T, low: T, high: T) -> bool {
        let above = if LOW { a >= low } else { a > low };
        let below = if HIGH { a <= high } else { a < high };
        above & below
    }
}

multiversion! {
    fn inner_array<T: Real, I: Interval>(x: &[T], ends: [&[T]; 2], a: &[T], other: &[T], out: &mut [T]) {
        let n = out.len();
        let (low, high, other) = (ends[0][0], ends[1][0], other[0]);
        for ((o, &x), &a) in out.iter_mut().zip(&x[..n]).zip(&a[..n]) {
            *o = T::select(I::holds(x, low, high), a, other);
        }
    }
}

multiversion! {
    fn inner_number<T: Real, I: Interval>(x: &[T], ends: [&[T]; 2], a: &[T], other: &[T], out: &mut [T]) {
        let (low, high, a, other) = (ends[0][0], ends[1][0], a[0], other[0]);
        for (o, &x) in out.iter_mut().zip(x) {
            *o = T::select(I::holds(x, low, high), a, other);
        }
    }
}

/// The versions of a choice by an interval with an array and with a number in it.
pub(crate) fn inner_kernels<T: Real, const LOW: bool, const HIGH: bool>() -> [InnerKernel<T>; 2] {
    [inner_array::<T, Between<LOW, HIGH>>, inner_number::<T, Between<LOW, HIGH>>]
}

multiversion! {
    fn count_in<T: Real, I: Interval>(x: &[T], low: &[T], high: &[T]) -> T {
        let (low, high) = (low[0], high[0]);
        let mut acc = [T::ZERO; ACCUMULATORS];
        let (whole, rest) = x.as_chunks::<ACCUMULATORS>();
        for chunk in whole {
            for (a, &x) in acc.iter_mut().zip(chunk) {
                *a += T::select(I::holds(x, low, high), T::ONE, T::ZERO);
            }
        }
        for (a, &x) in acc.iter_mut().zip(rest) {
            *a += T::select(I::holds(x, low, high), T::ONE, T::ZERO);
        }
        pairwise(acc)
    }
}

/// How many elements lie in an interval.
pub(crate) fn count<T: Real, const LOW: bool, const HIGH: bool>(x: &[T], low: &[T], high: &[T]) -> T {
    count_in::<T, Between<LOW, HIGH>>(x, low, high)
}

/// Accumulators of a sum, added pairwise at its end: fixed order, so fixed bits.
const ACCUMULATORS: usize = 32;

/// Numbers added up in pairs, as many as a power of two.
#[inline(always)]
pub(crate) fn pairwise<T: Real, const N: usize>(mut acc: [T; N]) -> T {
    let mut width = N / 2;
    while width > 0 {
        for l in 0..width {
            acc[l] += acc[l + width];
        }
        width /= 2;
    }
    acc[0]
}

/// The lanes of the widest vectors.
const LANES: usize = 8;

multiversion! {
    /// The sum of a slice in interleaved accumulators.
    pub(crate) fn sum<T: Real>(x: &[T]) -> T {
        let mut acc = [T::ZERO; ACCUMULATORS];
        let (whole, rest) = x.as_chunks::<ACCUMULATORS>();
        for chunk in whole {
            for (a, &x) in acc.iter_mut().zip(chunk) {
                *a += x;
            }
        }
        // Whole vectors at places that are known when this is compiled, so that the accumulators stay in registers.
        let (vectors, rest) = rest.as_chunks::<LANES>();
        for (k, acc) in acc.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            if let Some(vector) = vectors.get(k) {
                for (a, &x) in acc.iter_mut().zip(vector) {
                    *a += x;
                }
            }
        }
        pairwise(acc) + rest.iter().fold(T::ZERO, |total, &x| total + x)
    }
}

multiversion! {
    /// The sum of the products of two slices of one length, each product and its addition rounded once.
    pub(crate) fn dot<T: Real>(x: &[T], y: &[T]) -> T {
        let mut acc = [T::ZERO; ACCUMULATORS];
        let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<ACCUMULATORS>(), y.as_chunks::<ACCUMULATORS>());
        for (x, y) in x.iter().zip(y) {
            for ((a, &x), &y) in acc.iter_mut().zip(x).zip(y) {
                *a = x.mul_add(y, *a);
            }
        }
        let ((x, x_rest), (y, y_rest)) = (x_rest.as_chunks::<LANES>(), y_rest.as_chunks::<LANES>());
        for (k, acc) in acc.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            if let (Some(x), Some(y)) = (x.get(k), y.get(k)) {
                for ((a, &x), &y) in acc.iter_mut().zip(x).zip(y) {
                    *a = x.mul_add(y, *a);
                }
            }
        }
        pairwise(acc) + x_rest.iter().zip(y_rest).fold(T::ZERO, |total, (&x, &y)| x.mul_add(y, total))
    }
}

/// How a reduction takes in one more number.
pub(crate) trait Accumulate {
    fn take<T: Real>(old: T, new: T) -> T;
}

struct Total;
struct Largest;
struct Smallest;

impl Accumulate for Total {
    #[inline(always)]
    fn take<T: Real>(old: T, new: T) -> T {
        old + new
    }
}
impl Accumulate for Largest {
    #[inline(always)]
    fn take<T: Real>(old: T, new: T) -> T {
        old.max(new)
    }
}
impl Accumulate for Smallest {
    #[inline(always)]
    fn take<T: Real>(old: T, new: T) -> T {
        old.min(new)
    }
}

multiversion! {
    fn accumulate<T: Real, A: Accumulate>(x: &[T], out: &mut [T]) {
        for (o, &x) in out.iter_mut().zip(x) {
            *o = A::take(*o, x);
        }
    }
}

/// The kernel with which a reduction takes in one more row.
pub(crate) fn accumulate_kernel<T: Real>(op: Reduction) -> UnaryKernel<T> {
    match op {
        Reduction::Max => accumulate::<T, Largest>,
        Reduction::Min => accumulate::<T, Smallest>,
        Reduction::Sum | Reduction::LogSumExp => accumulate::<T, Total>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Philox, Purpose};

    /// Bit for bit, for numbers and divisors of all sizes and for what is none.
    #[test]
    fn division_by_a_number_rounds_as_division_does() {
        const N: usize = 4096;
        let mut z = vec![0.0; 2 * N];
        Philox::new(3, Purpose::Init, 0, 0).fill_standard_normal(&mut z);
        let (z, scales) = z.split_at(N);
        let mut a: Vec<f64> = z.iter().zip(scales).map(|(z, s)| z * (40.0 * s).exp()).collect();
        a.extend([0.0, 1.0, f64::MAX, -f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
        let divisors = z.iter().zip(scales.iter().rev()).map(|(z, s)| z * (10.0 * s).exp()).take(1000);
        let special = [1.0, -3.0, 49.0, 1e-300, 1e300, 0.0, f64::INFINITY, f64::NAN, 1.0 - f64::EPSILON / 2.0];
        let mut out = vec![0.0; a.len()];
        let mut check = |a: &[f64], b: f64, f: &dyn Fn(&[f64], &mut [f64]), exact: &dyn Fn(f64) -> f64| {
            f(a, &mut out);
            for (&a, &got) in a.iter().zip(&out) {
                let want = exact(a);
                assert!(got == want || got.is_nan() && want.is_nan(), "{a:e} by {b:e}: {got:e}, not {want:e}");
            }
        };
        for b in divisors.chain(special) {
            check(&a, b, &|a, out| divide_by_number(a, &[b], out), &|a| a / b);
            check(&a, b, &|a, out| sub_div_kernels()[3](a, &[0.7], &[b], out), &|a| (a - 0.7) / b);
        }
    }
}
