//! The catalogue of samplers.

use std::sync::atomic::AtomicBool;

use ppl_infer::adapt::MetricAdaptation::{
    FisherBlocks, FisherDiagonal, FisherLowRank, StanBlocks, StanDense, StanDiagonal,
};
use ppl_infer::adapt::{Adapted, SiteGroups};
use ppl_infer::chain::ChainDraws;
use ppl_infer::density::Target;
use ppl_infer::observe::Silent;
use ppl_infer::runner::Nuts;

use crate::common::densities::Named;

/// A sampler with its settings.
pub struct Sampler {
    pub name: &'static str,
    /// The name of the kernel that draws carry.
    pub kernel: &'static str,
    settings: Nuts,
    /// Whether it draws with what another run has learned.
    warm: bool,
}

/// The two sites of every target, of half the coordinates each.
const HALVES: [&str; 2] = ["first", "second"];

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
        let target = halves(target);
        let settings = self.settings.clone().warmup(warmup).chains(chains).seed(seed).draws(draws).threads(threads);
        let run = |settings: &Nuts| settings.sample_chains(&target, &Silent, &AtomicBool::new(false)).unwrap();
        if !self.warm {
            return run(&settings);
        }
        let earlier = run(&settings.clone().seed(seed + 1000).draws(5));
        run(&settings.warmup(0).warm_start(&Adapted::from_chains(&target, &earlier)))
    }

    /// As many draws more, with what `chains` have learned and the seed that they had.
    pub fn go_on(&self, target: &dyn Target, seed: u64, draws: usize, learned: &Adapted) -> Vec<ChainDraws> {
        let chains = learned.chains().len();
        let settings = self.settings.clone().warmup(0).chains(chains).seed(seed).draws(draws).warm_start(learned);
        settings.sample_chains(&halves(target), &Silent, &AtomicBool::new(false)).unwrap()
    }

    /// What chains over a target have learned.
    pub fn learned(&self, target: &dyn Target, chains: &[ChainDraws]) -> Adapted {
        Adapted::from_chains(&halves(target), chains)
    }
}

fn halves(target: &dyn Target) -> Named<'_> {
    let half = target.dim().div_ceil(2);
    Named { target, sites: vec![(HALVES[0], half), (HALVES[1], target.dim() - half)] }
}

pub fn all() -> Vec<Sampler> {
    let nuts =
        |name, settings: Nuts| Sampler { name, kernel: "NUTS", settings: settings.target_acceptance(0.9), warm: false };
    vec![
        nuts("NUTS", Nuts::new()),
        nuts("NUTS, diagonal", Nuts::new().metric(FisherDiagonal)),
        nuts("NUTS, low rank, jitter", Nuts::new().metric(FisherLowRank).step_size_jitter(0.2)),
        nuts("NUTS, blocks", Nuts::new().metric(FisherBlocks(SiteGroups::each_site()))),
        nuts("NUTS, Stan's diagonal", Nuts::new().metric(StanDiagonal)),
        nuts("NUTS, Stan's dense", Nuts::new().metric(StanDense)),
        nuts("NUTS, Stan's blocks", Nuts::new().metric(StanBlocks(SiteGroups::of([[HALVES[0]]])))),
        nuts("NUTS, rotation", Nuts::new().rotation(0.5)),
        Sampler { warm: true, ..nuts("NUTS, warm start", Nuts::new()) },
    ]
}
