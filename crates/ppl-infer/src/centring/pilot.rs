//! The pilot: a short chain in coordinates that come with each evaluation, so that one program serves for all of them.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use ndarray::{Array2, aview1};
use ppl_autodiff::{Program, Var, Workspace, gradient};
use ppl_autodiff::random::{Philox, Purpose};
use ppl_core::centring::{Coordinates, Evidence};
use ppl_core::{Model, ModelError, ModelTrace};

use super::SiteCentring;
use super::criterion::{Draw, evidence};
use crate::adapt::{MetricAdaptation, WarmupConfig};
use crate::chain::ChainRun;
use crate::compiled::{compile_density, coordinates};
use crate::density::{DensityError, LogDensity, Target};
use crate::kernel::nuts::NutsConfig;
use crate::observe::Silent;

/// The pilot's chain: no run has so many, so that its random numbers are its own.
const CHAIN: usize = u32::MAX as usize;
/// Its iterations and draws.
const STAGES: [(usize, usize); 2] = [(60, 60), (60, 120)];
/// Doublings of its trajectories.
const MAX_DEPTH: usize = 6;
/// The step of differences of gradients, in standard coordinates.
const STEP: f64 = 1e-4;
/// Times that coordinates are chosen, each with the gradients in those chosen before: the gradient by a coordinate depends
/// on those of other sites.
const ROUNDS: usize = 2;

/// A model whose sites have a choice of coordinates, compiled for any of them.
pub(crate) struct Pilot {
    /// The sites with a choice, each with the places of its coordinates.
    sites: Vec<(String, Range<usize>)>,
    dim: usize,
    /// Coordinates and shares in; the log-density and its gradient out.
    density: Program<f64>,
    /// Coordinates and shares in; coordinates as they are written, locations and scales out.
    parts: Program<f64>,
    /// Coordinates and shares in; the gradient of the laws of the sites by their own coordinates as written out.
    prior: Program<f64>,
}

impl Pilot {
    /// Compiles a model, if it has a site with a choice and its function reads no values.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub fn new(model: &dyn Model) -> Result<Option<Self>, ModelError> {
        let trace = ModelTrace::centred(model, Coordinates::Inputs)?;
        if trace.is_dynamic() || trace.sites().iter().all(|s| s.centred.is_none()) {
            return Ok(None);
        }
        let (sizes, trace) = trace.extend(coordinates)?;
        let mut sites = Vec::new();
        let mut start = 0;
        for (name, size) in sizes {
            if trace.sites().iter().any(|s| s.name == name && s.centred.is_some()) {
                sites.push((name, start..start + size));
            }
            start += size;
        }
        let (parts, trace) = trace.extend(|sites| {
            let centred: Vec<_> = sites.iter().filter_map(|s| Some((s.centred?, s.unconstrained?.0.shape()))).collect();
            let all = |of: &dyn Fn(&ppl_core::centring::Centred) -> Var| -> Vec<Var> {
                centred.iter().map(|(c, shape)| of(c).broadcast_to(shape.clone())).collect()
            };
            [all(&|c| c.as_written), all(&|c| c.location), all(&|c| c.scale)]
        })?;
        let program = Program::compile(trace.traced().tape(), &[&parts[0], &parts[1], &parts[2]]);
        let (prior, trace) = trace.extend(|sites| {
            let of = |s: &ppl_core::Site| {
                let u = s.centred?.as_written;
                Some(gradient(s.log_prob?.sum() + s.unconstrained?.1.sum(), &[u])[0])
            };
            sites.iter().filter_map(of).collect::<Vec<Var>>()
        })?;
        let prior = Program::compile(trace.traced().tape(), &[&prior]);
        Ok(Some(Self { sites, dim: start, density: compile_density(trace)?, parts: program, prior }))
    }

    /// The sites that have a choice, with their numbers of coordinates.
    pub fn choices(&self) -> impl Iterator<Item = (&str, usize)> {
        self.sites.iter().map(|(name, range)| (&name[..], range.len()))
    }

    /// Runs the pilot chain and chooses; with the number of gradients that it took. No choice where the chain failed.
    pub fn run(&self, seed: u64, threads: usize, interrupt: &AtomicBool) -> (Vec<SiteCentring>, usize) {
        let count = self.sites.iter().map(|(_, range)| range.len()).sum();
        let mut now = Evidence { precision: vec![0.0; count], potential: vec![0.0; count] };
        let metric = MetricAdaptation::default();
        let mut gradients = 0;
        let mut start: Option<Vec<f64>> = None;
        for (stage, (warmup, draws)) in STAGES.into_iter().enumerate() {
            let target = PilotTarget { pilot: self, evidence: &now };
            let Ok(layout) = metric.layout(self.dim, &target.sites()) else { return (Vec::new(), 0) };
            let run = ChainRun {
                chain: CHAIN - stage,
                seed,
                draws,
                threads,
                start: start.as_ref().map(|start| aview1(start)),
                kernel: NutsConfig { max_depth: MAX_DEPTH, ..NutsConfig::default() },
                warmup: WarmupConfig {
                    iterations: warmup,
                    target_acceptance: 0.8,
                    jitter: 0.0,
                    metric: metric.clone(),
                    layout,
                    may_end_early: true,
                    rotation: None,
                },
                earlier: None,
                observer: &Silent,
                interrupt,
            };
            let chain = run.run(&target);
            gradients += chain.gradients;
            if chain.draws.nrows() < draws {
                return (Vec::new(), gradients);
            }
            let mut next = now.clone();
            for _ in 0..ROUNDS {
                let draws = self.draws(&chain.draws, &now, &next, seed);
                gradients += 2 * draws.len();
                next = evidence(&draws, count);
            }
            start = chain.draws.outer_iter().last().map(|last| self.moved(&last.to_vec(), &now, &next));
            now = next;
        }
        (self.named(&now), gradients)
    }

    /// A point in coordinates of other evidence.
    fn moved(&self, point: &[f64], from: &Evidence, to: &Evidence) -> Vec<f64> {
        let mut parts = self.parts.workspace();
        let mut draw = Draw::new(to.precision.len());
        let mut point = point.to_vec();
        let Draw { as_written, location, scale, .. } = &mut draw;
        self.parts.evaluate(&mut parts, &[&point, &from.precision, &from.potential], &mut [as_written, location, scale]);
        for (i, at) in self.places().enumerate() {
            point[at] = draw.standard(i, to);
        }
        point
    }

    /// The draws of the pilot with what the criterion needs: gradients are those in the coordinates of `now`.
    fn draws(&self, points: &Array2<f64>, made_with: &Evidence, now: &Evidence, seed: u64) -> Vec<Draw> {
        let mut look = Look::new(self, now);
        let count = now.precision.len();
        let mut draws = Vec::with_capacity(points.nrows());
        for point in points.outer_iter() {
            let mut point = self.moved(&point.to_vec(), made_with, now);
            let mut draw = look.at(&point);
            let mut random = Philox::new(seed, Purpose::Curvature, CHAIN as u32, draws.len() as u32);
            let steps: Vec<f64> = (0..count).map(|_| if random.uniform_open() < 0.5 { -STEP } else { STEP }).collect();
            for (place, step) in self.places().zip(&steps) {
                point[place] += step;
            }
            let there = look.at(&point);
            for i in 0..count {
                let s = draw.scale[i];
                let by_step = s / (1.0 + s * s * now.precision[i]).sqrt();
                draw.precision[i] = -(there.score[i] - draw.score[i]) / (steps[i] * by_step);
            }
            draws.push(draw);
        }
        draws
    }

    /// The places of the coordinates that have a choice.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.sites.iter().flat_map(|(_, range)| range.clone())
    }

    /// What was chosen, site by site.
    fn named(&self, evidence: &Evidence) -> Vec<SiteCentring> {
        let mut start = 0;
        let mut named = Vec::new();
        for (site, range) in &self.sites {
            let part = start..start + range.len();
            start = part.end;
            let (precision, potential) = (evidence.precision[part.clone()].to_vec(), evidence.potential[part].to_vec());
            named.push(SiteCentring { site: site.clone(), precision, potential });
        }
        named
    }
}

/// Programs of the pilot with their workspaces, in coordinates of some evidence.
struct Look<'p> {
    pilot: &'p Pilot,
    evidence: &'p Evidence,
    parts: Workspace<f64>,
    prior: Workspace<f64>,
    density: Workspace<f64>,
}

impl<'p> Look<'p> {
    fn new(pilot: &'p Pilot, evidence: &'p Evidence) -> Self {
        let Pilot { parts, prior, density, .. } = pilot;
        Self { pilot, evidence, parts: parts.workspace(), prior: prior.workspace(), density: density.workspace() }
    }

    /// All but the curvature at a point.
    fn at(&mut self, point: &[f64]) -> Draw {
        let Self { pilot, evidence, .. } = *self;
        let count = evidence.precision.len();
        let inputs = [point, &evidence.precision, &evidence.potential];
        let mut draw = Draw::new(count);
        let Draw { as_written, location, scale, .. } = &mut draw;
        pilot.parts.evaluate(&mut self.parts, &inputs, &mut [as_written, location, scale]);
        let (mut prior, mut gradient) = (vec![0.0; count], vec![0.0; pilot.dim]);
        pilot.prior.evaluate(&mut self.prior, &inputs, &mut [&mut prior]);
        pilot.density.evaluate(&mut self.density, &inputs, &mut [&mut [0.0], &mut gradient]);
        for (i, at) in pilot.places().enumerate() {
            let s = draw.scale[i];
            let by_step = s / (1.0 + s * s * evidence.precision[i]).sqrt();
            draw.score[i] = gradient[at] / by_step - prior[i];
        }
        draw
    }
}

/// What the pilot samples: the model in coordinates of some evidence.
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
