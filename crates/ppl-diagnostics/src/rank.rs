//! Rank normalisation: draws replaced by the normal scores of their ranks among all draws of all chains.

use crate::chains::Chains;
use crate::interval::median_of_sorted;
use ndarray::{Array2, ArrayView2};
use statrs::function::erf::erfc_inv;

/// Values in ascending order, each with the place it came from. Sorting is the dearest step of a diagnosis and is
/// done once: splitting and folding keep the order in linear time.
#[derive(Clone, Debug)]
pub(crate) struct Ascending {
    values: Vec<f64>,
    places: Vec<usize>,
}

impl Ascending {
    /// Sorts finite values.
    pub(crate) fn new(values: &[f64]) -> Self {
        let mut pairs: Vec<(f64, usize)> = values.iter().copied().zip(0..).collect();
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        pairs.into_iter().collect()
    }

    /// The values, smallest first.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The order of the same chains of `length` draws after [`Chains::split`].
    pub(crate) fn split(&self, length: usize) -> Self {
        if length.is_multiple_of(2) {
            return self.clone(); // halves lie where the whole lay
        }
        let half = length / 2;
        let moved = |place: usize| {
            let (chain, draw) = (place / length, place % length);
            match draw.cmp(&half) {
                std::cmp::Ordering::Less => Some(2 * chain * half + draw),
                std::cmp::Ordering::Equal => None,
                std::cmp::Ordering::Greater => Some(2 * chain * half + draw - 1),
            }
        };
        let pairs = self.values.iter().zip(&self.places);
        pairs.filter_map(|(&value, &place)| moved(place).map(|p| (value, p))).collect()
    }

    /// The order of `|x - median|`: the values on both sides of the median, merged outwards.
    pub(crate) fn folded(&self) -> Self {
        let median = median_of_sorted(&self.values);
        let mut above = self.values.partition_point(|&v| v < median);
        let mut below = above;
        let distance = |i: usize| (self.values[i] - median).abs();
        std::iter::from_fn(|| {
            let take_below = match (below > 0, above < self.values.len()) {
                (false, false) => return None,
                (true, false) => true,
                (false, true) => false,
                (true, true) => distance(below - 1) < distance(above),
            };
            let i = if take_below {
                below -= 1;
                below
            } else {
                above += 1;
                above - 1
            };
            Some((distance(i), self.places[i]))
        })
        .collect()
    }

    /// Calls `put(place, rank)` with twice the average rank (from 1) of every value; equal values share a rank.
    fn for_each_doubled_rank(&self, mut put: impl FnMut(usize, usize)) {
        let mut start = 0;
        for ties in self.values.chunk_by(|a, b| a == b) {
            let end = start + ties.len();
            for &place in &self.places[start..end] {
                put(place, start + 1 + end);
            }
            start = end;
        }
    }

    /// The normal scores of the values, each at the place it came from, as chains of `length` draws.
    pub(crate) fn scores(&self, table: &ScoreTable, length: usize) -> Chains {
        let mut z = vec![0.0; self.values.len()];
        self.for_each_doubled_rank(|place, rank| z[place] = table.0[rank]);
        Chains::from_values(z, length)
    }
}

impl FromIterator<(f64, usize)> for Ascending {
    /// From pairs of value and place that ascend already.
    fn from_iter<I: IntoIterator<Item = (f64, usize)>>(pairs: I) -> Self {
        let (values, places) = pairs.into_iter().unzip();
        Self { values, places }
    }
}

/// `z(r) = Phi^-1((r - 3/8) / (S + 1/4))` for every rank `r` in steps of a half (ties average), indexed by `2r`: with
/// `S` draws a component there are only these scores, so a summary computes them once (Blom 1958).
pub(crate) struct ScoreTable(Vec<f64>);

impl ScoreTable {
    /// The scores among `count` values.
    pub(crate) fn new(count: usize) -> Self {
        let mut z = vec![0.0; 2 * count + 1];
        for doubled in 2..=count {
            let p = (0.5 * doubled as f64 - 0.375) / (count as f64 + 0.25);
            let score = -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p);
            z[doubled] = score;
            z[2 * count + 2 - doubled] = -score; // doubled = count + 1 is the middle, with score zero
        }
        Self(z)
    }
}

/// Normal scores of split chains, of the values and of their distances from the median.
pub(crate) struct Ranked {
    pub(crate) bulk: Chains,
    pub(crate) folded: Chains,
}

impl Ranked {
    /// From the order of the whole chains of `length` draws; `table` is for the draws that splitting keeps.
    pub(crate) fn new(order: &Ascending, length: usize, table: &ScoreTable) -> Self {
        let split = order.split(length);
        let half = length / 2;
        Self { bulk: split.scores(table, half), folded: split.folded().scores(table, half) }
    }

    /// For one quantity on its own.
    pub(crate) fn of(chains: &Chains) -> Self {
        let table = ScoreTable::new(chains.count() * 2 * (chains.length() / 2));
        Self::new(&Ascending::new(chains.values()), chains.length(), &table)
    }
}

/// Average ranks (from 1) among all draws of all chains, the input of rank plots. NaN where `x` is unusable.
///
/// ```
/// let x = ndarray::array![[0.1, 0.4, 0.2, 0.2], [0.9, 0.3, 0.8, 0.7]];
/// assert_eq!(ppl_diagnostics::ranks(x.view()).row(0).to_vec(), [1.0, 5.0, 2.5, 2.5]);
/// ```
pub fn ranks(x: ArrayView2<f64>) -> Array2<f64> {
    by_doubled_rank(x, |rank| 0.5 * rank as f64)
}

/// Rank-normalised draws, `z = Phi^-1((rank - 3/8) / (S + 1/4))` among all `S` draws of all chains, without splitting.
/// NaN where `x` is unusable.
///
/// ```
/// let x = ndarray::array![[1.0, 2.0, 3.0, 1e9, 5.0]];
/// let z = ppl_diagnostics::normal_scores(x.view());
/// assert_eq!(z[[0, 2]], 0.0);                       // the middle rank, however far out the largest value lies
/// assert!((z[[0, 3]] - 1.1797611).abs() < 1e-7);    // Phi^-1(4.625 / 5.25)
/// ```
pub fn normal_scores(x: ArrayView2<f64>) -> Array2<f64> {
    let table = ScoreTable::new(x.len());
    by_doubled_rank(x, |rank| table.0[rank])
}

fn by_doubled_rank(x: ArrayView2<f64>, f: impl Fn(usize) -> f64) -> Array2<f64> {
    let mut out = Array2::from_elem(x.dim(), f64::NAN);
    if let Some(chains) = Chains::new(x) {
        let length = chains.length();
        Ascending::new(chains.values())
            .for_each_doubled_rank(|place, rank| out[[place / length, place % length]] = f(rank));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chains::Chains;
    use ndarray::Array2;

    /// Values with many ties, of an odd and an even number of draws.
    fn tied(draws: usize) -> Chains {
        let x = Array2::from_shape_fn((3, draws), |(c, t)| ((c * 5 + t * t * 3) % 11) as f64 - 4.0);
        Chains::new(x.view()).unwrap()
    }

    #[test]
    fn splitting_and_folding_an_order_equal_sorting_anew() {
        for chains in [tied(9), tied(10)] {
            let length = chains.length();
            let split = chains.split();
            let table = ScoreTable::new(split.values().len());
            let fast = Ranked::new(&Ascending::new(chains.values()), length, &table);

            let sorted = Ascending::new(split.values());
            assert_eq!(fast.bulk.values(), sorted.scores(&table, split.length()).values());
            let median = median_of_sorted(sorted.values());
            let folded = Ascending::new(chains.split_map(|v| (v - median).abs()).values());
            assert_eq!(fast.folded.values(), folded.scores(&table, split.length()).values());
        }
    }

    #[test]
    fn scores_are_normal_quantiles() {
        // Phi^-1(0.625 / 4.25) and Phi^-1(1.125 / 4.25) from scipy.special.ndtri; both routines claim 15 digits.
        let table = ScoreTable::new(4);
        assert!((table.0[2] + 1.049_131_397_963_970_7).abs() < 1e-14);
        assert!((table.0[3] + 0.628_904_217_632_189_8).abs() < 1e-14);
        assert_eq!((table.0[5], table.0[8]), (0.0, -table.0[2]));
    }

    #[test]
    fn scores_agree_with_arviz() {
        let reference = include_str!("../tests/reference/diagnostics.json");
        let reference: serde_json::Value = serde_json::from_str(reference).unwrap();
        for (name, rows) in reference["arrays"].as_object().unwrap() {
            let rows: Vec<Vec<f64>> = serde_json::from_value(rows.clone()).unwrap();
            let x = Array2::from_shape_fn((rows.len(), rows[0].len()), |(c, t)| rows[c][t]);
            let ranked = Ranked::of(&Chains::new(x.view()).unwrap());
            let want: Vec<f64> =
                serde_json::from_value(reference["results"][name]["z_scale_split_first4"].clone()).unwrap();
            for (got, want) in ranked.bulk.values().iter().zip(want) {
                assert!((got - want).abs() <= 1e-9 * want.abs(), "{name}: {got} {want}");
            }
        }
    }
}
