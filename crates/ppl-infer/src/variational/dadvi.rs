//! Deterministic ADVI: the ELBO with fixed draws, minimised to the end, and the covariance by linear response.

use std::fmt;

use ppl_autodiff::random::{Philox, Purpose};
use ppl_core::Model;

use super::advi::Advi;
use super::dense;
use super::error::VariationalError;
use super::family::{Family, MeanField, Scale};
use super::gaussian::GaussianFit;
use super::lbfgs::{Lbfgs, dot};
use super::objective::{Density, Estimator, Objective};
use super::problem::Problem;
use super::run::{find_location, stream};
use crate::density::{DensityError, Target};
use crate::error::InferError;
use crate::runner::SettingsError;

/// Deterministic ADVI: a mean-field normal law that maximises the ELBO over fixed noise, found by L-BFGS, with a
/// covariance that is corrected by linear response.
///
/// With M fixed draws z_m the objective `-1/M sum log p(mu + sigma z_m) - sum log sigma` is an ordinary function:
/// convergence is a Newton step that gains nothing, and there is no learning rate. The inverse of its second derivatives gives the
/// covariance of mu under small changes of the model, which mean-field variances miss, and the error of mu from having M
/// draws only. Second derivatives cost 4 d M gradients.
///
/// # Source
/// Giordano, Ingram and Broderick (2024), JMLR 25(18).
#[derive(Clone, Debug)]
#[must_use]
pub struct Dadvi {
    draws: usize,
    seed: u64,
}

impl Default for Dadvi {
    fn default() -> Self {
        Self { draws: 30, seed: 0 }
    }
}

/// What [`Dadvi`] finds.
#[derive(Debug)]
pub struct DadviFit<'m> {
    /// The normal law with the covariance of linear response.
    pub fit: GaussianFit<'m>,
    /// The standard deviations of the mean-field law, unconstrained.
    pub mean_field: Vec<f64>,
    /// The standard error of each location from the number of fixed draws.
    pub sampling_error: Vec<f64>,
    /// What one more Newton step would gain, in nats: half of g' H^-1 g.
    pub newton_gain: f64,
}

/// A point from which a Newton step gains less, in nats, is an optimum.
const TOLERANCE: f64 = 1e-6;

impl DadviFit<'_> {
    /// Whether the optimisation arrived.
    pub fn converged(&self) -> bool {
        self.newton_gain < TOLERANCE
    }

    /// The largest sampling error of a location relative to its standard deviation: more draws are wanted above 0.5.
    pub fn relative_error(&self) -> f64 {
        let covariance = self.fit.covariance();
        let of = |(i, e): (usize, &f64)| e / covariance[[i, i]].sqrt();
        self.sampling_error.iter().enumerate().map(of).fold(0.0, f64::max)
    }
}

impl fmt::Display for DadviFit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.converged() { "converged" } else { "not converged" };
        write!(f, "{}\n{state}: a Newton step gains {:.1e} nats", self.fit, self.newton_gain)?;
        write!(f, "; sampling error at most {:.2} standard deviations", self.relative_error())
    }
}

impl Dadvi {
    /// With 30 draws and seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of fixed draws M.
    pub fn fixed_draws(self, draws: usize) -> Self {
        Self { draws, ..self }
    }

    /// The seed of the fixed draws and of the starting point.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Approximates a model's posterior.
    ///
    /// # Errors
    /// A mistake in the model; fewer than 2 draws; no finite density to start at; second derivatives that are not
    /// positive definite.
    pub fn fit<'m>(&self, model: &'m dyn Model) -> Result<DadviFit<'m>, InferError> {
        self.approximate(Problem::model(model)?)
    }

    /// Approximates a log-density of one's own.
    ///
    /// # Errors
    /// As [`Dadvi::fit`].
    pub fn fit_target<'m>(&self, target: &'m dyn Target) -> Result<DadviFit<'m>, InferError> {
        self.approximate(Problem::target(target))
    }

    fn approximate<'m>(&self, problem: Problem<'m>) -> Result<DadviFit<'m>, InferError> {
        let (least, most) = (2, 1 << 20);
        if self.draws < least || self.draws > most {
            return Err(SettingsError::Count { setting: "fixed_draws", got: self.draws, least, most }.into());
        }
        let d = problem.dim();
        let noise: Vec<Vec<f64>> = (0..self.draws)
            .map(|m| {
                let mut z = vec![0.0; d];
                Philox::new(self.seed, Purpose::Variational, stream::STEPS, m as u32).fill_standard_normal(&mut z);
                z
            })
            .collect();
        let failed = |error| VariationalError::Density { iteration: 0, error };
        let (optimum, second, noise_of_gradient, evaluations) = {
            let mut density = problem.density(self.seed)?;
            let settings = Advi::mean_field().seed(self.seed);
            let start = find_location(&settings, problem.name(), &mut density, 0).map_err(|f| problem.explain(f))?;
            let mut loss = Loss::new(d, &noise, density);
            let mut params = vec![0.0; 2 * d];
            loss.family.start(&start, START_SCALE, &mut params);
            let settings = Lbfgs { iterations: 5000, ..Lbfgs::default() };
            let found = settings.minimise(&mut |x, g| loss.evaluate(x, g), &params, &mut |_, _, _| ());
            let optimum = found.map_err(failed)?;
            let second = dense::second_derivatives(&optimum.x, &mut |x, g| loss.evaluate(x, g).map(|_| ()));
            let spread = loss.spread(&optimum.x).map_err(failed)?;
            let evaluations = (optimum.evaluations + 4 * d) * self.draws;
            (optimum, second.map_err(failed)?, spread, evaluations)
        };
        let not_concave = || VariationalError::NotConcave { model: problem.name().to_owned() };
        let factor = dense::cholesky(&second, 2 * d).ok_or_else(not_concave)?;
        let inverse = dense::inverse(&factor, 2 * d);
        let block: Vec<f64> = (0..d).flat_map(|i| inverse[2 * d * i..2 * d * i + d].to_vec()).collect();
        let covariance = dense::cholesky(&block, d).ok_or_else(not_concave)?;
        // Variance of mu^ = diagonal of H^-1 C H^-1 / M with C the covariance of the gradients of single draws.
        let sampling_error = (0..d)
            .map(|i| {
                let row = &inverse[2 * d * i..2 * d * (i + 1)];
                let moved = noise_of_gradient.iter().map(|g| row.iter().zip(g).map(|(h, g)| h * g).sum::<f64>());
                (moved.map(|x| x * x).sum::<f64>() / (self.draws * (self.draws - 1)) as f64).sqrt()
            })
            .collect();
        let mean_field = optimum.x[d..].iter().map(|w| w.exp()).collect();
        let mut solved = optimum.gradient.clone();
        dense::solve_lower(&factor, &mut solved);
        let newton_gain = 0.5 * dot(&solved, &solved);
        let location = optimum.x[..d].to_vec();
        let fit = GaussianFit::new(problem, "deterministic ADVI", self.seed, location, covariance, evaluations)?;
        Ok(DadviFit { fit, mean_field, sampling_error, newton_gain })
    }
}

/// Standard deviations at the start.
const START_SCALE: f64 = 0.1;

/// Minus the ELBO over fixed noise.
struct Loss<'n, 't> {
    family: MeanField,
    objective: Objective,
    noise: &'n [Vec<f64>],
    density: Density<'t>,
}

impl<'n, 't> Loss<'n, 't> {
    fn new(dim: usize, noise: &'n [Vec<f64>], density: Density<'t>) -> Self {
        let family = MeanField::new(dim, Scale::Exp);
        let objective = Objective::new(&family, Estimator::Reparameterised, false);
        Self { family, objective, noise, density }
    }

    fn evaluate(&mut self, params: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.of(params, 0..self.noise.len(), gradient)
    }

    fn of(&mut self, params: &[f64], draws: std::ops::Range<usize>, gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.family.update(params);
        let density = &mut self.density;
        // A draw that is left out would be another objective: the point is refused.
        let mut refused = false;
        let mut evaluate = |x: &[f64], values: &mut [f64], g: &mut [f64]| {
            density.evaluate_points(x, values, g)?;
            refused |= values.iter().any(|v| !v.is_finite());
            Ok(())
        };
        let noise = &self.noise[draws];
        let elbo = self.objective.estimate_over(&mut evaluate, &mut self.family, params, noise, gradient);
        gradient.iter_mut().for_each(|g| *g = -*g);
        match elbo {
            Ok(elbo) if !refused => Ok(-elbo),
            Ok(_) | Err(DensityError::NotFinite) => Ok(f64::INFINITY),
            Err(error) => Err(error),
        }
    }

    /// The gradients of single draws, less their mean.
    fn spread(&mut self, params: &[f64]) -> Result<Vec<Vec<f64>>, DensityError> {
        let m = self.noise.len();
        let mut all = vec![vec![0.0; params.len()]; m];
        for (i, gradient) in all.iter_mut().enumerate() {
            self.of(params, i..i + 1, gradient)?;
        }
        for j in 0..params.len() {
            let mean = all.iter().map(|g| g[j]).sum::<f64>() / m as f64;
            all.iter_mut().for_each(|g| g[j] -= mean);
        }
        Ok(all)
    }
}
