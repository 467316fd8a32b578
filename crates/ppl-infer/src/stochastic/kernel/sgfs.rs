//! Stochastic gradient Fisher scoring: the noise of batches is known, so that any step size is right near a normal
//! posterior.

use ndarray::Array2;
use rand_core::Rng;

use super::{StepInfo, StochasticKernel, finite, in_range, norm};
use crate::batch::BatchDensity;
use crate::density::DensityError;
use crate::random::ChainRng;
use crate::runner::SettingsError;
use crate::stochastic::Step;
use crate::stochastic::fisher::{Fisher, FisherEstimate, Form, RowGradients};
use crate::stochastic::prior_precision::{Looking, PriorCurvature};
use crate::stochastic::symmetric::{Factor, Symmetric};
use ppl_autodiff::random::Purpose;

/// SGFS: `x += 2 A^-1 (grad log prior + N g + e)`, `e ~ N(0, 4 B/e)`, `A = c N I_t + 4 B/e + P`.
///
/// g is the mean of the n gradients of the batch's rows, I_t the running mean of their covariance (an estimate of the
/// Fisher information of one row), P the curvature of the prior, B a preconditioner. Where the posterior is normal with
/// precision N I + P, the chain leaves it as it is if, and only if, c = (N + n)/n: A must be that precision plus the
/// variance of all noise, of which (N/n) N I is from the batches. With rows that are distinct within a batch that is
/// ((N - n)/n) N I, and c = N/n. Large steps e draw from a normal approximation with little correlation, small ones are
/// Langevin dynamics under B^-1.
///
/// # Source
/// Ahn, Korattikara and Welling (2012), Bayesian posterior sampling via stochastic gradient Fisher scoring. ICML; the
/// term P, and c for distinct rows, follow from the same argument.
#[derive(Debug, Clone, PartialEq)]
pub struct SgfsKernel {
    fisher: Fisher,
    gain: Gain,
    preconditioner: Preconditioner,
    prior_precision: bool,
    buffers: Buffers,
}

/// The factor c of the Fisher information in the gain.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Gain {
    /// (N + n)/n, or N/n where the rows of a batch are distinct: right for every step size.
    #[default]
    Exact,
    /// (N + n)/N, as in PyMC3: about N/n times too small, so that the draws are overdispersed by far.
    Pymc3,
    /// Another.
    Factor(f64),
}

impl Gain {
    /// c for batches of n of N rows.
    #[must_use]
    pub fn factor(self, batch_size: usize, total_size: usize, distinct: bool) -> f64 {
        let (n, total) = (batch_size as f64, total_size as f64);
        match self {
            Self::Exact if distinct => total / n,
            Self::Exact => (total + n) / n,
            Self::Pymc3 => (total + n) / total,
            Self::Factor(factor) => factor,
        }
    }
}

/// The matrix B of the injected noise.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Preconditioner {
    /// A multiple of the identity.
    Scaled(f64),
    /// A diagonal matrix.
    Diagonal(Vec<f64>),
    /// A symmetric positive definite matrix; only with [`Fisher::Full`].
    Dense(Array2<f64>),
    /// The identity for the first 50 floor(N/n) iterations, then c I_t, as in PyMC3. On networks, whose information is
    /// near singular, the second explodes where c is right.
    Fisher,
}

/// The state of [`SgfsKernel`].
#[derive(Debug, Clone, PartialEq)]
pub struct SgfsState {
    /// The position, unconstrained.
    pub position: Vec<f64>,
    /// I_t.
    pub fisher: FisherEstimate,
    /// P.
    pub prior: PriorCurvature,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Buffers {
    gradients: RowGradients,
    looking: Looking,
    noise: Vec<f64>,
    /// The right side, then the move, then the next position.
    move_: Vec<f64>,
    /// For each block its A and B, and room for their factors.
    blocks: Vec<[(Symmetric, Factor); 2]>,
}

/// What the matrices of one iteration have in common.
struct Scales {
    /// c N.
    information: f64,
    /// 4/e.
    injected: f64,
    /// c where B = c I_t.
    fisher_as_b: Option<f64>,
}

impl Default for SgfsKernel {
    fn default() -> Self {
        Self {
            fisher: Fisher::Full,
            gain: Gain::Exact,
            preconditioner: Preconditioner::Scaled(1.0),
            prior_precision: true,
            buffers: Buffers::default(),
        }
    }
}

impl SgfsKernel {
    /// PyMC3's choices: [`Gain::Pymc3`], [`Preconditioner::Fisher`], no precision of the prior.
    #[must_use]
    pub fn pymc3() -> Self {
        Self { gain: Gain::Pymc3, preconditioner: Preconditioner::Fisher, prior_precision: false, ..Self::default() }
    }

    /// How much of the Fisher information is kept: all of it unless told otherwise.
    #[must_use]
    pub fn fisher(self, fisher: Fisher) -> Self {
        Self { fisher, ..self }
    }

    /// c.
    #[must_use]
    pub fn gain(self, gain: Gain) -> Self {
        Self { gain, ..self }
    }

    /// B: the identity unless told otherwise.
    #[must_use]
    pub fn preconditioner(self, preconditioner: Preconditioner) -> Self {
        Self { preconditioner, ..self }
    }

    /// Whether P is in the gain: yes unless told otherwise. It is measured every hundred iterations.
    #[must_use]
    pub fn prior_precision(self, prior_precision: bool) -> Self {
        Self { prior_precision, ..self }
    }

    /// The step with z in its buffer.
    fn advance(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        state: &mut SgfsState,
    ) -> Result<StepInfo, DensityError> {
        let Buffers { gradients, move_, .. } = &mut self.buffers;
        gradients.evaluate(density, &state.position, &state.fisher)?;
        move_.resize(state.position.len(), 0.0);
        let all = density.total_size() as f64;
        for ((gradient, prior), mean) in move_.iter_mut().zip(&gradients.prior).zip(&gradients.mean) {
            *gradient = prior + all * mean;
        }
        let gradient_norm = norm(move_)?;
        state.fisher.update(gradients);
        let (n, total) = (density.batch_size(), density.total_size());
        let c = self.gain.factor(n, total, density.distinct_rows());
        let late = step.iteration + 1 > 50 * (total / n.max(1)) as u64;
        let scales = Scales {
            information: c * total as f64,
            injected: 4.0 / step.size,
            fisher_as_b: (late && self.preconditioner == Preconditioner::Fisher).then_some(c),
        };
        // No noise where exploring: z = 0, and the gain as it is.
        if step.exploring {
            self.buffers.noise.fill(0.0);
        }
        match &state.fisher.form {
            Form::Diagonal(information) => self.solve_diagonal(&scales, information, &state.prior)?,
            Form::Blocks(_) => self.solve_blocks(&scales, state)?,
        }
        for (moved, x) in self.buffers.move_.iter_mut().zip(&state.position) {
            *moved = 2.0f64.mul_add(*moved, *x);
        }
        finite(&self.buffers.move_)?;
        std::mem::swap(&mut state.position, &mut self.buffers.move_);
        Ok(StepInfo { gradient_norm })
    }

    /// A step with given noise, for tests.
    #[cfg(test)]
    pub(super) fn advance_with(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        noise: &[f64],
        state: &mut SgfsState,
    ) -> Result<StepInfo, DensityError> {
        self.buffers.noise = noise.to_vec();
        self.advance(density, step, state)
    }

    fn solve_diagonal(
        &mut self,
        scales: &Scales,
        information: &[f64],
        prior: &PriorCurvature,
    ) -> Result<(), DensityError> {
        let Buffers { noise, move_, .. } = &mut self.buffers;
        for (i, ((moved, z), information)) in move_.iter_mut().zip(noise).zip(information).enumerate() {
            let b = scales.injected
                * match (&self.preconditioner, scales.fisher_as_b) {
                    (_, Some(c)) => c * information,
                    (Preconditioner::Scaled(b), _) => *b,
                    (Preconditioner::Diagonal(b), _) => b[i],
                    (Preconditioner::Dense(_) | Preconditioner::Fisher, _) => 1.0,
                };
            let p = if self.prior_precision { prior.get(i) } else { 0.0 };
            *moved = (*moved + b.sqrt() * *z) / (scales.information * information + b + p);
        }
        Ok(())
    }

    fn solve_blocks(&mut self, scales: &Scales, state: &SgfsState) -> Result<(), DensityError> {
        let Form::Blocks(blocks) = &state.fisher.form else { return Ok(()) };
        let Buffers { noise, move_, blocks: matrices, .. } = &mut self.buffers;
        if matrices.len() != blocks.len() {
            let pair = |d| (Symmetric::zeros(d), Factor::new(d));
            let dims = blocks.iter().map(|b| b.information.dim());
            *matrices = dims.map(|d| [pair(d), pair(d)]).collect();
            if let (Preconditioner::Dense(matrix), Some([_, (b, factor)])) =
                (&self.preconditioner, matrices.first_mut())
            {
                *b = Symmetric::from_fn(matrix.nrows(), |i, j| matrix[[i, j]]);
                factor.factor(b).then_some(()).ok_or(DensityError::NotFinite)?;
            }
        }
        for (block, [(a, a_factor), (b, b_factor)]) in blocks.iter().zip(matrices) {
            let range = block.first..block.first + block.information.dim();
            a.set_scaled(scales.information, &block.information);
            let (z, right) = (&mut noise[range.clone()], &mut move_[range.clone()]);
            let root = scales.injected.sqrt();
            match (&self.preconditioner, scales.fisher_as_b) {
                (_, Some(c)) => {
                    b.set_scaled(c, &block.information);
                    b_factor.factor(b).then_some(()).ok_or(DensityError::NotFinite)?;
                    a.add(scales.injected, b);
                    b_factor.add_lower(root, z, right);
                }
                (Preconditioner::Dense(_), _) => {
                    a.add(scales.injected, b);
                    b_factor.add_lower(root, z, right);
                }
                (Preconditioner::Diagonal(values), _) => {
                    let values = &values[range];
                    a.add_diagonal(values.iter().map(|b| scales.injected * b));
                    for ((right, z), b) in right.iter_mut().zip(z).zip(values) {
                        *right += root * b.sqrt() * *z;
                    }
                }
                (Preconditioner::Scaled(_) | Preconditioner::Fisher, _) => {
                    let b = if let Preconditioner::Scaled(b) = self.preconditioner { b } else { 1.0 };
                    a.add_diagonal(std::iter::repeat(scales.injected * b));
                    for (right, z) in right.iter_mut().zip(z) {
                        *right += root * b.sqrt() * *z;
                    }
                }
            }
            if self.prior_precision {
                a.add_diagonal(state.prior.iter().skip(block.first));
            }
            a_factor.factor(a).then_some(()).ok_or(DensityError::NotFinite)?;
            a_factor.solve(right);
        }
        Ok(())
    }
}

impl StochasticKernel for SgfsKernel {
    type State = SgfsState;
    const NAME: &'static str = "SGFS";
    const COUNTS_ON_NOISE: bool = true;

    fn check(&self, dim: usize) -> Result<(), SettingsError> {
        let positive = |b: f64| b > 0.0 && b < f64::INFINITY;
        if let Gain::Factor(c) = self.gain {
            in_range("gain", c, positive(c), "positive and finite")?;
        }
        let setting = "preconditioner";
        let length = |got: usize| {
            if got == dim { Ok(()) } else { Err(SettingsError::Count { setting, got, least: dim, most: dim }) }
        };
        match &self.preconditioner {
            Preconditioner::Fisher => Ok(()),
            Preconditioner::Scaled(b) => in_range(setting, *b, positive(*b), "positive and finite"),
            Preconditioner::Diagonal(values) => {
                length(values.len())?;
                let bad = values.iter().find(|b| !positive(**b));
                bad.map_or(Ok(()), |b| in_range(setting, *b, false, "positive and finite numbers"))
            }
            Preconditioner::Dense(matrix) => {
                length(matrix.nrows())?;
                length(matrix.ncols())?;
                let wanted = "a matrix only with the full Fisher information";
                in_range(setting, dim as f64, self.fisher == Fisher::Full, wanted)?;
                let symmetric =
                    matrix.iter().zip(matrix.t()).all(|(a, b)| (a - b).abs() <= 1e-12 * (a.abs() + b.abs()));
                let fits = symmetric && Factor::new(dim).factor(&Symmetric::from_fn(dim, |i, j| matrix[[i, j]]));
                in_range(setting, dim as f64, fits, "a symmetric positive definite matrix")
            }
        }
    }

    fn init(&mut self, density: &mut dyn BatchDensity, position: &[f64]) -> Result<SgfsState, DensityError> {
        if density.batch_size() < 2 {
            return Err(DensityError::fatal(
                "the covariance of the gradients of rows takes batches of at least 2 rows",
            ));
        }
        let dim = position.len();
        let fisher = FisherEstimate::new(self.fisher, dim, &density.blocks());
        Ok(SgfsState { position: position.to_vec(), fisher, prior: PriorCurvature::new(dim) })
    }

    fn step(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        random: &ChainRng,
        state: &mut SgfsState,
    ) -> Result<StepInfo, DensityError> {
        let mut stream = random.stream(Purpose::StochasticGradient);
        self.buffers.noise.resize(state.position.len(), 0.0);
        stream.fill_standard_normal(&mut self.buffers.noise);
        if self.prior_precision && PriorCurvature::is_due(step.iteration) {
            let sign = || stream.next_u32() & 1 == 0;
            state.prior.look(density, &state.position, sign, &mut self.buffers.looking)?;
        }
        self.advance(density, step, state)
    }

    fn position(state: &SgfsState) -> &[f64] {
        &state.position
    }

    fn rows_needed(&self, dim: usize) -> usize {
        if self.fisher == Fisher::Diagonal { 0 } else { 2 * dim }
    }
}
