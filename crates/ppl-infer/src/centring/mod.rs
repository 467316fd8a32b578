//! Coordinates of hierarchical sites, chosen before the chains run.
//!
//! A site whose law has a latent location m or scale s, `theta ~ Normal(mu, tau)`, makes a funnel as it is written
//! (centred) where data say little about it, and as `mu + tau z` (non-centred) where they say much. Here its chains
//! run in standard coordinates, given m, s and what the data say of it ([`ppl_core::centring`]): where those say it
//! as a normal likelihood would, neither is left. The model is the same and so is the posterior.
//!
//! A short chain, the `pilot`, finds what the data say of each coordinate of each such site (`evidence`); the model is
//! compiled with these numbers as constants, the same for all chains.

mod evidence;
mod pilot;

use std::collections::HashMap;
use std::sync::Arc;

use ppl_core::centring::{Coordinates, Evidence};
use ppl_core::{Model, ModelError, ModelTrace};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use evidence::Normal;
use ndarray::Array2;
pub(crate) use pilot::{Found, Pilot};
use ppl_autodiff::{Program, Var};

/// How the coordinates of hierarchical sites are chosen.
///
/// ```
/// use ppl_core::{Distribution, dist::{HalfNormal, Normal}, model, observe, sample};
/// use ppl_infer::{Centring, Nuts};
///
/// model! {
///     fn schools(y: Vec<f64>, error: Vec<f64>) {
///         let mean = sample!("mean", Normal::new(0.0, 10.0));
///         let spread = sample!("spread", HalfNormal::new(10.0));
///         let effect = sample!("effect", Normal::new(mean, spread).expand([error.len()]));
///         observe!("y", Normal::new(effect, &error), y);
///     }
/// }
/// let model = schools(vec![28.0, 8.0, -3.0, 7.0], vec![15.0, 10.0, 16.0, 11.0]);
/// let nuts = Nuts::new().warmup(300).draws(500).chains(2).seed(1);
/// let posterior = nuts.run(&model)?;
/// // A standard error of 10 is a precision of 1/100.
/// assert!((posterior.centring()[0].precision[1] - 0.01).abs() < 1e-6);
///
/// let as_written = nuts.clone().centring(Centring::AsWritten).run(&model)?;
/// assert!(as_written.centring().is_empty());
/// let non_centred = nuts.centring(Centring::non_centred(["effect"])).run(&model)?;
/// assert_eq!(non_centred.centring()[0].precision, [0.0; 4]);
/// # Ok::<(), ppl_infer::InferError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Centring {
    /// By a pilot chain, each coordinate of each site for itself. A model without a site whose location or scale is
    /// latent, or whose function reads values, stays as it is written, to the bit.
    #[default]
    Automatic,
    /// As the model is written.
    AsWritten,
    /// Non-centred for these sites, others as they are written.
    NonCentred(Vec<String>),
}

impl Centring {
    /// Non-centred for these sites, others as they are written.
    pub fn non_centred<S: Into<String>>(sites: impl IntoIterator<Item = S>) -> Self {
        Self::NonCentred(sites.into_iter().map(Into::into).collect())
    }
}

/// A site in standard coordinates: what the data are taken to say of each, as the normal factor
/// `exp(potential u - precision u^2 / 2)` of the unconstrained coordinate u that the model is written in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteCentring {
    /// The site.
    pub site: String,
    /// The precision, in row-major order; 0 is the non-centred form.
    pub precision: Vec<f64>,
    /// The potential: the precision times the value that the data alone would give.
    pub potential: Vec<f64>,
}

/// Coordinates that a model cannot be sampled in.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CentringError {
    /// A site that is not there, or has one set of coordinates only.
    #[error(
        "centring: site `{site}` is none of a location-scale family with a latent location or scale; those are {choices:?}"
    )]
    NoChoice {
        /// The site.
        site: String,
        /// The sites that have a choice.
        choices: Vec<String>,
    },
    /// Numbers for another count of coordinates than the site has.
    #[error("centring: site `{site}` has {wanted} coordinates, got numbers for {got}")]
    Length {
        /// The site.
        site: String,
        /// How many there are.
        got: usize,
        /// How many coordinates it has.
        wanted: usize,
    },
    /// A precision or a potential that is none.
    #[error(
        "centring: site `{site}` has precision {precision} and potential {potential}, wanted finite, the first at least 0"
    )]
    Number {
        /// The site.
        site: String,
        /// The precision.
        precision: f64,
        /// The potential.
        potential: f64,
    },
}

/// The sites of a model that have a choice of coordinates.
pub(crate) struct Choices {
    /// A run with inputs for what is chosen.
    trace: ModelTrace,
    /// Each with the place of its first coordinate and their number.
    sites: Vec<(String, usize, usize)>,
    /// Coordinates of all sites.
    dim: usize,
}

impl Choices {
    /// Looks for them: there are none where the function reads values.
    ///
    /// # Errors
    /// The first mistake in the model.
    pub fn of(model: &dyn Model) -> Result<Self, ModelError> {
        let trace = ModelTrace::in_coordinates(model, Coordinates::Inputs)?;
        let (mut sites, mut dim) = (Vec::new(), 0);
        let (sizes, trace) = trace.extend(|sites| {
            let size = |s: &ppl_core::Site| Some((s.name.clone(), s.unconstrained?.0.shape().size(), s.standardised));
            sites.iter().filter_map(size).collect::<Vec<_>>()
        })?;
        for (name, size, standardised) in sizes {
            if standardised.is_some() && !trace.is_dynamic() {
                sites.push((name, dim, size));
            }
            dim += size;
        }
        Ok(Self { trace, sites, dim })
    }

    /// The non-centred form of some sites.
    ///
    /// # Errors
    /// [`CentringError::NoChoice`] for the first that has none.
    pub fn non_centred(&self, sites: &[String]) -> Result<Vec<SiteCentring>, CentringError> {
        let one = |site: &String| {
            let zeros = vec![0.0; self.size(site)?];
            Ok(SiteCentring { site: site.clone(), precision: zeros.clone(), potential: zeros })
        };
        sites.iter().map(one).collect()
    }

    /// That the sites have these coordinates.
    ///
    /// # Errors
    /// [`CentringError`] for the first thing that does not fit.
    pub fn check(&self, centring: &[SiteCentring]) -> Result<(), CentringError> {
        for SiteCentring { site, precision, potential } in centring {
            let wanted = self.size(site)?;
            if let Some(got) = [precision.len(), potential.len()].into_iter().find(|&got| got != wanted) {
                return Err(CentringError::Length { site: site.clone(), got, wanted });
            }
            for (&precision, &potential) in precision.iter().zip(potential) {
                if !(precision >= 0.0 && precision.is_finite() && potential.is_finite()) {
                    return Err(CentringError::Number { site: site.clone(), precision, potential });
                }
            }
        }
        Ok(())
    }

    fn size(&self, site: &str) -> Result<usize, CentringError> {
        let found = self.sites.iter().find(|(name, ..)| name == site);
        found.map(|&(.., size)| size).ok_or_else(|| CentringError::NoChoice {
            site: site.to_owned(),
            choices: self.sites.iter().map(|(name, ..)| name.clone()).collect(),
        })
    }
}

/// As a run over unconstrained space takes them.
pub(crate) fn coordinates(sites: &[SiteCentring]) -> Coordinates {
    let one = |s: &SiteCentring| {
        (s.site.clone(), Evidence { precision: s.precision.clone(), potential: s.potential.clone() })
    };
    Coordinates::Standard(Arc::new(sites.iter().map(one).collect::<HashMap<_, _>>()))
}

/// Points `[.., coordinate]` as the model is written, in the coordinates of a choice that fits the model.
///
/// # Errors
/// The first mistake in the model.
pub(crate) fn standardise(
    model: &dyn Model,
    centring: &[SiteCentring],
    points: &Array2<f64>,
) -> Result<Array2<f64>, ModelError> {
    let trace = ModelTrace::in_coordinates(model, Coordinates::AsWritten)?;
    let (chosen, trace) = trace.extend(|sites| {
        let (mut place, mut chosen) = (0, Vec::new());
        for site in sites {
            let Some((x, _)) = site.unconstrained else { continue };
            if let Some((c, of)) = centring.iter().find(|c| c.site == site.name).zip(site.standardised) {
                chosen.push((c, place, [of.location, of.scale].map(|part| part.broadcast_to(x.shape()))));
            }
            place += x.shape().size();
        }
        chosen
    })?;
    let outputs: Vec<&[Var]> = chosen.iter().map(|(.., parts)| &parts[..]).collect();
    let program = Program::<f64>::compile(trace.traced().tape(), &outputs);
    let mut workspace = program.workspace();
    let mut parts: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
    let mut moved = points.clone();
    for mut point in moved.outer_iter_mut() {
        let mut outputs: Vec<&mut [f64]> = parts.iter_mut().map(Vec::as_mut_slice).collect();
        program.evaluate(&mut workspace, &[&point.to_vec()], &mut outputs);
        for ((SiteCentring { precision, potential, .. }, place, _), parts) in chosen.iter().zip(&parts) {
            let (locations, scales) = parts.split_at(parts.len() / 2);
            for (i, (&m, &s)) in locations.iter().zip(scales).enumerate() {
                let x = &mut point[place + i];
                *x = Normal { m, s, precision: precision[i], potential: potential[i] }.standard(*x);
            }
        }
    }
    Ok(moved)
}
