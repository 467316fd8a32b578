//! One chain: start or take up, step by step, and keep what there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ndarray::{Array2, s};

use super::kernel::StochasticKernel;
use super::result::StochasticChain;
use super::settings::StochasticGradient;
use crate::batch::{BatchDensity, BatchTarget};
use crate::chain::{ChainError, Outcome};
use crate::density::{DensityError, LogDensity};
use crate::init::find_start;
use crate::observe::{Ending, Event, Observer, Phase};
use crate::random::ChainRng;

/// Steps in a row that may fail for want of a finite gradient before the chain does.
const PATIENCE: usize = 100;
/// Numbers of gradients of rows up to which the noise is measured at the end of a chain.
const MEASURABLE: usize = 20_000_000;

/// What a chain needs to run.
pub(super) struct ChainRun<'a, K> {
    pub chain: usize,
    pub settings: &'a StochasticGradient<K>,
    /// The iteration before which it stops at the latest, as if interrupted.
    pub until: u64,
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

impl<K: StochasticKernel> ChainRun<'_, K> {
    /// Runs the chain with a density of its own, from the state where `from` ended, with its draws.
    pub fn run(&self, target: &dyn BatchTarget, from: Option<&StochasticChain<K::State>>) -> StochasticChain<K::State> {
        let begin = Instant::now();
        let mut chain = self.empty(target.dim());
        if let Some(from) = from {
            self.take_over(from, &mut chain);
        }
        let result = match target.density(self.settings.seed, self.chain as u64) {
            Ok(mut density) => self.sample(&mut *density, &mut chain),
            Err(error) => Err(error.into()),
        };
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
        if chain.len() < self.settings.draws {
            chain.draws = chain.draws.slice(s![..chain.len(), ..]).to_owned();
        }
        chain.seconds += begin.elapsed().as_secs_f64();
        self.observer.chain_ended(self.chain, ending);
        chain
    }

    fn empty(&self, dim: usize) -> StochasticChain<K::State> {
        let draws = self.settings.draws;
        StochasticChain {
            chain: self.chain,
            kernel: K::NAME,
            draws: Array2::zeros((draws, dim)),
            step_sizes: Vec::with_capacity(draws),
            gradient_norms: Vec::with_capacity(draws),
            iterations: 0,
            batch_size: 0,
            failed_steps: 0,
            excess_variance: None,
            temperature: None,
            seconds: 0.0,
            state: None,
            outcome: Outcome::Complete,
        }
    }

    /// The draws of an earlier run, as many as are wanted, and its state.
    fn take_over(&self, from: &StochasticChain<K::State>, chain: &mut StochasticChain<K::State>) {
        let kept = from.len().min(self.settings.draws);
        chain.draws.slice_mut(s![..kept, ..]).assign(&from.draws.slice(s![..kept, ..]));
        chain.step_sizes.extend_from_slice(&from.step_sizes[..kept]);
        chain.gradient_norms.extend_from_slice(&from.gradient_norms[..kept]);
        chain.iterations = from.iterations;
        chain.failed_steps = from.failed_steps;
        chain.seconds = from.seconds;
        chain.state = from.state.clone();
    }

    fn sample(&self, density: &mut dyn BatchDensity, chain: &mut StochasticChain<K::State>) -> Result<(), Stop> {
        chain.batch_size = density.batch_size();
        if K::COUNTS_ON_NOISE {
            density.draw_independently();
        }
        let mut kernel = self.settings.kernel.clone();
        let mut state = match chain.state.take() {
            Some(state) => state,
            None => self.start(density, &mut kernel)?,
        };
        let result = self.steps(density, &mut kernel, &mut state, chain);
        if result.is_ok() {
            chain.excess_variance = self.measure_excess(density, &kernel, K::position(&state), chain);
        }
        chain.state = Some(state);
        result
    }

    fn start(&self, density: &mut dyn BatchDensity, kernel: &mut K) -> Result<K::State, Stop> {
        density.bind(0)?;
        let position = match &self.settings.start {
            Some(position) => position.clone(),
            None => find_start(&mut Bound(density), &self.random(0))?.0.position,
        };
        Ok(kernel.init(density, &position)?)
    }

    fn steps(
        &self,
        density: &mut dyn BatchDensity,
        kernel: &mut K,
        state: &mut K::State,
        chain: &mut StochasticChain<K::State>,
    ) -> Result<(), Stop> {
        let mut failures = 0;
        let iterations = self.settings.iterations();
        let mut before_draws = None;
        while chain.len() < self.settings.draws {
            if self.interrupt.load(Ordering::Relaxed) || chain.iterations >= self.until {
                return Err(Stop::Interrupted);
            }
            let iteration = chain.iterations;
            if before_draws.is_none() && iteration >= self.settings.warmup as u64 {
                before_draws = K::thermostat(state);
            }
            let step = self.settings.step_size.at(iteration);
            density.bind(iteration)?;
            let gradient_norm = match kernel.step(density, &step, &self.random(iteration), state) {
                Ok(info) => {
                    failures = 0;
                    info.gradient_norm
                }
                Err(DensityError::NotFinite) if failures < PATIENCE => {
                    failures += 1;
                    chain.failed_steps += 1;
                    f64::NAN
                }
                Err(error) => return Err(error.into()),
            };
            chain.iterations += 1;
            if self.settings.keeps(iteration) {
                chain.draws.row_mut(chain.step_sizes.len()).assign(&ndarray::aview1(K::position(state)));
                chain.step_sizes.push(step.size);
                chain.gradient_norms.push(gradient_norm);
            }
            let sampling = iteration >= self.settings.warmup as u64;
            self.observer.iterated(&Event {
                chain: self.chain,
                phase: if sampling { Phase::Sampling } else { Phase::Warmup },
                iteration: iteration as usize,
                iterations,
                step_size: step.size,
                n_steps: 1,
                diverging: gradient_norm.is_nan(),
                gradients: chain.iterations as usize,
                divergences: chain.failed_steps,
            });
        }
        let now = K::thermostat(state);
        let dim = K::position(state).len();
        chain.temperature = before_draws.zip(now).and_then(|(from, now)| now.temperature_since(from, dim));
        Ok(())
    }

    /// The largest excess of a coordinate's variance that the theory of the method expects, by the curvature and the
    /// noise that the last batch shows.
    fn measure_excess(
        &self,
        density: &mut dyn BatchDensity,
        kernel: &K,
        position: &[f64],
        chain: &StochasticChain<K::State>,
    ) -> Option<f64> {
        let (n, total) = (density.batch_size(), density.total_size() as f64);
        let step_size = chain.step_sizes.iter().sum::<f64>() / chain.len() as f64;
        kernel.excess_variance(step_size, 1.0, 1.0)?;
        if n < 2 || n.saturating_mul(position.len()) > MEASURABLE {
            return None;
        }
        let mut buffers = [(); 3].map(|()| vec![0.0; position.len()]);
        let [prior, sum, squares] = &mut buffers;
        density.row_moments(position, prior, sum, squares).ok()?;
        let count = n as f64;
        let independent = if density.distinct_rows() { (total - count) / total } else { 1.0 };
        let excesses = sum.iter().zip(&*squares).filter_map(|(sum, squares)| {
            let variance = ((squares - sum * sum / count) / (count - 1.0)).max(0.0);
            let noise = independent * total * total / count * variance;
            kernel.excess_variance(step_size, total * variance, noise)
        });
        excesses.filter(|e| !e.is_nan()).reduce(f64::max)
    }

    fn random(&self, iteration: u64) -> ChainRng {
        ChainRng::new(self.settings.seed, self.chain as u32).at(iteration as u32)
    }
}

/// The density of the bound batch, to find a start by.
struct Bound<'d>(&'d mut dyn BatchDensity);

impl LogDensity for Bound<'_> {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.0.evaluate(x, gradient)
    }
}
