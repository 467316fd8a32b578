//! What can be wrong with a model, beyond the shapes of its operations.

use std::panic::Location;
use std::sync::Arc;

use ppl_autodiff::tape::BadData;
use ppl_autodiff::{Mistake, Shape, TraceError, mistake};
use thiserror::Error;

use crate::minibatch::BatchError;
use crate::run::Kind;

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
    #[error("the name is empty")]
    NoName,
    /// Data that the distribution cannot produce.
    #[error("{distribution} takes {wanted}, but {} {got}", value_at(.index))]
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
    #[error("the data are empty (shape {shape}); to draw the site, give `None` instead of data")]
    Empty {
        /// The data's shape.
        shape: Shape,
    },
    /// Data that do not fit the distribution.
    #[error(
        "the data of shape {data} do not fit {}: aligned from the right, extents must be equal",
        law(.distribution, .batch, .event)
    )]
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
        "the data of shape {data} against {} would make a likelihood of shape {log_prob}: more terms than \
         observations; reshape one to match the other",
        law(.distribution, .batch, .event)
    )]
    Broadcast {
        /// The data's shape.
        data: Shape,
        /// The distribution.
        distribution: &'static str,
        /// Its batch shape, plates included.
        batch: Shape,
        /// Its event shape.
        event: Shape,
        /// The shape of the log-density.
        log_prob: Shape,
    },
    /// A batch shape that does not fit the plates around the site.
    #[error(
        "{distribution} of batch shape {batch} has extent {got} at dim {dim}, where plate `{plate}` has size {size}"
    )]
    Plate {
        /// The distribution.
        distribution: &'static str,
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
    /// An axis that a plate cannot have because it does not count from the right, or lies too far left.
    #[error("plate `{plate}`: dim = {dim}, but dims count from the right, from -1 to -{most}")]
    PlateDim {
        /// The plate.
        plate: String,
        /// The axis.
        dim: isize,
        /// The most axes that plates may span.
        most: usize,
    },
    /// Two plates on one axis.
    #[error("plate `{plate}`: dim = {dim} is taken by plate `{other}` around it")]
    PlateTaken {
        /// The plate.
        plate: String,
        /// The axis.
        dim: isize,
        /// The plate that has it.
        other: String,
    },
    /// Data or predictors that hold NaN or an infinity.
    #[error(
        "its log-density depends on an array of shape {} that {} {} (it comes from {}:{})",
        .0.shape, holds(&.0.index), .0.value, .0.location.file(), .0.location.line()
    )]
    BadData(BadData),
    /// A site inside a function that the model itself traces.
    #[error("`{operation}` inside a function that the model differentiates or traces: sites belong outside it")]
    InnerTrace {
        /// The macro.
        operation: &'static str,
    },
    /// A latent site that has no density over the real numbers.
    #[error("{distribution} is discrete ({support}) and cannot be sampled with gradients; give it data or sum it out")]
    Discrete {
        /// The distribution.
        distribution: &'static str,
        /// Its support.
        support: &'static str,
    },
    /// A latent site for each row of a batch.
    #[error(
        "its density or its shape depends on the rows of the batch: a latent value for each row cannot be inferred \
         from batches; sum it out, or use all data"
    )]
    LocalLatent,
    /// A given value that does not fit its site.
    #[error("the values given for it have shape {got}, but here the site has shape {wanted}")]
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
    #[error(
        "model `{model}`, site `{site}`, {}:{}: {change}; a model must meet the same sites in every run",
        location.file(), location.line()
    )]
    Changed {
        /// The model.
        model: String,
        /// The site.
        site: String,
        /// What changed.
        change: Change,
        /// Where the site stands.
        location: &'static Location<'static>,
    },
    /// Data in batches that cannot be had or bound.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Nothing to infer.
    #[error(
        "model `{model}` has no latent site: every site has data or is without elements, so nothing can be inferred"
    )]
    NoLatents {
        /// The model.
        model: String,
    },
}

/// What changed at a site from one run of a model to the next.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Change {
    /// Another site stands in its place.
    #[error("site `{before}` stood here in an earlier run")]
    Name {
        /// The other site.
        before: String,
    },
    /// It is no longer latent, or no longer data.
    #[error("it was {before} in an earlier run and is {after} now")]
    Kind {
        /// What it was.
        before: Kind,
        /// What it is.
        after: Kind,
    },
    /// Another shape.
    #[error("its shape was {before} in an earlier run and is {after} now")]
    Shape {
        /// The shape it had.
        before: Shape,
        /// The shape it has.
        after: Shape,
    },
    /// Another support.
    #[error("its support was {before} in an earlier run and is {after} now")]
    Support {
        /// The support it had.
        before: &'static str,
        /// The support it has.
        after: &'static str,
    },
    /// It was not there before.
    #[error("it was not there in an earlier run")]
    Appears,
    /// It is not there any more.
    #[error("it was there in an earlier run and is missing now")]
    Disappears,
}

/// `Normal of batch shape [3]`, with the event shape where events have axes.
fn law(distribution: &str, batch: &Shape, event: &Shape) -> String {
    match event.rank() {
        0 => format!("{distribution} of batch shape {batch}"),
        _ => format!("{distribution} of batch shape {batch} and event shape {event}"),
    }
}

fn value_at(index: &[usize]) -> String {
    match index {
        [] => "the value is".to_owned(),
        _ => format!("the value at index {index:?} is"),
    }
}

fn holds(index: &[usize]) -> String {
    format!("at index {index:?} holds")
}

/// Poisons the trace with a site's mistake.
#[track_caller]
pub(crate) fn site_mistake(error: SiteError) {
    mistake(Mistake::Other(Arc::new(error)));
}
