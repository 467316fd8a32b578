//! Priors of several sites: of many coefficients of which few matter.
//!
//! Each is a function to be called in a model; it records its sites, non-centred, and returns the coefficients, which it
//! also keeps under the name given.

mod horseshoe;
mod r2d2;

pub use horseshoe::{horseshoe, regularized_horseshoe};
pub use r2d2::r2d2;
