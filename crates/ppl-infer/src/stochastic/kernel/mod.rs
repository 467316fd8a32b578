//! Transitions of stochastic gradient samplers: the contract, and one file for each algorithm.

mod csg;
mod gain;
mod gains;
mod psgld;
mod sgfs;
mod sghmc;
mod sgld;
mod sgnht;
pub(crate) mod vector;
#[cfg(test)]
mod worked;

pub use csg::{CsgKernel, CsgPreconditioner, CsgState};
pub use gain::{Gain, Preconditioner};
pub use psgld::{PsgldKernel, PsgldState};
pub use sgfs::{SgfsKernel, SgfsState};
pub use sghmc::{SghmcKernel, SghmcState};
pub use sgld::{SgldKernel, SgldState};
pub use sgnht::{SgnhtKernel, SgnhtState};

use std::fmt::Debug;

use ppl_autodiff::random::{Noise, Purpose};

use super::schedule::Step;
use crate::batch::BatchDensity;
use crate::density::DensityError;
use crate::random::ChainRng;
use crate::runner::SettingsError;

/// One transition of a chain that sees a batch of rows at a time. Implement it to add a sampler.
///
/// Everything that the next step needs is in the state, so that a run can be resumed from it with the same bits; the
/// kernel holds the user's choices and buffers that mean nothing between steps. Each chain has a kernel of its own.
pub trait StochasticKernel: Clone + Send + Sync {
    /// What the next step needs.
    type State: Clone + Debug + Send + Sync;
    /// The name that draws carry.
    const NAME: &'static str;
    /// Whether the theory of the method counts on noise of batches that is independent from one to the next. Then the
    /// runner asks for rows that are drawn independently (where data are in memory it gets them): over an epoch in which
    /// every row occurs once the noise of batches cancels.
    const COUNTS_ON_NOISE: bool = false;

    /// Whether the choices fit a target of `dim` coordinates.
    ///
    /// # Errors
    /// The first that does not.
    fn check(&self, dim: usize) -> Result<(), SettingsError> {
        let _ = dim;
        Ok(())
    }

    /// The state at a starting point. A batch is bound.
    ///
    /// # Errors
    /// What the density returns.
    fn init(&mut self, density: &mut dyn BatchDensity, position: &[f64]) -> Result<Self::State, DensityError>;

    /// Moves the state once, by the batch that is bound.
    ///
    /// # Errors
    /// [`DensityError::NotFinite`] where the gradient, or the point that it leads to, is not finite, with the state as
    /// it was: the runner goes on with the next batch. Anything else ends the chain.
    fn step(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        random: &ChainRng,
        state: &mut Self::State,
    ) -> Result<StepInfo, DensityError>;

    /// The position of a state, unconstrained.
    fn position(state: &Self::State) -> &[f64];

    /// The lengths of what a state has one number of for each coordinate: a state that was saved elsewhere must fit.
    fn lengths(state: &Self::State) -> Vec<usize> {
        vec![Self::position(state).len()]
    }

    /// What theory says of the excess of the stationary variance of a coordinate over the posterior's, relative to it,
    /// where the posterior is about normal with this curvature (negative second derivative) and the gradient's variance
    /// over batches is `noise`. None where the method has no such theory, or no excess.
    fn excess_variance(&self, step_size: f64, curvature: f64, noise: f64) -> Option<f64> {
        let _ = (step_size, curvature, noise);
        None
    }

    /// Where the thermostat of a method stands that has one: from two states follows how hot the momenta were between them.
    fn thermostat(state: &Self::State) -> Option<Thermostat> {
        let _ = state;
        None
    }

    /// The number of rows that must have been seen before the first draw for the method to know all directions; 0 for
    /// methods that do not estimate covariances.
    fn rows_needed(&self, dim: usize) -> usize {
        let _ = dim;
        0
    }
}

/// What a person reads of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepInfo {
    /// The Euclidean length of the estimated gradient of the log-density.
    pub gradient_norm: f64,
}

/// A friction that changes at the rate at which the mean square of the momenta exceeds 1, as it is where they are the
/// posterior's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thermostat {
    /// The friction.
    pub friction: f64,
    /// How long it has changed.
    pub time: f64,
}

impl Thermostat {
    /// The mean square of the momenta since an earlier time, and its standard error by chance in so many dimensions, where
    /// the friction varies with variance 1/d. None where no time has passed.
    pub(crate) fn temperature_since(self, from: Self, dim: usize) -> Option<(f64, f64)> {
        let time = self.time - from.time;
        (time > 0.0).then(|| (1.0 + (self.friction - from.friction) / time, (2.0 / dim as f64).sqrt() / time))
    }
}

/// Methods that take nothing of a batch but the estimate of the gradient: those that control variates make better.
pub trait GradientKernel: StochasticKernel {}

/// Coordinates that are worked on at a time where there are many, so that they stay in the first-level cache: whole widths
/// of noise, which is drawn in parts.
pub(crate) const PART: usize = 64 * Noise::WIDTH;

/// The noise of one iteration.
pub(crate) fn noise_of(random: &ChainRng) -> Noise {
    Noise::new(&mut random.stream(Purpose::StochasticGradient))
}

/// Draws the noise of one iteration; none where it explores.
pub(crate) fn draw_noise(random: &ChainRng, step: &Step, noise: &mut Vec<f64>, dim: usize) {
    noise.resize(dim, 0.0);
    if step.exploring {
        noise.fill(0.0);
    } else {
        noise_of(random).fill_standard_normal(noise);
    }
}

/// What a step of a gradient method begins with: the estimate at a point, whose length it returns, and noise.
pub(crate) fn gradient_and_noise(
    density: &mut dyn BatchDensity,
    x: &[f64],
    step: &Step,
    random: &ChainRng,
    gradient: &mut Vec<f64>,
    noise: &mut Vec<f64>,
) -> Result<f64, DensityError> {
    gradient.resize(x.len(), 0.0);
    density.gradient(x, gradient)?;
    let length = norm(gradient)?;
    draw_noise(random, step, noise, x.len());
    Ok(length)
}

/// The sum of a function of each number, on several lanes at once.
pub(crate) fn lane_sum(x: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let (lanes, rest) = x.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for lane in lanes {
        for (sum, x) in sums.iter_mut().zip(lane) {
            *sum += f(*x);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|x| f(*x)).sum::<f64>()
}

/// The length of a vector; an error if it is not finite, as it is whenever a coordinate is not.
pub(crate) fn norm(gradient: &[f64]) -> Result<f64, DensityError> {
    let norm = lane_sum(gradient, |g| g * g).sqrt();
    if norm.is_finite() { Ok(norm) } else { Err(DensityError::NotFinite) }
}

/// Refuses a point that is not finite.
pub(crate) fn finite(x: &[f64]) -> Result<(), DensityError> {
    // A sum of squares would overflow where the point itself is finite still; a zero of each number does not.
    if lane_sum(x, |x| 0.0 * x) == 0.0 { Ok(()) } else { Err(DensityError::NotFinite) }
}

/// An error unless a setting is in range.
pub(crate) fn in_range(setting: &'static str, got: f64, fits: bool, wanted: &'static str) -> Result<(), SettingsError> {
    if fits { Ok(()) } else { Err(SettingsError::Number { setting, got, wanted }) }
}
