//! Vectors held in registers, for the kernels that a compiler does not vectorise well from scalar code.
//!
//! A vector has as many lanes on every instruction set (one register of AVX-512, two of AVX2, an array elsewhere), so
//! that sums over lanes round alike on all of them.

use crate::real::Real;

/// 512 bits of numbers.
///
/// # Safety
/// Methods may be called only where the instruction set of the type is available, with pointers to as many readable or
/// writable elements as the method moves.
pub(crate) trait Vector: Copy {
    type Number: Real;
    const LANES: usize;
    /// Whether there are registers for 25 of them and some more.
    const MANY: bool;

    unsafe fn splat(x: Self::Number) -> Self;
    unsafe fn load(from: *const Self::Number) -> Self;
    /// The first `n` lanes, at most all, and zeros.
    unsafe fn load_first(from: *const Self::Number, n: usize) -> Self;
    unsafe fn store(self, to: *mut Self::Number);
    /// Only the first `n` lanes, at most all.
    unsafe fn store_first(self, to: *mut Self::Number, n: usize);
    /// `self * factor + addend` with one rounding.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `addend - self * factor` with one rounding.
    unsafe fn neg_mul_add(self, factor: Self, addend: Self) -> Self;
    unsafe fn mul(self, factor: Self) -> Self;
    unsafe fn add(self, addend: Self) -> Self;
    /// All lanes added up, halves onto halves.
    unsafe fn sum(self) -> Self::Number;
    /// The sum of each vector; `to` has room for as many, in whole vectors.
    #[inline(always)]
    unsafe fn sums(vectors: &[Self], to: &mut [Self::Number]) {
        for (to, v) in to.iter_mut().zip(vectors) {
            // SAFETY: the caller's.
            *to = unsafe { v.sum() };
        }
    }
}

/// Vectors that can be taken apart and put together otherwise.
///
/// # Safety
/// As of [`Vector`].
pub(crate) trait Interleave: Vector {
    /// The lanes of both in turn: the first of each, the second of each, and so on.
    unsafe fn interleave(self, other: Self) -> [Self; 2];
}

/// An array as a vector, where nothing better is known.
#[derive(Clone, Copy)]
pub(crate) struct Portable<T, const L: usize>([T; L]);

impl<T: Real, const L: usize> Vector for Portable<T, L> {
    type Number = T;
    const LANES: usize = L;
    const MANY: bool = false;

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Self([x; L])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: L elements can be read.
        Self(unsafe { *from.cast::<[T; L]>() })
    }
    #[inline(always)]
    unsafe fn load_first(from: *const T, n: usize) -> Self {
        let mut v = [T::ZERO; L];
        for (l, v) in v.iter_mut().enumerate().take(n) {
            // SAFETY: n elements can be read.
            *v = unsafe { *from.add(l) };
        }
        Self(v)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: L elements can be written.
        unsafe { *to.cast::<[T; L]>() = self.0 }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, n: usize) {
        for (l, v) in self.0.iter().enumerate().take(n) {
            // SAFETY: n elements can be written.
            unsafe { *to.add(l) = *v };
        }
    }
    #[inline(always)]
    unsafe fn mul_add(mut self, factor: Self, addend: Self) -> Self {
        for ((x, &f), &a) in self.0.iter_mut().zip(&factor.0).zip(&addend.0) {
            *x = x.mul_add(f, a);
        }
        self
    }
    #[inline(always)]
    unsafe fn neg_mul_add(mut self, factor: Self, addend: Self) -> Self {
        for ((x, &f), &a) in self.0.iter_mut().zip(&factor.0).zip(&addend.0) {
            *x = (-*x).mul_add(f, a);
        }
        self
    }
    #[inline(always)]
    unsafe fn mul(mut self, factor: Self) -> Self {
        for (x, &f) in self.0.iter_mut().zip(&factor.0) {
            *x *= f;
        }
        self
    }
    #[inline(always)]
    unsafe fn add(mut self, addend: Self) -> Self {
        for (x, &a) in self.0.iter_mut().zip(&addend.0) {
            *x += a;
        }
        self
    }
    #[inline(always)]
    unsafe fn sum(mut self) -> T {
        let mut width = L / 2;
        while width > 0 {
            for l in 0..width {
                let other = self.0[l + width];
                self.0[l] += other;
            }
            width /= 2;
        }
        self.0[0]
    }
}

impl<T: Real, const L: usize> Interleave for Portable<T, L> {
    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> [Self; 2] {
        let mut next = [self; 2];
        for l in 0..L {
            next[2 * l / L].0[2 * l % L] = self.0[l];
            next[(2 * l + 1) / L].0[(2 * l + 1) % L] = other.0[l];
        }
        next
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2F32, Avx2F64, Avx512F32, Avx512F64};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Interleave, Vector};

    #[derive(Clone, Copy)]
    pub(crate) struct Avx512F64(__m512d);
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512F32(__m512);
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2F64([__m256d; 2]);
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2F32([__m256; 2]);

    /// Four lanes onto one, then 2 + 0 and 3 + 1, then odd + even.
    ///
    /// # Safety
    /// AVX2 must be available.
    #[inline(always)]
    unsafe fn sum_f64(x: __m256d) -> f64 {
        // SAFETY: the caller's.
        unsafe {
            let x = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
            _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)))
        }
    }

    /// # Safety
    /// AVX2 must be available.
    #[inline(always)]
    unsafe fn sum_f32(x: __m256) -> f32 {
        // SAFETY: the caller's.
        unsafe {
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps::<1>(x, x)))
        }
    }

    macro_rules! avx512 {
        ($name:ident, $t:ident, $lanes:literal, $mask:ident, $set1:ident, $load:ident, $mask_load:ident,
            $store:ident, $mask_store:ident, $fma:ident, $neg_fma:ident, $mul:ident, $add:ident, |$x:ident| $sum:expr,
            $($sums:item)?) => {
            impl Vector for $name {
                type Number = $t;
                const LANES: usize = $lanes;
                const MANY: bool = true;

                #[inline(always)]
                unsafe fn splat(x: $t) -> Self {
                    // SAFETY: the caller's, as in all methods.
                    Self(unsafe { $set1(x) })
                }
                #[inline(always)]
                unsafe fn load(from: *const $t) -> Self {
                    // SAFETY: the caller's.
                    Self(unsafe { $load(from) })
                }
                #[inline(always)]
                unsafe fn load_first(from: *const $t, n: usize) -> Self {
                    // SAFETY: the caller's; masked lanes are not touched.
                    Self(unsafe { $mask_load(((1u32 << n) - 1) as $mask, from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $t) {
                    // SAFETY: the caller's.
                    unsafe { $store(to, self.0) }
                }
                #[inline(always)]
                unsafe fn store_first(self, to: *mut $t, n: usize) {
                    // SAFETY: the caller's; masked lanes are not touched.
                    unsafe { $mask_store(to, ((1u32 << n) - 1) as $mask, self.0) }
                }
                #[inline(always)]
                unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
                    // SAFETY: the caller's.
                    Self(unsafe { $fma(self.0, factor.0, addend.0) })
                }
                #[inline(always)]
                unsafe fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                    // SAFETY: the caller's.
                    Self(unsafe { $neg_fma(self.0, factor.0, addend.0) })
                }
                #[inline(always)]
                unsafe fn mul(self, factor: Self) -> Self {
                    // SAFETY: the caller's.
                    Self(unsafe { $mul(self.0, factor.0) })
                }
                #[inline(always)]
                unsafe fn add(self, addend: Self) -> Self {
                    // SAFETY: the caller's.
                    Self(unsafe { $add(self.0, addend.0) })
                }
                #[inline(always)]
                unsafe fn sum(self) -> $t {
                    let $x = self.0;
                    // SAFETY: the caller's.
                    unsafe { $sum }
                }
                $($sums)?
            }
        };
    }

    avx512!(
        Avx512F64,
        f64,
        8,
        __mmask8,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_maskz_loadu_pd,
        _mm512_storeu_pd,
        _mm512_mask_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_fnmadd_pd,
        _mm512_mul_pd,
        _mm512_add_pd,
        |x| sum_f64(_mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd::<1>(x))),
        /// Eight at a time: the halves of pairs side by side, then of those, so that each addition serves all lanes.
        #[inline(always)]
        unsafe fn sums(vectors: &[Self], to: &mut [f64]) {
            for (v, to) in vectors.chunks(8).zip(to.chunks_exact_mut(8)) {
                // SAFETY: the caller's.
                unsafe {
                    let at = |i: usize| v.get(i).map_or(_mm512_setzero_pd(), |v| v.0);
                    let halves =
                        |x, y| _mm512_add_pd(_mm512_shuffle_f64x2::<0x44>(x, y), _mm512_shuffle_f64x2::<0xEE>(x, y));
                    let quarters =
                        |x, y| _mm512_add_pd(_mm512_shuffle_f64x2::<0x88>(x, y), _mm512_shuffle_f64x2::<0xDD>(x, y));
                    let even = quarters(halves(at(0), at(2)), halves(at(4), at(6)));
                    let odd = quarters(halves(at(1), at(3)), halves(at(5), at(7)));
                    let sums = _mm512_add_pd(_mm512_unpacklo_pd(even, odd), _mm512_unpackhi_pd(even, odd));
                    _mm512_storeu_pd(to.as_mut_ptr(), sums);
                }
            }
        }
    );
    avx512!(
        Avx512F32,
        f32,
        16,
        __mmask16,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_maskz_loadu_ps,
        _mm512_storeu_ps,
        _mm512_mask_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_fnmadd_ps,
        _mm512_mul_ps,
        _mm512_add_ps,
        |x| sum_f32(_mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x))),
        /// Sixteen at a time, as in double precision.
        #[inline(always)]
        unsafe fn sums(vectors: &[Self], to: &mut [f32]) {
            for (v, to) in vectors.chunks(16).zip(to.chunks_exact_mut(16)) {
                // SAFETY: the caller's.
                unsafe {
                    let at = |i: usize| v.get(i).map_or(_mm512_setzero_ps(), |v| v.0);
                    let halves =
                        |x, y| _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(x, y), _mm512_shuffle_f32x4::<0xEE>(x, y));
                    let quarters =
                        |x, y| _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(x, y), _mm512_shuffle_f32x4::<0xDD>(x, y));
                    // Four numbers of each fourth vector.
                    let four = |i: usize| quarters(halves(at(i), at(i + 4)), halves(at(i + 8), at(i + 12)));
                    let two = |x, y| {
                        let (x, y) = (_mm512_castps_pd(x), _mm512_castps_pd(y));
                        let (low, high) = (_mm512_unpacklo_pd(x, y), _mm512_unpackhi_pd(x, y));
                        _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high))
                    };
                    let (even, odd) = (two(four(0), four(1)), two(four(2), four(3)));
                    let sums =
                        _mm512_add_ps(_mm512_shuffle_ps::<0x88>(even, odd), _mm512_shuffle_ps::<0xDD>(even, odd));
                    _mm512_storeu_ps(to.as_mut_ptr(), sums);
                }
            }
        }
    );

    macro_rules! avx2 {
        ($name:ident, $t:ident, $bits:ident, $lanes:literal, $set1:ident, $load:ident, $mask_load:ident,
            $store:ident, $mask_store:ident, $fma:ident, $neg_fma:ident, $mul:ident, $add:ident, $sum:ident) => {
            impl $name {
                /// The masks of the first `n` lanes.
                #[inline(always)]
                unsafe fn first(n: usize) -> [__m256i; 2] {
                    const HALF: usize = $lanes / 2;
                    static ONES_THEN_ZEROS: [$bits; 2 * $lanes] = {
                        let mut bits = [0; 2 * $lanes];
                        let mut i = 0;
                        while i < $lanes {
                            bits[i] = -1;
                            i += 1;
                        }
                        bits
                    };
                    // SAFETY: n is at most the number of lanes, so both windows lie in the table.
                    unsafe {
                        let from = ONES_THEN_ZEROS.as_ptr().add($lanes - n);
                        [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(HALF).cast())]
                    }
                }
            }

            impl Vector for $name {
                type Number = $t;
                const LANES: usize = $lanes;
                const MANY: bool = false;

                #[inline(always)]
                unsafe fn splat(x: $t) -> Self {
                    // SAFETY: the caller's, as in all methods.
                    unsafe { Self([$set1(x); 2]) }
                }
                #[inline(always)]
                unsafe fn load(from: *const $t) -> Self {
                    // SAFETY: the caller's.
                    unsafe { Self([$load(from), $load(from.add($lanes / 2))]) }
                }
                #[inline(always)]
                unsafe fn load_first(from: *const $t, n: usize) -> Self {
                    // SAFETY: the caller's; masked lanes are not touched.
                    unsafe {
                        let [low, high] = Self::first(n);
                        Self([$mask_load(from, low), $mask_load(from.wrapping_add($lanes / 2), high)])
                    }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut $t) {
                    // SAFETY: the caller's.
                    unsafe {
                        $store(to, self.0[0]);
                        $store(to.add($lanes / 2), self.0[1]);
                    }
                }
                #[inline(always)]
                unsafe fn store_first(self, to: *mut $t, n: usize) {
                    // SAFETY: the caller's; masked lanes are not touched.
                    unsafe {
                        let [low, high] = Self::first(n);
                        $mask_store(to, low, self.0[0]);
                        $mask_store(to.wrapping_add($lanes / 2), high, self.0[1]);
                    }
                }
                #[inline(always)]
                unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
                    // SAFETY: the caller's.
                    unsafe {
                        Self([$fma(self.0[0], factor.0[0], addend.0[0]), $fma(self.0[1], factor.0[1], addend.0[1])])
                    }
                }
                #[inline(always)]
                unsafe fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                    // SAFETY: the caller's.
                    unsafe {
                        Self([
                            $neg_fma(self.0[0], factor.0[0], addend.0[0]),
                            $neg_fma(self.0[1], factor.0[1], addend.0[1]),
                        ])
                    }
                }
                #[inline(always)]
                unsafe fn mul(self, factor: Self) -> Self {
                    // SAFETY: the caller's.
                    unsafe { Self([$mul(self.0[0], factor.0[0]), $mul(self.0[1], factor.0[1])]) }
                }
                #[inline(always)]
                unsafe fn add(self, addend: Self) -> Self {
                    // SAFETY: the caller's.
                    unsafe { Self([$add(self.0[0], addend.0[0]), $add(self.0[1], addend.0[1])]) }
                }
                #[inline(always)]
                unsafe fn sum(self) -> $t {
                    // SAFETY: the caller's.
                    unsafe { $sum($add(self.0[0], self.0[1])) }
                }
            }
        };
    }

    avx2!(
        Avx2F64,
        f64,
        i64,
        8,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_maskload_pd,
        _mm256_storeu_pd,
        _mm256_maskstore_pd,
        _mm256_fmadd_pd,
        _mm256_fnmadd_pd,
        _mm256_mul_pd,
        _mm256_add_pd,
        sum_f64
    );
    avx2!(
        Avx2F32,
        f32,
        i32,
        16,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_maskload_ps,
        _mm256_storeu_ps,
        _mm256_maskstore_ps,
        _mm256_fmadd_ps,
        _mm256_fnmadd_ps,
        _mm256_mul_ps,
        _mm256_add_ps,
        sum_f32
    );

    impl Interleave for Avx512F64 {
        #[inline(always)]
        unsafe fn interleave(self, other: Self) -> [Self; 2] {
            // SAFETY: the caller's.
            unsafe {
                let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
                let high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
                [low, high].map(|order| Self(_mm512_permutex2var_pd(self.0, order, other.0)))
            }
        }
    }

    impl Interleave for Avx2F64 {
        #[inline(always)]
        unsafe fn interleave(self, other: Self) -> [Self; 2] {
            let half = |i: usize| {
                // SAFETY: the caller's.
                unsafe {
                    let low = _mm256_unpacklo_pd(self.0[i], other.0[i]);
                    let high = _mm256_unpackhi_pd(self.0[i], other.0[i]);
                    Self([_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high)])
                }
            };
            [half(0), half(1)]
        }
    }
}
