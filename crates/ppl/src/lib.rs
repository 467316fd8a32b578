//! Probabilistic programming in Rust: models as functions, posteriors at native speed.
//!
//! ```
//! use ppl::prelude::*;
//!
//! model! {
//!     /// Eight schools (Rubin 1981), non-centred.
//!     fn schools(y: Array1<f64>, sigma: Array1<f64>) {
//!         let mu = sample!("mu", Normal::new(0.0, 5.0));
//!         let tau = sample!("tau", HalfNormal::new(5.0));
//!         let z = sample!("z", Normal::new(0.0, 1.0).expand([y.len()]));
//!         let theta = deterministic!("theta", mu + tau * z);
//!         observe!("y", Normal::new(theta, &sigma), y);
//!     }
//! }
//!
//! let y = array![28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0];
//! let sigma = array![15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0];
//! let posterior = Nuts::new().warmup(500).draws(500).chains(2).seed(1).run(&schools(y, sigma))?;
//! println!("{}", posterior.summary());
//! # Ok::<(), InferError>(())
//! ```
//!
//! The crates behind this face: [`autodiff`] (the tape and its compiler), [`core`] (the language), [`infer`] (NUTS,
//! posteriors, predictions), [`diagnostics`] (R-hat, ESS, summaries), [`viz`] (plots).

pub mod data;

pub use ppl_autodiff as autodiff;
pub use ppl_core as core;
pub use ppl_diagnostics as diagnostics;
pub use ppl_infer as infer;
pub use ppl_viz as viz;

/// What a model and its inference need: `use ppl::prelude::*`.
pub mod prelude {
    pub use ndarray::{Array, Array0, Array1, Array2, Array3, ArrayD, Axis, array, s};
    pub use ppl_autodiff::{Shape, Var, concat, scan, stack};
    pub use ppl_core::dist::*;
    pub use ppl_core::{
        BatchModel, Minibatch, Model, ModelError, dense, deterministic, factor, model, observe, plate, sample,
    };
    pub use ppl_diagnostics::{Draws, Summary};
    pub use ppl_infer::reduce::{Mean, Quantile, Reducer, Sd};
    pub use ppl_infer::stochastic::{Csg, Fisher, Psgld, Schedule, Sgfs, Sghmc, Sgld, Sgnht, StochasticGradient};
    pub use ppl_infer::variational::{Adam, Advi, VariationalFit};
    pub use ppl_infer::{Calibration, Centring, InferError, Nuts, Posterior, prior_predictive, sbc};
}

/// The book's chapters, so that their code is compiled and run as tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../docs/calibration.md")]
    mod calibration {}
    #[doc = include_str!("../../../docs/first_model.md")]
    mod first_model {}
    #[doc = include_str!("../../../docs/distributions.md")]
    mod distributions {}
    #[doc = include_str!("../../../docs/nuts.md")]
    mod nuts {}
    #[doc = include_str!("../../../docs/stochastic_gradients.md")]
    mod stochastic_gradients {}
    #[doc = include_str!("../../../docs/variational.md")]
    mod variational {}
    #[doc = include_str!("../../../README.md")]
    mod readme {}
}
