//! Functions that look at numbers: reading values while a function is traced, and functions whose path depends on
//! the point. Both keep small caches of programs.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::Location;
use std::sync::{Arc, Mutex};

use crate::error::TraceError;
use crate::function::total;
use crate::gradient::gradient;
use crate::program::{Program, Workspace};
use crate::random::Key;
use crate::tape::{NodeId, Tape};
use crate::tensor::Tensor;
use crate::trace::{Trace, Traced};
use crate::var::Var;

/// Programs kept before the cache starts anew: a function whose constants change at every evaluation must not fill
/// the memory.
const MAX_PROGRAMS: usize = 256;

/// Programs by the signature of their tape; clones share them.
#[derive(Clone, Default)]
struct Programs(Arc<Mutex<HashMap<u64, Arc<Program<f64>>>>>);

impl Programs {
    /// The program for a signature, compiled if it is not known. The lock is not held meanwhile.
    fn find(
        &self,
        mark: u64,
        compile: impl FnOnce() -> Result<Program<f64>, TraceError>,
    ) -> Result<Arc<Program<f64>>, TraceError> {
        if let Some(known) = self.lock().get(&mark) {
            return Ok(known.clone());
        }
        let program = Arc::new(compile()?);
        let mut cache = self.lock();
        if cache.len() >= MAX_PROGRAMS {
            cache.clear();
        }
        cache.insert(mark, program.clone());
        Ok(program)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Program<f64>>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A cache of the programs with which a function's values are read; clones share it.
#[derive(Clone, Default)]
pub struct Reader(Programs);

impl Reader {
    /// Evaluates a node of a tape at a point (slots that are too short count as filled up with zeros).
    pub(crate) fn read(&self, tape: &Tape, node: NodeId, point: &[Vec<f64>], key: &Key) -> Result<Tensor, TraceError> {
        let mark = signature(tape, node + 1);
        let program = self.0.find(mark, || Ok(Program::compile_nodes(tape, &[node], &[1])))?;
        // The program may have been compiled when the tape had more inputs than now, or fewer: its own lengths count.
        let slots: Vec<Vec<f64>> = program
            .input_lengths()
            .iter()
            .enumerate()
            .map(|(i, &n)| {
                let mut values = point.get(i).cloned().unwrap_or_default();
                values.resize(n, 0.0);
                values
            })
            .collect();
        let slots: Vec<&[f64]> = slots.iter().map(|s| &s[..]).collect();
        let shape = tape.nodes()[node as usize].shape.clone();
        let mut value = vec![0.0; shape.size()];
        program.run(&mut program.workspace(), &slots, &mut [&mut value], key);
        Ok(Tensor::new(shape.clone(), value).unwrap_or_else(|| Tensor::full(shape, f64::NAN)))
    }
}

/// A hash of the first `nodes` of a tape: equal for equal operations of equal shapes on equal operands and constants.
pub fn signature(tape: &Tape, nodes: NodeId) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (id, node) in tape.nodes().iter().take(nodes as usize).enumerate() {
        match tape.constant(id as NodeId) {
            Some(tensor) => {
                tensor.data().iter().for_each(|x| x.to_bits().hash(&mut hasher));
            }
            None => node.op.hash(&mut hasher),
        }
        node.shape.hash(&mut hasher);
        node.operands.hash(&mut hasher);
    }
    hasher.finish()
}

/// A function of one vector with its gradient that may look at numbers ([`Var::value`]): it is traced at every point,
/// and the path that it took selects a compiled program. A function that looks at none is traced and compiled once.
///
/// Clones share the programs and have memory of their own: one for each chain.
///
/// ```
/// use ppl_autodiff::{Var, dynamic::DynamicFunction};
/// // |x| by a branch.
/// let mut f = DynamicFunction::new(1, |x: Var| if x.sum().value() < 0.0 { -x } else { x })?;
/// let mut gradient = [0.0];
/// assert_eq!(f.value_and_gradient(&[-3.0], &mut gradient)?, 3.0);
/// assert_eq!(gradient, [-1.0]);
/// assert_eq!(f.value_and_gradient(&[2.0], &mut gradient)?, 2.0);
/// assert_eq!(gradient, [1.0]);
/// assert_eq!(f.compiled(), 2);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone)]
pub struct DynamicFunction<F> {
    f: F,
    length: usize,
    location: &'static Location<'static>,
    /// The program of a function that looks at no number.
    only: Option<Arc<Program<f64>>>,
    programs: Programs,
    reader: Reader,
    workspaces: Workspaces,
}

/// The memory for the programs that one function has used; a clone starts without any.
#[derive(Default)]
struct Workspaces(HashMap<u64, Workspace<f64>>);

impl Clone for Workspaces {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<F: Fn(Var) -> Var> DynamicFunction<F> {
    /// Traces `f`, a function of a vector of `length` numbers whose result is summed if it is not a scalar, at zero.
    ///
    /// # Errors
    /// The first mistake that `f` makes there.
    #[track_caller]
    pub fn new(length: usize, f: F) -> Result<Self, TraceError> {
        let mut new = Self {
            f,
            length,
            location: Location::caller(),
            only: None,
            programs: Programs::default(),
            reader: Reader::default(),
            workspaces: Workspaces::default(),
        };
        let (path, traced) = new.trace(&vec![0.0; length])?;
        let is_dynamic = traced.is_dynamic();
        let (_, program) = new.compile(path, traced)?;
        new.only = (!is_dynamic).then_some(program);
        Ok(new)
    }

    /// Whether the function looked at a number, so that it is traced at every point.
    pub fn is_dynamic(&self) -> bool {
        self.only.is_none()
    }

    /// How many programs are kept: the number of paths taken so far, at most 256 (then they are forgotten).
    pub fn compiled(&self) -> usize {
        self.programs.lock().len()
    }

    /// The value at `x`; writes the gradient. What `f` looked at counts as a constant.
    ///
    /// # Errors
    /// The first mistake that `f` makes at `x`.
    ///
    /// # Panics
    /// When a slice has another length than the vector that the function was made for.
    pub fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, TraceError> {
        let (mark, program) = match &self.only {
            Some(program) => (0, program.clone()),
            None => {
                assert_eq!(x.len(), self.length);
                let (path, traced) = self.trace(x)?;
                self.compile(path, traced)?
            }
        };
        if self.workspaces.0.len() >= MAX_PROGRAMS {
            self.workspaces.0.clear();
        }
        // A program may have been forgotten and compiled again since: a workspace belongs to one.
        let workspace = self
            .workspaces
            .0
            .entry(mark)
            .and_modify(|w| {
                if !program.owns(w) {
                    *w = program.workspace();
                }
            })
            .or_insert_with(|| program.workspace());
        let mut value = [0.0];
        program.evaluate(workspace, &[x], &mut [&mut value, gradient]);
        Ok(value[0])
    }

    /// The function at `x`: argument and value on their tape.
    fn trace(&self, x: &[f64]) -> Result<([Var; 2], Traced), TraceError> {
        Trace::default().point(&[x]).reader(self.reader.clone()).run(|| {
            let input = Var::input(0, self.length);
            [input, total(&self.f, input, self.location)]
        })
    }

    /// The program of a path: only a new one is differentiated.
    fn compile(&self, [x, y]: [Var; 2], traced: Traced) -> Result<(u64, Arc<Program<f64>>), TraceError> {
        // The value is the last node, so the signature of the whole tape says which node it is.
        let mark = signature(traced.tape(), y.node() + 1);
        let program = self.programs.find(mark, || {
            let (g, traced) = traced.extend(|| gradient(y, &[x])[0])?;
            Ok(Program::compile(traced.tape(), &[&[y], &[g]]))
        })?;
        Ok((mark, program))
    }
}
