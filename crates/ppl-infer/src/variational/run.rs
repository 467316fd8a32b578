//! The run of a fit: steps of the optimiser until the plan is done, somebody stops it, or the objective fails.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use ppl_autodiff::random::{Philox, Purpose};
use serde::{Deserialize, Serialize};

use super::advi::{Advi, Start};
use super::error::VariationalError;
use super::family::Family;
use super::local::Local;
use super::objective::{Density, Objective};
use super::optimiser::OptimiserState;
use super::tracker::{Progress, Tracker, mean_of_last};
use crate::density::DensityError;
use crate::init::{ATTEMPTS, RADIUS};

/// Steps in a row without a finite draw after which a fit gives up.
const MOST_SKIPPED: u64 = 100;
/// The part of the run, from its end, of which two halves are compared: see [`Windows`].
const WATCHED: f64 = 0.2;

/// The streams of a fit, as the chain of its random numbers.
pub(crate) mod stream {
    /// Noise of the steps; the index is the iteration.
    pub const STEPS: u32 = 0;
    /// Noise of the draws by which a fit is judged; the index is the draw.
    pub const CHECK: u32 = 1 << 31;
    /// Noise of the draws of a posterior; the index is the draw.
    pub const DRAWS: u32 = CHECK + 1;
}

/// All that a fit needs to go on, and to the same bits as if it had never stopped. Saved and loaded with `serde`.
///
/// A format that keeps every `f64` exactly keeps the bits: `serde_json` does with its feature `float_roundtrip`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(crate) settings: Advi,
    pub(crate) params: Vec<f64>,
    pub(crate) optimiser: OptimiserState,
    /// Steps done.
    pub(crate) iteration: u64,
    /// The iteration at which the current cycle of the schedule began.
    pub(crate) cycle: u64,
    /// The iteration at which the current cycle ends.
    pub(crate) planned: u64,
    pub(crate) elbo: Vec<f64>,
    /// Steps without a finite draw.
    pub(crate) skipped: u64,
    pub(crate) average: Mean,
    pub(crate) windows: [Mean; 2],
}

/// A running mean of parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mean {
    pub count: u64,
    pub values: Vec<f64>,
}

impl Mean {
    fn add(&mut self, params: &[f64]) {
        self.count += 1;
        let weight = 1.0 / self.count as f64;
        for (m, p) in self.values.iter_mut().zip(params) {
            *m += weight * (p - *m);
        }
    }

    fn new(n: usize) -> Self {
        Self { count: 0, values: vec![0.0; n] }
    }
}

/// How a fit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// With all its steps.
    Complete,
    /// Because it was asked to.
    Interrupted,
    /// Because a tracker stopped it.
    Stopped,
}

impl State {
    /// Before the first step.
    pub(crate) fn new(settings: &Advi, family: &dyn Family, location: &[f64]) -> Self {
        let mut params = vec![0.0; family.params()];
        family.start(location, settings.scale, &mut params);
        let n = params.len();
        Self {
            settings: settings.clone(),
            optimiser: settings.optimiser.state(n),
            params,
            iteration: 0,
            cycle: 0,
            planned: settings.steps,
            elbo: Vec::new(),
            skipped: 0,
            average: Mean::new(n),
            windows: [Mean::new(n), Mean::new(n)],
        }
    }

    /// Plans some more steps: a cycle of the schedule of its own.
    pub(crate) fn extend(&mut self, steps: u64) {
        self.cycle = self.iteration;
        self.planned = self.iteration + steps;
        self.average = Mean::new(self.params.len());
        self.windows = [Mean::new(self.params.len()), Mean::new(self.params.len())];
    }

    /// The parameters of the result: the mean of the last iterates, if there is one.
    pub(crate) fn result(&self) -> &[f64] {
        if self.average.count > 0 { &self.average.values } else { &self.params }
    }

    /// Steps done, from the beginning.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// The settings.
    pub fn settings(&self) -> &Advi {
        &self.settings
    }

    /// Steps until the plan is done.
    pub(crate) fn run(
        &mut self,
        model: &str,
        family: &mut dyn Family,
        density: &mut Density<'_>,
        mut local: Option<&mut Local>,
        trackers: &mut [&mut dyn Tracker],
        interrupt: &AtomicBool,
    ) -> Result<Ended, Failure> {
        let settings = self.settings.clone();
        let mut objective = Objective::new(family, settings.estimator, settings.antithetic);
        let mut gradient = vec![0.0; self.params.len()];
        let steps = self.planned - self.cycle;
        let part = |share: f64| self.planned - (share * steps as f64) as u64;
        let (averaged, first, second) = (part(settings.average), part(WATCHED), part(0.5 * WATCHED));
        let loss_scale = if settings.batch_loss { density.share() } else { 1.0 };
        self.elbo.reserve((self.planned - self.iteration) as usize);
        let mut in_a_row = 0;
        while self.iteration < self.planned {
            if interrupt.load(Ordering::Relaxed) {
                return Ok(Ended::Interrupted);
            }
            let at = self.iteration;
            density.bind(at).map_err(|error| VariationalError::Density { iteration: at, error })?;
            family.update(&self.params);
            let mut random = Philox::new(settings.seed, Purpose::Variational, stream::STEPS, at as u32);
            let (params, draws, gradient) = (&self.params, settings.draws, &mut gradient[..]);
            let estimate = match &mut local {
                Some(local) => {
                    objective.estimate_local(local, density.bound(), family, params, &mut random, draws, gradient)
                }
                None => {
                    let evaluate = &mut |x: &[f64], v: &mut [f64], g: &mut [f64]| density.evaluate_points(x, v, g);
                    objective.estimate_with(evaluate, family, params, &mut random, draws, gradient)
                }
            };
            match estimate {
                Ok(elbo) => {
                    in_a_row = 0;
                    let scale = -loss_scale * clipping(settings.clip, loss_scale, gradient);
                    gradient.iter_mut().for_each(|g| *g *= scale);
                    let factor = settings.schedule.factor(at - self.cycle, steps);
                    settings.optimiser.update(&mut self.optimiser, factor, &mut self.params, gradient);
                    if !self.params.iter().sum::<f64>().is_finite() {
                        return Err(VariationalError::Diverged { model: model.to_owned(), iteration: at }.into());
                    }
                    self.elbo.push(elbo);
                }
                Err(DensityError::NotFinite) => {
                    in_a_row += 1;
                    self.skipped += 1;
                    if in_a_row >= MOST_SKIPPED {
                        return Err(Failure::NotFinite { iteration: at, in_a_row, point: objective.point().to_vec() });
                    }
                }
                Err(error) => return Err(VariationalError::Density { iteration: at, error }.into()),
            }
            self.iteration += 1;
            if at >= averaged {
                self.average.add(&self.params);
            }
            if at >= first {
                self.windows[usize::from(at >= second)].add(&self.params);
            }
            let now =
                Progress { iteration: self.iteration, planned: self.planned, params: &self.params, elbo: &self.elbo };
            for tracker in trackers.iter_mut() {
                if self.iteration.is_multiple_of(tracker.every().max(1))
                    && let ControlFlow::Break(()) = tracker.track(&now)
                {
                    return Ok(Ended::Stopped);
                }
            }
        }
        Ok(Ended::Complete)
    }
}

/// By how much a gradient, already to be scaled, is scaled down to meet the largest norm.
fn clipping(clip: Option<f64>, scale: f64, gradient: &[f64]) -> f64 {
    let Some(most) = clip else { return 1.0 };
    let norm = scale * gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    if norm > most { most / norm } else { 1.0 }
}

/// Why a run failed; the point is for the table of sites.
pub(crate) enum Failure {
    NotFinite { iteration: u64, in_a_row: u64, point: Vec<f64> },
    Error(VariationalError),
}

impl From<VariationalError> for Failure {
    fn from(error: VariationalError) -> Self {
        Self::Error(error)
    }
}

/// The part of a run that each of several starts is tried for, and the least number of its steps.
const SCOUTED: f64 = 0.05;
const LEAST_SCOUTED: u64 = 200;

/// The state before the first step: of several starts the one whose short run reaches the largest ELBO.
pub(crate) fn scout(
    settings: &Advi,
    model: &str,
    family: &mut dyn Family,
    density: &mut Density<'_>,
    mut local: Option<&mut Local>,
    interrupt: &AtomicBool,
) -> Result<State, Failure> {
    if settings.starts <= 1 {
        let location = find_location(settings, model, density, 0)?;
        return Ok(State::new(settings, family, &location));
    }
    let steps = ((SCOUTED * settings.steps as f64) as u64).max(LEAST_SCOUTED);
    let short = Advi { steps, ..settings.clone() };
    let mut best: Option<(f64, Vec<f64>)> = None;
    let mut failure = None;
    for start in 0..settings.starts as u32 {
        let tried = find_location(settings, model, density, start).and_then(|location| {
            let mut state = State::new(&short, family, &location);
            state.run(model, family, density, local.as_deref_mut(), &mut [], interrupt)?;
            Ok((mean_of_last(&state.elbo, state.elbo.len() / 2), location))
        });
        match tried {
            Ok((elbo, location)) if best.as_ref().is_none_or(|(b, _)| elbo > *b) => best = Some((elbo, location)),
            Ok(_) => {}
            Err(error) => failure = Some(error),
        }
    }
    match (best, failure) {
        (Some((_, location)), _) => Ok(State::new(settings, family, &location)),
        (None, Some(error)) => Err(error),
        (None, None) => Err(VariationalError::NoStart { model: model.to_owned() }.into()),
    }
}

/// The location at which a fit starts, where the density and its gradient are finite; `start` counts several starts.
pub(crate) fn find_location(
    settings: &Advi,
    model: &str,
    density: &mut Density<'_>,
    start: u32,
) -> Result<Vec<f64>, Failure> {
    let dim = density.dim();
    density.bind(0).map_err(|error| VariationalError::Density { iteration: 0, error })?;
    let mut slope = vec![0.0; dim];
    let mut finite = |x: &[f64]| -> Result<bool, Failure> {
        match density.evaluate(x, &mut slope) {
            Ok(value) => Ok(value.is_finite() && slope.iter().all(|g| g.is_finite())),
            Err(DensityError::NotFinite) => Ok(false),
            Err(error) => Err(VariationalError::Density { iteration: 0, error }.into()),
        }
    };
    match &settings.start {
        Start::Random => {
            let mut x = vec![0.0; dim];
            for attempt in 0..ATTEMPTS {
                let mut uniform = Philox::new(settings.seed, Purpose::Init, start, attempt);
                x.fill_with(|| RADIUS * (2.0 * uniform.uniform_open() - 1.0));
                if finite(&x)? {
                    return Ok(x);
                }
            }
        }
        Start::Zero => {
            let x = vec![0.0; dim];
            if finite(&x)? {
                return Ok(x);
            }
        }
        Start::At(x) if x.len() == dim => {
            if finite(x)? {
                return Ok(x.clone());
            }
        }
        Start::At(x) => {
            let (what, got, wanted) = ("coordinates", x.len(), dim);
            return Err(VariationalError::State { what, got, wanted }.into());
        }
    }
    Err(VariationalError::NoStart { model: model.to_owned() }.into())
}
