//! Matrix products of the sizes that models have: batched, tiny, tall and narrow, up to some hundreds in each direction.
//!
//! One strided form `C[i, j] = sum_k A[i, k] B[k, j]` has two methods. *Lanes*: SIMD lanes run along `i`, which has
//! stride 1 in A and C, while elements of B are broadcast (its mirror image, lanes along `j`, is the transposed
//! product). *Dots*: lanes run along `k`, several dot products at once, so that loads are shared.
//! Neither packs panels, so nothing is allocated, and all give the same bits on every instruction set.

mod dots;
mod lanes;

use std::any::Any;

use crate::kernels::dispatch::Isa;
use crate::kernels::vector::Portable;
#[cfg(target_arch = "x86_64")]
use crate::kernels::vector::{Avx2F32, Avx2F64, Avx512F32, Avx512F64};
use crate::real::Real;

/// How a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Lanes,
    Dots,
    Plain,
}

/// Extents and strides of equal products, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProductSpec {
    /// How many products, and from one to the next the steps in A, B and C.
    pub count: usize,
    pub steps: [isize; 3],
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
        let [a, b, c] = self.steps;
        Self {
            steps: [b, a, c],
            m: self.n,
            n: self.m,
            a: [self.b[1], self.b[0]],
            b: [self.a[1], self.a[0]],
            c: [self.c[1], self.c[0]],
            ..self
        }
    }

    /// Where A, B and C of product `i` start.
    #[inline(always)]
    fn start<T>(&self, i: usize, a: *const T, b: *const T, c: *mut T) -> (*const T, *const T, *mut T) {
        let [x, y, z] = self.steps;
        let i = i as isize;
        (a.wrapping_offset(i * x), b.wrapping_offset(i * y), c.wrapping_offset(i * z))
    }
}

/// The products of a specification of A and B; C is overwritten. By [`Method::Lanes`] also the products times `1 - y^2`,
/// the slope of tanh, where `y` is not null; it lies as C does, and may be where C is.
pub(crate) type ProductKernel<T> = unsafe fn(spec: &ProductSpec, a: *const T, b: *const T, c: *mut T, y: *const T);

/// Elements in a vector of the kernels, the same on every instruction set.
pub(crate) const fn vector_lanes<T>() -> usize {
    64 / size_of::<T>()
}

/// The kernel for a method.
pub(crate) fn product_kernel<T: Real>(method: Method) -> ProductKernel<T> {
    let kernels: (ProductKernel<f64>, ProductKernel<f32>) = match (method, Isa::current()) {
        (Method::Plain, _) => return plain::<T>,
        #[cfg(target_arch = "x86_64")]
        (Method::Lanes, Isa::Avx512) => (lanes::avx512::<Avx512F64>, lanes::avx512::<Avx512F32>),
        #[cfg(target_arch = "x86_64")]
        (Method::Lanes, Isa::Avx2) => (lanes::avx2::<Avx2F64>, lanes::avx2::<Avx2F32>),
        #[cfg(target_arch = "x86_64")]
        (Method::Dots, Isa::Avx512) => (dots::avx512::<Avx512F64>, dots::avx512::<Avx512F32>),
        #[cfg(target_arch = "x86_64")]
        (Method::Dots, Isa::Avx2) => (dots::avx2::<Avx2F64>, dots::avx2::<Avx2F32>),
        (Method::Lanes, _) => (lanes::products::<Portable<f64, 8>>, lanes::products::<Portable<f32, 16>>),
        (Method::Dots, _) => (dots::products::<Portable<f64, 8>>, dots::products::<Portable<f32, 16>>),
    };
    let (double, single): (&dyn Any, &dyn Any) = (&kernels.0, &kernels.1);
    let kernel = double.downcast_ref().or_else(|| single.downcast_ref());
    kernel.copied().unwrap_or(plain::<T>)
}

/// Compiles `products` for the instruction sets.
macro_rules! for_instruction_sets {
    () => {
        /// # Safety
        /// That of `products`, and AVX-512 must be available.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        pub(super) unsafe fn avx512<V: Vector>(
            s: &ProductSpec,
            a: *const V::Number,
            b: *const V::Number,
            c: *mut V::Number,
            y: *const V::Number,
        ) {
            // SAFETY: the caller's.
            unsafe { products::<V>(s, a, b, c, y) }
        }

        /// # Safety
        /// That of `products`, and AVX2 and FMA must be available.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        pub(super) unsafe fn avx2<V: Vector>(
            s: &ProductSpec,
            a: *const V::Number,
            b: *const V::Number,
            c: *mut V::Number,
            y: *const V::Number,
        ) {
            // SAFETY: the caller's.
            unsafe { products::<V>(s, a, b, c, y) }
        }
    };
}
use for_instruction_sets;

/// The triple loop.
unsafe fn plain<T: Real>(s: &ProductSpec, a: *const T, b: *const T, c: *mut T, y: *const T) {
    debug_assert!(y.is_null(), "slopes are for products by lanes");
    // SAFETY: the caller's strides keep all indices inside its arrays.
    unsafe {
        for product in 0..s.count {
            let (a, b, c) = s.start(product, a, b, c);
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
}

#[cfg(test)]
mod tests {
    use std::ptr::null;

    use super::*;

    /// Every method against the plain triple loop, over sizes that exercise whole tiles, halves and rests.
    fn check<T: Real>(tolerance: f64) {
        for m in [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 50, 70] {
            for (n, k) in [(1, 1), (1, 50), (2, 5), (3, 9), (5, 5), (6, 17), (7, 33), (8, 4), (11, 50)] {
                let a: Vec<T> = (0..m * k).map(|i| T::from_f64((i as f64 * 0.7).sin())).collect();
                let b: Vec<T> = (0..k * n).map(|i| T::from_f64((i as f64 * 1.3).cos())).collect();
                let (im, ik, jn) = (m as isize, k as isize, n as isize);
                // A and C by columns for lanes; A by rows and B by columns for dots.
                let one = |m, n, k| ProductSpec { count: 1, steps: [0; 3], m, n, k, a: [0; 2], b: [0; 2], c: [0; 2] };
                let lanes = ProductSpec { a: [1, im], b: [jn, 1], c: [1, im], ..one(m, n, k) };
                let dots = ProductSpec { a: [ik, 1], b: [1, ik], c: [jn, 1], ..one(m, n, k) };
                for (method, s) in [(Method::Lanes, lanes), (Method::Dots, dots)] {
                    let mut got = vec![T::NAN; m * n];
                    let mut want = vec![T::NAN; m * n];
                    // SAFETY: the strides above describe dense arrays of these sizes.
                    unsafe {
                        product_kernel::<T>(method)(&s, a.as_ptr(), b.as_ptr(), got.as_mut_ptr(), null());
                        plain(&s, a.as_ptr(), b.as_ptr(), want.as_mut_ptr(), null());
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

    /// Every instruction set that this machine has against the portable vectors, bit for bit, with two products in a
    /// row and room around C that must stay as it is.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn instruction_sets_give_the_same_bits() {
        fn same<T: Real>(s: &ProductSpec, portable: ProductKernel<T>, other: ProductKernel<T>, with_slopes: bool) {
            same_times::<T>(s, portable, other, null());
            if with_slopes {
                let y: Vec<T> = (0..2 * s.m * s.n).map(|i| T::from_f64((i as f64 * 0.9).cos())).collect();
                let c = same_times::<T>(s, portable, other, y.as_ptr());
                for kernel in [portable, other] {
                    let mut over = y.clone();
                    let at = over.as_mut_ptr();
                    let (a, b) = operands::<T>(s);
                    // SAFETY: as below, with y in the place of C.
                    unsafe { kernel(s, a.as_ptr(), b.as_ptr(), at, at) };
                    assert!(over[..] == c[..over.len()], "{s:?}");
                }
            }
        }
        fn operands<T: Real>(s: &ProductSpec) -> (Vec<T>, Vec<T>) {
            let numbers = |n: usize| -> Vec<T> { (0..n).map(|i| T::from_f64((i as f64 * 0.7).sin())).collect() };
            (numbers(2 * s.m * s.k), numbers(2 * s.k * s.n + 1))
        }
        fn same_times<T: Real>(
            s: &ProductSpec,
            portable: ProductKernel<T>,
            other: ProductKernel<T>,
            y: *const T,
        ) -> Vec<T> {
            let (a, b) = operands::<T>(s);
            let mut c = [vec![T::TWO; 2 * s.m * s.n + 9], vec![T::TWO; 2 * s.m * s.n + 9]];
            for (kernel, c) in [portable, other].into_iter().zip(&mut c) {
                // SAFETY: the strides describe two dense products, and the caller looked for the instruction set.
                unsafe { kernel(s, a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), y) };
            }
            assert!(c[0] == c[1], "{s:?}");
            assert!(c[0][2 * s.m * s.n..].iter().all(|x| *x == T::TWO));
            c[0].clone()
        }
        let narrow =
            (1..20).flat_map(|vectors| [(8 * vectors - 3, 1, 1 + vectors % 7), (8 * vectors - 5, 5, vectors % 6 + 1)]);
        for (m, n, k) in [(50, 5, 2), (7, 1, 50), (19, 6, 3), (3, 8, 70), (130, 4, 5)].into_iter().chain(narrow) {
            let (im, ik, jn) = (m as isize, k as isize, n as isize);
            let steps = [im * ik, ik * jn, im * jn];
            let s = ProductSpec { count: 2, steps, m, n, k, a: [1, im], b: [jn, 1], c: [1, im] };
            let d = ProductSpec { a: [ik, 1], b: [1, ik], c: [jn, 1], ..s };
            if Isa::Avx512.is_available() {
                same(&s, lanes::products::<Portable<f64, 8>>, lanes::avx512::<Avx512F64>, true);
                same(&s, lanes::products::<Portable<f32, 16>>, lanes::avx512::<Avx512F32>, true);
                same(&d, dots::products::<Portable<f64, 8>>, dots::avx512::<Avx512F64>, false);
                same(&d, dots::products::<Portable<f32, 16>>, dots::avx512::<Avx512F32>, false);
            }
            if Isa::Avx2.is_available() {
                same(&s, lanes::products::<Portable<f64, 8>>, lanes::avx2::<Avx2F64>, true);
                same(&s, lanes::products::<Portable<f32, 16>>, lanes::avx2::<Avx2F32>, true);
                same(&d, dots::products::<Portable<f64, 8>>, dots::avx2::<Avx2F64>, false);
                same(&d, dots::products::<Portable<f32, 16>>, dots::avx2::<Avx2F32>, false);
            }
        }
    }
}
