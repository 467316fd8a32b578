//! Constant stochastic gradients: gradient ascent whose batches are noisy just so much that it samples.

use serde::{Deserialize, Serialize};

use super::{StepInfo, StochasticKernel, draw_noise, finite};
use crate::batch::BatchDensity;
use crate::density::DensityError;
use crate::random::ChainRng;
use crate::stochastic::Step;
use crate::stochastic::fisher::{Fisher, FisherEstimate, Form, RowGradients};
use crate::stochastic::symmetric::Factor;

/// CSG: `x += s H G/N`, with G the estimate of the gradient of the log-density, C the running mean of the covariance of
/// the rows' gradients, and H = (2 n/N) C^-1 the preconditioner for which the noise of the batches is that of the
/// posterior. Nothing is injected.
///
/// s is the step size, 1 where the theory holds. With rows drawn independently the variance is 1/(1 - n/N) too large.
/// Valid near a mode only. Until 2 d rows have been seen the full preconditioner is the scalar one,
/// H = 2 n d/(N tr C).
///
/// # Source
/// Mandt, Hoffman and Blei (2017), Stochastic gradient descent as approximate Bayesian inference. JMLR 18(134).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CsgKernel {
    preconditioner: CsgPreconditioner,
    doubled_noise: bool,
    #[serde(skip)]
    gradients: RowGradients,
    #[serde(skip)]
    gradient: Vec<f64>,
    #[serde(skip)]
    noise: Vec<f64>,
    #[serde(skip)]
    move_: Vec<f64>,
    #[serde(skip)]
    factors: Vec<Factor>,
}

/// The form of H.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CsgPreconditioner {
    /// (2 n/N) C^-1.
    #[default]
    Full,
    /// The same, with a block of C for each latent site.
    Sites,
    /// 2 n/(N C_kk).
    Diagonal,
    /// 2 n d/(N tr C), one number.
    Scalar,
}

/// The state of [`CsgKernel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CsgState {
    /// The position, unconstrained.
    pub position: Vec<f64>,
    /// C.
    pub covariance: FisherEstimate,
}

impl CsgKernel {
    /// The form of H: the full matrix unless told otherwise.
    #[must_use]
    pub fn preconditioner(self, preconditioner: CsgPreconditioner) -> Self {
        Self { preconditioner, ..self }
    }

    /// Whether `H chol(C) z/sqrt n` is added, as PyMC3 does: the noise that the batches bring already, a second time.
    #[must_use]
    pub fn doubled_noise(self, doubled_noise: bool) -> Self {
        Self { doubled_noise, ..self }
    }

    /// `move_ = C^-1 (gradient/N + chol(C) noise/sqrt n)`, the noise only if it is doubled.
    fn solve(&mut self, state: &CsgState, n: f64, total: f64) {
        let dim = self.gradient.len();
        for (moved, g) in self.move_.iter_mut().zip(&self.gradient) {
            *moved = g / total;
        }
        let extra = if self.doubled_noise { 1.0 / n.sqrt() } else { 0.0 };
        let trace = state.covariance.trace();
        let scalar = |moved: &mut [f64], noise: &[f64]| {
            let c = trace / dim as f64;
            for (moved, z) in moved.iter_mut().zip(noise) {
                *moved = (*moved + extra * c.sqrt() * z) / c;
            }
        };
        let early = state.covariance.batches() as f64 * (n - 1.0) < 2.0 * dim as f64;
        match &state.covariance.form {
            _ if self.preconditioner == CsgPreconditioner::Scalar => scalar(&mut self.move_, &self.noise),
            Form::Diagonal(diagonal) => {
                for ((moved, z), c) in self.move_.iter_mut().zip(&self.noise).zip(diagonal) {
                    // A coordinate that the data say nothing of stays.
                    *moved = if *c > 0.0 { (*moved + extra * c.sqrt() * z) / c } else { 0.0 };
                }
            }
            Form::Blocks(_) if early => scalar(&mut self.move_, &self.noise),
            Form::Blocks(blocks) => {
                if self.factors.len() != blocks.len() {
                    self.factors = blocks.iter().map(|b| Factor::new(b.information.dim())).collect();
                }
                for (block, factor) in blocks.iter().zip(&mut self.factors) {
                    let range = block.first..block.first + block.information.dim();
                    let moved = &mut self.move_[range.clone()];
                    if factor.factor(&block.information) {
                        factor.add_lower(extra, &self.noise[range], moved);
                        factor.solve(moved);
                    } else {
                        scalar(moved, &self.noise[range]);
                    }
                }
            }
        }
    }
}

impl StochasticKernel for CsgKernel {
    type State = CsgState;
    const NAME: &'static str = "CSG";
    const COUNTS_ON_NOISE: bool = true;

    fn init(&mut self, density: &mut dyn BatchDensity, position: &[f64]) -> Result<CsgState, DensityError> {
        if density.batch_size() < 2 {
            return Err(DensityError::fatal(
                "the covariance of the gradients of rows takes batches of at least 2 rows",
            ));
        }
        let kind = match self.preconditioner {
            CsgPreconditioner::Full => Fisher::Full,
            CsgPreconditioner::Sites => Fisher::Sites,
            CsgPreconditioner::Diagonal | CsgPreconditioner::Scalar => Fisher::Diagonal,
        };
        let covariance = FisherEstimate::new(kind, position.len(), &density.blocks());
        Ok(CsgState { position: position.to_vec(), covariance })
    }

    fn step(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        random: &ChainRng,
        state: &mut CsgState,
    ) -> Result<StepInfo, DensityError> {
        let dim = state.position.len();
        let (n, total) = (density.batch_size() as f64, density.total_size() as f64);
        self.gradient.resize(dim, 0.0);
        self.move_.resize(dim, 0.0);
        let gradient_norm = self.gradients.evaluate(density, &state.position, &state.covariance, &mut self.gradient)?;
        if self.doubled_noise {
            draw_noise(random, step, &mut self.noise, dim);
        } else {
            self.noise.clear();
            self.noise.resize(dim, 0.0);
        }
        state.covariance.update(&self.gradients, 1);
        self.solve(state, n, total);
        let scale = 2.0 * n / total * step.size;
        for (moved, x) in self.move_.iter_mut().zip(&state.position) {
            *moved = scale * *moved + x;
        }
        finite(&self.move_)?;
        std::mem::swap(&mut state.position, &mut self.move_);
        Ok(StepInfo { gradient_norm })
    }

    fn position(state: &CsgState) -> &[f64] {
        &state.position
    }

    fn lengths(state: &CsgState) -> Vec<usize> {
        vec![state.position.len(), state.covariance.dim()]
    }

    fn rows_needed(&self, dim: usize) -> usize {
        match self.preconditioner {
            CsgPreconditioner::Full | CsgPreconditioner::Sites => 2 * dim,
            CsgPreconditioner::Diagonal | CsgPreconditioner::Scalar => 0,
        }
    }
}
