//! Models: functions with sites, traced when somebody asks for something.
//!
//! ```
//! use ppl_autodiff::Program;
//! use ppl_core::dist::Normal;
//! use ppl_core::{ModelTrace, model, observe, sample};
//!
//! model! {
//!     /// A normal mean with known spread.
//!     fn location(y: Vec<f64>) {
//!         let mean = sample!("mean", Normal::new(0.0, 10.0));
//!         observe!("y", Normal::new(mean, 1.0), y);
//!     }
//! }
//! let (terms, trace) = ModelTrace::unconstrained(&location(vec![1.0, 3.0]), &[])?.terms()?;
//! let program = Program::<f64>::compile(trace.traced().tape(), &[&[terms.likelihood]]);
//! let mut likelihood = [0.0];
//! program.evaluate(&mut program.workspace(), &[&[2.0]], &mut [&mut likelihood]);
//! // Two observations at distance 1 from the mean: 2 (-1/2 - ln sqrt(2 pi)).
//! assert!((likelihood[0] + 1.0 + (2.0 * std::f64::consts::PI).ln()).abs() < 1e-12);
//! # Ok::<(), ppl_core::ModelError>(())
//! ```

use std::fmt;
use std::sync::Arc;

use ppl_autodiff::data_slots::DataSlot;
use ppl_autodiff::dynamic::Reader;
use ppl_autodiff::random::Key;
use ppl_autodiff::{Scope, Trace, Traced, Var, attribute_to};

use crate::centring::Coordinates;
use crate::dense::LocalLayer;
use crate::error::{Change, ModelError, SiteError, site_mistake};
use crate::minibatch::{BatchError, BatchModel};
use crate::run::{Kind, Outline, Site, Values, with_run};

/// A function with sites and its data. Usually made by [`model!`](crate::model!).
pub trait Model: Send + Sync {
    /// The name, for errors.
    fn name(&self) -> &str;

    /// Runs the function. Sites and operations go to the run that asked for it.
    fn run(&self);
}

macro_rules! forward {
    ($($pointer:ty),*) => { $(impl<M: Model + ?Sized> Model for $pointer {
        fn name(&self) -> &str {
            (**self).name()
        }
        fn run(&self) {
            (**self).run();
        }
    })* };
}
forward!(&M, Box<M>, Arc<M>);

/// A model made of a closure.
///
/// ```
/// use ppl_core::dist::Normal;
/// use ppl_core::model::{FnModel, Model, ModelTrace};
/// let model = FnModel::new("one", || {
///     ppl_core::sample("x", || Normal::new(0.0, 1.0));
/// });
/// let trace = ModelTrace::unconstrained(&model, &[])?;
/// assert_eq!(trace.sites()[0].name, "x");
/// # Ok::<(), ppl_core::ModelError>(())
/// ```
#[derive(Clone)]
pub struct FnModel<F> {
    name: &'static str,
    function: F,
}

impl<R, F: Fn() -> R + Send + Sync> FnModel<F> {
    /// A model with a name for errors.
    pub fn new(name: &'static str, function: F) -> Self {
        Self { name, function }
    }
}

impl<F> fmt::Debug for FnModel<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "model `{}`", self.name)
    }
}

impl<R, F: Fn() -> R + Send + Sync> Model for FnModel<F> {
    fn name(&self) -> &str {
        self.name
    }
    fn run(&self) {
        (self.function)();
    }
}

/// The terms of a model's log-density, each summed over its sites. Which of them an algorithm wants is its business;
/// that none is counted twice is settled here.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The log-density of latent sites and factors.
    pub prior: Var,
    /// The log-density of data; over batches, that of the rows times `total_size / batch_size`.
    pub likelihood: Var,
    /// Over batches, the part of the likelihood that depends on the rows, unscaled; else 0.
    pub rows: Var,
    /// The part of the likelihood that does not.
    pub fixed: Var,
    /// The log-Jacobian of the transforms.
    pub log_det: Var,
}

impl Terms {
    /// The log-density over unconstrained space.
    pub fn log_density(&self) -> Var {
        self.prior + self.likelihood + self.log_det
    }
}

/// One recorded run of a model.
pub struct ModelTrace {
    traced: Traced,
    sites: Vec<Site>,
    layers: Vec<LocalLayer>,
    /// Of a run over batches: how often the rows count.
    row_scale: Option<f64>,
}

/// The input slot of the first array of a batch; slot 0 holds the coordinates.
pub const FIRST_DATA_SLOT: usize = 1;

impl ModelTrace {
    /// Runs a model over unconstrained space; values are read at `point`, which counts as filled up with zeros.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub fn unconstrained(model: &dyn Model, point: &[f64]) -> Result<Self, ModelError> {
        Self::record(model, Values::Unconstrained, Trace::default().point(&[point]))
    }

    /// As [`ModelTrace::unconstrained`], with another way to values over unconstrained space, which are read at zero.
    pub(crate) fn unconstrained_as(model: &dyn Model, values: Values) -> Result<Self, ModelError> {
        Self::record(model, values, Trace::default().point(&[&[]]))
    }

    /// As [`ModelTrace::unconstrained`], for repeated runs that read values: `reader` keeps the programs for that.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub fn unconstrained_with(model: &dyn Model, point: &[f64], reader: Reader) -> Result<Self, ModelError> {
        Self::record(model, Values::Unconstrained, Trace::default().point(&[point]).reader(reader))
    }

    /// As [`ModelTrace::unconstrained`], in coordinates that are chosen for hierarchical sites.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub fn in_coordinates(model: &dyn Model, coordinates: Coordinates) -> Result<Self, ModelError> {
        Self::unconstrained_as(model, Values::Chosen(coordinates))
    }

    /// Runs a model forwards: sites are given or drawn. Values are read at `point` with the draws of `key`.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub fn forward(model: &dyn Model, values: Values, point: &[f64], key: Key) -> Result<Self, ModelError> {
        Self::record(model, values, Trace::default().point(&[point]).key(key))
    }

    /// Runs a model of `rows` rows over unconstrained space, with the arrays of its batches as input slots from
    /// [`FIRST_DATA_SLOT`] on. The likelihood of the rows counts `total_size / rows` times.
    ///
    /// # Errors
    /// The first mistake in the model; a stream that failed; a model that computes with the rows before they enter the
    /// tape, or has a latent value for each row.
    pub fn over_rows(batches: &dyn BatchModel, rows: usize) -> Result<Self, ModelError> {
        Self::over_rows_as(batches, rows, Values::Unconstrained)
    }

    /// As [`ModelTrace::over_rows`], with another way to values over unconstrained space.
    pub(crate) fn over_rows_as(batches: &dyn BatchModel, rows: usize, values: Values) -> Result<Self, ModelError> {
        let [first, other] = batches.probes(rows)?;
        let trace = Self::unconstrained_as(&*first.model, values.clone())?;
        if trace.is_dynamic() {
            return Err(BatchError::Dynamic.into());
        }
        let second = Self::unconstrained_as(&*other.model, values)?;
        same_sites(first.model.name(), &trace.outline(), &second.outline())?;
        let slots: Vec<DataSlot> =
            first.data.into_iter().zip(other.data).map(|(first, other)| DataSlot { first, other }).collect();
        let traced = trace.traced.with_data_slots(&second.traced, FIRST_DATA_SLOT, &slots)?;
        let row_scale = Some(batches.total_size() as f64 / rows as f64);
        let [one_row, _] = batches.probes(1)?;
        let one_row = Self::unconstrained(&*one_row.model, &[])?.outline();
        Self { traced, sites: trace.sites, layers: trace.layers, row_scale }.without_local_latents(&one_row)
    }

    /// That no latent site depends on the rows of a batch, by its density or by its shape.
    fn without_local_latents(self, one_row: &[Outline]) -> Result<Self, ModelError> {
        let by_rows = self.traced.tape().depend_on_slots(FIRST_DATA_SLOT);
        let grows = |s: &Site| one_row.iter().any(|o| o.name == s.name && o.shape != s.shape);
        let local =
            |s: &&Site| s.kind == Kind::Latent && (grows(s) || s.log_prob.is_some_and(|v| by_rows[v.node() as usize]));
        let Some(site) = self.sites.iter().find(local).cloned() else { return Ok(self) };
        let refuse = || {
            let _scope = Scope::enter(&site.name);
            attribute_to(site.location, || site_mistake(SiteError::LocalLatent));
        };
        let (_, traced) = self.traced.extend(refuse)?;
        Ok(Self { traced, ..self })
    }

    fn record(model: &dyn Model, values: Values, trace: Trace) -> Result<Self, ModelError> {
        let (((), sites, layers), traced) = trace.model(model.name()).run(|| with_run(values, || model.run()))?;
        Ok(Self { traced, sites, layers, row_scale: None })
    }

    /// The sites in the order in which the function met them.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The dense layers whose products are drawn.
    pub fn layers(&self) -> &[LocalLayer] {
        &self.layers
    }

    /// What may not change from run to run.
    pub fn outline(&self) -> Vec<Outline> {
        self.sites.iter().map(Site::outline).collect()
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        self.traced.model().unwrap_or_default()
    }

    /// The tape with what was recorded.
    pub fn traced(&self) -> &Traced {
        &self.traced
    }

    /// Whether the function read a value.
    pub fn is_dynamic(&self) -> bool {
        self.traced.is_dynamic()
    }

    /// Records more on the tape of this run.
    ///
    /// # Errors
    /// The first mistake in `f`.
    pub fn extend<R>(self, f: impl FnOnce(&[Site]) -> R) -> Result<(R, Self), ModelError> {
        let Self { traced, sites, layers, row_scale } = self;
        let (result, traced) = traced.extend(|| f(&sites))?;
        Ok((result, Self { traced, sites, layers, row_scale }))
    }

    /// Records the terms of the log-density.
    ///
    /// # Errors
    /// The first mistake in a term.
    pub fn terms(self) -> Result<(Terms, Self), ModelError> {
        let row_scale = self.row_scale;
        let by_rows = row_scale.map(|_| self.traced.tape().depend_on_slots(FIRST_DATA_SLOT));
        let of_rows = |s: &Site| {
            let node = s.log_prob.map(|v| v.node() as usize);
            by_rows.as_ref().zip(node).is_some_and(|(by_rows, node)| by_rows[node])
        };
        self.extend(|sites| {
            let total = |pick: &dyn Fn(&Site) -> Option<Var>| {
                sites
                    .iter()
                    .filter_map(|s| {
                        let _scope = Scope::enter(&s.name);
                        attribute_to(s.location, || Some(pick(s)?.sum()))
                    })
                    .sum::<Var>()
            };
            let rows = total(&|s| s.log_prob.filter(|_| of_rows(s)));
            let fixed = total(&|s| s.log_prob.filter(|_| s.kind == Kind::Observed && !of_rows(s)));
            Terms {
                prior: total(&|s| s.log_prob.filter(|_| s.kind != Kind::Observed && !of_rows(s))),
                likelihood: row_scale.map_or(fixed, |scale| fixed + rows * scale),
                rows,
                fixed,
                log_det: total(&|s| s.unconstrained.map(|(_, log_det)| log_det)),
            }
        })
    }
}

/// That two runs of one model met the same sites.
///
/// # Errors
/// [`ModelError::Changed`] for the first site that differs in name, kind, shape or support.
pub fn same_sites(model: &str, before: &[Outline], after: &[Outline]) -> Result<(), ModelError> {
    let changed = |site: &Outline, change| {
        Err(ModelError::Changed { model: model.to_owned(), site: site.name.clone(), change, location: site.location })
    };
    for (a, b) in before.iter().zip(after) {
        let a = a.clone();
        if a.name != b.name {
            return changed(b, Change::Name { before: a.name });
        }
        if a.kind != b.kind {
            let (before, after) = (a.kind, b.kind);
            return changed(b, Change::Kind { before, after });
        }
        if a.shape != b.shape {
            let (before, after) = (a.shape, b.shape.clone());
            return changed(b, Change::Shape { before, after });
        }
        if a.support != b.support {
            let (before, after) = (a.support.unwrap_or("none"), b.support.unwrap_or("none"));
            return changed(b, Change::Support { before, after });
        }
    }
    match (before.get(after.len()), after.get(before.len())) {
        (Some(gone), _) => changed(gone, Change::Disappears),
        (_, Some(new)) => changed(new, Change::Appears),
        (None, None) => Ok(()),
    }
}
