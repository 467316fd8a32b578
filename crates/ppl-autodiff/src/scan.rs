//! `scan`: long recursions whose step is traced, differentiated and compiled once.

use std::panic::Location;

use crate::error::Mistake;
use crate::ops::{Body, Op};
use crate::shape::Shape;
use crate::structure::concat;
use crate::trace::{Trace, attribute_to, capture_into, mistake, mistake_at, placeholder, record};
use crate::var::Var;

/// A recursion over vectors.
pub(crate) struct Flat {
    pub length: usize,
    /// From the last step to the first.
    pub reverse: bool,
    /// `[state]`
    pub init: Var,
    /// `[length, input]`
    pub inputs: Var,
    /// `[shared]`
    pub shared: Var,
}

/// Applies `step` along the first axis of `inputs`: `(state, emitted) = step(state, inputs[t])` for `t = 0..length`,
/// beginning with `init`. Returns the last state, and what was emitted stacked along a new first axis.
///
/// States, inputs and emitted values are arrays of any shape; a state keeps its shape, and an input's first axis is
/// `length`. `step` may use `Var`s from outside (parameters). It is traced once, whatever the length, and an evaluation
/// costs one run of its program a step: use it where a loop in the model's function would record thousands of nodes.
/// In it nothing may be drawn and no site stand: draw all innovations before, as one array, and hand them in.
///
/// As `jax.lax.scan`. Mistakes poison the trace, see [`Mistake`].
///
/// ```
/// use ppl_autodiff::{Var, scan, value_and_grad};
/// use ndarray::array;
///
/// // x[t + 1] = a x[t] + u[t] from x[0] = 1; the sum of all states.
/// let u = array![1.0, 2.0, 3.0];
/// let (value, slope) = value_and_grad(
///     |a: Var| {
///         let (_, [x]) = scan(3, [Var::from(1.0)], [Var::from(&u)], |[x], [u]| {
///             let next = a * x + u;
///             ([next], [next])
///         });
///         x.sum()
///     },
///     0.5,
/// )?;
/// // States 1.5, 2.75 and 4.375; their derivatives by a are 1, x[1] + a = 2 and x[2] + 2 a = 3.75.
/// assert_eq!((value, slope.sum()), (8.625, 6.75));
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[track_caller]
pub fn scan<const S: usize, const X: usize, const Y: usize>(
    length: usize,
    init: [Var; S],
    inputs: [Var; X],
    step: impl FnOnce([Var; S], [Var; X]) -> ([Var; S], [Var; Y]),
) -> ([Var; S], [Var; Y]) {
    let location = Location::caller();
    let states = init.map(|v| v.shape());
    let given = inputs.map(|v| v.shape());
    let misfit = given.iter().find(|s| s.first() != Some(&length));
    if length == 0 || misfit.is_some() {
        let shapes = misfit.into_iter().cloned().chain([Shape::from(length)]).collect();
        let rule = "the first axis of every input must have the given length (last), at least 1";
        let wrong = Mistake::Shapes { operation: "scan", shapes, rule };
        let nothing = |s: Shape| attribute_to(location, || placeholder(wrong.clone(), s));
        return (states.map(nothing), [(); Y].map(|()| nothing(Shape::from(0))));
    }
    let rows: Vec<Shape> = given.iter().map(|s| Shape::from(&s[1..])).collect();
    let width = |shapes: &[Shape]| shapes.iter().map(Shape::size).sum::<usize>();
    let state = width(&states);
    let mut emitted: [Shape; Y] = [(); Y].map(|()| Shape::scalar());
    let result = attribute_to(location, || {
        let flat = Flat {
            length,
            reverse: false,
            init: join(init.iter().map(|v| v.reshape([v.shape().size()])), 0, [0].into()),
            inputs: join(
                inputs.iter().zip(&rows).map(|(v, row)| v.reshape([length, row.size()])),
                1,
                [length, 0].into(),
            ),
            shared: Var::zeros([0]),
        };
        record_scan(flat, |s, x, _| {
            let mut parts = Parts { of: s, at: 0 };
            let s = std::array::from_fn(|i| parts.next(&states[i]));
            let mut parts = Parts { of: x, at: 0 };
            let x = std::array::from_fn(|i| parts.next(&rows[i]));
            let (next, y) = step(s, x);
            let next = next.map(capture_into);
            let y = y.map(capture_into);
            for (new, old) in next.iter().zip(&states) {
                if new.shape() != *old {
                    mistake(Mistake::Shapes {
                        operation: "scan",
                        shapes: vec![old.clone(), new.shape()],
                        rule: "a state must keep its shape",
                    });
                }
            }
            emitted = y.map(|v| v.shape());
            join(next.iter().chain(&y).map(|v| v.reshape([v.shape().size()])), 0, [0].into())
        })
    });
    attribute_to(location, || {
        let total = state + width(&emitted);
        if result.shape() != Shape::from([length, total]) {
            // The trace is poisoned.
            return (states.map(Var::zeros), emitted.map(|s| Var::zeros(Shape::from(length).join(&s))));
        }
        let last = result.slice(0, length - 1..length).reshape([total]);
        let mut parts = Parts { of: last, at: 0 };
        let states = states.map(|s| parts.next(&s));
        let mut at = state;
        let emitted = emitted.map(|shape| {
            let part = result.slice(1, at..at + shape.size());
            at += shape.size();
            part.reshape(Shape::from(length).join(&shape))
        });
        (states, emitted)
    })
}

/// Arrays along an axis; none give an empty one.
fn join(parts: impl Iterator<Item = Var>, axis: isize, empty: Shape) -> Var {
    let parts: Vec<Var> = parts.collect();
    if parts.is_empty() { Var::zeros(empty) } else { concat(&parts, axis) }
}

/// A vector, cut into arrays.
struct Parts {
    of: Var,
    at: usize,
}

impl Parts {
    fn next(&mut self, shape: &Shape) -> Var {
        let start = self.at;
        self.at += shape.size();
        self.of.slice(0, start..self.at).reshape(shape.clone())
    }
}

/// Records a recursion over vectors: `step` gets the state, a step's input and what is shared, and returns the next
/// state followed by what is emitted. `Var`s of the enclosing traces that it uses are shared too. The result is
/// `[length, state + emitted]`.
pub(crate) fn record_scan(flat: Flat, step: impl FnOnce(Var, Var, Var) -> Var) -> Var {
    let Flat { length, reverse, init, inputs, shared } = flat;
    let (state, input, own) = (init.dim(0), inputs.dim(1), shared.dim(0));
    let location = Location::caller();
    let traced = Trace::default().capturing(2).run(|| {
        let (s, x, c) = (Var::input(0, [state]), Var::input(1, [input]), Var::input(2, [own]));
        step(s, x, c)
    });
    let (result, traced) = match traced {
        Ok(done) => done,
        Err(error) => {
            mistake_at(error.mistake, error.location);
            return Var::zeros([length, state]);
        }
    };
    let refused = if traced.is_dynamic() {
        Some("a value is read in a step, which is traced only once")
    } else if traced.tape().nodes().iter().any(|n| matches!(n.op, Op::Random { .. })) {
        Some("a step draws random numbers, which would be the same in every step: draw them before and hand them in")
    } else {
        None
    };
    if let Some(rule) = refused {
        return placeholder(Mistake::Shapes { operation: "scan", shapes: vec![], rule }, [length, state]);
    }
    let captured: Vec<Var> = traced.captured().iter().map(|v| v.reshape([v.shape().size()])).collect();
    let shared = if captured.is_empty() {
        shared
    } else {
        concat(&std::iter::once(shared).chain(captured).collect::<Vec<_>>(), 0)
    };
    let body = Body::new(traced.tape().clone(), result.node(), [state, input, shared.dim(0)]);
    record(Op::Scan { body, length, reverse }, &[init, inputs, shared], location)
}
