//! What a sampler records besides the draws, under ArviZ's names.

use ndarray::Array2;

/// What the No-U-Turn sampler records of one draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrawStats {
    /// Log density of the unconstrained draw, up to a constant (`lp` in ArviZ).
    pub log_density: f64,
    /// Metropolis acceptance probability averaged over the trajectory's leapfrog steps, in `[0, 1]`.
    pub acceptance_rate: f64,
    /// Leapfrog step size.
    pub step_size: f64,
    /// Doublings of the trajectory.
    pub tree_depth: u32,
    /// Leapfrog steps, which is gradient evaluations.
    pub n_steps: u32,
    /// Whether the trajectory left the region where the integrator is stable.
    pub diverging: bool,
    /// Hamiltonian at the draw with the momentum it was reached with.
    pub energy: f64,
}

/// Sampler statistics of all draws after warm-up, each of shape `(chain, draw)`.
///
/// The fields are [`DrawStats`]'s. They are independent arrays: one that a sampler does not record may have no draws.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleStats {
    /// Log density of the unconstrained draws, up to a constant.
    pub log_density: Array2<f64>,
    /// Mean Metropolis acceptance probabilities, in `[0, 1]`.
    pub acceptance_rate: Array2<f64>,
    /// Leapfrog step sizes.
    pub step_size: Array2<f64>,
    /// Doublings of the trajectories.
    pub tree_depth: Array2<u32>,
    /// Leapfrog steps of the trajectories.
    pub n_steps: Array2<u32>,
    /// Divergent trajectories.
    pub diverging: Array2<bool>,
    /// Hamiltonians of the draws.
    pub energy: Array2<f64>,
}

impl SampleStats {
    /// From one record a draw, chain by chain; like [`Draws::from_chains`](crate::Draws::from_chains), the chains are
    /// cut to the shortest.
    ///
    /// ```
    /// use ppl_diagnostics::{DrawStats, SampleStats};
    /// let draw = DrawStats {
    ///     log_density: -1.5, acceptance_rate: 0.85, step_size: 0.3, tree_depth: 3, n_steps: 7, diverging: true, energy: 2.0,
    /// };
    /// let stats = SampleStats::from_chains(&[vec![draw; 10], vec![draw; 8]]);
    /// assert_eq!(stats.energy.dim(), (2, 8));
    /// assert_eq!(stats.divergences(), 16);
    /// ```
    pub fn from_chains(chains: &[Vec<DrawStats>]) -> Self {
        let draws = chains.iter().map(Vec::len).min().unwrap_or(0);
        fn gather<T>(chains: &[Vec<DrawStats>], draws: usize, of: impl Fn(&DrawStats) -> T) -> Array2<T> {
            Array2::from_shape_fn((chains.len(), draws), |(chain, draw)| of(&chains[chain][draw]))
        }
        Self {
            log_density: gather(chains, draws, |s| s.log_density),
            acceptance_rate: gather(chains, draws, |s| s.acceptance_rate),
            step_size: gather(chains, draws, |s| s.step_size),
            tree_depth: gather(chains, draws, |s| s.tree_depth),
            n_steps: gather(chains, draws, |s| s.n_steps),
            diverging: gather(chains, draws, |s| s.diverging),
            energy: gather(chains, draws, |s| s.energy),
        }
    }

    /// Number of divergent draws.
    pub fn divergences(&self) -> usize {
        self.diverging.iter().filter(|&&d| d).count()
    }

    /// Number of draws whose trajectory was stopped at `max_tree_depth` doublings.
    pub fn tree_depth_hits(&self, max_tree_depth: u32) -> usize {
        self.tree_depth.iter().filter(|&&depth| depth >= max_tree_depth).count()
    }
}
