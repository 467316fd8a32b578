//! Families of approximations over unconstrained space: how parameters and noise make a draw, and the derivatives of that.
//!
//! A family knows nothing of targets and optimisers. Its parameters are one flat vector, so that every optimiser serves
//! every family.

mod blocks;
mod flow;
mod full_rank;
mod low_rank;
mod mean_field;

use serde::{Deserialize, Serialize};

use super::error::VariationalError;

pub use blocks::Blocks;
pub use flow::{Flow, Layer};
pub use full_rank::FullRank;
pub use low_rank::LowRank;
pub use mean_field::{MeanField, Scale};

/// Half of ln 2 pi.
pub(crate) const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

/// A family of distributions on R^d with density q, sampled by x = T(noise; params) from standard normal noise.
pub trait Family: Send {
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

    /// Whether anything below is of the draw that was made last and not of the noise and the x that it is given: then
    /// several draws are made a second time, each before its turn.
    fn keeps_draw(&self) -> bool {
        true
    }

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

    /// Whether the coordinates are independent normals, so that [`Family::pull_back_moments`] means something.
    fn has_moments(&self) -> bool {
        false
    }

    /// Adds the derivatives of means and standard deviations by the parameters, applied to adjoints of both (d numbers
    /// each). Nothing where [`Family::has_moments`] is false.
    fn pull_back_moments(&mut self, _by_mean: &[f64], _by_sd: &[f64], _gradient: &mut [f64]) {}

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
    /// See [`LowRank`], with so many directions.
    LowRank(usize),
    /// See [`Blocks`]: neighbouring blocks of coordinates, each with its size.
    Blocks(Vec<(usize, FamilyKind)>),
    /// [`Blocks`] by site: the sites that are named, the rest mean-field. Sites of one name stand alone.
    Sites(Vec<(String, FamilyKind)>),
    /// See [`Flow`], with so many layers.
    Flow(Layer, usize),
}

impl FamilyKind {
    /// The family over d coordinates.
    ///
    /// # Errors
    /// Blocks that do not fill the coordinates; sites, which want a model.
    pub fn build(&self, dim: usize) -> Result<Box<dyn Family>, VariationalError> {
        Ok(match self {
            Self::MeanField(scale) => Box::new(MeanField::new(dim, *scale)),
            Self::FullRank => Box::new(FullRank::new(dim)),
            Self::LowRank(rank) => Box::new(LowRank::new(dim, *rank)),
            Self::Blocks(blocks) => {
                let got = blocks.iter().map(|(n, _)| n).sum();
                if got != dim {
                    return Err(VariationalError::State { what: "coordinates in blocks", got, wanted: dim });
                }
                let parts: Result<Vec<_>, _> = blocks.iter().map(|(n, kind)| kind.build(*n)).collect();
                Box::new(Blocks::new(parts?))
            }
            Self::Sites(sites) => {
                let site = sites.first().map(|(name, _)| name.clone()).unwrap_or_default();
                return Err(VariationalError::NoSite { site, known: Vec::new() });
            }
            Self::Flow(layer, layers) => {
                let flow = Flow::new(*layer, *layers, dim);
                Box::new(flow.map_err(|error| VariationalError::Family { error: Box::new(error) })?)
            }
        })
    }

    /// Blocks of coordinates in place of sites, given the sites with their numbers of coordinates, in order.
    ///
    /// # Errors
    /// [`VariationalError::NoSite`] for a name that is not there.
    pub(crate) fn resolve(&self, known: &[(String, usize)]) -> Result<Self, VariationalError> {
        let Self::Sites(sites) = self else { return Ok(self.clone()) };
        if let Some((site, _)) = sites.iter().find(|(name, _)| !known.iter().any(|(k, _)| k == name)) {
            let known = known.iter().map(|(name, _)| name.clone()).collect();
            return Err(VariationalError::NoSite { site: site.clone(), known });
        }
        let of = |name: &str| sites.iter().find(|(n, _)| n == name).map(|(_, kind)| kind.clone());
        let blocks = known.iter().map(|(name, n)| (*n, of(name).unwrap_or(Self::MeanField(Scale::default()))));
        Ok(Self::Blocks(blocks.collect()))
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MeanField(_) => "mean-field",
            Self::FullRank => "full-rank",
            Self::LowRank(_) => "low-rank",
            Self::Blocks(_) | Self::Sites(_) => "block",
            Self::Flow(Layer::Planar, _) => "planar-flow",
            Self::Flow(Layer::InverseAutoregressive, _) => "autoregressive-flow",
        }
    }
}
