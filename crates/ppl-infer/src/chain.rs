//! One chain from its starting point to its last draw: start, warm up, freeze, sample, and keep what there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ndarray::{Array2, ArrayView1, s};
use ppl_diagnostics::DrawStats;
use thiserror::Error;

use crate::adapt::{AdaptedChain, Warmup, WarmupConfig, WarmupError};
use crate::density::{DensityError, LogDensity, Target};
use crate::init::{InitError, find_start, start_at};
use crate::kernel::nuts::{Divergence, NutsConfig, NutsInfo, NutsKernel, NutsParams};
use crate::kernel::{Frozen, GradientState, Kernel};
use crate::observe::{Ending, Event, Observer, Phase};
use crate::random::ChainRng;

/// Why a chain ended early.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ChainError {
    /// It found no starting point.
    #[error(transparent)]
    Init(#[from] InitError),
    /// Warm-up could not go on.
    #[error(transparent)]
    Warmup(#[from] WarmupError),
    /// The density failed.
    #[error(transparent)]
    Density(#[from] DensityError),
}

/// How a chain ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// With all its draws.
    Complete,
    /// Because it was asked to; the draws so far are kept.
    Interrupted,
    /// Because of an error; the draws so far are kept.
    Failed(ChainError),
}

/// The draws of one chain and what is known about them.
#[derive(Debug, Clone)]
pub struct ChainDraws {
    /// Which chain, from 0.
    pub chain: usize,
    /// The name of the kernel that made the draws.
    pub kernel: &'static str,
    /// Unconstrained draws, `[draw, coordinate]`.
    pub draws: Array2<f64>,
    /// Statistics of each draw.
    pub stats: Vec<DrawStats>,
    /// Divergences while sampling, each with the number of its draw.
    pub divergences: Vec<(usize, Divergence)>,
    /// Iterations of the runs that it went on from: where its random streams began.
    pub earlier_iterations: usize,
    /// Iterations of warm-up: fewer than were asked for where it ended by itself.
    pub warmup_iterations: usize,
    /// Gradients until the end of warm-up: start, step-size searches and transitions.
    pub warmup_gradients: usize,
    /// Gradients altogether.
    pub gradients: usize,
    /// Seconds until the end of warm-up.
    pub warmup_seconds: f64,
    /// Seconds altogether.
    pub seconds: f64,
    /// The parameters that made the draws; none if the chain did not get there.
    pub params: Option<Frozen<NutsParams>>,
    /// How the chain ended.
    pub outcome: Outcome,
}

/// What a chain needs to run.
pub(crate) struct ChainRun<'a> {
    pub chain: usize,
    pub seed: u64,
    pub draws: usize,
    /// Threads for an evaluation of the density.
    pub threads: usize,
    /// Where it starts, if that is given.
    pub start: Option<ArrayView1<'a, f64>>,
    pub kernel: NutsConfig,
    pub warmup: WarmupConfig,
    /// What another run has learned, if it is to go on from that.
    pub earlier: Option<&'a AdaptedChain>,
    pub observer: &'a dyn Observer,
    pub interrupt: &'a AtomicBool,
}

/// Why the loop of a chain stopped before its end.
enum Stop {
    Interrupted,
    Error(ChainError),
}

impl<E: Into<ChainError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl ChainRun<'_> {
    /// Runs the chain with a density of its own.
    pub fn run(&self, target: &dyn Target) -> ChainDraws {
        let begin = Instant::now();
        let mut density = target.density();
        density.set_threads(self.threads);
        let mut chain = ChainDraws {
            chain: self.chain,
            kernel: NutsKernel::NAME,
            draws: Array2::zeros((self.draws, density.dim())),
            stats: Vec::with_capacity(self.draws),
            divergences: Vec::new(),
            earlier_iterations: self.earlier.map_or(0, |earlier| earlier.iterations),
            warmup_iterations: 0,
            warmup_gradients: 0,
            gradients: 0,
            warmup_seconds: 0.0,
            seconds: 0.0,
            params: None,
            outcome: Outcome::Complete,
        };
        let mut kernel = NutsKernel::new(self.kernel);
        let result = self
            .warm_up(&mut kernel, &mut *density, &mut chain, begin)
            .and_then(|(params, state)| self.sample(&mut kernel, &mut *density, &mut chain, &params, state));
        let ending = match result {
            Ok(()) => Ending::Complete,
            Err(Stop::Interrupted) => {
                chain.outcome = Outcome::Interrupted;
                Ending::Interrupted
            }
            Err(Stop::Error(error)) => {
                chain.outcome = Outcome::Failed(error);
                Ending::Failed
            }
        };
        if chain.stats.len() < self.draws {
            chain.draws = chain.draws.slice(s![..chain.stats.len(), ..]).to_owned();
        }
        chain.seconds = begin.elapsed().as_secs_f64();
        self.observer.chain_ended(self.chain, ending);
        chain
    }

    fn warm_up(
        &self,
        kernel: &mut NutsKernel,
        density: &mut dyn LogDensity,
        chain: &mut ChainDraws,
        begin: Instant,
    ) -> Result<(Frozen<NutsParams>, GradientState), Stop> {
        let random = self.random(0);
        let given = self.start.map(|start| start.to_vec()).or_else(|| Some(self.earlier?.position.clone()));
        let (mut state, evaluations) = match given {
            Some(start) => (start_at(density, start)?, 1),
            None => find_start(density, &random)?,
        };
        chain.gradients = evaluations;
        let mut warmup = match self.earlier {
            Some(earlier) => Warmup::continuing(&self.warmup, &state, earlier),
            None => Warmup::new(&self.warmup, density, &state, &random)?,
        };
        let mut searched = 0;
        let mut divergences = 0;
        for iteration in 0..self.warmup.iterations {
            if warmup.ended() {
                break;
            }
            self.check_interrupt()?;
            let random = self.random(iteration);
            let step_size = warmup.params().step_size;
            kernel.set_max_depth(warmup.max_depth(self.kernel.max_depth));
            let info = kernel.step(density, warmup.params(), &random, &mut state)?;
            warmup.update(density, &state, &info, &random)?;
            chain.gradients += info.n_steps + warmup.gradients() - searched;
            searched = warmup.gradients();
            divergences += usize::from(info.diverging());
            chain.warmup_iterations = iteration + 1;
            let place = (iteration, self.warmup.iterations + self.draws);
            self.tell(Phase::Warmup, place, step_size, &info, chain.gradients, divergences);
        }
        kernel.set_max_depth(self.kernel.max_depth);
        chain.gradients += warmup.gradients() - searched;
        chain.warmup_gradients = chain.gradients;
        chain.warmup_seconds = begin.elapsed().as_secs_f64();
        Ok((warmup.finish(), state))
    }

    fn sample(
        &self,
        kernel: &mut NutsKernel,
        density: &mut dyn LogDensity,
        chain: &mut ChainDraws,
        params: &Frozen<NutsParams>,
        mut state: GradientState,
    ) -> Result<(), Stop> {
        chain.params = Some(params.clone());
        for draw in 0..self.draws {
            self.check_interrupt()?;
            let iteration = chain.warmup_iterations + draw;
            let info = kernel.step(density, params, &self.random(iteration), &mut state)?;
            chain.draws.row_mut(draw).assign(&ndarray::aview1(&state.position));
            chain.gradients += info.n_steps;
            chain.stats.push(DrawStats {
                log_density: info.log_density,
                acceptance_rate: info.acceptance,
                step_size: params.step_size,
                tree_depth: info.depth as u32,
                n_steps: info.n_steps as u32,
                diverging: info.diverging(),
                energy: info.energy,
            });
            let divergences = chain.divergences.len() + usize::from(info.diverging());
            let place = (iteration, chain.warmup_iterations + self.draws);
            self.tell(Phase::Sampling, place, params.step_size, &info, chain.gradients, divergences);
            if let Some(divergence) = info.divergence {
                chain.divergences.push((draw, divergence));
            }
        }
        Ok(())
    }

    /// The streams of an iteration: others than those of the runs that it goes on from.
    fn random(&self, iteration: usize) -> ChainRng {
        let iteration = self.earlier.map_or(0, |earlier| earlier.iterations).wrapping_add(iteration);
        ChainRng::new(self.seed, self.chain as u32).at(iteration as u32)
    }

    fn check_interrupt(&self) -> Result<(), Stop> {
        if self.interrupt.load(Ordering::Relaxed) { Err(Stop::Interrupted) } else { Ok(()) }
    }

    fn tell(
        &self,
        phase: Phase,
        (iteration, iterations): (usize, usize),
        step_size: f64,
        info: &NutsInfo,
        gradients: usize,
        divergences: usize,
    ) {
        self.observer.iterated(&Event {
            chain: self.chain,
            phase,
            iteration,
            iterations,
            step_size,
            n_steps: info.n_steps,
            diverging: info.diverging(),
            gradients,
            divergences,
        });
    }
}
