//! Runs that do not go smoothly: interrupted, failing, watched, warned about.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ppl::diagnostics::{Warning, mcse_mean};
use ppl::infer::Concern;
use ppl::infer::chain::Outcome;
use ppl::infer::density::{DensityError, FnTarget, LogDensity, Target};
use ppl::infer::observe::{Ending, Event, Observer, Phase, Plan};
use ppl::infer::progress::Progress;
use ppl::prelude::*;

model! {
    /// A mean and a spread.
    fn measurements(y: Vec<f64>) {
        let mean = sample!("mean", Normal::new(0.0, 10.0));
        let spread = sample!("spread", HalfNormal::new(5.0));
        observe!("y", Normal::new(mean, spread), y);
    }
}

fn model() -> impl Model {
    measurements(vec![1.0, 2.5, 0.3, -0.4, 1.7])
}

const WARMUP: usize = 150;

fn nuts() -> Nuts {
    Nuts::new().warmup(WARMUP).draws(300).chains(2).seed(5)
}

/// Sets a flag as soon as one chain has made so many iterations.
struct StopAfter<'a> {
    iterations: usize,
    flag: &'a AtomicBool,
}

impl Observer for StopAfter<'_> {
    fn iterated(&self, event: &Event) {
        if event.iteration + 1 == self.iterations {
            self.flag.store(true, Ordering::Relaxed);
        }
    }
}

fn interrupted_after(nuts: &Nuts, iterations: usize) -> Result<Posterior, InferError> {
    let flag = AtomicBool::new(false);
    let observer = StopAfter { iterations, flag: &flag };
    nuts.run_watched(&model(), &observer, &flag)
}

#[test]
fn an_interrupted_run_keeps_its_draws() {
    // One thread: the first chain is interrupted in its 40th draw, the second never begins to draw.
    let part = interrupted_after(&nuts().threads(1), WARMUP + 40).unwrap();
    assert_eq!((part.draws().chains(), part.draws().draws()), (1, 40));
    let whole = nuts().run(&model()).unwrap();
    for (site, draws) in part.draws().sites() {
        let first = whole.get(site).unwrap().index_axis(Axis(0), 0);
        assert_eq!(draws.index_axis(Axis(0), 0), first.slice_axis(Axis(0), (..40).into()));
    }
    assert_eq!(part.stats().energy.dim(), (1, 40));
    assert_eq!(part.summary().draws(), 40);
    let chains: Vec<_> = part.chains().iter().map(|c| (c.chain, c.draws)).collect();
    assert_eq!(chains, [(0, 40), (1, 0)]);
    assert!(part.chains().iter().all(|c| matches!(c.outcome, Outcome::Interrupted)));
    let said: Vec<String> = part.warnings().iter().map(ToString::to_string).collect();
    assert!(said.contains(&"Chain 0 was interrupted after 40 draws.".to_owned()), "{said:?}");
}

#[test]
fn a_run_interrupted_in_warm_up_has_no_draws() {
    let outcome = interrupted_after(&nuts(), WARMUP / 2);
    assert!(matches!(outcome, Err(InferError::Interrupted)));
}

/// Standard normal coordinates whose density breaks, in one of the chains, after so many evaluations.
struct Breaking {
    evaluations: usize,
    handed_out: AtomicUsize,
}

struct BreakingDensity {
    left: Option<usize>,
}

impl Target for Breaking {
    fn dim(&self) -> usize {
        2
    }
    fn density(&self) -> Box<dyn LogDensity + '_> {
        let first = self.handed_out.fetch_add(1, Ordering::Relaxed) == 0;
        Box::new(BreakingDensity { left: first.then_some(self.evaluations) })
    }
}

impl LogDensity for BreakingDensity {
    fn dim(&self) -> usize {
        2
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or_else(|| DensityError::fatal("the solver gave up"))?;
        }
        gradient.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
        Ok(-0.5 * x.iter().map(|x| x * x).sum::<f64>())
    }
}

fn breaking_after(evaluations: usize) -> Posterior {
    let target = Breaking { evaluations, handed_out: AtomicUsize::new(0) };
    nuts().chains(4).run_target(&target).unwrap()
}

/// The failed chain, from the report, with what the warnings say of it.
fn failed(posterior: &Posterior) -> (usize, String) {
    let failed: Vec<_> = posterior.chains().iter().filter(|c| matches!(c.outcome, Outcome::Failed(_))).collect();
    assert_eq!((failed.len(), posterior.chains().len()), (1, 4));
    let said = posterior.warnings();
    let named = said.iter().find(|w| matches!(w, Concern::Chain { chain, .. } if *chain == failed[0].chain));
    (failed[0].draws, named.unwrap().to_string())
}

#[test]
fn a_chain_that_fails_late_keeps_its_draws_and_is_reported() {
    // About three gradients a draw: late is when three quarters of four chains are more than three whole ones.
    let whole = breaking_after(usize::MAX);
    let least = whole.chains().iter().map(|c| c.gradients).min().unwrap();
    let posterior = breaking_after(least - 30);
    let (draws, said) = failed(&posterior);
    assert!((226..300).contains(&draws), "{draws}");
    assert_eq!((posterior.draws().chains(), posterior.draws().draws()), (4, draws));
    assert_eq!(posterior.get("x").unwrap().shape(), [4, draws, 2]);
    assert_eq!(posterior.stats().energy.dim(), (4, draws));
    assert_eq!(said, format!("Chain {} failed after {draws} draws: the solver gave up", chain_of(&posterior)));
}

#[test]
fn a_chain_that_fails_early_does_not_cost_the_others_their_draws() {
    for evaluations in [0, 1, 20, 700] {
        let posterior = breaking_after(evaluations);
        let (draws, said) = failed(&posterior);
        assert!(draws < 200, "{draws}");
        assert_eq!((posterior.draws().chains(), posterior.draws().draws()), (3, 300));
        assert!(said.contains("the solver gave up"), "{said}");
    }
}

fn chain_of(posterior: &Posterior) -> usize {
    let failed = posterior.chains().iter().find(|c| matches!(c.outcome, Outcome::Failed(_)));
    failed.unwrap().chain
}

#[test]
fn without_a_single_draw_the_error_says_why() {
    let broken = FnTarget::new(2, |_, _| f64::NAN);
    let error = nuts().run_target(&broken).unwrap_err();
    assert!(matches!(error, InferError::NoDraws { .. }), "{error}");
    assert!(error.to_string().contains("no finite log-density"), "{error}");

    struct Broken;
    impl Target for Broken {
        fn dim(&self) -> usize {
            1
        }
        fn density(&self) -> Box<dyn LogDensity + '_> {
            Box::new(BreakingDensity { left: Some(0) })
        }
    }
    let error = nuts().run_target(&Broken).unwrap_err();
    assert!(error.to_string().contains("the solver gave up"), "{error}");
}

/// A function with gradient of one's own, sampled, summarised and predicted from.
#[test]
fn a_function_of_ones_own_has_a_posterior() {
    // Gumbel: log p = -x - e^{-x}, mean Euler's constant, sd pi / sqrt(6); and twice that.
    let target = FnTarget::new(2, |x, gradient| {
        let mut log_density = 0.0;
        for (i, (g, x)) in gradient.iter_mut().zip(x).enumerate() {
            let scale = (i + 1) as f64;
            let tail = (-x / scale).exp();
            *g = (tail - 1.0) / scale;
            log_density -= x / scale + tail;
        }
        log_density
    });
    let posterior = Nuts::new().seed(2).run_target(&target).unwrap();
    assert_eq!((posterior.model(), posterior.warnings().len()), ("target", 0));
    let summary = posterior.summary();
    for (label, scale) in [("x[0]", 1.0), ("x[1]", 2.0)] {
        let row = summary.row(label).unwrap();
        let z = (row.mean - 0.577_215_664_901_532_9 * scale) / row.mcse_mean;
        assert!(z.abs() < 5.0, "{label}: mean off by {z} errors");
        let z = (row.sd - scale * std::f64::consts::PI / 6f64.sqrt()) / row.mcse_sd;
        assert!(z.abs() < 5.0, "{label}: sd off by {z} errors");
    }
    model! {
        /// The sum of what was sampled elsewhere.
        fn sum() {
            let x = sample!("x", Normal::new(0.0, 1.0).expand([2]));
            deterministic!("sum", x.sum());
        }
    }
    let predicted = posterior.predict(&sum()).unwrap();
    let x = posterior.get("x").unwrap();
    assert_eq!(predicted.get("sum").unwrap(), &x.sum_axis(Axis(2)));
}

/// Keeps all that it is told.
#[derive(Default)]
struct Diary {
    plans: Mutex<Vec<Plan>>,
    events: Mutex<Vec<Event>>,
    endings: Mutex<Vec<(usize, Ending)>>,
    ended: AtomicUsize,
}

impl Observer for Diary {
    fn started(&self, plan: &Plan) {
        self.plans.lock().unwrap().push(*plan);
    }
    fn iterated(&self, event: &Event) {
        self.events.lock().unwrap().push(*event);
    }
    fn chain_ended(&self, chain: usize, ending: Ending) {
        self.endings.lock().unwrap().push((chain, ending));
    }
    fn ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_observer_sees_every_iteration_of_every_chain_in_order() {
    let diary = Diary::default();
    let posterior = nuts().chains(3).run_watched(&model(), &diary, &AtomicBool::new(false)).unwrap();
    let plan = Plan { chains: 3, warmup: WARMUP, draws: 300 };
    assert_eq!(*diary.plans.lock().unwrap(), [plan]);
    let events = diary.events.into_inner().unwrap();
    for (chain, report) in posterior.chains().iter().enumerate() {
        let own: Vec<&Event> = events.iter().filter(|e| e.chain == chain).collect();
        let iterations: Vec<usize> = own.iter().map(|e| e.iteration).collect();
        assert_eq!(iterations, (0..WARMUP + 300).collect::<Vec<_>>());
        for e in &own {
            assert_eq!(e.phase == Phase::Warmup, e.iteration < WARMUP);
        }
        let steps: Vec<u32> = own[WARMUP..].iter().map(|e| e.n_steps as u32).collect();
        assert_eq!(steps, posterior.stats().n_steps.row(chain).to_vec());
        assert_eq!(own.last().unwrap().gradients, report.gradients);
        assert_eq!(report.step_size, Some(own.last().unwrap().step_size));
    }
    let mut endings = diary.endings.into_inner().unwrap();
    endings.sort_by_key(|e| e.0);
    assert_eq!(endings, [0, 1, 2].map(|c| (c, Ending::Complete)));
    assert_eq!(diary.ended.into_inner(), 1);
    // Being watched changes nothing.
    assert_eq!(posterior.draws(), nuts().chains(3).run(&model()).unwrap().draws());
}

/// Run by `progress_to_a_pipe_prints_nothing` in a process of its own.
#[test]
#[ignore = "a part of another test"]
fn run_with_progress() {
    let posterior = nuts().run_watched(&model(), &Progress::new(), &AtomicBool::new(false)).unwrap();
    assert_eq!(posterior.draws().draws(), 300);
}

#[test]
fn progress_to_a_pipe_prints_nothing() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "run_with_progress", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let out = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success() && out.contains("1 passed"), "{out}");
    assert_eq!(String::from_utf8(child.stderr).unwrap(), "");
    assert!(!out.contains("chain") && !out.contains("step"), "{out}");
}

fn found(posterior: &Posterior, wanted: impl Fn(&Warning) -> bool) -> Vec<Warning> {
    let all = posterior.warnings().into_iter();
    all.filter_map(|c| match c {
        Concern::Draws(w) if wanted(&w) => Some(w),
        _ => None,
    })
    .collect()
}

model! {
    /// Neal's funnel, centred: the neck is too narrow for any step that suits the mouth.
    fn funnel() {
        let v = sample!("v", Normal::new(0.0, 3.0));
        sample!("x", Normal::new(0.0, (0.5 * v).exp()).expand([9]));
    }
}

#[test]
fn the_centred_funnel_is_warned_about() {
    let posterior = Nuts::new().centring(Centring::AsWritten).seed(1).run(&funnel()).unwrap();
    let divergences = found(&posterior, |w| matches!(w, Warning::Divergences { .. }));
    let [Warning::Divergences { count, total }] = divergences[..] else {
        panic!("{:?}", posterior.warnings());
    };
    assert_eq!((count, total), (posterior.stats().divergences(), 4000));
    // Energies of chains that cannot follow v: Betancourt's figure is far below 0.3.
    let low = found(&posterior, |w| matches!(w, Warning::LowBfmi { .. }));
    assert_eq!(low.len(), 1, "{:?}", posterior.warnings());
    // The same law without its neck gives no cause.
    model! {
        /// The funnel, non-centred.
        fn non_centred() {
            let v = sample!("v", Normal::new(0.0, 3.0));
            let z = sample!("z", Normal::new(0.0, 1.0).expand([9]));
            deterministic!("x", (0.5 * v).exp() * z);
        }
    }
    let posterior = Nuts::new().seed(1).run(&non_centred()).unwrap();
    assert!(posterior.warnings().is_empty(), "{:?}", posterior.warnings());
}

model! {
    /// Two modes at -20 and 20, between which no chain finds a way.
    fn two_modes() {
        let x = sample!("x", Normal::new(0.0, 1.0));
        let at = |c: f64| -0.5 * (x - c).square();
        let (a, b) = (at(-20.0), at(20.0));
        let most = a.max(b);
        let mixture = most + ((a - most).exp() + (b - most).exp()).ln();
        factor!("modes", 0.5 * x.square() + mixture);
    }
}

#[test]
fn chains_in_different_modes_are_warned_about() {
    // Chains start within (-2, 2) and go to the mode on their side: with this seed not all to the same.
    let posterior = Nuts::new().seed(1).run(&two_modes()).unwrap();
    let sides: Vec<bool> = posterior.get("x").unwrap().mean_axis(Axis(1)).unwrap().iter().map(|m| *m > 0.0).collect();
    assert!(sides.contains(&true) && sides.contains(&false), "{sides:?}");
    let r_hat = found(&posterior, |w| matches!(w, Warning::HighRHat { .. }));
    let [Warning::HighRHat { count: 1, components: 1, worst }] = &r_hat[..] else {
        panic!("{:?}", posterior.warnings());
    };
    // Of normal scores of ranks, which sides of two or of one and three chains bring to 1.5 at least.
    assert!(worst[0].0 == "x" && worst[0].1 > 1.5, "{worst:?}");
    // Each chain alone describes its mode.
    let x = posterior.get("x").unwrap().index_axis(Axis(0), 0).to_owned();
    let one = x.insert_axis(Axis(0)).into_dimensionality().unwrap();
    let mode = if sides[0] { 20.0 } else { -20.0 };
    assert!((one.mean().unwrap() - mode).abs() < 5.0 * mcse_mean(one.view()));
}

#[test]
fn settings_out_of_range_are_errors_before_anything_runs() {
    let diary = Diary::default();
    for nuts in [
        nuts().draws(0),
        nuts().chains(0),
        nuts().threads(0),
        nuts().max_depth(0),
        nuts().max_depth(21),
        nuts().target_acceptance(1.0),
        nuts().target_acceptance(f64::NAN),
        nuts().step_size_jitter(1.0),
    ] {
        let outcome = nuts.run_watched(&model(), &diary, &AtomicBool::new(false));
        assert!(matches!(outcome, Err(InferError::Settings(_))), "{nuts:?}");
        let target = FnTarget::new(1, |_, _| 0.0);
        assert!(matches!(nuts.run_target(&target), Err(InferError::Settings(_))), "{nuts:?}");
    }
    assert!(diary.plans.into_inner().unwrap().is_empty());
}
