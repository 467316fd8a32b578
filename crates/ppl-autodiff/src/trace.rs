//! The ambient recorder: the one thing that is global, and only while some call traces a function.
//!
//! Recorders stack (a traced function may trace another one) and are closed by a guard, also on panic. A mistake
//! poisons the innermost trace: the first one is kept with its source line, enclosing site and model, recording goes
//! on with placeholders of plausible shape, and whoever asked for the trace gets the error.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};

use smallvec::SmallVec;

use crate::dynamic::Reader;
use crate::error::{Mistake, TraceError};
use crate::ops::Op;
use crate::random::Key;
use crate::shape::Shape;
use crate::tape::{BadData, Node, NodeId, Tape};
use crate::tensor::Tensor;
use crate::var::Var;

/// The trace number of `Var`s that were made outside any trace.
const ORPHAN: u32 = 0;
/// How many mistakes outside any trace a thread remembers.
const MAX_ORPHANS: usize = 256;

static NEXT_TRACE: AtomicU32 = AtomicU32::new(ORPHAN + 1);

thread_local! {
    static RECORDERS: RefCell<Vec<Recorder>> = const { RefCell::new(Vec::new()) };
    static ORPHANS: RefCell<Vec<(&'static str, &'static Location<'static>)>> = const { RefCell::new(Vec::new()) };
}

struct Recorder {
    id: u32,
    tape: Tape,
    model: Option<String>,
    scopes: Vec<String>,
    error: Option<TraceError>,
    point: Vec<Vec<f64>>,
    key: Key,
    reader: Reader,
    dynamic: bool,
    /// How many random nodes each site has so far.
    streams: HashMap<u32, u32>,
    /// While adjoints are recorded: the line of the operation that is differentiated.
    location: Option<&'static Location<'static>>,
    /// For a trace whose function may use `Var`s of the enclosing ones.
    captures: Option<Captures>,
}

/// `Var`s of the enclosing trace that became inputs.
struct Captures {
    slot: usize,
    /// The enclosing trace.
    outside: u32,
    /// Nodes outside and inside.
    nodes: Vec<(NodeId, NodeId)>,
}

/// How to trace: a name for errors, the point at which values are read, the key of random draws.
#[derive(Clone, Default)]
pub struct Trace {
    model: Option<String>,
    point: Vec<Vec<f64>>,
    key: Key,
    reader: Reader,
    captures: Option<usize>,
}

/// Traces `f` with default settings; see [`Trace`].
///
/// # Errors
/// The first mistake that `f` made.
pub fn trace<R>(f: impl FnOnce() -> R) -> Result<(R, Traced), TraceError> {
    Trace::default().run(f)
}

impl Trace {
    /// The model's name, for errors.
    #[must_use]
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// The values of the input slots at which [`Var::value`] reads; missing ones read as zero.
    #[must_use]
    pub fn point(mut self, slots: &[&[f64]]) -> Self {
        self.point = slots.iter().map(|s| s.to_vec()).collect();
        self
    }

    /// The key of the random draws that [`Var::value`] sees.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// The cache of programs with which values are read, to be shared by repeated traces of one function.
    #[must_use]
    pub fn reader(mut self, reader: Reader) -> Self {
        self.reader = reader;
        self
    }

    /// Lets the function use `Var`s of the trace that is being recorded around it: each becomes an input at the end of
    /// `slot`.
    pub(crate) fn capturing(mut self, slot: usize) -> Self {
        self.captures = Some(slot);
        self
    }

    /// Runs `f` under a recorder and returns its result with the tape.
    ///
    /// # Errors
    /// The first mistake that `f` made.
    pub fn run<R>(self, f: impl FnOnce() -> R) -> Result<(R, Traced), TraceError> {
        let recorder = Recorder {
            id: NEXT_TRACE.fetch_add(1, Ordering::Relaxed),
            tape: Tape::default(),
            model: self.model,
            scopes: Vec::new(),
            error: None,
            point: self.point,
            key: self.key,
            reader: self.reader,
            dynamic: false,
            streams: HashMap::new(),
            location: None,
            captures: self.captures.map(|slot| Captures { slot, outside: ORPHAN, nodes: Vec::new() }),
        };
        let (result, recorder) = record_with(recorder, f);
        Traced::new(recorder).map(|traced| (result, traced))
    }
}

/// A finished trace: its tape, and the means to record more on it.
pub struct Traced(Recorder);

impl Traced {
    fn new(mut recorder: Recorder) -> Result<Self, TraceError> {
        match recorder.error.take() {
            Some(error) => Err(error),
            None => Ok(Self(recorder)),
        }
    }

    /// What was recorded.
    pub fn tape(&self) -> &Tape {
        &self.0.tape
    }

    /// The enclosing trace's `Var`s that the function used, in the order of their inputs.
    pub(crate) fn captured(&self) -> Vec<Var> {
        self.0.captures.iter().flat_map(|c| c.nodes.iter().map(|&(node, _)| Var::new(c.outside, node))).collect()
    }

    /// The name of the traced model.
    pub fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// The same trace over another tape, node for node.
    pub(crate) fn replace_tape(self, tape: Tape) -> Self {
        Self(Recorder { tape, ..self.0 })
    }

    /// A mistake found after the trace, at a line of it.
    pub(crate) fn error_at(&self, mistake: Mistake, location: Option<&'static Location<'static>>) -> TraceError {
        let model = self.0.model.as_deref().map(Into::into);
        TraceError { mistake, location: location.unwrap_or_else(|| Location::caller()), site: None, model }
    }

    /// Whether the function read a value, so that another point may take another path.
    pub fn is_dynamic(&self) -> bool {
        self.0.dynamic
    }

    /// Records more on the same tape: its `Var`s are valid inside `f`.
    ///
    /// # Errors
    /// The first mistake that `f` made; the tape is lost with it.
    pub fn extend<R>(self, f: impl FnOnce() -> R) -> Result<(R, Self), TraceError> {
        let (result, recorder) = record_with(self.0, f);
        Traced::new(recorder).map(|traced| (result, traced))
    }
}

fn record_with<R>(recorder: Recorder, f: impl FnOnce() -> R) -> (R, Recorder) {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            // Only a panic of the traced function comes here: leave no recorder behind.
            RECORDERS.with_borrow_mut(|stack| stack.pop());
        }
    }
    RECORDERS.with_borrow_mut(|stack| stack.push(recorder));
    let guard = Guard;
    let result = f();
    std::mem::forget(guard);
    let recorder = RECORDERS.with_borrow_mut(|stack| stack.pop());
    // Every nested trace pops what it pushed, so the recorder on top is the one from above.
    let recorder = recorder.unwrap_or_else(|| unreachable!("recorders are popped by those who pushed them"));
    (result, recorder)
}

/// Runs `f` inside a named scope: mistakes made there are reported with this site.
pub fn scope<R>(site: &str, f: impl FnOnce() -> R) -> R {
    let _scope = Scope::enter(site);
    f()
}

/// A scope that is left on drop; see [`scope`].
pub struct Scope(Option<u32>);

impl Scope {
    /// Enters a scope of the innermost trace (nothing happens outside of one).
    pub fn enter(site: &str) -> Self {
        Self(with_top(|r| {
            r.scopes.push(site.to_owned());
            r.id
        }))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let Some(id) = self.0 else { return };
        with_top(|r| {
            if r.id == id {
                r.scopes.pop();
            }
        });
    }
}

/// Poisons the innermost trace, unless it is poisoned already.
#[track_caller]
pub fn mistake(mistake: Mistake) {
    let location = Location::caller();
    with_top(|r| r.poison(mistake, r.location.unwrap_or(location)));
}

/// Poisons the innermost trace and returns a value of `shape` with which the function can go on.
#[track_caller]
pub fn placeholder(mistake: Mistake, shape: impl Into<Shape>) -> Var {
    poisoned(mistake, shape.into(), Location::caller())
}

impl Recorder {
    fn poison(&mut self, mistake: Mistake, location: &'static Location<'static>) {
        if self.error.is_none() {
            let site = self.scopes.last().map(|s| s.as_str().into());
            let model = self.model.as_deref().map(Into::into);
            self.error = Some(TraceError { mistake, location, site, model });
        }
    }

    fn push(
        &mut self,
        op: Op,
        operands: SmallVec<[NodeId; 3]>,
        shape: Shape,
        location: &'static Location<'static>,
    ) -> Var {
        let location = self.location.unwrap_or(location);
        let node = self.tape.push(Node { op, operands, shape, location });
        Var::new(self.id, node)
    }
}

fn with_top<R>(f: impl FnOnce(&mut Recorder) -> R) -> Option<R> {
    RECORDERS.with_borrow_mut(|stack| stack.last_mut().map(f))
}

fn orphan(operation: &'static str, location: &'static Location<'static>) -> Var {
    let index = ORPHANS.with_borrow_mut(|orphans| {
        if orphans.len() >= MAX_ORPHANS {
            return MAX_ORPHANS; // no entry: where it came from is forgotten
        }
        orphans.push((operation, location));
        orphans.len() - 1
    });
    Var::new(ORPHAN, index as NodeId)
}

/// What is wrong with an operand that does not belong to the innermost trace.
fn foreign(
    var: Var,
    operation: &'static str,
    location: &'static Location<'static>,
) -> (Mistake, &'static Location<'static>) {
    let origin = (var.trace() == ORPHAN)
        .then(|| ORPHANS.with_borrow(|orphans| orphans.get(var.node() as usize).copied()))
        .flatten();
    match origin {
        Some((operation, location)) => (Mistake::OutsideTrace { operation }, location),
        None => (Mistake::ForeignVar { operation }, location),
    }
}

/// Refuses a result that no memory could hold.
fn possible(operation: &'static str, operands: &[&Shape], shape: Shape) -> Result<Shape, Mistake> {
    if shape.is_possible() {
        return Ok(shape);
    }
    Err(Mistake::Shapes {
        operation,
        shapes: operands.iter().map(|&s| s.clone()).chain([shape]).collect(),
        rule: "the result (last) would have more elements than can be addressed",
    })
}

/// A `Var` of an enclosing trace as an input of the one at `level`, if that one captures.
fn capture(stack: &mut [Recorder], level: usize, var: Var, location: &'static Location<'static>) -> Option<Var> {
    if var.trace() == stack[level].id {
        return Some(var);
    }
    stack[level].captures.as_ref()?;
    let outside = capture(stack, level.checked_sub(1)?, var, location)?;
    let shape = stack[level - 1].tape.nodes[outside.node() as usize].shape.clone();
    let recorder = &mut stack[level];
    let captures = recorder.captures.as_mut()?;
    let inside = match captures.nodes.iter().find(|(known, _)| *known == outside.node()) {
        Some(&(_, inside)) => inside,
        None => {
            let inside = recorder.tape.push_input(captures.slot, shape, location);
            captures.outside = outside.trace();
            captures.nodes.push((outside.node(), inside));
            inside
        }
    };
    Some(Var::new(recorder.id, inside))
}

/// The `Var` itself, or as an input of the innermost trace if it may be captured.
#[track_caller]
pub(crate) fn capture_into(var: Var) -> Var {
    let location = Location::caller();
    RECORDERS
        .with_borrow_mut(|stack| {
            let top = stack.len().checked_sub(1)?;
            capture(stack, top, var, location)
        })
        .unwrap_or(var)
}

/// Poisons the innermost trace at a line.
pub(crate) fn mistake_at(mistake: Mistake, location: &'static Location<'static>) {
    with_top(|r| r.poison(mistake, location));
}

/// Records an operation on the innermost trace.
pub(crate) fn record(op: Op, operands: &[Var], location: &'static Location<'static>) -> Var {
    let name = op.name();
    let own = with_top(|r| r.captures.is_none() || operands.iter().all(|v| v.trace() == r.id));
    let captured: SmallVec<[Var; 3]>;
    let operands = if own == Some(false) {
        captured = operands.iter().map(|&v| capture_into(v)).collect();
        &captured[..]
    } else {
        operands
    };
    let recorded = with_top(|r| {
        if let Some(&stranger) = operands.iter().find(|v| v.trace() != r.id) {
            let (mistake, location) = foreign(stranger, name, r.location.unwrap_or(location));
            r.poison(mistake, location);
            return r.push(Op::Poison, SmallVec::new(), Shape::scalar(), location);
        }
        let shapes: SmallVec<[&Shape; 3]> = operands.iter().map(|v| &r.tape.nodes[v.node() as usize].shape).collect();
        let shape = op
            .shape(&shapes)
            .and_then(|shape| possible(name, &shapes, shape))
            .map_err(|mistake| (mistake, shapes.first().map(|&s| s.clone())));
        drop(shapes);
        match shape {
            Ok(shape) => r.push(op, operands.iter().map(|v| v.node()).collect(), shape, location),
            Err((mistake, shape)) => {
                let shape = shape.unwrap_or_default();
                r.poison(mistake, r.location.unwrap_or(location));
                r.push(Op::Poison, SmallVec::new(), shape, location)
            }
        }
    });
    recorded.unwrap_or_else(|| orphan(name, location))
}

/// Records a constant.
pub(crate) fn constant(value: Tensor, location: &'static Location<'static>) -> Var {
    let recorded = with_top(|r| {
        let node = r.tape.push_constant(value, r.location.unwrap_or(location));
        Var::new(r.id, node)
    });
    recorded.unwrap_or_else(|| orphan("constant", location))
}

/// Records an input of `shape` at the end of `slot`.
pub(crate) fn input(slot: usize, shape: Shape, location: &'static Location<'static>) -> Var {
    let recorded = with_top(|r| match possible("input", &[], shape) {
        Ok(shape) => Var::new(r.id, r.tape.push_input(slot, shape, location)),
        Err(mistake) => {
            r.poison(mistake, location);
            r.push(Op::Poison, SmallVec::new(), Shape::scalar(), location)
        }
    });
    recorded.unwrap_or_else(|| orphan("input", location))
}

/// Poisons the innermost trace and returns a placeholder of `shape`.
pub(crate) fn poisoned(error: Mistake, shape: Shape, location: &'static Location<'static>) -> Var {
    let operation = match &error {
        Mistake::OutsideTrace { operation } => operation,
        _ => "operation",
    };
    let recorded = with_top(|r| {
        r.poison(error, r.location.unwrap_or(location));
        r.push(Op::Poison, SmallVec::new(), shape, location)
    });
    recorded.unwrap_or_else(|| orphan(operation, location))
}

/// The stream of the next random node: a function of the enclosing site's name and of how many random nodes the site
/// has already, so that adding a site to a model leaves the draws of the others alone.
pub(crate) fn next_stream() -> u32 {
    with_top(|r| {
        let site = r.scopes.last().map_or("", |s| s.as_str());
        // FNV-1a, 32 bits.
        let mark = site.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        let count = r.streams.entry(mark).or_insert(0);
        *count += 1;
        mark.wrapping_add(count.wrapping_mul(0x9E37_79B9))
    })
    .unwrap_or(0)
}

/// The shape of a `Var` of a trace that is being recorded, innermost or not.
pub(crate) fn known_shape(var: Var) -> Option<Shape> {
    RECORDERS.with_borrow(|stack| {
        let recorder = stack.iter().rev().find(|r| r.id == var.trace())?;
        Some(recorder.tape.nodes[var.node() as usize].shape.clone())
    })
}

/// The shape of a `Var`; asking for that of no living one is a mistake.
pub(crate) fn shape_of(var: Var, location: &'static Location<'static>) -> Shape {
    known_shape(var).unwrap_or_else(|| {
        check_own(var, "shape", location);
        Shape::scalar()
    })
}

/// Poisons the innermost trace if `var` is not one of its own; says whether it is.
pub(crate) fn check_own(var: Var, operation: &'static str, location: &'static Location<'static>) -> bool {
    with_top(|r| {
        if var.trace() == r.id {
            return true;
        }
        let (mistake, location) = foreign(var, operation, r.location.unwrap_or(location));
        r.poison(mistake, location);
        false
    })
    .unwrap_or(false)
}

/// Reads something of a node of the innermost trace.
pub(crate) fn with_tape<R>(f: impl FnOnce(&Tape) -> R) -> Option<R> {
    with_top(|r| f(&r.tape))
}

/// The value of a `Var` that depends on data alone.
pub(crate) fn constant_of(var: Var) -> Option<Tensor> {
    with_top(|r| {
        if var.trace() != r.id || r.error.is_some() || r.tape.varies(var.node()) {
            return None;
        }
        if let Some(constant) = r.tape.constant(var.node()) {
            return Some(constant.clone());
        }
        // Only what leads to this value counts, however much else has been recorded.
        let (part, node) = r.tape.part(var.node());
        r.reader.read(&part, node, &[], &r.key).ok()
    })
    .flatten()
}

/// The data array with a number that is not finite that reaches this value.
pub(crate) fn bad_data_of(var: Var) -> Option<BadData> {
    with_top(|r| (var.trace() == r.id).then(|| r.tape.bad_data(var.node()))).flatten()?
}

/// Whether a `Var` belongs to the innermost trace.
pub(crate) fn is_own(var: Var) -> bool {
    with_top(|r| var.trace() == r.id).unwrap_or(false)
}

/// Runs `f` with every mistake and every recorded operation attributed to `location` rather than to the lines of `f`:
/// for library code that works on behalf of a line of the user's.
pub fn attribute_to<R>(location: &'static Location<'static>, f: impl FnOnce() -> R) -> R {
    let before = with_top(|r| r.location.replace(location));
    let result = f();
    with_top(|r| r.location = before.flatten());
    result
}

/// Runs `f` with every recorded node attributed to the line of `var`.
pub(crate) fn at_line_of<R>(var: Var, f: impl FnOnce() -> R) -> R {
    let line = with_top(|r| (var.trace() == r.id).then(|| r.tape.nodes[var.node() as usize].location)).flatten();
    match line {
        Some(line) => attribute_to(line, f),
        None => f(),
    }
}

/// Evaluates a node at the point of the trace, which becomes dynamic. `None` in a poisoned trace or outside one.
pub(crate) fn read(var: Var, location: &'static Location<'static>) -> Option<Tensor> {
    with_top(|r| {
        if var.trace() != r.id {
            let (mistake, location) = foreign(var, "value", location);
            r.poison(mistake, location);
        }
        if r.error.is_some() {
            return None;
        }
        // What depends on data alone is the same at every point.
        r.dynamic |= r.tape.varies(var.node());
        match r.reader.read(&r.tape, var.node(), &r.point, &r.key) {
            Ok(value) => Some(value),
            Err(error) => {
                r.error = Some(error);
                None
            }
        }
    })
    .flatten()
}
