//! Windows of images, from which convolutions and pooling are made.

use std::panic::Location;

use crate::error::Mistake;
use crate::ops::Op;
use crate::shape::Shape;
use crate::trace::record;
use crate::var::Var;

/// A window that moves over the last two axes of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns.
    pub size: [usize; 2],
    /// How far it moves, along rows and columns.
    pub stride: [usize; 2],
    /// Zeros before and after the rows, before and after the columns.
    pub padding: [[usize; 2]; 2],
}

impl Window {
    /// How many positions it takes along each axis of an image; none where it is larger than image and padding.
    pub(crate) fn positions(&self, image: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|a| {
            let padded = image[a] + self.padding[a][0] + self.padding[a][1];
            padded.checked_sub(self.size[a]).map_or(0, |rest| rest / self.stride[a].max(1) + 1)
        })
    }
}

/// `[.., H, W]` to `[.., rows, columns, positions, positions]`.
pub(super) fn windows_shape(x: &Shape, window: &Window) -> Result<Shape, Mistake> {
    let [.., h, w] = x[..] else {
        return Err(misfit(x, "an image [.., H, W] is needed"));
    };
    if window.stride.contains(&0) || window.size.contains(&0) {
        return Err(misfit(x, "windows and strides must be at least 1"));
    }
    let positions = window.positions([h, w]);
    if positions.contains(&0) {
        return Err(misfit(x, "the window must not be larger than the image with its padding"));
    }
    Ok(Shape::from(&x[..x.rank() - 2]).join(&window.size).join(&positions))
}

/// The adjoint's shape: `[.., rows, columns, positions, positions]` to `[.., H, W]`.
pub(super) fn overlay_shape(x: &Shape, size: [usize; 2]) -> Result<Shape, Mistake> {
    match x.rank() {
        4.. => Ok(Shape::from(&x[..x.rank() - 4]).join(&size)),
        _ => Err(misfit(x, "windows [.., rows, columns, positions, positions] are needed")),
    }
}

fn misfit(x: &Shape, rule: &'static str) -> Mistake {
    Mistake::Shapes { operation: "windows", shapes: vec![x.clone()], rule }
}

#[track_caller]
pub(super) fn windows_adjoint(window: Window, x: Var, g: Var) -> Var {
    let size = [x.dim(-2), x.dim(-1)];
    record(Op::Overlay { window, size }, &[g], Location::caller())
}

#[track_caller]
pub(super) fn overlay_adjoint(window: Window, g: Var) -> Var {
    record(Op::Windows(window), &[g], Location::caller())
}
