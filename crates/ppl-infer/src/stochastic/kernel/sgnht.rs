//! The stochastic gradient Nose-Hoover thermostat: friction that learns how much noise there is.

use serde::{Deserialize, Serialize};

use super::{GradientKernel, StepInfo, StochasticKernel, Thermostat, finite, gradient_and_noise, in_range};
use crate::batch::BatchDensity;
use crate::density::DensityError;
use crate::random::ChainRng;
use crate::runner::SettingsError;
use crate::stochastic::Step;

/// SGNHT: `m = m - f m h + h G + sqrt(2 A h) z`, `x += h m`, `f += (m.m/d - 1) h`: the friction f rises while the
/// momenta are hotter than a standard normal, and so takes up the noise of batches, whatever its size.
///
/// For the first two units of time, 2/h iterations, the friction is A + 10, with noise to match. A far start would heat
/// the friction to sqrt(2 U/d), with U the energy that it has to lose, and from there it comes down by no more than h an
/// iteration, while the momenta are cold and the draws too close together.
///
/// # Source
/// Ding, Fang, Babbush, Chen, Skeel and Neven (2014), Bayesian sampling using stochastic gradient thermostats. NeurIPS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SgnhtKernel {
    diffusion: f64,
    #[serde(skip)]
    gradient: Vec<f64>,
    #[serde(skip)]
    noise: Vec<f64>,
    #[serde(skip)]
    next: SgnhtState,
}

/// The state of [`SgnhtKernel`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SgnhtState {
    /// The position, unconstrained.
    pub position: Vec<f64>,
    /// The momentum.
    pub momentum: Vec<f64>,
    /// The friction f.
    pub friction: f64,
    /// The sum of the step sizes so far.
    pub time: f64,
}

/// How long the energy of a far start is let off.
const DAMPED: f64 = 2.0;
/// The friction meanwhile, more than A, unless a step would turn momenta round.
const DAMPING: f64 = 10.0;

impl Default for SgnhtKernel {
    fn default() -> Self {
        let [gradient, noise] = Default::default();
        Self { diffusion: 1.0, gradient, noise, next: SgnhtState::default() }
    }
}

impl SgnhtKernel {
    /// A, positive: 1 unless told otherwise. The friction begins with it.
    #[must_use]
    pub fn diffusion(self, diffusion: f64) -> Self {
        Self { diffusion, ..self }
    }

    /// The update of one coordinate under friction f, giving position and momentum; `noise` is 0 where exploring.
    #[must_use]
    pub fn update(&self, h: f64, friction: f64, from: [f64; 2], gradient: f64, noise: f64) -> [f64; 2] {
        moved(h, friction, self.diffusion, from, gradient, noise)
    }
}

fn moved(h: f64, friction: f64, diffusion: f64, [x, m]: [f64; 2], gradient: f64, noise: f64) -> [f64; 2] {
    let m = m - friction * m * h + h * gradient + (2.0 * diffusion * h).sqrt() * noise;
    [x + h * m, m]
}

impl StochasticKernel for SgnhtKernel {
    type State = SgnhtState;
    const NAME: &'static str = "SGNHT";

    fn check(&self, _: usize) -> Result<(), SettingsError> {
        let a = self.diffusion;
        in_range("diffusion", a, a > 0.0 && a < f64::INFINITY, "positive and finite")
    }

    fn init(&mut self, _: &mut dyn BatchDensity, position: &[f64]) -> Result<SgnhtState, DensityError> {
        let momentum = vec![0.0; position.len()];
        Ok(SgnhtState { position: position.to_vec(), momentum, friction: self.diffusion, time: 0.0 })
    }

    fn step(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        random: &ChainRng,
        state: &mut SgnhtState,
    ) -> Result<StepInfo, DensityError> {
        let (x, Self { gradient, noise, .. }) = (&state.position, &mut *self);
        let gradient_norm = gradient_and_noise(density, x, step, random, gradient, noise)?;
        let dim = state.position.len();
        self.next.position.resize(dim, 0.0);
        self.next.momentum.resize(dim, 0.0);
        let damped = state.time < DAMPED;
        let [friction, diffusion] =
            if damped { [self.diffusion + DAMPING.min(0.5 / step.size); 2] } else { [state.friction, self.diffusion] };
        let mut heat = 0.0;
        for i in 0..dim {
            let from = [state.position[i], state.momentum[i]];
            let [x, m] = moved(step.size, friction, diffusion, from, self.gradient[i], self.noise[i]);
            (self.next.position[i], self.next.momentum[i]) = (x, m);
            heat += m * m;
        }
        let heated = if damped { 0.0 } else { (heat / dim as f64 - 1.0) * step.size };
        (self.next.friction, self.next.time) = (state.friction + heated, state.time + step.size);
        finite(&self.next.position)?;
        if !self.next.friction.is_finite() {
            return Err(DensityError::NotFinite);
        }
        std::mem::swap(state, &mut self.next);
        Ok(StepInfo { gradient_norm })
    }

    fn position(state: &SgnhtState) -> &[f64] {
        &state.position
    }

    fn thermostat(state: &SgnhtState) -> Option<Thermostat> {
        Some(Thermostat { friction: state.friction, time: state.time.max(DAMPED) })
    }

    fn lengths(state: &SgnhtState) -> Vec<usize> {
        vec![state.position.len(), state.momentum.len()]
    }
}

impl GradientKernel for SgnhtKernel {}
