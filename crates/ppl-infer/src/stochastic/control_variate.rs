//! Control variates: gradients of a batch relative to those at a reference point, where the sum over all rows is known.

use serde::{Deserialize, Serialize};

use super::kernel::{GradientKernel, StepInfo, StochasticKernel, Thermostat, norm};
use super::schedule::Step;
use crate::batch::BatchDensity;
use crate::density::DensityError;
use crate::random::ChainRng;
use crate::runner::SettingsError;

/// Another kernel over the estimate `G(x) - G(r) + grad log p(r)`, with G the estimate of the bound batch and r a
/// reference point that is renewed from the chain every so many iterations (the SVRG form). Its variance is of the order
/// of |x - r|^2.
///
/// A step takes two gradients of a batch; a renewal takes one of all data.
///
/// # Source
/// Baker, Fearnhead, Fox and Nemeth (2019), Control variates for stochastic gradient MCMC. Statistics and Computing 29;
/// Dubey et al. (2016), Variance reduction in stochastic gradient Langevin dynamics. NeurIPS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlVariates<K> {
    inner: K,
    every: u64,
    #[serde(skip)]
    at_reference: Vec<f64>,
}

/// The state of [`ControlVariates`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlVariatesState<S> {
    /// The state of the kernel within.
    pub inner: S,
    /// r.
    pub reference: Vec<f64>,
    /// log p(r) over all data.
    pub log_density: f64,
    /// Its gradient.
    pub gradient: Vec<f64>,
}

impl<K: GradientKernel> ControlVariates<K> {
    /// A kernel with a reference that is renewed every `every` iterations, at least 1.
    #[must_use]
    pub fn new(inner: K, every: u64) -> Self {
        Self { inner, every, at_reference: Vec::new() }
    }
}

impl<K: GradientKernel> StochasticKernel for ControlVariates<K> {
    type State = ControlVariatesState<K::State>;
    const NAME: &'static str = K::NAME;

    fn check(&self, dim: usize) -> Result<(), SettingsError> {
        if self.every == 0 {
            let (setting, most) = ("control_variates", usize::MAX);
            return Err(SettingsError::Count { setting, got: 0, least: 1, most });
        }
        self.inner.check(dim)
    }

    fn init(&mut self, density: &mut dyn BatchDensity, position: &[f64]) -> Result<Self::State, DensityError> {
        let mut gradient = vec![0.0; position.len()];
        let log_density = density.full(position, &mut gradient)?;
        let inner = self.inner.init(density, position)?;
        Ok(ControlVariatesState { inner, reference: position.to_vec(), log_density, gradient })
    }

    fn step(
        &mut self,
        density: &mut dyn BatchDensity,
        step: &Step,
        random: &ChainRng,
        state: &mut Self::State,
    ) -> Result<StepInfo, DensityError> {
        self.at_reference.resize(state.reference.len(), 0.0);
        if step.iteration > 0 && step.iteration.is_multiple_of(self.every) {
            // First aside, so that a failure leaves the reference as it was.
            let log_density = density.full(K::position(&state.inner), &mut self.at_reference)?;
            norm(&self.at_reference)?;
            state.reference.copy_from_slice(K::position(&state.inner));
            state.gradient.copy_from_slice(&self.at_reference);
            state.log_density = log_density;
        }
        let ControlVariatesState { inner, reference, log_density, gradient } = state;
        let mut relative =
            Relative { density, reference, log_density: *log_density, gradient, at_reference: &mut self.at_reference };
        self.inner.step(&mut relative, step, random, inner)
    }

    fn position(state: &Self::State) -> &[f64] {
        K::position(&state.inner)
    }

    fn lengths(state: &Self::State) -> Vec<usize> {
        let mut lengths = K::lengths(&state.inner);
        lengths.extend([state.reference.len(), state.gradient.len()]);
        lengths
    }

    fn thermostat(state: &Self::State) -> Option<Thermostat> {
        K::thermostat(&state.inner)
    }

    /// As without noise from batches: what is left of it is not known.
    fn excess_variance(&self, step_size: f64, curvature: f64, _: f64) -> Option<f64> {
        self.inner.excess_variance(step_size, curvature, 0.0)
    }
}

/// A density whose estimates are relative to a reference.
struct Relative<'a> {
    density: &'a mut dyn BatchDensity,
    reference: &'a [f64],
    log_density: f64,
    gradient: &'a [f64],
    at_reference: &'a mut [f64],
}

impl Relative<'_> {
    fn make_relative(&self, gradient: &mut [f64]) {
        for ((g, there), all) in gradient.iter_mut().zip(&*self.at_reference).zip(self.gradient) {
            *g = *g - there + all;
        }
    }
}

impl BatchDensity for Relative<'_> {
    fn dim(&self) -> usize {
        self.density.dim()
    }

    fn total_size(&self) -> usize {
        self.density.total_size()
    }

    fn batch_size(&self) -> usize {
        self.density.batch_size()
    }

    fn bind(&mut self, iteration: u64) -> Result<(), DensityError> {
        self.density.bind(iteration)
    }

    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        let there = self.density.evaluate(self.reference, self.at_reference)?;
        let here = self.density.evaluate(x, gradient)?;
        self.make_relative(gradient);
        Ok(here - there + self.log_density)
    }

    fn gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<(), DensityError> {
        self.density.gradient(self.reference, self.at_reference)?;
        self.density.gradient(x, gradient)?;
        self.make_relative(gradient);
        Ok(())
    }

    fn row_gradients(&mut self, x: &[f64], prior: &mut [f64], rows: &mut [f64]) -> Result<(), DensityError> {
        self.density.row_gradients(x, prior, rows)
    }

    fn full(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.density.full(x, gradient)
    }

    fn prior_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<(), DensityError> {
        self.density.prior_gradient(x, gradient)
    }
}
