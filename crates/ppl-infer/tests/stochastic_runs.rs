//! Runs of stochastic gradient samplers: the same bits resumed, on any number of threads and not at all changed by who
//! watches; what is kept when a run ends early; what is said of it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{Array1, Array2};
use ppl_autodiff::Var;
use ppl_core::dist::{Bernoulli, Normal};
use ppl_core::{BatchModel, Distribution, Minibatch, model, observe, sample};
use ppl_infer::batch::{BatchDensity, BatchTarget};
use ppl_infer::chain::Outcome;
use ppl_infer::density::DensityError;
use ppl_infer::observe::{Event, Observer};
use ppl_infer::stochastic::kernel::SgldKernel;
use ppl_infer::stochastic::{
    Checkpoint, Csg, Finding, Fisher, Preconditioner, Psgld, Schedule, Sgfs, Sghmc, Sgld, Sgnht, StochasticGradient,
    StochasticKernel, StochasticRun,
};
use ppl_infer::{Concern, InferError};
use serde::Serialize;
use serde::de::DeserializeOwned;

mod common;
use common::batches::{Batches, Normal as NormalRows, scales};

model! {
    /// Logistic regression.
    fn logistic(x: Array2<f64>, y: Array1<f64>) {
        let w = sample!("w", Normal::new(0.0, 2.0).expand([x.ncols()]));
        let b = sample!("b", Normal::new(0.0, 2.0));
        observe!("y", Bernoulli::logits(Var::from(&x).matmul(w) + b), y);
    }
}

fn data(n: usize) -> (Array2<f64>, Array1<f64>) {
    let x = Array2::from_shape_fn((n, 3), |(i, j)| ((i * (j + 2)) as f64 * 0.7).sin());
    let y = Array1::from_shape_fn(n, |i| f64::from(u8::from(x[[i, 0]] + 0.5 * ((i * i) as f64).sin() > 0.0)));
    (x, y)
}

fn batches() -> impl BatchModel {
    Minibatch::new(data(200), 20).unwrap().model(|(x, y)| logistic(x, y))
}

/// Sets a flag when the first chain has made so many iterations.
struct StopAfter<'a>(usize, &'a AtomicBool);

impl Observer for StopAfter<'_> {
    fn iterated(&self, event: &Event) {
        if event.chain == 0 && event.iteration + 1 == self.0 {
            self.1.store(true, Ordering::Relaxed);
        }
    }
}

fn same_draws<K: StochasticKernel>(a: &StochasticRun<K>, b: &StochasticRun<K>) {
    for (a, b) in a.chains().iter().zip(b.chains()) {
        assert_eq!(a.draws, b.draws);
        assert_eq!((&a.step_sizes, &a.gradient_norms), (&b.step_sizes, &b.gradient_norms));
        assert_eq!((a.iterations, a.excess_variance), (b.iterations, b.excess_variance));
    }
    assert_eq!(a.draws(), b.draws());
}

/// A run interrupted in one chain's warm-up or draws and resumed, one continued to more draws, runs on one and on three
/// threads: all have the bits of the run that was not disturbed.
fn resumes<K: StochasticKernel>(settings: StochasticGradient<K>) {
    let settings = settings.warmup(130).draws(240).chains(3).seed(7);
    let batches = batches();
    let whole = settings.run(&batches).unwrap();
    assert_eq!(whole.chains()[0].kernel, K::NAME);
    for stop in [150, 301] {
        let flag = AtomicBool::new(false);
        let part = settings.clone().threads(1).run_watched(&batches, &StopAfter(stop, &flag), &flag).unwrap();
        assert!(matches!(part.chains()[0].outcome, Outcome::Interrupted));
        let kept = part.chains()[0].len();
        assert!(kept > 0 && kept < 240 && part.chains()[1].is_empty(), "{kept}");
        assert!(part.warnings().iter().any(|c| matches!(c, Concern::Chain { chain: 0, .. })));
        same_draws(&settings.resume(&part, &batches).unwrap(), &whole);
    }
    let fewer = settings.clone().draws(77).run(&batches).unwrap();
    same_draws(&settings.resume(&fewer, &batches).unwrap(), &whole);
    same_draws(&settings.clone().threads(1).run(&batches).unwrap(), &whole);
    same_draws(&settings.clone().threads(3).run(&batches).unwrap(), &whole);
    assert_ne!(whole.chains()[0].draws, whole.chains()[1].draws);
    assert_ne!(settings.clone().seed(8).run(&batches).unwrap().chains()[0].draws, whole.chains()[0].draws);
    // Other chains than those of the run are an error.
    let other = settings.chains(2).resume(&fewer, &batches).unwrap_err();
    assert!(other.to_string().contains("chains of the run to resume"), "{other}");
}

/// A run that is saved to text every so many iterations and dies after one of the saves: what is read back goes on, in
/// warm-up and later, to the bits of the run that was not disturbed.
fn survives<K>(settings: StochasticGradient<K>)
where
    K: StochasticKernel + Serialize + DeserializeOwned,
    K::State: Serialize + DeserializeOwned,
{
    let settings = settings.warmup(130).draws(200).chains(2).seed(5);
    let batches = batches();
    let whole = settings.run(&batches).unwrap();
    for last in [1, 3] {
        let mut saved = Vec::new();
        let ended = settings.checkpoint().resume_saving(&batches, 90, |checkpoint| {
            saved.push(serde_json::to_string(checkpoint).unwrap());
            if saved.len() == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        // A run without a draw is none, with or without checkpoints.
        assert_eq!(ended.is_ok(), last == 3);
        let checkpoint: Checkpoint<K> = serde_json::from_str(saved.last().unwrap()).unwrap();
        assert_eq!(checkpoint.iterations(), 90 * last as u64);
        same_draws(&checkpoint.resume(&batches).unwrap(), &whole);
        same_draws(&checkpoint.resume_saving(&batches, 41, |_| ControlFlow::Continue(())).unwrap(), &whole);
    }
    // More draws of a run that was over.
    let more = serde_json::to_string(&whole.checkpoint().draws(260)).unwrap();
    let more: Checkpoint<K> = serde_json::from_str(&more).unwrap();
    same_draws(&more.resume(&batches).unwrap(), &settings.draws(260).run(&batches).unwrap());
}

#[test]
fn saved_runs_survive() {
    survives(Sgfs::new());
    survives(Sgfs::new().fisher(Fisher::Diagonal));
    survives(Sgfs::new().fisher(Fisher::Sites).preconditioner(Preconditioner::Scaled(2.0)).fisher_every(3));
    survives(Sgfs::new().preconditioner(Preconditioner::Dense(Array2::eye(4))));
    survives(Csg::new());
    survives(Sgld::new());
    survives(Psgld::new());
    survives(Sghmc::new().step_size(Schedule::Cyclical { first: 1e-3, length: 20, exploration: 0.5 }));
    survives(Sgnht::new());
    survives(Sghmc::new().control_variates(50));
}

/// Steps that failed are kept as they are; files that do not fit are errors.
#[test]
fn checkpoints_keep_failures_and_are_checked() {
    let batches = batches();
    let run = Sgld::new().warmup(5).draws(20).chains(1).run(&batches).unwrap();
    let saved = serde_json::to_value(run.checkpoint()).unwrap();
    let load = |value: &serde_json::Value| serde_json::from_value::<Checkpoint<SgldKernel>>(value.clone());
    let refused = |change: &dyn Fn(&mut serde_json::Value), message: &str| {
        let mut value = saved.clone();
        change(&mut value);
        let error = match load(&value) {
            Ok(checkpoint) => checkpoint.resume(&batches).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(message), "{error}");
    };
    refused(&|v| v["kernel"] = "SGFS".into(), "the checkpoint is of a run of SGFS, wanted SGLD");
    refused(&|v| v["chains"][0]["state"]["position"] = vec![0.0; 3].into(), "coordinates of the run to resume is 3");
    refused(&|v| v["chains"][0]["step_sizes"] = vec![0.1; 3].into(), "draws of a chain to resume is 20, wanted 3");
    refused(&|v| v["chains"][0]["draws"][0] = 21.into(), "");
    refused(&|v| v["settings"]["chains"] = 2.into(), "chains of the run to resume is 1");
    let mut gap = saved.clone();
    gap["chains"][0]["gradient_norms"][4] = serde_json::Value::Null;
    let again = load(&gap).unwrap().draws(30).resume(&batches).unwrap();
    assert!(again.chains()[0].gradient_norms[4].is_nan() && again.chains()[0].gradient_norms[5] > 0.0);
    let zero = run.checkpoint().resume_saving(&batches, 0, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(zero.to_string().contains("iterations between checkpoints is 0"), "{zero}");
}

#[test]
fn fisher_scoring_resumes() {
    resumes(Sgfs::new());
    resumes(Sgfs::new().fisher(Fisher::Diagonal).fisher_every(7));
    resumes(Sgfs::new().fisher(Fisher::Sites).step_size(Schedule::polynomial(0.1, 1.0, 0.6).with_floor(1e-3)));
    resumes(Sgfs::new().pymc3_compatible().warmup(10));
}

#[test]
fn the_others_resume() {
    resumes(Csg::new());
    resumes(Sgld::new());
    resumes(Psgld::new());
    resumes(Sghmc::new());
    resumes(Sgnht::new());
    resumes(Sgld::new().control_variates(50));
    resumes(Sghmc::new().thin(3));
    resumes(Sgld::new().step_size(Schedule::Cyclical { first: 1e-3, length: 20, exploration: 0.5 }));
}

/// Draws by site, mapped to the support, and all that a posterior has.
#[test]
fn a_run_is_a_posterior() {
    let run = Sgfs::new().draws(800).chains(2).run(&batches()).unwrap();
    assert_eq!(run.get("w").unwrap().shape(), [2, 800, 3]);
    assert_eq!(run.model(), "logistic");
    let (x, _) = data(5);
    let predicted = run.predict(&logistic_prediction(x)).unwrap();
    assert_eq!(predicted.get("y").unwrap().shape(), [2, 800, 5]);
    assert!(run.chains().iter().all(|c| c.gradient_norms.iter().all(|g| *g > 0.0)));
    assert!(run.findings().is_empty(), "{:?}", run.findings());
    // With equal steps the weighted mean is the mean.
    let (a, b) = (run.weighted_mean("w").unwrap(), run.mean("w").unwrap());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12));
    assert!(matches!(run.weighted_mean("v"), Err(InferError::UnknownSite { .. })));
}

model! {
    fn logistic_prediction(x: Array2<f64>) {
        let w = sample!("w", Normal::new(0.0, 2.0).expand([x.ncols()]));
        let b = sample!("b", Normal::new(0.0, 2.0));
        observe!("y", Bernoulli::logits(Var::from(&x).matmul(w) + b), None::<Array1<f64>>);
    }
}

fn normal(dim: usize) -> Batches<NormalRows> {
    Batches::new(NormalRows::new(&scales(dim, 1.0, 10.0), 0.0, vec![1.0; dim], 500), 50)
}

#[test]
fn freezing_is_warned_of() {
    let target = normal(3);
    let settings = Sgfs::new().draws(4500).chains(2).seed(2);
    let run = settings.clone().pymc3_compatible().run_target(&target).unwrap();
    let frozen = run.findings().iter().filter(|f| matches!(f, Finding::Frozen { .. })).count();
    assert_eq!(frozen, 2, "{:?}", run.findings());
    assert!(run.warnings().iter().any(|c| c.to_string().contains("has frozen")));
    let run = settings.run_target(&target).unwrap();
    assert!(run.findings().is_empty(), "{:?}", run.findings());
}

#[test]
fn too_few_rows_are_warned_of() {
    let target = Batches { batch_size: 3, ..normal(40) };
    let settings = Sgfs::new().draws(100).chains(1).start(vec![0.0; 40]);
    // Even so the first steps, of which the information is of rank 2, do not run away.
    let few = settings.clone().warmup(20).run_target(&target).unwrap();
    // 21 batches of 3 rows, each less one for its mean; 2 for each dimension wanted.
    let wanted = Finding::FewRows { rows: 42, wanted: 80, batch_size: 5 };
    assert_eq!(few.findings(), [wanted]);
    assert!(settings.clone().warmup(100).run_target(&target).unwrap().findings().is_empty());
    assert!(settings.fisher(Fisher::Diagonal).warmup(20).run_target(&target).unwrap().findings().is_empty());
}

/// A target of which some, or all, gradients fail.
struct Failing {
    inner: Batches<NormalRows>,
    /// Every so many batches one fails.
    every: u64,
    /// From this iteration on nothing can be bound.
    end: u64,
}

struct FailingDensity<'f> {
    inner: Box<dyn BatchDensity + 'f>,
    target: &'f Failing,
    iteration: u64,
}

impl BatchTarget for Failing {
    fn dim(&self) -> usize {
        self.inner.dim()
    }
    fn density(&self, seed: u64, chain: u64) -> Result<Box<dyn BatchDensity + '_>, DensityError> {
        Ok(Box::new(FailingDensity { inner: self.inner.density(seed, chain)?, target: self, iteration: 0 }))
    }
}

impl BatchDensity for FailingDensity<'_> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }
    fn total_size(&self) -> usize {
        self.inner.total_size()
    }
    fn batch_size(&self) -> usize {
        self.inner.batch_size()
    }
    fn bind(&mut self, iteration: u64) -> Result<(), DensityError> {
        self.iteration = iteration;
        if iteration >= self.target.end {
            Err(DensityError::fatal("the stream ended"))
        } else {
            self.inner.bind(iteration)
        }
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        let value = self.inner.evaluate(x, gradient)?;
        if self.iteration % self.target.every == 1 {
            gradient[0] = f64::NAN;
        }
        Ok(value)
    }
    fn row_gradients(&mut self, x: &[f64], prior: &mut [f64], rows: &mut [f64]) -> Result<(), DensityError> {
        self.inner.row_gradients(x, prior, rows)?;
        if self.iteration % self.target.every == 1 {
            rows[7] = f64::INFINITY;
        }
        Ok(())
    }
    fn full(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.inner.full(x, gradient)
    }
}

fn fails<K: StochasticKernel>(settings: StochasticGradient<K>) {
    let settings = settings.warmup(0).draws(100).chains(1).start(vec![0.1; 3]);
    let target = Failing { inner: normal(3), every: 10, end: u64::MAX };
    let run = settings.run_target(&target).unwrap();
    let chain = &run.chains()[0];
    assert_eq!((chain.failed_steps, chain.len()), (10, 100));
    assert_eq!(chain.draws.row(0), chain.draws.row(1), "a failed step stays");
    assert!(chain.gradient_norms[1].is_nan() && chain.draws.iter().all(|x| x.is_finite()));
    assert!(run.findings().contains(&Finding::FailedSteps { chain: 0, count: 10, total: 100 }));

    let target = Failing { inner: normal(3), every: 10, end: 40 };
    let run = settings.run_target(&target).unwrap();
    assert!(matches!(&run.chains()[0].outcome, Outcome::Failed(e) if e.to_string() == "the stream ended"));
    assert_eq!(run.draws().draws(), 40);

    let target = Failing { inner: normal(3), every: 10, end: 0 };
    let error = settings.run_target(&target).unwrap_err().to_string();
    assert!(error.contains("the stream ended"), "{error}");
}

#[test]
fn failures_keep_what_there_is() {
    fails(Sgfs::new());
    fails(Sgfs::new().fisher(Fisher::Diagonal));
    fails(Csg::new());
    fails(Sgld::new());
    fails(Psgld::new());
    fails(Sghmc::new());
    fails(Sgnht::new());
}

#[test]
fn senseless_settings_are_refused() {
    use ppl_infer::stochastic::Preconditioner;
    let refused = |error: Result<StochasticRun<_>, InferError>, text: &str| {
        let error = error.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(text), "{error}");
    };
    let target = normal(2);
    let sgfs = Sgfs::new();
    refused(sgfs.clone().draws(0).run_target(&target), "draws is 0");
    refused(sgfs.clone().chains(0).run_target(&target), "chains is 0");
    refused(sgfs.clone().thin(0).run_target(&target), "thin is 0");
    refused(sgfs.clone().start(vec![0.0; 3]).run_target(&target), "coordinates of start is 3");
    refused(sgfs.clone().step_size(Schedule::constant(-1.0)).run_target(&target), "step_size is -1");
    refused(sgfs.clone().preconditioner(Preconditioner::Scaled(0.0)).run_target(&target), "preconditioner is 0");
    refused(
        sgfs.clone().preconditioner(Preconditioner::Diagonal(vec![1.0])).run_target(&target),
        "preconditioner is 1",
    );
    refused(sgfs.clone().fisher_every(0).run_target(&target), "fisher_every is 0");
    let indefinite = Array2::from_shape_vec((2, 2), vec![1.0, 2.0, 2.0, 1.0]).unwrap();
    let dense = Preconditioner::Dense(indefinite);
    refused(sgfs.clone().preconditioner(dense).run_target(&target), "positive definite");
    refused(sgfs.run_target(&Batches { batch_size: 1, ..normal(2) }), "at least 2 rows");
    assert!(Sghmc::new().friction(1.0).run_target(&target).is_err());
    assert!(Sghmc::new().noise_estimate(0.2).run_target(&target).is_err());
    assert!(Psgld::new().decay(1.0).run_target(&target).is_err());
    assert!(Sgnht::new().diffusion(0.0).run_target(&target).is_err());
    assert!(Sgld::new().control_variates(0).run_target(&target).is_err());
}
