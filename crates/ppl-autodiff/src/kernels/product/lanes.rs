//! Products whose SIMD lanes run along the rows of C.

use super::{ProductSpec, for_instruction_sets};
use crate::kernels::vector::Vector;
use crate::real::Real;

for_instruction_sets!();

/// Stride 1 along i in A and C.
///
/// # Safety
/// The strides must keep all indices inside the arrays; the vectors' instruction set must be available.
#[inline(always)]
pub(super) unsafe fn products<V: Vector>(
    s: &ProductSpec,
    a: *const V::Number,
    b: *const V::Number,
    c: *mut V::Number,
    y: *const V::Number,
) {
    // SAFETY: the caller's.
    unsafe {
        if y.is_null() {
            each_product::<V, false>(s, a, b, c, y);
        } else {
            each_product::<V, true>(s, a, b, c, y);
        }
    }
}

/// With `SLOPE` the products times `1 - y^2`.
#[inline(always)]
unsafe fn each_product<V: Vector, const SLOPE: bool>(
    s: &ProductSpec,
    a: *const V::Number,
    b: *const V::Number,
    c: *mut V::Number,
    y: *const V::Number,
) {
    // SAFETY: the caller's; every step stays within the m rows.
    unsafe {
        for product in 0..s.count {
            let y = y.wrapping_offset(product as isize * s.steps[2]);
            let (a, b, c) = s.start(product, a, b, c);
            let mut i = 0;
            while s.m - i >= 4 * V::LANES && V::MANY {
                columns::<V, 4, false, SLOPE>(s, a.add(i), b, c.add(i), y.wrapping_add(i), 0);
                i += 4 * V::LANES;
            }
            while s.m - i >= 2 * V::LANES && V::MANY {
                columns::<V, 2, false, SLOPE>(s, a.add(i), b, c.add(i), y.wrapping_add(i), 0);
                i += 2 * V::LANES;
            }
            while s.m - i >= V::LANES {
                columns::<V, 1, false, SLOPE>(s, a.add(i), b, c.add(i), y.wrapping_add(i), 0);
                i += V::LANES;
            }
            if i < s.m && s.m >= V::LANES {
                // The last rows as a whole vector, some of them for the second time: cheaper than masks.
                i = s.m - V::LANES;
                columns::<V, 1, false, SLOPE>(s, a.add(i), b, c.add(i), y.wrapping_add(i), 0);
            } else if i < s.m {
                columns::<V, 1, true, SLOPE>(s, a.add(i), b, c.add(i), y.wrapping_add(i), s.m - i);
            }
        }
    }
}

/// All columns of `R` vectors of rows; with `PART`, of one vector's first `rows`.
#[inline(always)]
unsafe fn columns<V: Vector, const R: usize, const PART: bool, const SLOPE: bool>(
    s: &ProductSpec,
    a: *const V::Number,
    b: *const V::Number,
    c: *mut V::Number,
    y: *const V::Number,
    rows: usize,
) {
    let mut j = 0;
    while j < s.n {
        // SAFETY: each tile stays within the n columns.
        unsafe {
            let (b, c) = (b.offset(j as isize * s.b[1]), c.offset(j as isize * s.c[1]));
            let y = y.wrapping_offset(j as isize * s.c[1]);
            j += match s.n - j {
                1 => tile::<V, R, 1, PART, SLOPE>(s, a, b, c, y, rows),
                2 => tile::<V, R, 2, PART, SLOPE>(s, a, b, c, y, rows),
                3 => tile::<V, R, 3, PART, SLOPE>(s, a, b, c, y, rows),
                4 | 6..=8 => tile::<V, R, 4, PART, SLOPE>(s, a, b, c, y, rows),
                _ => tile::<V, R, 5, PART, SLOPE>(s, a, b, c, y, rows),
            };
        }
    }
}

/// `R` vectors of rows times `J` columns, which it returns.
#[inline(always)]
unsafe fn tile<V: Vector, const R: usize, const J: usize, const PART: bool, const SLOPE: bool>(
    s: &ProductSpec,
    mut a: *const V::Number,
    mut b: *const V::Number,
    c: *mut V::Number,
    y: *const V::Number,
    rows: usize,
) -> usize {
    // SAFETY: the caller leaves R vectors of rows, or `rows`, and J columns.
    unsafe {
        let mut sums = [[V::splat(V::Number::ZERO); R]; J];
        for _ in 0..s.k {
            let mut x = [V::splat(V::Number::ZERO); R];
            for (r, x) in x.iter_mut().enumerate() {
                *x = if PART { V::load_first(a, rows) } else { V::load(a.add(r * V::LANES)) };
            }
            for (j, sums) in sums.iter_mut().enumerate() {
                let factor = V::splat(*b.offset(j as isize * s.b[1]));
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = x.mul_add(factor, *sum);
                }
            }
            // The last step leaves the arrays, where nothing is read any more.
            a = a.wrapping_offset(s.a[1]);
            b = b.wrapping_offset(s.b[0]);
        }
        for (j, sums) in sums.iter().enumerate() {
            let column = c.offset(j as isize * s.c[1]);
            let y = y.wrapping_offset(j as isize * s.c[1]);
            for (r, &sum) in sums.iter().enumerate() {
                let sum = if SLOPE {
                    let y = if PART { V::load_first(y, rows) } else { V::load(y.add(r * V::LANES)) };
                    sum.mul(y.neg_mul_add(y, V::splat(V::Number::ONE)))
                } else {
                    sum
                };
                if PART {
                    sum.store_first(column, rows);
                } else {
                    sum.store(column.add(r * V::LANES));
                }
            }
        }
    }
    J
}
