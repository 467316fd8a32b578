//! Stochastic gradient descent, plain and with momentum.

use serde::{Deserialize, Serialize};

use super::{Update, first};

/// Stochastic gradient descent: `p -= rate g`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sgd {
    /// The learning rate.
    pub rate: f64,
}

impl Sgd {
    /// With a learning rate.
    pub fn new(rate: f64) -> Self {
        Self { rate }
    }
}

impl Default for Sgd {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

impl Update for Sgd {
    fn buffers(&self) -> usize {
        0
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, _step: u64, rate: f64, _buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        for (p, g) in params.iter_mut().zip(gradient) {
            *p -= rate * g;
        }
    }
}

/// Descent with momentum: `v = momentum v - rate g`, `p += v` (Polyak 1964).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Momentum {
    /// The learning rate.
    pub rate: f64,
    /// The share of the velocity that is kept, in [0, 1).
    pub momentum: f64,
}

impl Momentum {
    /// With a learning rate and momentum 0.9.
    pub fn new(rate: f64) -> Self {
        Self { rate, momentum: 0.9 }
    }
}

impl Default for Momentum {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

impl Update for Momentum {
    fn buffers(&self) -> usize {
        1
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, _step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        for ((p, g), v) in params.iter_mut().zip(gradient).zip(first(buffers)) {
            *v = self.momentum * *v - rate * g;
            *p += *v;
        }
    }
}

/// Nesterov's momentum, as the position after the look-ahead: `v = momentum v - rate g`, `p += momentum v - rate g`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nesterov {
    /// The learning rate.
    pub rate: f64,
    /// The share of the velocity that is kept, in [0, 1).
    pub momentum: f64,
}

impl Nesterov {
    /// With a learning rate and momentum 0.9.
    pub fn new(rate: f64) -> Self {
        Self { rate, momentum: 0.9 }
    }
}

impl Default for Nesterov {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

impl Update for Nesterov {
    fn buffers(&self) -> usize {
        1
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, _step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        for ((p, g), v) in params.iter_mut().zip(gradient).zip(first(buffers)) {
            *v = self.momentum * *v - rate * g;
            *p += self.momentum * *v - rate * g;
        }
    }
}
