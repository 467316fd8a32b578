//! Coordinates of hierarchical sites, chosen before the chains run.
//!
//! A site whose law has a latent location m or scale s, `theta ~ Normal(mu, tau)`, is sampled well as it is written
//! (centred) where its data say much about it, and as `mu + tau z` (non-centred) where they say little; its unconstrained
//! coordinate u is `m + s^(1 - b) (z - a m)` with a and b between ([`ppl_core::centring`]). The posterior is the same.
//!
//! A short [pilot](pilot) chain draws from the posterior in coordinates half-way, and the [criterion](criterion) finds
//! a and b for each coordinate from its draws and gradients; the model is compiled with them as constants.

mod criterion;
mod pilot;

use std::collections::HashMap;

use ppl_core::centring::{Evidence, Coordinates};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) use pilot::Pilot;

/// How the coordinates of hierarchical sites are chosen.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Centring {
    /// By a pilot chain, each coordinate of each site for itself.
    #[default]
    Automatic,
    /// As the model is written.
    AsWritten,
    /// With these numbers for these sites, from 0, non-centred, to 1, as written.
    Sites(Vec<(String, f64)>),
}

impl Centring {
    /// Sites with the share of location and scale that stays in their coordinates: from 0, non-centred, to 1, as written.
    /// Other sites stay as they are written.
    pub fn sites<S: Into<String>>(sites: impl IntoIterator<Item = (S, f64)>) -> Self {
        Self::Sites(sites.into_iter().map(|(site, share)| (site.into(), share)).collect())
    }
}

/// The coordinates of one site, where they are others than those that it is written in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteCentring {
    /// The site.
    pub site: String,
    /// The precision of what the data say about each coordinate; 0 is the non-centred form.
    pub precision: Vec<f64>,
    /// The potential of that: the precision times the value that the data alone would give.
    pub potential: Vec<f64>,
}

/// Coordinates that a model cannot be sampled in.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CentringError {
    /// A site that is not there, or that has one set of coordinates only.
    #[error(
        "centring: site `{site}` is none whose location or scale is latent in a family of both; those that are: {choices:?}"
    )]
    NoChoice {
        /// The site.
        site: String,
        /// The sites that have a choice.
        choices: Vec<String>,
    },
    /// A share outside of its range.
    #[error("centring: the share of site `{site}` is {got}, wanted 0 (non-centred) to 1 (as written)")]
    Share {
        /// The site.
        site: String,
        /// The share.
        got: f64,
    },
    /// Coordinates for another number of elements than the site has.
    #[error("centring: there are {got} shares for the {wanted} coordinates of site `{site}`")]
    Length {
        /// The site.
        site: String,
        /// How many there are.
        got: usize,
        /// How many coordinates it has.
        wanted: usize,
    },
}

/// As a run over unconstrained space takes them.
pub(crate) fn coordinates(sites: &[SiteCentring]) -> Coordinates {
    let one = |s: &SiteCentring| {
        (s.site.clone(), Evidence { precision: s.precision.clone(), potential: s.potential.clone() })
    };
    Coordinates::Standard(sites.iter().map(one).collect::<HashMap<_, _>>())
}
