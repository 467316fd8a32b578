//! What can be wrong with a model, beyond the shapes of its operations.

use std::panic::Location;
use std::sync::Arc;

use ppl_autodiff::{Mistake, Shape, TraceError, mistake};
use thiserror::Error;

/// A mistake at a site. It reaches the user inside a [`ModelError`], which adds the model, the site and the line.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SiteError {
    /// Two sites of one name.
    #[error("the name is taken by the site at {}:{}", first.file(), first.line())]
    Duplicate {
        /// Where the other site stands.
        first: &'static Location<'static>,
    },
    /// A site without a name.
    #[error("a site needs a name")]
    NoName,
    /// Data that the distribution cannot produce.
    #[error("{distribution} takes {wanted}, but the value at index {index:?} is {got}")]
    OutOfSupport {
        /// The distribution.
        distribution: &'static str,
        /// Its support.
        wanted: &'static str,
        /// Where in the data (of an event, where events have axes).
        index: Vec<usize>,
        /// The value there.
        got: f64,
    },
    /// Data without elements.
    #[error("there are no observations (shape {shape})")]
    Empty {
        /// The data's shape.
        shape: Shape,
    },
    /// Data that do not fit the distribution.
    #[error("the data of shape {data} do not fit {distribution} of batch shape {batch} and event shape {event}")]
    DataShape {
        /// The data's shape.
        data: Shape,
        /// The distribution.
        distribution: &'static str,
        /// Its batch shape, plates included.
        batch: Shape,
        /// Its event shape.
        event: Shape,
    },
    /// A likelihood with more terms than there are observations.
    #[error(
        "the data of shape {data} against {distribution} of batch shape {batch} would broadcast to {log_prob}: \
         more terms than observations; reshape one to match the other"
    )]
    Broadcast {
        /// The data's shape.
        data: Shape,
        /// The distribution.
        distribution: &'static str,
        /// Its batch shape, plates included.
        batch: Shape,
        /// The shape of the log-density.
        log_prob: Shape,
    },
    /// A batch shape that does not fit the plates around the site.
    #[error("batch shape {batch} has {got} at dim {dim}, where plate `{plate}` has {size}")]
    Plate {
        /// The distribution's batch shape.
        batch: Shape,
        /// Its extent.
        got: usize,
        /// The plate's axis.
        dim: isize,
        /// The plate's name.
        plate: String,
        /// The plate's size.
        size: usize,
    },
    /// Two plates on one axis, or an axis that is not negative.
    #[error("dim = {dim} {reason}")]
    PlateDim {
        /// The axis.
        dim: isize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Data or predictors that hold NaN or an infinity.
    #[error("a data array that holds NaN or an infinity reaches this site")]
    BadData,
    /// A latent site that has no density over the real numbers.
    #[error("{distribution} is discrete ({support}) and cannot be sampled with gradients; give it data or sum it out")]
    Discrete {
        /// The distribution.
        distribution: &'static str,
        /// Its support.
        support: &'static str,
    },
    /// A given value that does not fit its site.
    #[error("a value of shape {got} was given for a site of shape {wanted}")]
    GivenShape {
        /// The value's shape.
        got: Shape,
        /// The site's shape.
        wanted: Shape,
    },
}

/// Why a model could not be traced or compiled.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The first mistake in the model's function, with model, site and source line.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// Another run of the same function had other sites.
    #[error("model `{model}`, site `{site}`, {}:{}: {change} from one run to the next", location.file(), location.line())]
    Changed {
        /// The model.
        model: String,
        /// The site.
        site: String,
        /// What changed.
        change: &'static str,
        /// Where the site stands.
        location: &'static Location<'static>,
    },
    /// Nothing to infer.
    #[error("model `{model}` has no latent site")]
    NoLatents {
        /// The model.
        model: String,
    },
}

/// Poisons the trace with a site's mistake.
#[track_caller]
pub(crate) fn site_mistake(error: SiteError) {
    mistake(Mistake::Other(Arc::new(error)));
}
