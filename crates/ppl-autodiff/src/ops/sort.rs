//! Sorting, as indices along the last axis and elements taken there.

use std::panic::Location;

use crate::error::Mistake;
use crate::ops::Op;
use crate::shape::Shape;
use crate::trace::record;
use crate::var::Var;

fn misfit(x: &Shape, index: &Shape) -> Mistake {
    let rule = "values and indices must agree in all axes but the last";
    Mistake::Shapes { operation: "take_along", shapes: vec![x.clone(), index.clone()], rule }
}

pub(super) fn take_shape(x: &Shape, index: &Shape) -> Result<Shape, Mistake> {
    match (x.split_last(), index.split_last()) {
        (Some((_, rows)), Some((_, others))) if rows == others => Ok(index.clone()),
        _ => Err(misfit(x, index)),
    }
}

pub(super) fn put_shape(x: &Shape, index: &Shape, length: usize) -> Result<Shape, Mistake> {
    if x != index || x.rank() == 0 {
        return Err(misfit(x, index));
    }
    Ok(x.with(x.rank() - 1, length))
}

#[track_caller]
pub(super) fn take_adjoint(x: Var, index: Var, g: Var) -> Var {
    let length = x.dim(-1);
    record(Op::PutAlong { length }, &[g, index], Location::caller())
}

#[track_caller]
pub(super) fn put_adjoint(index: Var, g: Var) -> Var {
    record(Op::TakeAlong, &[g, index], Location::caller())
}
