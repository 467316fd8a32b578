//! Adamax: Adam with the largest gradient in place of the mean square.

use serde::{Deserialize, Serialize};

use super::{Update, pair};

/// Adamax: `m` as Adam's, `u = max(beta2 u, |g|)`, `p -= rate / (1 - beta1^t) m / (u + epsilon)`.
///
/// # Source
/// Kingma and Ba (2015), arXiv:1412.6980, section 7.1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adamax {
    /// The learning rate.
    pub rate: f64,
    /// The share of the mean of gradients that is kept, in [0, 1).
    pub beta1: f64,
    /// The share of the largest gradient that is kept, in [0, 1).
    pub beta2: f64,
    /// Keeps steps finite.
    pub epsilon: f64,
}

impl Adamax {
    /// With a learning rate, betas 0.9 and 0.999 and epsilon 1e-8.
    pub fn new(rate: f64) -> Self {
        Self { rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Default for Adamax {
    fn default() -> Self {
        Self::new(2e-3)
    }
}

impl Update for Adamax {
    fn buffers(&self) -> usize {
        2
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        let [means, largest] = pair(buffers);
        let rate = rate / (1.0 - self.beta1.powi(step.min(i32::MAX as u64) as i32));
        for (((p, g), m), u) in params.iter_mut().zip(gradient).zip(means).zip(largest) {
            *m = self.beta1 * *m + (1.0 - self.beta1) * g;
            *u = (self.beta2 * *u).max(g.abs());
            *p -= rate * *m / (*u + self.epsilon);
        }
    }
}
