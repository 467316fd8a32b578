//! A run that can be saved, and gone on with in this process or another.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use ppl_core::BatchModel;
use serde::{Deserialize, Serialize};

use super::kernel::StochasticKernel;
use super::result::{StochasticChain, StochasticRun};
use super::settings::StochasticGradient;
use crate::batch::BatchTarget;
use crate::compiled_batch::CompiledBatchModel;
use crate::error::InferError;
use crate::fit::Coordinates;
use crate::observe::{Observer, Silent};
use crate::posterior::Recorded;
use crate::runner::SettingsError;

/// The settings of a run, its draws so far, and the states of its chains: all that it takes to go on with the bits that
/// the run would have had, where data are in memory.
///
/// It is saved by `serde`, in a format that keeps all bits of a number (`serde_json` does with its feature
/// `float_roundtrip`). The model is not part of it: a checkpoint is taken up with the model and the data of its run.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use ndarray::Array1;
/// use ppl_core::{Minibatch, dist::Normal, model, observe, sample};
/// use ppl_infer::stochastic::{Checkpoint, Sgfs, kernel::SgfsKernel};
///
/// model! {
///     fn location(y: Array1<f64>) {
///         let mean = sample!("mean", Normal::new(0.0, 10.0));
///         observe!("y", Normal::new(mean, 1.0), y);
///     }
/// }
/// let y = Array1::from_shape_fn(1000, |i| 2.0 + (i as f64 * 2.4).sin());
/// let batches = Minibatch::new(y, 50)?.model(location);
/// let settings = Sgfs::new().draws(1000).chains(2);
///
/// // A run that is saved every 400 iterations; here it stops at the third time, as if the machine had.
/// let mut file = String::new();
/// let mut saves = 0;
/// settings.checkpoint().resume_saving(&batches, 400, |checkpoint| {
///     file = serde_json::to_string(checkpoint).unwrap_or_default();
///     saves += 1;
///     if saves < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
/// })?;
///
/// let checkpoint: Checkpoint<SgfsKernel> = serde_json::from_str(&file)?;
/// assert_eq!(checkpoint.iterations(), 1200);
/// let run = checkpoint.resume(&batches)?;
/// assert_eq!(run.draws(), settings.run(&batches)?.draws());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Serialize, K::State: Serialize",
    deserialize = "K: Deserialize<'de>, K::State: Deserialize<'de>"
))]
pub struct Checkpoint<K: StochasticKernel> {
    kernel: String,
    settings: StochasticGradient<K>,
    chains: Vec<StochasticChain<K::State>>,
}

impl<K: StochasticKernel> Checkpoint<K> {
    pub(super) fn new(settings: StochasticGradient<K>, chains: Vec<StochasticChain<K::State>>) -> Self {
        Self { kernel: K::NAME.to_owned(), settings, chains }
    }

    /// The settings of the run.
    pub fn settings(&self) -> &StochasticGradient<K> {
        &self.settings
    }

    /// Iterations that every chain has done.
    #[must_use]
    pub fn iterations(&self) -> u64 {
        self.chains.iter().map(|c| c.iterations).min().unwrap_or(0)
    }

    /// The same with another number of draws to make altogether.
    #[must_use]
    pub fn draws(self, draws: usize) -> Self {
        Self { settings: self.settings.draws(draws), ..self }
    }

    /// Does the rest of the run.
    ///
    /// # Errors
    /// As [`StochasticGradient::resume`]; a checkpoint of another kernel.
    pub fn resume(&self, model: &dyn BatchModel) -> Result<StochasticRun<K>, InferError> {
        self.resume_watched(model, &Silent, &AtomicBool::new(false))
    }

    /// As [`Checkpoint::resume`], telling `observer` of every iteration, until `interrupt` is set.
    ///
    /// # Errors
    /// As [`Checkpoint::resume`].
    pub fn resume_watched(
        &self,
        model: &dyn BatchModel,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<StochasticRun<K>, InferError> {
        self.check()?;
        let model = CompiledBatchModel::new(model)?;
        let chains = self.settings.sample_chains(&model, self.begun(), observer, interrupt)?;
        StochasticRun::gather(&model, &self.settings, chains)
    }

    /// As [`Checkpoint::resume`], handing a checkpoint to `save` after every `every` iterations of each chain, at least 1,
    /// and at the end, until `save` breaks it off: then what there is becomes the result.
    ///
    /// # Errors
    /// As [`Checkpoint::resume`].
    pub fn resume_saving(
        &self,
        model: &dyn BatchModel,
        every: u64,
        save: impl FnMut(&Self) -> ControlFlow<()>,
    ) -> Result<StochasticRun<K>, InferError> {
        let model = CompiledBatchModel::new(model)?;
        self.go_on(&model, &model, every, save)
    }

    /// As [`Checkpoint::resume_saving`], for a target of one's own.
    ///
    /// # Errors
    /// As [`Checkpoint::resume`].
    pub fn resume_target(
        &self,
        target: &dyn BatchTarget,
        every: u64,
        save: impl FnMut(&Self) -> ControlFlow<()>,
    ) -> Result<StochasticRun<K>, InferError> {
        self.go_on(target, &Coordinates::new(target.dim()), every, save)
    }

    fn go_on(
        &self,
        target: &dyn BatchTarget,
        sites: &dyn Recorded,
        every: u64,
        mut save: impl FnMut(&Self) -> ControlFlow<()>,
    ) -> Result<StochasticRun<K>, InferError> {
        self.check()?;
        if every == 0 {
            let (setting, most) = ("iterations between checkpoints", usize::MAX);
            return Err(SettingsError::Count { setting, got: 0, least: 1, most }.into());
        }
        let last = self.settings.iterations() as u64;
        let mut next = self.clone();
        loop {
            let until = next.iterations().saturating_add(every);
            let go = AtomicBool::new(false);
            next.chains = next.settings.sample_chains_until(target, next.begun(), until, &Silent, &go)?;
            // A chain that failed would fail again.
            let over =
                until >= last || next.chains.iter().any(|c| matches!(c.outcome, crate::chain::Outcome::Failed(_)));
            if save(&next).is_break() || over {
                return StochasticRun::gather(sites, &next.settings, next.chains);
            }
        }
    }

    /// The chains, if they have begun.
    fn begun(&self) -> Option<&[StochasticChain<K::State>]> {
        (!self.chains.is_empty()).then_some(&self.chains)
    }

    fn check(&self) -> Result<(), SettingsError> {
        if self.kernel == K::NAME {
            return Ok(());
        }
        Err(SettingsError::Kernel { got: self.kernel.clone(), wanted: K::NAME })
    }
}

impl<K: StochasticKernel> fmt::Debug for Checkpoint<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Checkpoint");
        shown.field("kernel", &self.kernel).field("iterations", &self.iterations()).finish_non_exhaustive()
    }
}
