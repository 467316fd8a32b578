//! Leave-one-out cross-validation: how well the model predicts each observation from all the others.

use crate::chains::{Chains, MIN_DRAWS, mean};
use crate::ess::effective;
use crate::psis::{Psis, log_sum_exp, psis};
use ndarray::{ArrayViewD, Axis};

/// Why there is no cross-validation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LooError {
    /// An array that lacks the axes for chains and draws.
    #[error("pointwise log likelihoods have the axes (chain, draw, ...observations), not {axes} axes")]
    MissingAxes {
        /// The axes it has.
        axes: usize,
    },
    /// No draws or no observations.
    #[error("cross-validation needs a draw and an observation, but the log likelihoods have shape {shape:?}")]
    Empty {
        /// The array's shape.
        shape: Vec<usize>,
    },
    /// A log likelihood that is NaN or infinite.
    #[error("observation {observation} has a log likelihood that is NaN or infinite")]
    NonFinite {
        /// The observation's place in row-major order.
        observation: usize,
    },
    /// Two models that were not judged on the same data.
    #[error("models on {left} and on {right} observations cannot be compared")]
    DifferentData {
        /// Observations of the one model.
        left: usize,
        /// Observations of the other.
        right: usize,
    },
}

/// Expected log predictive density of new data, by leave-one-out cross-validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Loo {
    /// `elpd_loo`, the sum of `pointwise`: larger is better.
    pub elpd: f64,
    /// Its standard error, `sqrt(N var(pointwise))`.
    pub se: f64,
    /// `p_loo`, the effective number of parameters: in-sample log density less `elpd`.
    pub p_loo: f64,
    /// Log predictive density of every observation given the others, in row-major order.
    pub pointwise: Vec<f64>,
    /// Pareto k-hat of every observation; where it exceeds `good_k`, the observation is so influential that leaving it out
    /// by reweighting fails, and its `pointwise` value is optimistic.
    pub pareto_k: Vec<f64>,
    /// The k-hat up to which this number of draws is enough.
    pub good_k: f64,
}

/// How much better one model predicts than another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ElpdDifference {
    /// Difference in `elpd`, positive if the first model is better.
    pub elpd: f64,
    /// Its standard error, from the pointwise differences.
    pub se: f64,
}

/// Pareto-smoothed leave-one-out cross-validation from pointwise log likelihoods of shape
/// `(chain, draw, ...observations)`, with the relative efficiency of every observation's likelihood estimated from its
/// effective sample size.
///
/// # Errors
/// Fewer than two axes, no draws or observations, or a log likelihood that is not finite.
///
/// # Source
/// Vehtari, Gelman and Gabry (2017), Statistics and Computing 27(5); see also [`psis`].
///
/// ```
/// use ndarray::ArrayD;
/// // A model whose likelihood does not depend on the parameters predicts new data as well as old.
/// let log_likelihood = ArrayD::from_elem(vec![4, 100, 3], -1.5);
/// let loo = ppl_diagnostics::loo(log_likelihood.view())?;
/// assert!((loo.elpd + 4.5).abs() < 1e-12 && loo.p_loo.abs() < 1e-12);
/// # Ok::<(), ppl_diagnostics::LooError>(())
/// ```
pub fn loo(log_likelihood: ArrayViewD<f64>) -> Result<Loo, LooError> {
    by_observation(log_likelihood, |x, length| {
        // Relative efficiency concerns the likelihood, not its logarithm; a constant factor does not matter.
        let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let likelihood = Chains::from_values(x.iter().map(|v| (v - largest).exp()).collect(), length);
        if length < MIN_DRAWS { 1.0 } else { effective(&likelihood.split()) / x.len() as f64 }
    })
}

/// [`loo`] with a relative efficiency ESS/S for all observations: 1 for independent draws.
///
/// # Errors
/// As [`loo`].
///
/// ```
/// use ndarray::ArrayD;
/// let wave = |c: usize, t: usize| ((c * 500 + t) as f64).powi(2).sin();
/// let log_likelihood = ArrayD::from_shape_fn(vec![2, 500, 3], |i| -1.0 - 0.1 * wave(i[0], i[1]));
/// let loo = ppl_diagnostics::loo_with_efficiency(log_likelihood.view(), 1.0)?;
/// assert_eq!((loo.pointwise.len(), loo.unreliable()), (3, 0));
/// assert!(loo.p_loo > 0.0);
/// # Ok::<(), ppl_diagnostics::LooError>(())
/// ```
pub fn loo_with_efficiency(log_likelihood: ArrayViewD<f64>, r_eff: f64) -> Result<Loo, LooError> {
    by_observation(log_likelihood, |_, _| r_eff)
}

fn by_observation(log_likelihood: ArrayViewD<f64>, r_eff: impl Fn(&[f64], usize) -> f64) -> Result<Loo, LooError> {
    let shape = log_likelihood.shape().to_vec();
    let &[chains, length, ..] = shape.as_slice() else {
        return Err(LooError::MissingAxes { axes: shape.len() });
    };
    let draws = chains * length;
    if log_likelihood.is_empty() {
        return Err(LooError::Empty { shape });
    }
    let observations = log_likelihood.len() / draws;
    let flat = log_likelihood.to_shape((draws, observations)).map_err(|_| LooError::Empty { shape: shape.clone() })?;
    let (mut pointwise, mut in_sample, mut pareto_k) = (Vec::new(), 0.0, Vec::new());
    for (observation, column) in flat.axis_iter(Axis(1)).enumerate() {
        let x = column.to_vec();
        if !x.iter().all(|v| v.is_finite()) {
            return Err(LooError::NonFinite { observation });
        }
        let log_ratios: Vec<f64> = x.iter().map(|v| -v).collect();
        let Psis { log_weights, pareto_k: k } = psis(&log_ratios, r_eff(&x, length));
        let weighted: Vec<f64> = log_weights.iter().zip(&x).map(|(w, v)| w + v).collect();
        pointwise.push(log_sum_exp(&weighted));
        in_sample += log_sum_exp(&x) - (draws as f64).ln();
        pareto_k.push(k);
    }
    let (elpd, se) = sum_and_error(&pointwise);
    Ok(Loo { elpd, se, p_loo: in_sample - elpd, pointwise, pareto_k, good_k: Psis::good_k(draws) })
}

impl Loo {
    /// Number of observations whose k-hat is too large.
    pub fn unreliable(&self) -> usize {
        self.pareto_k.iter().filter(|&&k| k > self.good_k).count()
    }

    /// How much better this model predicts than `other`, fitted to the same observations in the same order.
    ///
    /// # Errors
    /// Models with different numbers of observations.
    pub fn difference(&self, other: &Loo) -> Result<ElpdDifference, LooError> {
        let (left, right) = (self.pointwise.len(), other.pointwise.len());
        if left != right {
            return Err(LooError::DifferentData { left, right });
        }
        let differences: Vec<f64> = self.pointwise.iter().zip(&other.pointwise).map(|(a, b)| a - b).collect();
        let (elpd, se) = sum_and_error(&differences);
        Ok(ElpdDifference { elpd, se })
    }
}

/// `sum x` and `sqrt(N var x)` with the variance's divisor `N`.
fn sum_and_error(x: &[f64]) -> (f64, f64) {
    let mean = mean(x);
    (mean * x.len() as f64, x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>().sqrt())
}
