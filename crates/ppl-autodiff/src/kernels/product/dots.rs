//! Products whose SIMD lanes run along the inner axis.

use super::{ProductSpec, for_instruction_sets};
use crate::kernels::vector::Vector;
use crate::real::Real;

for_instruction_sets!();

/// Stride 1 along k in A and B.
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
    debug_assert!(y.is_null(), "slopes are for products by lanes");
    // SAFETY: the caller's; every step stays within the n columns.
    unsafe {
        for product in 0..s.count {
            let (a, b, c) = s.start(product, a, b, c);
            let mut j = 0;
            while j < s.n {
                let (b, c) = (b.offset(j as isize * s.b[1]), c.offset(j as isize * s.c[1]));
                j += match s.n - j {
                    1 => rows::<V, 1>(s, a, b, c),
                    _ if !V::MANY => rows::<V, 2>(s, a, b, c),
                    2 => rows::<V, 2>(s, a, b, c),
                    3 => rows::<V, 3>(s, a, b, c),
                    4 | 6..=8 => rows::<V, 4>(s, a, b, c),
                    _ => rows::<V, 5>(s, a, b, c),
                };
            }
        }
    }
}

/// All rows of `N` columns, which it returns.
#[inline(always)]
unsafe fn rows<V: Vector, const N: usize>(
    s: &ProductSpec,
    a: *const V::Number,
    b: *const V::Number,
    c: *mut V::Number,
) -> usize {
    let mut i = 0;
    while i < s.m {
        // SAFETY: each tile stays within the m rows.
        unsafe {
            let (a, c) = (a.offset(i as isize * s.a[0]), c.offset(i as isize * s.c[0]));
            i += match s.m - i {
                1 => tile::<V, 1, N>(s, a, b, c),
                _ if !V::MANY && N > 1 => tile::<V, 2, N>(s, a, b, c),
                2 => tile::<V, 2, N>(s, a, b, c),
                3 => tile::<V, 3, N>(s, a, b, c),
                4 | 6..=8 => tile::<V, 4, N>(s, a, b, c),
                _ => tile::<V, 5, N>(s, a, b, c),
            };
        }
    }
    N
}

/// `M` rows times `N` columns; returns `M`.
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize>(
    s: &ProductSpec,
    a: *const V::Number,
    b: *const V::Number,
    c: *mut V::Number,
) -> usize {
    // SAFETY: the caller leaves M rows and N columns.
    unsafe {
        let mut sums = [[V::splat(V::Number::ZERO); N]; M];
        let whole = s.k - s.k % V::LANES;
        let mut k = 0;
        while k < whole {
            let mut y = [V::splat(V::Number::ZERO); N];
            for (j, y) in y.iter_mut().enumerate() {
                *y = V::load(b.offset(j as isize * s.b[1]).add(k));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::load(a.offset(i as isize * s.a[0]).add(k));
                for (sum, y) in sums.iter_mut().zip(y) {
                    *sum = x.mul_add(y, *sum);
                }
            }
            k += V::LANES;
        }
        let rest = s.k - whole;
        if rest > 0 {
            let y: [V; N] = std::array::from_fn(|j| V::load_first(b.offset(j as isize * s.b[1]).add(k), rest));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::load_first(a.offset(i as isize * s.a[0]).add(k), rest);
                for (sum, y) in sums.iter_mut().zip(y) {
                    *sum = x.mul_add(y, *sum);
                }
            }
        }
        // At most 25 sums in a tile.
        let mut totals = [V::Number::ZERO; 32];
        V::sums(sums.as_flattened(), &mut totals);
        if s.c == [N as isize, 1] {
            totals.as_ptr().copy_to_nonoverlapping(c, M * N);
            return M;
        }
        for i in 0..M {
            for j in 0..N {
                *c.offset(i as isize * s.c[0] + j as isize * s.c[1]) = totals[i * N + j];
            }
        }
    }
    M
}
