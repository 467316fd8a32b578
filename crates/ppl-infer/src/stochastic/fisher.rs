//! The Fisher information of one row, as a running mean of the covariance of the rows' gradients.

use serde::{Deserialize, Serialize};

use super::kernel::lane_sum;
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FisherEstimate {
    pub(crate) form: Form,
    /// Batches that were seen.
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

    /// Batches that were seen.
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

    /// Takes a batch into the mean.
    pub(crate) fn update(&mut self, batch: &RowGradients) {
        self.batches += 1;
        let n = batch.count as f64;
        match &mut self.form {
            Form::Blocks(blocks) => {
                let waiting = self.batches.saturating_sub(self.in_mean);
                let due = PER_RENEWAL * waiting >= self.batches;
                let (kept, weight) = (self.in_mean as f64 / self.batches as f64, 1.0 / self.batches as f64);
                for (block, rows) in blocks.iter_mut().zip(&batch.by_rows) {
                    if due && waiting == 1 {
                        block.information.add_gram(kept, weight / (n - 1.0), rows);
                        continue;
                    }
                    let others = f64::from(u8::from(waiting > 1));
                    block.waiting.add_gram(others, 1.0 / (n - 1.0), rows);
                    if due {
                        block.information.mix(kept, weight, &block.waiting);
                    }
                }
                if due {
                    self.in_mean = self.batches;
                }
            }
            Form::Diagonal(diagonal) => {
                let weight = 1.0 / self.batches as f64;
                let scale = weight / (n - 1.0);
                for ((information, square), mean) in diagonal.iter_mut().zip(&batch.squares).zip(&batch.mean) {
                    *information = (1.0 - weight) * *information + scale * (square - n * mean * mean).max(0.0);
                }
                self.in_mean = self.batches;
            }
        }
    }
}

/// The gradients of a batch: of the prior, and of the rows or of what is needed of them. Buffers of a kernel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowGradients {
    /// Of log prior + log |J|.
    pub prior: Vec<f64>,
    /// The mean over rows.
    pub mean: Vec<f64>,
    /// n.
    count: usize,
    /// Coordinate by coordinate, n numbers each, where blocks are wanted.
    rows: Vec<f64>,
    /// The sums of squares over rows, where the diagonal is wanted.
    squares: Vec<f64>,
    /// The same row by row, for each block.
    by_rows: Vec<Rows>,
}

impl RowGradients {
    /// Evaluates the gradients that an estimate takes.
    ///
    /// # Errors
    /// What the density returns; [`DensityError::NotFinite`] if any of it is not finite.
    pub fn evaluate(
        &mut self,
        density: &mut dyn BatchDensity,
        x: &[f64],
        estimate: &FisherEstimate,
    ) -> Result<(), DensityError> {
        let dim = x.len();
        self.count = density.batch_size();
        let n = self.count as f64;
        self.prior.resize(dim, 0.0);
        self.mean.resize(dim, 0.0);
        let total: f64 = match &estimate.form {
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
                self.mean.iter().sum()
            }
            Form::Diagonal(_) => {
                self.squares.resize(dim, 0.0);
                density.row_moments(x, &mut self.prior, &mut self.mean, &mut self.squares)?;
                self.mean.iter_mut().for_each(|mean| *mean /= n);
                lane_sum(&self.squares, |x| x)
            }
        };
        if total.is_finite() { Ok(()) } else { Err(DensityError::NotFinite) }
    }
}
