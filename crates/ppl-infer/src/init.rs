//! Starting points: uniform in a cube of unconstrained space, until density and gradient are finite and differences of
//! log-densities mean something.

use ppl_autodiff::random::Purpose;
use thiserror::Error;

use crate::density::{DensityError, LogDensity};
use crate::kernel::GradientState;
use crate::random::ChainRng;

/// Attempts before giving up.
pub const ATTEMPTS: u32 = 100;
/// Half the side of the cube.
pub const RADIUS: f64 = 2.0;
/// The largest rounding error of a log-density that energies are compared by: beyond it steps are accepted and refused by
/// roundings, and a chain would never leave.
const COARSEST: f64 = 1e-3;

/// Why a chain could not start.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum InitError {
    /// No attempt gave a finite density with a finite gradient. The last one is kept, so that one can see which part
    /// of the density is to blame.
    #[error("no finite log-density with finite gradient in {attempts} attempt{}; the last gave {log_density}{}",
        if *.attempts == 1 { "" } else { "s" },
        if *.bad_gradients > 0 { format!(" with {bad_gradients} gradients not finite") } else { String::new() })]
    NoFinitePoint {
        /// How many points were tried.
        attempts: u32,
        /// The last of them, unconstrained.
        position: Vec<f64>,
        /// Its log-density; not a number where the density returned an error.
        log_density: f64,
        /// How many coordinates of its gradient were not finite.
        bad_gradients: usize,
    },
    /// The density failed.
    #[error(transparent)]
    Density(DensityError),
}

/// The state at a starting point that was given.
///
/// # Errors
/// [`InitError::NoFinitePoint`] where density or gradient are not finite there; [`InitError::Density`] when the density fails.
pub fn start_at(density: &mut dyn LogDensity, position: Vec<f64>) -> Result<GradientState, InitError> {
    let mut gradient = vec![0.0; position.len()];
    let log_density = match density.evaluate(&position, &mut gradient) {
        Ok(log_density) => log_density,
        Err(DensityError::NotFinite) => f64::NAN,
        Err(fatal) => return Err(InitError::Density(fatal)),
    };
    let bad_gradients = if log_density.is_nan() { 0 } else { gradient.iter().filter(|g| !g.is_finite()).count() };
    if log_density.is_finite() && bad_gradients == 0 {
        return Ok(GradientState { position, gradient, log_density });
    }
    Err(InitError::NoFinitePoint { attempts: 1, position, log_density, bad_gradients })
}

/// Draws a starting point, each coordinate uniform in (-2, 2), and returns its state with the number of evaluations.
///
/// A point whose log-density is so low that floating point numbers next to it are more than 0.001 apart (below about
/// -4.5e12) is taken only if no attempt finds a better one, and then the best of them. Attempt i takes its numbers from the
/// stream of index i, whatever the iteration of `random`.
///
/// # Errors
/// [`InitError::NoFinitePoint`] after [`ATTEMPTS`] attempts; [`InitError::Density`] when the density fails.
pub fn find_start(density: &mut dyn LogDensity, random: &ChainRng) -> Result<(GradientState, usize), InitError> {
    let dim = density.dim();
    let (mut position, mut gradient) = (vec![0.0; dim], vec![0.0; dim]);
    let mut log_density = f64::NAN;
    let mut bad_gradients = 0;
    let mut best: Option<GradientState> = None;
    for attempt in 0..ATTEMPTS {
        let mut uniform = random.at(attempt).stream(Purpose::Init);
        position.fill_with(|| RADIUS * (2.0 * uniform.uniform_open() - 1.0));
        log_density = match density.evaluate(&position, &mut gradient) {
            Ok(log_density) => log_density,
            Err(DensityError::NotFinite) => f64::NAN,
            Err(fatal) => return Err(InitError::Density(fatal)),
        };
        bad_gradients = if log_density.is_nan() { 0 } else { gradient.iter().filter(|g| !g.is_finite()).count() };
        if log_density.is_finite() && bad_gradients == 0 {
            if log_density.abs() * f64::EPSILON <= COARSEST {
                return Ok((GradientState { position, gradient, log_density }, attempt as usize + 1));
            }
            if best.as_ref().is_none_or(|best| log_density > best.log_density) {
                best = Some(GradientState { position: position.clone(), gradient: gradient.clone(), log_density });
            }
        }
    }
    if let Some(best) = best {
        return Ok((best, ATTEMPTS as usize));
    }
    Err(InitError::NoFinitePoint { attempts: ATTEMPTS, position, log_density, bad_gradients })
}
