//! The settings of a run of a stochastic gradient sampler, and how to start one.

use std::sync::atomic::AtomicBool;

use ppl_core::BatchModel;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::control_variate::ControlVariates;
use super::kernel::{GradientKernel, StochasticKernel};
use super::result::{StochasticChain, StochasticRun};
use super::run::ChainRun;
use super::schedule::Schedule;
use crate::batch::BatchTarget;
use crate::compiled_batch::CompiledBatchModel;
use crate::error::InferError;
use crate::fit::Coordinates;
use crate::observe::{Observer, Plan, Silent};
use crate::runner::SettingsError;

/// Settings of a run of chains of one kernel: [`Sgfs`](super::Sgfs), [`Sgld`](super::Sgld) and so on, or one of your own by
/// [`StochasticGradient::with`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct StochasticGradient<K> {
    pub(super) kernel: K,
    pub(super) step_size: Schedule,
    pub(super) warmup: usize,
    pub(super) draws: usize,
    pub(super) thin: usize,
    pub(super) chains: usize,
    pub(super) seed: u64,
    pub(super) start: Option<Vec<f64>>,
    pub(super) threads: Option<usize>,
}

impl<K: StochasticKernel> StochasticGradient<K> {
    /// Any kernel, with a schedule: four chains of 1000 warm-up iterations and 1000 draws, seed 0.
    pub fn with(kernel: K, step_size: Schedule) -> Self {
        let (warmup, draws, thin, chains, seed) = (1000, 1000, 1, 4, 0);
        Self { kernel, step_size, warmup, draws, thin, chains, seed, start: None, threads: None }
    }

    /// The step sizes.
    pub fn step_size(self, step_size: Schedule) -> Self {
        Self { step_size, ..self }
    }

    /// Iterations of each chain before the first draw; the schedule runs through them.
    pub fn warmup(self, warmup: usize) -> Self {
        Self { warmup, ..self }
    }

    /// Draws of each chain, at least 1.
    pub fn draws(self, draws: usize) -> Self {
        Self { draws, ..self }
    }

    /// Keeps every `thin`th iteration, at least 1.
    pub fn thin(self, thin: usize) -> Self {
        Self { thin, ..self }
    }

    /// Number of chains, at least 1.
    pub fn chains(self, chains: usize) -> Self {
        Self { chains, ..self }
    }

    /// The seed: with the same settings and data in memory it gives the same bits, whatever the number of threads.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The unconstrained point that every chain starts from, instead of one that is uniform in (-2, 2).
    pub fn start(self, position: Vec<f64>) -> Self {
        Self { start: Some(position), ..self }
    }

    /// Runs on this many threads of its own, at least 1, instead of rayon's global ones.
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// Gradients relative to those of a reference point, which is renewed every `every` iterations and takes one pass
    /// over all data then; see [`ControlVariates`].
    pub fn control_variates(self, every: u64) -> StochasticGradient<ControlVariates<K>>
    where
        K: GradientKernel,
    {
        let Self { kernel, step_size, warmup, draws, thin, chains, seed, start, threads } = self;
        let kernel = ControlVariates::new(kernel, every);
        StochasticGradient { kernel, step_size, warmup, draws, thin, chains, seed, start, threads }
    }

    /// Whether a run could begin.
    ///
    /// # Errors
    /// [`SettingsError`] for the first setting out of range.
    pub fn check(&self, dim: usize) -> Result<(), SettingsError> {
        // Chains and iterations are words of the random streams' counters.
        let word = u32::MAX as usize / 2;
        let counts = [
            ("warmup", self.warmup, 0, word),
            ("draws", self.draws, 1, word),
            ("thin", self.thin, 1, word),
            ("draws times thin", self.draws.saturating_mul(self.thin), 1, word),
            ("chains", self.chains, 1, word),
            ("threads", self.threads.unwrap_or(1), 1, 1 << 16),
            ("coordinates of start", self.start.as_ref().map_or(dim, Vec::len), dim, dim),
        ];
        for (setting, got, least, most) in counts {
            if got < least || got > most {
                return Err(SettingsError::Count { setting, got, least, most });
            }
        }
        self.step_size.check()?;
        self.kernel.check(dim)?;
        let bytes = self.draws.checked_mul(dim).and_then(|n| n.checked_mul(size_of::<f64>()));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(SettingsError::TooManyDraws { draws: self.draws, dim });
        }
        Ok(())
    }

    /// Draws from the posterior of a model over batches.
    ///
    /// ```
    /// use ndarray::Array1;
    /// use ppl_core::{Minibatch, dist::Normal, model, observe, sample};
    /// use ppl_infer::stochastic::Sgfs;
    ///
    /// model! {
    ///     /// A normal mean with known spread.
    ///     fn location(y: Array1<f64>) {
    ///         let mean = sample!("mean", Normal::new(0.0, 10.0));
    ///         observe!("y", Normal::new(mean, 1.0), y);
    ///     }
    /// }
    /// let y = Array1::from_shape_fn(1000, |i| 2.0 + (i as f64 * 2.4).sin());
    /// let batches = Minibatch::new(y, 50)?.model(location);
    /// let run = Sgfs::new().draws(1000).chains(2).seed(1).run(&batches)?;
    /// // Of 2000 draws with a standard deviation of 0.02.
    /// assert!((run.mean("mean")?.sum() - 2.0).abs() < 0.02);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A mistake in the model, with site and source line; a setting out of range; no chain that made a draw. A chain that
    /// fails later keeps its draws: see [`Posterior::warnings`](crate::Posterior::warnings).
    pub fn run(&self, model: &dyn BatchModel) -> Result<StochasticRun<K>, InferError> {
        self.run_watched(model, &Silent, &AtomicBool::new(false))
    }

    /// As [`StochasticGradient::run`], telling `observer` of every iteration, until `interrupt` is set: then the draws so
    /// far make the posterior.
    ///
    /// # Errors
    /// As [`StochasticGradient::run`].
    pub fn run_watched(
        &self,
        model: &dyn BatchModel,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<StochasticRun<K>, InferError> {
        self.go(&CompiledBatchModel::new(model)?, None, observer, interrupt)
    }

    /// The run before its first iteration, to be done with [`Checkpoint::resume_saving`].
    pub fn checkpoint(&self) -> Checkpoint<K> {
        Checkpoint::new(self.clone(), Vec::new())
    }

    /// Goes on with a run of [`StochasticGradient::run`] until there are as many draws as these settings ask for. With the
    /// settings of the first run but for the draws, and data in memory, the result has the bits of an uninterrupted one.
    ///
    /// # Errors
    /// As [`StochasticGradient::run`]; another number of chains or coordinates than before.
    pub fn resume(&self, run: &StochasticRun<K>, model: &dyn BatchModel) -> Result<StochasticRun<K>, InferError> {
        self.resume_watched(run, model, &Silent, &AtomicBool::new(false))
    }

    /// As [`StochasticGradient::resume`], watched as by [`StochasticGradient::run_watched`].
    ///
    /// # Errors
    /// As [`StochasticGradient::resume`].
    pub fn resume_watched(
        &self,
        run: &StochasticRun<K>,
        model: &dyn BatchModel,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<StochasticRun<K>, InferError> {
        self.go(&CompiledBatchModel::new(model)?, Some(run), observer, interrupt)
    }

    /// Draws from a target of one's own: the posterior has one site, `x`, a vector of the target's coordinates.
    ///
    /// # Errors
    /// A setting out of range; no chain that made a draw.
    pub fn run_target(&self, target: &dyn BatchTarget) -> Result<StochasticRun<K>, InferError> {
        self.run_target_watched(target, None, &Silent, &AtomicBool::new(false))
    }

    /// As [`StochasticGradient::run_target`], from where another run ended if one is given, telling `observer` of every
    /// iteration, until `interrupt` is set.
    ///
    /// # Errors
    /// As [`StochasticGradient::run_target`]; another number of chains or coordinates than before.
    pub fn run_target_watched(
        &self,
        target: &dyn BatchTarget,
        from: Option<&StochasticRun<K>>,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<StochasticRun<K>, InferError> {
        let sites = Coordinates::new(target.dim());
        let chains = self.sample_chains(target, from.map(StochasticRun::chains), observer, interrupt)?;
        StochasticRun::gather(&sites, self, chains)
    }

    fn go(
        &self,
        model: &CompiledBatchModel<'_>,
        from: Option<&StochasticRun<K>>,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<StochasticRun<K>, InferError> {
        let chains = self.sample_chains(model, from.map(StochasticRun::chains), observer, interrupt)?;
        StochasticRun::gather(model, self, chains)
    }

    /// Runs the chains, from where others ended if there are any.
    pub(crate) fn sample_chains(
        &self,
        target: &dyn BatchTarget,
        from: Option<&[StochasticChain<K::State>]>,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<Vec<StochasticChain<K::State>>, SettingsError> {
        self.sample_chains_until(target, from, u64::MAX, observer, interrupt)
    }

    /// As `sample_chains`, up to an iteration.
    pub(super) fn sample_chains_until(
        &self,
        target: &dyn BatchTarget,
        from: Option<&[StochasticChain<K::State>]>,
        until: u64,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<Vec<StochasticChain<K::State>>, SettingsError> {
        self.check(target.dim())?;
        if let Some(from) = from {
            let (setting, got, least) = ("chains of the run to resume", from.len(), self.chains);
            if got != least {
                return Err(SettingsError::Count { setting, got, least, most: least });
            }
            let equal = |setting: &'static str, got: usize, wanted: usize| match got == wanted {
                true => Ok(()),
                false => Err(SettingsError::Count { setting, got, least: wanted, most: wanted }),
            };
            for chain in from {
                let lengths = chain.state.as_ref().map(K::lengths).unwrap_or_default();
                for got in lengths.into_iter().chain([chain.draws.ncols()]) {
                    equal("coordinates of the run to resume", got, target.dim())?;
                }
                for got in [chain.draws.nrows(), chain.gradient_norms.len()] {
                    equal("draws of a chain to resume", got, chain.len())?;
                }
            }
        }
        let pool = match self.threads {
            None => None,
            Some(threads) => {
                let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                Some(built.map_err(|e| SettingsError::Threads { threads, reason: e.to_string() })?)
            }
        };
        let run = |chain: usize| {
            let from = from.and_then(|chains| chains.get(chain));
            ChainRun { chain, settings: self, until, observer, interrupt }.run(target, from)
        };
        let run_all = || (0..self.chains).into_par_iter().with_max_len(1).map(run).collect();
        observer.started(&Plan { chains: self.chains, warmup: self.warmup, draws: self.iterations() - self.warmup });
        let chains = match pool {
            None => run_all(),
            Some(pool) => pool.install(run_all),
        };
        observer.ended();
        Ok(chains)
    }

    /// Whether the position after an iteration is a draw.
    pub(super) fn keeps(&self, iteration: u64) -> bool {
        let warmup = self.warmup as u64;
        iteration >= warmup
            && (iteration - warmup + 1).is_multiple_of(self.thin as u64)
            && !self.step_size.at(iteration).exploring
    }

    /// Iterations of a chain that makes all its draws.
    pub(super) fn iterations(&self) -> usize {
        match self.step_size {
            // Exploring iterations make no draws.
            Schedule::Cyclical { .. } => {
                let all = (0u64..u64::from(u32::MAX)).filter(|&t| self.keeps(t));
                all.take(self.draws).last().map_or(0, |t| t as usize + 1)
            }
            _ => self.warmup + self.draws * self.thin,
        }
    }
}
