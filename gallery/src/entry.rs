//! What the gallery knows about one posterior.

use ppl::core::Model;

use crate::data::Data;
use crate::error::GalleryError;
use crate::reference::{Reference, StanDensity};

/// Where a posterior and its reference come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// stan-dev/posteriordb: reference draws of Stan. Indices in names count from 1.
    Posteriordb,
    /// The Python package `inference_gym`. Indices in names count from 0.
    InferenceGym,
}

/// What a posterior asks of a sampler beyond its defaults, and why.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// The acceptance that NUTS should aim at, where its own choice makes steps too long for the posterior's geometry.
    pub acceptance: Option<f64>,
    /// How many times the usual number of draws it takes to converge.
    pub length: usize,
    /// Whether there are minor modes of no mass, in which chains stay: those are left out.
    pub minor_modes: bool,
    /// What there is to know, for the page of results.
    pub remark: &'static str,
}

impl Needs {
    /// Nothing.
    pub const NOTHING: Needs = Needs { acceptance: None, length: 1, minor_modes: false, remark: "" };
}

/// A posterior of the gallery: its line in the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The posterior's name at its source.
    pub name: &'static str,
    /// What kind of model it is.
    pub kind: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// The text of its data file.
    pub data: &'static str,
    /// The text of its reference summaries.
    pub reference: &'static str,
    /// The text of Stan's log-densities, where there are any.
    pub log_density: Option<&'static str>,
    /// Stan's parameters, which are sites here, in the order of their declaration. Empty without `log_density`.
    pub stan_order: &'static [&'static str],
    /// What samplers should know of it.
    pub needs: Needs,
    /// The model of its data.
    pub build: fn(&Data) -> Result<Box<dyn Model>, GalleryError>,
}

impl Entry {
    /// The model with its data.
    ///
    /// # Errors
    /// A data file that is not of the form that the model needs.
    pub fn model(&self) -> Result<Box<dyn Model>, GalleryError> {
        (self.build)(&Data::parse(self.data)?)
    }

    /// Summaries of the reference draws.
    ///
    /// # Errors
    /// A file that is not of that form.
    pub fn reference(&self) -> Result<Reference, GalleryError> {
        Reference::parse(self.reference)
    }

    /// Stan's log-density at some points, where the source has it.
    ///
    /// # Errors
    /// A file that is not of that form.
    pub fn log_density(&self) -> Result<Option<StanDensity>, GalleryError> {
        self.log_density.map(StanDensity::parse).transpose()
    }

    /// The label of a reference's parameter among the draws of the model: sites bear the names of the reference, whose
    /// indices may count from 1 (`theta[2]` there is `theta[1]` here).
    pub fn label(&self, parameter: &str) -> String {
        let first = match self.source {
            Source::Posteriordb => 1,
            Source::InferenceGym => 0,
        };
        let Some((site, indices)) = parameter.strip_suffix(']').and_then(|p| p.split_once('[')) else {
            return parameter.to_owned();
        };
        let shifted = indices.split(',').map(|i| match i.trim().parse::<usize>() {
            Ok(index) => index.saturating_sub(first).to_string(),
            Err(_) => i.to_owned(),
        });
        format!("{site}[{}]", shifted.collect::<Vec<String>>().join(","))
    }
}

/// The line of a posterior of posteriordb in the catalogue.
macro_rules! posteriordb {
    ($name:literal, $kind:literal, data = $data:literal, $build:expr) => {
        posteriordb!(@ $name, $kind, $data, None, &[], $build)
    };
    ($name:literal, $kind:literal, data = $data:literal, stan = $order:expr, $build:expr) => {
        posteriordb!(@ $name, $kind, $data,
            Some(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/log_density/", $name, ".json"))), &$order, $build)
    };
    (@ $name:literal, $kind:literal, $data:literal, $density:expr, $order:expr, $build:expr) => {
        $crate::entry::Entry {
            name: $name,
            kind: $kind,
            source: $crate::entry::Source::Posteriordb,
            data: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/posteriordb/", $data, ".json")),
            reference: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/reference/posteriordb/", $name, ".json")),
            log_density: $density,
            stan_order: $order,
            needs: $crate::entry::Needs::NOTHING,
            build: $build,
        }
    };
}

/// The line of a posterior of the Inference Gym in the catalogue.
macro_rules! inference_gym {
    ($name:literal, $kind:literal, $build:expr) => {
        $crate::entry::Entry {
            name: $name,
            kind: $kind,
            source: $crate::entry::Source::InferenceGym,
            data: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/inference_gym/", $name, ".json")),
            reference: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/reference/inference_gym/", $name, ".json")),
            log_density: None,
            stan_order: &[],
            needs: $crate::entry::Needs::NOTHING,
            build: $build,
        }
    };
}

pub(crate) use {inference_gym, posteriordb};
