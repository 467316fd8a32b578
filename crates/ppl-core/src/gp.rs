//! Covariance functions of Gaussian processes.
//!
//! Each gives the matrix of covariances between two sets of points; sums and products of such matrices are covariances
//! again, as are sums with a multiple of [`Var::eye`], which is noise.
//!
//! ```
//! use ppl_autodiff::Var;
//! use ppl_core::dist::{Gamma, HalfNormal, MultivariateNormal};
//! use ppl_core::model::ModelTrace;
//! use ppl_core::{gp, model, observe, sample};
//!
//! model! {
//!     /// A smooth function of x, seen with noise.
//!     fn smooth(x: Vec<f64>, y: Vec<f64>) {
//!         let length = sample!("length", Gamma::new(5.0, 5.0));
//!         let amplitude = sample!("amplitude", HalfNormal::new(1.0));
//!         let noise = sample!("noise", HalfNormal::new(0.5));
//!         let covariance = gp::matern52(&x, &x, amplitude, length) + noise.square() * Var::eye(x.len());
//!         observe!("y", MultivariateNormal::covariance(Var::zeros([x.len()]), covariance), y);
//!     }
//! }
//! let trace = ModelTrace::unconstrained(&smooth(vec![0.0, 0.5, 2.0], vec![0.3, 0.4, -0.1]), &[])?;
//! assert_eq!(trace.sites().len(), 4);
//! # Ok::<(), ppl_core::ModelError>(())
//! ```
//!
//! # Shapes
//! Points are numbers `[n]` or rows `[n, d]`, which may be latent; `amplitude` (the standard deviation of the process) and
//! `length` are scalars, or `length: [d]`, one for each coordinate. The result is `[n, m]`. Shapes that do not fit poison
//! the trace.
//!
//! # Source
//! Rasmussen and Williams (2006), "Gaussian Processes for Machine Learning", chapter 4; Stan's `gp_exp_quad_cov` and kin.

use std::f64::consts::PI;

use ppl_autodiff::Var;

/// `amplitude^2 exp(-r^2 / 2)`, r the distance in units of `length`: infinitely smooth. Stan's `gp_exp_quad_cov`.
#[track_caller]
pub fn exponentiated_quadratic(
    x: impl Into<Var>,
    z: impl Into<Var>,
    amplitude: impl Into<Var>,
    length: impl Into<Var>,
) -> Var {
    let squares = squared_distances(x.into(), z.into(), length.into());
    amplitude.into().square() * (-0.5 * squares).exp()
}

/// `amplitude^2 exp(-r)`: continuous, nowhere smooth; in one dimension the Ornstein-Uhlenbeck process.
#[track_caller]
pub fn exponential(x: impl Into<Var>, z: impl Into<Var>, amplitude: impl Into<Var>, length: impl Into<Var>) -> Var {
    let r = distances(x.into(), z.into(), length.into());
    amplitude.into().square() * (-r).exp()
}

/// `amplitude^2 (1 + sqrt(3) r) exp(-sqrt(3) r)`: once differentiable.
#[track_caller]
pub fn matern32(x: impl Into<Var>, z: impl Into<Var>, amplitude: impl Into<Var>, length: impl Into<Var>) -> Var {
    let r = 3.0_f64.sqrt() * distances(x.into(), z.into(), length.into());
    amplitude.into().square() * (1.0 + r) * (-r).exp()
}

/// `amplitude^2 (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r)`: twice differentiable.
#[track_caller]
pub fn matern52(x: impl Into<Var>, z: impl Into<Var>, amplitude: impl Into<Var>, length: impl Into<Var>) -> Var {
    let r = 5.0_f64.sqrt() * distances(x.into(), z.into(), length.into());
    amplitude.into().square() * (1.0 + r + r.square() / 3.0) * (-r).exp()
}

/// `amplitude^2 exp(-2 sum_i sin^2(pi |x_i - z_i| / period) / length^2)`: functions that repeat.
#[track_caller]
pub fn periodic(
    x: impl Into<Var>,
    z: impl Into<Var>,
    amplitude: impl Into<Var>,
    length: impl Into<Var>,
    period: impl Into<Var>,
) -> Var {
    let angle = PI * differences(x.into(), z.into()) / period.into();
    let squares = (angle.sin() / length.into()).square().sum_axis(-1);
    amplitude.into().square() * (-2.0 * squares).exp()
}

/// `amplitude^2 x . z`: linear functions through 0.
#[track_caller]
pub fn dot_product(x: impl Into<Var>, z: impl Into<Var>, amplitude: impl Into<Var>) -> Var {
    amplitude.into().square() * rows(x.into()).matmul(rows(z.into()).t())
}

/// Points as rows `[n, d]`.
#[track_caller]
fn rows(x: Var) -> Var {
    if x.rank() == 1 { x.expand_dims(-1) } else { x }
}

/// `x_i - z_j` of all pairs, `[n, m, d]`.
#[track_caller]
fn differences(x: Var, z: Var) -> Var {
    rows(x).expand_dims(1) - rows(z).expand_dims(0)
}

#[track_caller]
fn squared_distances(x: Var, z: Var, length: Var) -> Var {
    let differences = differences(x, z);
    if length.rank() == 0 {
        // The squares of data are constants.
        return differences.square().sum_axis(-1) / length.square();
    }
    (differences / length).square().sum_axis(-1)
}

/// Distances, whose derivative is 0 where the points agree, not NaN.
#[track_caller]
fn distances(x: Var, z: Var, length: Var) -> Var {
    let squares = squared_distances(x, z, length);
    let apart = squares.gt(0.0);
    apart.select(apart.select(squares, 1.0).sqrt(), 0.0)
}
