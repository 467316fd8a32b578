//! Effective sample size: how many independent draws would estimate a quantity as precisely as these.

use crate::autocov::MeanAutocovariance;
use crate::chains::{Chains, mean, mean_variance};
use crate::interval::{median_of_sorted, quantile_of_sorted};
use crate::rank::{Ascending, Ranked};
use ndarray::ArrayView2;

/// Bulk effective sample size, of the normal scores of split chains: the precision of the distribution's centre,
/// defined even where mean and variance are not. Wanted: at least 100 a chain.
///
/// All sizes of this module share Geyer's initial monotone sequence estimate of the autocorrelation time `tau`, with
/// autocorrelations that pool all chains and charge their disagreement: `ESS = S / tau`, at most `S log10 S` (which
/// antithetic chains reach). For draws that are all equal it is `S`.
///
/// # Source
/// Vehtari et al. (2021), Bayesian Analysis 16(2), sections 3 and 4; Geyer (1992), Statistical Science 7(4).
///
/// ```
/// use ndarray::Array2;
/// let x = Array2::from_shape_fn((4, 100), |(c, t)| (((c * 100 + t) * (c * 100 + t)) as f64).sin());
/// let ess = ppl_diagnostics::ess_bulk(x.view());
/// assert!(ess > 100.0, "{ess}");
/// // Ranks do not change with the scale, nor does their effective sample size.
/// assert_eq!(ppl_diagnostics::ess_bulk(x.mapv(f64::exp).view()), ess);
/// ```
pub fn ess_bulk(x: ArrayView2<f64>) -> f64 {
    of(x, |chains| effective(&Ranked::of(chains).bulk))
}

/// Tail effective sample size: the smaller of [`ess_quantile`] at 5 % and 95 %. Wanted: at least 100 a chain.
///
/// ```
/// let x = ndarray::array![[0.3, -0.2, 1.1, 0.7, -0.9, 0.4, 0.0, -1.3]];
/// let (low, high) = (ppl_diagnostics::ess_quantile(x.view(), 0.05), ppl_diagnostics::ess_quantile(x.view(), 0.95));
/// assert_eq!(ppl_diagnostics::ess_tail(x.view()), low.min(high));
/// ```
pub fn ess_tail(x: ArrayView2<f64>) -> f64 {
    of(x, |chains| tail(chains, Ascending::new(chains.values()).values()))
}

/// Effective sample size for the mean: of the split draws themselves.
///
/// ```
/// let x = ndarray::array![[2.0, 2.0, 2.0, 2.0], [2.0, 2.0, 2.0, 2.0]];
/// assert_eq!(ppl_diagnostics::ess_mean(x.view()), 8.0);
/// ```
pub fn ess_mean(x: ArrayView2<f64>) -> f64 {
    of(x, |chains| effective(&chains.split()))
}

/// Effective sample size for the standard deviation: of the squared distances from the mean.
///
/// ```
/// let x = ndarray::array![[0.3, -0.2, 1.1, 0.7, -0.9, 0.4, 0.0, -1.3]];
/// let squares = x.mapv(|v: f64| (v - x.mean().unwrap()).powi(2));
/// assert_eq!(ppl_diagnostics::ess_sd(x.view()), ppl_diagnostics::ess_mean(squares.view()));
/// ```
pub fn ess_sd(x: ArrayView2<f64>) -> f64 {
    of(x, |chains| squares(chains, mean(chains.values())))
}

/// Effective sample size for the quantile at `prob`: of the indicators of draws not above it.
///
/// ```
/// let x = ndarray::array![[0.3, -0.2, 1.1, 0.7, -0.9, 0.4, 0.0, -1.3]];
/// let below = x.mapv(|v| if v <= -0.2 { 1.0 } else { 0.0 }); // the quantile at 3/8 lies between -0.2 and 0
/// assert_eq!(ppl_diagnostics::ess_quantile(x.view(), 0.375), ppl_diagnostics::ess_mean(below.view()));
/// ```
pub fn ess_quantile(x: ArrayView2<f64>, prob: f64) -> f64 {
    of(x, |chains| up_to(chains, quantile_of_sorted(Ascending::new(chains.values()).values(), prob)))
}

/// Effective sample size for the median.
///
/// ```
/// let x = ndarray::array![[0.3, -0.2, 1.1, 0.7, -0.9, 0.4, 0.0, -1.3]];
/// assert_eq!(ppl_diagnostics::ess_median(x.view()), ppl_diagnostics::ess_quantile(x.view(), 0.5));
/// ```
pub fn ess_median(x: ArrayView2<f64>) -> f64 {
    ess_quantile(x, 0.5)
}

/// Effective sample size for the median absolute deviation from the median.
///
/// ```
/// // The median is 0 and half the draws are within 1 of it.
/// let x = ndarray::array![[-3.0, 1.0, -1.0, 2.0, 0.0, 0.0, 4.0, -2.5]];
/// let near = x.mapv(|v: f64| if v.abs() <= 1.0 { 1.0 } else { 0.0 });
/// assert_eq!(ppl_diagnostics::ess_mad(x.view()), ppl_diagnostics::ess_mean(near.view()));
/// ```
pub fn ess_mad(x: ArrayView2<f64>) -> f64 {
    of(x, |chains| {
        let order = Ascending::new(chains.values());
        let median = median_of_sorted(order.values());
        let mad = median_of_sorted(order.folded().values());
        effective(&chains.split_map(|v| indicator((v - median).abs() <= mad)))
    })
}

/// Effective sample size for the probability between the quantiles at `from` and `to`: how well a small interval of
/// the distribution is known.
///
/// ```
/// let x = ndarray::array![[0.3, -0.2, 1.1, 0.7, -0.9, 0.4, 0.0, -1.3]];
/// let from_the_left = ppl_diagnostics::ess_local(x.view(), 0.0, 0.3);
/// assert_eq!(from_the_left, ppl_diagnostics::ess_quantile(x.view(), 0.3));
/// ```
pub fn ess_local(x: ArrayView2<f64>, from: f64, to: f64) -> f64 {
    of(x, |chains| {
        let order = Ascending::new(chains.values());
        let (low, high) = (quantile_of_sorted(order.values(), from), quantile_of_sorted(order.values(), to));
        if low.is_nan() || high.is_nan() {
            return f64::NAN;
        }
        effective(&chains.split_map(|v| indicator(low <= v && v <= high)))
    })
}

fn of(x: ArrayView2<f64>, f: impl Fn(&Chains) -> f64) -> f64 {
    Chains::new(x).map_or(f64::NAN, |chains| f(&chains))
}

fn indicator(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

/// [`ess_sd`], given the mean.
pub(crate) fn squares(chains: &Chains, mean: f64) -> f64 {
    effective(&chains.split_map(|v| (v - mean) * (v - mean)))
}

/// [`ess_tail`], given the sorted values.
pub(crate) fn tail(chains: &Chains, sorted: &[f64]) -> f64 {
    let at = |prob| up_to(chains, quantile_of_sorted(sorted, prob));
    at(0.05).min(at(0.95))
}

/// Of the indicators of draws not above `bound`.
fn up_to(chains: &Chains, bound: f64) -> f64 {
    if bound.is_nan() {
        return f64::NAN;
    }
    effective(&chains.split_map(|v| indicator(v <= bound)))
}

/// `S / tau` over the chains as they are (callers split them).
pub(crate) fn effective(chains: &Chains) -> f64 {
    let size = chains.values().len() as f64;
    if is_constant(chains.values()) {
        return size;
    }
    size / autocorrelation_time(chains).max(1.0 / size.log10())
}

/// Equal but for rounding. Relative to the values, so that a tiny unit of measurement does not make a constant.
fn is_constant(values: &[f64]) -> bool {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for &v in values {
        low = low.min(v);
        high = high.max(v);
    }
    high - low <= 1e-15 * low.abs().max(high.abs())
}

/// `tau = -1 + 2 sum_t rho_t` by Geyer's initial monotone sequence: sums of neighbouring autocorrelations
/// `rho_{2k} + rho_{2k+1}` of a reversible chain are positive and decrease, so the sum stops at the first that is not
/// positive, and one that exceeds its predecessor is noise and is lowered to it.
fn autocorrelation_time(chains: &Chains) -> f64 {
    let n = chains.length();
    let draws = n as f64;
    let mut autocovariance = MeanAutocovariance::new(chains);
    let within = autocovariance.at(0) * draws / (draws - 1.0);
    let mut pooled = autocovariance.at(0);
    if chains.count() > 1 {
        let means: Vec<f64> = chains.iter().map(mean).collect();
        pooled += mean_variance(&means).1;
    }
    let mut correlation = |lag| 1.0 - (within - autocovariance.at(lag)) / pooled;

    let (mut even, mut odd) = (1.0, correlation(1));
    let mut rho = vec![even, odd];
    let mut next = 2; // the first lag not yet looked at
    while next + 2 < n && even + odd > 0.0 {
        (even, odd) = (correlation(next), correlation(next + 1));
        if even + odd >= 0.0 {
            rho.extend([even, odd]);
        }
        next += 2;
    }
    // The last pair looked at counts by its even member alone, once, and not at all if that is negative and the pair
    // was refused.
    let last = next - 2;
    rho.resize(last + 1, 0.0);
    if even > 0.0 {
        rho[last] = even;
    }
    for k in (2..last.saturating_sub(1)).step_by(2) {
        let before = rho[k - 2] + rho[k - 1];
        if rho[k] + rho[k + 1] > before {
            rho[k] = 0.5 * before;
            rho[k + 1] = rho[k];
        }
    }
    2.0 * rho[..last].iter().sum::<f64>() + rho[last] - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_but_for_rounding_is_a_constant_in_any_unit() {
        let third = 1.0 / 3.0;
        assert!(is_constant(&[third, third + f64::EPSILON / 4.0]));
        assert!(!is_constant(&[1e-30, 2e-30, 1e-30]));
        assert!(is_constant(&[0.0, -0.0]));
    }
}
