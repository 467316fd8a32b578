//! The modelling language: sites, plates, distributions, supports and transforms.

pub mod dist;
pub mod support;
pub mod transform;

pub use dist::Distribution;
pub use support::Support;
pub use transform::Transform;
