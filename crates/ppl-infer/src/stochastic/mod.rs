//! Stochastic gradient MCMC: Markov chains that look at a few rows of the data at a time and never reject.
//!
//! A method is a [`kernel`] (`init`, `step`) over a [`BatchDensity`](crate::batch::BatchDensity); [`StochasticGradient`]
//! holds the settings of a run and runs chains of any kernel, those of this crate and the user's.
//!
//! | method | noise | for |
//! |---|---|---|
//! | [`Sgfs`] | Fisher scoring: the noise of batches is accounted for | up to some 2000 coordinates; more by [`Fisher::Diagonal`] |
//! | [`Csg`] | none but that of batches | a quick look near a mode |
//! | [`Sgld`] | injected | any size, small steps |
//! | [`Psgld`] | injected, preconditioned | networks |
//! | [`Sghmc`] | injected, with momentum | any size |
//! | [`Sgnht`] | injected, with momentum and a thermostat | noise that is not known |

mod checkpoint;
mod control_variate;
mod fisher;
pub mod kernel;
mod prior_precision;
mod result;
mod run;
mod samplers;
mod saved;
mod schedule;
mod settings;
pub mod symmetric;
mod verdict;

pub use checkpoint::Checkpoint;
pub use control_variate::{ControlVariates, ControlVariatesState};
pub use fisher::{Fisher, FisherEstimate, RowGradients};
pub use kernel::{CsgPreconditioner, Gain, Preconditioner, StepInfo, StochasticKernel, Thermostat};
pub use prior_precision::PriorCurvature;
pub use result::{StochasticChain, StochasticRun};
pub use samplers::{Csg, Psgld, Sgfs, Sghmc, Sgld, Sgnht};
pub use schedule::{Schedule, Step};
pub use settings::StochasticGradient;
pub use verdict::Finding;
