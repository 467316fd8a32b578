//! Variational inference: approximations of a posterior that are found by optimisation.
//!
//! [`Advi`] fits a [`family`] of distributions by stochastic ascent of the evidence lower bound, over all data or over
//! batches, and gives a [`VariationalFit`] that judges itself. [`Laplace`] and [`Dadvi`] find normal laws without a learning
//! rate, [`Map`] the mode alone, [`Pathfinder`] weighted draws along the paths of an optimiser.

mod advi;
mod dadvi;
mod dense;
mod error;
pub mod family;
mod fit;
mod gaussian;
mod importance;
mod laplace;
mod lbfgs;
mod local;
mod objective;
pub mod optimiser;
mod path_gaussian;
mod pathfinder;
mod problem;
mod run;
mod schedule;
mod tracker;
mod verdict;

pub use advi::{Advi, Start};
pub use dadvi::{Dadvi, DadviFit};
pub use error::VariationalError;
pub use family::{FamilyKind, Layer, Scale};
pub use fit::VariationalFit;
pub use gaussian::GaussianFit;
pub use laplace::{Laplace, Map};
pub use local::{LocalLayers, WhyNot};
pub use objective::{Estimator, Objective};
pub use optimiser::{
    Adadelta, Adagrad, AdagradWindow, Adam, AdamW, Adamax, Momentum, Nesterov, Optimiser, RmsProp, Sgd, StanAdagrad,
};
pub use pathfinder::{PathReport, Pathfinder, PathfinderFit, RoundReport};
pub use run::{Ended, State};
pub use schedule::Schedule;
pub use tracker::{ElboConverged, ParametersConverged, Progress, Record, Tracker};
pub use verdict::{Estimate, Verdict};
