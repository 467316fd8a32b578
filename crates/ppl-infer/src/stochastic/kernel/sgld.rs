//! Stochastic gradient Langevin dynamics: half a step up the gradient, and noise of the step's variance.

use serde::{Deserialize, Serialize};

use super::{GradientKernel, StepInfo, StochasticKernel, finite, gradient_and_noise};
use crate::batch::BatchDensity;
use crate::density::DensityError;
use crate::random::ChainRng;
use crate::stochastic::Step;

/// SGLD: `x += e/2 G + sqrt(e) z`, with G the batch's estimate of the gradient of the log-density and z standard normal.
///
/// With a constant step e the variance of a coordinate with curvature L is (1 + e Q/4) / (L (1 - e L/4)), where Q is
/// the variance of G over batches: too large, by a factor that goes to 1 with e.
///
/// # Source
/// Welling and Teh (2011), Bayesian learning via stochastic gradient Langevin dynamics. ICML.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SgldKernel {
    #[serde(skip)]
    gradient: Vec<f64>,
    #[serde(skip)]
    noise: Vec<f64>,
    #[serde(skip)]
    next: Vec<f64>,
}

/// The state of [`SgldKernel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SgldState {
    /// The position, unconstrained.
    pub position: Vec<f64>,
}

impl SgldKernel {
    /// The update, `next = x + e/2 G + sqrt(e) z`; without z where `exploring`.
    pub fn update(step: &Step, x: &[f64], gradient: &[f64], noise: &[f64], next: &mut [f64]) {
        let half = 0.5 * step.size;
        let root = if step.exploring { 0.0 } else { step.size.sqrt() };
        for (((next, x), g), z) in next.iter_mut().zip(x).zip(gradient).zip(noise) {
            *next = x + half * g + root * z;
        }
    }
}

impl StochasticKernel for SgldKernel {
    type State = SgldState;
    const NAME: &'static str = "SGLD";

    fn init(&mut self, _: &mut dyn BatchDensity, position: &[f64]) -> Result<SgldState, DensityError> {
        Ok(SgldState { position: position.to_vec() })
    }

    fn step(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        random: &ChainRng,
        state: &mut SgldState,
    ) -> Result<StepInfo, DensityError> {
        let (x, Self { gradient, noise, .. }) = (&state.position, &mut *self);
        let gradient_norm = gradient_and_noise(density, x, step, random, gradient, noise)?;
        self.next.resize(state.position.len(), 0.0);
        Self::update(step, &state.position, &self.gradient, &self.noise, &mut self.next);
        finite(&self.next)?;
        std::mem::swap(&mut state.position, &mut self.next);
        Ok(StepInfo { gradient_norm })
    }

    fn position(state: &SgldState) -> &[f64] {
        &state.position
    }

    fn excess_variance(&self, step_size: f64, curvature: f64, noise: f64) -> Option<f64> {
        Some(langevin_excess(step_size, curvature, noise))
    }
}

impl GradientKernel for SgldKernel {}

/// The stationary variance of x' = (1 - e L/2) x + (e/2) s + sqrt(e) z with s of variance Q, times L, less 1.
pub(super) fn langevin_excess(step_size: f64, curvature: f64, noise: f64) -> f64 {
    let slack = 1.0 - 0.25 * step_size * curvature;
    if slack > 0.0 { (1.0 + 0.25 * step_size * noise) / slack - 1.0 } else { f64::INFINITY }
}
