//! R-hat: do the chains, and both halves of each, agree on where and how wide the distribution is?

use crate::chains::{Chains, mean_variance};
use crate::rank::Ranked;
use ndarray::ArrayView2;

/// Rank-normalised split R-hat of draws of shape `(chain, draw)`, the one to report: the larger of the R-hats of the
/// normal scores of the values (location) and of their distances from the median (scale).
///
/// With `n` draws in each split chain, `W` the mean of the chains' variances and `B/n` the variance of their means,
/// `R-hat = sqrt((n - 1)/n + B/(n W))`. It is about 1 when chains agree; above 1.01 do not trust the draws. It is
/// infinite if every half-chain is stuck at a value and the values differ, and NaN if all draws are equal.
///
/// A single chain is judged by its two halves, as in R's `posterior` (ArviZ returns NaN).
///
/// # Source
/// Vehtari et al. (2021), Bayesian Analysis 16(2), section 4.
///
/// ```
/// use ndarray::Array2;
/// // Two chains around the same value, and two around different ones.
/// let wave = |c: usize, t: usize| ((37 * c + 101 * t) as f64).sin();
/// let agree = Array2::from_shape_fn((2, 500), |(c, t)| wave(c, t));
/// let disagree = Array2::from_shape_fn((2, 500), |(c, t)| wave(c, t) + 2.0 * c as f64);
/// assert!(ppl_diagnostics::r_hat(agree.view()) < 1.01);
/// assert!(ppl_diagnostics::r_hat(disagree.view()) > 1.5);
/// ```
pub fn r_hat(x: ArrayView2<f64>) -> f64 {
    Chains::new(x).map_or(f64::NAN, |chains| ranked(&Ranked::of(&chains)))
}

/// Split R-hat of the draws themselves, without ranks: `sqrt((n - 1)/n + B/(n W))` over half-chains. It misses chains
/// that differ in scale only and has no meaning where the variance is infinite; for comparison with older software.
///
/// ```
/// let x = ndarray::array![[1.0, 2.0, 3.0, 4.0]];
/// // Halves (1, 2) and (3, 4): W = 1/2, B/n = 2, n = 2, so R-hat = sqrt(1/2 + 2/(1/2)).
/// assert!((ppl_diagnostics::r_hat_split(x.view()) - 4.5f64.sqrt()).abs() < 1e-15);
/// ```
pub fn r_hat_split(x: ArrayView2<f64>) -> f64 {
    Chains::new(x).map_or(f64::NAN, |chains| plain(&chains.split()))
}

/// The larger of both rank-normalised R-hats; a constant one of the two is left out.
pub(crate) fn ranked(scores: &Ranked) -> f64 {
    plain(&scores.bulk).max(plain(&scores.folded))
}

/// `sqrt((n - 1)/n + B/(n W))` over the chains as they are.
fn plain(chains: &Chains) -> f64 {
    let (means, variances): (Vec<f64>, Vec<f64>) = chains.iter().map(mean_variance).unzip();
    let within = variances.iter().sum::<f64>() / variances.len() as f64;
    let (_, between) = mean_variance(&means);
    let n = chains.length() as f64;
    ((n - 1.0) / n + between / within).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn the_parts_agree_with_arviz() {
        let reference = include_str!("../tests/reference/diagnostics.json");
        let reference: serde_json::Value = serde_json::from_str(reference).unwrap();
        let mut compared = 0;
        for (name, rows) in reference["arrays"].as_object().unwrap() {
            let rows: Vec<Vec<f64>> = serde_json::from_value(rows.clone()).unwrap();
            let x = Array2::from_shape_fn((rows.len(), rows[0].len()), |(c, t)| rows[c][t]);
            let chains = Chains::new(x.view()).unwrap();
            let scores = Ranked::of(&chains);
            let want = &reference["results"][name];
            let parts =
                [("z_scale", plain(&scores.bulk)), ("folded", plain(&scores.folded)), ("identity", plain(&chains))];
            for (key, got) in parts {
                // "nan" for one chain (which ArviZ refuses) and for a constant.
                if let Some(want) = want[format!("rhat_{key}")].as_f64() {
                    assert!((got - want).abs() <= 1e-9 * want, "{name}, {key}: {got} {want}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 8 * 3);
    }

    #[test]
    fn stuck_chains_are_infinitely_far_apart_and_a_constant_has_no_r_hat() {
        let stuck = array![[0.1, 0.1, 0.1, 0.1, 0.1], [0.3, 0.3, 0.3, 0.3, 0.3], [0.7, 0.7, 0.7, 0.7, 0.7]];
        assert_eq!(r_hat(stuck.view()), f64::INFINITY);
        assert!(r_hat(Array2::from_elem((3, 5), 0.1).view()).is_nan());
    }
}
