//! Dense layers: a product of rows and weights that an algorithm may see through.

use ppl_autodiff::{Shape, Var, attribute_to};
use std::panic::Location;

use crate::error::ModelError;
use crate::minibatch::BatchModel;
use crate::model::{Model, ModelTrace};
use crate::run::{Kind, Values, with_current};

/// A dense layer, `x w` for rows `x: [.., n, k]` and weights `w: [k, m]`; the result has shape `[.., n, m]`.
///
/// It is [`Var::matmul`] everywhere but in variational inference with local reparameterisation: there the products of a
/// row with weights that have independent normal laws are drawn themselves, row by row. What makes of a row a term of the
/// log-likelihood must then see no other row.
///
/// ```
/// use ndarray::{Array1, Array2};
/// use ppl_autodiff::Var;
/// use ppl_core::dist::{Bernoulli, Normal};
/// use ppl_core::{Distribution, dense, model, observe, sample};
///
/// model! {
///     fn network(x: Array2<f64>, y: Array1<f64>) {
///         let w0 = sample!("w0", Normal::new(0.0, 1.0).expand([x.ncols(), 5]));
///         let w1 = sample!("w1", Normal::new(0.0, 1.0).expand([5, 1]));
///         let logits = dense(dense(Var::from(&x), w0).tanh(), w1);
///         observe!("y", Bernoulli::logits(logits.squeeze(-1)), y);
///     }
/// }
/// let model = network(Array2::ones((10, 3)), Array1::ones(10));
/// ```
#[track_caller]
pub fn dense(x: impl Into<Var>, w: Var) -> Var {
    let (x, location) = (x.into(), Location::caller());
    attribute_to(location, || {
        let Some(site) = with_current(|run| run.local_site(w)).flatten() else { return x.matmul(w) };
        let numbers = |shape: Shape| {
            let flat = Var::input(0, shape.size());
            (flat, flat.reshape(shape))
        };
        let (mean, m) = numbers(w.shape());
        let (sd, s) = numbers(w.shape());
        let centre = x.matmul(m);
        let (noise, e) = numbers(centre.shape());
        // So small that it changes nothing but the slope of the root at 0, where a row is all zeros.
        let spread = (x.square().matmul(s.square()) + f64::MIN_POSITIVE.sqrt()).sqrt();
        with_current(|run| run.layers.push(LocalLayer { site, mean, sd, noise, rows: rows(&centre.shape()) }));
        centre + spread * e
    })
}

/// How many rows a product has.
fn rows(shape: &Shape) -> usize {
    shape[..shape.rank().saturating_sub(1)].iter().product()
}

/// A layer whose products are drawn: its numbers beside the coordinates in slot 0.
#[derive(Clone, Copy, Debug)]
pub struct LocalLayer {
    /// The site of its weights, by its place among the sites.
    pub site: usize,
    /// The means of the weights, row-major.
    pub mean: Var,
    /// Their standard deviations.
    pub sd: Var,
    /// A standard normal number for each product, row by row.
    pub noise: Var,
    /// The number of rows.
    pub rows: usize,
}

/// Why the products of a site's weights cannot be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotLocal {
    /// The weights stand in more than one layer, whose products depend on each other.
    Twice,
    /// The density of another site takes the weights themselves.
    Used {
        /// That site.
        by: String,
    },
}

impl std::fmt::Display for NotLocal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Twice => write!(f, "its weights stand in more than one layer"),
            Self::Used { by } => write!(f, "site `{by}` takes its weights themselves"),
        }
    }
}

/// A run of a model in which products of dense layers are drawn.
pub struct LocalTrace {
    /// What was recorded; slot 0 holds the numbers of the layers beside the coordinates.
    pub trace: ModelTrace,
    /// The layers.
    pub layers: Vec<LocalLayer>,
    /// Sites in dense layers whose products are not drawn, and why.
    pub left: Vec<(String, NotLocal)>,
}

impl LocalTrace {
    /// Of a model with all its data.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub fn of_model(model: &dyn Model) -> Result<Self, ModelError> {
        Self::settle(|values| ModelTrace::unconstrained_as(model, values))
    }

    /// Of a model over batches.
    ///
    /// # Errors
    /// As [`ModelTrace::over_rows`].
    pub fn of_batches(batches: &dyn BatchModel) -> Result<Self, ModelError> {
        Self::settle(|values| ModelTrace::over_rows_as(batches, batches.batch_size(), values))
    }

    /// Runs again without the sites that do not fit until all do: leaving one out makes none of the others fit less.
    fn settle(record: impl Fn(Values) -> Result<ModelTrace, ModelError>) -> Result<Self, ModelError> {
        let mut left: Vec<(String, NotLocal)> = Vec::new();
        loop {
            let except = left.iter().map(|(name, _)| name.clone()).collect();
            let trace = record(Values::Local { except })?;
            let unfit = unfit(&trace);
            if unfit.is_empty() {
                let layers = trace.layers().to_vec();
                return Ok(Self { trace, layers, left });
            }
            left.extend(unfit);
        }
    }
}

/// The sites of layers that do not fit.
fn unfit(trace: &ModelTrace) -> Vec<(String, NotLocal)> {
    let (sites, layers) = (trace.sites(), trace.layers());
    let mut found: Vec<(String, NotLocal)> = Vec::new();
    for (i, layer) in layers.iter().enumerate() {
        let Some(site) = sites.get(layer.site) else { continue };
        if found.iter().any(|(name, _)| *name == site.name) {
            continue;
        }
        let twice = layers[i + 1..].iter().any(|l| l.site == layer.site);
        let depend = trace.traced().tape().depend_on_node(site.value.node());
        let uses = |s: &&crate::Site| {
            s.name != site.name
                && s.kind != Kind::Deterministic
                && s.log_prob.is_some_and(|term| depend[term.node() as usize])
        };
        let by = sites.iter().find(uses).map(|s| s.name.clone());
        match by {
            _ if twice => found.push((site.name.clone(), NotLocal::Twice)),
            Some(by) => found.push((site.name.clone(), NotLocal::Used { by })),
            None => {}
        }
    }
    found
}
