//! Predictions: a model's function replayed forwards for every draw, in parallel, kept whole or reduced on the way.

use std::collections::HashMap;

use indexmap::IndexMap;
use ndarray::{ArrayD, IxDyn};
use ppl_autodiff::random::{Key, Purpose};
use ppl_autodiff::{Program, Shape, Var, Workspace};
use ppl_core::model::same_sites;
use ppl_core::{Kind, Model, ModelError, ModelTrace, Outline, Site, Values};
use ppl_diagnostics::Draws;
use rayon::prelude::*;

use crate::compiled::Column;
use crate::error::InferError;
use crate::posterior::{Posterior, names};
use crate::reduce::Reducer;
use crate::runner::SettingsError;

/// Draws are evaluated side by side, this many for each thread, then folded in order: the fold does not depend on
/// threads.
const DRAWS_A_THREAD: usize = 8;

/// Bytes that draws side by side may take together; where this is too little, there is one draw for each thread.
const BYTES: usize = 64 << 20;

/// Predictions of a model, given the draws of a posterior or from its prior.
pub struct Predictive<'p> {
    model: &'p dyn Model,
    posterior: Option<&'p Draws>,
    seed: u64,
    /// The sites that every run must meet.
    outline: Vec<Outline>,
    /// The given sites in the order of the function.
    given: Vec<Column>,
    /// What can be predicted.
    columns: Vec<Column>,
    /// For a function that reads no value: its program, once for all draws, and the columns that it computes.
    program: Option<Program<f64>>,
    chains: usize,
    per_chain: usize,
    /// Draws of each chain of the posterior, of which `per_chain` are used.
    available: usize,
}

/// Draws from a model's prior: every site that has no data.
///
/// # Errors
/// The first mistake in the model; a number of draws that is 0 or too large.
pub fn prior_predictive(model: &dyn Model, draws: usize, seed: u64) -> Result<Draws, InferError> {
    // Draws are words of the random streams' counters.
    let (least, most) = (1, u32::MAX as usize);
    if draws < least || draws > most {
        return Err(InferError::Settings(SettingsError::Count { setting: "draws", got: draws, least, most }));
    }
    let mut predictive = Predictive::new(model, None, seed)?;
    (predictive.per_chain, predictive.available) = (draws, draws);
    predictive.draws()
}

impl<'p> Predictive<'p> {
    pub(crate) fn new(model: &'p dyn Model, posterior: Option<&'p Posterior>, seed: u64) -> Result<Self, InferError> {
        let values = match posterior {
            None => Values::Prior,
            Some(posterior) => Values::Given(
                posterior.draws().sites().map(|(name, a)| (name.to_owned(), Shape::from(&a.shape()[2..]))).collect(),
            ),
        };
        let trace = ModelTrace::forward(model, values, &[], Key::default())?;
        let column = |s: &Site| Column { name: s.name.clone(), shape: s.shape.clone() };
        let given: Vec<Column> = trace.sites().iter().filter(|s| s.kind == Kind::Latent).map(column).collect();
        let columns: Vec<Column> = predicted(trace.sites()).map(column).collect();
        if let Some(posterior) = posterior
            && given.is_empty()
        {
            return Err(InferError::Unrelated {
                model: model.name().to_owned(),
                fitted: posterior.model().to_owned(),
                known: names(posterior.draws()),
            });
        }
        if columns.is_empty() {
            return Err(InferError::NothingToPredict { model: model.name().to_owned() });
        }
        let posterior = posterior.map(Posterior::draws);
        let (chains, per_chain) = posterior.map_or((1, 1), |d| (d.chains(), d.draws()));
        let mut this = Self {
            model,
            posterior,
            seed,
            outline: trace.outline(),
            given,
            columns,
            program: None,
            chains,
            per_chain,
            available: per_chain,
        };
        if !trace.is_dynamic() {
            this.program = Some(this.compile(&trace)?);
        }
        Ok(this)
    }

    /// Another seed for what is drawn; by default the posterior's.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// With no more than about `draws` draws of the posterior altogether, at least one a chain, evenly spaced.
    #[must_use]
    pub fn at_most(mut self, draws: usize) -> Self {
        self.per_chain = draws.div_ceil(self.chains.max(1)).clamp(1, self.available.max(1));
        self
    }

    /// Only these sites: less to compute, and less to keep.
    ///
    /// # Errors
    /// [`InferError::UnknownSite`] for a name that is not there.
    pub fn sites(mut self, wanted: &[&str]) -> Result<Self, InferError> {
        if let Some(&site) = wanted.iter().find(|w| !self.columns.iter().any(|c| c.name == **w)) {
            let known = self.columns.iter().map(|c| c.name.clone()).collect();
            return Err(InferError::UnknownSite { model: self.model.name().to_owned(), site: site.to_owned(), known });
        }
        self.columns.retain(|c| wanted.contains(&c.name.as_str()));
        if self.program.is_some() {
            let trace = ModelTrace::forward(self.model, self.values(), &[], Key::default())?;
            self.program = Some(self.compile(&trace)?);
        }
        Ok(self)
    }

    /// All predictions, `[chain, draw, ..shape]`.
    ///
    /// # Errors
    /// A mistake on a path of the function that only some draws take.
    pub fn draws(&self) -> Result<Draws, InferError> {
        let total = self.chains * self.per_chain;
        let mut kept: Vec<Vec<f64>> = vec![Vec::new(); self.columns.len()];
        for (column, spec) in kept.iter_mut().zip(&self.columns) {
            let (draws, dim) = (total, spec.shape.size());
            let room = total.checked_mul(dim).map(|n| column.try_reserve_exact(n));
            if !matches!(room, Some(Ok(()))) {
                return Err(SettingsError::TooManyDraws { draws, dim }.into());
            }
        }
        self.for_each(|row| {
            let mut rest = row;
            for (column, spec) in kept.iter_mut().zip(&self.columns) {
                let (values, tail) = rest.split_at(spec.shape.size());
                column.extend_from_slice(values);
                rest = tail;
            }
        })?;
        let arrays = self.columns.iter().zip(kept).map(|(spec, values)| {
            let mut shape = vec![self.chains, self.per_chain];
            shape.extend_from_slice(&spec.shape);
            (spec.name.clone(), ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap_or_default())
        });
        Ok(Draws::new(arrays.collect::<Vec<_>>())?)
    }

    /// Folds the predictions of one site over all draws, in order, without keeping them: a mean and a spread of a
    /// surface of a million points take the memory of two surfaces.
    ///
    /// ```no_run
    /// # use ppl_infer::{Posterior, reduce::{Mean, Sd}};
    /// # fn f(posterior: &Posterior, grid: &dyn ppl_core::Model) -> Result<(), ppl_infer::InferError> {
    /// let (mean, sd) = posterior.predictive(grid)?.reduce("probability", (Mean::new(), Sd::new()))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`InferError::UnknownSite`] for a name that is not there; a mistake on a path that only some draws take.
    pub fn reduce<R: Reducer>(self, site: &str, mut reducer: R) -> Result<R::Output, InferError> {
        let one = self.sites(&[site])?;
        let shape = one.columns.first().map(|c| c.shape.clone()).unwrap_or_default();
        reducer.start(shape.size());
        one.for_each(|row| reducer.add(row))?;
        Ok(reducer.finish(&shape))
    }

    /// Evaluates all draws and hands their predictions to `f`, in order.
    fn for_each(&self, mut f: impl FnMut(&[f64])) -> Result<(), InferError> {
        let width: usize = self.columns.iter().map(|c| c.shape.size()).sum();
        let total = self.chains * self.per_chain;
        struct Lane {
            workspace: Option<Workspace<f64>>,
            given: Vec<f64>,
            row: Vec<f64>,
        }
        let inputs: usize = self.given.iter().map(|c| c.shape.size()).sum();
        let workspace = self.program.as_ref().map_or(0, Program::workspace_bytes);
        let bytes = workspace + (inputs + width) * size_of::<f64>();
        let threads = rayon::current_num_threads();
        let lanes = (BYTES / bytes.max(1)).clamp(threads, threads * DRAWS_A_THREAD).min(total);
        let lane = || Lane { workspace: None, given: vec![0.0; inputs], row: vec![0.0; width] };
        let mut batch: Vec<Lane> = (0..lanes).map(|_| lane()).collect();
        for start in (0..total).step_by(lanes.max(1)) {
            let used = lanes.min(total - start);
            let done: Result<Vec<()>, InferError> = batch[..used]
                .par_iter_mut()
                .enumerate()
                .map(|(i, lane)| {
                    let (chain, draw) = ((start + i) / self.per_chain, (start + i) % self.per_chain);
                    let draw = draw * self.available / self.per_chain;
                    self.gather(chain, draw, &mut lane.given);
                    let purpose =
                        if self.posterior.is_some() { Purpose::PosteriorPredictive } else { Purpose::PriorPredictive };
                    let key = Key::new(self.seed, purpose, chain as u32, draw as u32);
                    match &self.program {
                        Some(program) => {
                            let workspace = lane.workspace.get_or_insert_with(|| program.workspace());
                            program.run(workspace, &[&lane.given], &mut [&mut lane.row], &key);
                        }
                        None => {
                            // The function looks at values: it runs for each draw, at the draw's values.
                            let trace = ModelTrace::forward(self.model, self.values(), &lane.given, key)?;
                            same_sites(self.model.name(), &self.outline, &trace.outline())?;
                            let program = self.compile(&trace)?;
                            program.run(&mut program.workspace(), &[&lane.given], &mut [&mut lane.row], &key);
                        }
                    }
                    Ok(())
                })
                .collect();
            done?;
            batch[..used].iter().for_each(|lane| f(&lane.row));
        }
        Ok(())
    }

    /// The values of the given sites in one draw.
    fn gather(&self, chain: usize, draw: usize, out: &mut [f64]) {
        let Some(draws) = self.posterior else { return };
        let mut start = 0;
        for site in &self.given {
            let Some(array) = draws.get(&site.name) else {
                continue;
            };
            let values = array.index_axis(ndarray::Axis(0), chain);
            let values = values.index_axis(ndarray::Axis(0), draw);
            out[start..].iter_mut().zip(values.iter()).for_each(|(o, &v)| *o = v);
            start += site.shape.size();
        }
    }

    fn values(&self) -> Values {
        match self.posterior {
            None => Values::Prior,
            Some(_) => {
                let sites = self.given.iter().map(|c| (c.name.clone(), c.shape.clone()));
                Values::Given(sites.collect::<HashMap<_, _>>())
            }
        }
    }

    /// The columns' program. The run must have met the same sites as the first one.
    fn compile(&self, trace: &ModelTrace) -> Result<Program<f64>, ModelError> {
        same_sites(self.model.name(), &self.outline, &trace.outline())?;
        let by_name: IndexMap<&str, Var> = predicted(trace.sites()).map(|s| (s.name.as_str(), s.value)).collect();
        let outputs: Vec<Var> = self.columns.iter().filter_map(|c| by_name.get(c.name.as_str()).copied()).collect();
        Ok(Program::compile(trace.traced().tape(), &[&outputs]))
    }
}

/// What a forward run makes: drawn and deterministic sites.
fn predicted(sites: &[Site]) -> impl Iterator<Item = &Site> {
    sites.iter().filter(|s| matches!(s.kind, Kind::Drawn | Kind::Deterministic))
}
