//! Block metrics by site: what they learn, what that is worth, and names that do not fit.

use std::sync::atomic::AtomicBool;

use ppl_core::dist::Normal;
use ppl_core::{Distribution, model, sample};
use ppl_infer::adapt::MetricAdaptation::{self, FisherBlocks, FisherDiagonal, StanBlocks, StanDense};
use ppl_infer::adapt::SiteGroups;
use ppl_infer::chain::ChainDraws;
use ppl_infer::density::Target;
use ppl_infer::dynamics::{Blocks, Metric};
use ppl_infer::observe::Silent;
use ppl_infer::runner::Nuts;

mod common;
use common::densities::{self, Known, Named};
use common::least_effective_size;

const SCALES: [f64; 12] = [1.0, 10.0, 0.1, 1.0, 3.0, 100.0, 0.5, 2.0, 0.01, 1.0, 30.0, 4.0];
/// Correlations of sites a (coordinates 0 to 2) with c (6 and 7), and within d (8 to 11); b (3 to 5) is independent.
const WITHIN: [(&[usize], f64); 2] = [(&[0, 1, 2, 6, 7], 0.95), (&[8, 9, 10, 11], 0.98)];
const SITES: [(&str, usize); 4] = [("a", 3), ("b", 3), ("c", 2), ("d", 4)];

fn known() -> Known {
    let alone = [3, 4, 5].map(|i| (vec![i], 0.0));
    let groups = WITHIN.iter().map(|(places, rho)| (places.to_vec(), *rho)).chain(alone);
    densities::grouped(SCALES.to_vec(), groups.collect())
}

fn groups() -> SiteGroups {
    SiteGroups::of([vec!["c", "a"], vec!["d"]])
}

fn run(settings: Nuts, known: &Known) -> Vec<ChainDraws> {
    let target = Named { target: &*known.target, sites: SITES.to_vec() };
    settings.chains(2).seed(3).sample_chains(&target, &Silent, &AtomicBool::new(false)).unwrap()
}

fn blocks(chain: &ChainDraws) -> &Blocks {
    match &chain.params.as_ref().unwrap().metric {
        Metric::Blocks(blocks) => blocks,
        other => panic!("{other:?}"),
    }
}

/// The blocks come near the covariances, the rest near the variances, and there is nothing between the blocks. From draws
/// and gradients the only error is the ridge, a relative 1e-7 of sums of squares whose product has a condition of 20^2
/// to 100^2; from the last window's 500 draws of a warm-up of 1000, of which squares have 200 effective ones, variances have a
/// standard error of 0.1.
#[test]
fn blocks_are_covariances() {
    let known = known();
    for (metric, error) in [(FisherBlocks(groups()), 1e-3), (StanBlocks(groups()), 0.45)] {
        for chain in &run(Nuts::new().draws(10).metric(metric), &known) {
            let learned = blocks(chain);
            let places: Vec<Vec<usize>> =
                learned.blocks().map(|(ranges, _)| ranges.iter().cloned().flatten().collect()).collect();
            assert_eq!(places, WITHIN.map(|(places, _)| places.to_vec()));
            for ((_, dense), (places, rho)) in learned.blocks().zip(WITHIN) {
                for ((i, j), got) in dense.inverse_mass().indexed_iter() {
                    let scale = SCALES[places[i]] * SCALES[places[j]];
                    let wanted = if i == j { 1.0 } else { rho };
                    assert!((got / scale - wanted).abs() < error, "{i} {j}: {} for {wanted}", got / scale);
                }
            }
            for (i, (variance, scale)) in learned.variances().iter().zip(SCALES).enumerate() {
                let got = variance / (scale * scale);
                assert!((got - 1.0).abs() < error, "{i}: {got}");
            }
        }
    }
}

/// Least effective draws a gradient, of the draws: at least three times a diagonal's.
#[test]
fn blocks_beat_a_diagonal() {
    let known = known();
    let efficiency = |metric: MetricAdaptation| {
        let chains = run(Nuts::new().metric(metric), &known);
        let gradients: usize = chains.iter().map(|c| c.gradients - c.warmup_gradients).sum();
        least_effective_size(&chains, &known.means) / gradients as f64
    };
    let diagonal = efficiency(FisherDiagonal);
    for metric in [FisherBlocks(groups()), StanBlocks(groups())] {
        let ratio = efficiency(metric.clone()) / diagonal;
        assert!(ratio > 3.0, "{metric:?}: {ratio}");
    }
}

/// A block that covers everything is the dense metric of the same windows, to the bit; from draws and gradients it is the
/// covariance of all.
#[test]
fn one_block_is_a_dense_metric() {
    let known = known();
    let settings = Nuts::new().warmup(300).draws(50);
    let whole = run(settings.clone().metric(StanBlocks(SiteGroups::of([["d", "c", "b", "a"]]))), &known);
    let dense = run(settings.clone().metric(StanDense), &known);
    for (whole, dense) in whole.iter().zip(&dense) {
        assert_eq!((&whole.draws, &whole.stats, whole.gradients), (&dense.draws, &dense.stats, dense.gradients));
        let Metric::Dense(dense) = &dense.params.as_ref().unwrap().metric else { panic!("not dense") };
        assert_eq!(blocks(whole).blocks().next().unwrap().1, dense);
    }
    for chain in &run(settings.metric(FisherBlocks(SiteGroups::all())), &known) {
        let (_, dense) = blocks(chain).blocks().next().unwrap();
        for ((i, j), got) in dense.inverse_mass().indexed_iter() {
            let together = WITHIN.iter().find(|(places, _)| places.contains(&i) && places.contains(&j));
            let wanted = if i == j { 1.0 } else { together.map_or(0.0, |(_, rho)| *rho) };
            assert!((got / (SCALES[i] * SCALES[j]) - wanted).abs() < 1e-3, "{i} {j}: {got}");
        }
    }
}

model! {
    fn two_sites() {
        let a = sample!("a", Normal::new(0.0, 1.0).expand([2]));
        sample!("b", Normal::new(a.sum(), 1.0));
    }
}

#[test]
fn names_that_do_not_fit() {
    let refused = |metric| Nuts::new().metric(metric).run(&two_sites()).unwrap_err().to_string();
    assert_eq!(
        refused(MetricAdaptation::blocks([["a", "c"]])),
        r#"the metric has a block with site `c`, which is no latent site; there are ["a", "b"]"#
    );
    assert_eq!(
        refused(MetricAdaptation::blocks([["a", "b"], ["b", "a"]])),
        "the blocks of the metric name site `b` twice"
    );
    let refused = Nuts::new().metric(StanBlocks(SiteGroups::of([["y"]]))).run_target(&*known().target).unwrap_err();
    assert!(refused.to_string().ends_with(r#"no latent site; there are ["x"]"#), "{refused}");
}

/// A target that names its coordinates has them as sites, also in its posterior; names for more than there are, are refused.
#[test]
fn targets_may_name_their_coordinates() {
    let known = known();
    let target = Named { target: &*known.target, sites: SITES.to_vec() };
    let nuts = Nuts::new().warmup(50).draws(10).chains(2);
    let posterior = nuts.run_target(&target).unwrap();
    assert_eq!(posterior.get("d").unwrap().shape(), [2, 10, 4]);
    let many = Named { sites: vec![("a", 13)], ..target };
    let refused = nuts.run_target(&many).unwrap_err().to_string();
    assert_eq!(refused, "coordinates of sites is 13, wanted 12 to 12");
    assert_eq!(many.dim(), 12);
}
