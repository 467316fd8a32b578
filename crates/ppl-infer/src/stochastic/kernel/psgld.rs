//! SGLD preconditioned by a running mean of squared gradients, as RMSprop's.

use serde::{Deserialize, Serialize};

use super::{GradientKernel, StepInfo, StochasticKernel, draw_noise, finite, in_range, norm};
use crate::batch::BatchDensity;
use crate::density::DensityError;
use crate::random::ChainRng;
use crate::runner::SettingsError;
use crate::stochastic::Step;

/// Preconditioned SGLD: `v = a v + (1 - a) g^2`, `P = 1/(l + sqrt v)`, `x += e/2 P G + sqrt(e P) z`, with g the mean
/// over the batch of the gradients of the rows' log-likelihoods and G the estimate of the whole gradient.
///
/// The term of the changes of P (the divergence of P, often called Gamma) is left out, as is usual: its share vanishes
/// as the decay a comes near 1, but for finite a and e the draws are biased.
///
/// # Source
/// Li, Chen, Carlson and Carin (2016), Preconditioned stochastic gradient Langevin dynamics. AAAI.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PsgldKernel {
    decay: f64,
    stabiliser: f64,
    #[serde(skip)]
    gradient: Vec<f64>,
    #[serde(skip)]
    prior: Vec<f64>,
    #[serde(skip)]
    noise: Vec<f64>,
    #[serde(skip)]
    next: Vec<f64>,
}

/// The state of [`PsgldKernel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PsgldState {
    /// The position, unconstrained.
    pub position: Vec<f64>,
    /// v, the running means of squared mean gradients.
    pub squares: Vec<f64>,
}

impl Default for PsgldKernel {
    fn default() -> Self {
        let [gradient, prior, noise, next] = Default::default();
        Self { decay: 0.99, stabiliser: 1e-5, gradient, prior, noise, next }
    }
}

impl PsgldKernel {
    /// a, in [0, 1): 0.99 unless told otherwise.
    #[must_use]
    pub fn decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }

    /// l, more than 0: 1e-5 unless told otherwise.
    #[must_use]
    pub fn stabiliser(self, stabiliser: f64) -> Self {
        Self { stabiliser, ..self }
    }

    /// v after one more mean gradient g of rows.
    #[must_use]
    pub fn mean_square(&self, v: f64, g: f64) -> f64 {
        self.decay * v + (1.0 - self.decay) * g * g
    }

    /// The update of one coordinate by G, with v after this gradient; `root_step` is sqrt(e), or 0 without noise.
    #[must_use]
    pub fn update(&self, step_size: f64, root_step: f64, x: f64, v: f64, gradient: f64, noise: f64) -> f64 {
        let p = 1.0 / (self.stabiliser + v.sqrt());
        x + 0.5 * step_size * p * gradient + root_step * p.sqrt() * noise
    }
}

impl StochasticKernel for PsgldKernel {
    type State = PsgldState;
    const NAME: &'static str = "pSGLD";

    fn check(&self, _: usize) -> Result<(), SettingsError> {
        let (a, l) = (self.decay, self.stabiliser);
        in_range("decay", a, (0.0..1.0).contains(&a), "at least 0 and less than 1")?;
        in_range("stabiliser", l, l > 0.0 && l < f64::INFINITY, "positive and finite")
    }

    /// The squares begin with those of the first gradient: from zeros the first steps would be of the size of 1/l.
    fn init(&mut self, density: &mut dyn BatchDensity, position: &[f64]) -> Result<PsgldState, DensityError> {
        self.mean_gradient(density, position)?;
        let squares = self.gradient.iter().zip(&self.prior).map(|(g, p)| self.of_rows(density, *g, *p).powi(2));
        Ok(PsgldState { position: position.to_vec(), squares: squares.collect() })
    }

    fn step(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        random: &ChainRng,
        state: &mut PsgldState,
    ) -> Result<StepInfo, DensityError> {
        let dim = state.position.len();
        self.mean_gradient(density, &state.position)?;
        let gradient_norm = norm(&self.gradient)?;
        norm(&self.prior)?;
        draw_noise(random, step, &mut self.noise, dim);
        self.next.resize(dim, 0.0);
        let root = if step.exploring { 0.0 } else { step.size.sqrt() };
        for i in 0..dim {
            let v = self.mean_square(state.squares[i], self.of_rows(density, self.gradient[i], self.prior[i]));
            self.next[i] = self.update(step.size, root, state.position[i], v, self.gradient[i], self.noise[i]);
        }
        finite(&self.next)?;
        for i in 0..dim {
            state.squares[i] =
                self.mean_square(state.squares[i], self.of_rows(density, self.gradient[i], self.prior[i]));
        }
        std::mem::swap(&mut state.position, &mut self.next);
        Ok(StepInfo { gradient_norm })
    }

    fn position(state: &PsgldState) -> &[f64] {
        &state.position
    }

    fn lengths(state: &PsgldState) -> Vec<usize> {
        vec![state.position.len(), state.squares.len()]
    }
}

impl GradientKernel for PsgldKernel {}

impl PsgldKernel {
    /// G into `gradient`, its part from the prior into `prior`.
    fn mean_gradient(&mut self, density: &mut dyn BatchDensity, x: &[f64]) -> Result<(), DensityError> {
        self.gradient.resize(x.len(), 0.0);
        self.prior.resize(x.len(), 0.0);
        density.gradient(x, &mut self.gradient)?;
        density.prior_gradient(x, &mut self.prior)
    }

    /// The mean gradient of rows, (G - prior)/N.
    fn of_rows(&self, density: &dyn BatchDensity, gradient: f64, prior: f64) -> f64 {
        (gradient - prior) / density.total_size() as f64
    }
}
