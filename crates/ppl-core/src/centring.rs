//! Coordinates of hierarchical sites: standard ones, given location, scale and what the data say.
//!
//! Where the law of a site's unconstrained coordinate u is a location-scale family ([`Distribution::location_scale`])
//! whose location m or scale s is latent, a sampler may move in z instead. Let the data say of u about as much as a
//! normal factor `exp(e u - l u^2 / 2)` does, of precision l and potential e, two constants:
//!
//! ```text
//! u = (m + s^2 e) / (1 + s^2 l) + s z / sqrt(1 + s^2 l),    ln |du/dz| = ln s - ln(1 + s^2 l) / 2.
//! ```
//!
//! For a normal law and such data z is standard normal, whatever m and s are. Without data (l = e = 0) this is the
//! non-centred form `m + s z`; where they say nearly all (l large), the centred one but for constants; in between it
//! is non-centred where s is small and centred where it is large. The map is affine in z and stands before the
//! transform of the support, so that the density of the site stays what it is.
//!
//! # Source
//! Partial non-centring: Papaspiliopoulos, Roberts and Skold (2007), "A general framework for the parametrization of
//! hierarchical models", Statistical Science 22(1), whose weight is `1 / (1 + s^2 l)`; chosen for each site by program:
//! Gorinova, Moore and Hoffman (2020), "Automatic reparameterisation of probabilistic programs", ICML.

use std::collections::HashMap;
use std::sync::Arc;

use ppl_autodiff::{Shape, Tensor, Var};

use crate::dist::Distribution;

/// The input slots of the precisions and of the potentials of all sites that have a choice of coordinates.
pub const EVIDENCE_SLOTS: [usize; 2] = [1, 2];

/// What the data say about the coordinates of a site, in row-major order: the normal factors
/// `exp(potential u - precision u^2 / 2)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// `l` of each coordinate, at least 0.
    pub precision: Vec<f64>,
    /// `e` of each coordinate.
    pub potential: Vec<f64>,
}

/// How the coordinates of a run over unconstrained space are chosen.
#[derive(Clone, Debug)]
pub enum Coordinates {
    /// Standard ones for these sites, given this evidence; others as they are written.
    Standard(Arc<HashMap<String, Evidence>>),
    /// As written; sites that have a choice say their locations and scales.
    AsWritten,
    /// Standard ones for all sites that have a choice; evidence comes with each evaluation, in [`EVIDENCE_SLOTS`].
    Inputs,
}

/// A site in standard coordinates.
#[derive(Clone, Copy, Debug)]
pub struct Standardised {
    /// The coordinates u, as the model is written.
    pub as_written: Var,
    /// Their location m.
    pub location: Var,
    /// Their scale s.
    pub scale: Var,
    /// The log-determinant for each coordinate.
    pub log_det: Var,
}

impl Coordinates {
    /// The coordinates u of a site from those that are sampled, `z`; none where the site has no choice, or is none of
    /// those that are given.
    pub(crate) fn apply(&self, name: &str, distribution: &dyn Distribution, z: Var) -> Option<Standardised> {
        let given = match self {
            Self::Standard(sites) => Some(sites.get(name)?),
            Self::AsWritten | Self::Inputs => None,
        };
        let (location, scale) = distribution.location_scale()?;
        let shape = z.shape();
        let fits = location.shape().broadcasts_to(&shape) && scale.shape().broadcasts_to(&shape);
        let is_latent = location.as_constant().is_none() || scale.as_constant().is_none();
        if !fits || !is_latent || shape.size() == 0 {
            return None;
        }
        if matches!(self, Self::AsWritten) {
            return Some(Standardised { as_written: z, location, scale, log_det: Var::zeros(shape) });
        }
        let evidence = match given {
            None => Some(EVIDENCE_SLOTS.map(|slot| Var::input(slot, shape.clone()))),
            Some(evidence) => constants(evidence, &shape)?,
        };
        let (as_written, log_det) = match evidence {
            None => (location + scale * z, scale.ln()),
            Some([precision, potential]) => {
                let variance = scale.square();
                let weight = 1.0 + variance * precision;
                let mean = (location + variance * potential) / weight;
                (mean + scale / weight.sqrt() * z, scale.ln() - 0.5 * weight.ln())
            }
        };
        Some(Standardised { as_written, location, scale, log_det: log_det.broadcast_to(shape) })
    }
}

/// Precisions and potentials as constants, `Some(None)` where all are 0; `None` if they are not as many as coordinates.
fn constants(Evidence { precision, potential }: &Evidence, shape: &Shape) -> Option<Option<[Var; 2]>> {
    let arrays = [Tensor::new(shape.clone(), &precision[..])?, Tensor::new(shape.clone(), &potential[..])?];
    let is_zero = precision.iter().chain(potential).all(|&number| number == 0.0);
    Some((!is_zero).then(|| arrays.map(Var::constant)))
}
