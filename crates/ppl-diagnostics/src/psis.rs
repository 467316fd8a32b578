//! Pareto-smoothed importance sampling: importance weights with their largest tamed, and a verdict on them.

use crate::interval::sorted_slice;

/// Smoothed importance weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Psis {
    /// Log weights in the order of the ratios, normalised to weights that sum to one.
    pub log_weights: Vec<f64>,
    /// Shape of the Pareto distribution fitted to the largest ratios, k-hat: above [`Psis::good_k`] the weighted
    /// estimates are not to be trusted, since a few draws carry them. Infinite if the tail is too short to fit.
    pub pareto_k: f64,
}

impl Psis {
    /// The largest k-hat at which `draws` draws are enough: `min(1 - 1/log10 S, 0.7)`.
    pub fn good_k(draws: usize) -> f64 {
        (1.0 - 1.0 / (draws as f64).log10()).min(0.7)
    }
}

/// Smooths importance ratios given by their logarithms, up to a constant.
///
/// The `M = ceil(min(S/5, 3 sqrt(S / r_eff)))` largest of `S` ratios are replaced by the quantiles of a generalised
/// Pareto distribution fitted to them, at most the largest raw one. `r_eff` is the relative efficiency ESS/S of the
/// draws, 1 for independent ones. Ratios with NaN or `+inf`, or without a positive ratio, give NaN weights and an
/// infinite k-hat.
///
/// # Source
/// Vehtari, Simpson, Gelman, Yao and Gabry (2024), "Pareto smoothed importance sampling", JMLR 25(72).
///
/// ```
/// // Equal ratios: equal weights, and no tail to fit.
/// let psis = ppl_diagnostics::psis(&[0.5; 100], 1.0);
/// assert!((psis.log_weights[7] + 100f64.ln()).abs() < 1e-12);
/// assert_eq!(psis.pareto_k, f64::INFINITY);
/// ```
pub fn psis(log_ratios: &[f64], r_eff: f64) -> Psis {
    let largest = log_ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if log_ratios.iter().any(|v| v.is_nan()) || !largest.is_finite() {
        return Psis { log_weights: vec![f64::NAN; log_ratios.len()], pareto_k: f64::INFINITY };
    }
    let mut weights: Vec<f64> = log_ratios.iter().map(|v| v - largest).collect();
    let pareto_k = smooth_tail(&mut weights, r_eff);
    let total = log_sum_exp(&weights);
    weights.iter_mut().for_each(|w| *w -= total);
    Psis { log_weights: weights, pareto_k }
}

/// Smooths log ratios whose largest is zero and returns k-hat.
fn smooth_tail(weights: &mut [f64], r_eff: f64) -> f64 {
    let size = weights.len() as f64;
    let length = (size / 5.0).min(3.0 * (size / r_eff).sqrt()).ceil() as usize;
    let ascending = sorted_slice(weights);
    let Some(&next) = ascending.len().checked_sub(length + 1).and_then(|i| ascending.get(i)) else {
        return f64::INFINITY;
    };
    let cutoff = next.max(f64::MIN_POSITIVE.ln());
    let mut tail: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > cutoff).collect();
    if tail.len() <= 4 {
        return f64::INFINITY;
    }
    tail.sort_unstable_by(|&i, &j| weights[i].total_cmp(&weights[j]));
    let base = cutoff.exp();
    let excesses: Vec<f64> = tail.iter().map(|&i| weights[i].exp() - base).collect();
    let fit = GeneralizedPareto::fit(&excesses);
    if !(fit.shape.is_finite() && fit.scale.is_finite()) {
        return f64::INFINITY;
    }
    for (rank, &i) in tail.iter().enumerate() {
        let p = (rank as f64 + 0.5) / tail.len() as f64;
        weights[i] = (fit.quantile(p) + base).ln().min(0.0);
    }
    fit.shape
}

/// Generalised Pareto distribution on `[0, inf)`: `P(X > x) = (1 + shape x / scale)^(-1/shape)`.
struct GeneralizedPareto {
    shape: f64,
    scale: f64,
}

impl GeneralizedPareto {
    /// Fits positive values in ascending order by the posterior mean of Zhang and Stephens (2009, Technometrics 51(3)), with
    /// the shape drawn towards 1/2 by the weight of ten values (Vehtari et al. 2024).
    fn fit(x: &[f64]) -> Self {
        let n = x.len() as f64;
        let points = 30 + n.sqrt() as usize;
        let (quartile, largest) = (x[(n / 4.0 + 0.5) as usize - 1], x[x.len() - 1]);
        let shape = |theta: f64| x.iter().map(|v| (-theta * v).ln_1p()).sum::<f64>() / n;
        let thetas: Vec<f64> = (0..points)
            .map(|j| 1.0 / largest + (1.0 - (points as f64 / (j as f64 + 0.5)).sqrt()) / (3.0 * quartile))
            .collect();
        let profile = |&theta: &f64| {
            let k = shape(theta);
            n * ((-theta / k).ln() - k - 1.0)
        };
        let log_likelihoods: Vec<f64> = thetas.iter().map(profile).collect();
        let total = log_sum_exp(&log_likelihoods);
        let (mut theta, mut kept) = (0.0, 0.0);
        for (value, log_likelihood) in thetas.iter().zip(&log_likelihoods) {
            let weight = (log_likelihood - total).exp();
            if weight >= 10.0 * f64::EPSILON {
                theta += weight * value;
                kept += weight;
            }
        }
        theta /= kept;
        let k = shape(theta);
        Self { shape: (n * k + 5.0) / (n + 10.0), scale: -k / theta }
    }

    fn quantile(&self, p: f64) -> f64 {
        let exponential = -(-p).ln_1p();
        if self.shape.abs() < f64::EPSILON {
            return self.scale * exponential;
        }
        self.scale * (self.shape * exponential).exp_m1() / self.shape
    }
}

/// `ln sum exp x`, without overflow; `-inf` for no values.
pub(crate) fn log_sum_exp(x: &[f64]) -> f64 {
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + x.iter().map(|v| (v - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pareto_fit_agrees_with_arviz() {
        // ArviZ 0.23.4, tolerance 1e-9 relative.
        let reference = include_str!("../tests/reference/diagnostics.json");
        let reference: serde_json::Value = serde_json::from_str(reference).unwrap();
        let x: Vec<f64> = serde_json::from_value(reference["gpdfit"]["x"].clone()).unwrap();
        let fit = GeneralizedPareto::fit(&x);
        assert!((fit.shape / reference["gpdfit"]["k"].as_f64().unwrap() - 1.0).abs() < 1e-9);
        assert!((fit.scale / reference["gpdfit"]["sigma"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_quantile_inverts_the_survival_function() {
        for shape in [-0.3, 0.0, 0.7] {
            let law = GeneralizedPareto { shape, scale: 2.0 };
            for p in [0.1f64, 0.5, 0.99] {
                let x = law.quantile(p);
                let survival = if shape == 0.0 { (-x / 2.0).exp() } else { (1.0 + shape * x / 2.0).powf(-1.0 / shape) };
                assert!((survival - (1.0 - p)).abs() < 1e-14, "{shape} {p}");
            }
        }
    }
}
