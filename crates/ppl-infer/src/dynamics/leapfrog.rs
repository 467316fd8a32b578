//! The leapfrog step: half a kick, a drift, one gradient, half a kick.

use crate::density::{DensityError, LogDensity};

use super::metric::{Dense, Metric};
use super::vector::{axpy, dot, kick, kick_drift};

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
    /// L' times the gradient, kept under a dense metric only: a diagonal one multiplies faster than it reads.
    force: Vec<f64>,
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
        }
    }

    /// Makes the point the start of a trajectory: its energy and force follow from position, gradient and momentum.
    pub fn start(&mut self, metric: &Metric) {
        self.index = 0;
        if let Metric::Dense(dense) = metric {
            dense.force(&self.gradient, &mut self.force);
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
pub fn leapfrog(
    density: &mut dyn LogDensity,
    metric: &Metric,
    step: f64,
    from: &Point,
    to: &mut Point,
) -> Result<(), DensityError> {
    for point in [from, &*to] {
        if point.position.len() != metric.dim() {
            return Err(DensityError::Dimension { got: metric.dim(), wanted: point.position.len() });
        }
    }
    to.index = from.index + if step < 0.0 { -1 } else { 1 };
    match metric {
        Metric::Diagonal(diagonal) => {
            let start = [&from.position[..], &from.momentum, &from.gradient];
            kick_drift(step, diagonal.scale(), start, &mut to.position, &mut to.momentum);
        }
        Metric::Dense(dense) => drift_dense(dense, step, from, to),
    }
    to.log_density = match density.evaluate(&to.position, &mut to.gradient) {
        Ok(log_density) => log_density,
        Err(DensityError::NotFinite) => f64::NAN,
        Err(fatal) => return Err(fatal),
    };
    let square = match metric {
        Metric::Diagonal(diagonal) => kick(0.5 * step, diagonal.scale(), &to.gradient, &mut to.momentum),
        Metric::Dense(dense) => {
            dense.force(&to.gradient, &mut to.force);
            axpy(0.5 * step, &to.force, &mut to.momentum);
            dot(&to.momentum, &to.momentum)
        }
    };
    to.set_energy(square);
    Ok(())
}

fn drift_dense(metric: &Dense, step: f64, from: &Point, to: &mut Point) {
    to.momentum.copy_from_slice(&from.momentum);
    axpy(0.5 * step, &from.force, &mut to.momentum);
    // The place of the force is free until the gradient is known: it holds the velocity.
    metric.velocity(&to.momentum, &mut to.force);
    to.position.copy_from_slice(&from.position);
    axpy(step, &to.force, &mut to.position);
}
