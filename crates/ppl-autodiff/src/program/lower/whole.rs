//! Lowering of what works on whole matrices and images.

use super::{Lowering, place};
use crate::kernels::lu::Wanted;
use crate::kernels::window::WindowSpec;
use crate::ops::{Axes, Window};
use crate::program::instruction::{Instruction, Place};
use crate::program::layout::{View, loops};
use crate::program::whole::Whole;
use crate::real::Real;
use crate::shape::Shape;
use crate::tape::NodeId;

impl<T: Real> Lowering<'_, T> {
    /// Determinants or inverses, of dense matrices.
    pub(super) fn eliminate(&mut self, wanted: Wanted, operand: NodeId, shape: &Shape) -> View {
        let view = self.view(operand);
        let from = self.row_major(view);
        let n = from.shape[from.shape.rank() - 1];
        let to = self.new_dense(shape);
        let matrices = from.shape[..from.shape.rank() - 2].iter().product();
        let memory = Place { store: self.buffer(n * n), offset: 0 };
        let (from, result) = (place(&from), place(&to));
        self.push(Instruction::Whole(Whole::Eliminate { wanted, matrices, n, from, memory, result }));
        to
    }

    /// Windows of images. The channel and the element within the window lie outermost, so that the windows of all images
    /// are one matrix: for each of those a row over images and positions.
    pub(super) fn windows(&mut self, window: Window, operand: NodeId, shape: &Shape) -> View {
        let image = self.view(operand);
        let rank = shape.rank();
        let leading = rank - 4;
        let channel: Axes = leading.checked_sub(1).into_iter().collect();
        let outer = 0..leading.saturating_sub(1);
        let order: Axes =
            channel.into_iter().chain([leading, leading + 1]).chain(outer).chain([rank - 2, rank - 1]).collect();
        let store = self.buffer(shape.size());
        let windows = View::ordered(store, shape.clone(), &order);
        self.push_windows(true, window, &image, &windows);
        windows
    }

    /// The adjoint: images from windows that lie in any way.
    pub(super) fn overlay(&mut self, window: Window, operand: NodeId, shape: &Shape) -> View {
        let windows = self.view(operand);
        let image = self.new_dense(shape);
        self.push_windows(false, window, &image, &windows);
        image
    }

    /// The order of each row.
    pub(super) fn argsort(&mut self, operand: NodeId, shape: &Shape) -> View {
        let view = self.view(operand);
        let from = place(&self.row_major(view));
        let to = self.new_dense(shape);
        let length = shape[shape.rank() - 1];
        let rows = shape.size().checked_div(length).unwrap_or(0);
        self.push(Instruction::Whole(Whole::ArgSort { rows, length, from, result: place(&to) }));
        to
    }

    /// Elements of rows at indices, or added at them.
    pub(super) fn along(&mut self, forth: bool, operands: [NodeId; 2], shape: &Shape) -> View {
        let [from, index] = operands.map(|operand| {
            let view = self.view(operand);
            self.row_major(view)
        });
        let to = self.new_dense(shape);
        let last = shape.rank() - 1;
        let rows = shape[..last].iter().product();
        let (length, count) = (if forth { from.shape[last] } else { shape[last] }, index.shape[last]);
        let (from, index, result) = (place(&from), place(&index), place(&to));
        // Of an empty row nothing can be taken.
        if length == 0 || count == 0 {
            self.fill(&to, T::ZERO);
        } else {
            self.push(Instruction::Whole(Whole::Along { forth, rows, length, count, from, index, result }));
        }
        to
    }

    fn push_windows(&mut self, forth: bool, window: Window, image: &View, windows: &View) {
        let leading = image.shape.rank() - 2;
        let pair = |v: &View, at: usize| [v.strides[at], v.strides[at + 1]];
        let [a, b] = pair(windows, leading);
        let [c, d] = pair(windows, leading + 2);
        let spec = WindowSpec {
            window,
            image: [image.shape[leading], image.shape[leading + 1]],
            image_steps: pair(image, leading),
            positions: [windows.shape[leading + 2], windows.shape[leading + 3]],
            steps: [a, b, c, d],
        };
        let axes: Axes = (0..leading).collect();
        let shape = Shape::from(&image.shape[..leading]);
        let strides = |v: &View| v.strides[..leading].iter().copied().collect();
        let images = loops(&shape, &axes, [&strides(image), &strides(windows)]);
        let elements = image.shape.size();
        let (image, windows) = (place(image), place(windows));
        if shape.size() > 0 {
            self.push(Instruction::Whole(Whole::Windows { forth, spec, images, image, windows, elements }));
        }
    }
}
