//! The leapfrog step: half a kick, a drift, one gradient, half a kick. The drift is a straight line, or a rotation
//! about the middle of a normal law, which is then integrated exactly.

use serde::{Deserialize, Serialize};

use crate::density::{DensityError, LogDensity};

use super::metric::Metric;
use super::vector::{axpy, dot, kick, kick_drift, kick_turn, stretched_drift, stretched_kick, turn, turn_white};

/// How positions move between kicks, in the coordinates y of q = center + L y, where M^-1 = L L'.
///
/// The energy |z|^2 / 2 - log p is split into a part that the drift solves exactly and the rest, whose gradient kicks.
/// On a normal law N(center, M^-1) a rotation of frequency 1 makes no error at all, whatever the step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Drift {
    /// The kinetic energy alone: `y += step z`. The classical leapfrog step.
    #[default]
    Straight,
    /// The kinetic energy with the normal law `w^2 |y|^2 / 2`: y and z / w turn by the angle `w step`.
    ///
    /// # Source
    /// Shahbaba, Lan, Johnson and Neal (2014), Statistics and Computing 24, "Split Hamiltonian Monte Carlo".
    Rotation {
        /// The middle of the normal law.
        center: Vec<f64>,
        /// The frequency w, positive.
        frequency: f64,
    },
}

impl Drift {
    /// The frequency of a rotation.
    #[must_use]
    pub fn frequency(&self) -> Option<f64> {
        match self {
            Self::Straight => None,
            Self::Rotation { frequency, .. } => Some(*frequency),
        }
    }
}

/// What a step moves by: a metric and a drift.
#[derive(Debug, Clone, Copy)]
pub struct Flow<'a> {
    /// The inverse mass.
    pub metric: &'a Metric,
    /// The way between kicks.
    pub drift: &'a Drift,
}

impl<'a> From<&'a Metric> for Flow<'a> {
    fn from(metric: &'a Metric) -> Self {
        Self { metric, drift: &Drift::Straight }
    }
}

/// The numbers of one step of a rotation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// Half the step.
    pub half: f64,
    /// The squared frequency w^2.
    pub square: f64,
    /// cos(w step).
    pub cos: f64,
    /// sin(w step) / w.
    pub forth: f64,
    /// w sin(w step).
    pub back: f64,
}

impl Turn {
    fn new(frequency: f64, step: f64) -> Self {
        let (sin, cos) = (frequency * step).sin_cos();
        Self { half: 0.5 * step, square: frequency * frequency, cos, forth: sin / frequency, back: frequency * sin }
    }
}

/// A point of phase space with what was computed there.
#[derive(Debug, Clone)]
pub struct Point {
    /// The position q.
    pub position: Vec<f64>,
    /// The whitened momentum z = L' p.
    pub momentum: Vec<f64>,
    /// The gradient of the log-density at q.
    pub gradient: Vec<f64>,
    /// The log-density at q.
    pub log_density: f64,
    /// H = -log p(q) + |z|^2 / 2; infinite where it is not a number.
    pub energy: f64,
    /// Signed number of steps from the start of the trajectory.
    pub index: i64,
    /// L' times the gradient, kept where the metric is more than scales: those multiply faster than they are read.
    force: Vec<f64>,
    /// y = L^-1 (q - center), kept under a rotation.
    white: Vec<f64>,
}

impl Point {
    /// A point of R^d at rest in the origin, with nothing computed.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self {
            position: vec![0.0; dim],
            momentum: vec![0.0; dim],
            gradient: vec![0.0; dim],
            log_density: f64::NAN,
            energy: f64::INFINITY,
            index: 0,
            force: vec![0.0; dim],
            white: vec![0.0; dim],
        }
    }

    /// Makes the point the start of a trajectory: its energy and force follow from position, gradient and momentum.
    pub fn start<'f>(&mut self, flow: impl Into<Flow<'f>>) {
        let Flow { metric, drift } = flow.into();
        self.index = 0;
        if metric.only_scale().is_none() {
            metric.force(&self.gradient, &mut self.force);
        }
        if let Drift::Rotation { center, .. } = drift {
            metric.whiten(&self.position, center, &mut self.white);
        }
        self.set_energy(dot(&self.momentum, &self.momentum));
    }

    fn set_energy(&mut self, momentum_squared: f64) {
        let energy = 0.5 * momentum_squared - self.log_density;
        // An infinite density is no more usable than an undefined one.
        self.energy = if energy.is_finite() { energy } else { f64::INFINITY };
    }
}

/// Integrates one step of size `step` (negative: backwards in time) from `from` to `to`.
///
/// Where the density is not finite or not defined `to.energy` is infinite, for the caller to take as a divergence.
///
/// # Errors
/// [`DensityError::Dimension`] where the metric does not fit the points; whatever the density returns but
/// [`DensityError::NotFinite`].
pub fn leapfrog<'f>(
    density: &mut dyn LogDensity,
    flow: impl Into<Flow<'f>>,
    step: f64,
    from: &Point,
    to: &mut Point,
) -> Result<(), DensityError> {
    let Flow { metric, drift } = flow.into();
    let wanted = metric.dim();
    let center = if let Drift::Rotation { center, .. } = drift { center.len() } else { wanted };
    for got in [from.position.len(), to.position.len(), center] {
        if got != wanted {
            return Err(DensityError::Dimension { got: wanted, wanted: got });
        }
    }
    to.index = from.index + if step < 0.0 { -1 } else { 1 };
    let half = 0.5 * step;
    match drift {
        Drift::Straight => {
            match metric {
                _ if let Some(scale) = metric.only_scale() => {
                    let start = [&from.position[..], &from.momentum, &from.gradient];
                    kick_drift(step, scale, start, &mut to.position, &mut to.momentum);
                }
                // The place of the force is free until the gradient is known: it holds the velocity.
                Metric::LowRank(metric) => {
                    let start = [&from.position[..], &from.momentum, &from.force];
                    let Point { position, momentum, force, .. } = &mut *to;
                    stretched_drift(half, metric.stretched(), start, position, momentum, force);
                }
                _ => {
                    to.momentum.copy_from_slice(&from.momentum);
                    axpy(half, &from.force, &mut to.momentum);
                    metric.velocity(&to.momentum, &mut to.force);
                    to.position.copy_from_slice(&from.position);
                    axpy(step, &to.force, &mut to.position);
                }
            }
            evaluate(density, to)?;
            let square = match metric {
                _ if let Some(scale) = metric.only_scale() => kick(half, scale, &to.gradient, &mut to.momentum),
                Metric::LowRank(metric) => {
                    stretched_kick(half, metric.stretched(), &to.gradient, &mut to.force, &mut to.momentum)
                }
                _ => {
                    metric.force(&to.gradient, &mut to.force);
                    axpy(half, &to.force, &mut to.momentum);
                    dot(&to.momentum, &to.momentum)
                }
            };
            to.set_energy(square);
        }
        Drift::Rotation { center, frequency } => {
            let numbers = Turn::new(*frequency, step);
            match metric {
                _ if let Some(scale) = metric.only_scale() => {
                    let start = [&from.white[..], &from.momentum, &from.gradient];
                    let frame = [center, scale];
                    turn(numbers, frame, start, &mut to.position, &mut to.white, &mut to.momentum);
                }
                _ => {
                    let start = [&from.white[..], &from.momentum, &from.force];
                    turn_white(numbers, start, &mut to.white, &mut to.momentum);
                    metric.velocity(&to.white, &mut to.position);
                    axpy(1.0, center, &mut to.position);
                }
            }
            evaluate(density, to)?;
            let square = match metric {
                _ if let Some(scale) = metric.only_scale() => {
                    kick_turn(numbers, scale, &to.white, &to.gradient, &mut to.momentum)
                }
                _ => {
                    metric.force(&to.gradient, &mut to.force);
                    axpy(half, &to.force, &mut to.momentum);
                    axpy(half * numbers.square, &to.white, &mut to.momentum);
                    dot(&to.momentum, &to.momentum)
                }
            };
            to.set_energy(square);
        }
    }
    Ok(())
}

/// Density and gradient at the point's position.
fn evaluate(density: &mut dyn LogDensity, point: &mut Point) -> Result<(), DensityError> {
    point.log_density = match density.evaluate(&point.position, &mut point.gradient) {
        Ok(log_density) => log_density,
        Err(DensityError::NotFinite) => f64::NAN,
        Err(fatal) => return Err(fatal),
    };
    Ok(())
}
