//! Recursions: a function of a state and a step's input, applied along an axis, and compiled once however long the
//! axis is.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use smallvec::smallvec;

use crate::dynamic::signature;
use crate::error::Mistake;
use crate::ops::{Adjoints, Op};
use crate::scan::{Flat, record_scan};
use crate::shape::Shape;
use crate::structure::concat;
use crate::tape::{NodeId, Tape};
use crate::trace::{constant, record};
use crate::var::Var;

/// The function of one step: from a state (input slot 0), the step's input (slot 1) and what all steps share (slot 2),
/// all of them vectors, to the next state followed by what the step emits.
#[derive(Clone, Debug)]
pub struct Body(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tape: Tape,
    result: NodeId,
    /// The lengths of the state, of a step's input and of what is shared.
    lengths: [usize; 3],
    signature: u64,
}

impl Body {
    pub(crate) fn new(tape: Tape, result: NodeId, lengths: [usize; 3]) -> Self {
        // Equal tapes may differ in which node is the result.
        let signature = signature(&tape, tape.nodes().len() as NodeId).wrapping_add(u64::from(result));
        Self(Arc::new(Inner { tape, result, lengths, signature }))
    }

    /// The tape of one step.
    pub fn tape(&self) -> &Tape {
        &self.0.tape
    }

    /// The node of the next state and of what is emitted.
    pub fn result(&self) -> NodeId {
        self.0.result
    }

    /// The lengths of the state, of a step's input and of what all steps share.
    pub fn lengths(&self) -> [usize; 3] {
        self.0.lengths
    }

    /// The length of the state and what is emitted together.
    pub fn width(&self) -> usize {
        self.0.tape.nodes()[self.0.result as usize].shape.size()
    }

    /// One step recorded on the innermost trace.
    pub(crate) fn inline(&self, inputs: [Var; 3]) -> Var {
        let location = std::panic::Location::caller();
        let mut place: Vec<Var> = Vec::with_capacity(self.0.tape.nodes().len());
        for (id, node) in self.0.tape.nodes().iter().enumerate() {
            let var = match &node.op {
                Op::Input { slot, offset } => {
                    let end = offset + node.shape.size();
                    inputs[*slot as usize].slice(0, *offset..end).reshape(node.shape.clone())
                }
                _ => match self.0.tape.constant(id as NodeId) {
                    Some(tensor) => constant(tensor.clone(), location),
                    None => {
                        let operands: Vec<Var> = node.operands.iter().map(|&o| place[o as usize]).collect();
                        record(node.op.clone(), &operands, location)
                    }
                },
            };
            place.push(var);
        }
        place[self.0.result as usize]
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.signature == other.0.signature
                && self.0.lengths == other.0.lengths
                && self.0.tape.nodes().len() == other.0.tape.nodes().len())
    }
}

impl Eq for Body {}

impl Hash for Body {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.signature.hash(state);
    }
}

/// Operands `[.., state]`, `[.., length, input]`, `[.., shared]`; the result is `[.., length, state + emitted]`.
pub(super) fn shape(body: &Body, length: usize, x: &[&Shape]) -> Result<Shape, Mistake> {
    let [state, input, shared] = body.lengths();
    let ends = |s: &Shape, tail: &[usize]| s.rank() >= tail.len() && s[s.rank() - tail.len()..] == *tail;
    let batch = |s: &Shape, tail: usize| Shape::from(&s[..s.rank() - tail]);
    let fits = ends(x[0], &[state]) && ends(x[1], &[length, input]) && ends(x[2], &[shared]);
    if !fits || batch(x[0], 1) != batch(x[1], 2) || batch(x[0], 1) != batch(x[2], 1) {
        let shapes = x.iter().map(|&s| s.clone()).collect();
        return Err(Mistake::Shapes {
            operation: "scan",
            shapes,
            rule: "[.., state], [.., length, input], [.., shared]",
        });
    }
    Ok(batch(x[0], 1).join(&[length, body.width()]))
}

/// The adjoint is a recursion too, the other way: its state is the adjoint of the state, and the sum so far of the
/// adjoint of what is shared.
pub(super) fn adjoint(body: &Body, length: usize, reverse: bool, x: &[Var], y: Var, g: Var) -> Adjoints {
    let [state, input, shared] = body.lengths();
    let width = body.width();
    let one_row = |v: Var| v.reshape([1, state]);
    // The state that each step began with.
    let before = if length == 1 {
        one_row(x[0])
    } else if reverse {
        concat(&[y.slice(0, 1..length).slice(1, 0..state), one_row(x[0])], 0)
    } else {
        concat(&[one_row(x[0]), y.slice(0, 0..length - 1).slice(1, 0..state)], 0)
    };
    let inputs = concat(&[before, x[1], g], 1);
    let flat = Flat { length, reverse: !reverse, init: Var::zeros([state + shared]), inputs, shared: x[2] };
    let swept = record_scan(flat, |adjoint, step, shared_value| {
        let before = step.slice(0, 0..state);
        let at = step.slice(0, state..state + input);
        let g = step.slice(0, state + input..state + input + width);
        let result = body.inline([before, at, shared_value]);
        let seed = concat(&[g.slice(0, 0..state) + adjoint.slice(0, 0..state), g.slice(0, state..width)], 0);
        let slopes = crate::gradient::gradient((result * seed).sum(), &[before, at, shared_value]);
        concat(&[slopes[0], adjoint.slice(0, state..state + shared) + slopes[2], slopes[1]], 0)
    });
    let last = if reverse { length - 1 } else { 0 };
    let end = swept.slice(0, last..last + 1).reshape([state + shared + input]);
    smallvec![
        Some(end.slice(0, 0..state)),
        Some(swept.slice(1, state + shared..state + shared + input)),
        Some(end.slice(0, state..state + shared)),
    ]
}
