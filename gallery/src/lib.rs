//! Posteriors that others have agreed on, as models: what every sampler is tested and timed on.
//!
//! The posteriors come from posteriordb and from the Inference Gym, with their data and with summaries of reference draws
//! (`data/README.md`). [`models`] has one readable file a model; [`all`] is the catalogue that tests and benchmarks walk.
//!
//! ```
//! use ppl::prelude::*;
//! let entry = ppl_gallery::find("eight_schools-eight_schools_noncentered").unwrap();
//! let posterior = Nuts::new().warmup(500).draws(1000).chains(2).seed(1).run(&*entry.model()?)?;
//! let comparison = ppl_gallery::compare(entry, posterior.draws())?;
//! assert!(comparison.missing.is_empty());
//! assert!(comparison.worst().is_some_and(|figure| figure.errors().abs() < 6.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod compare;
pub mod data;
pub mod entry;
pub mod error;
pub mod models;
pub mod reference;
pub mod run;

pub use compare::{Comparison, Figure, compare};
pub use data::Data;
pub use entry::{Entry, Needs, Source};
pub use error::GalleryError;
pub use reference::{Law, Reference, StanDensity};

/// Every posterior of the gallery.
pub fn all() -> &'static [Entry] {
    models::CATALOGUE
}

/// The posterior of a name.
pub fn find(name: &str) -> Option<&'static Entry> {
    all().iter().find(|entry| entry.name == name)
}
