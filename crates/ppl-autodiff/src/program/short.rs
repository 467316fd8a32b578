//! Operations on single numbers and short arrays, many in one instruction: what a model does to its parameters costs a
//! few nanoseconds an operation.

use super::instruction::{Memory, Place, gather};
use super::layout::Loop;
use crate::kernels::dispatch::multiversion;
use crate::kernels::elementwise::{BinaryKernel, TernaryKernel, UnaryKernel};
use crate::real::Real;

/// Arrays fill whole groups of so many slots.
pub(crate) const LANES: usize = 8;
/// The longest arrays: four vectors of AVX-512.
pub(crate) const MAX_SHORT: usize = 32;

/// What a step does. The arithmetic is done on the spot; other functions are kernels over the elements.
#[derive(Clone, Copy)]
pub(crate) enum Code<T> {
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
    /// The sum of an array.
    Sum,
    /// The sum of the products of two arrays.
    Dot,
    Unary(UnaryKernel<T>),
    Binary(BinaryKernel<T>),
    Ternary(TernaryKernel<T>),
}

/// One operation; operands and result are slots.
pub(crate) struct ShortStep<T> {
    pub name: &'static str,
    pub code: Code<T>,
    pub operands: [u32; 3],
    pub result: u32,
    /// How many elements the arrays have; 1 for single numbers.
    pub elements: u32,
}

impl<T> ShortStep<T> {
    /// How many slots the arrays fill.
    #[inline(always)]
    fn slots(&self) -> usize {
        if self.elements == 1 { 1 } else { (self.elements as usize).next_multiple_of(LANES) }
    }

    #[inline(always)]
    unsafe fn operand<'s>(&self, slots: *const T, number: usize) -> &'s [T] {
        // SAFETY: the compiler numbered the slots within their buffer, and nothing writes to an operand meanwhile.
        unsafe { std::slice::from_raw_parts(slots.add(self.operands[number] as usize), self.slots()) }
    }

    #[inline(always)]
    unsafe fn result<'s>(&self, slots: *mut T) -> &'s mut [T] {
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
    pub steps: Vec<ShortStep<T>>,
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

/// Copies elements; with ones behind them up to a whole number of vectors if `padded`.
#[inline(always)]
unsafe fn copy<T: Real>(mut from: *const T, mut to: *mut T, elements: usize, padded: bool) {
    // SAFETY: the caller's pointers are to so many elements, `to` to whole vectors if padded.
    unsafe {
        for _ in 0..elements / LANES {
            *to.cast::<[T; LANES]>() = *from.cast::<[T; LANES]>();
            (from, to) = (from.add(LANES), to.add(LANES));
        }
        let rest = elements % LANES;
        if rest == 0 {
            return;
        }
        if padded {
            *to.cast::<[T; LANES]>() = [T::ONE; LANES];
        }
        if rest & 4 != 0 {
            *to.cast::<[T; 4]>() = *from.cast::<[T; 4]>();
            (from, to) = (from.add(4), to.add(4));
        }
        if rest & 2 != 0 {
            *to.cast::<[T; 2]>() = *from.cast::<[T; 2]>();
            (from, to) = (from.add(2), to.add(2));
        }
        if rest & 1 != 0 {
            *to = *from;
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

/// Lanes added up in pairs.
#[inline(always)]
fn pairwise<T: Real>(mut lanes: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// An expression of operands (by their numbers) for a number or for each element of arrays.
macro_rules! elementwise {
    ($slots:ident, $step:ident, |$($operand:ident: $number:literal),+| $value:expr) => {{
        let result = $slots.add($step.result as usize);
        $(let $operand = $slots.add($step.operands[$number] as usize).cast_const();)+
        if $step.elements == 1 {
            $(let $operand = *$operand;)+
            *result = $value;
        } else {
            let mut from = 0;
            while from < $step.elements as usize {
                $(let $operand = *$operand.add(from).cast::<[T; LANES]>();)+
                let mut out = [T::ZERO; LANES];
                for (l, out) in out.iter_mut().enumerate() {
                    $(let $operand = $operand[l];)+
                    *out = $value;
                }
                *result.add(from).cast::<[T; LANES]>() = out;
                from += LANES;
            }
        }
    }};
}

/// A sum over elements of up to two arrays.
macro_rules! total {
    ($slots:ident, $step:ident, |$sum:ident, $a:ident, $b:ident| $value:expr) => {{
        let (a, b) = ($slots.add($step.operands[0] as usize), $slots.add($step.operands[1] as usize));
        let n = $step.elements as usize;
        let mut sums = [T::ZERO; LANES];
        let mut from = 0;
        while from < n {
            let (a, b) = (*a.add(from).cast::<[T; LANES]>(), *b.add(from).cast::<[T; LANES]>());
            for l in 0..LANES {
                let ($sum, $a, $b) = (sums[l], a[l], b[l]);
                sums[l] = T::select(from + l < n, $value, $sum);
            }
            from += LANES;
        }
        *$slots.add($step.result as usize) = pairwise(sums);
    }};
}

multiversion! {
    unsafe fn run_short<T: Real>(short: &Short<T>, memory: &mut Memory<'_, '_, T>) {
        let slots = memory.at(short.slots);
        // SAFETY: places and slots are those that the compiler planned; arrays have whole vectors of slots.
        unsafe {
            for (from, slot, load) in &short.loads {
                let (from, to) = (memory.at(*from).cast_const(), slots.add(*slot as usize));
                match load {
                    Load::Number => *to = *from,
                    Load::Array(elements) => copy(from, to, *elements, true),
                    Load::Splat(elements) => splat(*from, to, *elements),
                    Load::Gather(nest) => {
                        let elements = nest.iter().map(|l| l.extent).product();
                        gather(nest, from, 0, elements, to);
                    }
                }
            }
            for step in &short.steps {
                match step.code {
                    Code::Add => elementwise!(slots, step, |a: 0, b: 1| a + b),
                    Code::Sub => elementwise!(slots, step, |a: 0, b: 1| a - b),
                    Code::Mul => elementwise!(slots, step, |a: 0, b: 1| a * b),
                    Code::Div => elementwise!(slots, step, |a: 0, b: 1| a / b),
                    Code::Neg => elementwise!(slots, step, |a: 0| -a),
                    Code::Square => elementwise!(slots, step, |a: 0| a * a),
                    Code::MulAdd => elementwise!(slots, step, |a: 0, b: 1, c: 2| a.mul_add(b, c)),
                    Code::MulSub => elementwise!(slots, step, |a: 0, b: 1, c: 2| a.mul_add(b, -c)),
                    Code::SubMul => elementwise!(slots, step, |a: 0, b: 1, c: 2| (-a).mul_add(b, c)),
                    Code::SubDiv => elementwise!(slots, step, |a: 0, b: 1, c: 2| (a - b) / c),
                    Code::TimesOneMinusSquare => elementwise!(slots, step, |a: 0, b: 1| a * (-b).mul_add(b, T::ONE)),
                    Code::Select => elementwise!(slots, step, |a: 0, b: 1, c: 2| T::select(a != T::ZERO, b, c)),
                    Code::Abs => elementwise!(slots, step, |a: 0| a.abs()),
                    Code::Gt => elementwise!(slots, step, |a: 0, b: 1| T::select(a > b, T::ONE, T::ZERO)),
                    Code::Ge => elementwise!(slots, step, |a: 0, b: 1| T::select(a >= b, T::ONE, T::ZERO)),
                    Code::Lt => elementwise!(slots, step, |a: 0, b: 1| T::select(a < b, T::ONE, T::ZERO)),
                    Code::Le => elementwise!(slots, step, |a: 0, b: 1| T::select(a <= b, T::ONE, T::ZERO)),
                    Code::Splat => {
                        let x = *slots.add(step.operands[0] as usize);
                        splat(x, slots.add(step.result as usize), step.elements as usize);
                    }
                    Code::Sum => total!(slots, step, |sum, a, _b| sum + a),
                    Code::Dot => total!(slots, step, |sum, a, b| a.mul_add(b, sum)),
                    Code::Unary(f) => f(step.operand(slots, 0), step.result(slots)),
                    Code::Binary(f) => f(step.operand(slots, 0), step.operand(slots, 1), step.result(slots)),
                    Code::Ternary(f) => {
                        f(step.operand(slots, 0), step.operand(slots, 1), step.operand(slots, 2), step.result(slots));
                    }
                }
            }
            for store in &short.stores {
                copy(slots.add(store.slot as usize).cast_const(), memory.at(store.to), store.elements, false);
            }
        }
    }
}
