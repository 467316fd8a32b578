//! Learning the metric from draws and gradients: two estimates, the schedule that swaps them, and when they agree.

use crate::dynamics::{Drift, Metric};
use crate::kernel::GradientState;
use crate::kernel::nuts::{NutsInfo, NutsParams};

use super::block_estimates::FisherBlocks;
use super::fisher::FisherDiagonal;
use super::low_rank::FisherLowRank;
use super::warmup::Change;
use super::welford::WelfordDiagonal;
use super::windows::{FisherAction, FisherSchedule};

/// The root mean square of the differences of log-variances below which two estimates agree. Estimates from two sets of
/// 80 independent normal draws differ by about 0.2.
const AGREEMENT: f64 = 0.35;
/// The largest difference of log-variances in a direction of the low-rank metric, and the largest difference of mean
/// log-densities in standard deviations, with which two estimates agree.
const DIRECTION: f64 = 1.1;
const LEVEL: f64 = 0.75;
/// With more coordinates than this, windows of the early phase are compared: of few coordinates ten draws agree by chance.
const MANY: usize = 256;

/// An estimate of the metric from draws and gradients.
pub(super) trait Estimate: Clone {
    /// Refinements between two switches come every so many iterations.
    const EVERY: usize;
    fn add(&mut self, draw: &[f64], gradient: &[f64]);
    fn clear(&mut self);
    fn count(&self) -> usize;
    /// Means of draws and gradients.
    fn means(&self) -> (&[f64], &[f64]);
    /// Improves a metric, or replaces one of another kind, and says whether it could.
    fn refine(&self, metric: &mut Metric) -> bool;
}

/// The methods of [`Estimate`] that every type has of its own.
macro_rules! observations {
    () => {
        fn add(&mut self, draw: &[f64], gradient: &[f64]) {
            self.add(draw, gradient);
        }
        fn clear(&mut self) {
            self.clear();
        }
        fn count(&self) -> usize {
            self.count()
        }
        fn means(&self) -> (&[f64], &[f64]) {
            self.means()
        }
    };
}

impl Estimate for FisherDiagonal {
    const EVERY: usize = 1;

    observations!();
    fn refine(&self, metric: &mut Metric) -> bool {
        if !matches!(metric, Metric::Diagonal(_)) {
            match Metric::diagonal(metric.variances()) {
                Ok(diagonal) => *metric = diagonal,
                Err(_) => return false,
            }
        }
        if let Metric::Diagonal(diagonal) = metric {
            diagonal.refine(self.shrunk().into_iter());
        }
        true
    }
}

impl Estimate for FisherLowRank {
    const EVERY: usize = 20;

    observations!();
    fn refine(&self, metric: &mut Metric) -> bool {
        let refined = match &*metric {
            Metric::Diagonal(diagonal) => self.metric(diagonal.scale()),
            Metric::LowRank(low_rank) => self.metric(low_rank.scale()),
            other => self.metric(&other.variances().iter().map(|v| v.sqrt()).collect::<Vec<_>>()),
        };
        match refined {
            Some(refined) => *metric = Metric::LowRank(refined),
            None => return false,
        }
        true
    }
}

impl Estimate for FisherBlocks {
    const EVERY: usize = 20;

    observations!();
    fn refine(&self, metric: &mut Metric) -> bool {
        match self.metric(&metric.variances()) {
            Some(refined) => *metric = refined,
            None => return false,
        }
        true
    }
}

/// What the user chose of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FisherConfig {
    pub iterations: usize,
    /// Whether warm-up may end before its last iteration.
    pub may_end_early: bool,
    /// The frequency of the rotation by which positions drift, if they do.
    pub rotation: Option<f64>,
}

/// Foreground and background estimates with their schedule.
#[derive(Debug, Clone)]
pub(super) struct FisherLearner<E> {
    schedule: FisherSchedule,
    config: FisherConfig,
    /// Whether windows of the early phase are compared.
    compares: bool,
    foreground: E,
    background: E,
    /// Log-densities of the draws in foreground and background.
    levels: [WelfordDiagonal; 2],
    /// The metric and the levels of the last switch: of draws that are not in the background. Of a metric that came from
    /// another run no levels are known.
    reference: Option<(Metric, Option<WelfordDiagonal>)>,
    refined: bool,
    since: usize,
}

impl<E: Estimate> FisherLearner<E> {
    /// Begins at a state, with an estimate that has seen nothing yet.
    pub fn new(config: FisherConfig, state: &GradientState, estimate: E) -> Self {
        let compares = config.may_end_early && state.position.len() > MANY;
        let schedule = if config.may_end_early {
            FisherSchedule::that_may_settle(config.iterations)
        } else {
            FisherSchedule::new(config.iterations)
        };
        let mut learner = Self {
            schedule,
            config,
            compares,
            foreground: estimate.clone(),
            background: estimate,
            levels: [WelfordDiagonal::new(1), WelfordDiagonal::new(1)],
            reference: None,
            refined: false,
            since: 0,
        };
        learner.add(state);
        learner
    }

    /// Begins with the metric that another run has learned. It is kept until there are draws enough to doubt it.
    pub fn continuing(config: FisherConfig, state: &GradientState, estimate: E, metric: &Metric) -> Self {
        let schedule = FisherSchedule::continuing(config.iterations);
        Self { schedule, reference: Some((metric.clone(), None)), ..Self::new(config, state, estimate) }
    }

    /// Whether the metric of another run is still kept.
    pub fn holds(&self) -> bool {
        self.schedule.holds()
    }

    /// Whether errors of both signs count for the step size: once the metric hardly changes.
    pub fn is_late(&self) -> bool {
        self.schedule.is_late()
    }

    /// Whether an iteration belongs to the phase in which the metric stays.
    pub fn is_final(&self, iteration: usize) -> bool {
        iteration >= self.schedule.phases().1
    }

    /// The number of iterations, as far as is known.
    pub fn end(&self) -> usize {
        self.schedule.end()
    }

    fn add(&mut self, state: &GradientState) {
        self.foreground.add(&state.position, &state.gradient);
        self.background.add(&state.position, &state.gradient);
        self.levels.iter_mut().for_each(|level| level.add(&[state.log_density]));
    }

    pub fn update(
        &mut self,
        iteration: usize,
        state: &GradientState,
        info: &NutsInfo,
        params: &mut NutsParams,
    ) -> Change {
        // A chain that stayed, or hardly left the place of a divergence, says nothing new about the scales.
        let usable = info.index.unsigned_abs() > if info.diverging() { 4 } else { 0 };
        if usable {
            self.add(state);
        }
        self.since += 1;
        let held = self.schedule.holds();
        let mut action = self.schedule.advance(iteration, usable);
        if held && action == FisherAction::Switch && self.config.may_end_early && self.agrees(&params.metric) {
            self.schedule.keep(iteration);
            action = FisherAction::Keep;
        }
        let settled = action == FisherAction::Refine
            && usable
            && self.config.may_end_early
            && self.schedule.may_settle()
            && self.agrees(&params.metric);
        match action {
            FisherAction::Keep => return Change::None,
            FisherAction::Refine if self.since < E::EVERY && !settled => return Change::None,
            FisherAction::Refine => {}
            FisherAction::Switch => {
                std::mem::swap(&mut self.foreground, &mut self.background);
                self.background.clear();
                self.levels.swap(0, 1);
                self.levels[1].clear();
            }
        }
        if settled {
            self.schedule.settle(iteration);
        }
        if action == FisherAction::Switch
            && self.compares
            && self.schedule.is_early(iteration)
            && self.is_like_reference(&self.foreground, &params.metric)
        {
            self.schedule.end_early(iteration);
        }
        if self.foreground.count() < 3 || !self.foreground.refine(&mut params.metric) {
            return Change::None;
        }
        self.since = 0;
        if action == FisherAction::Switch {
            self.reference = Some((params.metric.clone(), Some(self.levels[0].clone())));
        }
        if let Some(frequency) = self.config.rotation {
            params.drift = Drift::Rotation { center: self.center(&params.metric), frequency };
        }
        if std::mem::replace(&mut self.refined, true) { Change::Refined } else { Change::Replaced }
    }

    /// The location that goes with a metric: mean(draws) + M^-1 mean(gradients).
    fn center(&self, metric: &Metric) -> Vec<f64> {
        let (mean, gradient) = self.foreground.means();
        let (mut force, mut center) = (vec![0.0; mean.len()], vec![0.0; mean.len()]);
        metric.force(gradient, &mut force);
        metric.velocity(&force, &mut center);
        center.iter_mut().zip(mean).for_each(|(center, mean)| *center += mean);
        center
    }

    /// Whether the draws of the background ask for the metric that older ones asked for, at the same log-densities.
    fn agrees(&self, kind: &Metric) -> bool {
        let Some((_, level)) = &self.reference else {
            return false;
        };
        let now = &self.levels[1];
        // What is not a number does not agree.
        level.as_ref().is_none_or(|before| {
            let variance: f64 = now.variances().chain(before.variances()).sum::<f64>() / 2.0;
            let difference = (now.mean()[0] - before.mean()[0]).abs();
            difference <= LEVEL * variance.sqrt()
        }) && self.is_like_reference(&self.background, kind)
    }

    /// Whether an estimate asks for the metric of the last switch.
    fn is_like_reference(&self, estimate: &E, kind: &Metric) -> bool {
        let Some((reference, _)) = &self.reference else {
            return false;
        };
        let mut metric = kind.clone();
        estimate.refine(&mut metric)
            && metric.distance(reference) <= AGREEMENT
            && metric.direction_distance(reference) <= DIRECTION
    }
}
