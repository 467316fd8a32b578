//! The instruction of a region of rows: its program for a strip of rows, run from strip to strip.
//!
//! What one step leaves to the next stays in the cache, data are read from memory once for value and gradient together, and
//! strips may run on several threads. Strips belong to chunks, a fixed number whatever the number of threads; each chunk has
//! a sum of its own, and these are added in order: the same bits for any number of threads.

mod region;
mod usual;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use smallvec::SmallVec;

pub(crate) use self::region::{Policy, Region};
use super::Program;
use super::instruction::{Instruction, Memory, Place};
use crate::random::Key;
use crate::real::Real;

/// Chunks at most: enough to keep as many threads busy, and few enough that their sums cost nothing.
const CHUNKS: usize = 32;
/// Numbers a row from which an array is read in order before it is used by columns. Narrow ones lose by it: the processor
/// follows a few columns by itself.
const WIDE: usize = 16;

/// An array at a place: so many elements a row, or so many in all.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    Rows(usize),
    Whole(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Array {
    pub place: Place,
    pub extent: Extent,
}

/// Rows computed strip by strip.
pub(crate) struct Strips<T> {
    pub rows: usize,
    pub strip: usize,
    /// Whether there is enough to do for more than one thread.
    pub threaded: bool,
    /// The programs of a strip, and those of the last, shorter one.
    pub body: Box<Body<T>>,
    pub tail: Option<Box<Body<T>>>,
    pub inputs: Vec<Array>,
    /// Sums (whole) first, then arrays with rows, in the order of the programs' output slots.
    pub outputs: Vec<Array>,
    pub memory: Place,
}

/// The programs for a number of rows.
pub(crate) struct Body<T> {
    pub program: Program<T>,
    pub usual: Option<Usual<T>>,
}

/// Another program for rows of which all fulfil the conditions that rows usually fulfil, as to be inside of a support.
pub(crate) struct Usual<T> {
    /// Counts for how many elements each condition holds.
    pub check: Program<T>,
    /// The counts where a condition holds everywhere.
    pub holding: Vec<T>,
    pub program: Program<T>,
}

/// Pointers of one run that all its threads use, each its own part of them.
struct Run<'r, T> {
    inputs: SmallVec<[*const T; 16]>,
    outputs: SmallVec<[*mut T; 16]>,
    memory: *mut T,
    key: &'r Key,
}

// SAFETY: threads read the inputs, and write the rows of their own strips and the memory of their own chunks.
unsafe impl<T: Real> Sync for Run<'_, T> {}

impl<T: Real> Strips<T> {
    fn strips(&self) -> usize {
        self.rows.div_ceil(self.strip)
    }

    fn chunks(&self) -> usize {
        self.strips().min(CHUNKS)
    }

    /// Elements of all sums.
    fn sum_length(&self) -> usize {
        self.outputs.iter().map(|o| if let Extent::Whole(n) = o.extent { n } else { 0 }).sum()
    }

    /// The memory of a chunk: that of a program, the sums of a strip and the sums so far.
    fn chunk_length(&self) -> usize {
        let bodies = [Some(&self.body), self.tail.as_ref()];
        let program = bodies.into_iter().flatten().map(|body| body.memory()).max().unwrap_or(0);
        (program + 2 * self.sum_length()).next_multiple_of(64 / size_of::<T>())
    }

    /// The number of elements of memory that it needs.
    pub fn memory_length(&self) -> usize {
        self.chunks() * self.chunk_length()
    }

    /// Runs all strips.
    ///
    /// # Safety
    /// As [`Instruction::run`](super::instruction::Instruction::run).
    pub unsafe fn run(&self, memory: &mut Memory<'_, '_, T>) {
        let run = Run {
            inputs: self.inputs.iter().map(|a| memory.at(a.place).cast_const()).collect(),
            outputs: self.outputs.iter().map(|a| memory.at(a.place)).collect(),
            memory: memory.at(self.memory),
            key: memory.key,
        };
        let chunks = self.chunks();
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let chunk = next.fetch_add(1, Ordering::Relaxed);
                if chunk >= chunks {
                    break;
                }
                // SAFETY: the caller's promise; each chunk is run once.
                unsafe { self.chunk(&run, chunk) };
            }
        };
        match memory.threads.min(chunks) {
            threads if threads < 2 || !self.threaded => work(),
            threads => std::thread::scope(|scope| {
                // A thread that cannot be had leaves its chunks to the others.
                (1..threads).for_each(|_| drop(std::thread::Builder::new().spawn_scoped(scope, work)));
                work();
            }),
        }
        let (each, sums) = (self.chunk_length(), self.sum_length());
        let mut at = each - sums;
        for (array, &out) in self.outputs.iter().zip(&run.outputs) {
            let Extent::Whole(n) = array.extent else { continue };
            // SAFETY: every chunk has left its sums at the end of its memory.
            unsafe {
                let out = std::slice::from_raw_parts_mut(out, n);
                out.fill(T::ZERO);
                for chunk in 0..chunks {
                    let part = std::slice::from_raw_parts(run.memory.add(chunk * each + at), n);
                    out.iter_mut().zip(part).for_each(|(o, p)| *o += *p);
                }
            }
            at += n;
        }
    }

    /// The strips of one chunk, in order.
    unsafe fn chunk(&self, run: &Run<'_, T>, chunk: usize) {
        let (strips, chunks, sums) = (self.strips(), self.chunks(), self.sum_length());
        let base = run.memory.wrapping_add(chunk * self.chunk_length());
        let total = base.wrapping_add(self.chunk_length() - sums);
        let part = total.wrapping_sub(sums);
        let (first, last) = (chunk * strips / chunks, (chunk + 1) * strips / chunks);
        for strip in first..last {
            let start = strip * self.strip;
            let rows = self.strip.min(self.rows - start);
            let body = match &self.tail {
                Some(tail) if rows < self.strip => tail,
                _ => &self.body,
            };
            let sum_at = if strip == first { total } else { part };
            // SAFETY: arrays have the extents that they were planned with; rows of other strips are not touched.
            unsafe {
                let inputs: SmallVec<[&[T]; 16]> = self
                    .inputs
                    .iter()
                    .zip(&run.inputs)
                    .map(|(array, &from)| match array.extent {
                        Extent::Rows(n) => std::slice::from_raw_parts(from.add(start * n), rows * n),
                        Extent::Whole(n) => std::slice::from_raw_parts(from, n),
                    })
                    .collect();
                for (array, rows) in self.inputs.iter().zip(&inputs) {
                    if matches!(array.extent, Extent::Rows(width) if width >= WIDE) {
                        fetch(rows);
                    }
                }
                let mut used = 0;
                let mut outputs: SmallVec<[&mut [T]; 16]> = self
                    .outputs
                    .iter()
                    .zip(&run.outputs)
                    .map(|(array, &to)| match array.extent {
                        Extent::Rows(n) => std::slice::from_raw_parts_mut(to.add(start * n), rows * n),
                        Extent::Whole(n) => {
                            used += n;
                            std::slice::from_raw_parts_mut(sum_at.add(used - n), n)
                        }
                    })
                    .collect();
                let usual = body.usual.as_ref().filter(|usual| usual.holds(base, &inputs, run.key));
                usual.map_or(&body.program, |usual| &usual.program).execute(base, &inputs, &mut outputs, run.key);
                if strip > first {
                    let (total, part) =
                        (std::slice::from_raw_parts_mut(total, sums), std::slice::from_raw_parts(part, sums));
                    total.iter_mut().zip(part).for_each(|(t, p)| *t += *p);
                }
            }
        }
    }
}

impl<T: Real> Body<T> {
    /// The memory that any of its programs needs.
    fn memory(&self) -> usize {
        let usual = self.usual.iter().flat_map(|usual| [&usual.check, &usual.program]);
        usual.chain([&self.program]).map(|p| p.arena + p.scratch).max().unwrap_or(0)
    }

    /// Whether it goes over its rows just once: no cache need hold them.
    pub fn walks_once(&self) -> bool {
        self.usual.is_none() && self.program.instructions.len() < 2
    }

    /// Whether its usual program for so many rows leaves some of them from one instruction to the next, or looks which it
    /// may leave out: then short strips are better.
    pub fn keeps_rows(&self, rows: usize) -> bool {
        let program = self.usual.as_ref().map_or(&self.program, |usual| &usual.program);
        let guarded = |i: &Instruction<T>| matches!(i, Instruction::Fused(chain) if chain.is_guarded());
        program.arena >= rows || program.instructions.iter().any(guarded)
    }
}

impl<T: Real> Usual<T> {
    /// Whether its conditions hold for all rows.
    ///
    /// # Safety
    /// As [`Program::execute`].
    unsafe fn holds(&self, base: *mut T, inputs: &[&[T]], key: &Key) -> bool {
        let mut counts: SmallVec<[[T; 1]; 8]> = self.holding.iter().map(|_| [T::ZERO]).collect();
        let mut outputs: SmallVec<[&mut [T]; 8]> = counts.iter_mut().map(|count| &mut count[..]).collect();
        // SAFETY: the caller's promise.
        unsafe { self.check.execute(base, inputs, &mut outputs, key) };
        drop(outputs);
        counts.as_flattened() == self.holding
    }
}

impl<T: Real> Program<T> {
    /// How many elements it goes over in all, step by step: what it costs where its steps are simple.
    pub fn passes(&self) -> usize {
        let of = |instruction: &Instruction<T>| match instruction {
            Instruction::Fused(f) => (f.steps.len() + usize::from(f.total.is_some())) * f.elements,
            Instruction::Copy { nest, .. } => nest.iter().map(|l| l.extent).product(),
            Instruction::Fill { elements, .. } => *elements,
            Instruction::Reduce(r) => {
                r.kept.iter().map(|l| l.extent).chain(r.reduced.iter().map(|l| l.extent)).product()
            }
            _ => 0,
        };
        self.instructions.iter().map(of).sum()
    }

    /// Evaluates in memory of others.
    ///
    /// # Safety
    /// `base` has room for the arena and the registers, which nobody else uses; inputs and outputs have the lengths of this
    /// program's slots.
    unsafe fn execute(&self, base: *mut T, inputs: &[&[T]], outputs: &mut [&mut [T]], key: &Key) {
        let mut memory = Memory {
            constants: self.constants.as_ptr(),
            arena: base,
            buffers: &self.buffers,
            inputs,
            outputs,
            scratch: base.wrapping_add(self.arena),
            key,
            threads: 1,
        };
        // SAFETY: the caller's promise.
        unsafe { T::execute(&self.instructions, &mut memory) };
    }
}

/// Reads a number of every cache line in order, for which the processor fetches ahead: products walk many columns at once,
/// for which it does not.
fn fetch<T: Real>(x: &[T]) {
    for x in x.iter().step_by(64 / size_of::<T>()) {
        // SAFETY: a reference can be read from. What is read is of no use, which the compiler must not know.
        unsafe { std::ptr::from_ref(x).read_volatile() };
    }
}

impl<T> Strips<T> {
    /// Where it writes first, and all other places that it touches.
    pub fn places(&self) -> (Place, Vec<Place>) {
        let arrays = self.inputs.iter().chain(&self.outputs).map(|a| a.place);
        (self.memory, arrays.collect())
    }
}

impl<T: Real> fmt::Display for Strips<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows by {}", self.rows, self.strip)?;
        let usual = self.body.usual.as_ref();
        if let Some(usual) = usual {
            for line in usual.check.explain().lines().chain(["", "where that holds:"]) {
                write!(f, "\n      | {line}")?;
            }
            for line in usual.program.explain().lines().chain(["", "elsewhere:"]) {
                write!(f, "\n      | {line}")?;
            }
        }
        for line in self.body.program.explain().lines() {
            write!(f, "\n      | {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Policy;
    use crate::program::graph::Graph;
    use crate::program::passes;
    use crate::random::{Philox, Purpose};
    use crate::{Program, Tensor, Var, gradient, trace};

    const STRIPS: Policy = Policy { rows: 300, elements: 0, long: 2048, threads: 0, ..Policy::PAYS };

    fn numbers(stream: u32, n: usize) -> Vec<f64> {
        let mut x = vec![0.0; n];
        Philox::new(7, Purpose::Init, stream, 0).fill_standard_normal(&mut x);
        x
    }

    fn data(stream: u32, shape: &[usize]) -> Var {
        Var::from(Tensor::new(shape, numbers(stream, shape.iter().product())).unwrap())
    }

    /// Runs a function with inputs of the given lengths, with and without strips, by one to three threads; gives what the
    /// program with strips does.
    fn same(slots: &[usize], f: impl Fn() -> Vec<Var>) -> String {
        let (outputs, traced) = trace(f).unwrap();
        let nodes: Vec<_> = outputs.iter().map(|v| v.node()).collect();
        let graph = passes::optimise(Graph::from_tape(traced.tape(), &nodes));
        let counts = vec![1; nodes.len()];
        let plain = Program::<f64>::lower_in_strips(graph.clone(), slots, &counts, Policy::NEVER);
        let strips = Program::<f64>::lower_in_strips(graph, slots, &counts, STRIPS);
        let inputs: Vec<Vec<f64>> = slots.iter().enumerate().map(|(i, &n)| numbers(100 + i as u32, n)).collect();
        let inputs: Vec<&[f64]> = inputs.iter().map(|x| &x[..]).collect();
        let run = |program: &Program<f64>, threads: usize| -> Vec<Vec<f64>> {
            let mut out: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![f64::NAN; n]).collect();
            let mut workspace = program.workspace();
            workspace.set_threads(threads);
            // Twice: nothing may be left of the first time.
            for _ in 0..2 {
                let mut slices: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut o[..]).collect();
                program.evaluate(&mut workspace, &inputs, &mut slices);
            }
            out
        };
        let (want, got) = (run(&plain, 1), run(&strips, 1));
        for (slot, (want, got)) in want.iter().zip(&got).enumerate() {
            let size = want.iter().fold(1.0f64, |m, x| m.max(x.abs()));
            for (i, (w, g)) in want.iter().zip(got).enumerate() {
                assert!((w - g).abs() <= 1e-11 * size, "output {slot}, {i}: {g} {w}\n{}", strips.explain());
            }
        }
        for threads in 2..4 {
            assert_eq!(run(&strips, threads), got, "{threads} threads");
        }
        strips.explain()
    }

    /// Value and gradient of a regression with several strips and a shorter last one.
    #[test]
    fn a_regression_reads_its_data_once() {
        let (n, k) = (10_007, 7);
        let explained = same(&[k, 1], || {
            let (b, a) = (Var::input(0, [k]), Var::input(1, ()));
            let z = data(1, &[n, k]).matmul(b) + a;
            let value = (data(2, &[n]) * z - z.softplus()).sum();
            [vec![value], gradient(value, &[b, a])].concat()
        });
        assert_eq!(explained.matches("strips(").count(), 1, "{explained}");
        // All products are inside: in lines of the inner program.
        let outside = explained.lines().filter(|l| l.contains("matmul") && !l.contains('|'));
        assert_eq!(outside.count(), 0, "{explained}");
    }

    /// A network whose activations are matrices, with weights that are computed before and used after.
    #[test]
    fn a_network_with_computed_weights() {
        let n = 5000;
        let explained = same(&[12, 4], || {
            let (w, v) = (Var::input(0, [3, 4]), Var::input(1, [4, 1]));
            let scale = w.square().sum().sqrt();
            let hidden = data(1, &[n, 3]).matmul(w / scale).tanh();
            let off = hidden.matmul(v).reshape([n]) - data(2, &[n]);
            let value = off.square().sum() * scale;
            [vec![value, off], gradient(value, &[w, v])].concat()
        });
        assert!(explained.contains("strips("), "{explained}");
    }

    /// An array with 10 in its first rows and 0 in the others.
    fn step(n: usize, first: usize) -> Var {
        let numbers: Vec<f64> = (0..n).map(|i| if i < first { 10.0 } else { 0.0 }).collect();
        Var::from(Tensor::new([n], numbers).unwrap())
    }

    /// Strips whose rows all lie inside of a support, and one of which some do not.
    #[test]
    fn a_density_with_a_support() {
        let n = 5000;
        let explained = same(&[1, n], || {
            let (scale, x) = (Var::input(0, ()), Var::input(1, [n]) + step(n, 4096));
            let inside = x.ge(0.0) * x.lt(f64::INFINITY);
            let z = inside.select(x, 0.0) * scale;
            let density = inside.select(-0.5 * z.square() - z.abs(), f64::NEG_INFINITY).exp();
            [vec![density.sum(), density], gradient(density.sum(), &[scale, x])].concat()
        });
        assert_eq!(explained.matches("where that holds:").count(), 1, "{explained}");
    }

    /// A branch that all rows of some strips take, none of others, and some of one.
    #[test]
    fn branches_of_all_rows_of_a_strip() {
        let n = 10_000;
        same(&[1, n], || {
            let (scale, x) = (Var::input(0, ()), Var::input(1, [n]) + step(n, 5000));
            let far = x.gt(5.0);
            let (a, b) = (far.select(x, 6.0), far.select(0.0, x));
            let value = far.select((a * scale.abs()).lgamma() - a.ln(), (b * scale).exp().sin());
            [vec![value.sum(), value], gradient(value.sum(), &[scale, x])].concat()
        });
    }

    /// Effects of groups: gathered before the strips, scattered after them.
    #[test]
    fn gathered_effects() {
        let (n, groups) = (4001, 13);
        let index: Vec<usize> = (0..n).map(|i| (i * i) % groups).collect();
        let explained = same(&[groups, 1], || {
            let (effects, slope) = (Var::input(0, [groups]), Var::input(1, ()));
            let mean = effects.gather(0, &index) + slope * data(1, &[n]);
            let value = (data(2, &[n]) - mean).square().sum() * -0.5;
            [vec![value], gradient(value, &[effects, slope])].concat()
        });
        assert!(explained.contains("strips(") && explained.contains("scatter_add"), "{explained}");
    }

    /// What needs all rows before it goes on: the strips end there.
    #[test]
    fn a_softmax_over_rows() {
        let n = 3003;
        let explained = same(&[1, n], || {
            let (t, own) = (Var::input(0, ()), Var::input(1, [n]));
            let x = (data(1, &[n]) * t + own).tanh() * 3.0;
            let normalised = x.exp() / x.exp().sum();
            let value = (normalised * data(2, &[n])).sum() + x.maximum().ln_1p();
            [vec![value, normalised], gradient(value, &[t, own])].concat()
        });
        assert!(explained.contains("strips("), "{explained}");
    }

    /// Rows in other places than the first axis, arrays of rank 3, slices, sums to columns.
    #[test]
    fn rows_anywhere() {
        let n = 2500;
        let explained = same(&[5, n * 2], || {
            let (w, own) = (Var::input(0, [5]), Var::input(1, [n, 2]));
            let cube = data(1, &[2, n, 5]) * w;
            let turned = cube.transpose(&[2, 0, 1]).exp();
            let part = turned.slice(0, 1..3).sum_axis(0).reshape([2, n]);
            let both = part * own.t() + data(2, &[2, n]);
            let columns = both.sum_axis(1);
            let each = both.t().tanh();
            let value = columns.square().sum() + each.sum();
            [vec![value, each, columns], gradient(value, &[w, own])].concat()
        });
        assert!(explained.contains("strips("), "{explained}");
    }

    #[test]
    fn small_data_need_no_strips() {
        let (y, traced) = trace(|| (data(1, &[500, 2]).matmul(Var::input(0, [2, 5])).tanh()).sum()).unwrap();
        assert!(!Program::<f64>::compile(traced.tape(), &[&[y]]).explain().contains("strips"));
    }
}
