//! Matrix products of the sizes that models have: batched, tiny, tall and narrow; large ones go to `matrixmultiply`.
//!
//! One strided form `C[i, j] = sum_k A[i, k] B[k, j]` has three methods. *Lanes*: SIMD lanes run along `i`, which has
//! stride 1 in A and C, while elements of B are broadcast (its mirror image, lanes along `j`, is the transposed
//! product). *Dots*: lanes run along `k`, several dot products at once, so that they do not wait for the adder.
//! *Blocked*: packed panels, for large matrices.

use crate::kernels::dispatch::{Isa, multiversion};
use crate::real::Real;

/// How a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Lanes,
    Dots,
    Blocked,
    Plain,
}

/// Extents and strides of one product (of one batch element).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProductSpec {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Strides of A along i and k.
    pub a: [isize; 2],
    /// Strides of B along k and j.
    pub b: [isize; 2],
    /// Strides of C along i and j.
    pub c: [isize; 2],
}

impl ProductSpec {
    /// The same product of the transposes: `C' = B' A'`.
    pub(crate) fn transposed(self) -> Self {
        let Self { m, n, k, a, b, c } = self;
        Self { m: n, n: m, k, a: [b[1], b[0]], b: [a[1], a[0]], c: [c[1], c[0]] }
    }
}

/// One product: `spec`, A, B, C (overwritten), and the lanes of a tile.
pub(crate) type ProductKernel<T> = unsafe fn(spec: &ProductSpec, a: *const T, b: *const T, c: *mut T, lanes: usize);

/// Lanes in a tile for this number type: two vectors of the instruction set.
pub(crate) fn tile_lanes<T: Real>() -> usize {
    let vector = match Isa::current() {
        Isa::Avx512 => 64,
        _ => 32,
    };
    2 * vector / size_of::<T>()
}

/// The kernel for a method.
pub(crate) fn product_kernel<T: Real>(method: Method) -> ProductKernel<T> {
    match method {
        Method::Lanes => lanes::<T>,
        Method::Dots => dots::<T>,
        Method::Plain => plain::<T>,
        Method::Blocked => blocked::<T>,
    }
}

#[inline(always)]
unsafe fn plain_body<T: Real>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T) {
    // SAFETY: the caller's strides keep all indices inside its arrays.
    unsafe {
        for i in 0..s.m as isize {
            for j in 0..s.n as isize {
                let (row, column) = (a.offset(i * s.a[0]), b.offset(j * s.b[1]));
                let mut sum = T::ZERO;
                for k in 0..s.k as isize {
                    sum = (*row.offset(k * s.a[1])).mul_add(*column.offset(k * s.b[0]), sum);
                }
                *c.offset(i * s.c[0] + j * s.c[1]) = sum;
            }
        }
    }
}

multiversion! {
    unsafe fn plain<T: Real>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T, _lanes: usize) {
        // SAFETY: the caller's contract.
        unsafe { plain_body(s, a, b, c) }
    }
}

/// `L` lanes of `J` columns of C, from row `i` and column `j` on.
#[inline(always)]
unsafe fn lanes_tile<T: Real, const L: usize, const J: usize>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T) {
    let mut acc = [[T::ZERO; L]; J];
    // SAFETY: the caller leaves L rows and J columns.
    unsafe {
        for k in 0..s.k as isize {
            let lanes = &*a.offset(k * s.a[1]).cast::<[T; L]>();
            for (j, acc) in acc.iter_mut().enumerate() {
                let factor = *b.offset(k * s.b[0] + j as isize * s.b[1]);
                for l in 0..L {
                    acc[l] = lanes[l].mul_add(factor, acc[l]);
                }
            }
        }
        for (j, acc) in acc.iter().enumerate() {
            *c.offset(j as isize * s.c[1]).cast::<[T; L]>() = *acc;
        }
    }
}

/// All columns of `L` rows.
#[inline(always)]
unsafe fn lanes_rows<T: Real, const L: usize>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T) {
    let mut j = 0;
    while j < s.n {
        // SAFETY: each tile stays within the n columns.
        unsafe {
            let (b, c) = (b.offset(j as isize * s.b[1]), c.offset(j as isize * s.c[1]));
            match s.n - j {
                1 => lanes_tile::<T, L, 1>(s, a, b, c),
                2 => lanes_tile::<T, L, 2>(s, a, b, c),
                3 => lanes_tile::<T, L, 3>(s, a, b, c),
                4 | 6 | 7 | 8 => {
                    lanes_tile::<T, L, 4>(s, a, b, c);
                    j += 4;
                    continue;
                }
                _ => {
                    lanes_tile::<T, L, 5>(s, a, b, c);
                    j += 5;
                    continue;
                }
            }
        }
        return;
    }
}

multiversion! {
    /// Stride 1 along i in A and C.
    unsafe fn lanes<T: Real>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T, lanes: usize) {
        // SAFETY: the caller promises the strides; each step stays within the m rows.
        unsafe {
            match lanes {
                32 => lanes_steps::<T, 32, 16>(s, a, b, c),
                16 => lanes_steps::<T, 16, 8>(s, a, b, c),
                _ => lanes_steps::<T, 8, 4>(s, a, b, c),
            }
        }
    }
}

/// Rows in steps of L lanes; the last step overlaps the one before it, which writes the same numbers twice.
#[inline(always)]
unsafe fn lanes_steps<T: Real, const L: usize, const HALF: usize>(
    s: &ProductSpec,
    a: *const T,
    b: *const T,
    c: *mut T,
) {
    // SAFETY: as in `lanes`.
    unsafe {
        let mut i = 0;
        while i + L <= s.m {
            lanes_rows::<T, L>(s, a.add(i), b, c.add(i));
            i += L;
        }
        let rest = s.m - i;
        if rest == 0 {
        } else if rest > HALF && s.m >= L {
            lanes_rows::<T, L>(s, a.add(s.m - L), b, c.add(s.m - L));
        } else if s.m >= HALF {
            if rest > HALF {
                lanes_rows::<T, HALF>(s, a, b, c);
            }
            lanes_rows::<T, HALF>(s, a.add(s.m - HALF), b, c.add(s.m - HALF));
        } else {
            let rows = ProductSpec { m: rest, ..*s };
            plain_body::<T>(&rows, a.add(i), b, c.add(i));
        }
    }
}

/// `M` dot products of rows of A with one column of B, interleaved.
#[inline(always)]
unsafe fn dots_tile<T: Real, const L: usize, const M: usize>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T) {
    let mut acc = [[T::ZERO; L]; M];
    let whole = s.k - s.k % L;
    // SAFETY: the caller promises stride 1 along k in A and B, and leaves M rows.
    unsafe {
        let mut k = 0;
        while k < whole {
            let column = &*b.add(k).cast::<[T; L]>();
            for (i, acc) in acc.iter_mut().enumerate() {
                let row = &*a.offset(i as isize * s.a[0]).add(k).cast::<[T; L]>();
                for l in 0..L {
                    acc[l] = row[l].mul_add(column[l], acc[l]);
                }
            }
            k += L;
        }
        let rest = s.k - whole;
        if rest > 0 && s.k >= L {
            // The last L elements again, with those that were counted already set to zero.
            let start = s.k - L;
            let column = &*b.add(start).cast::<[T; L]>();
            for (i, acc) in acc.iter_mut().enumerate() {
                let row = &*a.offset(i as isize * s.a[0]).add(start).cast::<[T; L]>();
                for l in 0..L {
                    let fresh = l >= L - rest;
                    let (x, y) = (T::select(fresh, row[l], T::ZERO), T::select(fresh, column[l], T::ZERO));
                    acc[l] = x.mul_add(y, acc[l]);
                }
            }
        } else if rest > 0 {
            for (i, acc) in acc.iter_mut().enumerate() {
                let row = a.offset(i as isize * s.a[0]);
                for (l, acc) in acc.iter_mut().enumerate().take(rest) {
                    *acc = (*row.add(l)).mul_add(*b.add(l), *acc);
                }
            }
        }
        for (i, acc) in acc.iter_mut().enumerate() {
            let mut width = L / 2;
            while width > 0 {
                for l in 0..width {
                    acc[l] += acc[l + width];
                }
                width /= 2;
            }
            *c.offset(i as isize * s.c[0]) = acc[0];
        }
    }
}

#[inline(always)]
unsafe fn dots_columns<T: Real, const L: usize>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T) {
    // SAFETY: each tile stays within the m rows and n columns.
    unsafe {
        for j in 0..s.n as isize {
            let (b, c) = (b.offset(j * s.b[1]), c.offset(j * s.c[1]));
            let mut i = 0;
            while i < s.m {
                let (a, c) = (a.offset(i as isize * s.a[0]), c.offset(i as isize * s.c[0]));
                match s.m - i {
                    1 => dots_tile::<T, L, 1>(s, a, b, c),
                    2 => dots_tile::<T, L, 2>(s, a, b, c),
                    3 => dots_tile::<T, L, 3>(s, a, b, c),
                    4 | 6 | 7 | 8 => {
                        dots_tile::<T, L, 4>(s, a, b, c);
                        i += 4;
                        continue;
                    }
                    _ => {
                        dots_tile::<T, L, 5>(s, a, b, c);
                        i += 5;
                        continue;
                    }
                }
                break;
            }
        }
    }
}

multiversion! {
    /// Stride 1 along k in A and B. One vector is enough here: several products in flight hide the latency.
    unsafe fn dots<T: Real>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T, lanes: usize) {
        // SAFETY: the caller promises the strides.
        unsafe {
            match lanes {
                32 => dots_columns::<T, 16>(s, a, b, c),
                16 => dots_columns::<T, 8>(s, a, b, c),
                _ => dots_columns::<T, 4>(s, a, b, c),
            }
        }
    }
}

/// Large matrices: `matrixmultiply`, which packs panels for the caches.
unsafe fn blocked<T: Real>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T, _lanes: usize) {
    let id = std::any::TypeId::of::<T>();
    // SAFETY: the pointer types are those of T, and the strides keep all indices inside the caller's arrays.
    unsafe {
        if id == std::any::TypeId::of::<f64>() {
            let (a, b, c) = (a.cast::<f64>(), b.cast::<f64>(), c.cast::<f64>());
            matrixmultiply::dgemm(s.m, s.k, s.n, 1.0, a, s.a[0], s.a[1], b, s.b[0], s.b[1], 0.0, c, s.c[0], s.c[1]);
        } else if id == std::any::TypeId::of::<f32>() {
            let (a, b, c) = (a.cast::<f32>(), b.cast::<f32>(), c.cast::<f32>());
            matrixmultiply::sgemm(s.m, s.k, s.n, 1.0, a, s.a[0], s.a[1], b, s.b[0], s.b[1], 0.0, c, s.c[0], s.c[1]);
        } else {
            plain_body(s, a, b, c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every method against the plain triple loop, over sizes that exercise whole tiles, halves and rests.
    fn check<T: Real>(tolerance: f64) {
        for m in [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 50, 70] {
            for (n, k) in [(1, 1), (1, 50), (2, 5), (3, 9), (5, 5), (6, 17), (7, 33), (8, 4), (11, 50)] {
                let a: Vec<T> = (0..m * k).map(|i| T::from_f64((i as f64 * 0.7).sin())).collect();
                let b: Vec<T> = (0..k * n).map(|i| T::from_f64((i as f64 * 1.3).cos())).collect();
                let (im, ik, jn) = (m as isize, k as isize, n as isize);
                // A and C by columns for lanes; A by rows and B by columns for dots.
                let lanes = ProductSpec { m, n, k, a: [1, im], b: [jn, 1], c: [1, im] };
                let dots = ProductSpec { m, n, k, a: [ik, 1], b: [1, ik], c: [jn, 1] };
                for (method, s) in [(Method::Lanes, lanes), (Method::Dots, dots), (Method::Blocked, dots)] {
                    let mut got = vec![T::NAN; m * n];
                    let mut want = vec![T::NAN; m * n];
                    // SAFETY: the strides above describe dense arrays of these sizes.
                    unsafe {
                        product_kernel::<T>(method)(&s, a.as_ptr(), b.as_ptr(), got.as_mut_ptr(), tile_lanes::<T>());
                        plain_body(&s, a.as_ptr(), b.as_ptr(), want.as_mut_ptr());
                    }
                    for (g, w) in got.iter().zip(&want) {
                        let (g, w) = (g.to_f64(), w.to_f64());
                        // Sums of k products of numbers up to 1, in two orders: a few eps times k.
                        assert!((g - w).abs() <= tolerance * k as f64, "{method:?} {m}x{k}x{n}: {g} {w}");
                    }
                }
            }
        }
    }

    #[test]
    fn methods_agree_with_the_triple_loop() {
        check::<f64>(4.0 * f64::EPSILON);
        check::<f32>(4.0 * f64::from(f32::EPSILON));
    }
}
