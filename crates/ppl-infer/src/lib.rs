//! Inference: NUTS, the runner of chains, posteriors and predictions.
//!
//! [`Nuts::run`] takes a model to its [`Posterior`]: the model is compiled to a log-density with gradient
//! ([`compiled`]), chains run over any such [`density`], draws are mapped back to the model's sites.
//! [`Nuts::run_target`] does the same for a log-density of one's own.

pub mod adapt;
pub mod batch;
pub mod calibration;
pub mod centring;
pub mod chain;
pub mod compiled;
pub mod compiled_batch;
pub mod density;
pub mod dynamics;
pub mod error;
mod fit;
pub mod init;
pub mod kernel;
pub mod observe;
pub mod posterior;
pub mod predictive;
pub mod progress;
pub mod random;
pub mod recovery;
pub mod reduce;
pub mod runner;
pub mod stochastic;
mod together;
pub mod variational;

pub use calibration::{Calibration, sbc};
pub use centring::Centring;
pub use error::InferError;
pub use posterior::{Concern, Posterior};
pub use predictive::{Predictive, prior_predictive};
pub use recovery::Coverage;
pub use runner::Nuts;
pub use variational::{Advi, VariationalFit};
