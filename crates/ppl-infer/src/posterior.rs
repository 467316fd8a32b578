//! The posterior: draws by site, how they were made, and what is to be said about them.

use std::fmt;

use indexmap::IndexMap;
use ndarray::{Array2, ArrayD, ArrayView2, Axis, IxDyn};
use ppl_core::{Model, ModelError};
use ppl_diagnostics::{Draws, SampleStats, Summary, Warning};

use crate::adapt::Adapted;
use crate::centring::SiteCentring;
use crate::chain::{ChainDraws, Outcome};
use crate::compiled::Column;
use crate::error::InferError;
use crate::predictive::Predictive;
use crate::stochastic::Finding;

/// Draws from a posterior distribution, by site name, with the statistics of the sampler.
#[derive(Clone, Debug)]
pub struct Posterior {
    model: String,
    seed: u64,
    draws: Draws,
    stats: SampleStats,
    chains: Vec<ChainReport>,
    max_depth: u32,
    /// What the method itself has to say against the draws.
    concerns: Vec<Concern>,
    /// Whether these are independent draws of an approximation, not of chains.
    is_approximate: bool,
    /// What the chains of NUTS have learned.
    adapted: Option<Adapted>,
    /// Gradients that the choice of coordinates took.
    pilot_gradients: usize,
}

/// The draws of one chain, unconstrained, `[draw, coordinate]`, and how it went.
pub(crate) struct Gathered<'c> {
    pub draws: ArrayView2<'c, f64>,
    pub report: ChainReport,
}

/// How one chain went.
#[derive(Clone, Debug)]
pub struct ChainReport {
    /// Which chain, from 0.
    pub chain: usize,
    /// Draws that it made.
    pub draws: usize,
    /// Iterations of warm-up: fewer than were asked for where it ended by itself.
    pub warmup_iterations: usize,
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
    /// Gathers the chains of a run of NUTS.
    ///
    /// # Errors
    /// As [`Posterior::assemble`].
    pub(crate) fn gather(
        sites: &dyn Recorded,
        seed: u64,
        max_depth: u32,
        chains: Vec<ChainDraws>,
        adapted: Adapted,
        pilot_gradients: usize,
    ) -> Result<Self, InferError> {
        let gathered = chains.iter().map(|c| Gathered {
            draws: c.draws.view(),
            report: ChainReport {
                chain: c.chain,
                draws: c.stats.len(),
                warmup_iterations: c.warmup_iterations,
                warmup_gradients: c.warmup_gradients,
                gradients: c.gradients,
                seconds: c.seconds,
                step_size: c.params.as_ref().map(|p| p.step_size),
                outcome: c.outcome.clone(),
            },
        });
        let stats = |kept: &[usize], length: usize| {
            SampleStats::from_chains(&kept.iter().map(|&c| chains[c].stats[..length].to_vec()).collect::<Vec<_>>())
        };
        let posterior = Self::assemble(sites, seed, gathered.collect(), stats, Vec::new())?;
        Ok(Self { max_depth, adapted: Some(adapted), pilot_gradients, ..posterior })
    }

    /// Gathers the chains of a run. Chains that ended early make draws of unequal length: all are cut to the length
    /// that keeps most draws, and the chains that are shorter are left out. `stats` makes the statistics of the chains
    /// kept, by their places, cut to a length.
    ///
    /// # Errors
    /// [`InferError::NoDraws`] or [`InferError::Interrupted`] without a single draw; what mapping draws to sites gives.
    pub(crate) fn assemble(
        sites: &dyn Recorded,
        seed: u64,
        chains: Vec<Gathered<'_>>,
        stats: impl FnOnce(&[usize], usize) -> SampleStats,
        concerns: Vec<Concern>,
    ) -> Result<Self, InferError> {
        let lengths: Vec<usize> = chains.iter().map(|c| c.report.draws).collect();
        let length = best_length(&lengths);
        if length == 0 {
            return Err(nothing(sites.name(), chains));
        }
        let kept: Vec<usize> = (0..chains.len()).filter(|&c| lengths[c] >= length).collect();
        let values: Vec<_> = kept.iter().map(|&c| values(sites, chains[c].draws, length)).collect::<Result<_, _>>()?;
        let (draws, _) = Draws::from_chains(values)?;
        Ok(Self {
            model: sites.name().to_owned(),
            seed,
            draws,
            stats: stats(&kept, length),
            chains: chains.into_iter().map(|c| c.report).collect(),
            max_depth: u32::MAX,
            concerns,
            is_approximate: false,
            adapted: None,
            pilot_gradients: 0,
        })
    }

    /// Independent draws from an approximation, `[draw, coordinate]`, with what speaks against it.
    ///
    /// # Errors
    /// What mapping draws to sites gives.
    pub(crate) fn independent(
        sites: &dyn Recorded,
        seed: u64,
        points: Array2<f64>,
        concerns: Vec<Concern>,
    ) -> Result<Self, InferError> {
        let (draws, _) = Draws::from_chains(vec![values(sites, points.view(), points.nrows())?])?;
        Ok(Self {
            model: sites.name().to_owned(),
            seed,
            draws,
            stats: SampleStats::default(),
            chains: Vec::new(),
            max_depth: 0,
            concerns,
            is_approximate: true,
            adapted: None,
            pilot_gradients: 0,
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

    /// What the chains of NUTS have learned: where they ended, their metrics and step sizes, for
    /// [`Nuts::warm_start`](crate::Nuts::warm_start), in this process or another.
    ///
    /// # Errors
    /// [`InferError::NotAdapted`] for draws of another method.
    pub fn adapted(&self) -> Result<&Adapted, InferError> {
        self.adapted.as_ref().ok_or_else(|| InferError::NotAdapted { model: self.model.clone() })
    }

    /// What the sampler recorded of each draw.
    pub fn stats(&self) -> &SampleStats {
        &self.stats
    }

    /// How each chain went.
    pub fn chains(&self) -> &[ChainReport] {
        &self.chains
    }

    /// Gradients of all chains, warm-up and the choice of coordinates included.
    pub fn gradients(&self) -> usize {
        self.pilot_gradients + self.chains.iter().map(|c| c.gradients).sum::<usize>()
    }

    /// Gradients of the pilot that chose the coordinates of hierarchical sites, before the chains.
    pub fn pilot_gradients(&self) -> usize {
        self.pilot_gradients
    }

    /// The hierarchical sites that chains of NUTS had in standard coordinates: see [`Centring`](crate::Centring).
    pub fn centring(&self) -> &[SiteCentring] {
        self.adapted.as_ref().map_or(&[], Adapted::centring)
    }

    /// Means, intervals, R-hat, effective sample sizes of every component.
    pub fn summary(&self) -> Summary {
        Summary::new(&self.draws)
    }

    /// What speaks against trusting these draws, most serious first; empty is what one wants.
    pub fn warnings(&self) -> Vec<Concern> {
        if self.is_approximate {
            return self.concerns.clone();
        }
        let ended = self.chains.iter().filter(|c| !matches!(c.outcome, Outcome::Complete));
        let ended = ended.map(|c| Concern::Chain { chain: c.chain, draws: c.draws, outcome: c.outcome.clone() });
        let found = ppl_diagnostics::check(&self.draws, &self.stats, self.max_depth);
        ended.chain(self.concerns.iter().cloned()).chain(found.into_iter().map(Concern::Draws)).collect()
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
    /// Something about a stochastic gradient sampler.
    Stochastic(Finding),
    /// Something about the draws.
    Draws(Warning),
    /// The optimisation that found an approximation did not arrive.
    NotConverged {
        /// What speaks against it.
        reasons: Vec<String>,
    },
    /// The approximation is far from the posterior.
    FarFromPosterior {
        /// The shape of the Pareto tail of the importance ratios, above 0.7.
        k_hat: f64,
    },
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Concern::Draws(warning) => warning.fmt(f),
            Concern::Stochastic(finding) => finding.fmt(f),
            Concern::Chain { chain, draws, outcome: Outcome::Failed(error) } => {
                write!(f, "Chain {chain} failed after {draws} draws: {error}")
            }
            Concern::NotConverged { reasons } => {
                write!(
                    f,
                    "The approximation has not converged: {}.\nRefine it, or raise the learning rate.",
                    reasons.join("; ")
                )
            }
            Concern::FarFromPosterior { k_hat } => write!(
                f,
                "k-hat is {k_hat:.2}: the approximation is far from the posterior, and expectations may be biased.\nTry a \
                 richer family or a reparameterisation, or draw with NUTS."
            ),
            Concern::Chain { chain, draws, .. } => {
                write!(f, "Chain {chain} was interrupted after {draws} draws.")
            }
        }
    }
}

pub(crate) fn names(draws: &Draws) -> Vec<String> {
    draws.sites().map(|(name, _)| name.to_owned()).collect()
}

/// A function from coordinates to recorded values.
pub(crate) type Mapping<'m> = Box<dyn FnMut(&[f64], &mut [f64]) -> Result<(), ModelError> + 'm>;

/// What the draws of a run are draws of.
pub(crate) trait Recorded {
    /// The name of the model.
    fn name(&self) -> &str;

    /// The sites, in order.
    fn columns(&self) -> &[Column];

    /// A function from coordinates to the values of the columns, one after the other.
    fn map(&self) -> Mapping<'_>;
}

/// The length to which chains are cut so that most draws are kept; of equals the shorter, which keeps more chains.
fn best_length(lengths: &[usize]) -> usize {
    let kept = |length: usize| length * lengths.iter().filter(|&&n| n >= length).count();
    let mut lengths = lengths.to_vec();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths.into_iter().max_by_key(|&n| kept(n)).unwrap_or(0)
}

/// The values of all sites at the first `n` draws of one chain.
fn values(
    sites: &dyn Recorded,
    draws: ArrayView2<'_, f64>,
    n: usize,
) -> Result<IndexMap<String, ArrayD<f64>>, InferError> {
    let specs = sites.columns();
    let mut columns: Vec<Vec<f64>> = specs.iter().map(|c| Vec::with_capacity(n * c.shape.size())).collect();
    let mut map = sites.map();
    let mut row = vec![0.0; specs.iter().map(|c| c.shape.size()).sum()];
    let mut point = vec![0.0; draws.ncols()];
    for draw in draws.outer_iter().take(n) {
        point.iter_mut().zip(&draw).for_each(|(p, &x)| *p = x);
        map(&point, &mut row)?;
        let mut rest = &row[..];
        for (column, spec) in columns.iter_mut().zip(specs) {
            let (values, tail) = rest.split_at(spec.shape.size());
            column.extend_from_slice(values);
            rest = tail;
        }
    }
    let named = specs.iter().zip(columns).map(|(spec, values)| {
        let mut shape = vec![n];
        shape.extend_from_slice(&spec.shape);
        let array = ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap_or_default();
        (spec.name.clone(), array)
    });
    Ok(named.collect())
}

/// Why there is not a single draw.
fn nothing(model: &str, chains: Vec<Gathered<'_>>) -> InferError {
    let failed = chains.into_iter().find_map(|c| match c.report.outcome {
        Outcome::Failed(error) => Some(error),
        Outcome::Interrupted | Outcome::Complete => None,
    });
    failed.map_or(InferError::Interrupted, |error| InferError::NoDraws { model: model.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::best_length;

    #[test]
    fn unequal_chains_are_cut_so_that_most_draws_are_kept() {
        // 3 x 1000 against 4 x 500; 4 x 800 against 3 x 1000; 2 x 1000 against 4 x 500.
        assert_eq!(best_length(&[1000, 500, 1000, 1000]), 1000);
        assert_eq!(best_length(&[1000, 800, 1000, 1000]), 800);
        assert_eq!(best_length(&[1000, 1000, 500, 500]), 500);
        assert_eq!(best_length(&[0, 7, 0]), 7);
        assert_eq!(best_length(&[0, 0]), 0);
        assert_eq!(best_length(&[]), 0);
    }
}
