//! Warm-up of NUTS: learns step size and metric from each transition, and ends by freezing them.

use thiserror::Error;

use crate::density::{DensityError, LogDensity};
use crate::dynamics::{Drift, Flow, Layout, Metric, MetricError};
use crate::kernel::nuts::{NutsInfo, NutsParams};
use crate::kernel::{Frozen, GradientState};
use crate::random::ChainRng;

use super::adapted::AdaptedChain;
use super::block_estimates::{FisherBlocks, WelfordBlocks};
use super::dual_averaging::DualAveraging;
use super::final_step::FinalStep;
use super::fisher::FisherDiagonal;
use super::fisher_warmup::{Estimate, FisherConfig, FisherLearner};
use super::kind::MetricAdaptation;
use super::low_rank::FisherLowRank;
use super::step_size::{LARGEST_TURN, StepSizeError, find_step_size};
use super::welford::{WelfordDense, WelfordDiagonal};
use super::windows::StanWindows;

/// How many times the refusals that the user asked for are taken while the metric is learned.
const RELAXED: f64 = 1.5;
/// While next to nothing is known of the scales, trajectories are long and lead nowhere: so many iterations, at most a
/// quarter of all, double at most so many times.
const FIRST: usize = 50;
const FIRST_DEPTH: usize = 7;

/// What the user chooses of warm-up.
#[derive(Debug, Clone, PartialEq)]
pub struct WarmupConfig {
    /// Number of iterations.
    pub iterations: usize,
    /// The mean acceptance statistic to aim at, in (0, 1).
    pub target_acceptance: f64,
    /// Relative jitter of the step size, in [0, 1).
    pub jitter: f64,
    /// How the metric is learned.
    pub metric: MetricAdaptation,
    /// The coordinates that a metric of blocks takes together: [`MetricAdaptation::layout`].
    pub layout: Layout,
    /// Whether warm-up may end sooner, once draws ask for the metric that older ones asked for.
    pub may_end_early: bool,
    /// Positions drift by a rotation of this frequency, in the frame that draws and gradients give.
    pub rotation: Option<f64>,
}

/// Why warm-up could not go on.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum WarmupError {
    /// No step size was found.
    #[error(transparent)]
    StepSize(#[from] StepSizeError),
    /// The draws of a window have no usable variance.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The density failed.
    #[error(transparent)]
    Density(#[from] DensityError),
}

/// A warm-up in progress. [`params`](Self::params) are for the next transition; [`finish`](Self::finish) freezes them.
#[derive(Debug, Clone)]
pub struct Warmup {
    params: NutsParams,
    step_size: DualAveraging,
    metric: Learner,
    target_acceptance: f64,
    /// The step size of the last phase, which follows the target acceptance itself.
    last: Option<FinalStep>,
    /// Whether it goes on from what another run has learned, and whether that metric is still kept.
    continuing: bool,
    held: bool,
    iterations: usize,
    iteration: usize,
    gradients: usize,
}

/// What became of the metric after a draw.
pub(super) enum Change {
    None,
    /// A little better: step-size adaptation goes on.
    Refined,
    /// Another scale: the step size must be found anew.
    Replaced,
}

#[derive(Debug, Clone)]
enum Learner {
    StanDiagonal(StanWindows, WelfordDiagonal),
    StanDense(StanWindows, WelfordDense),
    StanBlocks(StanWindows, WelfordBlocks),
    FisherDiagonal(Box<FisherLearner<FisherDiagonal>>),
    FisherLowRank(Box<FisherLearner<FisherLowRank>>),
    FisherBlocks(Box<FisherLearner<FisherBlocks>>),
}

/// Evaluates an expression for the learner of whichever Fisher metric, another for Stan's windows.
macro_rules! by_kind {
    ($learner:expr, fisher($it:ident) => $fisher:expr, stan => $stan:expr) => {
        match $learner {
            Learner::FisherDiagonal($it) => $fisher,
            Learner::FisherLowRank($it) => $fisher,
            Learner::FisherBlocks($it) => $fisher,
            Learner::StanDiagonal(..) | Learner::StanDense(..) | Learner::StanBlocks(..) => $stan,
        }
    };
}

impl Warmup {
    /// Begins at a state; `random` is that of iteration 0.
    ///
    /// # Errors
    /// [`WarmupError::StepSize`] where no first step size is found.
    pub fn new(
        config: &WarmupConfig,
        density: &mut dyn LogDensity,
        state: &GradientState,
        random: &ChainRng,
    ) -> Result<Self, WarmupError> {
        let learner = Learner::new(config, state, None);
        let mut metric = Metric::identity(state.position.len());
        if let Metric::Diagonal(diagonal) = &mut metric
            && !config.metric.is_stan()
        {
            diagonal.refine(FisherDiagonal::guess(&state.gradient));
        }
        let (step_size, gradients) = find_step_size(density, Flow::from(&metric), state, random, 1.0)?;
        Ok(Self {
            params: NutsParams { step_size, jitter: config.jitter, metric, drift: Drift::Straight },
            step_size: DualAveraging::new(step_size, learning_target(config.target_acceptance, &config.metric)),
            target_acceptance: config.target_acceptance,
            last: None,
            continuing: false,
            held: false,
            metric: learner,
            iterations: config.iterations,
            iteration: 0,
            gradients,
        })
    }

    /// Goes on at a state from what another run has learned; without iterations nothing of it changes.
    ///
    /// The metric is kept, while the step size moves a little, until there are 80 draws. If they ask for that metric,
    /// warm-up ends (after 100 iterations, as ever where it may); if not, a new one is learned as in any warm-up, but
    /// for its start. With fewer than 130 iterations only the step size is learned. In Stan's windows the metric is kept
    /// until the end of the first.
    #[must_use]
    pub fn continuing(config: &WarmupConfig, state: &GradientState, earlier: &AdaptedChain) -> Self {
        let learner = Learner::new(config, state, Some(&earlier.metric));
        let step_size = earlier.step_size;
        let limit = limit(&earlier.drift);
        let mut averaging = DualAveraging::new(step_size, learning_target(config.target_acceptance, &config.metric));
        averaging.set_limit(limit);
        Self {
            params: NutsParams {
                step_size,
                jitter: config.jitter,
                metric: earlier.metric.clone(),
                drift: earlier.drift.clone(),
            },
            step_size: averaging,
            target_acceptance: config.target_acceptance,
            last: Some(FinalStep::new(step_size, limit, config.target_acceptance)),
            continuing: true,
            held: true,
            metric: learner,
            iterations: config.iterations,
            iteration: 0,
            gradients: 0,
        }
    }

    /// The parameters for the next transition.
    #[must_use]
    pub fn params(&self) -> &NutsParams {
        &self.params
    }

    /// Whether there is nothing more to learn: the last iteration is over, or all has settled.
    #[must_use]
    pub fn ended(&self) -> bool {
        let end = by_kind!(&self.metric, fisher(learner) => learner.end(), stan => self.iterations);
        self.iteration >= end
    }

    /// At most so many doublings for the next transition, of those that the user allows: fewer at the beginning.
    #[must_use]
    pub fn max_depth(&self, allowed: usize) -> usize {
        let knows_scales = by_kind!(&self.metric, fisher(_it) => self.continuing, stan => true);
        let first = !knows_scales && self.iteration < FIRST.min(self.iterations / 4);
        if first { allowed.min(FIRST_DEPTH) } else { allowed }
    }

    /// Gradients that warm-up itself has used, those of the transitions not counted.
    #[must_use]
    pub fn gradients(&self) -> usize {
        self.gradients
    }

    /// Learns from a transition and the state it led to. After the last iteration nothing is learned.
    ///
    /// # Errors
    /// [`WarmupError`]; the parameters are then as before.
    pub fn update(
        &mut self,
        density: &mut dyn LogDensity,
        state: &GradientState,
        info: &NutsInfo,
        random: &ChainRng,
    ) -> Result<(), WarmupError> {
        if self.ended() {
            return Ok(());
        }
        match &mut self.last {
            Some(last) => {
                last.update(info.acceptance);
                self.params.step_size = last.step_size();
                if !self.held {
                    self.iteration += 1;
                    return Ok(());
                }
            }
            None => {
                self.step_size.update(self.metric.acceptance(info));
                self.params.step_size = self.step_size.step_size();
            }
        }
        let change = self.metric.update(self.iteration, state, info, &mut self.params)?;
        if self.held {
            self.held = by_kind!(&self.metric, fisher(it) => it.holds(), stan => matches!(change, Change::None));
            if self.held {
                self.iteration += 1;
                return Ok(());
            }
            // From here on it is a warm-up like any other.
            self.last = None;
            self.step_size.restart(self.params.step_size);
        }
        if let Drift::Rotation { frequency, .. } = self.params.drift {
            self.step_size.set_limit(LARGEST_TURN / frequency);
            self.params.step_size = self.step_size.step_size();
        }
        if let Change::Replaced = change {
            let (step_size, gradients) =
                find_step_size(density, self.params.flow(), state, random, self.params.step_size)?;
            self.gradients += gradients;
            self.params.step_size = step_size;
            self.step_size.restart(step_size);
        }
        if self.metric.is_final(self.iteration + 1) {
            let limit = limit(&self.params.drift);
            let last = FinalStep::new(self.step_size.averaged_step_size(), limit, self.target_acceptance);
            self.params.step_size = last.step_size();
            self.last = Some(last);
        }
        self.iteration += 1;
        Ok(())
    }

    /// Ends warm-up: the averaged step size and the last metric, never to move again.
    #[must_use]
    pub fn finish(mut self) -> Frozen<NutsParams> {
        if self.continuing && self.iteration == 0 {
            return Frozen::new(self.params);
        }
        self.params.step_size =
            self.last.as_ref().map_or_else(|| self.step_size.averaged_step_size(), FinalStep::averaged);
        Frozen::new(self.params)
    }
}

/// What the step size aims at while the metric is learned: half as many steps again may be refused, for longer steps
/// and shorter trajectories, as those draws are not kept.
fn learning_target(target: f64, metric: &MetricAdaptation) -> f64 {
    if metric.is_stan() { target } else { 1.0 - RELAXED * (1.0 - target) }
}

/// The longest step of a drift.
fn limit(drift: &Drift) -> f64 {
    match drift {
        Drift::Rotation { frequency, .. } => LARGEST_TURN / frequency,
        Drift::Straight => f64::INFINITY,
    }
}

impl Learner {
    /// For a warm-up that begins at a state, or goes on with a metric that another run has learned.
    fn new(config: &WarmupConfig, state: &GradientState, earlier: Option<&Metric>) -> Self {
        let dim = state.position.len();
        let fisher = FisherConfig {
            iterations: config.iterations,
            may_end_early: config.may_end_early,
            rotation: config.rotation,
        };
        let windows = StanWindows::new(config.iterations);
        match config.metric.clone().of(dim) {
            MetricAdaptation::StanDiagonal => Self::StanDiagonal(windows, WelfordDiagonal::new(dim)),
            MetricAdaptation::StanDense => Self::StanDense(windows, WelfordDense::new(dim)),
            MetricAdaptation::StanBlocks(_) => Self::StanBlocks(windows, WelfordBlocks::new(config.layout.clone())),
            MetricAdaptation::FisherLowRank => {
                Self::FisherLowRank(learner(fisher, state, FisherLowRank::new(dim), earlier))
            }
            MetricAdaptation::FisherBlocks(_) => {
                Self::FisherBlocks(learner(fisher, state, FisherBlocks::new(config.layout.clone()), earlier))
            }
            MetricAdaptation::Fisher | MetricAdaptation::FisherDiagonal => {
                Self::FisherDiagonal(learner(fisher, state, FisherDiagonal::new(dim), earlier))
            }
        }
    }

    /// Whether an iteration belongs to the phase after the metric's.
    fn is_final(&self, iteration: usize) -> bool {
        by_kind!(self, fisher(learner) => learner.is_final(iteration), stan => false)
    }

    /// The statistic that the step size follows. Once the metric has settled nutpie counts errors of both signs.
    fn acceptance(&self, info: &NutsInfo) -> f64 {
        let late = by_kind!(self, fisher(learner) => learner.is_late(), stan => false);
        if late { info.symmetric_acceptance } else { info.acceptance }
    }

    fn update(
        &mut self,
        iteration: usize,
        state: &GradientState,
        info: &NutsInfo,
        params: &mut NutsParams,
    ) -> Result<Change, MetricError> {
        match self {
            Self::StanDiagonal(windows, estimate) => {
                if windows.contains(iteration) {
                    estimate.add(&state.position);
                }
                if !windows.ends_at(iteration) {
                    return Ok(Change::None);
                }
                params.metric = Metric::diagonal(estimate.regularised().collect())?;
                estimate.clear();
                Ok(Change::Replaced)
            }
            Self::StanDense(windows, estimate) => {
                if windows.contains(iteration) {
                    estimate.add(&state.position);
                }
                if !windows.ends_at(iteration) {
                    return Ok(Change::None);
                }
                params.metric = Metric::dense(estimate.regularised())?;
                estimate.clear();
                Ok(Change::Replaced)
            }
            Self::StanBlocks(windows, estimate) => {
                if windows.contains(iteration) {
                    estimate.add(&state.position);
                }
                if !windows.ends_at(iteration) {
                    return Ok(Change::None);
                }
                params.metric = estimate.metric()?;
                estimate.clear();
                Ok(Change::Replaced)
            }
            Self::FisherDiagonal(learner) => Ok(learner.update(iteration, state, info, params)),
            Self::FisherLowRank(learner) => Ok(learner.update(iteration, state, info, params)),
            Self::FisherBlocks(learner) => Ok(learner.update(iteration, state, info, params)),
        }
    }
}

fn learner<E: Estimate>(
    config: FisherConfig,
    state: &GradientState,
    estimate: E,
    earlier: Option<&Metric>,
) -> Box<FisherLearner<E>> {
    Box::new(match earlier {
        None => FisherLearner::new(config, state, estimate),
        Some(metric) => FisherLearner::continuing(config, state, estimate, metric),
    })
}
