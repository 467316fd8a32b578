//! The evidence lower bound and its gradient, from draws of the approximation.
//!
//! ELBO(params) = E\[log p(T(noise; params))\] + entropy(q): the noise does not depend on the parameters, so the gradient
//! is the mean of the derivatives of draws (the reparameterisation gradient).

use ppl_autodiff::random::Philox;
use serde::{Deserialize, Serialize};

use super::family::Family;
use super::local::Local;
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

/// A function at several points with its gradients, as [`LogDensity::evaluate_points`].
pub(crate) type EvaluatePoints<'f> = dyn FnMut(&[f64], &mut [f64], &mut [f64]) -> Result<(), DensityError> + 'f;

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

    /// The arrays of the bound batch, where they are those of a model.
    pub fn bound(&self) -> &[Vec<f64>] {
        match self {
            Self::Full(_) => &[],
            Self::Batch(density) => density.bound(),
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

    pub fn evaluate_points(
        &mut self,
        points: &[f64],
        values: &mut [f64],
        gradients: &mut [f64],
    ) -> Result<(), DensityError> {
        match self {
            Self::Full(density) => density.evaluate_points(points, values, gradients),
            Self::Batch(density) => density.evaluate_points(points, values, gradients),
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

/// Memory for estimates: made once for a number of draws, so that a step allocates nothing.
#[derive(Clone, Debug)]
pub struct Objective {
    /// One row a draw, as in the next ones.
    noise: Vec<f64>,
    x: Vec<f64>,
    slopes: Vec<f64>,
    values: Vec<f64>,
    score: Vec<f64>,
    /// The numbers of a draw of noise and of x.
    width: [usize; 2],
    /// Where the density was asked for last: as many draws as this.
    asked: usize,
    estimator: Estimator,
    antithetic: bool,
}

impl Objective {
    /// For a family.
    pub fn new(family: &dyn Family, estimator: Estimator, antithetic: bool) -> Self {
        let (d, n) = (family.dim(), family.noise());
        let [noise, x, slopes, values] = [(); 4].map(|()| Vec::new());
        Self { noise, x, slopes, values, score: vec![0.0; d], width: [n, d], asked: 0, estimator, antithetic }
    }

    /// A point at which the density was asked for last: the first of the last draws that had none, if there was one.
    pub fn point(&self) -> &[f64] {
        let d = self.width[1];
        let none = |i: &usize| !self.values.get(*i).is_some_and(|v| v.is_finite());
        let draw = (0..self.asked).find(none).unwrap_or(self.asked.saturating_sub(1));
        self.x.get(draw * d..(draw + 1) * d).unwrap_or_default()
    }

    /// An estimate of the ELBO from `draws` draws, whose gradient replaces what is in `gradient`. The density is asked
    /// for all of them at once.
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
        let evaluate = &mut |x: &[f64], v: &mut [f64], g: &mut [f64]| density.evaluate_points(x, v, g);
        self.estimate_with(evaluate, family, params, random, draws, gradient)
    }

    pub(crate) fn estimate_with(
        &mut self,
        evaluate: &mut EvaluatePoints<'_>,
        family: &mut dyn Family,
        params: &[f64],
        random: &mut Philox,
        draws: usize,
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        self.resize(draws);
        (0..draws).for_each(|draw| self.draw_noise(draw, random));
        self.mean(evaluate, family, params, gradient)
    }

    /// Draws the noise of a draw, after those before it.
    fn draw_noise(&mut self, draw: usize, random: &mut Philox) {
        let (width, is_opposite) = (self.width[0], self.is_opposite(draw));
        let (before, noise) = self.noise[..(draw + 1) * width].split_at_mut(draw * width);
        if is_opposite {
            let opposite = &before[before.len() - width..];
            noise.iter_mut().zip(opposite).for_each(|(z, o)| *z = -o);
        } else {
            random.fill_standard_normal(noise);
        }
    }

    /// Whether the noise of a draw is that of the one before it, with the other sign.
    fn is_opposite(&self, draw: usize) -> bool {
        self.antithetic && draw % 2 == 1
    }

    /// As [`Objective::estimate_with`], with the products of dense layers drawn.
    #[expect(clippy::too_many_arguments, reason = "what an estimate is of")]
    pub(crate) fn estimate_local(
        &mut self,
        local: &mut Local,
        batch: &[Vec<f64>],
        family: &mut dyn Family,
        params: &[f64],
        random: &mut Philox,
        draws: usize,
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        self.resize(draws);
        gradient.fill(0.0);
        local.take_family(family, params);
        let [n, d] = self.width;
        let (mut kept, mut sum) = (0, 0.0);
        for draw in 0..draws {
            self.draw_noise(draw, random);
            local.draw_noise(if self.is_opposite(draw) { None } else { Some(&mut *random) });
            let (noise, x) = (draw * n..(draw + 1) * n, draw * d..(draw + 1) * d);
            family.draw(params, &self.noise[noise], &mut self.x[x.clone()]);
            self.values[draw] = local.evaluate(&self.x[x.clone()], batch, &mut self.slopes[x]);
            if self.is_finite(draw) {
                kept += 1;
                sum += self.add(draw, family, params, gradient);
                local.pull_back(family, gradient);
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
        let evaluate = &mut |x: &[f64], v: &mut [f64], g: &mut [f64]| density.evaluate_points(x, v, g);
        self.estimate_over(evaluate, family, params, noise, gradient)
    }

    pub(crate) fn estimate_over(
        &mut self,
        evaluate: &mut EvaluatePoints<'_>,
        family: &mut dyn Family,
        params: &[f64],
        noise: &[Vec<f64>],
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        self.resize(noise.len());
        for (to, from) in self.noise.chunks_exact_mut(self.width[0].max(1)).zip(noise) {
            to.copy_from_slice(from);
        }
        self.mean(evaluate, family, params, gradient)
    }

    fn resize(&mut self, draws: usize) {
        let [n, d] = self.width;
        self.asked = draws;
        self.noise.resize(draws * n, 0.0);
        self.x.resize(draws * d, 0.0);
        self.slopes.resize(draws * d, 0.0);
        self.values.resize(draws, 0.0);
    }

    /// The mean over the draws whose noise is there.
    fn mean(
        &mut self,
        evaluate: &mut EvaluatePoints<'_>,
        family: &mut dyn Family,
        params: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        let [n, d] = self.width;
        let draws = self.asked;
        for draw in 0..draws {
            family.draw(params, &self.noise[draw * n..(draw + 1) * n], &mut self.x[draw * d..(draw + 1) * d]);
        }
        evaluate(&self.x, &mut self.values, &mut self.slopes)?;
        gradient.fill(0.0);
        let (mut kept, mut sum) = (0, 0.0);
        for draw in 0..draws {
            if !self.is_finite(draw) {
                continue;
            }
            if draws > 1 && family.keeps_draw() {
                family.draw(params, &self.noise[draw * n..(draw + 1) * n], &mut self.x[draw * d..(draw + 1) * d]);
            }
            kept += 1;
            sum += self.add(draw, family, params, gradient);
        }
        self.finish(family, params, kept, sum, gradient)
    }

    /// Whether value and gradient at a draw are finite; the value is not from then on where the gradient is not.
    fn is_finite(&mut self, draw: usize) -> bool {
        let d = self.width[1];
        // A sum is finite where all its terms are, up to an overflow that would be dropped as well.
        let finite = (self.values[draw] + self.slopes[draw * d..(draw + 1) * d].iter().sum::<f64>()).is_finite();
        if !finite {
            self.values[draw] = f64::NAN;
        }
        finite
    }

    /// Adds one draw, whose density is finite.
    fn add(&mut self, draw: usize, family: &mut dyn Family, params: &[f64], gradient: &mut [f64]) -> f64 {
        let [n, d] = self.width;
        let (noise, x) = (&self.noise[draw * n..(draw + 1) * n], &self.x[draw * d..(draw + 1) * d]);
        let slope = &mut self.slopes[draw * d..(draw + 1) * d];
        let closed = family.entropy().is_some();
        let mut value = self.values[draw];
        if self.estimator == Estimator::StickingTheLanding && family.score(params, noise, x, &mut self.score) {
            value -= family.log_density(params, noise, x);
            slope.iter_mut().zip(&self.score).for_each(|(g, s)| *g -= s);
        } else if !closed {
            value -= family.log_density(params, noise, x);
            family.pull_back_entropy(params, noise, x, 1.0, gradient);
        }
        family.pull_back(params, noise, x, slope, 1.0, gradient);
        value
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
            let [n, d] = self.width;
            family.pull_back_entropy(params, &self.noise[..n], &self.x[..d], 1.0, gradient);
        }
        Ok(elbo)
    }
}
