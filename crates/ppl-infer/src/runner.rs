//! Many chains: the settings of a NUTS run, checked, and the run itself, chains beside each other.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ndarray::Array2;
use rayon::prelude::*;
use thiserror::Error;

use crate::adapt::{Adapted, MetricAdaptation, SiteGroupsError, WarmStartError, WarmupConfig};
use crate::centring::{Centring, CentringError};
use crate::chain::{ChainDraws, ChainRun};
use crate::density::Target;
use crate::kernel::nuts::NutsConfig;
use crate::observe::{Observer, Plan};

/// A setting that makes no sense, or a run that could not begin.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A count is out of range.
    #[error("{setting} is {got}, wanted {least} to {most}")]
    Count {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        got: usize,
        /// The least value allowed.
        least: usize,
        /// The greatest value allowed.
        most: usize,
    },
    /// A number is out of range.
    #[error("{setting} is {got}, wanted {wanted}")]
    Number {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        got: f64,
        /// The range.
        wanted: &'static str,
    },
    /// The draws of one chain do not fit in memory.
    #[error("{draws} draws of {dim} coordinates are too many to store")]
    TooManyDraws {
        /// Draws of a chain.
        draws: usize,
        /// Coordinates of a draw.
        dim: usize,
    },
    /// A checkpoint of another kernel.
    #[error("the checkpoint is of a run of {got}, wanted {wanted}")]
    Kernel {
        /// The kernel that made its draws.
        got: String,
        /// The one that it was to be taken up with.
        wanted: &'static str,
    },
    /// Blocks of the metric that do not fit the sites.
    #[error(transparent)]
    Blocks(#[from] SiteGroupsError),
    /// What another run has learned does not fit.
    #[error(transparent)]
    WarmStart(#[from] WarmStartError),
    /// Coordinates that the model's sites do not have.
    #[error(transparent)]
    Centring(#[from] CentringError),
    /// Threads could not be started.
    #[error("could not start {threads} threads: {reason}")]
    Threads {
        /// How many were wanted.
        threads: usize,
        /// What the system said.
        reason: String,
    },
}

/// Settings of a NUTS run.
///
/// ```
/// use std::sync::atomic::AtomicBool;
/// use ppl_infer::density::{DensityError, LogDensity, Target};
/// use ppl_infer::observe::Silent;
/// use ppl_infer::runner::Nuts;
///
/// struct Normal;
/// impl LogDensity for Normal {
///     fn dim(&self) -> usize {
///         1
///     }
///     fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
///         gradient[0] = -x[0];
///         Ok(-0.5 * x[0] * x[0])
///     }
/// }
/// impl Target for Normal {
///     fn dim(&self) -> usize {
///         1
///     }
///     fn density(&self) -> Box<dyn LogDensity + '_> {
///         Box::new(Normal)
///     }
/// }
///
/// let never = AtomicBool::new(false);
/// let chains = Nuts::new().warmup(200).draws(100).chains(2).seed(1).sample_chains(&Normal, &Silent, &never)?;
/// assert_eq!(chains.len(), 2);
/// assert_eq!(chains[0].draws.dim(), (100, 1));
/// # Ok::<(), ppl_infer::runner::SettingsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Nuts {
    warmup: usize,
    draws: usize,
    chains: usize,
    seed: u64,
    target_acceptance: f64,
    max_depth: usize,
    metric: MetricAdaptation,
    jitter: f64,
    may_end_early: bool,
    rotation: Option<f64>,
    threads: Option<usize>,
    starts: Option<Array2<f64>>,
    warm: Option<Arc<Adapted>>,
    centring: Centring,
}

impl Default for Nuts {
    fn default() -> Self {
        Self {
            warmup: 1000,
            draws: 1000,
            chains: 4,
            seed: 0,
            target_acceptance: 0.8,
            max_depth: NutsConfig::default().max_depth,
            metric: MetricAdaptation::default(),
            jitter: 0.0,
            may_end_early: true,
            rotation: None,
            threads: None,
            starts: None,
            warm: None,
            centring: Centring::default(),
        }
    }
}

impl Nuts {
    /// Four chains of 1000 warm-up iterations and 1000 draws, seed 0, target acceptance 0.8, depth 10, no jitter.
    pub fn new() -> Self {
        Self::default()
    }

    /// Warm-up iterations of each chain; with 0 there is only the search for a first step size.
    pub fn warmup(self, warmup: usize) -> Self {
        Self { warmup, ..self }
    }

    /// Draws of each chain, at least 1.
    pub fn draws(self, draws: usize) -> Self {
        Self { draws, ..self }
    }

    /// Number of chains, at least 1.
    pub fn chains(self, chains: usize) -> Self {
        Self { chains, ..self }
    }

    /// The seed: with the same settings it gives the same bits, whatever the number of threads.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The mean acceptance statistic that step-size adaptation aims at, in (0, 1). It is exceeded where rare transitions
    /// are refused altogether; not with metrics of Stan's windows.
    pub fn target_acceptance(self, target_acceptance: f64) -> Self {
        Self { target_acceptance, ..self }
    }

    /// At most this many doublings of a trajectory, 1 to 20.
    pub fn max_depth(self, max_depth: usize) -> Self {
        Self { max_depth, ..self }
    }

    /// How the metric is learned: from draws and gradients unless told otherwise, as scales and directions. Blocks by site
    /// are [`MetricAdaptation::blocks`].
    pub fn metric(self, metric: MetricAdaptation) -> Self {
        Self { metric, ..self }
    }

    /// Multiplies the step size of each transition by a number uniform in `[1 - jitter, 1 + jitter]`, jitter in [0, 1).
    pub fn step_size_jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// Whether warm-up ends by itself once the metric has settled, as it does unless told otherwise: when draws ask for
    /// the metric that older ones asked for. Metrics of Stan's windows never end early.
    pub fn end_warmup_early(self, may_end_early: bool) -> Self {
        Self { may_end_early, ..self }
    }

    /// Integrates the normal law of this share of the posterior's curvature exactly, frequency in (0, 1]: fewer gradients
    /// where the posterior is nearly normal, more where its tails are heavy or its scales change. None by default.
    pub fn rotation(self, frequency: f64) -> Self {
        Self { rotation: Some(frequency), ..self }
    }

    /// Runs on this many threads of its own, at least 1, instead of rayon's global ones. Threads that the chains leave over
    /// share the gradients of models with thousands of rows.
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// Starts each chain at a row of `starts`, unconstrained as the model is written, `[chain, coordinate]`, instead of at
    /// random: where another method has found the posterior, warm-up need not look for it.
    ///
    /// ```
    /// use ppl_core::{dist::{HalfNormal, Normal}, model, observe, sample};
    /// use ppl_infer::{Nuts, variational::Pathfinder};
    ///
    /// model! {
    ///     fn location(y: Vec<f64>) {
    ///         let mean = sample!("mean", Normal::new(0.0, 1e4));
    ///         let spread = sample!("spread", HalfNormal::new(10.0));
    ///         observe!("y", Normal::new(mean, spread), y);
    ///     }
    /// }
    /// let model = location(vec![5001.0, 5003.0, 4999.0, 5002.0]);
    /// let starts = Pathfinder::new().seed(1).fit(&model)?.starts(2);
    /// let posterior = Nuts::new().warmup(300).draws(500).chains(2).starts(starts).seed(1).run(&model)?;
    /// assert!((posterior.mean("mean")?.sum() - 5001.25).abs() < 0.5);
    /// # Ok::<(), ppl_infer::InferError>(())
    /// ```
    pub fn starts(self, starts: Array2<f64>) -> Self {
        Self { starts: Some(starts), ..self }
    }

    /// Goes on from what an earlier run has learned, over the same model, with the same or other data, or over another
    /// with the same sites: each chain starts where one of that run ended, with its metric and its step size.
    ///
    /// - Without warm-up both stay as they are. With the same seed the draws are then those that a longer run would have
    ///   made, with another they are others; streams of random numbers go on where they ended, and none is used twice.
    /// - With warm-up the metric is kept, and the step size adapted, until there are 80 draws: if they ask for the same
    ///   metric, warm-up ends after 100 iterations; if not, a new one is learned. Fewer than 130 iterations leave the metric
    ///   as it was. So 200 to 500 iterations are right for new data. Stan's windows keep it until the end of the first.
    /// - With another number of chains than the earlier run had, chain c goes on from its chain c modulo that number: metrics
    ///   are not pooled. [`Nuts::starts`] gives other places to begin.
    /// - A rotation goes on as it was; one with another frequency is an error. So do the coordinates of hierarchical sites.
    ///
    /// Chains that start where others ended have not been spread out: R-hat then says less than after a start at random.
    ///
    /// ```
    /// use ppl_core::{dist::{HalfNormal, Normal}, model, observe, sample};
    /// use ppl_infer::Nuts;
    ///
    /// model! {
    ///     fn location(y: Vec<f64>) {
    ///         let mean = sample!("mean", Normal::new(0.0, 1e4));
    ///         let spread = sample!("spread", HalfNormal::new(10.0));
    ///         observe!("y", Normal::new(mean, spread), y);
    ///     }
    /// }
    /// let y = vec![5001.0, 5003.0, 4999.0, 5002.0, 5000.0];
    /// let nuts = Nuts::new().draws(500).chains(2).seed(1);
    /// let yesterday = nuts.run(&location(y.clone()))?;
    ///
    /// let updated = location([y, vec![5004.0]].concat());
    /// let today = nuts.warmup(200).warm_start(yesterday.adapted()?).run(&updated)?;
    /// assert!((today.mean("mean")?.sum() - 5001.5).abs() < 0.5);
    /// assert!(today.chains()[0].warmup_gradients < yesterday.chains()[0].warmup_gradients / 2);
    /// # Ok::<(), ppl_infer::InferError>(())
    /// ```
    ///
    /// # Errors
    /// When the run begins, [`WarmStartError`] where sites, shapes or numbers do not fit.
    pub fn warm_start(self, earlier: &Adapted) -> Self {
        Self { warm: Some(Arc::new(earlier.clone())), ..self }
    }

    /// How the coordinates of hierarchical sites are chosen: by a pilot chain unless told otherwise. See [`Centring`].
    pub fn centring(self, centring: Centring) -> Self {
        Self { centring, ..self }
    }

    /// How coordinates are chosen.
    pub(crate) fn centring_value(&self) -> &Centring {
        &self.centring
    }

    /// The starting points given.
    pub(crate) fn starts_value(&self) -> Option<&Array2<f64>> {
        self.starts.as_ref()
    }

    /// What an earlier run has learned.
    pub(crate) fn warm_value(&self) -> Option<&Adapted> {
        self.warm.as_deref()
    }

    /// Threads of the run.
    pub(crate) fn threads_value(&self) -> usize {
        self.threads.unwrap_or_else(rayon::current_num_threads)
    }

    /// The seed in use.
    pub(crate) fn seed_value(&self) -> u64 {
        self.seed
    }

    /// What a run is going to do.
    pub(crate) fn plan(&self) -> Plan {
        Plan { chains: self.chains, warmup: self.warmup, draws: self.draws }
    }

    /// The largest number of doublings in use.
    pub(crate) fn max_depth_value(&self) -> u32 {
        self.max_depth as u32
    }

    /// Whether a run could begin.
    ///
    /// # Errors
    /// [`SettingsError`] for the first setting out of range.
    pub fn check(&self) -> Result<(), SettingsError> {
        // Chains and iterations are words of the random streams' counters.
        let word = u32::MAX as usize / 2;
        let counts = [
            ("warmup", self.warmup, 0, word),
            ("draws", self.draws, 1, word),
            ("chains", self.chains, 1, word),
            ("max_depth", self.max_depth, 1, 20),
            ("threads", self.threads.unwrap_or(1), 1, 1 << 16),
        ];
        for (setting, got, least, most) in counts {
            if got < least || got > most {
                return Err(SettingsError::Count { setting, got, least, most });
            }
        }
        let (got, setting) = (self.target_acceptance, "target_acceptance");
        if !(got > 0.0 && got < 1.0) {
            return Err(SettingsError::Number { setting, got, wanted: "more than 0 and less than 1" });
        }
        let (got, setting) = (self.jitter, "step_size_jitter");
        if !(0.0..1.0).contains(&got) {
            return Err(SettingsError::Number { setting, got, wanted: "at least 0 and less than 1" });
        }
        let (got, setting) = (self.rotation.unwrap_or(1.0), "rotation");
        if !(got > 0.0 && got <= 1.0) {
            return Err(SettingsError::Number { setting, got, wanted: "more than 0 and at most 1" });
        }
        Ok(())
    }

    /// Runs the chains and returns them in order, each with its own outcome.
    ///
    /// Setting `interrupt` ends every chain before its next iteration; the draws so far are kept.
    ///
    /// # Errors
    /// [`SettingsError`] where the run cannot begin. What goes wrong in a chain is in its outcome.
    pub fn sample_chains(
        &self,
        target: &dyn Target,
        observer: &dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<Vec<ChainDraws>, SettingsError> {
        self.check()?;
        if let Some(starts) = &self.starts {
            for (setting, got, wanted) in
                [("rows of starts", starts.nrows(), self.chains), ("columns of starts", starts.ncols(), target.dim())]
            {
                if got != wanted {
                    return Err(SettingsError::Count { setting, got, least: wanted, most: wanted });
                }
            }
        }
        let sites = target.sites();
        let (setting, got, wanted) = ("coordinates of sites", sites.iter().map(|s| s.coordinates).sum(), target.dim());
        if got != wanted {
            return Err(SettingsError::Count { setting, got, least: wanted, most: wanted });
        }
        let layout = self.metric.layout(target.dim(), &sites)?;
        if let Some(warm) = &self.warm {
            warm.check(&sites, self.rotation)?;
            warm.check_centring(target.centring())?;
        }
        let bytes = self.draws.checked_mul(target.dim()).and_then(|n| n.checked_mul(size_of::<f64>()));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(SettingsError::TooManyDraws { draws: self.draws, dim: target.dim() });
        }
        // What the chains leave over of the threads is for their gradients.
        let threads = (self.threads_value() / self.chains).max(1);
        let run = |chain| {
            let earlier = self.warm.as_ref().and_then(|warm| warm.of_chain(chain));
            let warmup = WarmupConfig {
                iterations: self.warmup,
                target_acceptance: self.target_acceptance,
                jitter: self.jitter,
                metric: self.metric.clone(),
                layout: layout.clone(),
                may_end_early: self.may_end_early,
                rotation: self.rotation.or_else(|| earlier?.drift.frequency()),
            };
            let kernel = NutsConfig { max_depth: self.max_depth, ..NutsConfig::default() };
            let (seed, draws) = (self.seed, self.draws);
            let start = self.starts.as_ref().map(|starts| starts.row(chain));
            ChainRun { chain, seed, draws, threads, start, kernel, warmup, earlier, observer, interrupt }.run(target)
        };
        let run_all = || (0..self.chains).into_par_iter().with_max_len(1).map(run).collect();

        let pool = match self.threads {
            None => None,
            Some(threads) => {
                let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                Some(built.map_err(|e| SettingsError::Threads { threads, reason: e.to_string() })?)
            }
        };
        observer.started(&self.plan());
        let chains = match pool {
            None => run_all(),
            Some(pool) => pool.install(run_all),
        };
        observer.ended();
        Ok(chains)
    }
}
