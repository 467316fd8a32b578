//! Estimates of a block metric: from draws and gradients, and from the covariances of draws.

use crate::dynamics::{Layout, Metric, MetricError, gather, size};

use super::fisher::FisherDiagonal;
use super::low_rank::FisherLowRank;
use super::welford::{WelfordDense, WelfordDiagonal};

/// Running estimate of a block metric from draws and gradients.
///
/// Among the block-diagonal maps x = mu + L y it minimises the Fisher divergence, which falls into a sum over the blocks:
/// each takes the geometric mean of its draws' covariance and the inverse of its gradients', coordinates alone the ratio
/// of [`FisherDiagonal`]. For a normal law with independent blocks it is exact once there are more draws than
/// coordinates of a block.
///
/// # Source
/// Seyboldt, Carlson and Carpenter (2026), arXiv:2603.18845, applied to each block.
#[derive(Debug, Clone)]
pub struct FisherBlocks {
    layout: Layout,
    /// Of all coordinates, for their means.
    whole: FisherDiagonal,
    /// Of those in no block.
    alone: FisherDiagonal,
    blocks: Vec<FisherLowRank>,
    /// A draw and a gradient of one block.
    part: [Vec<f64>; 2],
}

impl FisherBlocks {
    /// No observations of the coordinates of a layout.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        let blocks = layout.blocks().iter().map(|b| FisherLowRank::new(size(b))).collect();
        let (whole, alone) = (FisherDiagonal::new(layout.dim()), FisherDiagonal::new(size(layout.alone())));
        Self { layout, whole, alone, blocks, part: [Vec::new(), Vec::new()] }
    }

    /// Adds a draw with its gradient.
    pub fn add(&mut self, draw: &[f64], gradient: &[f64]) {
        self.whole.add(draw, gradient);
        let [x, g] = &mut self.part;
        gather(self.layout.alone(), draw, x);
        gather(self.layout.alone(), gradient, g);
        self.alone.add(x, g);
        for (block, estimate) in self.layout.blocks().iter().zip(&mut self.blocks) {
            gather(block, draw, x);
            gather(block, gradient, g);
            estimate.add(x, g);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.whole.clear();
        self.alone.clear();
        self.blocks.iter_mut().for_each(FisherLowRank::clear);
    }

    /// Number of observations.
    #[must_use]
    pub fn count(&self) -> usize {
        self.whole.count()
    }

    /// The estimate, with variances from `fallback` where there are none; nothing where it is not finite.
    #[must_use]
    pub fn metric(&self, fallback: &[f64]) -> Option<Metric> {
        let mut variances = fallback.to_vec();
        for (coordinate, variance) in self.layout.alone().iter().cloned().flatten().zip(self.alone.shrunk()) {
            if variance > 0.0 && variance.is_finite() {
                variances[coordinate] = variance;
            }
        }
        let mut scales = Vec::new();
        let mut matrices = Vec::with_capacity(self.blocks.len());
        for (block, estimate) in self.layout.blocks().iter().zip(&self.blocks) {
            gather(block, fallback, &mut scales);
            scales.iter_mut().for_each(|v| *v = v.sqrt());
            matrices.push(estimate.inverse_mass(&scales)?);
        }
        Metric::blocks(self.layout.clone(), variances, matrices).ok()
    }

    /// Means of draws and gradients.
    pub(super) fn means(&self) -> (&[f64], &[f64]) {
        self.whole.means()
    }
}

/// Running covariances of the blocks of a layout and variances of the other coordinates, with Stan's shrinkage.
#[derive(Debug, Clone)]
pub struct WelfordBlocks {
    layout: Layout,
    diagonal: WelfordDiagonal,
    blocks: Vec<WelfordDense>,
    part: Vec<f64>,
}

impl WelfordBlocks {
    /// No observations of the coordinates of a layout.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        let blocks = layout.blocks().iter().map(|b| WelfordDense::new(size(b))).collect();
        Self { diagonal: WelfordDiagonal::new(layout.dim()), layout, blocks, part: Vec::new() }
    }

    /// Adds an observation.
    pub fn add(&mut self, x: &[f64]) {
        self.diagonal.add(x);
        for (block, estimate) in self.layout.blocks().iter().zip(&mut self.blocks) {
            gather(block, x, &mut self.part);
            estimate.add(&self.part);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.diagonal.clear();
        self.blocks.iter_mut().for_each(WelfordDense::clear);
    }

    /// The estimate.
    ///
    /// # Errors
    /// [`MetricError`] where a variance is not finite and positive or a covariance has no Cholesky factor.
    pub fn metric(&self) -> Result<Metric, MetricError> {
        let matrices = self.blocks.iter().map(WelfordDense::regularised).collect();
        Metric::blocks(self.layout.clone(), self.diagonal.regularised().collect(), matrices)
    }
}
