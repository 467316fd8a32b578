//! Chains of elementwise operations, run block by block: their steps, what they read, what they add up.

use smallvec::SmallVec;

use super::instruction::{Memory, Place, gather};
use super::layout::Loop;
use super::line::Line;
use crate::kernels::elementwise::{
    BinaryKernel, ChoiceKernel, CountKernel, DotKernel, InnerKernel, SelectKernel, SumKernel, SummingKernel,
    TernaryKernel, UnaryKernel,
};
use crate::kernels::line::LineKernel;
use crate::real::Real;

/// Elements that a fused program handles at a time: its registers stay in the first-level cache. With few registers it
/// handles more, as many as [`Fused::block`] says.
pub(crate) const BLOCK: usize = 256;

/// Where a fused program reads an operand from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// In the order of the result.
    Dense(Place),
    /// One number for all elements.
    Number(Place),
    /// One number that is written into a register before the first block.
    Splat(Place),
    /// Anything else: gathered into a register, block by block.
    Strided(Place, Vec<Loop<1>>),
}

impl Source {
    /// Where it begins.
    pub fn place(&self) -> Place {
        match self {
            Source::Dense(p) | Source::Number(p) | Source::Splat(p) | Source::Strided(p, _) => *p,
        }
    }
}

pub(crate) enum StepKernel<T> {
    Unary(UnaryKernel<T>),
    Binary(BinaryKernel<T>),
    Ternary(TernaryKernel<T>),
    Select(SelectKernel<T>),
    Choice(ChoiceKernel<T>),
    Inner(InnerKernel<T>),
    /// A function whose kernel also returns what belongs to the sum of the chain.
    Summing(SummingKernel<T>),
    /// Several in one loop.
    Line(Box<LineStep<T>>),
}

/// A line with its numbers' positions, by the order of its operands; that of the array is not used.
pub(crate) struct LineStep<T> {
    pub line: Line,
    pub kernel: LineKernel<T>,
    pub operands: SmallVec<[usize; 8]>,
}

/// One elementwise operation: operands and result by their position in the pointer table (sources, then registers,
/// then the result of the whole program).
pub(crate) struct Step<T> {
    pub name: &'static str,
    pub kernel: StepKernel<T>,
    pub operands: [usize; 5],
    pub result: usize,
    /// Numbers, by their position, and what they must be (not 0, or 0), or the step is left out; besides those of the chain.
    pub guards: SmallVec<[(usize, bool); 2]>,
    /// Zeros take the place of what was left out, where others than the choice would read it.
    pub is_read: bool,
}

impl<T> Step<T> {
    /// The operands that its kernel reads, and the numbers that say whether it runs.
    fn reads(&self) -> SmallVec<[usize; 8]> {
        let operands = match &self.kernel {
            StepKernel::Unary(_) | StepKernel::Summing(_) => &self.operands[..1],
            StepKernel::Binary(_) => &self.operands[..2],
            StepKernel::Ternary(_) | StepKernel::Select(_) => &self.operands[..3],
            StepKernel::Choice(_) => &self.operands[..4],
            StepKernel::Inner(_) => &self.operands[..5],
            StepKernel::Line(step) => &step.operands[..],
        };
        operands.iter().copied().chain(self.guards.iter().map(|guard| guard.0)).collect()
    }
}

/// What a chain adds up, operands by their position in the pointer table.
#[derive(Clone, Copy)]
pub(crate) enum Total<T> {
    /// An array, or a function of it, which the kernel says.
    Sum(SumKernel<T>, usize),
    /// The products of two arrays.
    Dot(DotKernel<T>, [usize; 2]),
    /// How many elements of an array lie between two numbers.
    Count(CountKernel<T>, [usize; 3]),
    /// What a step returns.
    Step,
}

/// A chain of elementwise operations, run block by block, with one result that is stored, or a sum, or both.
pub(crate) struct Fused<T> {
    pub elements: usize,
    pub sources: Vec<Source>,
    pub registers: usize,
    pub steps: Vec<Step<T>>,
    /// Where the result of the last step goes; none where only the sum is wanted.
    pub stored: Option<Place>,
    /// The sum, and where it goes.
    pub total: Option<(Total<T>, Place)>,
    /// Numbers among its sources and what they must be (not 0, or 0), or zeros are stored and all steps left out.
    pub guards: SmallVec<[(Place, bool); 2]>,
}

impl<T> Fused<T> {
    /// See [`Instruction::overwrites`](super::instruction::Instruction::overwrites): the step that writes the result must read others' results alone, since a slice that
    /// is written is not read at the same time.
    pub fn overwrites(&self) -> Vec<(Place, Place)> {
        let Some(result) = self.stored.filter(|place| place.offset == 0) else { return vec![] };
        let end = self.sources.len() + self.registers;
        let Some(writer) = self.steps.iter().position(|step| step.result == end) else { return vec![] };
        let read_late = |entry: usize| {
            let by_total = match &self.total {
                Some((Total::Sum(_, a), _)) => *a == entry,
                Some((Total::Dot(_, operands), _)) => operands.contains(&entry),
                Some((Total::Count(_, operands), _)) => operands.contains(&entry),
                Some((Total::Step, _)) | None => false,
            };
            by_total || self.steps[writer..].iter().any(|step| step.reads().contains(&entry))
        };
        let alone =
            |place: &Place| self.sources.iter().filter(|source| source.place().store == place.store).count() == 1;
        let operands = self.sources.iter().enumerate().filter_map(|(entry, source)| match source {
            Source::Dense(place) if place.offset == 0 && alone(place) && !read_late(entry) => Some((result, *place)),
            _ => None,
        });
        operands.collect()
    }

    /// Whether some of its steps, or all, may be left out.
    pub fn is_guarded(&self) -> bool {
        !self.guards.is_empty() || self.steps.iter().any(|step| !step.guards.is_empty())
    }

    /// Where it writes.
    pub fn results(&self) -> impl Iterator<Item = Place> {
        self.total.as_ref().map(|(_, place)| *place).into_iter().chain(self.stored)
    }
}

impl<T: Real> Fused<T> {
    /// Runs it.
    ///
    /// # Safety
    /// As [`Instruction::run`](super::instruction::Instruction::run).
    pub unsafe fn run(&self, memory: &mut Memory<'_, '_, T>) {
        for &(number, wanted) in &self.guards {
            // SAFETY: guards are numbers, and a result has these elements.
            unsafe {
                if (*memory.at(number) != T::ZERO) != wanted {
                    if let Some(place) = self.stored {
                        std::slice::from_raw_parts_mut(memory.at(place), self.elements).fill(T::ZERO);
                    }
                    return;
                }
            }
        }
        const TABLE: usize = 64;
        let mut table: [*mut T; TABLE] = [std::ptr::null_mut(); TABLE];
        let first_register = self.sources.len();
        let result_entry = first_register + self.registers;
        let scratch = memory.scratch;
        let block = self.block();
        let register = |i: usize| scratch.wrapping_add(i * block);
        let mut gathered = 0;
        for (i, source) in self.sources.iter().enumerate() {
            table[i] = match source {
                Source::Dense(place) | Source::Number(place) => memory.at(*place),
                Source::Splat(place) => {
                    let at = register(self.registers + gathered);
                    gathered += 1;
                    // SAFETY: the scratch has a register for each splat and each gathered source.
                    unsafe { std::slice::from_raw_parts_mut(at, block.min(self.elements)).fill(*memory.at(*place)) };
                    at
                }
                Source::Strided(..) => {
                    gathered += 1;
                    register(self.registers + gathered - 1)
                }
            };
        }
        for i in 0..self.registers {
            table[first_register + i] = register(i);
        }
        table[result_entry] = self.stored.map_or(std::ptr::null_mut(), |place| memory.at(place));
        let mut total = T::ZERO;
        let mut start = 0;
        while start < self.elements {
            let n = block.min(self.elements - start);
            for (i, source) in self.sources.iter().enumerate() {
                if let Source::Strided(place, nest) = source {
                    // SAFETY: the register holds a block, and the loops stay inside the source.
                    unsafe { gather(nest, memory.at(*place), start, n, table[i]) };
                }
            }
            let read = |entry: usize| {
                let n = if matches!(self.sources.get(entry), Some(Source::Number(_))) { 1 } else { n };
                // SAFETY: every entry of the table has n readable elements (numbers have one, and so have the slices
                // that the kernels for that form get).
                unsafe { std::slice::from_raw_parts(table[entry], n) }
            };
            for step in &self.steps {
                let [a, b, c, d, e] = step.operands;
                let result = table[step.result];
                // SAFETY: every entry of the table has n elements, and the result is none of the operands.
                unsafe {
                    let result = std::slice::from_raw_parts_mut(result, n);
                    if step.guards.iter().any(|&(at, wanted)| (*table[at] != T::ZERO) != wanted) {
                        if step.is_read {
                            result.fill(T::ZERO);
                        }
                        continue;
                    }
                    match &step.kernel {
                        StepKernel::Unary(f) => f(read(a), result),
                        StepKernel::Binary(f) => f(read(a), read(b), result),
                        StepKernel::Ternary(f) => f(read(a), read(b), read(c), result),
                        StepKernel::Select(f) => f(read(a), read(b), read(c), result),
                        StepKernel::Inner(f) => f(read(a), [read(b), read(c)], read(d), read(e), result),
                        StepKernel::Choice(f) => f(read(a), read(b), read(c), read(d), result),
                        StepKernel::Summing(f) => total += f(read(a), result),
                        StepKernel::Line(f) => {
                            (f.kernel)(read(a), &f.line.numbers(|i| *table[f.operands[i]]), result);
                        }
                    }
                }
            }
            match self.total {
                Some((Total::Sum(sum, a), _)) => total += sum(read(a)),
                Some((Total::Dot(dot, [a, b]), _)) => total += dot(read(a), read(b)),
                Some((Total::Count(count, [a, b, c]), _)) => total += count(read(a), read(b), read(c)),
                Some((Total::Step, _)) | None => {}
            }
            table[result_entry] = table[result_entry].wrapping_add(n);
            for (i, source) in self.sources.iter().enumerate() {
                if matches!(source, Source::Dense(_)) {
                    table[i] = table[i].wrapping_add(n);
                }
            }
            start += n;
        }
        if let Some((_, place)) = self.total {
            // SAFETY: the result of a sum is one element.
            unsafe { *memory.at(place) = total };
        }
    }

    /// Elements at a time: as many as leave its registers in the first-level cache, a multiple of [`BLOCK`]; all of them
    /// where it has none.
    pub fn block(&self) -> usize {
        const FEW: usize = 8;
        let registers = self.scratch_registers();
        if registers == 0 && self.total.is_none() {
            return self.elements;
        }
        BLOCK * (FEW / (registers + 1)).max(1)
    }

    /// Registers in the scratch: its own, and one for each source that is gathered.
    pub fn scratch_registers(&self) -> usize {
        let gathered = self.sources.iter().filter(|s| matches!(s, Source::Splat(_) | Source::Strided(..))).count();
        self.registers + gathered
    }
}

/// The most sources and registers that a fused program may have.
pub(crate) const MAX_TABLE: usize = 63;
