//! Stochastic gradient Hamiltonian Monte Carlo: momentum with friction, and noise that makes up for it.

use serde::{Deserialize, Serialize};

use super::{GradientKernel, StepInfo, StochasticKernel, finite, gradient_and_noise, in_range};
use crate::batch::BatchDensity;
use crate::density::DensityError;
use crate::random::ChainRng;
use crate::runner::SettingsError;
use crate::stochastic::Step;

/// SGHMC: `m = (1 - a) m + e G + sqrt(2 (a - b) e) z`, `x += m`, with friction a and an estimate b of what the noise of
/// batches contributes.
///
/// The step size e is a squared time: of the order of 0.1/N. With curvature L and gradient noise of variance Q the
/// stationary variance is (1/L) (2 - a) (1 - b/a + e Q/(2 a)) / (2 - a - e L/2).
///
/// # Source
/// Chen, Fox and Guestrin (2014), Stochastic gradient Hamiltonian Monte Carlo. ICML, equation 15.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SghmcKernel {
    friction: f64,
    noise_estimate: f64,
    #[serde(skip)]
    gradient: Vec<f64>,
    #[serde(skip)]
    noise: Vec<f64>,
    #[serde(skip)]
    next: SghmcState,
}

/// The state of [`SghmcKernel`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SghmcState {
    /// The position, unconstrained.
    pub position: Vec<f64>,
    /// The momentum, which is also the last move.
    pub momentum: Vec<f64>,
}

impl Default for SghmcKernel {
    fn default() -> Self {
        let [gradient, noise] = Default::default();
        Self { friction: 0.1, noise_estimate: 0.0, gradient, noise, next: SghmcState::default() }
    }
}

impl SghmcKernel {
    /// a, in (0, 1): 0.1 unless told otherwise.
    #[must_use]
    pub fn friction(self, friction: f64) -> Self {
        Self { friction, ..self }
    }

    /// b, at least 0 and at most a: 0 unless told otherwise; e Q/2 where Q is known.
    #[must_use]
    pub fn noise_estimate(self, noise_estimate: f64) -> Self {
        Self { noise_estimate, ..self }
    }

    /// The update of one coordinate, giving position and momentum; `noise` is 0 where exploring.
    #[must_use]
    pub fn update(&self, step_size: f64, [x, m]: [f64; 2], gradient: f64, noise: f64) -> [f64; 2] {
        let injected = (2.0 * (self.friction - self.noise_estimate) * step_size).sqrt();
        let m = (1.0 - self.friction) * m + step_size * gradient + injected * noise;
        [x + m, m]
    }
}

impl StochasticKernel for SghmcKernel {
    type State = SghmcState;
    const NAME: &'static str = "SGHMC";

    fn check(&self, _: usize) -> Result<(), SettingsError> {
        let (a, b) = (self.friction, self.noise_estimate);
        in_range("friction", a, a > 0.0 && a < 1.0, "more than 0 and less than 1")?;
        in_range("noise_estimate", b, (0.0..=a).contains(&b), "at least 0 and at most the friction")
    }

    fn init(&mut self, _: &mut dyn BatchDensity, position: &[f64]) -> Result<SghmcState, DensityError> {
        Ok(SghmcState { position: position.to_vec(), momentum: vec![0.0; position.len()] })
    }

    fn step(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        random: &ChainRng,
        state: &mut SghmcState,
    ) -> Result<StepInfo, DensityError> {
        let (x, Self { gradient, noise, .. }) = (&state.position, &mut *self);
        let gradient_norm = gradient_and_noise(density, x, step, random, gradient, noise)?;
        let dim = state.position.len();
        self.next.position.resize(dim, 0.0);
        self.next.momentum.resize(dim, 0.0);
        for i in 0..dim {
            let from = [state.position[i], state.momentum[i]];
            let [x, m] = self.update(step.size, from, self.gradient[i], self.noise[i]);
            (self.next.position[i], self.next.momentum[i]) = (x, m);
        }
        finite(&self.next.position)?;
        std::mem::swap(state, &mut self.next);
        Ok(StepInfo { gradient_norm })
    }

    fn position(state: &SghmcState) -> &[f64] {
        &state.position
    }

    fn lengths(state: &SghmcState) -> Vec<usize> {
        vec![state.position.len(), state.momentum.len()]
    }

    fn excess_variance(&self, step_size: f64, curvature: f64, noise: f64) -> Option<f64> {
        let (a, e) = (self.friction, step_size);
        let slack = 2.0 - a - 0.5 * e * curvature;
        let heat = 1.0 + (0.5 * e * noise - self.noise_estimate) / a;
        Some(if slack > 0.0 { (2.0 - a) * heat / slack - 1.0 } else { f64::INFINITY })
    }
}

impl GradientKernel for SghmcKernel {}
