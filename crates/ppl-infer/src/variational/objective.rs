//! The evidence lower bound and its gradient, from draws of the approximation.
//!
//! ELBO(params) = E\[log p(T(noise; params))\] + entropy(q): the noise does not depend on the parameters, so the gradient
//! is the mean of the derivatives of draws (the reparameterisation gradient).

use ppl_autodiff::random::Philox;
use serde::{Deserialize, Serialize};

use super::family::Family;
use crate::batch::BatchDensity;
use crate::density::{DensityError, LogDensity};

/// Which unbiased estimate of the ELBO's gradient is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Estimator {
    /// Derivatives through the draws, and the entropy's gradient in closed form where there is one.
    #[default]
    Reparameterised,
    /// Derivatives of `log p(x) - log q(x)` through the draws alone, q's parameters held: the variance vanishes where q
    /// is exact.
    ///
    /// # Source
    /// Roeder, Wu and Duvenaud (2017), arXiv:1703.09194.
    StickingTheLanding,
}

/// A function with its gradient.
pub(crate) type Evaluate<'f> = dyn FnMut(&[f64], &mut [f64]) -> Result<f64, DensityError> + 'f;

/// A log-density over all data or over the bound batch.
pub(crate) enum Density<'t> {
    /// Over all data.
    Full(Box<dyn LogDensity + 't>),
    /// Over a batch.
    Batch(Box<dyn BatchDensity + 't>),
}

impl Density<'_> {
    pub fn dim(&self) -> usize {
        match self {
            Self::Full(density) => density.dim(),
            Self::Batch(density) => density.dim(),
        }
    }

    /// Binds the batch of an iteration, if there are batches.
    pub fn bind(&mut self, iteration: u64) -> Result<(), DensityError> {
        match self {
            Self::Full(_) => Ok(()),
            Self::Batch(density) => density.bind(iteration),
        }
    }

    pub fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        match self {
            Self::Full(density) => density.evaluate(x, gradient),
            Self::Batch(density) => density.evaluate(x, gradient),
        }
    }

    /// Over all data, whatever the batches.
    pub fn evaluate_whole(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        match self {
            Self::Full(density) => density.evaluate(x, gradient),
            Self::Batch(density) => density.full(x, gradient),
        }
    }

    /// Rows of a batch over rows of the data; 1 without batches.
    pub fn share(&self) -> f64 {
        match self {
            Self::Full(_) => 1.0,
            Self::Batch(density) => density.batch_size() as f64 / density.total_size().max(1) as f64,
        }
    }
}

/// Memory for estimates: made once, so that a step allocates nothing.
#[derive(Clone, Debug)]
pub struct Objective {
    noise: Vec<f64>,
    x: Vec<f64>,
    slope: Vec<f64>,
    score: Vec<f64>,
    estimator: Estimator,
    antithetic: bool,
}

impl Objective {
    /// For a family.
    pub fn new(family: &dyn Family, estimator: Estimator, antithetic: bool) -> Self {
        let (d, n) = (family.dim(), family.noise());
        Self { noise: vec![0.0; n], x: vec![0.0; d], slope: vec![0.0; d], score: vec![0.0; d], estimator, antithetic }
    }

    /// The last point at which the density was asked for.
    pub fn point(&self) -> &[f64] {
        &self.x
    }

    /// An estimate of the ELBO from `draws` draws, whose gradient replaces what is in `gradient`.
    ///
    /// Draws with a density that is not finite are left out.
    ///
    /// # Errors
    /// [`DensityError::NotFinite`] where no draw has a finite density; what else the density gives.
    pub fn estimate(
        &mut self,
        density: &mut dyn LogDensity,
        family: &mut dyn Family,
        params: &[f64],
        random: &mut Philox,
        draws: usize,
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        self.estimate_with(&mut |x, g| density.evaluate(x, g), family, params, random, draws, gradient)
    }

    pub(crate) fn estimate_with(
        &mut self,
        evaluate: &mut Evaluate<'_>,
        family: &mut dyn Family,
        params: &[f64],
        random: &mut Philox,
        draws: usize,
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        gradient.fill(0.0);
        let (mut kept, mut sum) = (0, 0.0);
        for draw in 0..draws {
            if self.antithetic && draw % 2 == 1 {
                self.noise.iter_mut().for_each(|z| *z = -*z);
            } else {
                random.fill_standard_normal(&mut self.noise);
            }
            if let Some(value) = self.add(evaluate, family, params, gradient)? {
                kept += 1;
                sum += value;
            }
        }
        self.finish(family, params, kept, sum, gradient)
    }

    /// As [`Objective::estimate`], from given noise, one row a draw.
    ///
    /// # Errors
    /// As [`Objective::estimate`].
    pub fn estimate_at(
        &mut self,
        density: &mut dyn LogDensity,
        family: &mut dyn Family,
        params: &[f64],
        noise: &[Vec<f64>],
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        self.estimate_over(&mut |x, g| density.evaluate(x, g), family, params, noise, gradient)
    }

    pub(crate) fn estimate_over(
        &mut self,
        evaluate: &mut Evaluate<'_>,
        family: &mut dyn Family,
        params: &[f64],
        noise: &[Vec<f64>],
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        gradient.fill(0.0);
        let (mut kept, mut sum) = (0, 0.0);
        for noise in noise {
            self.noise.copy_from_slice(noise);
            if let Some(value) = self.add(evaluate, family, params, gradient)? {
                kept += 1;
                sum += value;
            }
        }
        self.finish(family, params, kept, sum, gradient)
    }

    /// Adds one draw; nothing if its density is not finite.
    fn add(
        &mut self,
        evaluate: &mut Evaluate<'_>,
        family: &mut dyn Family,
        params: &[f64],
        gradient: &mut [f64],
    ) -> Result<Option<f64>, DensityError> {
        family.draw(params, &self.noise, &mut self.x);
        let log_density = match evaluate(&self.x, &mut self.slope) {
            Ok(value) => value,
            Err(DensityError::NotFinite) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A sum is finite where all its terms are, up to an overflow that would be dropped as well.
        if !(log_density + self.slope.iter().sum::<f64>()).is_finite() {
            return Ok(None);
        }
        let closed = family.entropy().is_some();
        let mut value = log_density;
        if self.estimator == Estimator::StickingTheLanding
            && family.score(params, &self.noise, &self.x, &mut self.score)
        {
            value -= family.log_density(params, &self.noise, &self.x);
            self.slope.iter_mut().zip(&self.score).for_each(|(g, s)| *g -= s);
        } else if !closed {
            value -= family.log_density(params, &self.noise, &self.x);
            family.pull_back_entropy(params, &self.noise, &self.x, 1.0, gradient);
        }
        family.pull_back(params, &self.noise, &self.x, &self.slope, 1.0, gradient);
        Ok(Some(value))
    }

    /// The mean over draws, with the entropy where it has a closed form.
    fn finish(
        &mut self,
        family: &mut dyn Family,
        params: &[f64],
        kept: usize,
        sum: f64,
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        if kept == 0 {
            return Err(DensityError::NotFinite);
        }
        let weight = 1.0 / kept as f64;
        if kept > 1 {
            gradient.iter_mut().for_each(|g| *g *= weight);
        }
        let mut elbo = sum * weight;
        if self.estimator == Estimator::Reparameterised
            && let Some(entropy) = family.entropy()
        {
            elbo += entropy;
            family.pull_back_entropy(params, &self.noise, &self.x, 1.0, gradient);
        }
        Ok(elbo)
    }
}
