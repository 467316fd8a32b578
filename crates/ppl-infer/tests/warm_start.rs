//! Going on from what an earlier run has learned: the law, what is spared, new data, and what does not fit. That a run
//! without warm-up has the bits of a longer one is tested for every sampler in `conformance`.

use std::sync::atomic::AtomicBool;

use ppl_core::dist::{HalfNormal, Normal};
use ppl_core::{Distribution, model, observe, sample};
use ppl_infer::adapt::MetricAdaptation::{self, FisherBlocks, FisherDiagonal, FisherLowRank, StanDense, StanDiagonal};
use ppl_infer::adapt::{Adapted, AdaptedChain, SiteGroups, WarmStartError};
use ppl_infer::chain::{ChainDraws, Outcome};
use ppl_infer::density::{Target, TargetSite};
use ppl_infer::dynamics::{Drift, Metric};
use ppl_infer::observe::Silent;
use ppl_infer::runner::{Nuts, SettingsError};
use ppl_infer::{Advi, InferError};

mod common;
use common::densities::{self, Known};
use common::{values, z_score};

const ALL: [MetricAdaptation; 5] =
    [FisherDiagonal, FisherLowRank, FisherBlocks(SiteGroups::all()), StanDiagonal, StanDense];

fn run(settings: &Nuts, target: &dyn Target) -> Vec<ChainDraws> {
    let chains = settings.sample_chains(target, &Silent, &AtomicBool::new(false)).unwrap();
    assert!(chains.iter().all(|c| matches!(c.outcome, Outcome::Complete)), "{:?}", chains[0].outcome);
    chains
}

fn learn(settings: &Nuts, target: &dyn Target) -> Adapted {
    Adapted::from_chains(target, &run(settings, target))
}

/// Means and variances within four standard errors each: 60 checks err with probability 0.4 %, seeds are fixed.
fn check(known: &Known, chains: &[ChainDraws]) {
    for (j, (mean, variance)) in known.means.iter().zip(&known.variances).enumerate() {
        let z_mean = z_score(&values(chains, |x| x[j]), *mean);
        let z_variance = z_score(&values(chains, |x| (x[j] - mean).powi(2)), *variance);
        assert!(z_mean.abs() < 4.0 && z_variance.abs() < 4.0, "{}, {j}: {z_mean} {z_variance}", known.name);
    }
}

/// Without warm-up, with other random numbers than the earlier run had: each chain keeps its metric and its step size.
#[test]
fn the_law_without_warmup() {
    let known = densities::equicorrelated(6, 0.8);
    for metric in ALL {
        let settings = Nuts::new().metric(metric);
        let learned = learn(&settings.clone().draws(10).seed(1), &*known.target);
        let chains = run(&settings.warmup(0).seed(2).warm_start(&learned), &*known.target);
        check(&known, &chains);
        for (chain, learned) in chains.iter().zip(learned.chains()) {
            let params = chain.params.as_ref().unwrap();
            assert_eq!((params.step_size, &params.metric), (learned.step_size, &learned.metric));
            assert_eq!((chain.warmup_iterations, chain.warmup_gradients), (0, 1));
        }
    }
}

/// Warm-up that may end by itself finds the metric good and ends after 100 iterations with a step size near the earlier
/// one: less than a third of the gradients of a start at random.
#[test]
fn less_warmup() {
    let cases = [
        densities::normal("ill-conditioned", vec![1.0; 20], densities::log_scales(20, 3.0)),
        densities::equicorrelated(10, 0.9),
        densities::student_t(5, 5.0),
    ];
    for known in cases {
        let settings = Nuts::new().draws(500).seed(1);
        let cold = run(&settings, &*known.target);
        let learned = Adapted::from_chains(&*known.target, &cold);
        let warm = run(&settings.seed(2).warm_start(&learned), &*known.target);
        check(&known, &warm);
        let gradients = |chains: &[ChainDraws]| chains.iter().map(|c| c.warmup_gradients).sum::<usize>();
        let (cold, spent) = (gradients(&cold), gradients(&warm));
        println!("{}: {spent} against {cold}", known.name);
        assert!(spent * 3 < cold, "{}: {spent} against {cold}", known.name);
        for (chain, learned) in warm.iter().zip(learned.chains()) {
            let ratio = chain.params.as_ref().unwrap().step_size / learned.step_size;
            assert!((0.6..1.6).contains(&ratio), "{}: {ratio}", known.name);
        }
    }
}

/// A law that has moved by 30 of its new standard deviations, and shrunk or grown by 10: the metric that no longer fits
/// is found out and replaced, whatever kind is learned.
#[test]
fn a_law_that_changed() {
    let earlier = densities::normal("earlier", vec![0.0; 4], vec![1.0, 2.0, 5.0, 1.0]);
    for metric in ALL {
        let settings = Nuts::new().metric(metric).seed(3);
        let learned = learn(&settings.clone().draws(10), &*earlier.target);
        for by in [0.1, 10.0] {
            let scales: Vec<f64> = [1.0, 2.0, 5.0, 1.0].iter().map(|s| s * by).collect();
            let known = densities::normal("later", scales.iter().map(|s| 30.0 * s).collect(), scales);
            let chains = run(&settings.clone().warmup(500).warm_start(&learned), &*known.target);
            check(&known, &chains);
            for chain in &chains {
                let variances = chain.params.as_ref().unwrap().metric.variances();
                for (got, wanted) in variances.iter().zip(&known.variances) {
                    assert!((got / wanted).ln().abs() < 0.7, "{got} for {wanted}");
                }
            }
        }
    }
}

/// A metric of another kind than the one that is learned is kept as well, and replaced as well: a dense one by
/// directions, blocks by a diagonal.
#[test]
fn metrics_of_another_kind() {
    let known = densities::equicorrelated(5, 0.9);
    let learned = learn(&Nuts::new().metric(StanDense).draws(10), &*known.target);
    let kept = run(&Nuts::new().warmup(200).draws(300).warm_start(&learned), &*known.target);
    assert!(kept.iter().all(|c| matches!(c.params.as_ref().unwrap().metric, Metric::Dense(_))));
    check(&known, &kept);
    let narrow = densities::normal("narrow", vec![0.0; 5], vec![0.02; 5]);
    for (metric, diagonal) in [(FisherLowRank, false), (FisherDiagonal, true)] {
        let chains = run(&Nuts::new().metric(metric).draws(300).warm_start(&learned), &*narrow.target);
        check(&narrow, &chains);
        for chain in &chains {
            match &chain.params.as_ref().unwrap().metric {
                Metric::Diagonal(_) => assert!(diagonal),
                Metric::LowRank(_) => assert!(!diagonal),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Three chains from two: they take turns, with random numbers of their own; and places given win over those learned.
#[test]
fn other_numbers_of_chains() {
    let known = densities::equicorrelated(3, 0.5);
    let settings = Nuts::new().draws(20).seed(4);
    let learned = learn(&settings.clone().chains(2), &*known.target);
    let warm = settings.warmup(0).chains(3).warm_start(&learned);
    let chains = run(&warm, &*known.target);
    assert_eq!(chains[0].params, chains[2].params);
    assert_ne!(chains[0].params, chains[1].params);
    assert_ne!(chains[0].draws, chains[2].draws);
    let starts = ndarray::Array2::from_elem((3, 3), 0.25);
    assert_ne!(chains[0].draws, run(&warm.starts(starts), &*known.target)[0].draws);
}

/// Short warm-ups, of every length, from every kind of metric.
#[test]
fn any_length_of_warmup() {
    let known = densities::normal("normal", vec![0.0; 3], vec![1.0, 2.0, 3.0]);
    for metric in ALL {
        for settings in [Nuts::new(), Nuts::new().end_warmup_early(false), Nuts::new().rotation(0.5)] {
            let settings = settings.metric(metric.clone()).chains(1).draws(10);
            let learned = learn(&settings, &*known.target);
            for warmup in [0, 1, 2, 19, 20, 81, 99, 100, 129, 130, 131, 200] {
                let chain = &run(&settings.clone().warmup(warmup).warm_start(&learned), &*known.target)[0];
                assert!(chain.warmup_iterations <= warmup && chain.warmup_iterations >= warmup.min(100));
                let ratio = chain.params.as_ref().unwrap().step_size / learned.chains()[0].step_size;
                assert!((0.2..5.0).contains(&ratio), "{metric:?} {warmup}: {ratio}");
            }
        }
    }
}

model! {
    fn location(y: Vec<f64>) {
        let mean = sample!("mean", Normal::new(0.0, 10.0).expand([2]));
        let spread = sample!("spread", HalfNormal::new(1.0));
        observe!("y", Normal::new(mean.sum(), spread), y);
    }
    fn other(shape: usize, name: &str) {
        sample!("mean", Normal::new(0.0, 10.0).expand([shape]));
        sample!("{name}", HalfNormal::new(1.0));
    }
    fn reversed() {
        sample!("spread", HalfNormal::new(1.0));
        sample!("mean", Normal::new(0.0, 10.0).expand([2]));
    }
    fn longer() {
        sample!("mean", Normal::new(0.0, 10.0).expand([2]));
        sample!("spread", HalfNormal::new(1.0));
        sample!("more", Normal::new(0.0, 1.0));
    }
    fn shorter() {
        sample!("mean", Normal::new(0.0, 10.0).expand([2]));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let nuts = Nuts::new().warmup(50).draws(10).chains(1);
    let model = location(vec![1.0, 2.0]);
    let posterior = nuts.run(&model).unwrap();
    let learned = posterior.adapted().unwrap();
    let warm = nuts.clone().warm_start(learned);
    assert!(warm.run(&other(2, "spread")).is_ok(), "another model with the same sites");

    let refused = |model: &dyn ppl_core::Model| warm.run(model).unwrap_err().to_string();
    assert_eq!(
        refused(&other(3, "spread")),
        "warm start: site `mean` has shape [3] and 3 coordinates, in the earlier run [2] and 2"
    );
    assert_eq!(
        refused(&other(2, "scale")),
        r#"warm start: the earlier run had no site `scale`; it had ["mean", "spread"]"#
    );
    assert_eq!(refused(&longer()), r#"warm start: the earlier run had no site `more`; it had ["mean", "spread"]"#);
    assert_eq!(refused(&shorter()), r#"warm start: the earlier run had a site `spread`; there are ["mean"]"#);
    assert_eq!(refused(&reversed()), "warm start: site `spread` comes where the earlier run had `mean`");
    assert!(warm.clone().rotation(0.5).run(&model).is_ok(), "a rotation begins with the next metric");
    let rotating = nuts.clone().rotation(0.5);
    let rotating = rotating.clone().rotation(0.7).warm_start(rotating.run(&model).unwrap().adapted().unwrap());
    let error = rotating.run(&model).unwrap_err().to_string();
    let wanted =
        "warm start: the rotation asked for is Some(0.7), the earlier run's Some(0.5), wanted the same in (0, 1]";
    assert_eq!(error, wanted);
    let fit = Advi::mean_field().steps(50).fit(&model).unwrap();
    let error = fit.draws(10).unwrap().adapted().unwrap_err().to_string();
    assert!(error.contains("was not made by NUTS"), "{error}");
}

/// What is made or edited by hand is checked as it is loaded, or when the run begins.
#[test]
fn numbers_by_hand() {
    let known = densities::equicorrelated(2, 0.3);
    let site = TargetSite { name: "x".to_owned(), shape: vec![2], coordinates: 2 };
    let chain = AdaptedChain {
        position: vec![0.5, 0.2],
        step_size: 0.9,
        metric: Metric::diagonal(vec![1.0, 1.0]).unwrap(),
        drift: Drift::Straight,
        iterations: 0,
    };
    let nuts = Nuts::new().warmup(0).draws(1000).seed(5);
    let with = |chain: AdaptedChain| nuts.clone().warm_start(&Adapted::new(vec![site.clone()], vec![chain]));
    check(&known, &run(&with(chain.clone()), &*known.target));

    let refused = |settings: Nuts| match settings.run_target(&*known.target).unwrap_err() {
        InferError::Settings(SettingsError::WarmStart(error)) => error,
        other => panic!("{other}"),
    };
    assert_eq!(refused(nuts.clone().warm_start(&Adapted::new(vec![site.clone()], vec![]))), WarmStartError::NoChains);
    let error = refused(with(AdaptedChain { position: vec![0.5], ..chain.clone() }));
    assert_eq!(error, WarmStartError::Dimension { chain: 0, what: "position", got: 1, wanted: 2 });
    let error = refused(with(AdaptedChain { metric: Metric::identity(3), ..chain.clone() }));
    assert_eq!(error, WarmStartError::Dimension { chain: 0, what: "metric", got: 3, wanted: 2 });
    let drift = Drift::Rotation { center: vec![0.0], frequency: 0.5 };
    let error = refused(with(AdaptedChain { drift, ..chain.clone() }));
    assert_eq!(error, WarmStartError::Dimension { chain: 0, what: "centre", got: 1, wanted: 2 });
    let drift = Drift::Rotation { center: vec![0.0; 2], frequency: 1.5 };
    let error = refused(with(AdaptedChain { drift, ..chain.clone() }));
    assert_eq!(error, WarmStartError::Rotation { asked: None, earlier: Some(1.5) });
    let error = refused(with(AdaptedChain { step_size: 0.0, ..chain.clone() }));
    assert_eq!(error, WarmStartError::StepSize { chain: 0, got: 0.0 });
    // A place where the density is not finite is found by the chain.
    let lost = with(AdaptedChain { position: vec![f64::NAN, 0.0], ..chain.clone() }).run_target(&*known.target);
    assert!(lost.unwrap_err().to_string().contains("no finite log-density"));

    let saved = serde_json::to_string(&chain).unwrap();
    let loaded: AdaptedChain = serde_json::from_str(&saved).unwrap();
    assert_eq!(loaded, chain);
    let broken = saved.replace("[1.0,1.0]", "[1.0,-1.0]");
    let error = serde_json::from_str::<AdaptedChain>(&broken).unwrap_err().to_string();
    assert!(error.contains("inverse mass of coordinate 1 is -1"), "{error}");
    // Stan's step size and inverse metric are enough.
    let by_hand =
        r#"{"position": [0.5, 0.2], "step_size": 0.9, "metric": {"Dense": {"inverse_mass": [[1, 0.3], [0.3, 1]]}}}"#;
    let by_hand: AdaptedChain = serde_json::from_str(by_hand).unwrap();
    check(&known, &run(&with(by_hand), &*known.target));
    let beyond = saved.replace(
        r#"{"Diagonal":{"inverse_mass":[1.0,1.0]}}"#,
        r#"{"Blocks":{"variances":[1.0,1.0],"blocks":[{"coordinates":[[1,18446744073709551615]],"inverse_mass":[[1.0]]}]}}"#,
    );
    let error = serde_json::from_str::<AdaptedChain>(&beyond).unwrap_err().to_string();
    assert!(error.contains("a block has coordinate 2, of 2"), "{error}");
}
