//! Operations on single numbers, many in one instruction: a model of scalar sites costs a few nanoseconds a node.

use super::instruction::{Memory, Place};
use crate::kernels::dispatch::multiversion;
use crate::kernels::elementwise::{BinaryKernel, TernaryKernel, UnaryKernel};
use crate::real::Real;

/// What a scalar step does. The arithmetic is done on the spot; other functions are blocks of one element.
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
    /// `a (1 - b^2)`
    TimesOneMinusSquare,
    Select,
    Unary(UnaryKernel<T>),
    Binary(BinaryKernel<T>),
    Ternary(TernaryKernel<T>),
}

/// One operation; operands and result are slots.
pub(crate) struct ScalarStep<T> {
    pub name: &'static str,
    pub code: Code<T>,
    pub operands: [u32; 3],
    pub result: u32,
}

/// A list of operations on numbered slots, which start at `slots` in memory.
pub(crate) struct Scalars<T> {
    pub steps: Vec<ScalarStep<T>>,
    /// What is read from elsewhere first.
    pub loads: Vec<(Place, u32)>,
    /// What is written elsewhere in the end.
    pub stores: Vec<(u32, Place)>,
    pub slots: Place,
}

impl<T: Real> Scalars<T> {
    /// Runs the steps.
    ///
    /// # Safety
    /// As for [`Instruction::run`](super::instruction::Instruction::run).
    pub unsafe fn run(&self, memory: &mut Memory<'_, '_, T>) {
        let slots = memory.at(self.slots);
        // SAFETY: places and slots are those that the compiler planned.
        unsafe {
            for &(from, slot) in &self.loads {
                *slots.add(slot as usize) = *memory.at(from);
            }
            run_steps(&self.steps, slots);
            for &(slot, to) in &self.stores {
                *memory.at(to) = *slots.add(slot as usize);
            }
        }
    }
}

multiversion! {
    unsafe fn run_steps<T: Real>(steps: &[ScalarStep<T>], slots: *mut T) {
        for step in steps {
            let [a, b, c] = step.operands;
            // SAFETY: the compiler numbered the slots within their buffer.
            unsafe {
                let (a, b, c) = (*slots.add(a as usize), *slots.add(b as usize), *slots.add(c as usize));
                let y = match step.code {
                    Code::Add => a + b,
                    Code::Sub => a - b,
                    Code::Mul => a * b,
                    Code::Div => a / b,
                    Code::Neg => -a,
                    Code::Square => a * a,
                    Code::MulAdd => a.mul_add(b, c),
                    Code::MulSub => a.mul_add(b, -c),
                    Code::SubMul => (-a).mul_add(b, c),
                    Code::TimesOneMinusSquare => a * (-b).mul_add(b, T::ONE),
                    Code::Select => T::select(a != T::ZERO, b, c),
                    Code::Unary(f) => {
                        let mut y = [T::ZERO];
                        f(&[a], &mut y);
                        y[0]
                    }
                    Code::Binary(f) => {
                        let mut y = [T::ZERO];
                        f(&[a], &[b], &mut y);
                        y[0]
                    }
                    Code::Ternary(f) => {
                        let mut y = [T::ZERO];
                        f(&[a], &[b], &[c], &mut y);
                        y[0]
                    }
                };
                *slots.add(step.result as usize) = y;
            }
        }
    }
}
