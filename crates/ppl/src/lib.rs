//! Probabilistic programming in Rust: models as functions, posteriors at native speed.

pub mod data;
