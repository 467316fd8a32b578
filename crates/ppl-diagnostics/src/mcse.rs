//! Monte Carlo standard errors: how far an estimate may be from the posterior's value because draws are finite.

use crate::chains::{Chains, mean, mean_variance};
use crate::ess::{effective, ess_quantile, squares};
use crate::interval::sorted;
use ndarray::ArrayView2;
use statrs::function::beta::inv_beta_reg;

/// Standard error of the mean: `sd / sqrt(ESS)` with [`ess_mean`](crate::ess_mean).
///
/// ```
/// // The classical sd / sqrt(S) times the square root of S / ESS.
/// let x = ndarray::array![[0.3, -0.2, 1.1, 0.7, -0.9, 0.4, 0.0, -1.3]];
/// let (error, ess) = (ppl_diagnostics::mcse_mean(x.view()), ppl_diagnostics::ess_mean(x.view()));
/// assert!((error - x.std(1.0) / ess.sqrt()).abs() < 1e-15);
/// ```
pub fn mcse_mean(x: ArrayView2<f64>) -> f64 {
    Chains::new(x).map_or(f64::NAN, |chains| mean_error(&chains, mean_variance(chains.values()).1))
}

/// Standard error of the standard deviation: with `c = (x - mean)^2`, its mean `E` and the error `V` of that mean squared,
/// `sqrt(V / (4 E))` (delta method; Kenney and Keeping 1951, p. 141). NaN for a constant.
///
/// ```
/// // Independent normal draws: about sd / sqrt(2 S), here with 4000 scrambled normal quantiles.
/// let z = ppl_diagnostics::normal_scores(ndarray::Array2::from_shape_fn((4, 1000), |(c, t)| {
///     ((c * 1000 + t) as f64).powi(2).sin()
/// }).view());
/// let error = ppl_diagnostics::mcse_sd(z.view());
/// assert!((error * 8000f64.sqrt() - 1.0).abs() < 0.2, "{error}");
/// ```
pub fn mcse_sd(x: ArrayView2<f64>) -> f64 {
    Chains::new(x).map_or(f64::NAN, |chains| sd_error(&chains, mean(chains.values())))
}

/// Standard error of the quantile at `prob`: half the distance between the sample quantiles at the 16 % and 84 % points
/// of `Beta(e p + 1, e (1 - p) + 1)`, the uncertainty of a probability `p` known from `e` draws; `e` is
/// [`ess_quantile`](crate::ess_quantile).
///
/// ```
/// let x = ndarray::Array2::from_shape_fn((4, 1000), |(c, t)| ((c * 1000 + t) as f64).powi(2).sin());
/// // The 5 % quantile of the sine of a uniform angle is where the density is high, so it is known better than the median.
/// assert!(ppl_diagnostics::mcse_quantile(x.view(), 0.05) < ppl_diagnostics::mcse_median(x.view()));
/// ```
pub fn mcse_quantile(x: ArrayView2<f64>, prob: f64) -> f64 {
    let ess = ess_quantile(x, prob);
    if ess.is_nan() {
        return f64::NAN;
    }
    let sorted = sorted(x);
    let size = sorted.len() as f64;
    let (a, b) = (ess * prob + 1.0, ess * (1.0 - prob) + 1.0);
    // Phi(-1) and Phi(1): one standard error to either side.
    let low = (inv_beta_reg(a, b, 0.158_655_253_931_457_05) * size - 1.0).max(0.0).floor();
    let high = (inv_beta_reg(a, b, 0.841_344_746_068_543) * size - 1.0).min(size - 1.0).ceil();
    0.5 * (sorted[high.max(0.0) as usize] - sorted[low as usize])
}

/// Standard error of the median.
///
/// ```
/// let x = ndarray::array![[0.3, -0.2, 1.1, 0.7, -0.9, 0.4, 0.0, -1.3]];
/// assert_eq!(ppl_diagnostics::mcse_median(x.view()), ppl_diagnostics::mcse_quantile(x.view(), 0.5));
/// ```
pub fn mcse_median(x: ArrayView2<f64>) -> f64 {
    mcse_quantile(x, 0.5)
}

/// [`mcse_mean`], given the variance.
pub(crate) fn mean_error(chains: &Chains, variance: f64) -> f64 {
    (variance / effective(&chains.split())).sqrt()
}

/// [`mcse_sd`], given the mean.
pub(crate) fn sd_error(chains: &Chains, mean: f64) -> f64 {
    let size = chains.values().len() as f64;
    let (mut second, mut fourth) = (0.0, 0.0);
    for v in chains.values() {
        let c = (v - mean) * (v - mean);
        second += c;
        fourth += c * c;
    }
    let (second, fourth) = (second / size, fourth / size);
    let error = (fourth - second * second).max(0.0) / squares(chains, mean);
    (error / (4.0 * second)).sqrt()
}
