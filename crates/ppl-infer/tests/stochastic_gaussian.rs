//! Stochastic gradient samplers on normal posteriors, where their stationary variances are known.
//!
//! The chains' lengths make four standard errors of a variance less than the tolerance, or nearly so; seeds are fixed,
//! so a failure is a change of a sampler.

use ndarray::Array2;
use ppl_infer::stochastic::{
    Csg, CsgPreconditioner, Finding, Fisher, Gain, Preconditioner, Psgld, Schedule, Sgfs, Sghmc, Sgld, Sgnht,
    StochasticGradient, StochasticKernel, StochasticRun,
};

mod common;
use common::batches::{Batches, Normal, scales};

const BATCH: usize = 50;
/// Rows of what Fisher scoring sees: N/n = 10.
const TOTAL: usize = 500;
/// Rows of what the others see: N/n = 20.
const MANY: usize = 1000;

/// Precisions of a row from 10 to 1000 and correlated, and a prior that contributes a tenth to a half of the precision.
fn correlated(dim: usize) -> Batches<Normal> {
    let scales = scales(dim, 10.0, 1000.0);
    let prior = scales.iter().enumerate().map(|(i, s)| TOTAL as f64 * s * (0.1 + 0.4 * (i % 2) as f64)).collect();
    Batches::new(Normal::new(&scales, 0.5, prior, TOTAL), BATCH)
}

/// Precisions of a row from 1 to 2, with neither correlation nor prior.
fn plain(dim: usize) -> Batches<Normal> {
    Batches::new(Normal::new(&scales(dim, 1.0, 2.0), 0.0, vec![0.0; dim], MANY), BATCH)
}

fn run<K: StochasticKernel>(settings: StochasticGradient<K>, target: &Batches<Normal>) -> StochasticRun<K> {
    settings.chains(2).warmup(2000).seed(3).start(vec![0.0; target.model.dim]).run_target(target).unwrap()
}

/// The variances of all chains together about the known mean 0, relative to the posterior's.
fn ratios<K: StochasticKernel>(settings: StochasticGradient<K>, target: &Batches<Normal>) -> Vec<f64> {
    let run = run(settings, target);
    let wanted = target.model.variances();
    let draws = run.draws().flat("x").unwrap();
    let mean_square = |i: usize| draws.outer_iter().map(|x| x[i] * x[i]).sum::<f64>() / draws.shape()[0] as f64;
    (0..wanted.len()).map(|i| mean_square(i) / wanted[i]).collect()
}

fn all_within(what: &str, ratios: &[f64], centre: impl Fn(usize) -> f64, tolerance: f64) {
    let off = ratios.iter().enumerate().map(|(i, r)| (r / centre(i) - 1.0).abs());
    let worst = off.fold(0.0, f64::max);
    println!("{what}: worst deviation {:.2}% of {} variances", 100.0 * worst, ratios.len());
    assert!(worst <= tolerance, "{what}: {ratios:.3?}");
}

/// The slowest chain has an autocorrelation of squares over ten draws or so: standard errors below 1 %.
#[test]
fn fisher_scoring_is_exact_at_every_step_size() {
    for dim in [3, 30] {
        let target = correlated(dim);
        for size in [1e-4, 1e-3, 1e-2, 1e-1, 1.0] {
            let sgfs = Sgfs::new().step_size(Schedule::constant(size)).draws(50_000);
            all_within(&format!("SGFS, {dim} dimensions, step {size}"), &ratios(sgfs, &target), |_| 1.0, 0.05);
        }
    }
}

/// Distinct rows bring less noise, and take another gain: with that of independent rows variances would be 9 % off.
#[test]
fn fisher_scoring_knows_distinct_rows() {
    let target = Batches { distinct: true, ..correlated(6) };
    let sgfs = Sgfs::new().step_size(Schedule::constant(0.1)).draws(50_000);
    all_within("SGFS, distinct rows", &ratios(sgfs.clone(), &target), |_| 1.0, 0.05);
    let other = ratios(sgfs.gain(Gain::Factor(11.0)), &target);
    assert!(other.iter().all(|r| *r < 0.95), "{other:.3?}");
}

/// Each B leaves the posterior as it is. Steps under the one that follows the information are a fortieth of its width.
#[test]
fn preconditioners_change_nothing_but_the_speed() {
    let target = correlated(4);
    let dense = Array2::from_shape_fn((4, 4), |(i, j)| if i == j { 2.0 + i as f64 } else { 0.5 });
    let all = [
        Preconditioner::Scaled(3.0),
        Preconditioner::Diagonal(vec![1.0, 5.0, 0.2, 2.0]),
        Preconditioner::Dense(dense),
        Preconditioner::Fisher,
    ];
    for b in all {
        let sgfs = Sgfs::new()
            .step_size(Schedule::constant(1e-3))
            .preconditioner(b.clone())
            .draws(if b == Preconditioner::Fisher { 160_000 } else { 40_000 });
        all_within(&format!("SGFS, {b:?}"), &ratios(sgfs, &target), |_| 1.0, 0.05);
    }
}

/// Without the prior's precision in the gain, where it is half of all precision, draws are overdispersed.
#[test]
fn the_gain_needs_the_priors_precision() {
    let prior = vec![TOTAL as f64 * 100.0; 3];
    let target = Batches::new(Normal::new(&[100.0; 3], 0.0, prior, TOTAL), BATCH);
    let sgfs = Sgfs::new().step_size(Schedule::constant(1.0)).draws(40_000);
    all_within("SGFS, strong prior", &ratios(sgfs.clone(), &target), |_| 1.0, 0.05);
    // K = 2/(11 L), precision 2 L, noise 10 L: variance K 10/(2 (2 - 4/11)) = 5/9 of 1/L, relative to 1/(2 L) 10/9.
    all_within("without", &ratios(sgfs.prior_precision(false), &target), |_| 10.0 / 9.0, 0.05);
}

#[test]
fn pymc3s_gain_is_far_off() {
    let target = Batches::new(Normal::new(&[1.0; 3], 0.0, vec![0.0; 3], MANY), BATCH);
    // v = k (N/n L + 4/e)/(2 - k L), k = 2/(c L + 4/e), times L, with c = (N + n)/N = 1.05 and L = 1000.
    let theory = |size: f64| {
        let (l, injected): (f64, f64) = (1000.0, 4.0 / size);
        let k = 2.0 / (1.05 * l + injected);
        k * (20.0 * l + injected) / (2.0 - k * l)
    };
    for size in [1e-3, 1e-2, 1e-1] {
        let sgfs = Sgfs::new().step_size(Schedule::constant(size)).gain(Gain::Pymc3).prior_precision(false);
        all_within("SGFS, PyMC3's gain", &ratios(sgfs.draws(40_000), &target), |_| theory(size), 0.05);
    }
    assert!(theory(1e-2) > 40.0);
}

/// Blocks and diagonals are exact where there is nothing outside of them.
#[test]
fn smaller_forms_of_the_information() {
    let prior = vec![100.0; 6];
    let target = Batches::new(Normal::new(&scales(6, 10.0, 1000.0), 0.0, prior, TOTAL), BATCH);
    let sgfs = Sgfs::new().step_size(Schedule::constant(1e-2)).draws(40_000);
    all_within("diagonal", &ratios(sgfs.clone().fisher(Fisher::Diagonal), &target), |_| 1.0, 0.05);
    let seldom = sgfs.clone().fisher(Fisher::Diagonal).fisher_every(20);
    all_within("diagonal, every 20 iterations", &ratios(seldom, &target), |_| 1.0, 0.05);
    let sites = Batches { model: Sites(target.model), batch_size: BATCH, distinct: false };
    let run = sgfs.fisher(Fisher::Sites).chains(2).warmup(2000).seed(3).run_target(&sites).unwrap();
    let state = run.chains()[0].state.as_ref().unwrap();
    assert!(state.fisher.get(0, 1) != 0.0 && state.fisher.get(1, 2) == 0.0 && state.fisher.get(3, 5) != 0.0);
    let draws = run.draws().flat("x").unwrap();
    let mean_square = |i: usize| draws.outer_iter().map(|x| x[i] * x[i]).sum::<f64>() / draws.shape()[0] as f64;
    let wanted = sites.model.0.variances();
    let got: Vec<f64> = (0..6).map(|i| mean_square(i) / wanted[i]).collect();
    all_within("a block for each site", &got, |_| 1.0, 0.05);
}

/// The normal target, as if it had sites of 2, 1 and 3 coordinates.
struct Sites(Normal);

impl common::batches::RowModel for Sites {
    fn dim(&self) -> usize {
        self.0.dim
    }
    fn total_size(&self) -> usize {
        TOTAL
    }
    fn prior(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.0.prior(x, gradient)
    }
    fn row(&self, row: usize, x: &[f64], gradient: &mut [f64]) -> f64 {
        self.0.row(row, x, gradient)
    }
    fn blocks(&self) -> Vec<usize> {
        vec![2, 1, 3]
    }
}

/// Variances are 1/(1 - n/N) = 1.053 of the posterior's with independent rows and 1 with distinct ones; PyMC3 adds the
/// noise once more, and gets twice that.
#[test]
fn constant_gradients_sample_without_noise_of_their_own() {
    let mut target = Batches::new(Normal::new(&scales(10, 1.0, 100.0), 0.5, vec![0.0; 10], MANY), BATCH);
    let csg = Csg::new().draws(80_000);
    let got = ratios(csg.clone(), &target);
    all_within("CSG", &got, |_| 1.0, 0.08);
    all_within("CSG, by theory", &got, |_| 1.0 / 0.95, 0.04);
    all_within("CSG, PyMC3", &ratios(csg.clone().pymc3_compatible(), &target), |_| 2.0 / 0.95, 0.05);
    target.distinct = true;
    all_within("CSG, distinct rows", &ratios(csg.clone(), &target), |_| 1.0, 0.04);
    let plain = plain(3);
    let diagonal = csg.clone().preconditioner(CsgPreconditioner::Diagonal);
    all_within("CSG, diagonal", &ratios(diagonal, &plain), |_| 1.0 / 0.95, 0.04);
    // One number for all: exact in the mean of the variances times precisions.
    let got = ratios(csg.preconditioner(CsgPreconditioner::Scalar), &plain);
    let mean = got.iter().sum::<f64>() / 3.0;
    assert!((mean - 1.0 / 0.95).abs() < 0.04, "{got:?}");
}

/// The bias of Langevin dynamics is what theory says, and falls with the step; the run warns of it.
#[test]
fn langevin_bias_falls_with_the_step() {
    let target = plain(4);
    let theory = |i: usize, size: f64| {
        let l = MANY as f64 * target.model.precision[i][0];
        (1.0 + 0.25 * size * 20.0 * l) / (1.0 - 0.25 * size * l)
    };
    for (size, draws) in [(4e-4, 60_000), (4e-5, 150_000)] {
        let sgld = Sgld::new().step_size(Schedule::constant(size));
        let got = ratios(sgld.clone().draws(draws), &target);
        all_within(&format!("SGLD, step {size}"), &got, |i| theory(i, size), 0.06);
        let run = run(sgld.draws(100), &target);
        let excess = run.findings().iter().find_map(|f| match f {
            Finding::StepSizeBias { excess, .. } => Some(*excess),
            _ => None,
        });
        // By the fifty rows of one batch: the largest of four variances, each with a standard error of a fifth.
        let wanted = (0..4).map(|i| theory(i, size) - 1.0).fold(0.0, f64::max);
        assert!((excess.unwrap() / wanted - 1.0).abs() < 0.7, "{excess:?} {wanted}");
    }
    assert!(theory(3, 4e-4) > 4.0 * theory(3, 4e-5));
    let run = run(Sgld::new().step_size(Schedule::constant(4e-7)).draws(100), &target);
    assert!(!run.findings().iter().any(|f| matches!(f, Finding::StepSizeBias { .. })), "{:?}", run.findings());
}

/// With the whole sum known at a reference the noise of batches is gone: here, where curvature is constant, all of it.
#[test]
fn control_variates_take_the_noise_away() {
    let target = plain(4);
    let (size, l) = (1e-4, |i: usize| MANY as f64 * target.model.precision[i][0]);
    let sgld = Sgld::new().step_size(Schedule::constant(size)).draws(40_000);
    let got = ratios(sgld.control_variates(1000), &target);
    all_within("SGLD with control variates", &got, |i| 1.0 / (1.0 - 0.25 * size * l(i)), 0.06);
}

#[test]
fn hamiltonian_bias_falls_with_the_step() {
    let target = plain(4);
    let (a, l) = (0.3, |i: usize| MANY as f64 * target.model.precision[i][0]);
    let theory = |i: usize, e: f64| (2.0 - a) * (1.0 + e * 20.0 * l(i) / (2.0 * a)) / (2.0 - a - 0.5 * e * l(i));
    for (size, draws) in [(4e-5, 80_000), (4e-6, 250_000)] {
        let sghmc = Sghmc::new().friction(a).step_size(Schedule::constant(size)).draws(draws);
        all_within(&format!("SGHMC, step {size}"), &ratios(sghmc, &target), |i| theory(i, size), 0.06);
    }
    assert!(theory(3, 4e-5) > 2.0 && theory(3, 4e-6) < 1.3);
}

/// The noise of batches again, of which the thermostat is not told: it has one friction for all coordinates, and all have
/// the same noise here. Without it the variance would be 1 + h Q/(2 A) = 8.5 times too large.
#[test]
fn the_thermostat_learns_the_noise() {
    let target = Batches::new(Normal::new(&[1.0; 4], 0.0, vec![0.0; 4], MANY), BATCH);
    let sgnht = Sgnht::new().diffusion(2.0).step_size(Schedule::constant(1.5e-3)).draws(200_000);
    all_within("SGNHT", &ratios(sgnht, &target), |_| 1.0, 0.06);
}

/// From a start whose energy is 2400 a coordinate the usual warm-up is enough. Were it left to the thermostat, the friction
/// would rise to sqrt(2 U/d) = 69 and come down by a hundredth an iteration. Draws on the way to the friction that the noise
/// of the batches needs, 1 + h Q/2 = 11, are warned of.
#[test]
fn the_thermostat_settles_from_afar() {
    let target = Batches::new(Normal::new(&[0.1; 40], 0.0, vec![0.0; 40], MANY), BATCH);
    let run = |settings: Sgnht| {
        let run = settings.chains(2).seed(3).start(vec![7.0; 40]).run_target(&target).unwrap();
        let unsettled = run.findings().iter().filter(|f| matches!(f, Finding::Unsettled { .. })).count();
        let temperatures: Vec<f64> = run.chains().iter().map(|c| c.temperature.unwrap().0).collect();
        println!("mean squares of the momenta {temperatures:.2?}");
        (unsettled, temperatures)
    };
    let (unsettled, temperatures) = run(Sgnht::new().draws(4000));
    assert_eq!(unsettled, 0);
    assert!(temperatures.iter().all(|t| (t - 1.0).abs() < 0.15), "{temperatures:.2?}");
    let (unsettled, temperatures) = run(Sgnht::new().warmup(0).draws(400));
    assert_eq!(unsettled, 2);
    assert!(temperatures.iter().all(|t| *t > 1.7), "{temperatures:.2?}");
}

/// v settles at the variance of the mean gradient, (L/N)/n + what the spread of x adds, so that P is known.
#[test]
fn preconditioned_langevin_dynamics() {
    let target = plain(4);
    let size = 4e-6;
    let psgld = Psgld::new().decay(0.999).step_size(Schedule::constant(size)).draws(400_000);
    let theory = |i: usize| {
        let s = target.model.precision[i][0];
        let (l, q) = (MANY as f64 * s, 20.0 * MANY as f64 * s);
        let p = 1.0 / (s / BATCH as f64 + s / MANY as f64).sqrt();
        (1.0 + 0.25 * size * p * q) / (1.0 - 0.25 * size * p * l)
    };
    all_within("pSGLD", &ratios(psgld, &target), theory, 0.06);
}
