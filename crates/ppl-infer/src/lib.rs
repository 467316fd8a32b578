//! Inference: NUTS, the runner of chains, posteriors and predictions.

pub mod density;
