//! Why there is no variational fit.

use ppl_autodiff::TraceError;
use thiserror::Error;

use super::local::WhyNot;
use crate::density::DensityError;
use crate::error::SiteTable;

/// Why there is no variational fit.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum VariationalError {
    /// The objective was not finite too often: the density of each site at the last draw.
    #[error(
        "model `{model}`: the objective is not finite in {in_a_row} steps in a row, up to iteration {iteration}; at the last draw:\n{table}"
    )]
    NotFinite {
        /// The model.
        model: String,
        /// The iteration, from 0.
        iteration: u64,
        /// Steps without a finite draw.
        in_a_row: u64,
        /// The sites at the last draw.
        table: SiteTable,
    },
    /// The parameters were not finite after a step: the learning rate is too large.
    #[error(
        "model `{model}`: the parameters are not finite after iteration {iteration}: try a smaller learning rate or clipping"
    )]
    Diverged {
        /// The model.
        model: String,
        /// The iteration, from 0.
        iteration: u64,
    },
    /// The density failed.
    #[error("iteration {iteration}: {error}")]
    Density {
        /// The iteration, from 0.
        iteration: u64,
        /// How.
        error: DensityError,
    },
    /// No point with a finite density to start at.
    #[error("model `{model}` has no finite log-density with finite gradient at the start")]
    NoStart {
        /// The model.
        model: String,
    },
    /// A saved state that does not belong to the model.
    #[error("the saved fit has {got} {what}, the model wants {wanted}")]
    State {
        /// What does not fit.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many are wanted.
        wanted: usize,
    },
    /// The curvature at the mode is not that of a maximum.
    #[error("model `{model}`: the log-density is not strictly concave at the point that was found")]
    NotConcave {
        /// The model.
        model: String,
    },
    /// A family for a site that is not there.
    #[error("there is no latent site `{site}` for a block of its own; there are {known:?}")]
    NoSite {
        /// The name asked for.
        site: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Local reparameterisation of a model that it does not fit.
    #[error("model `{model}` cannot be fitted with local reparameterisation: {why}")]
    NotLocal {
        /// The model.
        model: String,
        /// Why.
        why: WhyNot,
    },
    /// A family that could not be built.
    #[error("the family could not be built: {error}")]
    Family {
        /// Why.
        error: Box<TraceError>,
    },
}
