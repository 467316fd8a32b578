//! Simultaneous bands for the empirical distribution function of uniform values, to judge ranks from simulation-based
//! calibration and probability integral transforms.

use std::ops::RangeInclusive;

/// What makes a band impossible.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EcdfError {
    /// No values or no points to evaluate at.
    #[error("a band needs values and points, not {values} values at {points} points")]
    Empty {
        /// Values.
        values: usize,
        /// Points.
        points: usize,
    },
    /// A coverage of nothing or everything.
    #[error("a band covers with a probability above 0 and below 1, not {prob}")]
    Probability {
        /// The probability asked for.
        prob: f64,
    },
}

/// Bounds that the counts `#{u <= k/K}`, `k = 1..K`, of `N` independent uniform values keep to, at all `K` points at once,
/// with at least the probability asked for.
///
/// For ranks of calibration runs take `u = (rank + 1) / (L + 1)` with `L` draws a run and `K` a divisor of `L + 1`, so that
/// the counts of a calibrated sampler are those of uniform values.
///
/// # Source
/// Säilynoja, Bürkner and Vehtari (2022), "Graphical test for discrete uniformity", Statistics and Computing 32,
/// arXiv:2103.10522, the method by optimisation.
///
/// ```
/// use ppl_diagnostics::EcdfBand;
/// let band = EcdfBand::new(100, 20, 0.95)?;
/// let even: Vec<f64> = (0..100).map(|i| (i as f64 + 0.5) / 100.0).collect();
/// let crowded: Vec<f64> = even.iter().map(|u| 0.25 + u / 2.0).collect(); // draws too wide for the truth
/// assert!(band.contains(&even) && !band.contains(&crowded));
/// # Ok::<(), ppl_diagnostics::EcdfError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct EcdfBand {
    /// Smallest counts, at `k/K` for `k = 1..K`.
    pub lower: Vec<usize>,
    /// Largest counts.
    pub upper: Vec<usize>,
    /// Coverage of each pair of bounds by itself.
    pub pointwise: f64,
}

impl EcdfBand {
    /// The narrowest band of equal pointwise coverage for `values` uniform values at `points` equally spaced points that
    /// holds all counts with probability at least `prob`.
    ///
    /// # Errors
    /// No values or points, or a probability outside `(0, 1)`.
    pub fn new(values: usize, points: usize, prob: f64) -> Result<Self, EcdfError> {
        if values == 0 || points == 0 {
            return Err(EcdfError::Empty { values, points });
        }
        if !(prob > 0.0 && prob < 1.0) {
            return Err(EcdfError::Probability { prob });
        }
        // The simultaneous coverage is a step function that grows with the pointwise one.
        let (mut narrow, mut wide) = (prob, 1.0);
        let laws = Binomials::new(values);
        let mut band = Self::pointwise(&laws, points, wide);
        for _ in 0..30 {
            let middle = 0.5 * (narrow + wide);
            let candidate = Self::pointwise(&laws, points, middle);
            if candidate.probability(&laws) >= prob {
                wide = middle;
                band = candidate;
            } else {
                narrow = middle;
            }
        }
        Ok(band)
    }

    /// Binomial quantiles of each count by itself.
    fn pointwise(laws: &Binomials, points: usize, coverage: f64) -> Self {
        let values = laws.trials();
        let outside = 0.5 * (1.0 - coverage);
        let bounds = (1..=points).map(|k| {
            let z = k as f64 / points as f64;
            (laws.quantile(values, z, outside), laws.quantile(values, z, 1.0 - outside))
        });
        let (lower, upper) = bounds.unzip();
        Self { lower, upper, pointwise: coverage }
    }

    /// The probability that all counts of the uniform values lie in the band, exactly: the counts are a Markov
    /// chain, since of the values above one point each falls below the next with the same probability.
    fn probability(&self, laws: &Binomials) -> f64 {
        let values = laws.trials();
        let points = self.lower.len();
        let mut from = 0; // the count that `reached[0]` is for
        let mut reached = vec![1.0];
        for k in 0..points {
            let (low, high) = (self.lower[k], self.upper[k]);
            let p = 1.0 / (points - k) as f64;
            let mut next = vec![0.0; high + 1 - low];
            for (count, &probability) in (from..).zip(&reached) {
                let to = low.max(count);
                if to <= high {
                    let steps = laws.probabilities(values - count, p, to - count..=high - count);
                    for (sum, step) in next[to - low..].iter_mut().zip(steps) {
                        *sum += probability * step;
                    }
                }
            }
            (from, reached) = (low, next);
        }
        reached.iter().sum()
    }

    /// Whether the counts of the given values stay in the band. Their number must be the band's, otherwise they do not.
    pub fn contains(&self, values: &[f64]) -> bool {
        let points = self.lower.len();
        let inside = |k: usize| {
            let z = (k + 1) as f64 / points as f64;
            let count = values.iter().filter(|&&u| u <= z).count();
            self.lower[k] <= count && count <= self.upper[k]
        };
        (0..points).all(inside)
    }
}

/// Binomial laws of up to so many trials; a band asks for millions of their probabilities.
struct Binomials {
    ln_factorials: Vec<f64>,
}

impl Binomials {
    fn new(trials: usize) -> Self {
        let mut ln_factorials = vec![0.0; trials + 1];
        for k in 1..=trials {
            ln_factorials[k] = ln_factorials[k - 1] + (k as f64).ln();
        }
        Self { ln_factorials }
    }

    fn trials(&self) -> usize {
        self.ln_factorials.len() - 1
    }

    /// `P(X = k)` for `X ~ Binomial(n, p)` at every `k` of `range`, which ends at `n` or before.
    fn probabilities(&self, n: usize, p: f64, range: RangeInclusive<usize>) -> impl Iterator<Item = f64> {
        let (ln_p, ln_q) = (p.ln(), (-p).ln_1p());
        let power = |ln: f64, exponent: usize| {
            if exponent == 0 { 0.0 } else { ln * exponent as f64 }
        };
        range.map(move |k| {
            let ways = self.ln_factorials[n] - self.ln_factorials[k] - self.ln_factorials[n - k];
            (ways + power(ln_p, k) + power(ln_q, n - k)).exp()
        })
    }

    /// The smallest `k` with `P(X <= k) >= prob` for `X ~ Binomial(n, p)`.
    fn quantile(&self, n: usize, p: f64, prob: f64) -> usize {
        let mut total = 0.0;
        let reaches = |term: f64| {
            total += term;
            total >= prob
        };
        let mut terms = self.probabilities(n, p, 0..=n);
        terms.position(reaches).unwrap_or(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coverage_of_a_band_is_exact() {
        // By the recursion of Säilynoja et al. in NumPy with SciPy's binomial law.
        for (n, k, pointwise, want) in [
            (100, 20, 0.99, 0.937_466_669_223_115_4),
            (100, 20, 0.992, 0.952_359_062_168_513_2),
            (250, 50, 0.995, 0.936_774_413_463_081_9),
        ] {
            let laws = Binomials::new(n);
            let got = EcdfBand::pointwise(&laws, k, pointwise).probability(&laws);
            assert!((got - want).abs() < 1e-9, "{got} {want}");
        }
    }

    #[test]
    fn bands_agree_with_arviz() {
        // ArviZ's `optimized` method truncates k/n*n to k - 1 for some k, so that counts differ by up to one.
        let reference = include_str!("../tests/reference/diagnostics.json");
        let reference: serde_json::Value = serde_json::from_str(reference).unwrap();
        for case in reference["ecdf_band"].as_array().unwrap() {
            let size = |key: &str| case[key].as_u64().unwrap() as usize;
            let band = EcdfBand::new(size("n"), size("K"), 0.95).unwrap();
            assert!(band.probability(&Binomials::new(size("n"))) >= 0.95);
            let counts = |key: &str| -> Vec<usize> { serde_json::from_value(case[key].clone()).unwrap() };
            for (got, want) in [(&band.lower, counts("lower_counts")), (&band.upper, counts("upper_counts"))] {
                assert_eq!(got.len(), want.len());
                assert!(got.iter().zip(&want).all(|(g, w)| g.abs_diff(*w) <= 1), "{got:?} {want:?}");
            }
        }
    }

    #[test]
    fn a_band_of_nothing_is_refused() {
        assert_eq!(EcdfBand::new(0, 5, 0.9), Err(EcdfError::Empty { values: 0, points: 5 }));
        assert_eq!(EcdfBand::new(5, 0, 0.9), Err(EcdfError::Empty { values: 5, points: 0 }));
        assert_eq!(EcdfBand::new(5, 5, 1.0), Err(EcdfError::Probability { prob: 1.0 }));
        assert!(EcdfBand::new(1, 1, 0.5).unwrap().contains(&[0.3]));
    }
}
