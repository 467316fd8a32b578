//! Adadelta: steps in the units of the parameters.

use serde::{Deserialize, Serialize};

use super::{Update, pair};

/// Adadelta: `s = decay s + (1 - decay) g^2`, `u = g sqrt(d + epsilon) / sqrt(s + epsilon)`, `p -= rate u`,
/// `d = decay d + (1 - decay) u^2`.
///
/// # Source
/// Zeiler (2012), arXiv:1212.5701; defaults of PyMC.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adadelta {
    /// The learning rate.
    pub rate: f64,
    /// The share of the means that is kept, in [0, 1).
    pub decay: f64,
    /// Starts the steps.
    pub epsilon: f64,
}

impl Adadelta {
    /// With a learning rate, decay 0.95 and epsilon 1e-6.
    pub fn new(rate: f64) -> Self {
        Self { rate, decay: 0.95, epsilon: 1e-6 }
    }
}

impl Default for Adadelta {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Update for Adadelta {
    fn buffers(&self) -> usize {
        2
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, _step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        let [squares, steps] = pair(buffers);
        for (((p, g), s), d) in params.iter_mut().zip(gradient).zip(squares).zip(steps) {
            *s = self.decay * *s + (1.0 - self.decay) * g * g;
            let u = g * ((*d + self.epsilon) / (*s + self.epsilon)).sqrt();
            *p -= rate * u;
            *d = self.decay * *d + (1.0 - self.decay) * u * u;
        }
    }
}
