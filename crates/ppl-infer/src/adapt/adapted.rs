//! What a run has learned, to be taken out, saved, and given to another run.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::centring::SiteCentring;
use crate::chain::ChainDraws;
use crate::density::{Target, TargetSite};
use crate::dynamics::{Drift, Metric};

/// What the chains of a run have learned: where they ended, their metrics, their step sizes.
///
/// It comes from [`Posterior::adapted`](crate::Posterior::adapted) and goes to
/// [`Nuts::warm_start`](crate::Nuts::warm_start). It is saved by `serde`, in a format that keeps all bits of a number
/// (`serde_json` does with its feature `float_roundtrip`); metrics are checked when they are loaded. The model is not part
/// of it: only the names and the shapes of its sites are, and a run whose sites differ is refused.
///
/// ```
/// use ppl_core::{dist::Normal, model, observe, sample};
/// use ppl_infer::Nuts;
/// use ppl_infer::adapt::Adapted;
///
/// model! {
///     fn location(y: Vec<f64>) {
///         let mean = sample!("mean", Normal::new(0.0, 10.0));
///         observe!("y", Normal::new(mean, 1.0), y);
///     }
/// }
/// let model = location(vec![1.0, 2.0, 3.0]);
/// let settings = Nuts::new().warmup(300).draws(100).chains(2).seed(1);
/// let first = settings.run(&model)?;
/// let saved = serde_json::to_string(first.adapted()?)?;
///
/// // In another process: with the same seed and no warm-up, the draws that a longer run would have made.
/// let adapted: Adapted = serde_json::from_str(&saved)?;
/// let more = settings.clone().warmup(0).warm_start(&adapted).run(&model)?;
/// let longer = settings.clone().draws(200).run(&model)?;
/// let (more, longer) = (more.get("mean").unwrap(), longer.get("mean").unwrap());
/// assert_eq!(more[[1, 0]], longer[[1, 100]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adapted {
    sites: Vec<TargetSite>,
    /// The coordinates that positions and metrics are for.
    #[serde(default)]
    centring: Vec<SiteCentring>,
    chains: Vec<AdaptedChain>,
}

/// What one chain has learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaptedChain {
    /// Where it ended, in the coordinates of its run.
    pub position: Vec<f64>,
    /// Its step size.
    pub step_size: f64,
    /// Its inverse mass matrix.
    pub metric: Metric,
    /// How its positions move between kicks.
    #[serde(default)]
    pub drift: Drift,
    /// Iterations since its first start, through all runs: where its random streams go on.
    #[serde(default)]
    pub iterations: usize,
}

/// Why a run cannot go on from what another has learned.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum WarmStartError {
    /// A site of the model that the earlier run did not have.
    #[error("warm start: the earlier run had no site `{site}`; it had {known:?}")]
    NewSite {
        /// The site.
        site: String,
        /// The sites of the earlier run.
        known: Vec<String>,
    },
    /// A site of the earlier run that the model lacks.
    #[error("warm start: the earlier run had a site `{site}`; there are {known:?}")]
    MissingSite {
        /// The site.
        site: String,
        /// The sites of the model.
        known: Vec<String>,
    },
    /// A site of another shape, or of another support with another number of coordinates.
    #[error(
        "warm start: site `{site}` has shape {got:?} and {coordinates} coordinates, in the earlier run {wanted:?} and {earlier}"
    )]
    Shape {
        /// The site.
        site: String,
        /// Its shape.
        got: Vec<usize>,
        /// Its number of unconstrained coordinates.
        coordinates: usize,
        /// Its shape in the earlier run.
        wanted: Vec<usize>,
        /// Its number of unconstrained coordinates there.
        earlier: usize,
    },
    /// The same sites in another order.
    #[error("warm start: site `{site}` comes where the earlier run had `{earlier}`")]
    Order {
        /// The site.
        site: String,
        /// The one that was in its place.
        earlier: String,
    },
    /// There is no chain to go on from.
    #[error("warm start: the earlier run has no chain")]
    NoChains,
    /// Numbers of a chain that are not as many as there are coordinates.
    #[error("warm start: the {what} of chain {chain} is for {got} coordinates, wanted {wanted}")]
    Dimension {
        /// Which chain.
        chain: usize,
        /// Position, metric or centre.
        what: &'static str,
        /// What it is for.
        got: usize,
        /// How many there are.
        wanted: usize,
    },
    /// A site in coordinates that the earlier run did not have, or not in those that it had.
    #[error("warm start: site `{site}` is not in the coordinates of the earlier run")]
    Centring {
        /// The site.
        site: String,
    },
    /// A step size that is not finite and positive.
    #[error("warm start: the step size of chain {chain} is {got}, wanted finite and positive")]
    StepSize {
        /// Which chain.
        chain: usize,
        /// What it was.
        got: f64,
    },
    /// A rotation that the earlier run did not have, or had with a frequency that is not in (0, 1].
    #[error(
        "warm start: the rotation asked for is {asked:?}, the earlier run's {earlier:?}, wanted the same in (0, 1]"
    )]
    Rotation {
        /// The frequency asked for, if one was.
        asked: Option<f64>,
        /// The frequency that there was.
        earlier: Option<f64>,
    },
}

impl Adapted {
    /// From inverse masses and step sizes of one's own, for the sites of a model or target, in their order.
    #[must_use]
    pub fn new(sites: Vec<TargetSite>, chains: Vec<AdaptedChain>) -> Self {
        Self { sites, centring: Vec::new(), chains }
    }

    /// What the chains of a run over a target have learned; chains without a draw are left out.
    #[must_use]
    pub fn from_chains(target: &dyn Target, chains: &[ChainDraws]) -> Self {
        let learned = |chain: &ChainDraws| {
            let params = chain.params.as_ref()?;
            Some(AdaptedChain {
                position: chain.draws.outer_iter().last()?.to_vec(),
                step_size: params.step_size,
                metric: params.metric.clone(),
                drift: params.drift.clone(),
                iterations: chain.earlier_iterations + chain.warmup_iterations + chain.stats.len(),
            })
        };
        Self {
            sites: target.sites(),
            centring: target.centring().to_vec(),
            chains: chains.iter().filter_map(learned).collect(),
        }
    }

    /// The sites of the run.
    #[must_use]
    pub fn sites(&self) -> &[TargetSite] {
        &self.sites
    }

    /// The sites in other coordinates than those that the model is written in.
    #[must_use]
    pub fn centring(&self) -> &[SiteCentring] {
        &self.centring
    }

    /// What each chain has learned.
    #[must_use]
    pub fn chains(&self) -> &[AdaptedChain] {
        &self.chains
    }

    /// What a chain of the next run goes on from: with other numbers of chains they take turns.
    pub(crate) fn of_chain(&self, chain: usize) -> Option<&AdaptedChain> {
        self.chains.get(chain % self.chains.len().max(1))
    }

    /// Whether a run over these sites can go on from it, with the rotation that it asks for.
    ///
    /// # Errors
    /// [`WarmStartError`] for the first thing that does not fit.
    pub fn check(&self, sites: &[TargetSite], rotation: Option<f64>) -> Result<(), WarmStartError> {
        self.check_sites(sites)?;
        self.check_chains(sites.iter().map(|s| s.coordinates).sum(), rotation)
    }

    /// Whether it is of these sites.
    ///
    /// # Errors
    /// [`WarmStartError`] for the first that is not.
    pub(crate) fn check_sites(&self, sites: &[TargetSite]) -> Result<(), WarmStartError> {
        let names = |sites: &[TargetSite]| sites.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        for site in sites {
            let Some(earlier) = self.sites.iter().find(|s| s.name == site.name) else {
                return Err(WarmStartError::NewSite { site: site.name.clone(), known: names(&self.sites) });
            };
            if earlier != site {
                return Err(WarmStartError::Shape {
                    site: site.name.clone(),
                    got: site.shape.clone(),
                    coordinates: site.coordinates,
                    wanted: earlier.shape.clone(),
                    earlier: earlier.coordinates,
                });
            }
        }
        if let Some(lost) = self.sites.iter().find(|earlier| sites.iter().all(|s| s.name != earlier.name)) {
            return Err(WarmStartError::MissingSite { site: lost.name.clone(), known: names(sites) });
        }
        if let Some((site, earlier)) = sites.iter().zip(&self.sites).find(|(site, earlier)| site != earlier) {
            return Err(WarmStartError::Order { site: site.name.clone(), earlier: earlier.name.clone() });
        }
        Ok(())
    }

    /// Whether the numbers of its chains are for `wanted` coordinates.
    fn check_chains(&self, wanted: usize, rotation: Option<f64>) -> Result<(), WarmStartError> {
        if self.chains.is_empty() {
            return Err(WarmStartError::NoChains);
        }
        for (chain, learned) in self.chains.iter().enumerate() {
            let (center, frequency) = match &learned.drift {
                Drift::Rotation { center, frequency } => (center.len(), Some(*frequency)),
                Drift::Straight => (wanted, None),
            };
            let lengths = [("position", learned.position.len()), ("metric", learned.metric.dim()), ("centre", center)];
            if let Some((what, got)) = lengths.into_iter().find(|(_, got)| *got != wanted) {
                return Err(WarmStartError::Dimension { chain, what, got, wanted });
            }
            let got = learned.step_size;
            if !(got > 0.0 && got.is_finite()) {
                return Err(WarmStartError::StepSize { chain, got });
            }
            let sound = frequency.is_none_or(|w| w > 0.0 && w <= 1.0);
            if !sound || rotation.is_some() && frequency.is_some() && rotation != frequency {
                return Err(WarmStartError::Rotation { asked: rotation, earlier: frequency });
            }
        }
        Ok(())
    }

    /// Whether a run in these coordinates can go on from it.
    ///
    /// # Errors
    /// [`WarmStartError::Centring`] for the first site that is in others.
    pub(crate) fn check_centring(&self, centring: &[SiteCentring]) -> Result<(), WarmStartError> {
        let differs = |(a, b): (&[SiteCentring], &[SiteCentring])| a.iter().find(|c| !b.contains(c)).cloned();
        let sides = [(centring, &self.centring[..]), (&self.centring[..], centring)];
        let site = sides.into_iter().find_map(differs);
        site.map_or(Ok(()), |SiteCentring { site, .. }| Err(WarmStartError::Centring { site }))
    }
}
