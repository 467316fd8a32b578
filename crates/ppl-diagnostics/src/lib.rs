//! Draws as labelled arrays, convergence diagnostics and summaries.
//!
//! [`Draws`] holds a posterior: one array a site, of shape `(chain, draw, ...site shape)`. [`Summary`] is its table
//! of means, intervals, Monte Carlo errors, effective sample sizes and R-hats; [`check`] reads the draws together
//! with the sampler's [`SampleStats`] and says what went wrong. Every figure is also a function over one scalar
//! quantity, a view of shape `(chain, draw)`.
//!
//! One rule for unusable input to those functions: the result is NaN if there is no chain, if there are fewer than
//! four draws (one draw is enough for quantiles and intervals), if any draw is NaN or infinite, or if a probability
//! lies outside `[0, 1]`.
//!
//! The definitions are those of Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), "Rank-normalization, folding,
//! and localization: an improved R-hat", Bayesian Analysis 16(2), arXiv:1903.08008; the tests compare every figure
//! with ArviZ 0.23 to nine digits.
//!
//! ```
//! use ndarray::ArrayD;
//! use ppl_diagnostics::{Draws, Summary};
//!
//! // Two chains of 100 draws of a vector of length three; the golden ratio spreads the values evenly.
//! let w = ArrayD::from_shape_fn(vec![2, 100, 3], |i| ((i[0] * 300 + i[1] * 3 + i[2]) as f64 * 0.618_034).fract());
//! let draws = Draws::new([("w", w)])?;
//! let summary = Summary::new(&draws);
//! assert_eq!(summary.rows().len(), 3);
//! assert!((summary.row("w[2]").unwrap().mean - 0.5).abs() < 0.02);
//! println!("{summary}");
//! # Ok::<(), ppl_diagnostics::DrawsError>(())
//! ```

mod autocov;
mod bfmi;
mod chains;
mod draws;
mod ecdf;
mod ess;
mod interval;
mod loo;
mod mcse;
mod psis;
mod rank;
mod rhat;
mod stats;
mod summary;
mod table;
mod warnings;

pub use bfmi::bfmi;
pub use draws::{Component, Draws, DrawsError, Truncation};
pub use ecdf::{EcdfBand, EcdfError};
pub use ess::{ess_bulk, ess_local, ess_mad, ess_mean, ess_median, ess_quantile, ess_sd, ess_tail};
pub use interval::{Interval, IntervalKind, ProbabilityError, eti, hdi, median, quantile};
pub use loo::{ElpdDifference, Loo, LooError, loo, loo_with_efficiency};
pub use mcse::{mcse_mean, mcse_median, mcse_quantile, mcse_sd};
pub use psis::{Psis, psis};
pub use rank::{normal_scores, ranks};
pub use rhat::{r_hat, r_hat_split};
pub use stats::{DrawStats, SampleStats};
pub use summary::{Row, Summary};
pub use table::Table;
pub use warnings::{EssKind, Warning, check, check_stats, check_summary};
