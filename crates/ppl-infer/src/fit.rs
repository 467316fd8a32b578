//! From a model to its posterior: compile, run the chains, gather the draws.

use std::sync::atomic::AtomicBool;

use ppl_autodiff::Shape;
use ppl_core::Model;
use rayon::prelude::*;

use crate::adapt::Adapted;
use crate::centring::{Centring, Choices};
use crate::chain::{ChainDraws, ChainError, Outcome};
use crate::compiled::{Column, CompiledModel};
use crate::density::{Target, TargetSite};
use crate::error::InferError;
use crate::init::InitError;
use crate::observe::{Ending, Event, Observer, Plan, Silent};
use crate::posterior::{Mapping, Posterior, Recorded};
use crate::runner::{Nuts, SettingsError};

impl Nuts {
    /// Draws from a model's posterior.
    ///
    /// ```
    /// use ppl_core::{dist::Normal, model, observe, sample};
    /// use ppl_infer::Nuts;
    ///
    /// model! {
    ///     /// A normal mean with known spread.
    ///     fn location(y: Vec<f64>) {
    ///         let mean = sample!("mean", Normal::new(0.0, 10.0));
    ///         observe!("y", Normal::new(mean, 1.0), y);
    ///     }
    /// }
    /// let posterior = Nuts::new().warmup(300).draws(500).chains(2).seed(1).run(&location(vec![1.0, 2.0, 3.0]))?;
    /// // Conjugate: precision 3 + 1/100, mean 6 / 3.01; five standard errors of the mean are about 0.1.
    /// assert!((posterior.mean("mean")?.sum() - 6.0 / 3.01).abs() < 0.1);
    /// # Ok::<(), ppl_infer::InferError>(())
    /// ```
    ///
    /// # Errors
    /// A mistake in the model, with site and source line; a setting out of range; no chain that made a draw. A chain
    /// that fails later keeps its draws: see [`Posterior::warnings`].
    pub fn run(&self, model: &dyn Model) -> Result<Posterior, InferError> {
        self.run_watched(model, &Silent, &AtomicBool::new(false))
    }

    /// As [`Nuts::run`], telling `observer` of every iteration, until `interrupt` is set: then the draws so far make
    /// the posterior.
    ///
    /// # Errors
    /// As [`Nuts::run`].
    pub fn run_watched(
        &self,
        model: &dyn Model,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<Posterior, InferError> {
        let compiled = self.compile(model, interrupt)?;
        let starts = self.starts_value().map(|starts| compiled.standardised(starts)).transpose()?;
        let nuts = starts.map_or_else(|| self.clone(), |starts| self.clone().starts(starts));
        let chains = nuts.sample_chains(&compiled, observer, interrupt)?;
        if let Some((attempts, position)) = no_start(&chains) {
            return Err(InferError::NoStart {
                model: model.name().to_owned(),
                attempts,
                table: compiled.table(position)?,
            });
        }
        let adapted = Adapted::from_chains(&compiled, &chains);
        Posterior::gather(
            &compiled,
            self.seed_value(),
            self.max_depth_value(),
            chains,
            adapted,
            compiled.pilot_gradients(),
        )
    }

    /// Compiles a model in the coordinates that its chains run in: as [`Nuts::centring`] has it, or as an earlier run had
    /// it; until `interrupt` is set.
    ///
    /// # Errors
    /// A mistake in the model; a setting out of range; [`CentringError`](crate::centring::CentringError) for sites that have
    /// no other coordinates; [`WarmStartError`](crate::adapt::WarmStartError) where an earlier run had others than those
    /// asked for.
    pub fn compile<'m>(&self, model: &'m dyn Model, interrupt: &AtomicBool) -> Result<CompiledModel<'m>, InferError> {
        self.check()?;
        let asked = match self.centring_value() {
            Centring::Automatic => None,
            Centring::AsWritten => Some(Vec::new()),
            Centring::NonCentred(sites) => Some(Choices::of(model)?.non_centred(sites).map_err(SettingsError::from)?),
        };
        let centring = match (asked, self.warm_value()) {
            (None, None) => {
                let piloted = CompiledModel::piloted(model, self.seed_value(), self.threads_value(), interrupt);
                return Ok(piloted?);
            }
            (Some(asked), None) => asked,
            (asked, Some(warm)) => {
                if !warm.centring().is_empty() {
                    warm.check_sites(&CompiledModel::new(model)?.sites()).map_err(SettingsError::from)?;
                }
                if let Some(asked) = asked {
                    warm.check_centring(&asked).map_err(SettingsError::from)?;
                }
                warm.centring().to_vec()
            }
        };
        CompiledModel::centred(model, centring)
    }

    /// Draws from a log-density of one's own, given with its gradient: the posterior has one site, `x`, a vector of the
    /// target's coordinates, or the sites that the target names, each a vector. See [`FnTarget`](crate::density::FnTarget) for targets made of a closure.
    ///
    /// # Errors
    /// A setting out of range; no chain that made a draw.
    pub fn run_target(&self, target: &dyn Target) -> Result<Posterior, InferError> {
        self.run_target_watched(target, &Silent, &AtomicBool::new(false))
    }

    /// As [`Nuts::run_target`], telling `observer` of every iteration, until `interrupt` is set: then the draws so far
    /// make the posterior.
    ///
    /// # Errors
    /// As [`Nuts::run_target`].
    pub fn run_target_watched(
        &self,
        target: &dyn Target,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<Posterior, InferError> {
        let chains = self.sample_chains(target, observer, interrupt)?;
        let adapted = Adapted::from_chains(target, &chains);
        Posterior::gather(&Coordinates::of(target), self.seed_value(), self.max_depth_value(), chains, adapted, 0)
    }

    /// Fits many models side by side: model `i` with seed `seed + i`, so that each fit can be had alone. Posteriors
    /// come in the order of the models, each with its own outcome.
    ///
    /// # Errors
    /// As [`Nuts::run`], for each model.
    pub fn run_many<M: Model>(&self, models: &[M]) -> Vec<Result<Posterior, InferError>> {
        self.run_many_watched(models, &Silent, &AtomicBool::new(false))
    }

    /// As [`Nuts::run_many`], telling `observer`, to which chain `c` of model `i` is chain `i * chains + c`, until
    /// `interrupt` is set.
    ///
    /// # Errors
    /// As [`Nuts::run`], for each model.
    pub fn run_many_watched<M: Model>(
        &self,
        models: &[M],
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Vec<Result<Posterior, InferError>> {
        let plan = self.plan();
        observer.started(&Plan { chains: plan.chains * models.len(), ..plan });
        let fit = |(i, model): (usize, &M)| {
            let seed = self.seed_value().wrapping_add(i as u64);
            let part = Part { whole: observer, first: i * plan.chains };
            self.clone().seed(seed).run_watched(model, &part, interrupt)
        };
        let posteriors = models.par_iter().with_max_len(1).enumerate().map(fit).collect();
        observer.ended();
        posteriors
    }
}

/// One run among many, as the observer of all of them sees it.
struct Part<'o> {
    whole: &'o dyn Observer,
    first: usize,
}

impl Observer for Part<'_> {
    fn iterated(&self, event: &Event) {
        self.whole.iterated(&Event { chain: self.first + event.chain, ..*event });
    }

    fn chain_ended(&self, chain: usize, ending: Ending) {
        self.whole.chain_ended(self.first + chain, ending);
    }
}

/// The coordinates of a target, as one site or several.
pub(crate) struct Coordinates(Vec<Column>);

impl Coordinates {
    /// `dim` of them, as the site `x`.
    pub fn new(dim: usize) -> Self {
        Self(vec![Column { name: "x".to_owned(), shape: Shape::from([dim]) }])
    }

    /// Those of a target, as the sites that it names.
    pub fn of(target: &dyn Target) -> Self {
        let column = |site: TargetSite| Column { name: site.name, shape: Shape::from([site.coordinates]) };
        Self(target.sites().into_iter().map(column).collect())
    }
}

impl Recorded for Coordinates {
    fn name(&self) -> &str {
        "target"
    }

    fn columns(&self) -> &[Column] {
        &self.0
    }

    fn map(&self) -> Mapping<'_> {
        Box::new(|point, out| {
            out.copy_from_slice(point);
            Ok(())
        })
    }
}

/// If there is no draw because the first chain that failed found no starting point: its attempts and the last of them.
fn no_start(chains: &[ChainDraws]) -> Option<(u32, &[f64])> {
    if chains.iter().any(|c| !c.stats.is_empty()) {
        return None;
    }
    let failed = chains.iter().find_map(|c| match &c.outcome {
        Outcome::Failed(error) => Some(error),
        Outcome::Interrupted | Outcome::Complete => None,
    });
    match failed {
        Some(ChainError::Init(InitError::NoFinitePoint { attempts, position, .. })) => Some((*attempts, position)),
        _ => None,
    }
}
