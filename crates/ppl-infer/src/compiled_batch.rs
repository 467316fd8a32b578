//! A model over batches, compiled: the arrays of a batch are input slots of its programs, so that a new batch needs
//! neither a new trace nor memory.

use std::sync::{Arc, OnceLock};

use ppl_autodiff::program::Over;
use ppl_autodiff::{Program, Var, Workspace, gradient};
use ppl_core::minibatch::Batches;
use ppl_core::model::{FIRST_DATA_SLOT, same_sites};
use ppl_core::{BatchError, BatchModel, Kind, ModelError, ModelTrace, Outline, Site};
use smallvec::SmallVec;

use crate::batch::{BatchDensity, BatchTarget};
use crate::compiled::{Column, density_program};
use crate::density::{DensityError, one_by_one};
use crate::posterior::{Mapping, Recorded};
use crate::together::{Shared, Together};

/// A program that is compiled when it is first wanted, or why it cannot be.
type Later = OnceLock<Result<Program<f64>, ModelError>>;

/// A model over batches, compiled for inference.
pub struct CompiledBatchModel<'m> {
    batches: &'m dyn BatchModel,
    name: String,
    dim: usize,
    columns: Vec<Column>,
    coordinates: Vec<(String, usize)>,
    /// What the model of a batch met: the model of one row must meet the same.
    outline: Vec<Outline>,
    /// Coordinates and a batch in; the estimated log-density, its gradient and the likelihood of the rows out.
    density: Program<f64>,
    /// As `density`, with nothing but the gradient out: what only the value needs is not computed.
    slopes: Later,
    /// As `density`, for several points at once.
    together: Shared,
    /// Coordinates (and a batch, which is not used) in; the values of the columns out.
    values: Program<f64>,
    /// Coordinates and a batch in; the gradients of the prior part and of each row's log-likelihood out.
    rows: Later,
    /// As `rows`, with the sum over rows and the sum of squares.
    moments: Later,
    /// Coordinates and a batch in; the sum over rows of each row's log-likelihood out, to check that it is the batch's.
    sum: Later,
    /// Coordinates in; the log-density over all rows and its gradient out.
    full: Later,
    /// Coordinates (and a batch, which is not used) in; the gradient of the prior part out.
    prior: Later,
    /// Coordinates of each latent site.
    blocks: Vec<usize>,
}

/// A second point, away from zero, at which sums over rows are compared.
const CHECK_POINT: f64 = 0.25;
/// How far apart the likelihood of a batch and the sum over its rows may lie, relative to their size.
const CHECK_TOLERANCE: f64 = 1e-8;

impl<'m> CompiledBatchModel<'m> {
    /// Traces, differentiates and compiles a model over batches.
    ///
    /// # Errors
    /// The first mistake in the model; a stream that failed; rows that are used in a way that cannot be bound anew.
    pub fn new(batches: &'m dyn BatchModel) -> Result<Self, ModelError> {
        let trace = ModelTrace::over_rows(batches, batches.batch_size())?;
        let dim = trace.traced().tape().slots().first().copied().unwrap_or(0);
        let name = trace.name().to_owned();
        if dim == 0 {
            return Err(ModelError::NoLatents { model: name });
        }
        let outline = trace.outline();
        let by_rows = trace.traced().tape().depend_on_slots(FIRST_DATA_SLOT);
        let kept =
            |s: &&Site| matches!(s.kind, Kind::Latent | Kind::Deterministic) && !by_rows[s.value.node() as usize];
        let kept: Vec<Site> = trace.sites().iter().filter(kept).cloned().collect();
        let columns = kept.iter().map(|s| Column { name: s.name.clone(), shape: s.shape.clone() }).collect();
        let blocks = coordinates(trace.sites()).iter().map(|x| x.shape().size()).collect();
        let (by_site, trace) = trace.extend(crate::compiled::coordinates)?;
        let (terms, trace) = trace.terms()?;
        let ((density, slopes), trace) = trace.extend(|sites| {
            let density = terms.log_density();
            (density, gradient(density, &coordinates(sites)))
        })?;
        let tape = trace.traced().tape();
        let values: Vec<Var> = kept.iter().map(|s| s.value).collect();
        Ok(Self {
            batches,
            name,
            dim,
            columns,
            coordinates: by_site,
            outline,
            density: Program::compile(tape, &[&[density], &slopes, &[terms.rows]]),
            values: Program::compile(tape, &[&values]),
            slopes: OnceLock::new(),
            together: Shared::default(),
            rows: OnceLock::new(),
            moments: OnceLock::new(),
            sum: OnceLock::new(),
            full: OnceLock::new(),
            prior: OnceLock::new(),
            blocks,
        })
    }

    /// The sites whose values are recorded, in order: latent and deterministic ones that do not depend on the rows.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The latent sites with their numbers of unconstrained coordinates, in the order of the coordinates.
    pub fn coordinates(&self) -> &[(String, usize)] {
        &self.coordinates
    }

    /// The number of rows of the whole data, N.
    pub fn total_size(&self) -> usize {
        self.batches.total_size()
    }

    /// The number of rows of a batch, n.
    pub fn batch_size(&self) -> usize {
        self.batches.batch_size()
    }

    /// The program of the estimate and its gradient; for inspection and benchmarks.
    pub fn program(&self) -> &Program<f64> {
        &self.density
    }

    /// The model of one row, which must meet the same sites.
    fn row_trace(&self) -> Result<ModelTrace, ModelError> {
        let trace = ModelTrace::over_rows(self.batches, 1)?;
        same_sites(&self.name, &latents(&self.outline), &latents(&trace.outline()))?;
        Ok(trace)
    }

    /// A program over the rows of a batch: what `over` says of each row's gradient, beside that of the prior part.
    fn row_program(&self, over: &[Over]) -> Result<Program<f64>, ModelError> {
        let (terms, trace) = self.row_trace()?.terms()?;
        // What does not depend on the rows counts once, as the likelihood without their (scaled) part does.
        let ((prior, row), trace) = trace.extend(|sites| {
            let x = coordinates(sites);
            let fixed = terms.prior + terms.log_det + terms.fixed;
            (gradient(fixed, &x), gradient(terms.rows, &x))
        })?;
        let each = over.iter().map(|&o| (o, &row[..]));
        let outputs: Vec<(Over, &[Var])> = std::iter::once((Over::Once, &prior[..])).chain(each).collect();
        Ok(Program::over_rows(trace.traced().tape(), self.batches.batch_size(), FIRST_DATA_SLOT, &outputs))
    }

    fn sum_program(&self) -> Result<Program<f64>, ModelError> {
        let (terms, trace) = self.row_trace()?.terms()?;
        let outputs = [(Over::Sum, std::slice::from_ref(&terms.rows))];
        Ok(Program::over_rows(trace.traced().tape(), self.batches.batch_size(), FIRST_DATA_SLOT, &outputs))
    }

    /// That the likelihood of a batch is the sum over its rows.
    fn check_sum(&self, whole: f64, rows: f64) -> Result<(), ModelError> {
        let size = 1.0 + whole.abs().max(rows.abs());
        if (whole - rows).abs() <= CHECK_TOLERANCE * size || !whole.is_finite() {
            return Ok(());
        }
        Err(BatchError::NotASum { whole, rows }.into())
    }

    /// The density with its gradient, recorded anew.
    fn record(&self) -> Result<(Var, Vec<Var>, ModelTrace), ModelError> {
        let (terms, trace) = ModelTrace::over_rows(self.batches, self.batches.batch_size())?.terms()?;
        let ((density, slopes), trace) = trace.extend(|sites| {
            let density = terms.log_density();
            (density, gradient(density, &coordinates(sites)))
        })?;
        Ok((density, slopes, trace))
    }

    /// The program for so many points at once; none where one by one is as well.
    fn points_program(&self, points: usize) -> Result<Option<Arc<Program<f64>>>, ModelError> {
        self.together.program(points, &self.density, || {
            let (density, slopes, trace) = self.record()?;
            Ok(Program::over_points(trace.traced().tape(), points, &[&[density], &slopes]))
        })
    }

    fn slopes_program(&self) -> Result<Program<f64>, ModelError> {
        let (_, slopes, trace) = self.record()?;
        Ok(Program::compile(trace.traced().tape(), &[&slopes]))
    }

    fn prior_program(&self) -> Result<Program<f64>, ModelError> {
        let (terms, trace) = ModelTrace::over_rows(self.batches, self.batches.batch_size())?.terms()?;
        let (prior, trace) =
            trace.extend(|sites| gradient(terms.prior + terms.log_det + terms.fixed, &coordinates(sites)))?;
        Ok(Program::compile(trace.traced().tape(), &[&prior]))
    }

    fn whole_program(&self) -> Result<Program<f64>, ModelError> {
        let model = self.batches.whole().ok_or(BatchError::NoEnd)?;
        density_program(&*model, true)
    }
}

/// The coordinates of all latent sites.
fn coordinates(sites: &[Site]) -> Vec<Var> {
    sites.iter().filter_map(|s| s.unconstrained.map(|(x, _)| x)).collect()
}

fn latents(outline: &[Outline]) -> Vec<Outline> {
    outline.iter().filter(|o| o.kind == Kind::Latent).cloned().collect()
}

impl Recorded for CompiledBatchModel<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn map(&self) -> Mapping<'_> {
        let mut workspace = self.values.workspace();
        let batch: Vec<Vec<f64>> = arrays(&self.values);
        Box::new(move |point, out| {
            self.values.evaluate(&mut workspace, &inputs(point, &batch), &mut [out]);
            Ok(())
        })
    }
}

impl BatchTarget for CompiledBatchModel<'_> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn density(&self, seed: u64, chain: u64) -> Result<Box<dyn BatchDensity + '_>, DensityError> {
        let order = self.batches.batches(seed, chain as u32).map_err(fatal)?;
        Ok(Box::new(Density {
            compiled: self,
            order,
            batch: arrays(&self.density),
            workspace: self.density.workspace(),
            slopes: None,
            together: Together::default(),
            rows: None,
            moments: None,
            checked: false,
            full: None,
            prior: None,
        }))
    }
}

fn fatal(error: impl std::error::Error + Send + Sync + 'static) -> DensityError {
    DensityError::Fatal(Arc::new(error))
}

/// Memory for the arrays of a batch.
fn arrays(program: &Program<f64>) -> Vec<Vec<f64>> {
    program.input_lengths().iter().skip(FIRST_DATA_SLOT).map(|&n| vec![0.0; n]).collect()
}

/// The input slots of a program: coordinates, then the arrays of a batch.
fn inputs<'x>(x: &'x [f64], batch: &'x [Vec<f64>]) -> SmallVec<[&'x [f64]; 8]> {
    std::iter::once(x).chain(batch.iter().map(|a| &a[..])).collect()
}

struct Density<'c> {
    compiled: &'c CompiledBatchModel<'c>,
    order: Box<dyn Batches + 'c>,
    batch: Vec<Vec<f64>>,
    workspace: Workspace<f64>,
    slopes: Option<Workspace<f64>>,
    together: Together,
    rows: Option<Workspace<f64>>,
    moments: Option<Workspace<f64>>,
    /// Whether the likelihood of a batch was seen to be a sum over rows.
    checked: bool,
    full: Option<Workspace<f64>>,
    prior: Option<Workspace<f64>>,
}

impl Density<'_> {
    fn check(&self, x: &[f64], outputs: &[(&[f64], usize)]) -> Result<(), DensityError> {
        let dim = self.compiled.dim;
        if x.len() != dim {
            return Err(DensityError::Dimension { got: x.len(), wanted: dim });
        }
        match outputs.iter().find(|(y, wanted)| y.len() != *wanted) {
            Some(&(y, wanted)) => Err(DensityError::Dimension { got: y.len(), wanted }),
            None => Ok(()),
        }
    }

    /// Checks once that the likelihood of the rows of the bound batch is the sum of the rows' own.
    fn check_rows(&mut self) -> Result<(), DensityError> {
        if self.checked {
            return Ok(());
        }
        let compiled = self.compiled;
        let program = ready(&compiled.sum, || compiled.sum_program())?;
        let point = vec![CHECK_POINT; compiled.dim];
        let (mut value, mut whole, mut gradient) = ([0.0], [0.0], vec![0.0; compiled.dim]);
        let outputs = &mut [&mut value[..], &mut gradient, &mut whole];
        compiled.density.evaluate(&mut self.workspace, &inputs(&point, &self.batch), outputs);
        let mut sum = [0.0];
        program.evaluate(&mut program.workspace(), &inputs(&point, &self.batch), &mut [&mut sum]);
        compiled.check_sum(whole[0], sum[0]).map_err(fatal)?;
        self.checked = true;
        Ok(())
    }
}

/// The program, compiled at the first call.
fn ready(
    later: &Later,
    compile: impl FnOnce() -> Result<Program<f64>, ModelError>,
) -> Result<&Program<f64>, DensityError> {
    later.get_or_init(compile).as_ref().map_err(|error| fatal(error.clone()))
}

impl BatchDensity for Density<'_> {
    fn dim(&self) -> usize {
        self.compiled.dim
    }

    fn total_size(&self) -> usize {
        self.compiled.batches.total_size()
    }

    fn batch_size(&self) -> usize {
        self.compiled.batches.batch_size()
    }

    fn bind(&mut self, iteration: u64) -> Result<(), DensityError> {
        self.order.fill(iteration, &mut self.batch).map_err(fatal)
    }

    fn bound(&self) -> &[Vec<f64>] {
        &self.batch
    }

    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.check(x, &[(gradient, self.compiled.dim)])?;
        let (mut value, mut rows) = ([0.0], [0.0]);
        let outputs = &mut [&mut value[..], gradient, &mut rows];
        self.compiled.density.evaluate(&mut self.workspace, &inputs(x, &self.batch), outputs);
        Ok(value[0])
    }

    fn evaluate_points(
        &mut self,
        points: &[f64],
        values: &mut [f64],
        gradients: &mut [f64],
    ) -> Result<(), DensityError> {
        let compiled = self.compiled;
        let program = |n| compiled.points_program(n);
        if self.together.evaluate(program, &inputs(points, &self.batch), values, gradients)? {
            return Ok(());
        }
        one_by_one(compiled.dim, points, values, gradients, |x, g| self.evaluate(x, g))
    }

    fn gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<(), DensityError> {
        self.check(x, &[(gradient, self.compiled.dim)])?;
        let compiled = self.compiled;
        let program = ready(&compiled.slopes, || compiled.slopes_program())?;
        let workspace = self.slopes.get_or_insert_with(|| program.workspace());
        program.evaluate(workspace, &inputs(x, &self.batch), &mut [gradient]);
        Ok(())
    }

    fn row_gradients(&mut self, x: &[f64], prior: &mut [f64], rows: &mut [f64]) -> Result<(), DensityError> {
        let compiled = self.compiled;
        self.check(x, &[(prior, compiled.dim), (rows, compiled.dim * compiled.batches.batch_size())])?;
        let program = ready(&compiled.rows, || compiled.row_program(&[Over::Each]))?;
        self.check_rows()?;
        let workspace = self.rows.get_or_insert_with(|| program.workspace());
        program.evaluate(workspace, &inputs(x, &self.batch), &mut [prior, rows]);
        Ok(())
    }

    fn row_moments(
        &mut self,
        x: &[f64],
        prior: &mut [f64],
        sum: &mut [f64],
        squares: &mut [f64],
    ) -> Result<(), DensityError> {
        let compiled = self.compiled;
        self.check(x, &[(prior, compiled.dim), (sum, compiled.dim), (squares, compiled.dim)])?;
        let program = ready(&compiled.moments, || compiled.row_program(&[Over::Sum, Over::SumOfSquares]))?;
        self.check_rows()?;
        let workspace = self.moments.get_or_insert_with(|| program.workspace());
        program.evaluate(workspace, &inputs(x, &self.batch), &mut [prior, sum, squares]);
        Ok(())
    }

    fn full(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        self.check(x, &[(gradient, self.compiled.dim)])?;
        let compiled = self.compiled;
        let program = ready(&compiled.full, || compiled.whole_program())?;
        let workspace = self.full.get_or_insert_with(|| program.workspace());
        let mut value = [0.0];
        program.evaluate(workspace, &[x], &mut [&mut value, gradient]);
        Ok(value[0])
    }

    fn prior_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<(), DensityError> {
        self.check(x, &[(gradient, self.compiled.dim)])?;
        let compiled = self.compiled;
        let program = ready(&compiled.prior, || compiled.prior_program())?;
        let workspace = self.prior.get_or_insert_with(|| program.workspace());
        program.evaluate(workspace, &inputs(x, &self.batch), &mut [gradient]);
        Ok(())
    }

    fn draw_independently(&mut self) -> bool {
        self.order.draw_independently()
    }

    fn distinct_rows(&self) -> bool {
        self.order.distinct_rows()
    }

    fn blocks(&self) -> Vec<usize> {
        self.compiled.blocks.clone()
    }
}
