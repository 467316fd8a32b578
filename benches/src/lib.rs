//! What the benchmarks share: models, data, a gradient written by hand, and the clock.

pub mod handwritten;
pub mod models;
pub mod stochastic;
pub mod timing;
