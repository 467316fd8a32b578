//! Warm-up of NUTS: learns step size and metric from each transition, and ends by freezing them.

use thiserror::Error;

use crate::density::{DensityError, LogDensity};
use crate::dynamics::{Drift, Flow, Metric, MetricError};
use crate::kernel::nuts::{NutsInfo, NutsParams};
use crate::kernel::{Frozen, GradientState};
use crate::random::ChainRng;

use super::dual_averaging::DualAveraging;
use super::final_step::FinalStep;
use super::fisher::FisherDiagonal;
use super::fisher_warmup::{FisherConfig, FisherLearner};
use super::low_rank::FisherLowRank;
use super::step_size::{LARGEST_TURN, StepSizeError, find_step_size};
use super::welford::{WelfordDense, WelfordDiagonal};
use super::windows::StanWindows;

/// Up to this many coordinates [`MetricAdaptation::Fisher`] looks for directions.
const LOW_RANK_LIMIT: usize = 256;
/// How many times the refusals that the user asked for are taken while the metric is learned.
const RELAXED: f64 = 1.5;
/// While next to nothing is known of the scales, trajectories are long and lead nowhere: so many iterations, at most a
/// quarter of all, double at most so many times.
const FIRST: usize = 50;
const FIRST_DEPTH: usize = 7;

/// How the metric is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MetricAdaptation {
    /// [`FisherLowRank`](Self::FisherLowRank) up to 256 coordinates, above that
    /// [`FisherDiagonal`](Self::FisherDiagonal).
    #[default]
    Fisher,
    /// A diagonal, from draws and gradients, refined after every draw, on nutpie's schedule.
    FisherDiagonal,
    /// As the diagonal, with those directions in which it is not enough, refined every 20 draws.
    FisherLowRank,
    /// A diagonal, from the variances of the draws of Stan's windows.
    StanDiagonal,
    /// A full matrix, from the covariances of the draws of Stan's windows.
    StanDense,
}

impl MetricAdaptation {
    /// What the default means for so many coordinates.
    #[must_use]
    pub fn of(self, dim: usize) -> Self {
        match self {
            Self::Fisher if dim <= LOW_RANK_LIMIT => Self::FisherLowRank,
            Self::Fisher => Self::FisherDiagonal,
            chosen => chosen,
        }
    }
}

/// What the user chooses of warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmupConfig {
    /// Number of iterations.
    pub iterations: usize,
    /// The mean acceptance statistic to aim at, in (0, 1).
    pub target_acceptance: f64,
    /// Relative jitter of the step size, in [0, 1).
    pub jitter: f64,
    /// How the metric is learned.
    pub metric: MetricAdaptation,
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
    FisherDiagonal(Box<FisherLearner<FisherDiagonal>>),
    FisherLowRank(Box<FisherLearner<FisherLowRank>>),
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
        let dim = state.position.len();
        let mut metric = Metric::identity(dim);
        let fisher = FisherConfig {
            iterations: config.iterations,
            may_end_early: config.may_end_early,
            rotation: config.rotation,
        };
        let learner = match config.metric.of(dim) {
            MetricAdaptation::StanDiagonal => {
                Learner::StanDiagonal(StanWindows::new(config.iterations), WelfordDiagonal::new(dim))
            }
            MetricAdaptation::StanDense => {
                Learner::StanDense(StanWindows::new(config.iterations), WelfordDense::new(dim))
            }
            MetricAdaptation::FisherLowRank => Learner::FisherLowRank(Box::new(FisherLearner::new(fisher, state))),
            MetricAdaptation::Fisher | MetricAdaptation::FisherDiagonal => {
                Learner::FisherDiagonal(Box::new(FisherLearner::new(fisher, state)))
            }
        };
        if let (Metric::Diagonal(diagonal), Learner::FisherDiagonal(_) | Learner::FisherLowRank(_)) =
            (&mut metric, &learner)
        {
            diagonal.refine(FisherDiagonal::guess(&state.gradient));
        }
        let (step_size, gradients) = find_step_size(density, Flow::from(&metric), state, random, 1.0)?;
        Ok(Self {
            params: NutsParams { step_size, jitter: config.jitter, metric, drift: Drift::Straight },
            step_size: DualAveraging::new(step_size, learning_target(config.target_acceptance, config.metric)),
            target_acceptance: config.target_acceptance,
            last: None,
            metric: learner,
            iterations: config.iterations,
            iteration: 0,
            gradients,
        })
    }

    /// The parameters for the next transition.
    #[must_use]
    pub fn params(&self) -> &NutsParams {
        &self.params
    }

    /// Whether there is nothing more to learn: the last iteration is over, or all has settled.
    #[must_use]
    pub fn ended(&self) -> bool {
        let end = match &self.metric {
            Learner::FisherDiagonal(learner) => learner.end(),
            Learner::FisherLowRank(learner) => learner.end(),
            Learner::StanDiagonal(..) | Learner::StanDense(..) => self.iterations,
        };
        self.iteration >= end
    }

    /// At most so many doublings for the next transition, of those that the user allows: fewer at the beginning.
    #[must_use]
    pub fn max_depth(&self, allowed: usize) -> usize {
        let stan = matches!(self.metric, Learner::StanDiagonal(..) | Learner::StanDense(..));
        let first = !stan && self.iteration < FIRST.min(self.iterations / 4);
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
                self.iteration += 1;
                return Ok(());
            }
            None => self.step_size.update(self.metric.acceptance(info)),
        }
        self.params.step_size = self.step_size.step_size();
        let change = self.metric.update(self.iteration, state, info, &mut self.params)?;
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
            let limit = match self.params.drift {
                Drift::Rotation { frequency, .. } => LARGEST_TURN / frequency,
                _ => f64::INFINITY,
            };
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
        self.params.step_size =
            self.last.as_ref().map_or_else(|| self.step_size.averaged_step_size(), FinalStep::averaged);
        Frozen::new(self.params)
    }
}

/// What the step size aims at while the metric is learned: half as many steps again may be refused, for longer steps
/// and shorter trajectories, as those draws are not kept.
fn learning_target(target: f64, metric: MetricAdaptation) -> f64 {
    match metric {
        MetricAdaptation::StanDiagonal | MetricAdaptation::StanDense => target,
        _ => 1.0 - RELAXED * (1.0 - target),
    }
}

impl Learner {
    /// Whether an iteration belongs to the phase after the metric's.
    fn is_final(&self, iteration: usize) -> bool {
        match self {
            Self::FisherDiagonal(learner) => learner.is_final(iteration),
            Self::FisherLowRank(learner) => learner.is_final(iteration),
            Self::StanDiagonal(..) | Self::StanDense(..) => false,
        }
    }

    /// The statistic that the step size follows. Once the metric has settled nutpie counts errors of both signs.
    fn acceptance(&self, info: &NutsInfo) -> f64 {
        match self {
            Self::FisherDiagonal(learner) if learner.is_late() => info.symmetric_acceptance,
            Self::FisherLowRank(learner) if learner.is_late() => info.symmetric_acceptance,
            _ => info.acceptance,
        }
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
            Self::FisherDiagonal(learner) => Ok(learner.update(iteration, state, info, params)),
            Self::FisherLowRank(learner) => Ok(learner.update(iteration, state, info, params)),
        }
    }
}
