//! Small dense factorisations: Cholesky and triangular systems, over strided matrices.

use crate::real::Real;

/// The lower factor of a symmetric positive definite `n x n` matrix, row-major, upper triangle set to zero. Only the
/// lower triangle of `a` (strides `row`, `column`) is read. Where a pivot is not positive, everything becomes NaN.
///
/// # Safety
/// `a` must be readable at `i * row + j * column` for `j <= i < n`, `l` writable for `n * n` elements; no overlap.
pub(crate) unsafe fn cholesky<T: Real>(n: usize, a: *const T, row: isize, column: isize, l: *mut T) {
    // SAFETY: all indices stay within what the caller promises.
    unsafe {
        let at = |i: usize, j: usize| *a.offset(i as isize * row + j as isize * column);
        for i in 0..n {
            for j in 0..=i {
                let mut s = at(i, j);
                for k in 0..j {
                    s = (-*l.add(i * n + k)).mul_add(*l.add(j * n + k), s);
                }
                if i == j {
                    if !(s > T::ZERO && s < T::INFINITY) {
                        std::slice::from_raw_parts_mut(l, n * n).fill(T::NAN);
                        return;
                    }
                    *l.add(i * n + i) = s.sqrt();
                } else {
                    *l.add(i * n + j) = s / *l.add(j * n + j);
                }
            }
            for j in i + 1..n {
                *l.add(i * n + j) = T::ZERO;
            }
        }
    }
}

/// Solves `L X = B` (or `L' X = B`) in place: `x` holds B (`n x m`, row-major) and becomes X.
///
/// # Safety
/// `l` must be readable at `i * row + j * column` for `j <= i < n`, `x` writable for `n * m` elements; no overlap.
pub(crate) unsafe fn solve<T: Real>(
    transposed: bool,
    n: usize,
    m: usize,
    l: *const T,
    row: isize,
    column: isize,
    x: *mut T,
) {
    // SAFETY: all indices stay within what the caller promises.
    unsafe {
        let at = |i: usize, j: usize| *l.offset(i as isize * row + j as isize * column);
        for step in 0..n {
            let i = if transposed { n - 1 - step } else { step };
            let known = if transposed { i + 1..n } else { 0..i };
            for k in known {
                let factor = -(if transposed { at(k, i) } else { at(i, k) });
                for c in 0..m {
                    *x.add(i * m + c) = factor.mul_add(*x.add(k * m + c), *x.add(i * m + c));
                }
            }
            let pivot = at(i, i);
            for c in 0..m {
                *x.add(i * m + c) = *x.add(i * m + c) / pivot;
            }
        }
    }
}
