//! What is approximated: a model, a model over batches, or a log-density of one's own.

use ppl_core::dense::LocalTrace;
use ppl_core::{BatchModel, Model, ModelError};

use super::objective::Density;
use crate::batch::BatchTarget;
use crate::compiled::CompiledModel;
use crate::compiled_batch::CompiledBatchModel;
use crate::density::{DensityError, Target};
use crate::error::SiteTable;
use crate::fit::Coordinates;
use crate::posterior::Recorded;

/// What is approximated.
pub(crate) enum Problem<'m> {
    Model(Box<CompiledModel<'m>>),
    /// With the model of all rows compiled as well, where there is one: for the table of sites.
    Batches {
        compiled: Box<CompiledBatchModel<'m>>,
        batches: &'m dyn BatchModel,
        whole: bool,
    },
    Target(&'m dyn Target, Coordinates),
    BatchTarget(&'m dyn BatchTarget, Coordinates),
}

impl<'m> Problem<'m> {
    pub fn model(model: &'m dyn Model) -> Result<Self, ModelError> {
        Ok(Self::Model(Box::new(CompiledModel::new(model)?)))
    }

    pub fn batches(batches: &'m dyn BatchModel) -> Result<Self, ModelError> {
        let compiled = Box::new(CompiledBatchModel::new(batches)?);
        Ok(Self::Batches { compiled, batches, whole: batches.whole().is_some() })
    }

    pub fn target(target: &'m dyn Target) -> Self {
        Self::Target(target, Coordinates::of(target))
    }

    pub fn batch_target(target: &'m dyn BatchTarget) -> Self {
        Self::BatchTarget(target, Coordinates::new(target.dim()))
    }

    pub fn recorded(&self) -> &dyn Recorded {
        match self {
            Self::Model(compiled) => &**compiled,
            Self::Batches { compiled, .. } => &**compiled,
            Self::Target(_, coordinates) | Self::BatchTarget(_, coordinates) => coordinates,
        }
    }

    pub fn name(&self) -> &str {
        self.recorded().name()
    }

    pub fn dim(&self) -> usize {
        match self {
            Self::Model(compiled) => Target::dim(&**compiled),
            Self::Batches { compiled, .. } => BatchTarget::dim(&**compiled),
            Self::Target(target, _) => target.dim(),
            Self::BatchTarget(target, _) => target.dim(),
        }
    }

    /// The latent sites with their numbers of unconstrained coordinates, in order; none for a log-density without sites.
    pub fn sites(&self) -> Vec<(String, usize)> {
        match self {
            Self::Model(compiled) => compiled.coordinates().to_vec(),
            Self::Batches { compiled, .. } => compiled.coordinates().to_vec(),
            Self::Target(..) | Self::BatchTarget(..) => Vec::new(),
        }
    }

    /// Whether the density over all data is to be had.
    pub fn has_whole(&self) -> bool {
        match self {
            Self::Batches { whole, .. } => *whole,
            Self::BatchTarget(target, _) => {
                // A stream says so when asked.
                let n = target.dim();
                let asked = target.density(0, 0).and_then(|mut d| d.full(&vec![0.0; n], &mut vec![0.0; n]));
                !matches!(asked, Err(DensityError::Fatal(_)))
            }
            Self::Model(_) | Self::Target(..) => true,
        }
    }

    /// A run in which products of dense layers are drawn; none for a log-density of one's own and for functions that
    /// read values.
    pub fn local_trace(&self) -> Option<Result<LocalTrace, ModelError>> {
        match self {
            Self::Model(compiled) => compiled.fixed_model().map(LocalTrace::of_model),
            Self::Batches { batches, .. } => Some(LocalTrace::of_batches(*batches)),
            Self::Target(..) | Self::BatchTarget(..) => None,
        }
    }

    pub fn open(&self, seed: u64) -> Result<Density<'_>, DensityError> {
        Ok(match self {
            Self::Model(compiled) => Density::Full(compiled.density()),
            Self::Batches { compiled, .. } => Density::Batch(compiled.density(seed, 0)?),
            Self::Target(target, _) => Density::Full(target.density()),
            Self::BatchTarget(target, _) => Density::Batch(target.density(seed, 0)?),
        })
    }

    /// The log-density of each site at a point; empty for a log-density without sites.
    pub fn table(&self, point: &[f64]) -> Result<SiteTable, ModelError> {
        match self {
            Self::Model(compiled) => compiled.table(point),
            Self::Batches { batches, .. } => {
                let model = match batches.whole() {
                    Some(model) => model,
                    None => {
                        let [probe, _] = batches.probes(batches.batch_size())?;
                        probe.model
                    }
                };
                CompiledModel::new(&*model)?.table(point)
            }
            Self::Target(..) | Self::BatchTarget(..) => Ok(SiteTable::default()),
        }
    }
}
