//! Gathering along an axis and its adjoint, scattered sums.

use crate::error::Mistake;
use crate::shape::Shape;

pub(super) fn scatter_shape(x: &Shape, axis: usize, indices: usize, length: usize) -> Result<Shape, Mistake> {
    if x[axis] == indices {
        return Ok(x.with(axis, length));
    }
    Err(Mistake::Shapes {
        operation: "scatter_add",
        shapes: vec![x.clone(), Shape::from(indices)],
        rule: "there must be one index (second) for each slice along the axis",
    })
}
