//! A model compiled for inference: its log-density with gradient, and the way from coordinates to sites.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::Array2;
use ppl_autodiff::dynamic::{Reader, signature};
use ppl_autodiff::{Program, Real, Shape, Var, Workspace, attribute_to, gradient};
use ppl_core::model::{Terms, same_sites};
use ppl_core::{Kind, Model, ModelError, ModelTrace, Outline, Site};

use crate::centring::{self, Choices, Found, Pilot, SiteCentring};
use crate::density::{DensityError, LogDensity, Target, TargetSite, one_by_one};
use crate::error::{InferError, SiteRow, SiteTable};
use crate::posterior::{Mapping, Recorded};
use crate::runner::SettingsError;
use crate::together::{Shared, Together};

/// Programs kept for a function that reads values before the cache starts anew.
const MAX_PROGRAMS: usize = 256;

/// The name and the shape of a recorded site.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The site.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
}

/// The programs of one path through a model's function.
struct Path {
    /// Coordinates in; the log-density and its gradient out.
    density: Program<f64>,
    /// Coordinates in; the values of the columns out.
    values: Program<f64>,
}

/// A model compiled for inference.
///
/// A function that never reads a value is traced once and has one path. One that does is run again at every
/// evaluation, and the path that it takes selects compiled programs.
pub struct CompiledModel<'m> {
    model: &'m dyn Model,
    dim: usize,
    outline: Vec<Outline>,
    columns: Vec<Column>,
    coordinates: Vec<(String, usize)>,
    /// Sites in other coordinates than those that they are written in.
    centring: Vec<SiteCentring>,
    pilot_gradients: usize,
    fixed: Option<Arc<Path>>,
    /// For several points at once.
    together: Shared,
    paths: Mutex<HashMap<u64, Arc<Path>>>,
    reader: Reader,
}

/// A second point, away from zero, at which the function must meet the same sites.
const OTHER_POINT: f64 = 0.5;

impl<'m> CompiledModel<'m> {
    /// Traces, differentiates and compiles a model.
    ///
    /// # Errors
    /// The first mistake in the model; sites that change between two runs; a model without latent sites.
    pub fn new(model: &'m dyn Model) -> Result<Self, ModelError> {
        let reader = Reader::default();
        let trace = ModelTrace::unconstrained_with(model, &[], reader.clone())?;
        let dim = trace.traced().tape().slots().first().copied().unwrap_or(0);
        if dim == 0 {
            return Err(ModelError::NoLatents { model: model.name().to_owned() });
        }
        let other = ModelTrace::unconstrained_with(model, &vec![OTHER_POINT; dim], reader.clone())?;
        same_sites(model.name(), &trace.outline(), &other.outline())?;
        let outline = trace.outline();
        let columns = kept(trace.sites()).map(|s| Column { name: s.name.clone(), shape: s.shape.clone() }).collect();
        let (coordinates, trace) = trace.extend(coordinates)?;
        let dynamic = trace.is_dynamic();
        let mark = signature(trace.traced().tape(), trace.traced().tape().nodes().len() as u32);
        let path = Arc::new(compile(trace)?);
        let fixed = (!dynamic).then(|| path.clone());
        Ok(Self {
            model,
            dim,
            outline,
            columns,
            coordinates,
            centring: Vec::new(),
            pilot_gradients: 0,
            fixed,
            together: Shared::default(),
            paths: Mutex::new(HashMap::from([(mark, path)])),
            reader,
        })
    }

    /// As [`CompiledModel::new`], in standard coordinates for some sites.
    ///
    /// # Errors
    /// As [`CompiledModel::new`]; [`CentringError`](crate::centring::CentringError) where sites have no such coordinates.
    pub fn centred(model: &'m dyn Model, centring: Vec<SiteCentring>) -> Result<Self, InferError> {
        let as_written = Self::new(model)?;
        if !centring.is_empty() {
            Choices::of(model)?.check(&centring).map_err(SettingsError::from)?;
        }
        Ok(as_written.in_coordinates(centring)?)
    }

    /// As [`CompiledModel::new`], in the coordinates that a pilot chooses, unless `interrupt` is set.
    pub(crate) fn piloted(
        model: &'m dyn Model,
        seed: u64,
        threads: usize,
        interrupt: &AtomicBool,
    ) -> Result<Self, ModelError> {
        let as_written = Self::new(model)?;
        if as_written.fixed.is_none() {
            return Ok(as_written);
        }
        let Some(pilot) = Pilot::new(Choices::of(model)?)? else { return Ok(as_written) };
        let Found { centring, gradients } = pilot.run(seed, threads, interrupt);
        Ok(Self { pilot_gradients: gradients, ..as_written.in_coordinates(centring)? })
    }

    /// The same model in coordinates that fit it.
    fn in_coordinates(self, centring: Vec<SiteCentring>) -> Result<Self, ModelError> {
        if centring.is_empty() {
            return Ok(self);
        }
        let path = compile(ModelTrace::in_coordinates(self.model, centring::coordinates(&centring))?)?;
        Ok(Self { centring, fixed: Some(Arc::new(path)), ..self })
    }

    /// The sites in other coordinates than those that they are written in.
    pub fn centring(&self) -> &[SiteCentring] {
        &self.centring
    }

    /// Gradients that the choice of coordinates took.
    pub fn pilot_gradients(&self) -> usize {
        self.pilot_gradients
    }

    /// Points `[.., coordinate]` in the coordinates that the model is written in, in those of this model.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub(crate) fn standardised(&self, points: &Array2<f64>) -> Result<Array2<f64>, ModelError> {
        if self.centring.is_empty() || points.ncols() != self.dim {
            return Ok(points.clone());
        }
        centring::standardise(self.model, &self.centring, points)
    }

    /// A run of the model over its coordinates; values are read at a point.
    fn trace(&self, point: &[f64]) -> Result<ModelTrace, ModelError> {
        match self.centring.is_empty() {
            true => ModelTrace::unconstrained(self.model, point),
            false => ModelTrace::in_coordinates(self.model, centring::coordinates(&self.centring)),
        }
    }

    /// The sites whose values are recorded, in order: latent and deterministic ones.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The model, if its function reads no values.
    pub(crate) fn fixed_model(&self) -> Option<&'m dyn Model> {
        self.fixed.as_ref().map(|_| self.model)
    }

    /// The latent sites with their numbers of unconstrained coordinates, in the order of the coordinates.
    pub fn coordinates(&self) -> &[(String, usize)] {
        &self.coordinates
    }

    /// The number of recorded values of one draw.
    pub fn width(&self) -> usize {
        self.columns.iter().map(|c| c.shape.size()).sum()
    }

    /// The program of the log-density and its gradient, of a function with one path; for inspection and benchmarks.
    pub fn program(&self) -> Option<&Program<f64>> {
        self.fixed.as_ref().map(|path| &path.density)
    }

    /// A function from coordinates to the values of the columns, one after the other, with a workspace of its own.
    pub fn constrain(&self) -> Constrain<'_> {
        Constrain { compiled: self, workspace: None }
    }

    /// The log-density of each site at a point.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub fn table(&self, point: &[f64]) -> Result<SiteTable, ModelError> {
        let trace = self.trace(point)?;
        let (terms, trace) = trace.extend(|sites| {
            sites.iter().filter_map(|s| attribute_to(s.location, || term(s))).collect::<Vec<(Var, Var)>>()
        })?;
        let (sums, bad): (Vec<Var>, Vec<Var>) = terms.into_iter().unzip();
        let program = Program::<f64>::compile(trace.traced().tape(), &[&sums, &bad]);
        let (mut sum, mut count) = (vec![0.0; sums.len()], vec![0.0; bad.len()]);
        program.evaluate(&mut program.workspace(), &[point], &mut [&mut sum, &mut count]);
        let rows = trace.sites().iter().filter(|s| s.log_prob.is_some()).zip(sum.iter().zip(&count)).map(
            |(s, (&sum, &bad))| SiteRow {
                site: s.name.clone(),
                distribution: s.distribution.unwrap_or_default().to_owned(),
                shape: s.shape.to_string(),
                location: format!("{}:{}", s.location.file(), s.location.line()),
                log_density: sum,
                bad: bad as usize,
            },
        );
        Ok(SiteTable(rows.collect()))
    }

    /// The programs for the path that the function takes at a point.
    fn path(&self, point: &[f64]) -> Result<Arc<Path>, ModelError> {
        if let Some(path) = &self.fixed {
            return Ok(path.clone());
        }
        let trace = ModelTrace::unconstrained_with(self.model, point, self.reader.clone())?;
        same_sites(self.model.name(), &self.outline, &trace.outline())?;
        let tape = trace.traced().tape();
        let mark = signature(tape, tape.nodes().len() as u32);
        if let Some(path) = self.lock().get(&mark) {
            return Ok(path.clone());
        }
        let path = Arc::new(compile(trace)?);
        let mut paths = self.lock();
        if paths.len() >= MAX_PROGRAMS {
            paths.clear();
        }
        paths.insert(mark, path.clone());
        Ok(path)
    }

    /// The program for so many points at once; none where one by one is as well, or the function reads values.
    fn points_program(&self, points: usize) -> Result<Option<Arc<Program<f64>>>, ModelError> {
        let Some(path) = &self.fixed else { return Ok(None) };
        self.together.program(points, &path.density, || {
            let (terms, trace) = self.trace(&[])?.terms()?;
            let ((density, slopes), trace) = trace.extend(|sites| density_and_gradient(&terms, sites))?;
            Ok(Program::over_points(trace.traced().tape(), points, &[&[density], &slopes]))
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Path>>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Latent sites with their numbers of unconstrained coordinates.
pub(crate) fn coordinates(sites: &[Site]) -> Vec<(String, usize)> {
    sites.iter().filter_map(|s| s.unconstrained.map(|(x, _)| (s.name.clone(), x.shape().size()))).collect()
}

/// Latent and deterministic sites.
fn kept(sites: &[Site]) -> impl Iterator<Item = &Site> {
    sites.iter().filter(|s| matches!(s.kind, Kind::Latent | Kind::Deterministic))
}

/// A site's log-density with its log-Jacobian, and the number of its terms that are not finite.
fn term(site: &Site) -> Option<(Var, Var)> {
    let log_prob = site.log_prob?;
    let log_det = site.unconstrained.map_or_else(|| Var::from(0.0), |(_, log_det)| log_det.sum());
    let bad = (1.0 - log_prob.abs().lt(f64::INFINITY)).sum();
    Some((log_prob.sum() + log_det, bad))
}

fn compile(trace: ModelTrace) -> Result<Path, ModelError> {
    let values: Vec<Var> = kept(trace.sites()).map(|s| s.value).collect();
    let (terms, trace) = trace.terms()?;
    let ((density, slopes), trace) = trace.extend(|sites| density_and_gradient(&terms, sites))?;
    let tape = trace.traced().tape();
    let density = Program::compile(tape, &[&[density], &slopes]);
    let values = Program::compile(tape, &[&values]);
    Ok(Path { density, values })
}

/// The log-density of a model over unconstrained space and its gradient, for a number type of one's choice: coordinates
/// in; the value and, if asked for, the gradient out. What the function reads of values is read at zero.
///
/// # Errors
/// The first mistake in the model.
pub fn density_program<T: Real>(model: &dyn Model, with_gradient: bool) -> Result<Program<T>, ModelError> {
    let (terms, trace) = ModelTrace::unconstrained(model, &[])?.terms()?;
    let ((density, slopes), trace) = trace.extend(|sites| density_and_gradient(&terms, sites))?;
    let tape = trace.traced().tape();
    Ok(if with_gradient {
        Program::compile(tape, &[&[density], &slopes])
    } else {
        Program::compile(tape, &[&[density]])
    })
}

/// The log-density of a run and its gradient.
///
/// # Errors
/// The first mistake in a term.
pub(crate) fn compile_density(trace: ModelTrace) -> Result<Program<f64>, ModelError> {
    let (terms, trace) = trace.terms()?;
    let ((density, slopes), trace) = trace.extend(|sites| density_and_gradient(&terms, sites))?;
    Ok(Program::compile(trace.traced().tape(), &[&[density], &slopes]))
}

fn density_and_gradient(terms: &Terms, sites: &[Site]) -> (Var, Vec<Var>) {
    let density = terms.log_density();
    let coordinates: Vec<Var> = sites.iter().filter_map(|s| s.unconstrained.map(|(x, _)| x)).collect();
    (density, gradient(density, &coordinates))
}

/// The workspace of a program, kept as long as the path stays the same.
struct Held {
    path: Arc<Path>,
    workspace: Workspace<f64>,
}

impl Held {
    fn renew(held: &mut Option<Held>, path: Arc<Path>, program: fn(&Path) -> &Program<f64>) -> &mut Held {
        if held.as_ref().is_some_and(|h| !Arc::ptr_eq(&h.path, &path)) {
            *held = None;
        }
        held.get_or_insert_with(|| Held { workspace: program(&path).workspace(), path })
    }
}

/// From coordinates to sites; see [`CompiledModel::constrain`].
pub struct Constrain<'c> {
    compiled: &'c CompiledModel<'c>,
    workspace: Option<Held>,
}

impl Constrain<'_> {
    /// Writes the values of the columns at a point, `width` numbers.
    ///
    /// # Errors
    /// Where the function reads values: what is wrong with the path taken at this point.
    pub fn apply(&mut self, point: &[f64], out: &mut [f64]) -> Result<(), ModelError> {
        let path = self.compiled.path(point)?;
        let held = Held::renew(&mut self.workspace, path, |p| &p.values);
        held.path.values.evaluate(&mut held.workspace, &[point], &mut [out]);
        Ok(())
    }
}

struct Density<'c> {
    compiled: &'c CompiledModel<'c>,
    held: Option<Held>,
    together: Together,
    threads: usize,
}

impl LogDensity for Density<'_> {
    fn dim(&self) -> usize {
        self.compiled.dim
    }

    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        let dim = self.compiled.dim;
        if let Some(&got) = [x.len(), gradient.len()].iter().find(|&&n| n != dim) {
            return Err(DensityError::Dimension { got, wanted: dim });
        }
        let held = match &mut self.held {
            Some(held) if self.compiled.fixed.is_some() => held,
            held => {
                let path = self.compiled.path(x).map_err(|e| DensityError::Fatal(Arc::new(e)))?;
                Held::renew(held, path, |p| &p.density)
            }
        };
        held.workspace.set_threads(self.threads);
        let mut value = [0.0];
        held.path.density.evaluate(&mut held.workspace, &[x], &mut [&mut value, gradient]);
        Ok(value[0])
    }

    fn evaluate_points(
        &mut self,
        points: &[f64],
        values: &mut [f64],
        gradients: &mut [f64],
    ) -> Result<(), DensityError> {
        let compiled = self.compiled;
        if self.together.evaluate(|n| compiled.points_program(n), &[points], values, gradients)? {
            return Ok(());
        }
        one_by_one(compiled.dim, points, values, gradients, |x, g| self.evaluate(x, g))
    }

    fn set_threads(&mut self, threads: usize) {
        self.threads = threads;
    }
}

impl Recorded for CompiledModel<'_> {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn map(&self) -> Mapping<'_> {
        let mut constrain = self.constrain();
        Box::new(move |point, out| constrain.apply(point, out))
    }
}

impl Target for CompiledModel<'_> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn density(&self) -> Box<dyn LogDensity + '_> {
        Box::new(Density { compiled: self, held: None, together: Together::default(), threads: 1 })
    }

    fn sites(&self) -> Vec<TargetSite> {
        let shape = |name: &str| self.columns.iter().find(|c| c.name == *name).map(|c| c.shape.to_vec());
        let site = |(name, coordinates): &(String, usize)| TargetSite {
            name: name.clone(),
            shape: shape(name).unwrap_or_default(),
            coordinates: *coordinates,
        };
        self.coordinates.iter().map(site).collect()
    }

    fn centring(&self) -> &[SiteCentring] {
        &self.centring
    }
}
