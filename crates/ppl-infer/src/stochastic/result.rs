//! What a run gives: the posterior, and of each chain its steps, gradients and the state to go on from.

use std::fmt;
use std::ops::Deref;

use ndarray::{Array2, ArrayD, Axis};
use ppl_diagnostics::SampleStats;
use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::kernel::StochasticKernel;
use super::settings::StochasticGradient;
use super::verdict::{Finding, findings};
use crate::chain::Outcome;
use crate::error::InferError;
use crate::posterior::{ChainReport, Concern, Gathered, Posterior, Recorded, names};

/// A run of a stochastic gradient sampler: a [`Posterior`] like any other (it dereferences to it), whose warnings
/// include what the sampler itself has to say, with the statistics of the chains.
pub struct StochasticRun<K: StochasticKernel> {
    posterior: Posterior,
    chains: Vec<StochasticChain<K::State>>,
    findings: Vec<Finding>,
    settings: StochasticGradient<K>,
}

/// The draws of one chain, how they were made, and where it stopped.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StochasticChain<S> {
    /// Which chain, from 0.
    pub chain: usize,
    /// The name of the kernel that made the draws.
    #[serde(skip)]
    pub kernel: &'static str,
    /// Unconstrained draws, `[draw, coordinate]`.
    #[serde(with = "super::saved::matrix")]
    pub draws: Array2<f64>,
    /// The step size of each draw.
    pub step_sizes: Vec<f64>,
    /// The length of the estimated gradient at each draw; NaN where the step failed and the draw repeats the one before.
    #[serde(with = "super::saved::gaps")]
    pub gradient_norms: Vec<f64>,
    /// Iterations done, warm-up included.
    pub iterations: u64,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Steps that failed because gradient or next point were not finite.
    pub failed_steps: usize,
    /// The largest excess, relative to the posterior's, of a coordinate's variance that the method's theory expects at
    /// this step size; none for a method without such theory, or a chain that ended early.
    #[serde(skip)]
    pub excess_variance: Option<f64>,
    /// The mean square of the momenta over the draws, which should be 1, and its standard error; none for a method without a
    /// thermostat, or a chain that ended early.
    #[serde(skip)]
    pub temperature: Option<(f64, f64)>,
    /// Seconds altogether.
    pub seconds: f64,
    /// Where to go on from; none if the chain did not start.
    pub state: Option<S>,
    /// How the chain ended.
    #[serde(skip, default = "interrupted")]
    pub outcome: Outcome,
}

/// A saved chain has not ended.
fn interrupted() -> Outcome {
    Outcome::Interrupted
}

impl<S> StochasticChain<S> {
    /// The number of draws.
    #[must_use]
    pub fn len(&self) -> usize {
        self.step_sizes.len()
    }

    /// Whether there is no draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.step_sizes.is_empty()
    }
}

impl<K: StochasticKernel> StochasticRun<K> {
    /// Gathers the chains.
    pub(super) fn gather(
        sites: &dyn Recorded,
        settings: &StochasticGradient<K>,
        chains: Vec<StochasticChain<K::State>>,
    ) -> Result<Self, InferError> {
        let findings = findings(settings, &chains);
        let gathered = chains.iter().map(|c| Gathered {
            draws: c.draws.view(),
            report: ChainReport {
                chain: c.chain,
                draws: c.len(),
                warmup_iterations: settings.warmup.min(c.iterations as usize),
                warmup_gradients: settings.warmup.min(c.iterations as usize),
                gradients: c.iterations as usize,
                seconds: c.seconds,
                step_size: c.step_sizes.last().copied(),
                outcome: c.outcome.clone(),
            },
        });
        let stats = |kept: &[usize], length: usize| SampleStats {
            step_size: Array2::from_shape_fn((kept.len(), length), |(c, draw)| chains[kept[c]].step_sizes[draw]),
            ..SampleStats::default()
        };
        let concerns = findings.iter().cloned().map(Concern::Stochastic).collect();
        let posterior = Posterior::assemble(sites, settings.seed, gathered.collect(), stats, concerns)?;
        Ok(Self { posterior, chains, findings, settings: settings.clone() })
    }

    /// The posterior.
    #[must_use]
    pub fn posterior(&self) -> &Posterior {
        &self.posterior
    }

    /// The posterior, without the rest.
    #[must_use]
    pub fn into_posterior(self) -> Posterior {
        self.posterior
    }

    /// What is needed to go on with the run later, for `serde`.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint<K> {
        Checkpoint::new(self.settings.clone(), self.chains.clone())
    }

    /// The chains: step sizes, gradient norms, and the states to resume from.
    #[must_use]
    pub fn chains(&self) -> &[StochasticChain<K::State>] {
        &self.chains
    }

    /// What the sampler has to say against its draws; [`Posterior::warnings`] has these and more.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The mean of a site with the draws weighted by their step sizes, as a decreasing schedule wants it.
    ///
    /// # Errors
    /// [`InferError::UnknownSite`] with the names that there are.
    ///
    /// # Source
    /// Welling and Teh (2011), equation 11.
    pub fn weighted_mean(&self, site: &str) -> Result<ArrayD<f64>, InferError> {
        let draws = self.posterior.draws().flat(site).ok_or_else(|| InferError::UnknownSite {
            model: self.posterior.model().to_owned(),
            site: site.to_owned(),
            known: names(self.posterior.draws()),
        })?;
        let weights = &self.posterior.stats().step_size;
        let mut sum = ArrayD::zeros(draws.shape().get(1..).unwrap_or_default());
        for (draw, weight) in draws.axis_iter(Axis(0)).zip(weights) {
            sum.scaled_add(*weight, &draw);
        }
        Ok(sum / weights.sum())
    }
}

impl<K: StochasticKernel> Clone for StochasticRun<K> {
    fn clone(&self) -> Self {
        let Self { posterior, chains, findings, settings } = self;
        let (posterior, chains) = (posterior.clone(), chains.clone());
        Self { posterior, chains, findings: findings.clone(), settings: settings.clone() }
    }
}

impl<K: StochasticKernel> fmt::Debug for StochasticRun<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("StochasticRun");
        shown.field("posterior", &self.posterior).field("chains", &self.chains).field("findings", &self.findings);
        shown.finish()
    }
}

impl<K: StochasticKernel> Deref for StochasticRun<K> {
    type Target = Posterior;

    fn deref(&self) -> &Posterior {
        &self.posterior
    }
}
