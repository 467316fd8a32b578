//! Families of approximations over unconstrained space: how parameters and noise make a draw, and the derivatives of that.
//!
//! A family knows nothing of targets and optimisers. Its parameters are one flat vector, so that every optimiser serves
//! every family.

mod full_rank;
mod mean_field;

use serde::{Deserialize, Serialize};

pub use full_rank::FullRank;
pub use mean_field::{MeanField, Scale};

/// Half of ln 2 pi.
pub(crate) const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

/// A family of distributions on R^d with density q, sampled by x = T(noise; params) from standard normal noise.
pub trait Family: Send + Sync {
    /// The number of coordinates, d.
    fn dim(&self) -> usize;

    /// The number of parameters.
    fn params(&self) -> usize;

    /// The number of standard normal numbers that a draw takes.
    fn noise(&self) -> usize {
        self.dim()
    }

    /// Writes parameters with this location and, as near as the family comes, this standard deviation everywhere.
    fn start(&self, location: &[f64], scale: f64, params: &mut [f64]);

    /// Computes what depends on the parameters alone; called whenever they changed, before anything else.
    fn update(&mut self, params: &[f64]);

    /// Writes the draw x that belongs to some noise.
    fn draw(&mut self, params: &[f64], noise: &[f64], x: &mut [f64]);

    /// log q(x) at the draw that was made last.
    fn log_density(&mut self, params: &[f64], noise: &[f64], x: &[f64]) -> f64;

    /// The entropy of q, where it has a closed form.
    fn entropy(&self) -> Option<f64>;

    /// Adds `weight` times the derivative of x, the draw made last, by the parameters, applied to `adjoint` (d numbers).
    fn pull_back(
        &mut self,
        params: &[f64],
        noise: &[f64],
        x: &[f64],
        adjoint: &[f64],
        weight: f64,
        gradient: &mut [f64],
    );

    /// Adds `weight` times the gradient of the entropy; without a closed form, of its estimate `-log q(x)` at the draw
    /// made last.
    fn pull_back_entropy(&mut self, params: &[f64], noise: &[f64], x: &[f64], weight: f64, gradient: &mut [f64]);

    /// Writes the gradient of log q by x at the draw made last and returns true; false where the family cannot.
    fn score(&mut self, params: &[f64], noise: &[f64], x: &[f64], out: &mut [f64]) -> bool;

    /// Writes the centre: the mean for Gaussians, else the draw at noise 0.
    fn centre(&mut self, params: &[f64], out: &mut [f64]) {
        let noise = vec![0.0; self.noise()];
        self.draw(params, &noise, out);
    }

    /// Writes the standard deviations of the coordinates and returns true; false where they have no closed form.
    fn spread(&self, params: &[f64], out: &mut [f64]) -> bool;
}

/// Which family, with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FamilyKind {
    /// See [`MeanField`].
    MeanField(Scale),
    /// See [`FullRank`].
    FullRank,
}

impl FamilyKind {
    /// The family over d coordinates.
    pub fn build(&self, dim: usize) -> Box<dyn Family> {
        match self {
            Self::MeanField(scale) => Box::new(MeanField::new(dim, *scale)),
            Self::FullRank => Box::new(FullRank::new(dim)),
        }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MeanField(_) => "mean-field",
            Self::FullRank => "full-rank",
        }
    }
}
