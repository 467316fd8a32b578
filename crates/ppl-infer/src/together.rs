//! Several points in one evaluation: the program for them, and when it pays.

use std::sync::{Arc, Mutex, PoisonError};

use ppl_autodiff::{Program, Workspace};
use ppl_core::ModelError;

use crate::density::DensityError;

/// Bytes that the memory of several points may take together, half a second-level cache: what is evaluated in one go saves
/// the way through a program, a third of the time of a dozen numbers and nothing that can be seen of 500 rows.
const MOST: usize = 1 << 19;

/// Whether a program for so many points is worth having beside the one for one point.
fn pays(one: &Program<f64>, points: usize) -> bool {
    points > 1 && one.workspace_bytes().saturating_mul(points) <= MOST
}

/// The program for the number of points that was asked for last, shared by threads.
#[derive(Default)]
pub(crate) struct Shared(Mutex<Option<(usize, Arc<Program<f64>>)>>);

impl Shared {
    /// The program for so many points; none where one by one is as well. `one` is the program for one point.
    pub fn program(
        &self,
        points: usize,
        one: &Program<f64>,
        compile: impl FnOnce() -> Result<Program<f64>, ModelError>,
    ) -> Result<Option<Arc<Program<f64>>>, ModelError> {
        if !pays(one, points) {
            return Ok(None);
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, program)) = kept.as_ref().filter(|(n, _)| *n == points) {
            return Ok(Some(program.clone()));
        }
        let program = Arc::new(compile()?);
        *kept = Some((points, program.clone()));
        Ok(Some(program))
    }
}

/// What one thread has for the number of points that it was asked for last: a program with its workspace, if there is one.
#[derive(Default)]
pub(crate) struct Together {
    points: usize,
    held: Option<(Arc<Program<f64>>, Workspace<f64>)>,
}

impl Together {
    /// Evaluates at all points, if there is a program for so many; false if not, or if the slices are not of its lengths.
    pub fn evaluate(
        &mut self,
        program: impl FnOnce(usize) -> Result<Option<Arc<Program<f64>>>, ModelError>,
        inputs: &[&[f64]],
        values: &mut [f64],
        gradients: &mut [f64],
    ) -> Result<bool, DensityError> {
        let points = values.len();
        if self.points != points {
            let program = program(points).map_err(|error| DensityError::Fatal(Arc::new(error)))?;
            self.held = program.map(|program| {
                let workspace = program.workspace();
                (program, workspace)
            });
            self.points = points;
        }
        let Some((program, workspace)) = &mut self.held else { return Ok(false) };
        let fits = inputs.iter().zip(program.input_lengths()).all(|(x, &n)| x.len() == n);
        if !fits || program.output_lengths() != [values.len(), gradients.len()] {
            return Ok(false);
        }
        program.evaluate(workspace, inputs, &mut [values, gradients]);
        Ok(true)
    }
}
