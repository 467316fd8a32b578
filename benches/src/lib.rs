//! What the benchmarks share: models, data, and a gradient written by hand.

pub mod handwritten;
pub mod models;
pub mod stochastic;
