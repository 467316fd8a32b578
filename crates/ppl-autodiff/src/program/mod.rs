//! Programs: a tape lowered to a list of instructions over planned memory, replayed without allocation.

mod contract;
mod explain;
mod fuse;
mod fused;
mod graph;
mod guard;
mod instruction;
mod layout;
mod line;
mod lower;
pub(crate) mod machine;
mod passes;
mod plan;
mod profile;
mod rows;
mod scan;
mod scatter;
mod short;
pub(crate) mod strips;
mod whole;

pub use self::rows::Over;

use std::sync::atomic::{AtomicU64, Ordering};

use self::fused::MAX_TABLE;
use self::graph::Graph;
use self::instruction::{Instruction, Memory};
use self::strips::Policy;
use crate::random::Key;
use crate::real::Real;
use crate::tape::{NodeId, Tape};
use crate::var::Var;

static NEXT_PROGRAM: AtomicU64 = AtomicU64::new(0);

/// A compiled function: input slots in, output slots out, the same bits every time.
///
/// Programs are `Send + Sync`; each thread evaluates with a [`Workspace`] of its own. An evaluation touches no
/// allocator and no lock.
///
/// ```
/// use ppl_autodiff::{Program, Var, trace};
///
/// let (y, traced) = trace(|| {
///     let x = Var::input(0, [3]);
///     (x * 2.0).exp().sum()
/// })?;
/// let program = Program::<f64>::compile(traced.tape(), &[&[y]]);
/// let mut out = [0.0];
/// program.evaluate(&mut program.workspace(), &[&[0.0, 0.0, 0.5]], &mut [&mut out]);
/// assert!((out[0] - (2.0 + 1f64.exp())).abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
pub struct Program<T> {
    id: u64,
    instructions: Vec<Instruction<T>>,
    constants: Vec<T>,
    buffers: Vec<usize>,
    arena: usize,
    scratch: usize,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

/// The memory that one thread needs to evaluate one program.
#[derive(Debug)]
pub struct Workspace<T> {
    program: u64,
    memory: Vec<T>,
    threads: usize,
}

impl<T> Workspace<T> {
    /// How many threads an evaluation may use, 1 at first. Only programs over thousands of rows use more than one; the
    /// results are the same bits for any number.
    pub fn set_threads(&mut self, threads: usize) {
        self.threads = threads;
    }
}

impl<T: Real> Program<T> {
    /// Compiles what `outputs` need of a tape. Output slot `i` receives the values of `outputs[i]`, row-major, one
    /// after the other. The `Var`s must belong to this tape.
    pub fn compile(tape: &Tape, outputs: &[&[Var]]) -> Self {
        Self::compile_by(tape, outputs, Policy::PAYS)
    }

    /// As [`Program::compile`], by node: `counts[i]` of the nodes go to output slot `i`.
    pub(crate) fn compile_nodes(tape: &Tape, nodes: &[NodeId], counts: &[usize]) -> Self {
        Self::lower(passes::optimise(Graph::from_tape(tape, nodes)), tape.slots(), counts)
    }

    /// As [`Program::compile`], computed in strips of two or three rows wherever that is possible: for tests of what
    /// otherwise takes thousands of rows.
    #[doc(hidden)]
    pub fn compile_in_strips(tape: &Tape, outputs: &[&[Var]]) -> Self {
        Self::compile_by(tape, outputs, Policy::ALWAYS)
    }

    fn compile_by(tape: &Tape, outputs: &[&[Var]], policy: Policy) -> Self {
        let nodes: Vec<NodeId> = outputs.iter().flat_map(|slot| slot.iter().map(|v| v.node())).collect();
        let counts: Vec<usize> = outputs.iter().map(|slot| slot.len()).collect();
        let graph = passes::optimise(Graph::from_tape(tape, &nodes));
        Self::lower_in_strips(graph, tape.slots(), &counts, policy)
    }

    /// Lowers a graph as it is.
    pub(crate) fn lower(graph: Graph, inputs: &[usize], counts: &[usize]) -> Self {
        Self::lower_in_strips(graph, inputs, counts, Policy::PAYS)
    }

    /// As [`Program::lower`], with another policy for strips of rows.
    pub(crate) fn lower_in_strips(graph: Graph, inputs: &[usize], counts: &[usize], policy: Policy) -> Self {
        let mut places = Vec::with_capacity(graph.outputs.len());
        let mut outputs = Vec::with_capacity(counts.len());
        let mut nodes = graph.outputs.iter();
        for (slot, &count) in counts.iter().enumerate() {
            let mut length = 0;
            for &node in nodes.by_ref().take(count) {
                places.push((slot as u32, length));
                length += graph.shape(node).size();
            }
            outputs.push(length);
        }
        let lowered = T::lower(&graph, &places, policy);
        let (buffers, arena) = plan::plan(&lowered.instructions, &lowered.buffers);
        let registers = |i: &Instruction<T>| match i {
            Instruction::Fused(fused) => {
                debug_assert!(fused.sources.len() + fused.registers <= MAX_TABLE);
                fused.scratch_registers() * fused.block()
            }
            _ => 0,
        };
        let scratch = lowered.instructions.iter().map(registers).max().unwrap_or(0);
        Self {
            id: NEXT_PROGRAM.fetch_add(1, Ordering::Relaxed),
            instructions: lowered.instructions,
            constants: lowered.constants,
            buffers,
            arena,
            scratch,
            inputs: inputs.to_vec(),
            outputs,
        }
    }

    /// Memory for one thread.
    pub fn workspace(&self) -> Workspace<T> {
        Workspace { program: self.id, memory: vec![T::ZERO; self.arena + self.scratch + Self::line()], threads: 1 }
    }

    /// Whether this program made the workspace.
    pub(crate) fn owns(&self, workspace: &Workspace<T>) -> bool {
        workspace.program == self.id
    }

    /// The length of each input slot.
    pub fn input_lengths(&self) -> &[usize] {
        &self.inputs
    }

    /// The length of each output slot.
    pub fn output_lengths(&self) -> &[usize] {
        &self.outputs
    }

    /// The number of bytes of a workspace.
    pub fn workspace_bytes(&self) -> usize {
        (self.arena + self.scratch + Self::line()) * size_of::<T>()
    }

    /// Elements in a cache line.
    fn line() -> usize {
        64 / size_of::<T>()
    }

    /// Evaluates; random draws come from the default key.
    ///
    /// # Panics
    /// When slots or their lengths are not those of [`Program::input_lengths`] and [`Program::output_lengths`], or the
    /// workspace was made by another program: mistakes of the calling code, never of a user's data.
    pub fn evaluate(&self, workspace: &mut Workspace<T>, inputs: &[&[T]], outputs: &mut [&mut [T]]) {
        self.run(workspace, inputs, outputs, &Key::default());
    }

    /// Evaluates with random draws that are a function of `key`.
    ///
    /// # Panics
    /// As [`Program::evaluate`].
    pub fn run(&self, workspace: &mut Workspace<T>, inputs: &[&[T]], outputs: &mut [&mut [T]], key: &Key) {
        let mut memory = self.memory(workspace, inputs, outputs, key);
        // SAFETY: the plan gave every buffer its place inside the arena, the slots have the lengths that the program was
        // compiled for (checked above), and the workspace is this program's (checked above).
        unsafe { T::execute(&self.instructions, &mut memory) };
    }

    /// The memory of an evaluation, its slots checked.
    fn memory<'a, 'o>(
        &'a self,
        workspace: &'a mut Workspace<T>,
        inputs: &'a [&'a [T]],
        outputs: &'a mut [&'o mut [T]],
        key: &'a Key,
    ) -> Memory<'a, 'o, T> {
        assert_eq!(workspace.program, self.id, "a workspace belongs to the program that made it");
        assert!(inputs.len() >= self.inputs.len() && inputs.iter().zip(&self.inputs).all(|(x, &n)| x.len() == n));
        assert!(outputs.len() == self.outputs.len() && outputs.iter().zip(&self.outputs).all(|(y, &n)| y.len() == n));
        let base = workspace.memory.as_mut_ptr();
        let skip = base.align_offset(64).min(Self::line());
        let arena = base.wrapping_add(skip);
        Memory {
            constants: self.constants.as_ptr(),
            arena,
            buffers: &self.buffers,
            inputs,
            outputs,
            scratch: arena.wrapping_add(self.arena),
            key,
            threads: workspace.threads,
        }
    }
}
