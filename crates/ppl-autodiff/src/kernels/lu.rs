//! Square matrices that need not be symmetric: elimination with partial pivoting.

use super::dispatch::multiversion;
use crate::real::Real;

/// What is wanted of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The logarithm of the absolute determinant: -inf of a singular matrix.
    LogAbsDet,
    /// The sign of the determinant: 0 of a singular matrix.
    DetSign,
    /// The inverse; not finite of a singular matrix.
    Inverse,
}

multiversion! {
    /// Reads the row-major `n x n` matrix `a`, works in `memory` of `n * n` elements, writes one element or `n * n`.
    pub(crate) fn run<T: Real>(wanted: Wanted, n: usize, a: &[T], memory: &mut [T], out: &mut [T]) {
        memory.copy_from_slice(a);
        let with_inverse = wanted == Wanted::Inverse;
        if with_inverse {
            out.fill(T::ZERO);
            out.iter_mut().step_by(n + 1).for_each(|diagonal| *diagonal = T::ONE);
        }
        let (mut log, mut sign) = (T::ZERO, T::ONE);
        for k in 0..n {
            let larger = |a: &usize, b: &usize| memory[a * n + k].abs() > memory[b * n + k].abs();
            let pivot = (k + 1..n).fold(k, |best, row| if larger(&row, &best) { row } else { best });
            if pivot != k {
                swap_rows(memory, n, k, pivot);
                sign = -sign;
                if with_inverse {
                    swap_rows(out, n, k, pivot);
                }
            }
            let head = memory[k * n + k];
            log += head.abs().k_ln();
            sign = if head.is_nan() { head } else { sign * sign_of(head) };
            if !with_inverse && head == T::ZERO {
                // Singular, or NaN further down: what is left says which.
                if memory[k * n..].iter().any(|x| x.is_nan()) {
                    (log, sign) = (T::NAN, T::NAN);
                } else {
                    (log, sign) = (T::NEG_INFINITY, T::ZERO);
                }
                break;
            }
            // The inverse needs what is above the diagonal eliminated too.
            for row in if with_inverse { 0..n } else { k + 1..n } {
                if row == k {
                    continue;
                }
                let factor = -(memory[row * n + k] / head);
                add_row(memory, n, row, k, factor, k);
                if with_inverse {
                    add_row(out, n, row, k, factor, 0);
                }
            }
        }
        match wanted {
            Wanted::LogAbsDet => out[0] = log,
            Wanted::DetSign => out[0] = sign,
            Wanted::Inverse => {
                for (row, values) in out.chunks_exact_mut(n.max(1)).enumerate() {
                    let head = memory[row * n + row];
                    values.iter_mut().for_each(|x| *x /= head);
                }
            }
        }
    }
}

#[inline(always)]
fn sign_of<T: Real>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        T::ZERO
    }
}

#[inline(always)]
fn swap_rows<T: Real>(a: &mut [T], n: usize, i: usize, j: usize) {
    let (head, tail) = a.split_at_mut(i.max(j) * n);
    head[i.min(j) * n..][..n].swap_with_slice(&mut tail[..n]);
}

/// Adds a multiple of row `k` to another, from a column on.
#[inline(always)]
fn add_row<T: Real>(a: &mut [T], n: usize, row: usize, k: usize, factor: T, from: usize) {
    for column in from..n {
        a[row * n + column] = factor.mul_add(a[k * n + column], a[row * n + column]);
    }
}
