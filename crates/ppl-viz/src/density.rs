//! Gaussian kernel density estimates of draws.

use std::f64::consts::PI;

/// Points at which a density is evaluated.
const POINTS: usize = 256;

/// The density of the draws on an even grid from the smallest to the largest, or none if all are equal.
///
/// Bandwidth `0.9 min(sd, IQR / 1.34) n^(-1/5)`; what the kernels would lay beyond the ends is reflected back, so that
/// the curve integrates to one and does not sink at a bound such as zero.
///
/// # Source
/// Silverman (1986), Density Estimation, sections 2.10 and 3.4.2.
pub(crate) fn density(draws: &[f64]) -> Option<Vec<(f64, f64)>> {
    let mut sorted = draws.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (*sorted.first()?, *sorted.last()?);
    let step = (high - low) / (POINTS - 1) as f64;
    let bandwidth = bandwidth(&sorted).max(0.5 * step);
    if !(step > 0.0 && bandwidth.is_finite()) {
        return None;
    }

    // Each draw is shared linearly between its two neighbours on the grid.
    let mut weights = [0.0; POINTS];
    for draw in draws {
        let place = (draw - low) / step;
        let left = (place as usize).min(POINTS - 2);
        let share = place - left as f64;
        weights[left] += 1.0 - share;
        weights[left + 1] += share;
    }
    let kernel = |distance: f64| (-0.5 * (distance / bandwidth).powi(2)).exp();
    // Reflection at either end makes of index k also -k and 2 (POINTS - 1) - k.
    let kernels: Vec<f64> = (0..2 * POINTS).map(|k| kernel(k as f64 * step)).collect();
    let scale = 1.0 / (draws.len() as f64 * bandwidth * (2.0 * PI).sqrt());
    let at = |i: usize| {
        let mass = |(k, weight): (usize, &f64)| {
            let inner = kernels[i.abs_diff(k)];
            // The nodes at the very ends are their own mirror images; half of their weight lies beyond.
            weight * (inner + kernels[i + k] + kernels[2 * (POINTS - 1) - i - k])
        };
        scale * weights.iter().enumerate().map(mass).sum::<f64>()
    };
    Some((0..POINTS).map(|i| (low + i as f64 * step, at(i))).collect())
}

fn bandwidth(sorted: &[f64]) -> f64 {
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let sd = (sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
    let quantile = |p: f64| {
        let place = p * (n - 1.0);
        let left = place as usize;
        let right = (left + 1).min(sorted.len() - 1);
        sorted[left] + (place - left as f64) * (sorted[right] - sorted[left])
    };
    let spread = (quantile(0.75) - quantile(0.25)) / 1.34;
    let spread = if spread > 0.0 { sd.min(spread) } else { sd };
    0.9 * spread * n.powf(-0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integral(curve: &[(f64, f64)]) -> f64 {
        curve.windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum()
    }

    #[test]
    fn an_exponential_law_is_found_up_to_its_bound() {
        // Quantiles of Exp(1), so no sampling error; the estimate is off by smoothing alone.
        let draws: Vec<f64> = (0..2000).map(|i| -(1.0 - (i as f64 + 0.5) / 2000.0).ln()).collect();
        let curve = density(&draws).unwrap();
        assert!((integral(&curve) - 1.0).abs() < 0.005, "{}", integral(&curve));
        for (x, p) in curve.iter().filter(|(x, _)| *x > 0.5 && *x < 4.0) {
            assert!((p - (-x).exp()).abs() < 0.02, "p({x}) = {p}");
        }
        assert!(curve[0].1 > 0.85, "{}", curve[0].1); // it would be 0.5 without reflection
    }

    #[test]
    fn the_bandwidth_is_silverman_s() {
        // 1..=5: sd sqrt(2.5) = 1.5811, IQR 2 / 1.34 = 1.4925, n^(-1/5) = 0.72478.
        assert!((bandwidth(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 0.9 * 1.492_537 * 0.724_780).abs() < 1e-5);
    }

    #[test]
    fn equal_draws_have_no_density() {
        assert_eq!(density(&[2.0; 100]), None);
        assert_eq!(density(&[2.0]), None);
        assert_eq!(density(&[]), None);
    }
}
