//! Adam, and Adam with decoupled weight decay.

use serde::{Deserialize, Serialize};

use super::{Update, pair};

/// Adam: running means m of gradients and v of their squares, corrected for their start at zero;
/// `p -= rate m^ / (sqrt(v^) + epsilon)`.
///
/// # Source
/// Kingma and Ba (2015), arXiv:1412.6980.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    /// The learning rate.
    pub rate: f64,
    /// The share of the mean of gradients that is kept, in [0, 1).
    pub beta1: f64,
    /// The share of the mean of squares that is kept, in [0, 1).
    pub beta2: f64,
    /// Keeps steps finite.
    pub epsilon: f64,
}

impl Adam {
    /// With a learning rate, betas 0.9 and 0.999 and epsilon 1e-8.
    pub fn new(rate: f64) -> Self {
        Self { rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Default for Adam {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

impl Update for Adam {
    fn buffers(&self) -> usize {
        2
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        let [means, squares] = pair(buffers);
        let exponent = step.min(i32::MAX as u64) as i32;
        let by_mean = rate / (1.0 - self.beta1.powi(exponent));
        let by_square = 1.0 / (1.0 - self.beta2.powi(exponent));
        let n = params.len();
        let (gradient, means, squares) = (&gradient[..n], &mut means[..n], &mut squares[..n]);
        for i in 0..n {
            let g = gradient[i];
            means[i] = self.beta1 * means[i] + (1.0 - self.beta1) * g;
            squares[i] = self.beta2 * squares[i] + (1.0 - self.beta2) * (g * g);
            params[i] -= by_mean * means[i] / ((squares[i] * by_square).sqrt() + self.epsilon);
        }
    }
}

/// Adam with decoupled weight decay: `p -= rate decay p` beside Adam's step.
///
/// # Source
/// Loshchilov and Hutter (2019), arXiv:1711.05101.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// Adam's settings.
    pub adam: Adam,
    /// The weight decay.
    pub decay: f64,
}

impl AdamW {
    /// With a learning rate, decay 0.01 and Adam's defaults.
    pub fn new(rate: f64) -> Self {
        Self { adam: Adam::new(rate), decay: 0.01 }
    }
}

impl Default for AdamW {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

impl Update for AdamW {
    fn buffers(&self) -> usize {
        2
    }
    fn rate(&self) -> f64 {
        self.adam.rate
    }
    fn update(&self, step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        params.iter_mut().for_each(|p| *p -= rate * self.decay * *p);
        self.adam.update(step, rate, buffers, params, gradient);
    }
}
