//! What the benchmarks share: models, data, and a gradient written by hand.

pub mod models;
