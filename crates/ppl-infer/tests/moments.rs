//! How well NUTS does on laws with known moments, beyond what every sampler must (`conformance`): means and variances
//! within four Monte Carlo standard errors, and enough effective draws.
//!
//! Each check errs with probability 6e-5; the seed is fixed, so a failure is a change of the sampler.

use std::sync::atomic::AtomicBool;

use ppl_infer::adapt::MetricAdaptation::{
    self, FisherBlocks, FisherDiagonal, FisherLowRank, StanBlocks, StanDense, StanDiagonal,
};
use ppl_infer::adapt::SiteGroups;
use ppl_infer::chain::{ChainDraws, Outcome};
use ppl_infer::density::Target;
use ppl_infer::observe::Silent;
use ppl_infer::runner::Nuts;

mod common;
use common::densities::{self, Function, Known};
use common::{effective_size, values, z_score};

const BLOCK: SiteGroups = SiteGroups::all();
const ALL: [MetricAdaptation; 6] =
    [FisherDiagonal, FisherLowRank, FisherBlocks(BLOCK), StanDiagonal, StanDense, StanBlocks(BLOCK)];

fn sample(settings: Nuts, target: &dyn Target) -> Vec<ChainDraws> {
    let chains = settings.sample_chains(target, &Silent, &AtomicBool::new(false)).unwrap();
    for chain in &chains {
        assert!(matches!(chain.outcome, Outcome::Complete), "{:?}", chain.outcome);
        assert_eq!(chain.kernel, "NUTS");
    }
    chains
}

/// Checks means and variances, and that there is some efficiency to speak of.
fn check(known: &Known, chains: &[ChainDraws], least_ess: f64) {
    for (j, (mean, variance)) in known.means.iter().zip(&known.variances).enumerate() {
        let draws = values(chains, |x| x[j]);
        let squares = values(chains, |x| (x[j] - mean).powi(2));
        let (z_mean, z_variance) = (z_score(&draws, *mean), z_score(&squares, *variance));
        assert!(z_mean.abs() < 4.0, "{} mean {j}: {z_mean} standard errors", known.name);
        assert!(z_variance.abs() < 4.0, "{} variance {j}: {z_variance} standard errors", known.name);
        let ess = effective_size(&draws);
        assert!(
            ess > least_ess,
            "{} coordinate {j}: effective size {ess} of {}",
            known.name,
            4 * chains[0].stats.len()
        );
    }
}

#[test]
fn correlated_normal() {
    let known = densities::equicorrelated(10, 0.9);
    for metric in ALL {
        // No diagonal helps against correlation.
        let full = matches!(metric, StanDense | StanBlocks(_) | FisherBlocks(_));
        let least_ess = if full { 2000.0 } else { 200.0 };
        check(&known, &sample(Nuts::new().metric(metric), &*known.target), least_ess);
    }
}

#[test]
fn ill_conditioned_normal() {
    let known = densities::normal("ill-conditioned", vec![1.0; 20], densities::log_scales(20, 3.0));
    for metric in ALL {
        let chains = sample(Nuts::new().metric(metric.clone()), &*known.target);
        check(&known, &chains, 1500.0);
        let deepest = chains.iter().flat_map(|c| &c.stats).map(|s| s.tree_depth).max();
        assert!(deepest <= Some(5), "{metric:?}: depth {deepest:?}");
    }
}

/// The density is NaN where x0 < 0: half-normal with mean sqrt(2/pi) and variance 1 - 2/pi. Half of the starting
/// points fail, every step across the border is a divergence, and the draws are right all the same.
#[test]
fn undefined_in_a_half_space() {
    let target = Function::new(2, |x, g| {
        g.copy_from_slice(&[-x[0], -x[1]]);
        Ok(if x[0] < 0.0 { f64::NAN } else { -0.5 * (x[0] * x[0] + x[1] * x[1]) })
    });
    let share = std::f64::consts::FRAC_2_PI;
    let known = Known {
        name: "half-space",
        target: Box::new(target),
        means: vec![share.sqrt(), 0.0],
        variances: vec![1.0 - share, 1.0],
    };
    let chains = sample(Nuts::new().draws(4000), &*known.target);
    check(&known, &chains, 300.0);
    for chain in &chains {
        assert!(!chain.divergences.is_empty());
        assert_eq!(chain.divergences.len(), chain.stats.iter().filter(|s| s.diverging).count());
        for (draw, divergence) in &chain.divergences {
            assert!(chain.stats[*draw].diverging);
            assert!(divergence.energy_error == f64::INFINITY && divergence.start[0] > 0.0);
        }
        assert!(chain.draws.column(0).iter().all(|x| *x > 0.0));
    }
}

/// Means of posteriordb's reference draws for eight_schools-eight_schools_noncentered (10 000 draws), with their own
/// standard errors.
#[test]
fn eight_schools() {
    let target = densities::eight_schools();
    let theta = |x: &[f64], i: usize| x[0] + x[1].exp() * x[1 + i];
    for metric in ALL {
        let chains = sample(Nuts::new().metric(metric.clone()).target_acceptance(0.9), &*target);
        let check = |draws: Vec<Vec<f64>>, mean: f64, mcse: f64| {
            // z of the difference: our standard error, and theirs.
            let z = z_score(&draws, mean);
            let all = draws.concat();
            let ours = (all.iter().sum::<f64>() / all.len() as f64 - mean) / z;
            assert!((z * ours).abs() < 4.0 * ours.hypot(mcse), "{metric:?}: {z} standard errors from {mean}");
        };
        check(values(&chains, |x| x[0]), 4.410_518_3, 0.033_037_471);
        check(values(&chains, |x| x[1].exp()), 3.602_059_5, 0.031_861_514);
        check(values(&chains, |x| theta(x, 1)), 6.150_502_3, 0.055_737_528);
        check(values(&chains, |x| theta(x, 8)), 4.883_996_9, 0.054_251_161);
    }
}

/// Jitter changes the step size and not the law.
#[test]
fn jittered_steps() {
    let known = densities::equicorrelated(4, 0.5);
    check(&known, &sample(Nuts::new().step_size_jitter(0.3), &*known.target), 1000.0);
}

/// The statistic that adaptation drives to its target gets there: its mean over draws is within 0.05 of it.
#[test]
fn acceptance_is_as_asked_for() {
    let known = densities::normal("normal", vec![0.0; 50], vec![1.0; 50]);
    for target in [0.7, 0.8, 0.95] {
        let chains = sample(Nuts::new().target_acceptance(target), &*known.target);
        let stats: Vec<f64> = chains.iter().flat_map(|c| &c.stats).map(|s| s.acceptance_rate).collect();
        let mean = stats.iter().sum::<f64>() / stats.len() as f64;
        assert!((mean - target).abs() < 0.05, "{mean} against {target}");
    }
}

/// No coordinates: every draw is the empty point, and nothing loops for ever.
#[test]
fn nothing_to_sample() {
    let target = Function::new(0, |_, _| Ok(1.5));
    for metric in ALL {
        let chains = sample(Nuts::new().metric(metric).warmup(30).draws(7), &target);
        assert_eq!(chains[0].draws.dim(), (7, 0));
        assert!(chains[0].stats.iter().all(|s| s.log_density == 1.5));
    }
}
