//! Methods of `Var` for images: convolution and pooling over the last two axes.

use std::panic::Location;

use crate::error::Mistake;
use crate::ops::{Op, Window};
use crate::shape::Shape;
use crate::trace;
use crate::var::Var;

/// What surrounds an image when a kernel moves over its edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Nothing: the kernel stays inside.
    #[default]
    Valid,
    /// As many zeros as give `ceil(extent / stride)` positions, one more after than before where they are odd.
    Same,
    /// Zeros before and after the rows, before and after the columns.
    Explicit([[usize; 2]; 2]),
}

impl Padding {
    fn window(self, image: [usize; 2], size: [usize; 2], stride: [usize; 2]) -> Window {
        let padding = match self {
            Padding::Valid => [[0; 2]; 2],
            Padding::Explicit(padding) => padding,
            Padding::Same => [0, 1].map(|a| {
                let stride = stride[a].max(1);
                let last = image[a].div_ceil(stride).saturating_sub(1) * stride;
                let all = (last + size[a]).saturating_sub(image[a]);
                [all / 2, all - all / 2]
            }),
        };
        Window { size, stride, padding }
    }
}

impl Var {
    /// Convolution of images `[N, C, H, W]` with kernels `[O, C, h, w]`, as `[N, O, .., ..]`:
    /// `y[n, o, i, j] = sum_{c, u, v} x[n, c, i s + u - p, j t + v - q] k[o, c, u, v]` with strides s, t and padding p, q.
    /// The kernel is not turned round (a cross-correlation, as in PyTorch, JAX and TensorFlow).
    ///
    /// # Errors
    /// Shapes of another rank or with other channels, a stride of 0, a kernel larger than the image.
    ///
    /// ```
    /// use ppl_autodiff::{Padding, Var, trace};
    /// trace(|| {
    ///     let image = Var::from(ndarray::array![[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]]);
    ///     let kernel = Var::from(ndarray::array![[[[1.0, -1.0]]]]);
    ///     let edges = image.conv2d(kernel, [1, 1], Padding::Valid);
    ///     assert_eq!(edges.array(), ndarray::array![[[[-1.0, -1.0], [-1.0, -1.0]]]].into_dyn());
    /// })?;
    /// # Ok::<(), ppl_autodiff::TraceError>(())
    /// ```
    #[track_caller]
    pub fn conv2d(self, kernel: impl Into<Var>, stride: [usize; 2], padding: Padding) -> Var {
        let (location, kernel) = (Location::caller(), kernel.into());
        let (image, shape) = (self.shape(), kernel.shape());
        let (&[n, c, rows, columns], &[o, channels, h, w]) = (&image[..], &shape[..]) else {
            return self.no_images("conv2d", &[image, shape], "[N, C, H, W] and [O, C, h, w] are needed", location);
        };
        if channels != c {
            return self.no_images("conv2d", &[image, shape], "image and kernel must have the same channels", location);
        }
        let window = padding.window([rows, columns], [h, w], stride);
        let windows = trace::record(Op::Windows(window), &[self], location);
        let [.., i, j] = windows.shape()[..] else { return windows };
        // Every output is a dot product: one matrix product for all images.
        let columns = windows.transpose(&[1, 2, 3, 0, 4, 5]).reshape([c * h * w, n * i * j]);
        let product = kernel.reshape([o, c * h * w]).matmul(columns);
        product.reshape([o, n, i, j]).transpose(&[1, 0, 2, 3])
    }

    /// The largest element in each window of the last two axes. Where several are the largest, they share the derivative.
    ///
    /// # Errors
    /// Fewer than two axes, a stride of 0, a window larger than the image.
    #[track_caller]
    pub fn max_pool2d(self, size: [usize; 2], stride: [usize; 2]) -> Var {
        self.pooled(size, stride, |windows| windows.max_axis(-4).max_axis(-3))
    }

    /// The mean of each window of the last two axes.
    ///
    /// # Errors
    /// As for [`Var::max_pool2d`].
    #[track_caller]
    pub fn avg_pool2d(self, size: [usize; 2], stride: [usize; 2]) -> Var {
        self.pooled(size, stride, |windows| windows.mean_axis(-4).mean_axis(-3))
    }

    #[track_caller]
    fn pooled(self, size: [usize; 2], stride: [usize; 2], pool: impl Fn(Var) -> Var) -> Var {
        let window = Window { size, stride, padding: [[0; 2]; 2] };
        let windows = trace::record(Op::Windows(window), &[self], Location::caller());
        if windows.rank() < 4 { windows } else { pool(windows) }
    }

    fn no_images(
        self,
        operation: &'static str,
        shapes: &[Shape],
        rule: &'static str,
        location: &'static Location<'static>,
    ) -> Var {
        trace::poisoned(Mistake::Shapes { operation, shapes: shapes.to_vec(), rule }, Shape::from([1; 4]), location)
    }
}
