//! Variational inference: approximations of a posterior that are found by optimisation.
//!
//! [`Advi`] fits a [`family`] of distributions by stochastic ascent of the evidence lower bound, over all data or over
//! batches, and gives a [`VariationalFit`] that judges itself.

mod advi;
mod error;
pub mod family;
mod fit;
mod objective;
pub mod optimiser;
mod problem;
mod run;
mod schedule;
mod tracker;
mod verdict;

pub use advi::{Advi, Start};
pub use error::VariationalError;
pub use family::{FamilyKind, Scale};
pub use fit::VariationalFit;
pub use objective::{Estimator, Objective};
pub use optimiser::{
    Adadelta, Adagrad, AdagradWindow, Adam, AdamW, Adamax, Momentum, Nesterov, Optimiser, RmsProp, Sgd, StanAdagrad,
};
pub use run::{Ended, State};
pub use schedule::Schedule;
pub use tracker::{ElboConverged, ParametersConverged, Progress, Record, Tracker};
pub use verdict::{Estimate, Verdict};
