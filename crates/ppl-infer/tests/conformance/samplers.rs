//! The catalogue of samplers.

use std::sync::atomic::AtomicBool;

use ppl_infer::adapt::MetricAdaptation::{FisherDiagonal, FisherLowRank, StanDense, StanDiagonal};
use ppl_infer::chain::ChainDraws;
use ppl_infer::density::Target;
use ppl_infer::observe::Silent;
use ppl_infer::runner::Nuts;

/// A sampler with its settings.
pub struct Sampler {
    pub name: &'static str,
    /// The name of the kernel that draws carry.
    pub kernel: &'static str,
    settings: Nuts,
}

impl Sampler {
    /// Four chains with a full warm-up.
    pub fn run(&self, target: &dyn Target, seed: u64, draws: usize, threads: usize) -> Vec<ChainDraws> {
        self.run_after(1000, 4, target, seed, draws, threads)
    }

    /// Some chains with another warm-up.
    pub fn run_after(
        &self,
        warmup: usize,
        chains: usize,
        target: &dyn Target,
        seed: u64,
        draws: usize,
        threads: usize,
    ) -> Vec<ChainDraws> {
        let settings = self.settings.clone().warmup(warmup).chains(chains).seed(seed).draws(draws).threads(threads);
        settings.sample_chains(target, &Silent, &AtomicBool::new(false)).unwrap()
    }
}

pub fn all() -> Vec<Sampler> {
    let nuts = |name, settings: Nuts| Sampler { name, kernel: "NUTS", settings: settings.target_acceptance(0.9) };
    vec![
        nuts("NUTS", Nuts::new()),
        nuts("NUTS, diagonal", Nuts::new().metric(FisherDiagonal)),
        nuts("NUTS, low rank, jitter", Nuts::new().metric(FisherLowRank).step_size_jitter(0.2)),
        nuts("NUTS, Stan's diagonal", Nuts::new().metric(StanDiagonal)),
        nuts("NUTS, Stan's dense", Nuts::new().metric(StanDense)),
        nuts("NUTS, rotation", Nuts::new().rotation(0.5)),
    ]
}
