//! Data in batches: aligned rows of several arrays, a few at a time, from memory or from a stream, and models over them.
//!
//! ```
//! use ndarray::{Array1, Array2};
//! use ppl_core::dist::Normal;
//! use ppl_core::{Distribution, Minibatch, model, observe, sample};
//! use ppl_autodiff::Var;
//!
//! model! {
//!     fn regression(x: Array2<f64>, y: Array1<f64>) {
//!         let w = sample!("w", Normal::new(0.0, 1.0).expand([x.ncols(), 1]));
//!         observe!("y", Normal::new(Var::from(&x).matmul(w).squeeze(-1), 1.0), y);
//!     }
//! }
//! let (x, y) = (Array2::from_shape_fn((100, 3), |(i, j)| (i * (j + 1)) as f64 / 100.0), Array1::linspace(0.0, 1.0, 100));
//! let batches = Minibatch::new((x, y), 10)?.model(|(x, y)| regression(x, y));
//! # Ok::<(), ppl_core::BatchError>(())
//! ```
//!
//! The model is the one that is used with all data; what it makes of rows becomes input slots of the compiled program
//! (see [`Traced::with_data_slots`](ppl_autodiff::Traced::with_data_slots)), and the log-likelihood of the rows counts
//! `total_size / batch_size` times.

mod model;
mod order;
mod rows;
mod stream;

pub use model::{BatchModel, Batched, Batches, Probe};
pub use rows::{Columns, Element, Rows};
pub use stream::RowError;

use std::sync::Arc;

use ppl_autodiff::{Shape, Tensor};
use thiserror::Error;

use stream::Stream;

/// What is wrong with data that come in batches.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Arrays that do not have the same number of rows.
    #[error("array {array} of a minibatch has {got} rows, where array 0 has {wanted}")]
    Unaligned {
        /// Which array, from 0.
        array: usize,
        /// Its rows.
        got: usize,
        /// The rows of the first.
        wanted: usize,
    },
    /// A batch that is empty or larger than the data.
    #[error("batches of {got} rows from {total} rows: wanted 1 to {total}")]
    BatchSize {
        /// Rows of a batch.
        got: usize,
        /// Rows of the data.
        total: usize,
    },
    /// A number that is not finite.
    #[error("array {array} of a minibatch holds {value} in row {row}")]
    NotFinite {
        /// Which array, from 0.
        array: usize,
        /// Which row of the data; of the batch, for a stream.
        row: usize,
        /// The number.
        value: f64,
    },
    /// Rows of a stream that do not have one shape.
    #[error("array {array} of a stream has a row of shape {got} after rows of shape {wanted}")]
    RowShape {
        /// Which array, from 0.
        array: usize,
        /// The row's shape.
        got: Shape,
        /// The shape of the rows before.
        wanted: Shape,
    },
    /// No more rows.
    #[error("the stream ended after {rows} rows, within a batch or before it")]
    Ended {
        /// How many rows it yielded.
        rows: u64,
    },
    /// A row could not be read.
    #[error("row {row} of the stream could not be read: {error}")]
    Row {
        /// Which row, from 0.
        row: u64,
        /// Why.
        error: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A likelihood that is not a sum over rows.
    #[error(
        "the log-likelihood of a batch is {whole}, the sum over its rows one by one {rows}: per-row gradients need a \
         likelihood that is a sum over rows"
    )]
    NotASum {
        /// Of the batch as a whole.
        whole: f64,
        /// The sum over rows.
        rows: f64,
    },
    /// All rows of a stream are wanted.
    #[error("the density over all rows is wanted, but the rows are a stream")]
    NoEnd,
    /// A model that reads values.
    #[error("the model's function reads values, so that its programs change: it cannot be used with batches")]
    Dynamic,
    /// A stream that can be read once, wanted again.
    #[error("the stream can be read only once: use one chain, or `Minibatch::reopen`")]
    Taken,
}

/// Where rows come from.
enum Source<R: Rows> {
    /// All rows are at hand, as arrays and as flat columns of `f64`.
    Memory { rows: R, columns: Vec<Columns>, replacement: bool },
    /// Rows come one after the other.
    Stream(Stream<R>),
}

/// Batches of aligned rows of one or several arrays: row i of a batch is row i of each.
///
/// `R` is an array or a tuple of arrays (see [`Rows`]), of any numbers.
pub struct Minibatch<R: Rows> {
    source: Source<R>,
    batch_size: usize,
    total_size: usize,
}

impl<R: Rows> Minibatch<R> {
    /// Batches from memory, without replacement: every epoch has its own order and leaves out the rows of an incomplete
    /// batch at its end. A batch is a function of seed, chain and iteration.
    ///
    /// # Errors
    /// Arrays of unequal length, numbers that are not finite, a batch size out of range.
    pub fn new(rows: R, batch_size: usize) -> Result<Self, BatchError> {
        let columns = rows.columns();
        let total_size = columns.first().map_or(0, |c| c.rows);
        for (array, column) in columns.iter().enumerate() {
            if column.rows != total_size {
                return Err(BatchError::Unaligned { array, got: column.rows, wanted: total_size });
            }
            check_finite(array, column.row_shape.size(), &column.values)?;
        }
        check_size(batch_size, total_size)?;
        Ok(Self { source: Source::Memory { rows, columns, replacement: false }, batch_size, total_size })
    }

    /// Rows of each batch are drawn independently, so that one may occur twice.
    #[must_use]
    pub fn with_replacement(mut self) -> Self {
        if let Source::Memory { replacement, .. } = &mut self.source {
            *replacement = true;
        }
        self
    }

    /// Batches from any iterator over rows that may fail: a database cursor, a channel. The iterator is read once and
    /// in order, so that a run has one chain and goes on until the rows end.
    ///
    /// `total_size` is the number N of rows that the likelihood is scaled to.
    ///
    /// ```
    /// use ndarray::{Array1, Array2, array};
    /// use ppl_core::Minibatch;
    /// let rows = (0..1000).map(|i| Ok((array![i as f64, 1.0], 2.0 * i as f64)));
    /// let batches = Minibatch::<(Array2<f64>, Array1<f64>)>::stream(1000, 50, rows)?;
    /// # Ok::<(), ppl_core::BatchError>(())
    /// ```
    ///
    /// # Errors
    /// A batch size out of range.
    pub fn stream<I>(total_size: usize, batch_size: usize, rows: I) -> Result<Self, BatchError>
    where
        I: Iterator<Item = Result<R::Row, RowError>> + Send + 'static,
    {
        check_size(batch_size, total_size)?;
        Ok(Self { source: Source::Stream(Stream::once(Box::new(rows))), batch_size, total_size })
    }

    /// As [`Minibatch::stream`], with an iterator that is opened anew for every chain and whenever it has ended.
    ///
    /// # Errors
    /// A batch size out of range.
    pub fn reopen<I>(
        total_size: usize,
        batch_size: usize,
        open: impl Fn() -> I + Send + Sync + 'static,
    ) -> Result<Self, BatchError>
    where
        I: Iterator<Item = Result<R::Row, RowError>> + Send + 'static,
    {
        check_size(batch_size, total_size)?;
        let source = Source::Stream(Stream::reopened(Box::new(move || Box::new(open()))));
        Ok(Self { source, batch_size, total_size })
    }

    /// The number of rows of a batch, n.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The number of rows in all, N.
    pub fn total_size(&self) -> usize {
        self.total_size
    }
}

fn check_size(got: usize, total: usize) -> Result<(), BatchError> {
    if (1..=total).contains(&got) { Ok(()) } else { Err(BatchError::BatchSize { got, total }) }
}

/// That an array of rows of `width` numbers holds finite ones.
fn check_finite(array: usize, width: usize, values: &[f64]) -> Result<(), BatchError> {
    match values.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(BatchError::NotFinite { array, row: at / width.max(1), value: values[at] }),
        None => Ok(()),
    }
}

/// An array with a first axis of `rows` rows, as it enters a tape.
fn tensor(column: &Columns) -> Tensor {
    let shape = Shape::from(column.rows).join(&column.row_shape);
    Tensor::new(shape.clone(), &column.values[..]).unwrap_or_else(|| Tensor::full(shape, f64::NAN))
}
