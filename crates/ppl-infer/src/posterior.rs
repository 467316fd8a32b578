//! The posterior: draws by site, how they were made, and what is to be said about them.

use std::fmt;

use indexmap::IndexMap;
use ndarray::{ArrayD, Axis, IxDyn};
use ppl_core::Model;
use ppl_diagnostics::{Draws, SampleStats, Summary, Warning};

use crate::chain::{ChainDraws, Outcome};
use crate::compiled::CompiledModel;
use crate::error::InferError;
use crate::init::InitError;
use crate::predictive::Predictive;

/// Draws from a posterior distribution, by site name, with the statistics of the sampler.
#[derive(Clone, Debug)]
pub struct Posterior {
    model: String,
    seed: u64,
    draws: Draws,
    stats: SampleStats,
    chains: Vec<ChainReport>,
    max_depth: u32,
}

/// How one chain went.
#[derive(Clone, Debug)]
pub struct ChainReport {
    /// Which chain, from 0.
    pub chain: usize,
    /// Draws that it made.
    pub draws: usize,
    /// Gradients of warm-up: start, step-size searches and transitions.
    pub warmup_gradients: usize,
    /// Gradients altogether.
    pub gradients: usize,
    /// Seconds altogether.
    pub seconds: f64,
    /// The step size of its draws.
    pub step_size: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Posterior {
    /// Gathers the chains of a compiled model. Chains that ended early count as far as they came if that is at least
    /// half of the longest; the others are left out and reported.
    pub(crate) fn gather(
        compiled: &CompiledModel<'_>,
        model: &dyn Model,
        seed: u64,
        max_depth: u32,
        chains: Vec<ChainDraws>,
    ) -> Result<Self, InferError> {
        let longest = chains.iter().map(|c| c.stats.len()).max().unwrap_or(0);
        if longest == 0 {
            return Err(nothing(compiled, model, chains));
        }
        let enough = |c: &&ChainDraws| 2 * c.stats.len() >= longest;
        let mut sites = Vec::new();
        let mut stats = Vec::new();
        for chain in chains.iter().filter(enough) {
            sites.push(constrain(compiled, chain)?);
            stats.push(chain.stats.clone());
        }
        let (draws, _) = Draws::from_chains(sites)?;
        let report = |c: &ChainDraws| ChainReport {
            chain: c.chain,
            draws: c.stats.len(),
            warmup_gradients: c.warmup_gradients,
            gradients: c.gradients,
            seconds: c.seconds,
            step_size: c.params.as_ref().map(|p| p.step_size),
            outcome: c.outcome.clone(),
        };
        Ok(Self {
            model: model.name().to_owned(),
            seed,
            draws,
            stats: SampleStats::from_chains(&stats),
            chains: chains.iter().map(report).collect(),
            max_depth,
        })
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The draws of all sites, latent and deterministic.
    pub fn draws(&self) -> &Draws {
        &self.draws
    }

    /// The draws of one site, `[chain, draw, ..shape]`.
    pub fn get(&self, site: &str) -> Option<&ArrayD<f64>> {
        self.draws.get(site)
    }

    /// The posterior mean of a site.
    ///
    /// # Errors
    /// [`InferError::UnknownSite`] with the names that there are.
    pub fn mean(&self, site: &str) -> Result<ArrayD<f64>, InferError> {
        let draws = self.draws.flat(site).ok_or_else(|| InferError::UnknownSite {
            model: self.model.clone(),
            site: site.to_owned(),
            known: names(&self.draws),
        })?;
        Ok(draws.mean_axis(Axis(0)).unwrap_or_default())
    }

    /// What the sampler recorded of each draw.
    pub fn stats(&self) -> &SampleStats {
        &self.stats
    }

    /// How each chain went.
    pub fn chains(&self) -> &[ChainReport] {
        &self.chains
    }

    /// Gradients of all chains, warm-up included.
    pub fn gradients(&self) -> usize {
        self.chains.iter().map(|c| c.gradients).sum()
    }

    /// Means, intervals, R-hat, effective sample sizes of every component.
    pub fn summary(&self) -> Summary {
        Summary::new(&self.draws)
    }

    /// What speaks against trusting these draws, most serious first; empty is what one wants.
    pub fn warnings(&self) -> Vec<Concern> {
        let ended = self.chains.iter().filter(|c| !matches!(c.outcome, Outcome::Complete));
        let ended = ended.map(|c| Concern::Chain { chain: c.chain, draws: c.draws, outcome: c.outcome.clone() });
        let found = ppl_diagnostics::check(&self.draws, &self.stats, self.max_depth);
        ended.chain(found.into_iter().map(Concern::Draws)).collect()
    }

    /// A run of `model` for every draw: sites of the posterior take their values from it, others are drawn.
    ///
    /// Training and test data are two calls of one function. To keep only a mean or a spread of what is too large to
    /// keep, see [`Posterior::predictive`].
    ///
    /// # Errors
    /// A mistake in the model, sites that do not fit the posterior's, nothing to predict.
    pub fn predict(&self, model: &dyn Model) -> Result<Draws, InferError> {
        self.predictive(model)?.draws()
    }

    /// Predictions to be asked for: some sites only, reduced over draws, with another seed.
    ///
    /// # Errors
    /// As [`Posterior::predict`].
    pub fn predictive<'p>(&'p self, model: &'p dyn Model) -> Result<Predictive<'p>, InferError> {
        Predictive::new(model, Some(self), self.seed)
    }
}

/// Something that speaks against trusting a posterior.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Concern {
    /// A chain ended early.
    Chain {
        /// Which.
        chain: usize,
        /// The draws that it made.
        draws: usize,
        /// Why it ended.
        outcome: Outcome,
    },
    /// Something about the draws.
    Draws(Warning),
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Concern::Draws(warning) => warning.fmt(f),
            Concern::Chain { chain, draws, outcome: Outcome::Failed(error) } => {
                write!(f, "Chain {chain} failed after {draws} draws: {error}")
            }
            Concern::Chain { chain, draws, .. } => {
                write!(f, "Chain {chain} was interrupted after {draws} draws.")
            }
        }
    }
}

pub(crate) fn names(draws: &Draws) -> Vec<String> {
    draws.sites().map(|(name, _)| name.to_owned()).collect()
}

/// The values of all sites at the draws of one chain.
fn constrain(compiled: &CompiledModel<'_>, chain: &ChainDraws) -> Result<IndexMap<String, ArrayD<f64>>, InferError> {
    let n = chain.stats.len();
    let mut columns: Vec<Vec<f64>> =
        compiled.columns().iter().map(|c| Vec::with_capacity(n * c.shape.size())).collect();
    let mut constrain = compiled.constrain();
    let mut row = vec![0.0; compiled.width()];
    let mut point = vec![0.0; chain.draws.ncols()];
    for draw in chain.draws.outer_iter() {
        point.iter_mut().zip(&draw).for_each(|(p, &x)| *p = x);
        constrain.apply(&point, &mut row)?;
        let mut rest = &row[..];
        for (column, spec) in columns.iter_mut().zip(compiled.columns()) {
            let (values, tail) = rest.split_at(spec.shape.size());
            column.extend_from_slice(values);
            rest = tail;
        }
    }
    let named = compiled.columns().iter().zip(columns).map(|(spec, values)| {
        let mut shape = vec![n];
        shape.extend_from_slice(&spec.shape);
        let array = ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap_or_default();
        (spec.name.clone(), array)
    });
    Ok(named.collect())
}

/// Why there is not a single draw.
fn nothing(compiled: &CompiledModel<'_>, model: &dyn Model, chains: Vec<ChainDraws>) -> InferError {
    use crate::chain::ChainError;
    for chain in chains {
        match chain.outcome {
            Outcome::Failed(ChainError::Init(InitError::NoFinitePoint { attempts, position, .. })) => {
                return match compiled.table(&position) {
                    Ok(table) => InferError::NoStart { model: model.name().to_owned(), attempts, table },
                    Err(error) => error.into(),
                };
            }
            Outcome::Failed(error) => {
                let model = model.name().to_owned();
                return InferError::NoDraws { model, error };
            }
            Outcome::Interrupted | Outcome::Complete => {}
        }
    }
    InferError::Interrupted
}
