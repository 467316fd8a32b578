//! Adagrad over a window of the last squared gradients: what PyMC's ADVI uses unless told otherwise.

use serde::{Deserialize, Serialize};

use super::Update;

/// Adagrad over a window: `p -= rate g / sqrt(sum of the last n squared gradients + epsilon)`.
///
/// The window starts with zeros. With the default rate of 0.001 a coordinate moves at most 0.001 a step, and about
/// `0.001 / sqrt(window)` where gradients are mostly noise: slow by design.
///
/// # Source
/// PyMC, `pymc/variational/updates.py` (`adagrad_window`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdagradWindow {
    /// The learning rate.
    pub rate: f64,
    /// Keeps the first steps finite.
    pub epsilon: f64,
    /// How many squared gradients are summed, at least 1.
    pub window: usize,
}

impl AdagradWindow {
    /// With a learning rate, epsilon 0.1 and a window of 10.
    pub fn new(rate: f64) -> Self {
        Self { rate, epsilon: 0.1, window: 10 }
    }
}

impl Default for AdagradWindow {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

impl Update for AdagradWindow {
    /// The window as a ring, and the sums.
    fn buffers(&self) -> usize {
        self.window.max(1) + 1
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        let Some((sums, ring)) = buffers.split_last_mut() else { return };
        let at = ((step - 1) % ring.len().max(1) as u64) as usize;
        for (square, g) in ring[at].iter_mut().zip(gradient) {
            *square = g * g;
        }
        // Summed anew: a running sum would keep what rounding left of a large gradient.
        sums.fill(self.epsilon);
        for squares in ring.iter() {
            for (sum, square) in sums.iter_mut().zip(squares) {
                *sum += square;
            }
        }
        for ((p, g), sum) in params.iter_mut().zip(gradient).zip(sums.iter()) {
            *p -= rate * g / sum.sqrt();
        }
    }
}
