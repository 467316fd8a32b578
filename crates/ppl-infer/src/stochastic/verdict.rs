//! What speaks against the draws of a stochastic gradient sampler, in words that say what to try.

use std::fmt;

use ndarray::{ArrayView2, Axis, s};

use super::kernel::StochasticKernel;
use super::result::StochasticChain;
use super::settings::StochasticGradient;

/// Windows that a chain is cut into to see whether it still moves.
const WINDOWS: usize = 10;
/// A chain whose spread falls by this factor has frozen.
const FROZEN: f64 = 100.0;
/// An excess of variance above this is worth a warning.
const EXCESS: f64 = 0.1;

/// A temperature farther from 1 is worth a warning.
const COLD: f64 = 0.2;
/// Unless chance explains it, by so many standard errors.
const CHANCE: f64 = 4.0;

/// Something about a run of a stochastic gradient sampler that limits what its draws may be used for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// A chain came to rest: its last draws are a point and say nothing of the posterior's width.
    Frozen {
        /// Which chain.
        chain: usize,
        /// The largest spread within a tenth of the chain: the standard deviation of a coordinate, averaged over all.
        largest: f64,
        /// The spread within the last tenth.
        last: f64,
    },
    /// The step is so large that variances are too.
    StepSizeBias {
        /// Which chain.
        chain: usize,
        /// The mean step size of its draws.
        step_size: f64,
        /// By how much the variance of some coordinate is expected to exceed the posterior's, relative to it.
        excess: f64,
    },
    /// The momenta were colder or hotter than those of the posterior: the thermostat had not settled.
    Unsettled {
        /// Which chain.
        chain: usize,
        /// The mean square of the momenta over the draws, which should be 1.
        temperature: f64,
    },
    /// The covariance of the rows' gradients was estimated from too few rows when the first draw was made.
    FewRows {
        /// Rows seen, less one a batch.
        rows: usize,
        /// Rows wanted.
        wanted: usize,
        /// Rows of a batch that would do with this warm-up.
        batch_size: usize,
    },
    /// Steps failed because the gradient, or the point that it led to, was not finite.
    FailedSteps {
        /// Which chain.
        chain: usize,
        /// How many.
        count: usize,
        /// Of how many.
        total: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frozen { chain, largest, last } => write!(
                f,
                "Chain {chain} has frozen: the spread of its draws fell from {largest:.2e} to {last:.2e}. Its draws are \
                 no sample of the posterior; what they predict is the prediction of a point. Keep the step size up: a \
                 constant one, or a polynomial schedule with a floor."
            ),
            Self::StepSizeBias { chain, step_size, excess } => write!(
                f,
                "Chain {chain}: with steps of {step_size:.2e} the variance of some coordinate is expected to be {:.0}% too \
                 large. Try smaller steps, larger batches, control variates, or Sgfs, which accounts for the noise.",
                100.0 * excess
            ),
            Self::Unsettled { chain, temperature } => write!(
                f,
                "Chain {chain}: the thermostat had not settled: the mean square of the momenta was {temperature:.2} over the \
                 draws, where it should be 1, so that their spread is off. Take a longer warm-up, a nearer start, or smaller \
                 steps."
            ),
            Self::FewRows { rows, wanted, batch_size } => write!(
                f,
                "The covariance of gradients rested on {rows} rows at the first draw, which is too few for the dimension \
                 (wanted {wanted}). Take a longer warm-up, batches of {batch_size} rows or more, or the diagonal variant."
            ),
            Self::FailedSteps { chain, count, total } => write!(
                f,
                "Chain {chain}: {count} of {total} steps failed, because the gradient or the next point was not finite. Try \
                 smaller steps."
            ),
        }
    }
}

/// All findings of a run.
pub(super) fn findings<K: StochasticKernel>(
    settings: &StochasticGradient<K>,
    chains: &[StochasticChain<K::State>],
) -> Vec<Finding> {
    let mut found = Vec::new();
    for chain in chains {
        if let Some((largest, last)) = frozen(chain.draws.slice(s![..chain.len(), ..])) {
            found.push(Finding::Frozen { chain: chain.chain, largest, last });
        }
        let step_size = chain.step_sizes.iter().sum::<f64>() / chain.len() as f64;
        if let Some(excess) = chain.excess_variance.filter(|e| *e > EXCESS) {
            found.push(Finding::StepSizeBias { chain: chain.chain, step_size, excess });
        }
        let off = |(t, error): &(f64, f64)| (t - 1.0).abs() > COLD + CHANCE * error;
        if let Some((temperature, _)) = chain.temperature.filter(off) {
            found.push(Finding::Unsettled { chain: chain.chain, temperature });
        }
        if chain.failed_steps > 0 {
            let (count, total) = (chain.failed_steps, chain.iterations);
            found.push(Finding::FailedSteps { chain: chain.chain, count, total });
        }
    }
    if let Some(chain) = chains.iter().find(|c| !c.is_empty()) {
        let wanted = settings.kernel.rows_needed(chain.draws.ncols());
        let batches = settings.warmup + 1;
        let rows = batches.saturating_mul(chain.batch_size.saturating_sub(1));
        if rows < wanted {
            found.push(Finding::FewRows { rows, wanted, batch_size: wanted.div_ceil(batches) + 1 });
        }
    }
    found
}

/// The largest and the last spread within windows, if the last is so much smaller.
fn frozen(draws: ArrayView2<'_, f64>) -> Option<(f64, f64)> {
    let length = draws.nrows() / WINDOWS;
    if length < 2 || draws.ncols() == 0 {
        return None;
    }
    let first = draws.nrows() - WINDOWS * length;
    let spread = |window: usize| {
        let from = first + window * length;
        draws.slice(s![from..from + length, ..]).std_axis(Axis(0), 1.0).mean().unwrap_or(f64::NAN)
    };
    let largest = (0..WINDOWS).map(spread).fold(0.0, f64::max);
    let last = spread(WINDOWS - 1);
    (largest == 0.0 || last * FROZEN < largest).then_some((largest, last))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::frozen;

    /// Draws of spread 1 that shrinks by `factor` from the first to the last of a thousand.
    fn shrinking(factor: f64) -> Array2<f64> {
        Array2::from_shape_fn((1000, 3), |(i, j)| {
            factor.powf(i as f64 / 999.0) * ((7 * i + j) as f64 * 2.399_963).sin()
        })
    }

    #[test]
    fn a_chain_has_frozen_when_its_spread_falls_a_hundredfold() {
        assert_eq!(frozen(shrinking(1.0).view()), None);
        assert_eq!(frozen(shrinking(0.05).view()), None);
        let (largest, last) = frozen(shrinking(1e-3).view()).unwrap();
        assert!(largest > 0.3 && last < 3e-3, "{largest} {last}");
        assert!(frozen(Array2::ones((50, 2)).view()).is_some());
        assert_eq!(frozen(Array2::ones((19, 2)).view()), None);
    }
}
