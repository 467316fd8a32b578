//! What a sampler needs of a target: a log-density with its gradient, and a way to get one for each thread.

use std::error::Error;
use std::sync::Arc;

use crate::centring::SiteCentring;
use serde::{Deserialize, Serialize};

/// Why a log-density could not be evaluated.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DensityError {
    /// The density is not finite here, or its evaluation failed for reasons that depend on the point: a divergence.
    #[error("the log-density is not finite at this point")]
    NotFinite,
    /// A point, or a metric, that does not fit the density.
    #[error("{got} coordinates, wanted {wanted}")]
    Dimension {
        /// Coordinates of what was given.
        got: usize,
        /// Coordinates of the density.
        wanted: usize,
    },
    /// The target itself is broken: the run ends, what was drawn so far is kept.
    #[error("{0}")]
    Fatal(Arc<dyn Error + Send + Sync>),
}

impl DensityError {
    /// A broken target, from an error of its own or a text.
    ///
    /// ```
    /// use ppl_infer::density::DensityError;
    /// assert_eq!(DensityError::fatal("the solver gave up").to_string(), "the solver gave up");
    /// ```
    pub fn fatal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Fatal(Arc::from(error.into()))
    }
}

/// A log-density on R^d with gradient, owned by one thread (it holds that thread's workspace).
pub trait LogDensity {
    /// The number of unconstrained coordinates.
    fn dim(&self) -> usize;

    /// Returns log p(x) and writes its gradient. A non-finite result may be returned as a number: callers check.
    ///
    /// # Errors
    /// [`DensityError::NotFinite`] is recoverable (a rejected point); anything else ends the run.
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError>;

    /// Evaluates at several points, one after the other in `points`: writes log p and the gradient of each, NaN for the
    /// first where a point has neither. One call may cost less than many; compiled models have a program for it.
    ///
    /// # Errors
    /// As [`LogDensity::evaluate`], but for [`DensityError::NotFinite`].
    fn evaluate_points(
        &mut self,
        points: &[f64],
        values: &mut [f64],
        gradients: &mut [f64],
    ) -> Result<(), DensityError> {
        let dim = self.dim();
        one_by_one(dim, points, values, gradients, |x, g| self.evaluate(x, g))
    }

    /// Allows an evaluation this many threads, on which its result must not depend. Densities without a use for them need
    /// not implement it; compiled models have one where their data have thousands of rows.
    fn set_threads(&mut self, _threads: usize) {}
}

/// Several points, each by a function of one.
pub(crate) fn one_by_one(
    dim: usize,
    points: &[f64],
    values: &mut [f64],
    gradients: &mut [f64],
    mut evaluate: impl FnMut(&[f64], &mut [f64]) -> Result<f64, DensityError>,
) -> Result<(), DensityError> {
    let wanted = values.len() * dim;
    if let Some(&got) = [points.len(), gradients.len()].iter().find(|&&n| n != wanted) {
        return Err(DensityError::Dimension { got, wanted });
    }
    for (i, value) in values.iter_mut().enumerate() {
        let of_point = i * dim..(i + 1) * dim;
        *value = match evaluate(&points[of_point.clone()], &mut gradients[of_point]) {
            Err(DensityError::NotFinite) => f64::NAN,
            result => result?,
        };
    }
    Ok(())
}

/// Something that can be sampled: shared between threads, each of which asks for its own density.
pub trait Target: Sync {
    /// The number of unconstrained coordinates.
    fn dim(&self) -> usize;

    /// A density with a workspace of its own.
    fn density(&self) -> Box<dyn LogDensity + '_>;

    /// The names of the coordinates, in their order, so that settings can speak of some of them: the latent sites of a
    /// model; one site `x` where nothing else is said.
    fn sites(&self) -> Vec<TargetSite> {
        vec![TargetSite { name: "x".to_owned(), shape: vec![self.dim()], coordinates: self.dim() }]
    }

    /// The sites in other coordinates than those that a model is written in, so that another run can have the same.
    fn centring(&self) -> &[SiteCentring] {
        &[]
    }
}

/// A name for some coordinates of a target that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSite {
    /// The name.
    pub name: String,
    /// The shape of the site's value.
    pub shape: Vec<usize>,
    /// The number of its unconstrained coordinates: a simplex of 3 has 2.
    pub coordinates: usize,
}

/// A target made of a closure that returns log p(x) and writes its gradient; a point where either is not finite is a
/// divergence.
///
/// ```
/// use ppl_infer::Nuts;
/// use ppl_infer::density::FnTarget;
///
/// // Two independent normal coordinates with mean 3 and standard deviation 1.
/// let target = FnTarget::new(2, |x, gradient| {
///     for (g, x) in gradient.iter_mut().zip(x) {
///         *g = 3.0 - x;
///     }
///     -0.5 * x.iter().map(|x| (x - 3.0).powi(2)).sum::<f64>()
/// });
/// let posterior = Nuts::new().warmup(300).draws(500).chains(2).seed(1).run_target(&target)?;
/// // 1000 draws of variance 1: five standard errors are about 0.16.
/// assert!((posterior.mean("x")?[1] - 3.0).abs() < 0.16);
/// # Ok::<(), ppl_infer::InferError>(())
/// ```
#[derive(Clone)]
pub struct FnTarget<F> {
    dim: usize,
    function: F,
}

impl<F: Fn(&[f64], &mut [f64]) -> f64 + Sync> FnTarget<F> {
    /// A target over `dim` unconstrained coordinates: `function(x, gradient)`.
    pub fn new(dim: usize, function: F) -> Self {
        Self { dim, function }
    }
}

impl<F: Fn(&[f64], &mut [f64]) -> f64 + Sync> Target for FnTarget<F> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn density(&self) -> Box<dyn LogDensity + '_> {
        Box::new(self)
    }
}

impl<F: Fn(&[f64], &mut [f64]) -> f64 + Sync> LogDensity for &FnTarget<F> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        let wanted = self.dim;
        if let Some(&got) = [x.len(), gradient.len()].iter().find(|&&n| n != wanted) {
            return Err(DensityError::Dimension { got, wanted });
        }
        Ok((self.function)(x, gradient))
    }
}
