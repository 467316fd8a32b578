//! Methods of `Var` that move, join and multiply arrays: products, views, indexing, factorisations.

use std::panic::Location;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::Mistake;
use crate::numbers::Number;
use crate::ops::{Axes, Op, Reduction};
use crate::shape::Shape;
use crate::trace;
use crate::var::Var;

impl Var {
    /// Matrix product `[.., m, k] x [.., k, n]` with broadcasting over batch axes; a vector on the left counts as a
    /// row, on the right as a column, and that axis is dropped again.
    #[track_caller]
    pub fn matmul(self, other: impl Into<Var>) -> Var {
        let location = Location::caller();
        let other = other.into();
        let (a, b) = (self.shape(), other.shape());
        let wrong = || {
            let shapes = vec![a.clone(), b.clone()];
            let rule = "the inner extents must agree ([.., m, k] x [.., k, n]) and neither may be a scalar";
            trace::poisoned(Mistake::Shapes { operation: "matmul", shapes, rule }, a.clone(), location)
        };
        if a.rank() == 0 || b.rank() == 0 {
            return wrong();
        }
        let (row, column) = (a.rank() == 1, b.rank() == 1);
        if a[a.rank() - 1] != b[b.rank().max(2) - 2] {
            return wrong();
        }
        let left = if row { self.expand_dims(0) } else { self };
        let right = if column { other.expand_dims(1) } else { other };
        let product = left.matrix_product(right, location);
        match (row, column) {
            (true, true) => product.reshape(()),
            (true, false) => product.squeeze(-2),
            (false, true) => product.squeeze(-1),
            (false, false) => product,
        }
    }

    /// One product for all rows of all batches where the right side has no batch axes.
    fn matrix_product(self, right: Var, location: &'static Location<'static>) -> Var {
        let (a, b) = (self.shape(), right.shape());
        if b.rank() == 2 && a.rank() > 2 {
            let (k, n) = (b[0], b[1]);
            let rows: usize = a[..a.rank() - 1].iter().product();
            let flat = trace::record(Op::Reshape(Shape::from([rows, k])), &[self], location);
            let product = trace::record(Op::MatMul, &[flat, right], location);
            return trace::record(Op::Reshape(a.with(a.rank() - 1, n)), &[product], location);
        }
        trace::record(Op::MatMul, &[self, right], location)
    }

    /// The same elements, row-major, in another shape.
    #[track_caller]
    pub fn reshape(self, shape: impl Into<Shape>) -> Var {
        trace::record(Op::Reshape(shape.into()), &[self], Location::caller())
    }

    /// Drops an axis of extent 1.
    #[track_caller]
    pub fn squeeze(self, axis: isize) -> Var {
        let location = Location::caller();
        let mut shape = self.shape();
        match shape.axis(axis) {
            Some(position) if shape[position] == 1 => {
                shape.remove(position);
                trace::record(Op::Reshape(shape), &[self], location)
            }
            Some(_) => {
                let rule = "only an axis of extent 1 can be dropped";
                let shapes = vec![shape.clone()];
                trace::poisoned(Mistake::Shapes { operation: "squeeze", shapes, rule }, shape, location)
            }
            None => self.no_axis("squeeze", axis, location),
        }
    }

    /// Adds an axis of extent 1 at `axis` (of the result).
    #[track_caller]
    pub fn expand_dims(self, axis: isize) -> Var {
        let location = Location::caller();
        let mut shape = self.shape();
        let rank = shape.rank() as isize + 1;
        let position = if axis < 0 { axis + rank } else { axis };
        if !(0..rank).contains(&position) {
            return self.no_axis("expand_dims", axis, location);
        }
        shape.insert(position as usize, 1);
        trace::record(Op::Reshape(shape), &[self], location)
    }

    /// Repeats along axes of extent 1 and new leading axes.
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Into<Shape>) -> Var {
        let shape = shape.into();
        if shape == self.shape() {
            return self;
        }
        trace::record(Op::Broadcast(shape), &[self], Location::caller())
    }

    /// Sums over the axes along which `shape` was broadcast to this shape: the adjoint of [`Var::broadcast_to`].
    #[track_caller]
    pub fn sum_to(self, shape: &Shape) -> Var {
        let own = self.shape();
        if own == *shape {
            return self;
        }
        let extra = own.rank().saturating_sub(shape.rank());
        let axes: SmallVec<[isize; 4]> = (0..own.rank())
            .filter(|&a| a < extra || (shape[a - extra] == 1 && own[a] != 1))
            .map(|a| a as isize)
            .collect();
        self.reduce(Reduction::Sum, &axes, true).reshape(shape)
    }

    /// Swaps the last two axes.
    #[track_caller]
    pub fn t(self) -> Var {
        let location = Location::caller();
        let rank = self.rank();
        if rank < 2 {
            return self.no_axis("t", -2, location);
        }
        let mut order: Axes = (0..rank).collect();
        order.swap(rank - 1, rank - 2);
        trace::record(Op::Transpose(order), &[self], location)
    }

    /// Reorders the axes: axis `i` of the result is axis `order[i]`.
    #[track_caller]
    pub fn transpose(self, order: &[usize]) -> Var {
        trace::record(Op::Transpose(order.iter().copied().collect()), &[self], Location::caller())
    }

    /// The elements `start..end` along an axis.
    #[track_caller]
    pub fn slice(self, axis: isize, range: std::ops::Range<usize>) -> Var {
        self.slice_step(axis, range, 1)
    }

    /// Every `step`-th of the elements `start..end` along an axis.
    #[track_caller]
    pub fn slice_step(self, axis: isize, range: std::ops::Range<usize>, step: usize) -> Var {
        let location = Location::caller();
        let shape = self.shape();
        let Some(position) = shape.axis(axis) else {
            return self.no_axis("slice", axis, location);
        };
        let length = shape[position];
        if step == 0 {
            let mistake =
                Mistake::Argument { owner: "slice".to_owned(), argument: "step", wanted: "at least 1", got: 0.0 };
            return trace::poisoned(mistake, shape, location);
        }
        if range.end > length || range.start > range.end {
            let mistake = Mistake::Index { operation: "slice", index: range.end.max(range.start), length };
            return trace::poisoned(mistake, shape, location);
        }
        let length = (range.end - range.start).div_ceil(step);
        trace::record(Op::Slice { axis: position, start: range.start, step, length }, &[self], location)
    }

    /// One element along an axis, which is dropped.
    #[track_caller]
    pub fn index(self, axis: isize, index: usize) -> Var {
        let location = Location::caller();
        let mut shape = self.shape();
        let Some(position) = shape.axis(axis) else {
            return self.no_axis("index", axis, location);
        };
        let length = shape[position];
        if index >= length {
            shape.remove(position);
            let mistake = Mistake::Index { operation: "index", index, length };
            return trace::poisoned(mistake, shape, location);
        }
        self.slice(axis, index..index + 1).squeeze(axis)
    }

    /// The elements at `indices` along an axis; an index may repeat.
    #[track_caller]
    pub fn gather<A: Number>(self, axis: isize, indices: &[A]) -> Var {
        let location = Location::caller();
        let shape = self.shape();
        let Some(position) = shape.axis(axis) else {
            return self.no_axis("gather", axis, location);
        };
        match indices_within("gather", indices, shape[position]) {
            Ok(index) => trace::record(Op::Gather { axis: position, index }, &[self], location),
            Err(mistake) => trace::poisoned(mistake, shape.with(position, indices.len()), location),
        }
    }

    /// Adds slice `i` of this array to row `indices[i]` of an array of zeros that has `length` along `axis`.
    #[track_caller]
    pub fn scatter_add<A: Number>(self, axis: isize, indices: &[A], length: usize) -> Var {
        let location = Location::caller();
        let shape = self.shape();
        let Some(position) = shape.axis(axis) else {
            return self.no_axis("scatter_add", axis, location);
        };
        match indices_within("scatter_add", indices, length) {
            Ok(index) => trace::record(Op::ScatterAdd { axis: position, index, length }, &[self], location),
            Err(mistake) => trace::poisoned(mistake, shape.with(position, length), location),
        }
    }

    /// The diagonal of square matrices `[.., n, n]`, as `[.., n]`.
    #[track_caller]
    pub fn diag(self) -> Var {
        trace::record(Op::Diag, &[self], Location::caller())
    }

    /// Square matrices `[.., n, n]` with this `[.., n]` on their diagonals and zeros elsewhere.
    #[track_caller]
    pub fn diag_embed(self) -> Var {
        trace::record(Op::DiagEmbed, &[self], Location::caller())
    }

    /// The lower factor L of `A = L L'` for symmetric positive definite `[.., n, n]`; only the lower triangle is read.
    /// NaN where the matrix is not positive definite.
    #[track_caller]
    pub fn cholesky(self) -> Var {
        trace::record(Op::Cholesky, &[self], Location::caller())
    }

    /// X with `L X = B` for lower triangular `[.., n, n]` (the upper triangle is not read) and `B: [.., n, m]`.
    #[track_caller]
    pub fn solve_lower(self, b: impl Into<Var>) -> Var {
        trace::record(Op::SolveLower { transposed: false }, &[self, b.into()], Location::caller())
    }

    /// X with `L' X = B` for lower triangular L.
    #[track_caller]
    pub fn solve_lower_transposed(self, b: impl Into<Var>) -> Var {
        trace::record(Op::SolveLower { transposed: true }, &[self, b.into()], Location::caller())
    }

    /// The sign of the determinant of square matrices `[.., n, n]` and the logarithm of its absolute value, as `[..]` each:
    /// 0 and -inf of a singular matrix. Elimination with partial pivoting; the sign has no derivative.
    #[track_caller]
    pub fn slogdet(self) -> (Var, Var) {
        let location = Location::caller();
        (trace::record(Op::DetSign, &[self], location), trace::record(Op::LogAbsDet, &[self], location))
    }

    /// The inverse of square matrices `[.., n, n]`, by elimination with partial pivoting; not finite where a matrix is
    /// singular. For symmetric positive definite ones [`Var::inverse_spd`] is cheaper and more accurate.
    #[track_caller]
    pub fn inverse(self) -> Var {
        trace::record(Op::Inverse, &[self], Location::caller())
    }

    /// `ln det A` of symmetric positive definite `[.., n, n]`, as `[..]`.
    #[track_caller]
    pub fn log_det(self) -> Var {
        self.cholesky().diag().ln().sum_axis(-1) * 2.0
    }
}

pub(crate) fn indices_within<A: Number>(
    operation: &'static str,
    indices: &[A],
    length: usize,
) -> Result<Arc<[usize]>, Mistake> {
    let index: Arc<[usize]> = indices.iter().map(|i| i.to_f64() as usize).collect();
    for (original, &index) in indices.iter().zip(index.iter()) {
        let exact = original.to_f64();
        if exact < 0.0 || exact.fract() != 0.0 || exact.is_nan() {
            let (argument, wanted) = ("indices", "non-negative integers");
            return Err(Mistake::Argument { owner: operation.into(), argument, wanted, got: exact });
        }
        if index >= length {
            return Err(Mistake::Index { operation, index, length });
        }
    }
    Ok(index)
}

/// Joins arrays along an axis on which alone their shapes may differ.
#[track_caller]
pub fn concat(parts: &[Var], axis: isize) -> Var {
    let location = Location::caller();
    let Some(&first) = parts.first() else {
        let mistake = Mistake::Shapes { operation: "concat", shapes: vec![], rule: "at least one array is needed" };
        return trace::poisoned(mistake, Shape::scalar(), location);
    };
    match first.shape().axis(axis) {
        Some(axis) => trace::record(Op::Concat { axis }, parts, location),
        None => first.no_axis("concat", axis, location),
    }
}

/// Joins arrays of one shape along a new axis.
#[track_caller]
pub fn stack(parts: &[Var], axis: isize) -> Var {
    let mut expanded = Vec::with_capacity(parts.len());
    for part in parts {
        expanded.push(part.expand_dims(axis));
    }
    concat(&expanded, axis)
}
