//! Operations on single numbers and short arrays, many in one instruction: what a model does to its parameters costs a
//! few nanoseconds an operation.

use super::contract::Within;
use super::instruction::{Memory, Place, gather};
use super::layout::Loop;
use crate::kernels::dispatch::multiversion;
use crate::kernels::elementwise::{BinaryKernel, UnaryKernel, pairwise};
use crate::ops::{ln_1p_square, ln_1p_square_slope};
use crate::real::Real;

/// Arrays fill whole groups of so many slots.
pub(crate) const LANES: usize = 8;
const ONE_VECTOR: u16 = LANES as u16;
/// The longest arrays: four vectors of AVX-512.
pub(crate) const MAX_SHORT: usize = 32;

/// What a step does. The arithmetic is done on the spot, and so are the functions that most densities have; others are
/// kernels over the elements, by their number in [`Kernels`].
#[derive(Clone, Copy)]
pub(crate) enum Code {
    Add,
    Sub,
    Mul,
    Div,
    Neg,
    Square,
    /// `a b + c`
    MulAdd,
    /// `a b - c`
    MulSub,
    /// `c - a b`
    SubMul,
    /// `(a - b) / c`
    SubDiv,
    /// 1 where `b <= a <= c`, else 0; with `<` in the places of `<=` as the rule says.
    Within(Within),
    /// `a (1 - b^2)`
    TimesOneMinusSquare,
    Select,
    Abs,
    Gt,
    Ge,
    Lt,
    Le,
    /// A number in all slots of an array.
    Splat,
    /// Zeros.
    Zeros,
    /// The elements of an array, in a part of another.
    Copy,
    /// The sum of an array.
    Sum,
    /// The sum of the products of two arrays.
    Dot,
    /// `e^x`
    Exp,
    /// `ln x`
    Ln,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `ln(1 + e^x)`
    Softplus,
    /// `ln(1 + x^2)`
    Ln1pSquare,
    /// `2 x / (1 + x^2)`
    Ln1pSquareSlope,
    Unary(u16),
    Binary(u16),
}

/// The functions that steps call.
pub(crate) struct Kernels<T> {
    pub unary: Vec<UnaryKernel<T>>,
    pub binary: Vec<BinaryKernel<T>>,
}

/// One operation; operands and result are slots. Small, since a long list is read from the cache at every evaluation.
#[derive(Clone, Copy)]
pub(crate) struct ShortStep {
    pub code: Code,
    /// How many elements the arrays have; 1 for single numbers.
    pub elements: u16,
    /// Bit `i`: operand `i` is the number that the step before made, which is at hand still.
    pub chained: u8,
    pub operands: [u32; 3],
    pub result: u32,
}

impl ShortStep {
    /// Whether the result is a number.
    fn makes_number(&self) -> bool {
        self.elements == 1 || matches!(self.code, Code::Sum | Code::Dot)
    }

    /// Marks the operands that are the results of the steps before: a number that went to memory and back would be waited
    /// for twice as long as for most operations.
    pub fn chain(steps: &mut [Self]) {
        for i in 1..steps.len() {
            let (before, step) = (steps[i - 1], &mut steps[i]);
            if before.makes_number() && step.elements == 1 {
                let is_last = |(i, &operand): (usize, &u32)| u8::from(operand == before.result) << i;
                step.chained = step.operands.iter().enumerate().map(is_last).sum();
            }
        }
    }

    /// How many slots the arrays fill.
    #[inline(always)]
    fn slots(&self) -> usize {
        if self.elements == 1 { 1 } else { (self.elements as usize).next_multiple_of(LANES) }
    }

    #[inline(always)]
    unsafe fn operand<'s, T>(&self, slots: *const T, number: usize) -> &'s [T] {
        // SAFETY: the compiler numbered the slots within their buffer, and nothing writes to an operand meanwhile.
        unsafe { std::slice::from_raw_parts(slots.add(self.operands[number] as usize), self.slots()) }
    }

    #[inline(always)]
    unsafe fn result<'s, T>(&self, slots: *mut T) -> &'s mut [T] {
        // SAFETY: as for operands; a result has slots of its own.
        unsafe { std::slice::from_raw_parts_mut(slots.add(self.result as usize), self.slots()) }
    }
}

/// How something from elsewhere comes into slots.
pub(crate) enum Load {
    Number,
    /// So many elements that lie one after the other.
    Array(usize),
    /// A number in all slots of an array of so many elements.
    Splat(usize),
    Gather(Vec<Loop<1>>),
}

/// So many elements that are written elsewhere in the end.
pub(crate) struct StoreTo {
    pub slot: u32,
    pub elements: usize,
    pub to: Place,
}

/// A list of operations on numbered slots, which start at `slots` in memory. Arrays have a whole number of vectors of
/// slots; what lies behind their elements may be anything.
pub(crate) struct Short<T> {
    pub steps: Vec<ShortStep>,
    /// What each step is called.
    pub names: Vec<&'static str>,
    pub kernels: Kernels<T>,
    /// What is read from elsewhere first.
    pub loads: Vec<(Place, u32, Load)>,
    pub stores: Vec<StoreTo>,
    pub slots: Place,
}

impl<T: Real> Short<T> {
    /// Runs the steps.
    ///
    /// # Safety
    /// As for [`Instruction::run`](super::instruction::Instruction::run).
    pub unsafe fn run(&self, memory: &mut Memory<'_, '_, T>) {
        // SAFETY: the caller's.
        unsafe { run_short(self, memory) };
    }
}

/// Copies elements into slots, with ones behind them up to a whole number of vectors.
///
/// The last vector is put together in a register: written element by element it would have to reach the cache before it
/// can be read as a vector.
#[inline(always)]
unsafe fn load<T: Real>(from: *const T, to: *mut T, elements: usize) {
    let whole = elements - elements % LANES;
    // SAFETY: the caller's pointers are to so many elements, `to` to whole vectors.
    unsafe {
        let mut at = 0;
        while at < whole {
            *to.add(at).cast::<[T; LANES]>() = *from.add(at).cast::<[T; LANES]>();
            at += LANES;
        }
        let x = |i: usize| *from.add(whole + i);
        let one = T::ONE;
        *to.add(whole).cast::<[T; LANES]>() = match elements - whole {
            1 => [x(0), one, one, one, one, one, one, one],
            2 => [x(0), x(1), one, one, one, one, one, one],
            3 => [x(0), x(1), x(2), one, one, one, one, one],
            4 => [x(0), x(1), x(2), x(3), one, one, one, one],
            5 => [x(0), x(1), x(2), x(3), x(4), one, one, one],
            6 => [x(0), x(1), x(2), x(3), x(4), x(5), one, one],
            7 => [x(0), x(1), x(2), x(3), x(4), x(5), x(6), one],
            _ => return,
        };
    }
}

/// Copies elements out of slots.
#[inline(always)]
unsafe fn store<T: Real>(from: *const T, to: *mut T, elements: usize) {
    let mut at = 0;
    // SAFETY: the caller's pointers are to so many elements.
    unsafe {
        while at + LANES <= elements {
            *to.add(at).cast::<[T; LANES]>() = *from.add(at).cast::<[T; LANES]>();
            at += LANES;
        }
        while at < elements {
            *to.add(at) = *from.add(at);
            at += 1;
        }
    }
}

#[inline(always)]
unsafe fn splat<T: Real>(x: T, to: *mut T, elements: usize) {
    for k in 0..elements.div_ceil(LANES) {
        // SAFETY: the caller has whole vectors at `to`.
        unsafe { *to.add(k * LANES).cast::<[T; LANES]>() = [x; LANES] };
    }
}

/// 1 where x lies between two ends, else 0.
#[inline(always)]
fn within<T: Real>(ends: Within, x: T, low: T, high: T) -> T {
    let above = (x > low) | (ends.low & (x == low));
    let below = (x < high) | (ends.high & (x == high));
    T::select(above & below, T::ONE, T::ZERO)
}

/// An expression of operands (by their numbers) for each element of arrays.
macro_rules! elementwise {
    ($slots:ident, $step:ident, $end:ident, |$($operand:ident: $number:literal),+| $value:expr) => {{
        let result = $slots.add($step.result as usize);
        $(let $operand = $slots.add($step.operands[$number] as usize).cast_const();)+
        let mut from = 0;
        while from < $end {
            $(let $operand = *$operand.add(from).cast::<[T; LANES]>();)+
            let mut out = [T::ZERO; LANES];
            for (l, out) in out.iter_mut().enumerate() {
                $(let $operand = $operand[l];)+
                *out = $value;
            }
            *result.add(from).cast::<[T; LANES]>() = out;
            from += LANES;
        }
    }};
}

/// A sum over elements of up to two arrays.
macro_rules! total {
    ($slots:ident, $step:ident, $end:ident, |$sum:ident, $a:ident, $b:ident| $value:expr) => {{
        let (a, b) = ($slots.add($step.operands[0] as usize), $slots.add($step.operands[1] as usize));
        let n = $step.elements as usize;
        let mut sums = [T::ZERO; LANES];
        let mut from = 0;
        while from < $end {
            let (a, b) = (*a.add(from).cast::<[T; LANES]>(), *b.add(from).cast::<[T; LANES]>());
            for l in 0..LANES {
                let ($sum, $a, $b) = (sums[l], a[l], b[l]);
                sums[l] = T::select(from + l < n, $value, $sum);
            }
            from += LANES;
        }
        let total = pairwise(sums);
        *$slots.add($step.result as usize) = total;
        return total;
    }};
}

/// A step on single numbers; `last` is what the step before made.
#[inline(always)]
unsafe fn number<T: Real>(step: &ShortStep, kernels: &Kernels<T>, slots: *mut T, last: T) -> T {
    // SAFETY: the compiler numbered the slots within their buffer, and the kernels.
    unsafe {
        let operand = |i: usize| {
            if step.chained & 1 << i == 0 { *slots.add(step.operands[i] as usize) } else { last }
        };
        // Only what a step needs is looked up.
        macro_rules! of {
            (|$($operand:ident: $number:literal),*| $value:expr) => {{
                $(let $operand = operand($number);)*
                $value
            }};
        }
        let truth = |holds: bool| T::select(holds, T::ONE, T::ZERO);
        let y = match step.code {
            Code::Add => of!(|a: 0, b: 1| a + b),
            Code::Sub => of!(|a: 0, b: 1| a - b),
            Code::Mul | Code::Dot => of!(|a: 0, b: 1| a * b),
            Code::Div => of!(|a: 0, b: 1| a / b),
            Code::Neg => of!(|a: 0| -a),
            Code::Square => of!(|a: 0| a * a),
            Code::MulAdd => of!(|a: 0, b: 1, c: 2| a.mul_add(b, c)),
            Code::MulSub => of!(|a: 0, b: 1, c: 2| a.mul_add(b, -c)),
            Code::SubMul => of!(|a: 0, b: 1, c: 2| (-a).mul_add(b, c)),
            Code::SubDiv => of!(|a: 0, b: 1, c: 2| (a - b) / c),
            Code::Within(ends) => of!(|a: 0, b: 1, c: 2| within(ends, a, b, c)),
            Code::TimesOneMinusSquare => of!(|a: 0, b: 1| a * (-b).mul_add(b, T::ONE)),
            Code::Select => of!(|a: 0, b: 1, c: 2| T::select(a != T::ZERO, b, c)),
            Code::Abs => of!(|a: 0| a.abs()),
            Code::Gt => of!(|a: 0, b: 1| truth(a > b)),
            Code::Ge => of!(|a: 0, b: 1| truth(a >= b)),
            Code::Lt => of!(|a: 0, b: 1| truth(a < b)),
            Code::Le => of!(|a: 0, b: 1| truth(a <= b)),
            Code::Splat | Code::Copy | Code::Sum => operand(0),
            Code::Zeros => T::ZERO,
            Code::Exp => operand(0).k_exp(),
            Code::Ln => operand(0).k_ln(),
            Code::Sigmoid => operand(0).k_sigmoid(),
            Code::Softplus => operand(0).k_softplus(),
            Code::Ln1pSquare => ln_1p_square(operand(0)),
            Code::Ln1pSquareSlope => ln_1p_square_slope(operand(0)),
            Code::Unary(f) => {
                let mut y = [T::ZERO];
                kernels.unary.get_unchecked(f as usize)(&[operand(0)], &mut y);
                y[0]
            }
            Code::Binary(f) => {
                let mut y = [T::ZERO];
                kernels.binary.get_unchecked(f as usize)(&[operand(0)], &[operand(1)], &mut y);
                y[0]
            }
        };
        *slots.add(step.result as usize) = y;
        y
    }
}

/// A step on arrays, all of one vector or of several; the number that it makes, if it makes one.
#[inline(always)]
unsafe fn array<T: Real, const IS_ONE: bool>(step: &ShortStep, kernels: &Kernels<T>, slots: *mut T) -> T {
    // One vector has no loop.
    let end = if IS_ONE { LANES } else { step.elements as usize };
    // SAFETY: as for numbers; arrays have whole vectors of slots.
    unsafe {
        match step.code {
            Code::Add => elementwise!(slots, step, end, |a: 0, b: 1| a + b),
            Code::Sub => elementwise!(slots, step, end, |a: 0, b: 1| a - b),
            Code::Mul => elementwise!(slots, step, end, |a: 0, b: 1| a * b),
            Code::Div => elementwise!(slots, step, end, |a: 0, b: 1| a / b),
            Code::Neg => elementwise!(slots, step, end, |a: 0| -a),
            Code::Square => elementwise!(slots, step, end, |a: 0| a * a),
            Code::MulAdd => elementwise!(slots, step, end, |a: 0, b: 1, c: 2| a.mul_add(b, c)),
            Code::MulSub => elementwise!(slots, step, end, |a: 0, b: 1, c: 2| a.mul_add(b, -c)),
            Code::SubMul => elementwise!(slots, step, end, |a: 0, b: 1, c: 2| (-a).mul_add(b, c)),
            Code::SubDiv => elementwise!(slots, step, end, |a: 0, b: 1, c: 2| (a - b) / c),
            Code::Within(ends) => elementwise!(slots, step, end, |a: 0, b: 1, c: 2| within(ends, a, b, c)),
            Code::TimesOneMinusSquare => elementwise!(slots, step, end, |a: 0, b: 1| a * (-b).mul_add(b, T::ONE)),
            Code::Select => elementwise!(slots, step, end, |a: 0, b: 1, c: 2| T::select(a != T::ZERO, b, c)),
            Code::Abs => elementwise!(slots, step, end, |a: 0| a.abs()),
            Code::Gt => elementwise!(slots, step, end, |a: 0, b: 1| T::select(a > b, T::ONE, T::ZERO)),
            Code::Ge => elementwise!(slots, step, end, |a: 0, b: 1| T::select(a >= b, T::ONE, T::ZERO)),
            Code::Lt => elementwise!(slots, step, end, |a: 0, b: 1| T::select(a < b, T::ONE, T::ZERO)),
            Code::Le => elementwise!(slots, step, end, |a: 0, b: 1| T::select(a <= b, T::ONE, T::ZERO)),
            Code::Splat => {
                let x = *slots.add(step.operands[0] as usize);
                splat(x, slots.add(step.result as usize), end);
            }
            Code::Zeros => splat(T::ZERO, slots.add(step.result as usize), end),
            Code::Copy => {
                let (from, to) = (slots.add(step.operands[0] as usize), slots.add(step.result as usize));
                store(from.cast_const(), to, step.elements as usize);
            }
            Code::Sum => total!(slots, step, end, |sum, a, _b| sum + a),
            Code::Dot => total!(slots, step, end, |sum, a, b| a.mul_add(b, sum)),
            Code::Exp => elementwise!(slots, step, end, |a: 0| a.k_exp()),
            Code::Ln => elementwise!(slots, step, end, |a: 0| a.k_ln()),
            Code::Sigmoid => elementwise!(slots, step, end, |a: 0| a.k_sigmoid()),
            Code::Softplus => elementwise!(slots, step, end, |a: 0| a.k_softplus()),
            Code::Ln1pSquare => elementwise!(slots, step, end, |a: 0| ln_1p_square(a)),
            Code::Ln1pSquareSlope => elementwise!(slots, step, end, |a: 0| ln_1p_square_slope(a)),
            Code::Unary(f) => kernels.unary.get_unchecked(f as usize)(step.operand(slots, 0), step.result(slots)),
            Code::Binary(f) => {
                let (a, b) = (step.operand(slots, 0), step.operand(slots, 1));
                kernels.binary.get_unchecked(f as usize)(a, b, step.result(slots));
            }
        }
    }
    T::ZERO
}

multiversion! {
    unsafe fn run_short<T: Real>(short: &Short<T>, memory: &mut Memory<'_, '_, T>) {
        let slots = memory.at(short.slots);
        // SAFETY: places and slots are those that the compiler planned; arrays have whole vectors of slots.
        unsafe {
            for (from, slot, how) in &short.loads {
                let (from, to) = (memory.at(*from).cast_const(), slots.add(*slot as usize));
                match how {
                    Load::Number => *to = *from,
                    Load::Array(elements) => load(from, to, *elements),
                    Load::Splat(elements) => splat(*from, to, *elements),
                    Load::Gather(nest) => {
                        let elements = nest.iter().map(|l| l.extent).product();
                        gather(nest, from, 0, elements, to);
                    }
                }
            }
            let mut last = T::ZERO;
            for step in &short.steps {
                last = match step.elements {
                    1 => number(step, &short.kernels, slots, last),
                    2..=ONE_VECTOR => array::<T, true>(step, &short.kernels, slots),
                    _ => array::<T, false>(step, &short.kernels, slots),
                };
            }
            for wanted in &short.stores {
                store(slots.add(wanted.slot as usize).cast_const(), memory.at(wanted.to), wanted.elements);
            }
        }
    }
}
