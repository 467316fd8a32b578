//! Inference: NUTS, the runner of chains, posteriors and predictions.

pub mod adapt;
pub mod chain;
pub mod density;
pub mod dynamics;
pub mod init;
pub mod kernel;
pub mod observe;
pub mod progress;
pub mod random;
pub mod runner;
