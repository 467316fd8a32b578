//! Eigenvalues and eigenvectors of small symmetric matrices, and functions of matrices made with them.

use ndarray::{Array1, Array2};

/// Sweeps of the QL iteration before an eigenvalue is taken as it is.
const SWEEPS: usize = 50;

/// Eigenvalues, ascending, and orthonormal eigenvectors as columns of a symmetric matrix. Entries that are not finite
/// make results that are not.
///
/// # Source
/// Householder tridiagonalisation and implicit QL: Golub and Van Loan (2013), Matrix Computations, 8.3; Bowdler,
/// Martin, Reinsch and Wilkinson (1968), Numerische Mathematik 11.
pub(super) fn eigen(matrix: &Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    let n = matrix.nrows();
    let mut a = matrix.clone();
    let mut q: Array2<f64> = Array2::eye(n);
    let (mut diagonal, mut off) = (Array1::zeros(n), Array1::<f64>::zeros(n));
    // Householder: column k is mirrored onto its first entry below the diagonal; the mirrors are gathered in q.
    for k in 0..n.saturating_sub(2) {
        let norm = (k + 1..n).map(|i| a[[i, k]] * a[[i, k]]).sum::<f64>().sqrt();
        if norm == 0.0 {
            continue;
        }
        let head = if a[[k + 1, k]] > 0.0 { -norm } else { norm };
        let mut v: Vec<f64> = (k + 1..n).map(|i| a[[i, k]]).collect();
        v[0] -= head;
        let square: f64 = v.iter().map(|v| v * v).sum();
        if square == 0.0 {
            continue;
        }
        let two = 2.0 / square;
        // The block below and right of k: A <- A - v w' - w v' with w = p - (two/2)(v.p) v, p = two A v.
        let mut w: Vec<f64> = (k + 1..n).map(|i| two * dot_row(&a, i, k + 1, &v)).collect();
        let share = 0.5 * two * v.iter().zip(&w).map(|(v, w)| v * w).sum::<f64>();
        w.iter_mut().zip(&v).for_each(|(w, v)| *w -= share * v);
        for (i, (vi, wi)) in v.iter().zip(&w).enumerate() {
            for (j, (vj, wj)) in v.iter().zip(&w).enumerate() {
                a[[k + 1 + i, k + 1 + j]] -= vi * wj + wi * vj;
            }
        }
        a[[k + 1, k]] = head;
        for i in 0..n {
            let along = two * dot_row(&q, i, k + 1, &v);
            v.iter().enumerate().for_each(|(j, v)| q[[i, k + 1 + j]] -= along * v);
        }
    }
    for i in 0..n {
        diagonal[i] = a[[i, i]];
        if i + 1 < n {
            off[i] = a[[i + 1, i]];
        }
    }
    // Rotations act on columns of q: as rows of its transpose they are contiguous.
    let mut rows: Vec<f64> = q.t().iter().copied().collect();
    for l in 0..n {
        for _ in 0..SWEEPS {
            let small = |m: usize| off[m].abs() <= f64::EPSILON * (diagonal[m].abs() + diagonal[m + 1].abs());
            let m = (l..n - 1).find(|&m| small(m)).unwrap_or(n - 1);
            if m == l {
                break;
            }
            // An implicit QL step with Wilkinson's shift.
            let mut g = (diagonal[l + 1] - diagonal[l]) / (2.0 * off[l]);
            let mut r = g.hypot(1.0);
            g = diagonal[m] - diagonal[l] + off[l] / (g + r.copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut complete = true;
            for i in (l..m).rev() {
                let (f, b) = (s * off[i], c * off[i]);
                r = f.hypot(g);
                off[i + 1] = r;
                if r == 0.0 {
                    diagonal[i + 1] -= p;
                    off[m] = 0.0;
                    complete = false;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = diagonal[i + 1] - p;
                r = (diagonal[i] - g) * s + 2.0 * c * b;
                p = s * r;
                diagonal[i + 1] = g + p;
                g = c * r - b;
                let (low, high) = rows[i * n..(i + 2) * n].split_at_mut(n);
                for (low, high) in low.iter_mut().zip(high) {
                    let moved = *high;
                    *high = s * *low + c * moved;
                    *low = c * *low - s * moved;
                }
            }
            if complete {
                diagonal[l] -= p;
                off[l] = g;
                off[m] = 0.0;
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| diagonal[i].total_cmp(&diagonal[j]));
    let vectors = Array2::from_shape_fn((n, n), |(i, j)| rows[order[j] * n + i]);
    (order.iter().map(|&i| diagonal[i]).collect(), vectors)
}

fn dot_row(a: &Array2<f64>, row: usize, from: usize, v: &[f64]) -> f64 {
    v.iter().enumerate().map(|(j, v)| a[[row, from + j]] * v).sum()
}

/// The geometric mean of positive definite A and B^-1: the P with P B P = A,
/// `P = B^-1/2 (B^1/2 A B^1/2)^1/2 B^-1/2`. Eigenvalues that roundings made less than the smallest number next to the
/// largest are taken for that.
pub(super) fn geometric_mean(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let (values, vectors) = eigen(b);
    let roots = positive(values).mapv(f64::sqrt);
    // In the basis of B's eigenvectors its roots are diagonal.
    let mut middle = vectors.t().dot(a).dot(&vectors);
    scale_both(&mut middle, &roots);
    let (values, rotation) = eigen(&middle);
    let mut mean = (&rotation * &positive(values).mapv(f64::sqrt)).dot(&rotation.t());
    scale_both(&mut mean, &roots.mapv(f64::recip));
    vectors.dot(&mean).dot(&vectors.t())
}

fn positive(values: Array1<f64>) -> Array1<f64> {
    let least = f64::EPSILON * values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    values.mapv(|v| if v < least { least } else { v })
}

/// `D A D` with a diagonal D.
fn scale_both(a: &mut Array2<f64>, d: &Array1<f64>) {
    a.indexed_iter_mut().for_each(|((i, j), a)| *a *= d[i] * d[j]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Matrices of several sizes, random, diagonal, of rank one and with a double eigenvalue: A v = lambda v, V'V = I.
    #[test]
    fn vectors_are_eigenvectors() {
        let mut seed = 0.37;
        let mut number = || {
            seed = (seed * 997.13f64 + 0.123).fract();
            seed - 0.5
        };
        for n in [1, 2, 3, 7, 30] {
            let half = Array2::from_shape_fn((n, n), |_| number());
            let outer = Array2::from_shape_fn((n, n), |(i, j)| (i as f64 + 1.0) * (j as f64 + 1.0));
            let double = Array2::<f64>::eye(n) * 3.0 + &outer * 0.01;
            for a in [&half + &half.t(), half.dot(&half.t()), outer, double, Array2::eye(n), Array2::zeros((n, n))] {
                let (values, vectors) = eigen(&a);
                let scale = 1.0 + a.iter().fold(0.0f64, |m, x| m.max(x.abs()));
                let residual = a.dot(&vectors) - &vectors * &values;
                let gram = vectors.t().dot(&vectors) - Array2::<f64>::eye(n);
                assert!(residual.iter().all(|r| r.abs() < 1e-13 * scale * n as f64), "{n}: {residual}");
                assert!(gram.iter().all(|r| r.abs() < 1e-13 * n as f64));
                assert!(values.windows(2).into_iter().all(|w| w[0] <= w[1]));
            }
        }
    }

    /// P B P = A for the mean of two positive definite matrices.
    #[test]
    fn the_mean_solves_its_equation() {
        let a = ndarray::array![[4.0, 1.0, 0.5], [1.0, 2.0, -0.3], [0.5, -0.3, 1.0]];
        let b = ndarray::array![[1.0, -0.2, 0.1], [-0.2, 3.0, 0.7], [0.1, 0.7, 0.9]];
        let p = geometric_mean(&a, &b);
        let error = p.dot(&b).dot(&p) - &a;
        assert!(error.iter().all(|e| e.abs() < 1e-13), "{error}");
    }
}
