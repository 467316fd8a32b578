//! Gradients written by hand, each for its one shape: what programs are measured against.
//!
//! Activations lie feature by feature, so every loop runs along the rows. Only the elementary functions are the library's.

#![allow(clippy::needless_range_loop, reason = "the loops run along rows of several arrays at once")]

mod flat;
mod hierarchical;

pub use flat::Flat;
pub use hierarchical::Hierarchical;

const HIDDEN: usize = 5;
const HALF_LN_2PI: f64 = 0.918_938_533_204_672_7;

/// `gradient`, compiled for the widest vectors that the machine has, from an inlined `body`.
macro_rules! widest {
    () => {
        /// The log-density; writes its gradient.
        pub fn gradient(&mut self, p: &[f64], g: &mut [f64]) -> f64 {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                // SAFETY: the features were just found.
                return unsafe { self.avx512(p, g) };
            } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the features were just found.
                return unsafe { self.avx2(p, g) };
            }
            self.body(p, g)
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        fn avx512(&mut self, p: &[f64], g: &mut [f64]) -> f64 {
            self.body(p, g)
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2(&mut self, p: &[f64], g: &mut [f64]) -> f64 {
            self.body(p, g)
        }
    };
}
use widest;

#[inline(always)]
fn dot<const R: usize>(a: &[f64; R], b: &[f64; R]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for l in 0..8 {
            sums[l] = a[l].mul_add(b[l], sums[l]);
        }
    }
    sums.iter().sum()
}

/// The sum of the first `n` rows.
#[inline(always)]
fn sum<const R: usize>(x: &[f64; R], n: usize) -> f64 {
    let mut sums = [0.0; 8];
    for (r, x) in x[..n].iter().enumerate() {
        sums[r % 8] += x;
    }
    sums.iter().sum()
}

/// `out[j] = sum_i x[i] w[i, j]`: all rows of all columns in vectors of eight, which stay in registers.
#[inline(always)]
fn forward<const I: usize, const R: usize>(x: &[[f64; R]; I], w: &[f64], out: &mut [[f64; R]; HIDDEN]) {
    for (j, out) in out.iter_mut().enumerate() {
        for r in 0..R {
            let mut sum = 0.0;
            for i in 0..I {
                sum = x[i][r].mul_add(w[i * HIDDEN + j], sum);
            }
            out[r] = sum;
        }
    }
}

/// `out[i, j] = x[i] . y[j]`.
#[inline(always)]
fn products<const I: usize, const R: usize>(x: &[[f64; R]; I], y: &[[f64; R]; HIDDEN], out: &mut [f64]) {
    for i in 0..I {
        for j in 0..HIDDEN {
            out[i * HIDDEN + j] = dot(&x[i], &y[j]);
        }
    }
}
