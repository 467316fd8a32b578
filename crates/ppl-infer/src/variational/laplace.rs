//! The mode of the posterior, and Laplace's approximation around it.

use ppl_core::Model;

use super::advi::Advi;
use super::dense;
use super::error::VariationalError;
use super::family::HALF_LN_2PI;
use super::gaussian::GaussianFit;
use super::lbfgs::{Lbfgs, Minimum};
use super::objective::Density;
use super::problem::Problem;
use super::run::find_location;
use crate::density::{DensityError, Target};
use crate::error::InferError;
use crate::posterior::Posterior;

/// Laplace's approximation: a normal law at the mode of the density over unconstrained space, with the inverse of the
/// curvature there as its covariance.
///
/// The mode is found by L-BFGS, the curvature by central differences of the gradient: 2 d gradients and memory for d x d
/// numbers.
///
/// ```
/// use ppl_core::{dist::Normal, model, observe, sample};
/// use ppl_infer::variational::Laplace;
///
/// model! {
///     fn location(y: Vec<f64>) {
///         let mean = sample!("mean", Normal::new(0.0, 10.0));
///         observe!("y", Normal::new(mean, 1.0), y);
///     }
/// }
/// let model = location(vec![1.0, 2.0, 3.0]);
/// let fit = Laplace::new().fit(&model)?;
/// // Exact here: mean 6 / 3.01, variance 1 / 3.01.
/// assert!((fit.location()[0] - 6.0 / 3.01).abs() < 1e-7);
/// assert!((fit.covariance()[[0, 0]] - 1.0 / 3.01).abs() < 1e-7);
/// # Ok::<(), ppl_infer::InferError>(())
/// ```
///
/// # Source
/// Tierney and Kadane (1986), JASA 81(393).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Laplace {
    seed: u64,
}

impl Laplace {
    /// With seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The seed of the starting point and of the draws.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed }
    }

    /// Approximates a model's posterior.
    ///
    /// # Errors
    /// A mistake in the model; no finite density to start at; a mode that is none, see
    /// [`VariationalError::NotConcave`].
    pub fn fit<'m>(&self, model: &'m dyn Model) -> Result<GaussianFit<'m>, InferError> {
        self.approximate(Problem::model(model)?)
    }

    /// Approximates a log-density of one's own.
    ///
    /// # Errors
    /// As [`Laplace::fit`].
    pub fn fit_target<'m>(&self, target: &'m dyn Target) -> Result<GaussianFit<'m>, InferError> {
        self.approximate(Problem::target(target))
    }

    fn approximate<'m>(&self, problem: Problem<'m>) -> Result<GaussianFit<'m>, InferError> {
        let (mode, precision) = {
            let mut density = problem.density(self.seed)?;
            let mode = mode(&problem, &mut density, self.seed)?;
            let mut slope = |x: &[f64], g: &mut [f64]| negative(&mut density, x, g).map(|_| ());
            let precision = dense::second_derivatives(&mode.x, &mut slope);
            (mode, precision.map_err(|error| VariationalError::Density { iteration: 0, error })?)
        };
        let n = mode.x.len();
        let not_concave = || VariationalError::NotConcave { model: problem.name().to_owned() };
        let factor = dense::cholesky(&precision, n).ok_or_else(not_concave)?;
        let log_det: f64 = (0..n).map(|i| -2.0 * factor[i * n + i].ln()).sum();
        let covariance = dense::cholesky(&dense::inverse(&factor, n), n).ok_or_else(not_concave)?;
        let log_evidence = -mode.value + n as f64 * HALF_LN_2PI + 0.5 * log_det;
        let evaluations = mode.evaluations + 2 * n;
        let fit = GaussianFit::new(problem, "Laplace's approximation", self.seed, mode.x, covariance, evaluations)?;
        Ok(fit.with_evidence(log_evidence))
    }
}

/// The mode of the posterior over unconstrained space: the largest density with the log-Jacobians counted.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Map {
    seed: u64,
}

impl Map {
    /// With seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The seed of the starting point.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed }
    }

    /// The mode as a posterior of one draw.
    ///
    /// # Errors
    /// A mistake in the model; no finite density to start at.
    pub fn fit(&self, model: &dyn Model) -> Result<Posterior, InferError> {
        let problem = Problem::model(model)?;
        let mut density = problem.density(self.seed)?;
        let mode = mode(&problem, &mut density, self.seed)?;
        let point = ndarray::Array2::from_shape_vec((1, mode.x.len()), mode.x).unwrap_or_default();
        Posterior::independent(problem.recorded(), self.seed, point, Vec::new())
    }
}

fn mode(problem: &Problem<'_>, density: &mut Density<'_>, seed: u64) -> Result<Minimum, InferError> {
    let settings = Advi::mean_field().seed(seed);
    let start = find_location(&settings, problem.name(), density, 0).map_err(|f| problem.explain(f))?;
    let mut f = |x: &[f64], g: &mut [f64]| negative(density, x, g);
    let found = Lbfgs::default().minimise(&mut f, &start, &mut |_, _, _| ());
    found.map_err(|error| VariationalError::Density { iteration: 0, error }.into())
}

/// The negative log-density with its gradient; infinite where it is not finite.
pub(crate) fn negative(density: &mut Density<'_>, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
    let value = match density.evaluate_whole(x, gradient) {
        Ok(value) if !value.is_nan() => -value,
        Ok(_) | Err(DensityError::NotFinite) => f64::INFINITY,
        Err(error) => return Err(error),
    };
    gradient.iter_mut().for_each(|g| *g = -*g);
    Ok(value)
}
