//! Warm-up of NUTS: learns step size and metric from each transition, and ends by freezing them.

use thiserror::Error;

use crate::density::{DensityError, LogDensity};
use crate::dynamics::{Metric, MetricError};
use crate::kernel::nuts::{NutsInfo, NutsParams};
use crate::kernel::{Frozen, GradientState};
use crate::random::ChainRng;

use super::dual_averaging::DualAveraging;
use super::fisher::FisherDiagonal;
use super::step_size::{StepSizeError, find_step_size};
use super::welford::{WelfordDense, WelfordDiagonal};
use super::windows::{FisherAction, FisherSchedule, StanWindows};

/// How the metric is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MetricAdaptation {
    /// A diagonal, from draws and gradients, refined after every draw, on nutpie's schedule.
    #[default]
    FisherDiagonal,
    /// A diagonal, from the variances of the draws of Stan's windows.
    StanDiagonal,
    /// A full matrix, from the covariances of the draws of Stan's windows.
    StanDense,
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
    iterations: usize,
    iteration: usize,
    gradients: usize,
}

/// What became of the metric after a draw.
enum Change {
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
    FisherDiagonal(Box<FisherLearner>),
}

#[derive(Debug, Clone)]
struct FisherLearner {
    schedule: FisherSchedule,
    foreground: FisherDiagonal,
    background: FisherDiagonal,
    refined: bool,
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
        let learner = match config.metric {
            MetricAdaptation::StanDiagonal => {
                Learner::StanDiagonal(StanWindows::new(config.iterations), WelfordDiagonal::new(dim))
            }
            MetricAdaptation::StanDense => {
                Learner::StanDense(StanWindows::new(config.iterations), WelfordDense::new(dim))
            }
            MetricAdaptation::FisherDiagonal => {
                let mut learner = FisherLearner {
                    schedule: FisherSchedule::new(config.iterations),
                    foreground: FisherDiagonal::new(dim),
                    background: FisherDiagonal::new(dim),
                    refined: false,
                };
                learner.add(state);
                if let Metric::Diagonal(diagonal) = &mut metric {
                    diagonal.refine(FisherDiagonal::guess(&state.gradient));
                }
                Learner::FisherDiagonal(Box::new(learner))
            }
        };
        let (step_size, gradients) = find_step_size(density, &metric, state, random, 1.0)?;
        Ok(Self {
            params: NutsParams { step_size, jitter: config.jitter, metric },
            step_size: DualAveraging::new(step_size, config.target_acceptance),
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
        if self.iteration >= self.iterations {
            return Ok(());
        }
        self.step_size.update(self.metric.acceptance(info));
        self.params.step_size = self.step_size.step_size();
        let change = self.metric.update(self.iteration, state, info, &mut self.params.metric)?;
        if let Change::Replaced = change {
            let (step_size, gradients) =
                find_step_size(density, &self.params.metric, state, random, self.params.step_size)?;
            self.gradients += gradients;
            self.params.step_size = step_size;
            self.step_size.restart(step_size);
        }
        self.iteration += 1;
        Ok(())
    }

    /// Ends warm-up: the averaged step size and the last metric, never to move again.
    #[must_use]
    pub fn finish(mut self) -> Frozen<NutsParams> {
        self.params.step_size = self.step_size.averaged_step_size();
        Frozen::new(self.params)
    }
}

impl Learner {
    /// The statistic that the step size follows. Once the metric has settled nutpie counts errors of both signs.
    fn acceptance(&self, info: &NutsInfo) -> f64 {
        match self {
            Self::FisherDiagonal(learner) if learner.schedule.is_late() => info.symmetric_acceptance,
            _ => info.acceptance,
        }
    }

    fn update(
        &mut self,
        iteration: usize,
        state: &GradientState,
        info: &NutsInfo,
        metric: &mut Metric,
    ) -> Result<Change, MetricError> {
        match self {
            Self::StanDiagonal(windows, estimate) => {
                if windows.contains(iteration) {
                    estimate.add(&state.position);
                }
                if !windows.ends_at(iteration) {
                    return Ok(Change::None);
                }
                *metric = Metric::diagonal(estimate.regularised().collect())?;
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
                *metric = Metric::dense(estimate.regularised())?;
                estimate.clear();
                Ok(Change::Replaced)
            }
            Self::FisherDiagonal(learner) => Ok(learner.update(iteration, state, info, metric)),
        }
    }
}

impl FisherLearner {
    fn add(&mut self, state: &GradientState) {
        self.foreground.add(&state.position, &state.gradient);
        self.background.add(&state.position, &state.gradient);
    }

    fn update(&mut self, iteration: usize, state: &GradientState, info: &NutsInfo, metric: &mut Metric) -> Change {
        // A chain that stayed, or hardly left the place of a divergence, says nothing new about the scales.
        let usable = info.index.unsigned_abs() > if info.diverging() { 4 } else { 0 };
        if usable {
            self.add(state);
        }
        match self.schedule.advance(iteration, usable) {
            FisherAction::Keep => return Change::None,
            FisherAction::Refine => {}
            FisherAction::Switch => {
                std::mem::swap(&mut self.foreground, &mut self.background);
                self.background.clear();
            }
        }
        let Metric::Diagonal(diagonal) = metric else {
            return Change::None;
        };
        if self.foreground.count() < 3 {
            return Change::None;
        }
        diagonal.refine(self.foreground.inverse_mass());
        if std::mem::replace(&mut self.refined, true) { Change::Refined } else { Change::Replaced }
    }
}
