//! Small dense factorisations: Cholesky and triangular systems, over strided matrices.

use super::dispatch::multiversion;
use super::elementwise::pairwise;
use crate::real::Real;

const LANES: usize = 8;

/// The sum of products of two contiguous rows, in sums that do not wait for each other.
///
/// # Safety
/// Both must be readable for n elements.
#[inline(always)]
unsafe fn dot<T: Real>(n: usize, a: *const T, b: *const T) -> T {
    let mut sums = [T::ZERO; LANES];
    let mut from = 0;
    // SAFETY: the caller's.
    unsafe {
        while from + LANES <= n {
            for (l, sum) in sums.iter_mut().enumerate() {
                *sum = (*a.add(from + l)).mul_add(*b.add(from + l), *sum);
            }
            from += LANES;
        }
        let mut total = if from > 0 { pairwise(sums) } else { T::ZERO };
        for k in from..n {
            total = (*a.add(k)).mul_add(*b.add(k), total);
        }
        total
    }
}

multiversion! {
    /// The lower factor of a symmetric positive definite `n x n` matrix, row-major, upper triangle set to zero. Only the
    /// lower triangle of `a` (strides `row`, `column`) is read. Where a pivot is not positive, everything becomes NaN.
    ///
    /// # Safety
    /// `a` must be readable at `i * row + j * column` for `j <= i < n`, `l` writable for `n * n` elements; no overlap.
    pub(crate) unsafe fn cholesky<T: Real>(n: usize, a: *const T, row: isize, column: isize, l: *mut T) {
        // SAFETY: all indices stay within what the caller promises.
        unsafe {
            // Column by column: what is below a pivot does not wait for each other.
            for j in 0..n {
                let head = l.add(j * n);
                for i in j..n {
                    let below = l.add(i * n);
                    let at = *a.offset(i as isize * row + j as isize * column);
                    *below.add(j) = at - dot(j, below.cast_const(), head.cast_const());
                }
                let square = *head.add(j);
                if !(square > T::ZERO && square < T::INFINITY) {
                    std::slice::from_raw_parts_mut(l, n * n).fill(T::NAN);
                    return;
                }
                let pivot = square.sqrt();
                *head.add(j) = pivot;
                for i in j + 1..n {
                    *l.add(i * n + j) = *l.add(i * n + j) / pivot;
                    *head.add(i) = T::ZERO;
                }
            }
        }
    }
}

multiversion! {
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
            if m == 1 && column == 1 {
                return solve_vector(transposed, n, l, row, x);
            }
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
}

/// One right-hand side, by the contiguous rows of the factor.
///
/// # Safety
/// As [`solve`].
#[inline(always)]
unsafe fn solve_vector<T: Real>(transposed: bool, n: usize, l: *const T, row: isize, x: *mut T) {
    // SAFETY: the caller's.
    unsafe {
        for step in 0..n {
            let i = if transposed { n - 1 - step } else { step };
            let factors = l.offset(i as isize * row);
            if transposed {
                let value = *x.add(i) / *factors.add(i);
                *x.add(i) = value;
                for k in 0..i {
                    *x.add(k) = (-value).mul_add(*factors.add(k), *x.add(k));
                }
            } else {
                *x.add(i) = (*x.add(i) - dot(i, factors, x.cast_const())) / *factors.add(i);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A well-conditioned matrix of any size.
    fn matrix(n: usize) -> Vec<f64> {
        let entry = |i: usize, j: usize| {
            let distance = i.abs_diff(j) as f64;
            (-distance / 3.0).exp() + if i == j { 1.0 + i as f64 / 10.0 } else { 0.0 }
        };
        (0..n * n).map(|e| entry(e / n, e % n)).collect()
    }

    /// The factor's square is the matrix, also one given by its upper triangle; sizes on both sides of the lanes.
    #[test]
    fn the_factor_squared_is_the_matrix() {
        for n in [1, 2, 7, 8, 9, 17, 40] {
            let a = matrix(n);
            let (mut l, mut from_upper) = (vec![f64::NAN; n * n], vec![f64::NAN; n * n]);
            // SAFETY: the arrays are n x n.
            unsafe {
                cholesky(n, a.as_ptr(), n as isize, 1, l.as_mut_ptr());
                cholesky(n, a.as_ptr(), 1, n as isize, from_upper.as_mut_ptr());
            }
            assert_eq!(l, from_upper);
            for (e, a) in a.iter().enumerate() {
                let (i, j) = (e / n, e % n);
                let product: f64 = (0..n).map(|k| l[i * n + k] * l[j * n + k]).sum();
                assert!((product - a).abs() < 1e-13 * (1.0 + a.abs()), "{n}: {i} {j}");
                assert!(j <= i || l[e] == 0.0);
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        for a in [[1.0, 2.0, 2.0, 1.0], [-1.0, 0.0, 0.0, 1.0], [f64::NAN, 0.0, 0.0, 1.0]] {
            let mut l = [0.0; 4];
            // SAFETY: the arrays are 2 x 2.
            unsafe { cholesky(2, a.as_ptr(), 2, 1, l.as_mut_ptr()) };
            assert!(l.iter().all(|x| x.is_nan()));
        }
    }

    /// Systems with one and with several right-hand sides, the factor and its transpose, by rows and by columns.
    #[test]
    fn solutions_solve() {
        for (n, m) in [(1, 1), (7, 1), (9, 1), (20, 1), (9, 3), (20, 8)] {
            let mut l = vec![0.0; n * n];
            // SAFETY: the arrays are n x n.
            unsafe { cholesky(n, matrix(n).as_ptr(), n as isize, 1, l.as_mut_ptr()) };
            let by_columns: Vec<f64> = (0..n * n).map(|e| l[e % n * n + e / n]).collect();
            let b: Vec<f64> = (0..n * m).map(|e| (e as f64).sin()).collect();
            for transposed in [false, true] {
                for (factor, [row, column]) in [(&l, [n as isize, 1]), (&by_columns, [1, n as isize])] {
                    let mut x = b.clone();
                    // SAFETY: n x n and n x m elements.
                    unsafe { solve(transposed, n, m, factor.as_ptr(), row, column, x.as_mut_ptr()) };
                    for (e, b) in b.iter().enumerate() {
                        let (i, c) = (e / m, e % m);
                        let at = |k: usize| if transposed { l[k * n + i] } else { l[i * n + k] };
                        let product: f64 = (0..n).map(|k| at(k) * x[k * m + c]).sum();
                        assert!((product - b).abs() < 1e-13, "{n} {m} {transposed}");
                    }
                }
            }
        }
    }
}
