//! E-BFMI: does resampling the momentum let the sampler walk through all energies of the posterior?

use crate::chains::{MIN_DRAWS, mean};
use ndarray::ArrayView2;

/// Energy Bayesian fraction of missing information of every chain, from energies of shape `(chain, draw)`:
/// `sum_t (E_t - E_{t-1})^2 / sum_t (E_t - mean E)^2`.
///
/// About 1 (up to 2) when momenta move the energy freely; below 0.3 the energy walks so slowly that tails are explored
/// badly, typical of hierarchical scales without reparameterisation. A chain with fewer than four draws, with a
/// non-finite or with a constant energy has NaN.
///
/// # Source
/// Betancourt (2016), arXiv:1604.00695.
///
/// ```
/// // Differences +2, -2, +2, deviations of 1 each: 12 / 4.
/// let energy = ndarray::array![[-1.0, 1.0, -1.0, 1.0]];
/// assert_eq!(ppl_diagnostics::bfmi(energy.view()), [3.0]);
/// ```
pub fn bfmi(energy: ArrayView2<f64>) -> Vec<f64> {
    energy.outer_iter().map(|chain| of_chain(&chain.to_vec())).collect()
}

fn of_chain(energy: &[f64]) -> f64 {
    if energy.len() < MIN_DRAWS {
        return f64::NAN;
    }
    let mean = mean(energy);
    let steps: f64 = energy.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum();
    let spread: f64 = energy.iter().map(|e| (e - mean).powi(2)).sum();
    steps / spread
}
