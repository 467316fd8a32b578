//! Products whose SIMD lanes run along the rows of C.

use super::{ProductSpec, for_instruction_sets};
use crate::kernels::vector::Vector;
use crate::real::Real;

for_instruction_sets!();

/// Stride 1 along i in A and C. Where y is not null, the products times `1 - y^2`; y may be C itself.
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
        // Short sums as straight lines: for layers of a few units they take a quarter of the time less.
        match s.k {
            1 if V::MANY => each_product::<V, 1>(s, a, b, c, y),
            2 if V::MANY => each_product::<V, 2>(s, a, b, c, y),
            3 if V::MANY => each_product::<V, 3>(s, a, b, c, y),
            4 if V::MANY => each_product::<V, 4>(s, a, b, c, y),
            5 if V::MANY => each_product::<V, 5>(s, a, b, c, y),
            _ => each_product::<V, 0>(s, a, b, c, y),
        }
    }
}

/// With `K` terms in each sum, or any number where that is 0.
#[inline(always)]
unsafe fn each_product<V: Vector, const K: usize>(
    s: &ProductSpec,
    a: *const V::Number,
    b: *const V::Number,
    c: *mut V::Number,
    y: *const V::Number,
) {
    // SAFETY: the caller's; every step stays within the m rows.
    unsafe {
        for product in 0..s.count {
            let y = y.wrapping_offset(if y.is_null() { 0 } else { product as isize * s.steps[2] });
            let (a, b, c) = s.start(product, a, b, c);
            let mut i = 0;
            while i < s.m {
                let left = s.m - i;
                let vectors = left.div_ceil(V::LANES);
                let (a, c, y) = (a.add(i), c.add(i), y.wrapping_add(if y.is_null() { 0 } else { i }));
                // The last vector of a tile is moved back over rows of the one before where it would not be full. Tiles
                // are cut so that these are of the same tile: y is read before they are written, and may lie where C does.
                let last = |most: usize| (left - V::LANES).min((most - 1) * V::LANES);
                i += V::LANES
                    * match vectors {
                        1 if left < V::LANES => columns::<V, 1, K, true>(s, a, b, c, y, left),
                        _ if !V::MANY || vectors == 1 => columns::<V, 1, K, false>(s, a, b, c, y, 0),
                        5.. if s.n == 1 => match vectors {
                            5 => one_column::<V, 5, K>(s, a, b, c, y, last(5)),
                            6 => one_column::<V, 6, K>(s, a, b, c, y, last(6)),
                            7 | 9 => one_column::<V, 7, K>(s, a, b, c, y, last(7)),
                            _ => one_column::<V, 8, K>(s, a, b, c, y, last(8)),
                        },
                        2 => columns::<V, 2, K, false>(s, a, b, c, y, last(2)),
                        3 | 5 => columns::<V, 3, K, false>(s, a, b, c, y, last(3)),
                        _ => columns::<V, 4, K, false>(s, a, b, c, y, last(4)),
                    };
            }
        }
    }
}

/// The only column of `R` vectors of rows, which it returns.
#[inline(always)]
unsafe fn one_column<V: Vector, const R: usize, const K: usize>(
    s: &ProductSpec,
    a: *const V::Number,
    b: *const V::Number,
    c: *mut V::Number,
    y: *const V::Number,
    last: usize,
) -> usize {
    // SAFETY: the caller's.
    unsafe { tile::<V, R, 1, K, false>(s, a, b, c, y, last) };
    R
}

/// All columns of `R` vectors of rows, which it returns. The last of them begins at row `last`; with `PART`, only its first
/// `last` rows count.
#[inline(always)]
unsafe fn columns<V: Vector, const R: usize, const K: usize, const PART: bool>(
    s: &ProductSpec,
    a: *const V::Number,
    b: *const V::Number,
    c: *mut V::Number,
    y: *const V::Number,
    last: usize,
) -> usize {
    let mut j = 0;
    while j < s.n {
        // SAFETY: each tile stays within the n columns.
        unsafe {
            let (b, c) = (b.offset(j as isize * s.b[1]), c.offset(j as isize * s.c[1]));
            let y = if y.is_null() { y } else { y.offset(j as isize * s.c[1]) };
            j += match s.n - j {
                1 => tile::<V, R, 1, K, PART>(s, a, b, c, y, last),
                2 => tile::<V, R, 2, K, PART>(s, a, b, c, y, last),
                3 => tile::<V, R, 3, K, PART>(s, a, b, c, y, last),
                4 | 6..=8 => tile::<V, R, 4, K, PART>(s, a, b, c, y, last),
                _ => tile::<V, R, 5, K, PART>(s, a, b, c, y, last),
            };
        }
    }
    R
}

/// `R` vectors of rows times `J` columns, which it returns.
#[inline(always)]
unsafe fn tile<V: Vector, const R: usize, const J: usize, const K: usize, const PART: bool>(
    s: &ProductSpec,
    mut a: *const V::Number,
    mut b: *const V::Number,
    c: *mut V::Number,
    y: *const V::Number,
    last: usize,
) -> usize {
    // SAFETY: the caller leaves R vectors of rows, or `last`, and J columns.
    unsafe {
        let place = |r: usize| if r > 0 && r + 1 == R { last } else { r * V::LANES };
        let load = |from: *const V::Number, r: usize| {
            if PART { V::load_first(from, last) } else { V::load(from.add(place(r))) }
        };
        let mut sums = [[V::splat(V::Number::ZERO); R]; J];
        for _ in 0..if K > 0 { K } else { s.k } {
            let mut x = [V::splat(V::Number::ZERO); R];
            for (r, x) in x.iter_mut().enumerate() {
                *x = load(a, r);
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
        for (j, sums) in sums.iter_mut().enumerate() {
            let column = c.offset(j as isize * s.c[1]);
            if !y.is_null() {
                let y = y.offset(j as isize * s.c[1]);
                for (r, sum) in sums.iter_mut().enumerate() {
                    let y = load(y, r);
                    *sum = sum.mul(y.neg_mul_add(y, V::splat(V::Number::ONE)));
                }
            }
            for (r, &sum) in sums.iter().enumerate() {
                if PART {
                    sum.store_first(column, last);
                } else {
                    sum.store(column.add(place(r)));
                }
            }
        }
    }
    J
}
