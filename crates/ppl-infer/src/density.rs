//! What a sampler needs of a target: a log-density with its gradient, and a way to get one for each thread.

use thiserror::Error;

/// Why a log-density could not be evaluated.
#[derive(Debug, Clone, Error)]
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
    Fatal(std::sync::Arc<dyn std::error::Error + Send + Sync>),
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
}

/// Something that can be sampled: shared between threads, each of which asks for its own density.
pub trait Target: Sync {
    /// The number of unconstrained coordinates.
    fn dim(&self) -> usize;

    /// A density with a workspace of its own.
    fn density(&self) -> Box<dyn LogDensity + '_>;
}
