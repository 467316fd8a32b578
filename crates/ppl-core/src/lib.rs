//! The modelling language: sites, plates, distributions, supports and transforms.
//!
//! A model is an ordinary function with [`sample!`] and [`observe!`] in it; [`model!`] makes calling it return a
//! [`Model`], which inference traces and compiles. Nothing in the code of a model names an algorithm.

pub mod centring;
pub mod dense;
pub mod dist;
pub mod error;
pub mod gp;
pub mod hmm;
mod macros;
pub mod minibatch;
pub mod model;
pub mod observed;
pub mod ode;
pub mod plate;
pub mod prior;
pub mod recurrence;
pub mod run;
pub mod site;
pub mod special;
pub mod support;
pub mod transform;

pub use dense::dense;
pub use dist::Distribution;
pub use error::{Change, ModelError, SiteError};
pub use minibatch::{BatchError, BatchModel, Minibatch};
pub use model::{Model, ModelTrace};
pub use run::{Kind, Outline, Site, Values};
pub use site::{deterministic, factor, observe, sample};
pub use support::Support;
pub use transform::Transform;
