//! Methods of `Var` that are compositions of others: what NumPy users expect and the tape needs no operation for.

use std::panic::Location;
use std::sync::Arc;

use ndarray::{Array1, ArrayBase, Data, Dimension};

use crate::error::Mistake;
use crate::numbers::Number;
use crate::shape::Shape;
use crate::structure::{concat, indices_within};
use crate::tensor::Tensor;
use crate::trace;
use crate::var::Var;

impl Var {
    /// The identity matrix `[n, n]`.
    #[track_caller]
    pub fn eye(n: usize) -> Var {
        Var::from(1.0).broadcast_to([n]).diag_embed()
    }

    /// `[indices.len(), classes]` with a 1 in each row, at the row's index.
    ///
    /// ```
    /// # use ppl_autodiff::{Var, trace};
    /// # trace(|| {
    /// assert_eq!(Var::one_hot(&[2, 0], 3).array(), ndarray::array![[0., 0., 1.], [1., 0., 0.]].into_dyn());
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn one_hot<A: Number>(indices: &[A], classes: usize) -> Var {
        let shape = Shape::from([indices.len(), classes]);
        let index = match indices_within("one_hot", indices, classes) {
            Ok(index) => index,
            Err(mistake) => return trace::poisoned(mistake, shape, Location::caller()),
        };
        // Row i of the result is row index[i] of the identity.
        Var::eye(classes).gather(0, &index)
    }

    /// The variance of all elements around their mean, divided by their number (NumPy's `ddof = 0`).
    #[track_caller]
    pub fn variance(self) -> Var {
        (self - self.mean()).square().mean()
    }

    /// As [`Var::variance`] along one axis, which is dropped.
    #[track_caller]
    pub fn variance_axis(self, axis: isize) -> Var {
        let mean = self.sum_axes(&[axis]) / self.dim(axis) as f64;
        (self - mean).square().mean_axis(axis)
    }

    /// The square root of [`Var::variance`]; derivative 0 where that is 0.
    #[track_caller]
    pub fn std(self) -> Var {
        self.variance().sqrt_at_zero()
    }

    /// The square root of [`Var::variance_axis`]; derivative 0 where that is 0.
    #[track_caller]
    pub fn std_axis(self, axis: isize) -> Var {
        self.variance_axis(axis).sqrt_at_zero()
    }

    /// The Euclidean norm of all elements; derivative 0 at 0.
    #[track_caller]
    pub fn norm(self) -> Var {
        self.square().sum().sqrt_at_zero()
    }

    #[track_caller]
    fn sqrt_at_zero(self) -> Var {
        let zero = self.eq(0.0);
        zero.select(0.0, zero.select(1.0, self).sqrt())
    }

    /// The product of all elements, 1 of none. The derivative is right where elements are 0.
    #[track_caller]
    pub fn prod(self) -> Var {
        self.reshape(self.shape().size()).prod_axis(0)
    }

    /// As [`Var::prod`] along one axis, which is dropped.
    #[track_caller]
    pub fn prod_axis(self, axis: isize) -> Var {
        let shape = self.shape();
        let Some(position) = shape.axis(axis) else {
            return self.no_axis("prod", axis, Location::caller());
        };
        let mut n = shape[position];
        if n == 0 {
            return Var::from(1.0).broadcast_to(shape.with(position, 1)).squeeze(axis);
        }
        // Halves are multiplied until one element is left.
        let mut x = self;
        while n > 1 {
            let half = n / 2;
            let product = x.slice(axis, 0..half) * x.slice(axis, half..2 * half);
            x = match n % 2 {
                0 => product,
                _ => concat(&[product, x.slice(axis, n - 1..n)], axis),
            };
            n = n.div_ceil(2);
        }
        x.squeeze(axis)
    }

    /// Running products along an axis. The derivative is right where elements are 0.
    #[track_caller]
    pub fn cumprod(self, axis: isize) -> Var {
        self.scan("cumprod", axis, |earlier, later| earlier * later)
    }

    /// Running `logsumexp` along an axis.
    #[track_caller]
    pub fn cumlogsumexp(self, axis: isize) -> Var {
        self.scan("cumlogsumexp", axis, |a, b| a.logaddexp(b))
    }

    /// Running combinations by doubling: after step k each element has taken in the `2^k - 1` before it.
    /// Hillis and Steele (1986), Communications of the ACM 29(12).
    #[track_caller]
    fn scan(self, name: &'static str, axis: isize, combine: impl Fn(Var, Var) -> Var) -> Var {
        let shape = self.shape();
        let Some(position) = shape.axis(axis) else {
            return self.no_axis(name, axis, Location::caller());
        };
        let n = shape[position];
        let (mut x, mut reach) = (self, 1);
        while reach < n {
            let joined = combine(x.slice(axis, 0..n - reach), x.slice(axis, reach..n));
            x = concat(&[x.slice(axis, 0..reach), joined], axis);
            reach *= 2;
        }
        x
    }

    /// The elements of an axis in reverse order.
    #[track_caller]
    pub fn flip(self, axis: isize) -> Var {
        let shape = self.shape();
        match shape.axis(axis) {
            Some(position) => {
                let index: Vec<usize> = (0..shape[position]).rev().collect();
                self.gather(axis, &index)
            }
            None => self.no_axis("flip", axis, Location::caller()),
        }
    }

    /// For each place of `indices`, the element at that index along an axis: `result[i, j] = self[i, indices[i, j]]`
    /// for the last axis of a matrix. `indices` has the shape of the array but along the axis.
    #[track_caller]
    pub fn take_along_axis<A: Number, S: Data<Elem = A>, D: Dimension>(
        self,
        axis: isize,
        indices: &ArrayBase<S, D>,
    ) -> Var {
        let location = Location::caller();
        let (shape, target) = (self.shape(), Shape::from(indices.shape()));
        let Some(position) = shape.axis(axis) else {
            return self.no_axis("take_along_axis", axis, location);
        };
        if target.rank() != shape.rank() || shape.with(position, target[position]) != target {
            let mistake = Mistake::Shapes {
                operation: "take_along_axis",
                shapes: vec![shape, target.clone()],
                rule: "the indices (second) must have the array's shape but along the axis",
            };
            return trace::poisoned(mistake, target, location);
        }
        let given: Vec<A> = indices.iter().copied().collect();
        let index = match indices_within("take_along_axis", &given, shape[position]) {
            Ok(index) => index,
            Err(mistake) => return trace::poisoned(mistake, target, location),
        };
        // The same elements by their places in the row-major array.
        let inner: usize = shape[position + 1..].iter().product();
        let taken = target[position];
        let flat: Vec<usize> = index
            .iter()
            .enumerate()
            .map(|(place, &i)| {
                let outer = place / inner / taken;
                (outer * shape[position] + i) * inner + place % inner
            })
            .collect();
        self.reshape(shape.size()).gather(0, &flat).reshape(target)
    }

    /// The elements along the first axis at indices that are a `Var`: `[k, ..]` and `[n..]` make `[n.., ..]`. NaN where an
    /// index is no whole number below k.
    ///
    /// It is for indices that change from one evaluation to the next, as those of a minibatch do: a product with a matrix
    /// that has a 1 in each row, k multiplications for each number, in which an element that is not finite spreads. Where
    /// indices are fixed, [`Var::gather`] is faster.
    ///
    /// ```
    /// # use ppl_autodiff::{Var, trace};
    /// # trace(|| {
    /// let effects = Var::from([0.5, 1.5, 2.5]);
    /// assert_eq!(effects.lookup([2.0, 0.0, 2.0]).array(), ndarray::array![2.5, 0.5, 2.5].into_dyn());
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn lookup(self, indices: impl Into<Var>) -> Var {
        let (table, indices) = (self.shape(), indices.into());
        let Some((&k, row)) = table.split_first() else {
            return self.no_axis("lookup", 0, Location::caller());
        };
        let shape: Vec<usize> = indices.shape().iter().chain(row).copied().collect();
        if k == 0 {
            return Var::constant(Tensor::full(&shape[..], f64::NAN));
        }
        let places = Var::from(&Array1::from_iter((0..k).map(|i| i as f64)));
        let at = indices.reshape([indices.shape().size(), 1]).eq(places);
        // 0/0 where there is none.
        let at = at / at.sum_axes(&[1]);
        at.matmul(self.reshape([k, row.iter().product()])).reshape(&shape[..])
    }

    /// Products of all pairs of elements of `[.., m]` and `[.., n]`, as `[.., m, n]`.
    #[track_caller]
    pub fn outer(self, other: impl Into<Var>) -> Var {
        self.expand_dims(-1) * other.into().expand_dims(-2)
    }

    /// X with `A X = B` for symmetric positive definite A `[.., n, n]` and `B: [.., n, m]`, through [`Var::cholesky`]:
    /// NaN where A is not positive definite.
    #[track_caller]
    pub fn solve_spd(self, b: impl Into<Var>) -> Var {
        let l = self.cholesky();
        l.solve_lower_transposed(l.solve_lower(b))
    }

    /// The inverse of symmetric positive definite matrices `[.., n, n]`; NaN where they are not.
    #[track_caller]
    pub fn inverse_spd(self) -> Var {
        let shape = self.shape();
        match shape.last() {
            Some(&n) if shape.rank() >= 2 => self.solve_spd(Var::eye(n)),
            _ => self.no_axis("inverse_spd", -2, Location::caller()),
        }
    }

    /// The lower triangle with the diagonal, zeros above.
    #[track_caller]
    pub fn tril(self) -> Var {
        self.triangle("tril", |row, column| column <= row)
    }

    /// The upper triangle with the diagonal, zeros below.
    #[track_caller]
    pub fn triu(self) -> Var {
        self.triangle("triu", |row, column| column >= row)
    }

    #[track_caller]
    fn triangle(self, name: &'static str, keeps: fn(usize, usize) -> bool) -> Var {
        let shape = self.shape();
        let &[.., rows, columns] = &shape[..] else {
            return self.no_axis(name, -2, Location::caller());
        };
        let mask: Arc<[f64]> =
            (0..rows * columns).map(|i| f64::from(u8::from(keeps(i / columns, i % columns)))).collect();
        match Tensor::new([rows, columns], mask) {
            Some(mask) => Var::constant(mask).select(self, 0.0),
            None => self,
        }
    }
}
