//! Are known parameters recovered? How often intervals of the posterior cover what the data were simulated from, and what
//! the data say about it.

use std::fmt;

use ndarray::ArrayView1;

use crate::calibration::Ranks;

/// How often an interval covered the truth.
///
/// ```
/// use ppl_core::{Distribution, dist::Normal, model, observe, sample};
/// use ppl_infer::{Nuts, calibration::Calibration};
///
/// model! {
///     fn mean(y: Option<Vec<f64>>) {
///         let mu = sample!("mu", Normal::new(0.0, 1.0));
///         observe!("y", Normal::new(mu, 1.0).expand([3]), y);
///     }
/// }
/// let result = Calibration::new().simulations(40).draws(19)
///     .nuts(&Nuts::new().warmup(300), &mean(None), |simulated| Ok(mean(Some(simulated.values("y")?))))?;
/// let coverage = result.coverage("mu", 0.8).unwrap();
/// assert_eq!(coverage.prob, 0.8);
/// assert!(coverage.agrees(0.0, 1e-3), "{coverage}");
/// // Three numbers with spread 1 leave a quarter of the prior's variance.
/// assert!((result.parameters()[0].contraction() - 0.75).abs() < 0.2);
/// # Ok::<(), ppl_infer::InferError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// How often the interval of a correct method covers: what was asked for, as near as the number of draws allows.
    pub prob: f64,
    /// Simulations whose interval covered the truth.
    pub covered: usize,
    /// Simulations.
    pub simulations: usize,
}

impl Coverage {
    /// From ranks among `draws`: the interval goes from the r-th smallest draw to the r-th largest, which a correct method
    /// covers with probability `1 - 2 r / (draws + 1)`. None without ranks, or where no r makes an interval.
    pub(crate) fn of(ranks: &[usize], draws: usize, prob: f64) -> Option<Self> {
        if ranks.is_empty() || draws < 2 || !(prob > 0.0 && prob < 1.0) {
            return None;
        }
        let slots = (draws + 1) as f64;
        let out = ((0.5 * (1.0 - prob) * slots).round() as usize).clamp(1, draws / 2);
        let covered = ranks.iter().filter(|&&rank| out <= rank && rank + out <= draws).count();
        Some(Self { prob: 1.0 - 2.0 * out as f64 / slots, covered, simulations: ranks.len() })
    }

    /// The share of simulations that were covered.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.covered as f64 / self.simulations as f64
    }

    /// Whether the count can be that of a method whose intervals cover with a probability within `tolerance` of `prob`: a
    /// method at the edge of the tolerance, or a correct one with tolerance 0, is refused with probability `error` at most.
    #[must_use]
    pub fn agrees(&self, tolerance: f64, error: f64) -> bool {
        let least = (self.prob - tolerance).max(0.0);
        let most = (self.prob + tolerance).min(1.0);
        let (n, covered) = (self.simulations, self.covered);
        let too_few = at_most(covered, n, least);
        // Of the others: simulations that were not covered, too few of them.
        let too_many = at_most(n - covered, n, 1.0 - most);
        too_few.min(too_many) >= 0.5 * error
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prob, covered, simulations } = self;
        write!(f, "{covered} of {simulations} intervals of {:.0} % cover the truth", 100.0 * prob)
    }
}

/// `P(X <= k)` for `X ~ Binomial(n, p)`.
fn at_most(k: usize, n: usize, p: f64) -> f64 {
    if p <= 0.0 || k >= n {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let odds = p.ln() - (-p).ln_1p();
    let mut ln = n as f64 * (-p).ln_1p();
    let mut sum = ln.exp();
    for i in 0..k {
        ln += ((n - i) as f64 / (i + 1) as f64).ln() + odds;
        sum += ln.exp();
    }
    sum.min(1.0)
}

impl Ranks {
    /// Mean of `(posterior mean - truth) / posterior sd` over simulations: 0 for a correct method, with a standard error of
    /// about `1 / sqrt(simulations)`.
    #[must_use]
    pub fn mean_z(&self) -> f64 {
        let scores = self.means.iter().zip(&self.truths).zip(&self.sds).map(|((mean, truth), sd)| (mean - truth) / sd);
        scores.sum::<f64>() / self.truths.len() as f64
    }

    /// How much narrower posteriors are than the prior: 1 less the mean posterior variance over the variance of the truths.
    /// Near 0 the data say nothing about the parameter, near 1 they determine it.
    #[must_use]
    pub fn contraction(&self) -> f64 {
        let left = self.sds.iter().map(|sd| sd * sd).sum::<f64>() / self.sds.len() as f64;
        1.0 - left / ArrayView1::from(&self.truths).var(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_cut_at_ranks() {
        // 19 draws make 20 slots: 80 % leaves out two at each end, 85 % would be one and a half and becomes two.
        let ranks: Vec<usize> = (0..20).collect();
        let coverage = Coverage::of(&ranks, 19, 0.8).unwrap();
        assert_eq!((coverage.covered, coverage.simulations), (16, 20));
        assert!((coverage.prob - 0.8).abs() < 1e-15 && (coverage.rate() - 0.8).abs() < 1e-15);
        assert!((Coverage::of(&ranks, 19, 0.99).unwrap().prob - 0.9).abs() < 1e-15);
        assert_eq!(Coverage::of(&[], 19, 0.8), None);
        assert_eq!(Coverage::of(&ranks, 1, 0.8), None);
        assert_eq!(Coverage::of(&ranks, 19, 1.0), None);
    }

    /// The tails of Binomial(10, 0.3) by hand: P(X = 0) = 0.7^10, P(X <= 1) = 0.7^10 + 10 * 0.3 * 0.7^9.
    #[test]
    fn binomial_tails() {
        assert!((at_most(0, 10, 0.3) - 0.028_247_524_9).abs() < 1e-12);
        assert!((at_most(1, 10, 0.3) - 0.149_308_345_9).abs() < 1e-12);
        assert_eq!((at_most(10, 10, 0.3), at_most(3, 10, 0.0), at_most(3, 10, 1.0)), (1.0, 1.0, 0.0));
    }

    #[test]
    fn counts_are_judged_with_their_tolerance() {
        let of = |covered| Coverage { prob: 0.8, covered, simulations: 100 };
        // For Binomial(100, 0.8): P(X <= 66) = 0.0007, P(X <= 70) = 0.011, P(X >= 90) = 0.006, P(X >= 93) = 0.0003.
        assert!(of(80).agrees(0.0, 0.01) && of(70).agrees(0.0, 0.01) && of(90).agrees(0.0, 0.01));
        assert!(!of(66).agrees(0.0, 0.01) && !of(93).agrees(0.0, 0.01));
        assert!(of(66).agrees(0.05, 0.01) && !of(50).agrees(0.05, 0.01) && !of(99).agrees(0.05, 0.01));
        assert!(of(100).agrees(0.2, 0.01));
        assert_eq!(of(66).to_string(), "66 of 100 intervals of 80 % cover the truth");
    }
}
