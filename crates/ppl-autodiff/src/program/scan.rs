//! The instruction of a recursion: the program of one step, run along an axis.

use std::fmt;

use super::Program;
use super::graph::Graph;
use super::instruction::{Memory, Place};
use super::passes;
use crate::ops::Body;
use crate::real::Real;

/// A recursion over vectors, perhaps several beside each other.
pub(crate) struct Scan<T> {
    step: Box<Program<T>>,
    lengths: [usize; 3],
    width: usize,
    length: usize,
    reverse: bool,
    batch: usize,
    from: [Place; 3],
    /// The workspace of the step's program.
    memory: Place,
    result: Place,
}

impl<T: Real> Scan<T> {
    /// Compiles the step of a recursion whose result has `elements` elements.
    pub fn compile(body: &Body, length: usize, reverse: bool, elements: usize) -> Self {
        let graph = passes::optimise(Graph::from_tape(body.tape(), &[body.result()]));
        let (lengths, width) = (body.lengths(), body.width());
        let step = Box::new(Program::lower(graph, &lengths, &[1]));
        let nowhere = Place { store: super::layout::Store::Constants, offset: 0 };
        let batch = elements.checked_div(length * width).unwrap_or(0);
        Self { step, lengths, width, length, reverse, batch, from: [nowhere; 3], memory: nowhere, result: nowhere }
    }

    /// The number of elements of memory that it needs.
    pub fn memory_length(&self) -> usize {
        self.step.arena + self.step.scratch
    }

    /// Says where its operands, its memory and its result are.
    pub fn at(self, from: [Place; 3], memory: Place, result: Place) -> Self {
        Self { from, memory, result, ..self }
    }
}

impl<T> Scan<T> {
    /// Where it writes, and all other places that it touches.
    pub fn places(&self) -> (Place, Vec<Place>) {
        (self.result, self.from.into_iter().chain([self.memory]).collect())
    }
}

impl<T: Real> Scan<T> {
    /// Runs the recursion.
    ///
    /// # Safety
    /// As [`Instruction::run`](super::instruction::Instruction::run).
    pub unsafe fn run(&self, memory: &mut Memory<'_, '_, T>) {
        let [state, input, shared] = self.lengths;
        let [init, inputs, common] = self.from.map(|place| memory.at(place).cast_const());
        let arena = memory.at(self.memory);
        let result = memory.at(self.result);
        for batch in 0..self.batch {
            let inputs = inputs.wrapping_add(batch * self.length * input);
            let rows = result.wrapping_add(batch * self.length * self.width);
            let mut before = init.wrapping_add(batch * state);
            for turn in 0..self.length {
                let t = if self.reverse { self.length - 1 - turn } else { turn };
                let row = rows.wrapping_add(t * self.width);
                // SAFETY: the operands and the result are dense arrays of these lengths; a step reads the row before and
                // writes its own; the memory has the length that the step's program asked for.
                unsafe {
                    let slots = [
                        std::slice::from_raw_parts(before, state),
                        std::slice::from_raw_parts(inputs.wrapping_add(t * input), input),
                        std::slice::from_raw_parts(common.wrapping_add(batch * shared), shared),
                    ];
                    let mut step = Memory {
                        constants: self.step.constants.as_ptr(),
                        arena,
                        buffers: &self.step.buffers,
                        inputs: &slots,
                        outputs: &mut [std::slice::from_raw_parts_mut(row, self.width)],
                        scratch: arena.wrapping_add(self.step.arena),
                        key: memory.key,
                        threads: 1,
                    };
                    T::execute(&self.step.instructions, &mut step);
                }
                before = row;
            }
        }
    }
}

impl<T: Real> fmt::Display for Scan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} x", self.batch, self.length)?;
        self.step.explain().lines().try_for_each(|line| write!(f, "\n      | {line}"))
    }
}
