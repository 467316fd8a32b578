//! Special functions beyond those that are operations: compositions that keep their digits, with all derivatives.
//!
//! Distributions are made of them; they serve densities of one's own as well. What is an operation of the tape
//! (`lgamma`, `digamma`, `erf`, `log_ndtr`, `i0e`, ..) is a method of [`Var`].

mod incomplete;
mod share;
mod stable;

use ppl_autodiff::Var;

pub(crate) use incomplete::{Tails, beta_kernel, beta_tails, gamma_kernel, gamma_tails};
pub use incomplete::{
    beta_inc, beta_inc_c, gamma_inc, gamma_inc_c, ln_beta_inc, ln_beta_inc_c, ln_gamma_inc, ln_gamma_inc_c,
};
pub(crate) use share::Share;
pub(crate) use stable::*;

/// `ln B(a, b)`, the logarithm of the beta function, for positive a and b.
///
/// Didonato and Morris (1992), ACM TOMS 18(3), algorithm 708.
pub fn lbeta(a: impl Into<Var>, b: impl Into<Var>) -> Var {
    ln_beta(a.into(), b.into())
}

/// `ln Gamma(x + d) - ln Gamma(x)` for positive x and d, however small d is beside x.
pub fn lgamma_delta(x: impl Into<Var>, d: impl Into<Var>) -> Var {
    -ln_gamma_fall(x.into(), d.into())
}

/// `D(x) = ln Gamma(x) - (x - 1/2) ln x + x - ln sqrt(2 pi)` for positive x: what Stirling's formula lacks. DLMF 5.11.1;
/// below 10 by the steps `D(x) - D(x + 1) = atanh(v) / v - 1` with `v = 1 / (2 x + 1)`, all of one sign.
pub fn stirling(x: impl Into<Var>) -> Var {
    let x = x.into();
    let large = x.ge(LARGE);
    let start = large.select(1.0, x);
    let steps = (0..LARGE as usize).map(|i| atanh_ratio_m1((2.0 * (start + i as f64) + 1.0).recip()));
    let high = stirling_correction(large.select(x, x + LARGE));
    large.select(0.0, steps.sum::<Var>()) + high
}

/// `x ln(x / m) + m - x` for positive x and m, half of a Poisson deviance: 0 at `x = m`. Loader (2000).
pub fn poisson_deviance(x: impl Into<Var>, m: impl Into<Var>) -> Var {
    deviance(x.into(), m.into())
}

/// `ln I0(x)`, the modified Bessel function of order 0.
pub fn ln_i0(x: impl Into<Var>) -> Var {
    let x = x.into().abs();
    let small = x.lt(1.0);
    // I0 - 1 by its series: the logarithm of a number next to 1 would keep few digits.
    let s = 0.25 * small.select(x, 0.0).square();
    let series = (1..=12).rev().fold(Var::from(0.0), |rest, k| (s / f64::from(k * k)) * (1.0 + rest)).ln_1p();
    let x = small.select(1.0, x);
    small.select(series, x + ln_i0e(x))
}

/// `Phi(x)`, the standard normal distribution function.
pub fn ndtr(x: impl Into<Var>) -> Var {
    0.5 * (x.into() * -std::f64::consts::FRAC_1_SQRT_2).erfc()
}

/// `ln(Phi(b) - Phi(a))` for `a < b`, in both tails and between neighbours.
pub fn log_ndtr_diff(a: impl Into<Var>, b: impl Into<Var>) -> Var {
    NormalInterval::new(a.into(), b.into()).log_mass()
}

/// `ln(x / (1 - x))`, exact at 1/2 too.
pub fn logit(x: impl Into<Var>) -> Var {
    let x = x.into();
    let middle = (x - 0.5).abs().lt(0.25);
    let near = 2.0 * (2.0 * middle.select(x, 0.5) - 1.0);
    let odds = (near / (2.0 * (1.0 - middle.select(x, 0.5)))).ln_1p();
    let x = middle.select(0.25, x);
    middle.select(odds, x.ln() - (-x).ln_1p())
}

/// `ln(1 / (1 + e^-x))`, the logarithm of the logistic function.
pub fn log_sigmoid(x: impl Into<Var>) -> Var {
    -(-x.into()).softplus()
}

/// `ln(e^y - 1)` for y > 0, the inverse of `softplus`.
pub fn softplus_inverse(y: impl Into<Var>) -> Var {
    let y = y.into();
    y + y.log1mexp()
}

/// `ln(e^a - e^b)` for `a > b`.
pub fn logsubexp(a: impl Into<Var>, b: impl Into<Var>) -> Var {
    let (a, b) = (a.into(), b.into());
    a + (a - b).log1mexp()
}

/// `ln Gamma_d(a)`, the multivariate gamma function of dimension d, for `a > (d - 1) / 2`.
pub fn lmvgamma(a: impl Into<Var>, d: usize) -> Var {
    let (a, n) = (a.into(), d as f64);
    let sum: Var = (0..d).map(|j| (a - 0.5 * j as f64).lgamma()).sum();
    0.25 * n * (n - 1.0) * std::f64::consts::PI.ln() + sum
}

/// `x ln y`, 0 where x is 0.
pub fn xlogy(x: impl Into<Var>, y: impl Into<Var>) -> Var {
    x.into().xlogy(y)
}

/// `x ln(1 + y)`, 0 where x is 0.
pub fn xlog1py(x: impl Into<Var>, y: impl Into<Var>) -> Var {
    let x = x.into();
    let used = x.ne(0.0);
    used.select(x * used.select(y.into(), 0.0).ln_1p(), 0.0)
}
