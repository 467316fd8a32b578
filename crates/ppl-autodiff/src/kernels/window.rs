//! Windows of images: every position that a window takes, laid side by side, and the adjoint of that.

use crate::ops::Window;
use crate::real::Real;

/// Windows of one image and where its elements and theirs lie.
#[derive(Clone, Debug)]
pub(crate) struct WindowSpec {
    pub window: Window,
    /// Rows and columns of the image, and their steps.
    pub image: [usize; 2],
    pub image_steps: [isize; 2],
    /// Positions of the window along both axes.
    pub positions: [usize; 2],
    /// The steps of the element within the window (row, column) and of its position (row, column).
    pub steps: [isize; 4],
}

impl WindowSpec {
    /// For each row of positions of each element of the window: the first element among the windows, the first position
    /// inside the image, how many are, and the element of the image there; 0 positions where the row is outside.
    #[inline]
    fn each_row(&self, mut f: impl FnMut(isize, usize, usize, isize)) {
        let Window { size, stride, padding } = self.window;
        for u in 0..size[0] {
            for v in 0..size[1] {
                // Positions j with `0 <= j stride + v - padding < columns`.
                let first = padding[1][0].saturating_sub(v).div_ceil(stride[1]).min(self.positions[1]);
                let end = (self.image[1] + padding[1][0]).saturating_sub(v).div_ceil(stride[1]).min(self.positions[1]);
                for i in 0..self.positions[0] {
                    let at = u as isize * self.steps[0] + v as isize * self.steps[1] + i as isize * self.steps[2];
                    let row = (i * stride[0] + u).checked_sub(padding[0][0]).filter(|&r| r < self.image[0]);
                    let Some(row) = row.filter(|_| first < end) else {
                        f(at, 0, 0, 0);
                        continue;
                    };
                    let column = first * stride[1] + v - padding[1][0];
                    let source = row as isize * self.image_steps[0] + column as isize * self.image_steps[1];
                    f(at, first, end - first, source);
                }
            }
        }
    }

    /// Copies the image into its windows, zeros where they reach over its edge.
    ///
    /// # Safety
    /// Both must have the elements that the specification speaks of.
    pub unsafe fn gather<T: Real>(&self, image: *const T, out: *mut T) {
        let (step, along) = (self.image_steps[1] * self.window.stride[1] as isize, self.steps[3]);
        self.each_row(|at, first, count, source| {
            // SAFETY: rows and columns lie within the image, positions among the windows.
            unsafe {
                let row = out.offset(at);
                for j in (0..first).chain(first + count..self.positions[1]) {
                    *row.offset(j as isize * along) = T::ZERO;
                }
                let (from, to) = (image.offset(source), row.offset(first as isize * along));
                if step == 1 && along == 1 {
                    from.copy_to_nonoverlapping(to, count);
                } else {
                    for j in 0..count as isize {
                        *to.offset(j * along) = *from.offset(j * step);
                    }
                }
            }
        });
    }

    /// Adds every element of the windows to the one of the image that it is a copy of.
    ///
    /// # Safety
    /// As for [`WindowSpec::gather`].
    pub unsafe fn scatter<T: Real>(&self, windows: *const T, image: *mut T) {
        let (step, along) = (self.image_steps[1] * self.window.stride[1] as isize, self.steps[3]);
        self.each_row(|at, first, count, source| {
            // SAFETY: rows and columns lie within the image, positions among the windows.
            unsafe {
                let (from, to) = (windows.offset(at + first as isize * along), image.offset(source));
                if step == 1 && along == 1 {
                    for j in 0..count {
                        *to.add(j) += *from.add(j);
                    }
                } else {
                    for j in 0..count as isize {
                        *to.offset(j * step) += *from.offset(j * along);
                    }
                }
            }
        });
    }
}
