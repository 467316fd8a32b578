//! A first step size: doubled or halved until one leapfrog step is accepted with probability about 0.8.

use ppl_autodiff::random::Purpose;
use thiserror::Error;

use crate::density::{DensityError, LogDensity};
use crate::dynamics::{Drift, Flow, Point, leapfrog};
use crate::kernel::GradientState;
use crate::random::ChainRng;

const ACCEPTANCE: f64 = 0.8;
const LARGEST: f64 = 1e7;
/// Steps of a rotation end at a quarter of a turn: a half would take y to -y.
pub(super) const LARGEST_TURN: f64 = std::f64::consts::FRAC_PI_2;

/// Why no first step size was found.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StepSizeError {
    /// Steps of any size are accepted: the density does not fall off, so it has no finite integral.
    #[error("a leapfrog step of size {0:e} is still accepted: the posterior is improper")]
    Improper(f64),
    /// No step is accepted, however small.
    #[error(
        "no leapfrog step is accepted, however small: the log-density is not continuous here, or its gradient wrong"
    )]
    Vanished,
    /// The density failed.
    #[error(transparent)]
    Density(#[from] DensityError),
}

/// Searches from `initial` and returns a step size with the number of gradients that it cost.
///
/// Each trial draws a momentum, takes one step from the same state, and doubles (halves) the size while D = H0 - H
/// stays above (below) ln 0.8. Where H is not finite, D counts as negative infinity.
///
/// # Errors
/// [`StepSizeError`].
///
/// # Source
/// Hoffman and Gelman (2014), algorithm 4, with Stan's 0.8.
pub fn find_step_size(
    density: &mut dyn LogDensity,
    flow: Flow<'_>,
    state: &GradientState,
    random: &ChainRng,
    initial: f64,
) -> Result<(f64, usize), StepSizeError> {
    // Without coordinates every step is exact.
    if state.position.is_empty() {
        return Ok((initial, 0));
    }
    let mut momenta = random.stream(Purpose::StepSize);
    let (mut from, mut to) = (Point::new(state.position.len()), Point::new(state.position.len()));
    from.position.copy_from_slice(&state.position);
    from.gradient.copy_from_slice(&state.gradient);
    from.log_density = state.log_density;

    let mut step = initial;
    let mut grows = None;
    let mut gradients = 0;
    loop {
        momenta.fill_standard_normal(&mut from.momentum);
        from.start(flow);
        leapfrog(density, flow, step, &from, &mut to)?;
        gradients += 1;
        let accepted = from.energy - to.energy > ACCEPTANCE.ln();
        if *grows.get_or_insert(accepted) != accepted {
            return Ok((step, gradients));
        }
        step *= if accepted { 2.0 } else { 0.5 };
        if let Drift::Rotation { frequency, .. } = flow.drift
            && step * frequency >= LARGEST_TURN
        {
            return Ok((LARGEST_TURN / frequency, gradients));
        }
        if step > LARGEST {
            return Err(StepSizeError::Improper(step));
        }
        if step == 0.0 {
            return Err(StepSizeError::Vanished);
        }
    }
}
