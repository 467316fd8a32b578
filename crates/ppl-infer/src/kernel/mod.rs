//! Transitions of Markov chains: the contract, and one file for each algorithm.

pub mod nuts;
mod tree;

use std::ops::Deref;

use crate::density::{DensityError, LogDensity};
use crate::random::ChainRng;

/// One transition of a Markov chain. Everything that a step changes is in `state`; the kernel itself holds the
/// user's choices and buffers that mean nothing between steps.
pub trait Kernel {
    /// What the next step needs.
    type State;
    /// What warm-up may tune and sampling may not.
    type Params;
    /// What a person or a diagnostic reads.
    type Info;
    /// The name that draws carry.
    const NAME: &'static str;

    /// The state at a position.
    ///
    /// # Errors
    /// [`DensityError::NotFinite`] where density or gradient is not finite; whatever the density returns.
    fn init(&mut self, density: &mut dyn LogDensity, position: &[f64]) -> Result<Self::State, DensityError>;

    /// Moves the state once.
    ///
    /// # Errors
    /// What the density returns, but for [`DensityError::NotFinite`], which is a divergence and no error. The state
    /// is then as it was.
    fn step(
        &mut self,
        density: &mut dyn LogDensity,
        params: &Self::Params,
        random: &ChainRng,
        state: &mut Self::State,
    ) -> Result<Self::Info, DensityError>;
}

/// A position with what was computed there: the state of every sampler that uses gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientState {
    /// The position, unconstrained.
    pub position: Vec<f64>,
    /// The gradient of the log-density there.
    pub gradient: Vec<f64>,
    /// The log-density there.
    pub log_density: f64,
}

impl GradientState {
    /// Evaluates the density at a position.
    ///
    /// # Errors
    /// [`DensityError::Dimension`] where the position does not fit; [`DensityError::NotFinite`] where value or
    /// gradient is not finite; whatever the density returns.
    pub fn at(density: &mut dyn LogDensity, position: &[f64]) -> Result<Self, DensityError> {
        if position.len() != density.dim() {
            return Err(DensityError::Dimension { got: position.len(), wanted: density.dim() });
        }
        let mut gradient = vec![0.0; position.len()];
        let log_density = density.evaluate(position, &mut gradient)?;
        if !log_density.is_finite() || gradient.iter().any(|g| !g.is_finite()) {
            return Err(DensityError::NotFinite);
        }
        Ok(Self { position: position.to_vec(), gradient, log_density })
    }
}

/// Parameters that can be read and no longer changed: what warm-up gives back.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen<P>(P);

impl<P> Frozen<P> {
    /// Ends the tuning of parameters.
    #[must_use]
    pub fn new(params: P) -> Self {
        Self(params)
    }
}

impl<P> Deref for Frozen<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0
    }
}
