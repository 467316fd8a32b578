//! Data movement: transposition, reshaping, broadcasting, slices and joins. Most of it becomes strides, not copies.

use crate::error::Mistake;
use crate::ops::{Adjoints, Axes, Op};
use crate::shape::Shape;
use crate::trace::record;
use crate::var::Var;

fn misfit(operation: &'static str, x: &Shape, target: &Shape, rule: &'static str) -> Mistake {
    Mistake::Shapes { operation, shapes: vec![x.clone(), target.clone()], rule }
}

pub(super) fn transpose_shape(x: &Shape, order: &Axes) -> Result<Shape, Mistake> {
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..x.rank()) {
        let rule = "the order (second) must name each axis of the array (first) once";
        return Err(misfit("transpose", x, &Shape::from(&order[..]), rule));
    }
    Ok(order.iter().map(|&a| x[a]).collect())
}

/// The order of axes that undoes another.
pub(crate) fn inverse(order: &Axes) -> Axes {
    let mut inverse = order.clone();
    for (to, &from) in order.iter().enumerate() {
        inverse[from] = to;
    }
    inverse
}

#[track_caller]
pub(super) fn transpose_adjoint(order: &Axes, g: Var) -> Var {
    g.transpose(&inverse(order))
}

pub(super) fn reshape_shape(x: &Shape, target: &Shape) -> Result<Shape, Mistake> {
    if x.size() == target.size() {
        return Ok(target.clone());
    }
    Err(misfit("reshape", x, target, "the number of elements must stay the same"))
}

pub(super) fn broadcast_shape(x: &Shape, target: &Shape) -> Result<Shape, Mistake> {
    if x.broadcasts_to(target) {
        return Ok(target.clone());
    }
    Err(misfit("broadcast_to", x, target, "axes align from the right and must be equal, or 1 in the first"))
}

#[track_caller]
pub(super) fn slice_adjoint(axis: usize, start: usize, step: usize, x: Var, g: Var) -> Var {
    let length = x.shape()[axis];
    record(Op::Pad { axis, start, step, length }, &[g], std::panic::Location::caller())
}

#[track_caller]
pub(super) fn pad_adjoint(axis: usize, start: usize, step: usize, x: Var, g: Var) -> Var {
    let length = x.shape()[axis];
    record(Op::Slice { axis, start, step, length }, &[g], std::panic::Location::caller())
}

pub(super) fn concat_shape(x: &[&Shape], axis: usize) -> Result<Shape, Mistake> {
    let first = x[0];
    let fits = |s: &Shape| s.rank() == first.rank() && s.with(axis, 0) == first.with(axis, 0);
    if let Some(other) = x.iter().find(|s| !fits(s)) {
        return Err(misfit("concat", first, other, "all axes but the joined one must be equal"));
    }
    Ok(first.with(axis, x.iter().map(|s| s[axis]).sum()))
}

#[track_caller]
pub(super) fn concat_adjoint(axis: usize, x: &[Var], g: Var) -> Adjoints {
    let mut start = 0;
    x.iter()
        .map(|part| {
            let end = start + part.shape()[axis];
            let piece = g.slice(axis as isize, start..end);
            start = end;
            Some(piece)
        })
        .collect()
}
