//! Stochastic gradient Fisher scoring: the noise of batches is known, so that any step size is right near a normal
//! posterior.

use rand_core::Rng;
use serde::{Deserialize, Serialize};

use super::gain::{Gain, Preconditioner};
use super::gains::{Gains, MadeOf};
use super::{PART, StepInfo, StochasticKernel, draw_noise, finite, lane_sum, noise_of, norm, vector};
use crate::batch::BatchDensity;
use crate::density::DensityError;
use crate::random::ChainRng;
use crate::runner::SettingsError;
use crate::stochastic::Step;
use crate::stochastic::fisher::{Fisher, FisherEstimate, Form, RowGradients};
use crate::stochastic::prior_precision::{Looking, PriorCurvature};
use ppl_autodiff::random::{Noise, Purpose, splitmix64};

/// SGFS: `x += 2 A^-1 (grad log prior + N g + e)`, `e ~ N(0, 4 B/e)`, `A = c N I_t + 4 B/e + P`.
///
/// g is the mean of the n gradients of the batch's rows, I_t the running mean of their covariance (an estimate of the
/// Fisher information of one row), P the curvature of the prior, B a preconditioner. Where the posterior is normal with
/// precision N I + P, the chain leaves it as it is if, and only if, c = (N + n)/n: A must be that precision plus the
/// variance of all noise, of which (N/n) N I is from the batches. With rows that are distinct within a batch that is
/// ((N - n)/n) N I, and c = N/n. Large steps e draw from a normal approximation with little correlation, small ones are
/// Langevin dynamics under B^-1. Until 2 d rows have been seen the diagonal of I_t counts twice.
///
/// Once it rests on rows enough I_t takes in one batch of four, or of twenty where it is diagonal: see
/// [`SgfsKernel::fisher_every`]. From the hundredth batch on a full I_t, and with it the factor of A, is renewed whenever it
/// can take in one per cent of its batches at once: see [`FisherEstimate`].
///
/// # Source
/// Ahn, Korattikara and Welling (2012), Bayesian posterior sampling via stochastic gradient Fisher scoring. ICML; the
/// term P, and c for distinct rows, follow from the same argument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SgfsKernel {
    fisher: Fisher,
    gain: Gain,
    preconditioner: Preconditioner,
    prior_precision: bool,
    fisher_every: Option<u64>,
    #[serde(skip)]
    buffers: Buffers,
}

/// The state of [`SgfsKernel`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SgfsState {
    /// The position, unconstrained.
    pub position: Vec<f64>,
    /// I_t.
    pub fisher: FisherEstimate,
    /// P.
    pub prior: PriorCurvature,
    #[serde(skip)]
    gains: Gains,
}

impl SgfsState {
    pub(super) fn new(position: Vec<f64>, fisher: FisherEstimate) -> Self {
        let prior = PriorCurvature::new(position.len());
        Self { position, fisher, prior, gains: Gains::default() }
    }
}

/// Batches that a diagonal I_t must rest on before any may be left out.
const ENOUGH: u64 = 20;
/// As [`ENOUGH`], with blocks, in rows a coordinate: I_t is then off by a fifth in the direction where it is farthest off.
const ENOUGH_ROWS: u64 = 100;

#[derive(Debug, Clone, Default, PartialEq)]
struct Buffers {
    gradients: RowGradients,
    looking: Looking,
    noise: Vec<f64>,
    /// The right side, then the move, then the next position.
    move_: Vec<f64>,
}

impl Default for SgfsKernel {
    fn default() -> Self {
        Self {
            fisher: Fisher::Full,
            gain: Gain::Exact,
            preconditioner: Preconditioner::Scaled(1.0),
            prior_precision: true,
            fisher_every: None,
            buffers: Buffers::default(),
        }
    }
}

impl SgfsKernel {
    /// PyMC3's choices: [`Gain::Pymc3`], [`Preconditioner::Fisher`], no precision of the prior, every batch in I_t.
    #[must_use]
    pub fn pymc3() -> Self {
        Self {
            gain: Gain::Pymc3,
            preconditioner: Preconditioner::Fisher,
            prior_precision: false,
            fisher_every: Some(1),
            ..Self::default()
        }
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

    /// Takes one batch of every `every` into I_t once it rests on 20 batches, or with blocks on 100 rows for each coordinate;
    /// the others cost a gradient and nothing of rows. Which one of its turn is left to chance, so that batches that recur
    /// are all seen. Unless told otherwise one of twenty with the diagonal, one of four with blocks: a mean over batches need
    /// not have them all, and one batch with the gradients of its rows and their products takes as long as two or three without.
    #[must_use]
    pub fn fisher_every(self, every: u64) -> Self {
        Self { fisher_every: Some(every), ..self }
    }

    /// How many batches this iteration's stands for in I_t; none where it is left out.
    fn stands_for(&self, iteration: u64, batch_size: usize, fisher: &FisherEstimate) -> Option<u64> {
        let (every, enough) = match &fisher.form {
            Form::Diagonal(_) => (20, ENOUGH),
            Form::Blocks(blocks) => {
                let largest = blocks.iter().map(|b| b.information.dim()).max().unwrap_or(0);
                (4, (ENOUGH_ROWS * largest as u64).div_ceil(batch_size as u64))
            }
        };
        let every = self.fisher_every.unwrap_or(every).max(1);
        if fisher.batches() < enough {
            return Some(1);
        }
        let turn = iteration / every;
        (iteration % every == splitmix64(turn) % every).then_some(every)
    }

    /// The step with z in its buffer, or to be drawn from a stream.
    fn advance(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        stream: Option<Noise>,
        state: &mut SgfsState,
    ) -> Result<StepInfo, DensityError> {
        let (n, total) = (density.batch_size(), density.total_size());
        let stands_for = self.stands_for(step.iteration, n, &state.fisher);
        let Buffers { gradients, move_, .. } = &mut self.buffers;
        move_.resize(state.position.len(), 0.0);
        match stands_for {
            Some(batches) => {
                gradients.evaluate(density, &state.position, &state.fisher, move_)?;
                state.fisher.update(gradients, batches);
            }
            None => density.gradient(&state.position, move_)?,
        }
        let c = self.gain.factor(n, total, density.distinct_rows());
        let late = step.iteration + 1 > 50 * (total / n.max(1)) as u64;
        let made_of = MadeOf {
            information: c * total as f64,
            injected: 4.0 / step.size,
            early: self.gain != Gain::Pymc3 && state.fisher.batches() as usize * (n - 1) < 2 * state.position.len(),
            fisher_as_b: (late && self.preconditioner == Preconditioner::Fisher).then_some(c),
            with_prior: f64::from(u8::from(self.prior_precision)),
            batches: state.fisher.in_mean,
            looks: state.prior.looks(),
        };
        let gradient_norm = match state.fisher.form {
            Form::Diagonal(_) => self.move_diagonal(made_of, stream, state)?,
            Form::Blocks(_) => self.move_blocks(made_of, state)?,
        };
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
        self.advance(density, step, None, state)
    }

    /// From the right side to the next position in one pass, with noise from a stream or, where there is none, that of
    /// the buffer; returns the length of the gradient.
    fn move_diagonal(
        &mut self,
        made_of: MadeOf,
        mut stream: Option<Noise>,
        state: &mut SgfsState,
    ) -> Result<f64, DensityError> {
        let SgfsState { position, fisher, prior, gains } = state;
        let Form::Diagonal(information) = &fisher.form else { return Err(DensityError::NotFinite) };
        let Buffers { noise, move_, .. } = &mut self.buffers;
        let (gains, stale) = gains.diagonal(made_of, position.len());
        let MadeOf { information: scale, injected, with_prior, .. } = made_of;
        let mut squares = 0.0;
        let parts = move_.chunks_mut(PART).zip(gains.chunks_mut(PART)).zip(position.chunks(PART));
        for (part, ((moved, gains), x)) in parts.enumerate() {
            let range = part * PART..part * PART + moved.len();
            let information = &information[range.clone()];
            // B, or its part.
            let by_coordinate = match &self.preconditioner {
                _ if let Some(c) = made_of.fisher_as_b => Some((c, information)),
                Preconditioner::Diagonal(values) => Some((1.0, &values[range.clone()])),
                _ => None,
            };
            let Some((c, values)) = by_coordinate else {
                let constant = injected * self.preconditioner.scale();
                if stale {
                    vector::diagonal_gains(scale, information, constant, with_prior, prior.part(range.clone()), gains);
                }
                let root = constant.sqrt();
                let [square, zero] = match &mut stream {
                    Some(stream) => vector::noisy_move(root, stream, gains, x, moved),
                    None => vector::diagonal_move(root, &noise[range.clone()], gains, x, moved),
                };
                squares += square;
                (zero == 0.0).then_some(()).ok_or(DensityError::NotFinite)?;
                continue;
            };
            let z = match &mut stream {
                Some(stream) => {
                    stream.fill_standard_normal(&mut noise[..range.len()]);
                    &noise[..range.len()]
                }
                None => &noise[range.clone()],
            };
            squares += lane_sum(moved, |g| g * g);
            if stale {
                let terms = gains.iter_mut().zip(information).zip(prior.part(range)).zip(values);
                for (((gain, information), p), b) in terms {
                    *gain = 2.0 / (scale * information + injected * c * b + with_prior * p.max(0.0));
                }
            }
            for ((((moved, z), gain), x), b) in moved.iter_mut().zip(z).zip(&*gains).zip(x).zip(values) {
                *moved = x + gain * (*moved + (injected * c * b).sqrt() * z);
            }
            finite(moved)?;
        }
        let length = squares.sqrt();
        if length.is_finite() { Ok(length) } else { Err(DensityError::NotFinite) }
    }

    /// As [`Self::move_diagonal`], by the factors of the blocks.
    fn move_blocks(&mut self, made_of: MadeOf, state: &mut SgfsState) -> Result<f64, DensityError> {
        let SgfsState { position, fisher, prior, gains } = state;
        let Form::Blocks(blocks) = &fisher.form else { return Err(DensityError::NotFinite) };
        let Buffers { noise, move_, .. } = &mut self.buffers;
        let gradient_norm = norm(move_)?;
        gains.renew_blocks(made_of, &self.preconditioner, blocks, prior)?;
        gains.move_blocks(&self.preconditioner, blocks, noise, move_);
        move_.iter_mut().zip(position).for_each(|(moved, x)| *moved = 2.0 * *moved + *x);
        finite(move_)?;
        Ok(gradient_norm)
    }
}

impl StochasticKernel for SgfsKernel {
    type State = SgfsState;
    const NAME: &'static str = "SGFS";
    const COUNTS_ON_NOISE: bool = true;

    fn check(&self, dim: usize) -> Result<(), SettingsError> {
        if self.fisher_every == Some(0) {
            return Err(SettingsError::Count { setting: "fisher_every", got: 0, least: 1, most: usize::MAX });
        }
        self.gain.check()?;
        self.preconditioner.check(dim, self.fisher)
    }

    fn init(&mut self, density: &mut dyn BatchDensity, position: &[f64]) -> Result<SgfsState, DensityError> {
        if density.batch_size() < 2 {
            return Err(DensityError::fatal(
                "the covariance of the gradients of rows takes batches of at least 2 rows",
            ));
        }
        let dim = position.len();
        let fisher = FisherEstimate::new(self.fisher, dim, &density.blocks());
        Ok(SgfsState::new(position.to_vec(), fisher))
    }

    fn step(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        random: &ChainRng,
        state: &mut SgfsState,
    ) -> Result<StepInfo, DensityError> {
        // Where the step explores there is no noise, and the gain is as it is.
        let (noise, dim) = (&mut self.buffers.noise, state.position.len());
        let in_parts = matches!(state.fisher.form, Form::Diagonal(_)) && !step.exploring;
        if in_parts {
            noise.resize(PART.min(dim), 0.0);
        } else {
            draw_noise(random, step, noise, dim);
        }
        if self.prior_precision && PriorCurvature::is_due(step.iteration) {
            let mut stream = random.stream(Purpose::Curvature);
            let sign = || stream.next_u32() & 1 == 0;
            state.prior.look(density, &state.position, sign, &mut self.buffers.looking)?;
        }
        let stream = in_parts.then(|| noise_of(random));
        self.advance(density, step, stream, state)
    }

    fn position(state: &SgfsState) -> &[f64] {
        &state.position
    }

    fn lengths(state: &SgfsState) -> Vec<usize> {
        vec![state.position.len(), state.fisher.dim(), state.prior.iter().count()]
    }

    fn rows_needed(&self, dim: usize) -> usize {
        if self.fisher == Fisher::Diagonal { 0 } else { 2 * dim }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every batch until there are rows enough, then one of each turn, at places that differ.
    #[test]
    fn one_batch_of_a_turn_is_taken() {
        for (kernel, every, enough) in [
            (SgfsKernel::default(), 4, 60),
            (SgfsKernel::default().fisher(Fisher::Diagonal), 20, 20),
            (SgfsKernel::default().fisher_every(3), 3, 60),
        ] {
            let mut fisher = FisherEstimate::new(kernel.fisher, 30, &[30]);
            for batches in [0, enough - 1] {
                fisher.batches = batches;
                assert!((0..every).all(|iteration| kernel.stands_for(iteration, 50, &fisher) == Some(1)));
            }
            fisher.batches = enough;
            let mut places = vec![0; every as usize];
            for turn in 0..1000 {
                let taken = (0..every).filter_map(|i| Some((i, kernel.stands_for(turn * every + i, 50, &fisher)?)));
                let [(place, stands_for)] = taken.collect::<Vec<_>>()[..] else { panic!("not one of turn {turn}") };
                assert_eq!(stands_for, every);
                places[place as usize] += 1;
            }
            // 1000/k on average, with five standard deviations.
            let mean = 1000.0 / every as f64;
            assert!(places.iter().all(|&n| (f64::from(n) - mean).abs() < 5.0 * mean.sqrt()), "{places:?}");
        }
        let pymc3 = SgfsKernel::pymc3();
        let mut fisher = FisherEstimate::new(Fisher::Full, 30, &[30]);
        fisher.batches = 1000;
        assert!((0..10).all(|iteration| pymc3.stands_for(iteration, 50, &fisher) == Some(1)));
    }
}
