//! A normal law that approximates a posterior, however it was found: its moments, its worth, and draws from it.

use std::fmt;

use ndarray::Array2;
use ppl_autodiff::random::{Philox, Purpose};

use super::family::{Family, FullRank};
use super::fit::check_draws;
use super::problem::Problem;
use super::run::stream;
use super::verdict::{Check, Estimate, judge};
use crate::error::InferError;
use crate::posterior::{Concern, Posterior};

/// A normal law over unconstrained space that approximates a posterior.
pub struct GaussianFit<'m> {
    problem: Problem<'m>,
    /// How it was found.
    method: &'static str,
    seed: u64,
    mean: Vec<f64>,
    /// Lower triangular, row-major.
    factor: Vec<f64>,
    log_evidence: Option<f64>,
    elbo: Option<Estimate>,
    k_hat: Option<f64>,
    evaluations: usize,
}

/// Draws by which a normal law is judged.
const CHECKS: usize = 2000;

impl<'m> GaussianFit<'m> {
    pub(crate) fn new(
        problem: Problem<'m>,
        method: &'static str,
        seed: u64,
        mean: Vec<f64>,
        factor: Vec<f64>,
        evaluations: usize,
    ) -> Result<Self, InferError> {
        let mut this =
            Self { problem, method, seed, mean, factor, log_evidence: None, elbo: None, k_hat: None, evaluations };
        let (mut family, params) = this.family();
        let check = judge(&this.problem, &mut family, &params, seed, CHECKS)?;
        this.elbo = check.as_ref().map(Check::elbo);
        this.k_hat = check.as_ref().map(Check::k_hat);
        Ok(this)
    }

    pub(crate) fn with_evidence(self, log_evidence: f64) -> Self {
        Self { log_evidence: Some(log_evidence), ..self }
    }

    fn family(&self) -> (FullRank, Vec<f64>) {
        let mut family = FullRank::new(self.mean.len());
        let mut params = vec![0.0; family.params()];
        FullRank::pack(&self.mean, &self.factor, &mut params);
        family.update(&params);
        (family, params)
    }

    /// The mean, in unconstrained coordinates.
    pub fn location(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance, in unconstrained coordinates.
    pub fn covariance(&self) -> Array2<f64> {
        let n = self.mean.len();
        Array2::from_shape_fn((n, n), |(i, j)| {
            let (a, b) = (&self.factor[i * n..(i + 1) * n], &self.factor[j * n..(j + 1) * n]);
            a.iter().zip(b).map(|(a, b)| a * b).sum()
        })
    }

    /// Laplace's approximation to the logarithm of the evidence, where the law is one: the log-density at the mode plus
    /// `d/2 ln 2 pi + ln det(covariance) / 2`.
    pub fn log_evidence(&self) -> Option<f64> {
        self.log_evidence
    }

    /// The ELBO from fresh draws.
    pub fn elbo(&self) -> Option<Estimate> {
        self.elbo
    }

    /// The shape of the Pareto tail of `p / q`: at most 0.5 good, above 0.7 far from the posterior.
    pub fn k_hat(&self) -> Option<f64> {
        self.k_hat
    }

    /// Evaluations of the gradient that it took, judging left out.
    pub fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// Draws, with all that a [`Posterior`] can do.
    ///
    /// # Errors
    /// A number of draws that is 0 or too large; a function that fails on a path that only some draws take.
    pub fn draws(&self, draws: usize) -> Result<Posterior, InferError> {
        let (mut family, params) = self.family();
        let dim = family.dim();
        check_draws(draws, dim)?;
        let (mut noise, mut x) = (vec![0.0; dim], vec![0.0; dim]);
        let mut points = Array2::zeros((draws, dim));
        for (draw, mut row) in points.outer_iter_mut().enumerate() {
            Philox::new(self.seed, Purpose::Variational, stream::DRAWS, draw as u32).fill_standard_normal(&mut noise);
            family.draw(&params, &noise, &mut x);
            row.assign(&ndarray::aview1(&x));
        }
        self.posterior(points)
    }

    /// The mean as a posterior of one draw: for [`Laplace`](super::Laplace) the mode of the density over unconstrained
    /// space.
    ///
    /// # Errors
    /// As [`GaussianFit::draws`].
    pub fn at_mean(&self) -> Result<Posterior, InferError> {
        let point = Array2::from_shape_vec((1, self.mean.len()), self.mean.clone());
        self.posterior(point.unwrap_or_default())
    }

    fn posterior(&self, points: Array2<f64>) -> Result<Posterior, InferError> {
        let far = self.k_hat.filter(|&k| k > 0.7).map(|k_hat| Concern::FarFromPosterior { k_hat });
        Posterior::independent(self.problem.recorded(), self.seed, points, far.into_iter().collect())
    }
}

impl fmt::Display for GaussianFit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, evaluations, .. } = self;
        write!(f, "{method} of `{}`: {evaluations} gradients", self.problem.name())?;
        if let Some(elbo) = self.elbo {
            write!(f, ", ELBO {elbo}")?;
        }
        if let Some(evidence) = self.log_evidence {
            write!(f, ", log evidence {evidence:.2}")?;
        }
        self.k_hat.map_or(Ok(()), |k| write!(f, ", k-hat {k:.2}"))
    }
}

impl fmt::Debug for GaussianFit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
