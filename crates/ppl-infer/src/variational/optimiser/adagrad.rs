//! Adagrad: the step of a coordinate shrinks with the sum of its squared gradients.

use serde::{Deserialize, Serialize};

use super::{Update, first};

/// Adagrad: `s += g^2`, `p -= rate g / sqrt(s + epsilon)`.
///
/// # Source
/// Duchi, Hazan and Singer (2011), JMLR 12; defaults of PyMC.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adagrad {
    /// The learning rate.
    pub rate: f64,
    /// Keeps the first steps finite.
    pub epsilon: f64,
}

impl Adagrad {
    /// With a learning rate and epsilon 1e-6.
    pub fn new(rate: f64) -> Self {
        Self { rate, epsilon: 1e-6 }
    }
}

impl Default for Adagrad {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Update for Adagrad {
    fn buffers(&self) -> usize {
        1
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, _step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        for ((p, g), s) in params.iter_mut().zip(gradient).zip(first(buffers)) {
            *s += g * g;
            *p -= rate * g / (*s + self.epsilon).sqrt();
        }
    }
}
