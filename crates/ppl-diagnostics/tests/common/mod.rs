//! Random numbers and chains for tests.
#![allow(dead_code)] // each test file uses its share

use ndarray::{Array2, Axis};

/// SplitMix64 (Steele, Lea and Flood 2014), with normals by Box and Muller.
pub struct Random(pub u64);

impl Random {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Stationary chains with `x_t = phi x_{t-1} + sqrt(1 - phi^2) e_t`, standard normal margins.
pub fn ar1(seed: u64, chains: usize, draws: usize, phi: f64) -> Array2<f64> {
    let mut random = Random(seed);
    let mut x = Array2::zeros((chains, draws));
    for mut chain in x.axis_iter_mut(Axis(0)) {
        let mut last = random.normal();
        for v in &mut chain {
            *v = last;
            last = phi * last + (1.0 - phi * phi).sqrt() * random.normal();
        }
    }
    x
}
