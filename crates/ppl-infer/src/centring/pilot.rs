//! The pilot: a short chain in stages, each in the coordinates that the draws of the one before ask for.
//!
//! It begins non-centred. What is chosen comes with each evaluation, so that programs are compiled once.

use std::sync::atomic::AtomicBool;

use ndarray::{Array2, aview1};
use ppl_autodiff::random::{Philox, Purpose};
use ppl_autodiff::{Program, Var, Workspace, gradient};
use ppl_core::centring::{Evidence, Standardised};
use ppl_core::{ModelError, Site};

use super::evidence::{Draw, difference, is_all, learn};
use super::{Choices, SiteCentring};
use crate::adapt::{MetricAdaptation, WarmupConfig};
use crate::chain::{ChainDraws, ChainRun, Outcome};
use crate::compiled::compile_density;
use crate::density::{DensityError, LogDensity, Target};
use crate::kernel::nuts::NutsConfig;
use crate::observe::Silent;

/// The chain of the first stage, from which the others count down: no run has so many, so that its random numbers are
/// its own.
const CHAIN: usize = u32::MAX as usize;
/// At most so many stages.
const STAGES: usize = 8;
/// Iterations of warm-up of a stage, and as many draws. The first need not be good.
const FIRST: usize = 30;
const LENGTH: usize = 50;
/// Stages end once draws ask for coordinates that differ from theirs by less than this, of standard deviations about 1.
const SETTLED: f64 = 0.3;
/// If the last differ by more than this, the pilot has not found the posterior, and the model stays as it is written.
const LOST: f64 = 10.0;
/// Doublings of trajectories.
const MAX_DEPTH: usize = 6;
/// Times that the draws of a stage are looked at, each in the coordinates found before: what the data say of a site
/// depends on the coordinates of those below it.
const ROUNDS: usize = 2;
/// The step of differences of scores, in standard coordinates.
const STEP: f64 = 1e-4;

/// A model compiled for any evidence. Programs take coordinates, precisions and potentials.
pub(crate) struct Pilot {
    sites: Vec<(String, usize, usize)>,
    dim: usize,
    /// To the log-density and its gradient.
    density: Program<f64>,
    /// To coordinates as they are written, locations, scales, and the gradients of the sites' own laws by those
    /// coordinates.
    parts: Program<f64>,
}

/// What a pilot has found.
#[derive(Default)]
pub(crate) struct Found {
    pub centring: Vec<SiteCentring>,
    pub gradients: usize,
}

impl Pilot {
    /// Compiles a model, if it has sites with a choice.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub fn new(choices: Choices) -> Result<Option<Self>, ModelError> {
        let Choices { trace, sites, dim } = choices;
        if sites.is_empty() {
            return Ok(None);
        }
        let (parts, trace) = trace.extend(|sites| {
            let chosen = || sites.iter().filter_map(|s| s.standardised.map(|of| (s, of)));
            let all = |part: fn(&Standardised) -> Var| -> Vec<Var> {
                chosen().map(|(_, of)| part(&of).broadcast_to(of.as_written.shape())).collect()
            };
            let own_law = |(s, of): (&Site, Standardised)| {
                let law = s.log_prob?.sum() + s.unconstrained?.1.sum();
                gradient(law, &[of.as_written]).first().copied()
            };
            let slopes: Vec<Var> = chosen().filter_map(own_law).collect();
            [all(|of| of.as_written), all(|of| of.location), all(|of| of.scale), slopes]
        })?;
        let [as_written, location, scale, slopes] = &parts;
        let parts = Program::compile(trace.traced().tape(), &[as_written, location, scale, slopes]);
        Ok(Some(Self { sites, dim, density: compile_density(trace)?, parts }))
    }

    /// Runs the pilot. Without a choice where its chain fails: what is wrong is for the chains of the run to say.
    pub fn run(&self, seed: u64, threads: usize, interrupt: &AtomicBool) -> Found {
        let count = self.sites.iter().map(|(.., size)| size).sum();
        let mut now = Evidence { precision: vec![0.0; count], potential: vec![0.0; count] };
        let mut found = Found::default();
        let mut start: Option<Vec<f64>> = None;
        for stage in 0..STAGES {
            let Some(chain) = self.stage(stage, &now, start.as_deref(), seed, threads, interrupt) else { return found };
            found.gradients += chain.gradients;
            if !matches!(chain.outcome, Outcome::Complete) {
                return Found { centring: Vec::new(), ..found };
            }
            let (mut next, mut change) = (now.clone(), 0.0);
            for _ in 0..ROUNDS {
                let draws = self.draws(&chain.draws, &now, &next, seed);
                found.gradients += 2 * draws.len();
                next = learn(&draws, count);
                change = difference(&draws, &now, &next);
                found.centring = self.named(&draws, &next);
            }
            start = chain.draws.outer_iter().last().map(|last| self.moved(&last.to_vec(), &now, &next));
            now = next;
            if stage > 0 && change < SETTLED {
                break;
            }
            if stage + 1 == STAGES && change > LOST {
                found.centring.clear();
            }
        }
        found
    }

    /// The chain of one stage.
    fn stage(
        &self,
        stage: usize,
        evidence: &Evidence,
        start: Option<&[f64]>,
        seed: u64,
        threads: usize,
        interrupt: &AtomicBool,
    ) -> Option<ChainDraws> {
        let length = if stage == 0 { FIRST } else { LENGTH };
        let target = PilotTarget { pilot: self, evidence };
        let metric = MetricAdaptation::default();
        let warmup = WarmupConfig {
            iterations: length,
            target_acceptance: 0.8,
            jitter: 0.0,
            layout: metric.layout(self.dim, &target.sites()).ok()?,
            metric,
            may_end_early: true,
            rotation: None,
        };
        let run = ChainRun {
            chain: CHAIN - stage,
            seed,
            draws: length,
            threads,
            start: start.map(aview1),
            kernel: NutsConfig { max_depth: MAX_DEPTH, ..NutsConfig::default() },
            warmup,
            earlier: None,
            observer: &Silent,
            interrupt,
        };
        Some(run.run(&target))
    }

    /// The draws of a stage with scores and curvatures in the coordinates of `now`. Curvatures are differences of
    /// scores along random signs, whose mean has no part of other coordinates (Hutchinson's estimate of a diagonal).
    fn draws(&self, points: &Array2<f64>, made_with: &Evidence, now: &Evidence, seed: u64) -> Vec<Draw> {
        let mut look = Look::new(self, now);
        let count = now.precision.len();
        let one = |(i, point): (usize, ndarray::ArrayView1<'_, f64>)| {
            let mut point = self.moved(&point.to_vec(), made_with, now);
            let mut draw = look.at(&point);
            let mut random = Philox::new(seed, Purpose::Curvature, CHAIN as u32, i as u32);
            let steps: Vec<f64> = (0..count).map(|_| if random.uniform() < 0.5 { -STEP } else { STEP }).collect();
            self.places().zip(&steps).for_each(|(place, step)| point[place] += step);
            let there = look.at(&point);
            for (i, step) in steps.iter().enumerate() {
                draw.curvature[i] = (draw.score[i] - there.score[i]) / (step * draw.normal(i, now).sd());
            }
            draw
        };
        points.outer_iter().enumerate().map(one).collect()
    }

    /// A point in coordinates of other evidence.
    fn moved(&self, point: &[f64], from: &Evidence, to: &Evidence) -> Vec<f64> {
        let draw = Look::new(self, from).parts(point).0;
        let mut point = point.to_vec();
        self.places().enumerate().for_each(|(i, place)| point[place] = draw.normal(i, to).standard(draw.as_written[i]));
        point
    }

    /// The places of the coordinates that have a choice.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.sites.iter().flat_map(|&(_, first, size)| first..first + size)
    }

    /// What is chosen, site by site, without those that stay as they are written.
    fn named(&self, draws: &[Draw], evidence: &Evidence) -> Vec<SiteCentring> {
        let mut start = 0;
        let mut named = Vec::new();
        for (site, _, size) in &self.sites {
            let part = start..start + size;
            start = part.end;
            if !is_all(draws, evidence, part.clone()) {
                let Evidence { precision, potential } = evidence;
                let (precision, potential) = (precision[part.clone()].to_vec(), potential[part].to_vec());
                named.push(SiteCentring { site: site.clone(), precision, potential });
            }
        }
        named
    }
}

/// Programs of the pilot with their workspaces, in the coordinates of some evidence.
struct Look<'p> {
    pilot: &'p Pilot,
    evidence: &'p Evidence,
    parts: Workspace<f64>,
    density: Workspace<f64>,
}

impl<'p> Look<'p> {
    fn new(pilot: &'p Pilot, evidence: &'p Evidence) -> Self {
        Self { pilot, evidence, parts: pilot.parts.workspace(), density: pilot.density.workspace() }
    }

    /// A draw without score and curvature, and the derivatives of the sites' own laws.
    fn parts(&mut self, point: &[f64]) -> (Draw, Vec<f64>) {
        let count = self.evidence.precision.len();
        let (mut draw, mut slopes) = (Draw::new(count), vec![0.0; count]);
        let Draw { as_written, location, scale, .. } = &mut draw;
        let inputs = [point, &self.evidence.precision, &self.evidence.potential];
        self.pilot.parts.evaluate(&mut self.parts, &inputs, &mut [as_written, location, scale, &mut slopes]);
        (draw, slopes)
    }

    /// A draw without curvature.
    fn at(&mut self, point: &[f64]) -> Draw {
        let (mut draw, own_law) = self.parts(point);
        let mut gradient = vec![0.0; self.pilot.dim];
        let inputs = [point, &self.evidence.precision, &self.evidence.potential];
        self.pilot.density.evaluate(&mut self.density, &inputs, &mut [&mut [0.0], &mut gradient]);
        for (i, place) in self.pilot.places().enumerate() {
            draw.score[i] = gradient[place] / draw.normal(i, self.evidence).sd() - own_law[i];
        }
        draw
    }
}

/// What the chains of the pilot sample: the model in the coordinates of some evidence.
struct PilotTarget<'p> {
    pilot: &'p Pilot,
    evidence: &'p Evidence,
}

impl Target for PilotTarget<'_> {
    fn dim(&self) -> usize {
        self.pilot.dim
    }
    fn density(&self) -> Box<dyn LogDensity + '_> {
        let workspace = self.pilot.density.workspace();
        Box::new(PilotDensity { pilot: self.pilot, evidence: self.evidence, workspace })
    }
}

struct PilotDensity<'p> {
    pilot: &'p Pilot,
    evidence: &'p Evidence,
    workspace: Workspace<f64>,
}

impl LogDensity for PilotDensity<'_> {
    fn dim(&self) -> usize {
        self.pilot.dim
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        let wanted = self.pilot.dim;
        if let Some(&got) = [x.len(), gradient.len()].iter().find(|&&n| n != wanted) {
            return Err(DensityError::Dimension { got, wanted });
        }
        let mut value = [0.0];
        let inputs = [x, &self.evidence.precision, &self.evidence.potential];
        self.pilot.density.evaluate(&mut self.workspace, &inputs, &mut [&mut value, gradient]);
        Ok(value[0])
    }
    fn set_threads(&mut self, threads: usize) {
        self.workspace.set_threads(threads);
    }
}
