//! The step-size sequence of Stan's ADVI.

use serde::{Deserialize, Serialize};

use super::{Update, first};

/// Stan's ADVI: `s = g^2` at first, then `s = (1 - share) s + share g^2`; `p -= rate / sqrt(t) g / (1 + sqrt(s))`.
///
/// # Source
/// Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), JMLR 18(14), section 2.6.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StanAdagrad {
    /// The learning rate, eta.
    pub rate: f64,
    /// The share of the newest squared gradient, in (0, 1].
    pub share: f64,
}

impl StanAdagrad {
    /// With a learning rate and share 0.1.
    pub fn new(rate: f64) -> Self {
        Self { rate, share: 0.1 }
    }
}

impl Default for StanAdagrad {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Update for StanAdagrad {
    fn buffers(&self) -> usize {
        1
    }
    fn rate(&self) -> f64 {
        self.rate
    }
    fn update(&self, step: u64, rate: f64, buffers: &mut [Vec<f64>], params: &mut [f64], gradient: &[f64]) {
        let share = if step == 1 { 1.0 } else { self.share };
        let rate = rate / (step as f64).sqrt();
        for ((p, g), s) in params.iter_mut().zip(gradient).zip(first(buffers)) {
            *s = (1.0 - share) * *s + share * g * g;
            *p -= rate * g / (1.0 + s.sqrt());
        }
    }
}
