//! The curvature of the prior along each coordinate, by differences of its gradient.

use serde::{Deserialize, Serialize};

use crate::batch::BatchDensity;
use crate::density::DensityError;

/// Iterations between two looks.
const INTERVAL: u64 = 100;
/// Half the distance of the two points of a difference, for coordinates near 0.
const DISTANCE: f64 = 1e-4;

/// A running mean of the diagonal of minus the Hessian of log prior + log |J|.
///
/// One look takes two gradients of the prior, at x + h s and x - h s with s a vector of random signs: the expectation
/// of s (Hessian s) is the diagonal, and where there is nothing else one look is exact.
///
/// # Source
/// Bekas, Kokiopoulou and Saad (2007), An estimator for the diagonal of a matrix. Applied Numerical Mathematics 57.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriorCurvature {
    mean: Vec<f64>,
    looks: u64,
}

/// Buffers of a look.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Looking {
    moved: [Vec<f64>; 2],
    gradients: [Vec<f64>; 2],
}

impl PriorCurvature {
    /// No look yet.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { mean: vec![0.0; dim], looks: 0 }
    }

    /// The precision along a coordinate: the curvature where it is positive, else 0.
    #[must_use]
    pub fn get(&self, coordinate: usize) -> f64 {
        self.mean.get(coordinate).copied().unwrap_or(0.0).max(0.0)
    }

    /// The precisions in order.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        self.mean.iter().map(|p| p.max(0.0))
    }

    /// The curvatures of some coordinates, of either sign.
    pub(crate) fn part(&self, coordinates: std::ops::Range<usize>) -> &[f64] {
        &self.mean[coordinates]
    }

    /// How often it was looked.
    pub(crate) fn looks(&self) -> u64 {
        self.looks
    }

    /// Whether this iteration looks.
    pub(crate) fn is_due(iteration: u64) -> bool {
        iteration.is_multiple_of(INTERVAL)
    }

    /// Looks once; nothing changes where the gradients are not finite.
    pub(crate) fn look(
        &mut self,
        density: &mut dyn BatchDensity,
        x: &[f64],
        mut positive: impl FnMut() -> bool,
        buffers: &mut Looking,
    ) -> Result<(), DensityError> {
        let Looking { moved: [up, down], gradients: [g_up, g_down] } = buffers;
        [&mut *up, &mut *down, &mut *g_up, &mut *g_down].into_iter().for_each(|b| b.resize(x.len(), 0.0));
        for ((up, down), x) in up.iter_mut().zip(down.iter_mut()).zip(x) {
            let h = if positive() { DISTANCE } else { -DISTANCE } * (1.0 + x.abs());
            (*up, *down) = (x + h, x - h);
        }
        density.prior_gradient(up, g_up)?;
        density.prior_gradient(down, g_down)?;
        // Into g_up, so that the mean changes altogether or not at all.
        for (((g_up, g_down), up), down) in g_up.iter_mut().zip(&*g_down).zip(&*up).zip(&*down) {
            *g_up = -(*g_up - g_down) / (up - down);
            if !g_up.is_finite() {
                return Ok(());
            }
        }
        self.looks += 1;
        let weight = 1.0 / self.looks as f64;
        for (mean, curvature) in self.mean.iter_mut().zip(&*g_up) {
            *mean += weight * (curvature - *mean);
        }
        Ok(())
    }
}
