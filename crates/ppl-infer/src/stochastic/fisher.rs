//! The Fisher information of one row, as a running mean of the covariance of the rows' gradients.

use serde::{Deserialize, Serialize};

use super::kernel::{norm, vector};
use super::symmetric::{Rows, Symmetric};
use crate::batch::BatchDensity;
use crate::density::DensityError;

/// How much of the Fisher information is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fisher {
    /// All of it: d x d numbers, and a factorisation a step. For up to some 2000 coordinates.
    #[default]
    Full,
    /// A block for each latent site, nothing between sites.
    Sites,
    /// The diagonal: the cost of a few vectors.
    Diagonal,
}

/// One over the share of the batches that may wait.
const PER_RENEWAL: u64 = 100;

/// A running estimate of the Fisher information of one row, I_t = (1 - 1/t) I_{t-1} + V/t with V the covariance of the
/// rows' gradients in batch t.
///
/// Matrices take the batches in as soon as those that wait are one per cent of all: each at once up to the hundredth, then
/// several together, so that what is made of the matrix need not be made anew at every step. With V of standard
/// deviation s the mean of t batches is off by s/sqrt(t), and those that wait would move it by no more than a tenth of that.
///
/// Where batches are left out, one that is taken counts for all of its turn, so that the first ones, far from the
/// posterior, do not weigh more than their share of the iterations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FisherEstimate {
    pub(crate) form: Form,
    /// Batches that were seen, with those that others stand for.
    pub(crate) batches: u64,
    /// Those of them that are in the mean.
    pub(crate) in_mean: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Form {
    Blocks(Vec<Block>),
    Diagonal(Vec<f64>),
}

/// The coordinates `first..first + information.dim()`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    pub first: usize,
    pub information: Symmetric,
    /// The sum of V over the batches that wait.
    pub waiting: Symmetric,
}

impl FisherEstimate {
    /// No batch yet. `sites` are the lengths of the blocks of [`Fisher::Sites`].
    #[must_use]
    pub fn new(kind: Fisher, dim: usize, sites: &[usize]) -> Self {
        let blocks = |lengths: &[usize]| {
            let mut first = 0;
            let block = |&length: &usize| {
                let [information, waiting] = [(); 2].map(|()| Symmetric::zeros(length));
                let block = Block { first, information, waiting };
                first += length;
                block
            };
            Form::Blocks(lengths.iter().map(block).collect())
        };
        let form = match kind {
            Fisher::Full => blocks(&[dim]),
            Fisher::Sites if sites.iter().sum::<usize>() == dim => blocks(sites),
            Fisher::Sites => blocks(&[dim]),
            Fisher::Diagonal => Form::Diagonal(vec![0.0; dim]),
        };
        Self { form, batches: 0, in_mean: 0 }
    }

    /// Batches that were seen, with those that others stand for.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// The estimate of an element; 0 outside of the blocks.
    #[must_use]
    pub fn get(&self, row: usize, column: usize) -> f64 {
        match &self.form {
            Form::Diagonal(diagonal) if row == column => diagonal.get(row).copied().unwrap_or(0.0),
            Form::Diagonal(_) => 0.0,
            Form::Blocks(blocks) => {
                let within = |b: &&Block| b.first <= row.min(column) && row.max(column) < b.first + b.information.dim();
                let block = blocks.iter().find(within);
                block.map_or(0.0, |b| b.information.get(row - b.first, column - b.first))
            }
        }
    }

    /// The number of coordinates.
    #[must_use]
    pub fn dim(&self) -> usize {
        match &self.form {
            Form::Diagonal(diagonal) => diagonal.len(),
            Form::Blocks(blocks) => {
                // Blocks that are not neighbours, as only a damaged file has them, have no dimension.
                let fits = |dim, b: &Block| b.first == dim && b.waiting.dim() == b.information.dim();
                let neighbours = |dim, b: &Block| fits(dim, b).then(|| dim + b.information.dim());
                blocks.iter().try_fold(0, neighbours).unwrap_or(0)
            }
        }
    }

    /// The sum of the diagonal.
    #[must_use]
    pub fn trace(&self) -> f64 {
        match &self.form {
            Form::Diagonal(diagonal) => diagonal.iter().sum(),
            Form::Blocks(blocks) => blocks.iter().map(|b| b.information.trace()).sum(),
        }
    }

    /// Takes a batch into the mean, which stands for so many.
    pub(crate) fn update(&mut self, batch: &RowGradients, stands_for: u64) {
        let (before, batches) = (self.batches, self.batches + stands_for);
        let n = batch.count as f64;
        let (count, weight) = (stands_for as f64, 1.0 / batches as f64);
        match &mut self.form {
            Form::Blocks(blocks) => {
                let alone = before == self.in_mean;
                let due = PER_RENEWAL * batches.saturating_sub(self.in_mean) >= batches;
                let kept = self.in_mean as f64 * weight;
                for (block, rows) in blocks.iter_mut().zip(&batch.by_rows) {
                    if due && alone {
                        block.information.add_gram(kept, count * weight / (n - 1.0), rows);
                        continue;
                    }
                    let others = f64::from(u8::from(!alone));
                    block.waiting.add_gram(others, count / (n - 1.0), rows);
                    if due {
                        block.information.mix(kept, weight, &block.waiting);
                    }
                }
                if due {
                    self.in_mean = batches;
                }
            }
            Form::Diagonal(diagonal) => {
                let (kept, scale) = (before as f64 * weight, count * weight / (n - 1.0));
                vector::mix(kept, scale, &batch.squares, diagonal);
                self.in_mean = batches;
            }
        }
        self.batches = batches;
    }
}

/// The gradients of a batch: what is needed of those of its rows. Buffers of a kernel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowGradients {
    /// The gradient of log prior + log |J|.
    prior: Vec<f64>,
    /// The mean over rows, or the sum where the diagonal is wanted.
    mean: Vec<f64>,
    /// n.
    count: usize,
    /// Coordinate by coordinate, n numbers each, where blocks are wanted.
    rows: Vec<f64>,
    /// The same row by row, for each block.
    by_rows: Vec<Rows>,
    /// The sums over rows of squared differences from the mean, where the diagonal is wanted.
    squares: Vec<f64>,
}

impl RowGradients {
    /// Evaluates what an estimate takes, writes the estimate of the log-density's gradient, and returns its length.
    ///
    /// # Errors
    /// What the density returns; [`DensityError::NotFinite`] if any of it is not finite.
    pub fn evaluate(
        &mut self,
        density: &mut dyn BatchDensity,
        x: &[f64],
        estimate: &FisherEstimate,
        gradient: &mut [f64],
    ) -> Result<f64, DensityError> {
        let dim = x.len();
        self.count = density.batch_size();
        let (n, all) = (self.count as f64, density.total_size() as f64);
        self.prior.resize(dim, 0.0);
        self.mean.resize(dim, 0.0);
        match &estimate.form {
            Form::Blocks(blocks) => {
                self.rows.resize(self.count * dim, 0.0);
                density.row_gradients(x, &mut self.prior, &mut self.rows)?;
                self.by_rows.resize_with(blocks.len(), Rows::default);
                for (block, rows) in blocks.iter().zip(&mut self.by_rows) {
                    let (first, length) = (block.first, block.information.dim());
                    rows.set_columns(
                        &self.rows[first * self.count..],
                        self.count,
                        &mut self.mean[first..first + length],
                    );
                }
                for ((gradient, prior), mean) in gradient.iter_mut().zip(&self.prior).zip(&self.mean) {
                    *gradient = prior + all * mean;
                }
                norm(gradient)
            }
            Form::Diagonal(_) => {
                self.squares.resize(dim, 0.0);
                density.row_moments(x, &mut self.prior, &mut self.mean, &mut self.squares)?;
                let [length, sum] =
                    vector::of_moments(n, all / n, &self.prior, &self.mean, &mut self.squares, gradient);
                let length = length.sqrt();
                if (sum + length).is_finite() { Ok(length) } else { Err(DensityError::NotFinite) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches whose covariance is 1, 2 and 4 times a matrix and which stand for 1, 3 and 4 iterations: 23/8 of it.
    #[test]
    fn batches_weigh_as_many_as_they_stand_for() {
        let batches = [(1.0, 1), (2.0, 3), (4.0, 4)];
        // Of each coordinate the two rows' gradients, -s and s, and 0 and 2 s: variances 2 s^2, all correlated.
        let mut full = FisherEstimate::new(Fisher::Full, 2, &[2]);
        let mut diagonal = FisherEstimate::new(Fisher::Diagonal, 2, &[2]);
        for (size, stands_for) in batches {
            let s = f64::sqrt(size);
            let mut of_blocks = RowGradients { count: 2, by_rows: vec![Rows::default()], ..Default::default() };
            of_blocks.by_rows[0].set_columns(&[-s, s, 0.0, 2.0 * s], 2, &mut [0.0; 2]);
            full.update(&of_blocks, stands_for);
            let squares = vec![2.0 * size; 2];
            diagonal.update(&RowGradients { count: 2, squares, ..Default::default() }, stands_for);
        }
        let wanted = 2.0 * 23.0 / 8.0;
        for (i, j) in [(0, 0), (0, 1), (1, 1)] {
            assert!((full.get(i, j) - wanted).abs() < 1e-14, "{}", full.get(i, j));
        }
        assert!((diagonal.get(1, 1) - wanted).abs() < 1e-14, "{}", diagonal.get(1, 1));
        assert_eq!((full.batches(), diagonal.batches()), (8, 8));
    }
}
