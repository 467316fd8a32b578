//! RMSProp: steps scaled by a running mean of squared gradients.

use serde::{Deserialize, Serialize};

use super::{Update, first};

/// RMSProp: `s = decay s + (1 - decay) g^2`, `p -= rate g / sqrt(s + epsilon)`.
///
/// # Source
/// Tieleman and Hinton (2012), lecture 6.5; defaults of PyMC.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RmsProp {
    /// The learning rate.
    pub rate: f64,
    /// The share of the mean that is kept, in [0, 1).
    pub decay: f64,
    /// Keeps steps finite.
    pub epsilon: f64,
}

impl RmsProp {
    /// With a learning rate, decay 0.9 and epsilon 1e-6.
    pub fn new(rate: f64) -> Self {
        Self { rate, decay: 0.9, epsilon: 1e-6 }
    }
}

impl Default for RmsProp {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Update for RmsProp {
    fn buffers(&self) -> usize {
        1
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, _step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        for ((p, g), s) in params.iter_mut().zip(gradient).zip(first(buffers)) {
            *s = self.decay * *s + (1.0 - self.decay) * g * g;
            *p -= rate * g / (*s + self.epsilon).sqrt();
        }
    }
}
