//! The runner: same bits on any number of threads, frozen parameters, and what is kept when a chain ends early.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ppl_infer::adapt::MetricAdaptation::{
    FisherBlocks, FisherDiagonal, FisherLowRank, StanBlocks, StanDense, StanDiagonal,
};
use ppl_infer::adapt::SiteGroups;
use ppl_infer::adapt::StepSizeError;
use ppl_infer::adapt::WarmupError;
use ppl_infer::chain::{ChainDraws, ChainError, Outcome};
use ppl_infer::density::{DensityError, Target};
use ppl_infer::init::{InitError, find_start};
use ppl_infer::observe::{Ending, Event, Observer, Phase, Plan, Silent};
use ppl_infer::progress::Progress;
use ppl_infer::random::ChainRng;
use ppl_infer::runner::{Nuts, SettingsError};

mod common;
use common::densities::{self, Function};

fn run(settings: &Nuts, target: &dyn Target) -> Vec<ChainDraws> {
    settings.sample_chains(target, &Silent, &AtomicBool::new(false)).unwrap()
}

fn fatal() -> DensityError {
    DensityError::Fatal(std::sync::Arc::new(std::io::Error::other("the solver is gone")))
}

/// Draws, statistics and parameters are the same bits with 1, 2 and 4 threads, with global ones and with a progress
/// display; chains and seeds differ from each other.
#[test]
fn same_bits_on_any_number_of_threads() {
    let known = densities::equicorrelated(6, 0.7);
    let blocks = SiteGroups::all;
    for metric in [FisherDiagonal, FisherLowRank, FisherBlocks(blocks()), StanDiagonal, StanDense, StanBlocks(blocks())]
    {
        let settings = Nuts::new().warmup(150).draws(50).metric(metric).seed(11).step_size_jitter(0.1);
        let one = run(&settings.clone().threads(1), &*known.target);
        let never = AtomicBool::new(false);
        let shown = settings.sample_chains(&*known.target, &Progress::hidden(), &never).unwrap();
        for other in [
            run(&settings.clone().threads(2), &*known.target),
            run(&settings.clone().threads(4), &*known.target),
            shown,
        ] {
            assert_eq!(other.len(), 4);
            for (a, b) in one.iter().zip(&other) {
                assert_eq!(a.chain, b.chain);
                assert_eq!(a.draws, b.draws);
                assert_eq!(a.stats, b.stats);
                assert_eq!(a.params, b.params);
                assert_eq!((a.warmup_gradients, a.gradients), (b.warmup_gradients, b.gradients));
            }
        }
        assert_ne!(one[0].draws, one[1].draws);
        assert_ne!(one[0].draws, run(&settings.clone().seed(12), &*known.target)[0].draws);
    }
}

/// Remembers the step size of every iteration and how chains ended.
#[derive(Default)]
struct Memory {
    plan: Mutex<Option<Plan>>,
    events: Mutex<Vec<Event>>,
    endings: Mutex<Vec<(usize, Ending)>>,
    ended: AtomicUsize,
}

impl Observer for Memory {
    fn started(&self, plan: &Plan) {
        *self.plan.lock().unwrap() = Some(*plan);
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

/// The step size moves while warming up and not once after; observers see every iteration in order.
#[test]
fn parameters_are_frozen_after_warmup() {
    let known = densities::equicorrelated(4, 0.5);
    let memory = Memory::default();
    let settings = Nuts::new().warmup(100).draws(40).chains(2);
    let chains = settings.sample_chains(&*known.target, &memory, &AtomicBool::new(false)).unwrap();
    assert_eq!(*memory.plan.lock().unwrap(), Some(Plan { chains: 2, warmup: 100, draws: 40 }));
    assert_eq!(memory.ended.load(Ordering::Relaxed), 1);
    let mut endings = memory.endings.lock().unwrap().clone();
    endings.sort_by_key(|e| e.0);
    assert_eq!(endings, [(0, Ending::Complete), (1, Ending::Complete)]);
    for chain in &chains {
        let events: Vec<Event> =
            memory.events.lock().unwrap().iter().filter(|e| e.chain == chain.chain).copied().collect();
        assert_eq!(events.len(), 140);
        for (i, event) in events.iter().enumerate() {
            assert_eq!(event.iteration, i);
            assert_eq!(event.phase, if i < 100 { Phase::Warmup } else { Phase::Sampling });
        }
        assert!(events[..100].windows(2).all(|w| w[0].step_size != w[1].step_size));
        let frozen = chain.params.as_ref().unwrap();
        assert!(events[100..].iter().all(|e| e.step_size == frozen.step_size));
        assert!(chain.stats.iter().all(|s| s.step_size == frozen.step_size));
        let steps: usize = chain.stats.iter().map(|s| s.n_steps as usize).sum();
        assert_eq!(chain.gradients, chain.warmup_gradients + steps);
        assert_eq!(events[139].gradients, chain.gradients);
    }
}

/// Where draws agree on the metric warm-up ends by itself, well before its last iteration: iterations count on, the
/// parameters stay, and what is reported is what was done. Told not to, and on Stan's windows, it goes on to the end.
#[test]
fn warmup_ends_by_itself() {
    let known = densities::equicorrelated(5, 0.8);
    for metric in [FisherDiagonal, FisherLowRank, FisherBlocks(SiteGroups::all())] {
        let memory = Memory::default();
        let settings = Nuts::new().warmup(2000).draws(30).chains(2).metric(metric.clone());
        let chains = settings.sample_chains(&*known.target, &memory, &AtomicBool::new(false)).unwrap();
        for chain in &chains {
            let events: Vec<Event> =
                memory.events.lock().unwrap().iter().filter(|e| e.chain == chain.chain).copied().collect();
            let warmup = chain.warmup_iterations;
            // 120 and 80 draws, 80 more to compare with, and at least 100 for the step size.
            assert!((380..1000).contains(&warmup), "{metric:?}: {warmup}");
            assert_eq!(events.len(), warmup + 30);
            let frozen = chain.params.as_ref().unwrap().step_size;
            for (i, event) in events.iter().enumerate() {
                assert_eq!(event.iteration, i);
                assert_eq!(event.phase, if i < warmup { Phase::Warmup } else { Phase::Sampling });
                assert!(i < warmup || event.step_size == frozen && event.iterations == warmup + 30);
            }
        }
        let whole = run(&settings.end_warmup_early(false), &*known.target);
        assert!(whole.iter().all(|c| c.warmup_iterations == 2000));
    }
    let chains = run(&Nuts::new().warmup(600).draws(5).metric(StanDiagonal), &*known.target);
    assert!(chains.iter().all(|c| c.warmup_iterations == 600));
}

/// A rotation integrates a normal law exactly: with its covariance as metric no step is refused, however long.
#[test]
fn rotations_find_the_normal_law() {
    let known = densities::equicorrelated(10, 0.9);
    for chain in run(&Nuts::new().warmup(600).draws(200).rotation(1.0), &*known.target) {
        let acceptance = chain.stats.iter().map(|s| s.acceptance_rate).sum::<f64>() / 200.0;
        assert!(acceptance > 0.95, "{acceptance}");
        // A quarter of a turn is the longest step.
        let step_size = chain.params.as_ref().unwrap().step_size;
        assert!(step_size > 1.2 && step_size <= std::f64::consts::FRAC_PI_2, "{step_size}");
    }
}

/// Every gradient is counted: the counter of the density agrees with the chains' own.
#[test]
fn gradients_are_counted() {
    let blocks = SiteGroups::all;
    for metric in [FisherDiagonal, FisherLowRank, FisherBlocks(blocks()), StanDiagonal, StanDense, StanBlocks(blocks())]
    {
        let calls = AtomicUsize::new(0);
        let target = Function::new(3, |x, g| {
            calls.fetch_add(1, Ordering::Relaxed);
            g.iter_mut().zip(x).for_each(|(g, x)| *g = -x);
            Ok(-0.5 * x.iter().map(|x| x * x).sum::<f64>())
        });
        let chains = run(&Nuts::new().warmup(200).draws(20).metric(metric), &target);
        let counted: usize = chains.iter().map(|c| c.gradients).sum();
        assert_eq!(counted, calls.load(Ordering::Relaxed));
    }
}

/// Interrupts after a number of iterations.
struct Interrupter<'a> {
    after: usize,
    seen: AtomicUsize,
    flag: &'a AtomicBool,
}

impl Observer for Interrupter<'_> {
    fn iterated(&self, _: &Event) {
        if self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.after {
            self.flag.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn an_interrupt_keeps_the_draws_so_far() {
    let known = densities::equicorrelated(3, 0.2);
    let settings = Nuts::new().warmup(50).draws(100).chains(2).threads(1);
    let whole = run(&settings, &*known.target);
    for (after, kept) in [(20, [0, 0]), (80, [30, 0]), (230, [100, 30])] {
        let flag = AtomicBool::new(false);
        let observer = Interrupter { after, seen: AtomicUsize::new(0), flag: &flag };
        let chains = settings.sample_chains(&*known.target, &observer, &flag).unwrap();
        for ((chain, whole), kept) in chains.iter().zip(&whole).zip(kept) {
            assert_eq!(chain.draws, whole.draws.slice(ndarray::s![..kept, ..]));
            assert_eq!(chain.stats, whole.stats[..kept]);
            assert_eq!(matches!(chain.outcome, Outcome::Complete), kept == 100);
            assert_eq!(matches!(chain.outcome, Outcome::Interrupted), kept < 100);
            assert_eq!(chain.params.is_some(), kept > 0);
        }
    }
}

#[test]
fn a_fatal_error_keeps_the_draws_so_far() {
    let known = densities::equicorrelated(2, 0.2);
    let settings = Nuts::new().warmup(50).draws(100).chains(1).threads(1);
    let whole = &run(&settings, &*known.target)[0];
    let calls = AtomicUsize::new(0);
    let last = (whole.warmup_gradients + whole.gradients) / 2;
    let target = Function::new(2, |x, g| {
        if calls.fetch_add(1, Ordering::Relaxed) == last {
            return Err(fatal());
        }
        known.target.density().evaluate(x, g)
    });
    let chain = &run(&settings, &target)[0];
    let Outcome::Failed(ChainError::Density(error)) = &chain.outcome else { panic!("{:?}", chain.outcome) };
    assert_eq!(error.to_string(), "the solver is gone");
    let kept = chain.stats.len();
    assert!(kept > 20 && kept < 80, "{kept} draws");
    assert_eq!(chain.draws, whole.draws.slice(ndarray::s![..kept, ..]));
    assert_eq!(chain.draws.nrows(), kept);
}

#[test]
fn a_target_that_is_nowhere_finite_says_where_it_was_tried() {
    let target = Function::new(2, |_, g| {
        g.copy_from_slice(&[1.0, f64::NAN]);
        Ok(-7.0)
    });
    let chain = &run(&Nuts::new().chains(1), &target)[0];
    let Outcome::Failed(ChainError::Init(InitError::NoFinitePoint { attempts, position, log_density, bad_gradients })) =
        &chain.outcome
    else {
        panic!("{:?}", chain.outcome)
    };
    assert_eq!((*attempts, position.len(), *log_density, *bad_gradients), (100, 2, -7.0, 1));
    assert!(position.iter().all(|x| x.abs() < 2.0));
    assert_eq!(chain.draws.dim(), (0, 2));
}

/// Chains start where they are told to, or say why they cannot.
#[test]
fn starts_that_are_given() {
    // A normal law about (100, 100), finite within 30 of it: no random start finds it.
    let target = Function::new(2, |x, g| {
        let off = [x[0] - 100.0, x[1] - 100.0];
        g.copy_from_slice(&off.map(|o| -o));
        let square = off[0] * off[0] + off[1] * off[1];
        Ok(if square < 900.0 { -0.5 * square } else { f64::NAN })
    });
    let nuts = Nuts::new().warmup(200).draws(200).chains(2).seed(5);
    assert!(run(&nuts, &target).iter().all(|chain| matches!(chain.outcome, Outcome::Failed(_))));
    let starts = ndarray::array![[99.0, 102.0], [110.0, 95.0]];
    for chain in run(&nuts.clone().starts(starts.clone()), &target) {
        assert!(matches!(chain.outcome, Outcome::Complete));
        // At most four times the variance of 200 independent draws: five standard errors are 0.7.
        let mean = chain.draws.mean_axis(ndarray::Axis(0)).unwrap();
        assert!(mean.iter().all(|m| (m - 100.0).abs() < 0.7), "{mean}");
    }
    let outside = ndarray::array![[99.0, 102.0], [0.0, 0.0]];
    let chains = run(&nuts.clone().starts(outside), &target);
    let Outcome::Failed(error) = &chains[1].outcome else { panic!("{:?}", chains[1].outcome) };
    assert!(error.to_string().contains("in 1 attempt;"), "{error}");
    assert!(matches!(chains[0].outcome, Outcome::Complete), "the other goes on");
    let error = nuts.starts(starts.slice(ndarray::s![..1, ..]).to_owned());
    let error = error.sample_chains(&target, &Silent, &AtomicBool::new(false)).unwrap_err();
    assert_eq!(error.to_string(), "rows of starts is 1, wanted 2 to 2");
}

/// Where log-densities are so low that energies cannot be told apart no chain starts, unless there is nothing else.
#[test]
fn starts_where_energies_mean_something() {
    // Finite everywhere, below -1e15 but for a third of the cube.
    let target = |height: f64| {
        Function::new(1, move |x, g| {
            g[0] = -x[0];
            Ok(-0.5 * x[0] * x[0] - if x[0] > 0.6 { 0.0 } else { height })
        })
    };
    for chain in 0..20 {
        let start = |height| find_start(&mut target(height).evaluator(), &ChainRng::new(1, chain)).unwrap();
        let (state, evaluations) = start(1e15);
        assert!(state.position[0] > 0.6 && evaluations <= 100);
        assert_eq!(start(1e3).1, 1);
    }
    let nowhere = Function::new(1, |x, g| {
        g[0] = -1e15 * x[0];
        Ok(-1e15 * (1.0 + x[0] * x[0]))
    });
    let (state, evaluations) = find_start(&mut nowhere.evaluator(), &ChainRng::new(1, 0)).unwrap();
    // The best of a hundred uniform in (-2, 2): further from 0 than 0.2 with probability 3e-5.
    assert!(evaluations == 100 && state.position[0].abs() < 0.2, "{state:?}");
}

#[test]
fn step_sizes_that_do_not_exist() {
    let flat = Function::new(1, |_, g| {
        g[0] = 0.0;
        Ok(0.0)
    });
    // Finite at the start and nowhere else.
    let calls = AtomicUsize::new(0);
    let lonely = Function::new(1, |_, g| {
        g[0] = 0.0;
        Ok(if calls.fetch_add(1, Ordering::Relaxed) == 0 { 0.0 } else { f64::NAN })
    });
    let settings = Nuts::new().chains(1);
    let step_size_error = |target: &dyn Target| match run(&settings, target).remove(0).outcome {
        Outcome::Failed(ChainError::Warmup(WarmupError::StepSize(error))) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(step_size_error(&flat), StepSizeError::Improper(step) if step > 1e7));
    assert!(matches!(step_size_error(&lonely), StepSizeError::Vanished));
}

/// Warm-ups too short to learn from still give draws.
#[test]
fn short_warmups() {
    let known = densities::normal("normal", vec![0.0; 3], vec![1.0; 3]);
    let blocks = SiteGroups::all;
    for metric in [FisherDiagonal, FisherLowRank, FisherBlocks(blocks()), StanDiagonal, StanDense, StanBlocks(blocks())]
    {
        for warmup in [0, 1, 2, 5, 19, 20, 21, 40, 150] {
            let chains = run(&Nuts::new().warmup(warmup).draws(10).chains(1).metric(metric.clone()), &*known.target);
            assert!(matches!(chains[0].outcome, Outcome::Complete));
            assert_eq!(chains[0].draws.dim(), (10, 3));
            let step_size = chains[0].params.as_ref().unwrap().step_size;
            assert!(step_size > 0.0 && step_size < 100.0, "{warmup}: {step_size}");
        }
    }
}

#[test]
fn settings_out_of_range() {
    let known = densities::equicorrelated(2, 0.2);
    let refused = |settings: Nuts| {
        settings.sample_chains(&*known.target, &Silent, &AtomicBool::new(false)).unwrap_err().to_string()
    };
    assert_eq!(refused(Nuts::new().draws(0)), "draws is 0, wanted 1 to 2147483647");
    assert_eq!(refused(Nuts::new().chains(0)), "chains is 0, wanted 1 to 2147483647");
    assert_eq!(refused(Nuts::new().max_depth(21)), "max_depth is 21, wanted 1 to 20");
    assert_eq!(refused(Nuts::new().threads(0)), "threads is 0, wanted 1 to 65536");
    assert_eq!(refused(Nuts::new().step_size_jitter(1.0)), "step_size_jitter is 1, wanted at least 0 and less than 1");
    assert_eq!(refused(Nuts::new().rotation(0.0)), "rotation is 0, wanted more than 0 and at most 1");
    for target in [0.0, 1.0, f64::NAN] {
        assert!(matches!(
            Nuts::new().target_acceptance(target).check(),
            Err(SettingsError::Number { setting: "target_acceptance", .. })
        ));
    }
}
