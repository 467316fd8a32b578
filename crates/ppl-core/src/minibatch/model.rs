//! A model over batches: the model's function, and where its rows come from.

use ppl_autodiff::Tensor;
use ppl_autodiff::random::{Philox, Purpose};

use super::order::Order;
use super::rows::{Columns, Rows};
use super::stream::Reader;
use super::{BatchError, Minibatch, Source, check_finite, tensor};
use crate::model::Model;

/// A model of some rows, with the arrays that it got.
pub struct Probe {
    /// The model.
    pub model: Box<dyn Model>,
    /// The arrays, row-major, first axis the rows.
    pub data: Vec<Tensor>,
}

/// The batches of one chain.
pub trait Batches: Send {
    /// Writes the rows of the batch of an iteration: one slice an array, rows innermost (element `j` of row `i` of `n` at
    /// `j n + i`).
    ///
    /// # Errors
    /// A stream that ended or failed; numbers that are not finite.
    fn fill(&mut self, iteration: u64, arrays: &mut [Vec<f64>]) -> Result<(), BatchError>;

    /// Asks that rows are drawn independently from now on, so that one may occur twice; true if they are. A stream yields
    /// what it yields.
    fn draw_independently(&mut self) -> bool {
        false
    }

    /// Whether the rows of a batch are distinct.
    fn distinct_rows(&self) -> bool {
        false
    }
}

/// A model whose rows come in batches. It is another type than [`Model`], so that what needs all data cannot be given
/// an estimate.
pub trait BatchModel: Send + Sync {
    /// Rows of a batch, n.
    fn batch_size(&self) -> usize;

    /// Rows in all, N.
    fn total_size(&self) -> usize;

    /// The model of two sets of `rows` rows, chosen so that they differ where the data do.
    ///
    /// # Errors
    /// A stream that ended or failed.
    fn probes(&self, rows: usize) -> Result<[Probe; 2], BatchError>;

    /// The model of all rows; none for a stream.
    fn whole(&self) -> Option<Box<dyn Model>>;

    /// The batches of one chain, in the order of a seed.
    ///
    /// # Errors
    /// A stream that has been taken.
    fn batches(&self, seed: u64, chain: u32) -> Result<Box<dyn Batches + '_>, BatchError>;
}

/// A function from rows to a model.
type Build<R> = Box<dyn Fn(R) -> Box<dyn Model> + Send + Sync>;

/// What [`Minibatch::model`] makes.
pub struct Batched<R: Rows> {
    batches: Minibatch<R>,
    build: Build<R>,
}

impl<R: Rows> Minibatch<R> {
    /// The model that `build` makes of rows, over these batches. The function is the one that is used with all data.
    pub fn model<M: Model + 'static>(self, build: impl Fn(R) -> M + Send + Sync + 'static) -> Batched<R> {
        Batched { batches: self, build: Box::new(move |rows| Box::new(build(rows))) }
    }
}

/// How many pairs of row sets are tried until one differs in every array.
const PROBE_ATTEMPTS: u32 = 64;

impl<R: Rows> Batched<R> {
    fn probe(&self, rows: R) -> Probe {
        let data = rows.columns().iter().map(tensor).collect();
        Probe { model: (self.build)(rows), data }
    }
}

/// Two sets of row numbers whose rows differ in every array in which they can, and of which no two arrays are alike if
/// that can be: so that it can be seen which constant of a trace is which array.
fn telling_rows(columns: &[Columns], total: usize, rows: usize) -> [Vec<usize>; 2] {
    let pick = |attempt: u32| -> Vec<usize> {
        let mut stream = Philox::new(0, Purpose::Minibatch, u32::MAX, attempt);
        (0..rows).map(|_| ((stream.uniform() * total as f64) as usize).min(total - 1)).collect()
    };
    let row = |c: &Columns, i: usize| -> Vec<u64> {
        let width = c.row_shape.size();
        c.values[i * width..(i + 1) * width].iter().map(|x| x.to_bits()).collect()
    };
    let seen = |c: &Columns, set: &[usize]| -> Vec<Vec<u64>> { set.iter().map(|&i| row(c, i)).collect() };
    let score = |a: &[usize], b: &[usize]| {
        let arrays: Vec<_> = columns.iter().map(|c| (seen(c, a), seen(c, b))).collect();
        let changing = arrays.iter().filter(|(a, b)| a != b).count();
        let pairs = |i: usize| arrays[..i].iter().filter(|other| **other != arrays[i]).count();
        changing + (0..arrays.len()).map(pairs).sum::<usize>()
    };
    let most = columns.len() * (columns.len() + 1) / 2;
    let mut best = (0, [pick(0), pick(1)]);
    for attempt in 0..PROBE_ATTEMPTS {
        let pair = [pick(2 * attempt), pick(2 * attempt + 1)];
        let score = score(&pair[0], &pair[1]);
        if score > best.0 {
            best = (score, pair);
        }
        if best.0 >= most {
            break;
        }
    }
    best.1
}

impl<R: Rows> BatchModel for Batched<R> {
    fn batch_size(&self) -> usize {
        self.batches.batch_size
    }

    fn total_size(&self) -> usize {
        self.batches.total_size
    }

    fn probes(&self, rows: usize) -> Result<[Probe; 2], BatchError> {
        match &self.batches.source {
            Source::Memory { rows: all, columns, .. } => {
                let sets = telling_rows(columns, self.batches.total_size, rows);
                Ok(sets.map(|set| self.probe(all.take_rows(&set))))
            }
            Source::Stream(stream) => {
                let mut first = stream.peek(2 * rows)?;
                let second = first.split_off(rows);
                Ok([self.probe(R::gather(first)?), self.probe(R::gather(second)?)])
            }
        }
    }

    fn whole(&self) -> Option<Box<dyn Model>> {
        match &self.batches.source {
            Source::Memory { rows, .. } => Some((self.build)(rows.clone())),
            Source::Stream(_) => None,
        }
    }

    fn batches(&self, seed: u64, chain: u32) -> Result<Box<dyn Batches + '_>, BatchError> {
        let Minibatch { source, batch_size, total_size } = &self.batches;
        Ok(match source {
            Source::Memory { columns, replacement, .. } => {
                let order = Order::new(seed, chain, *total_size, *batch_size, *replacement);
                Box::new(FromMemory { columns, order })
            }
            Source::Stream(_) => Box::new(FromStream {
                reader: None,
                batches: &self.batches,
                columns: vec![Columns::default(); R::ARRAYS],
            }),
        })
    }
}

/// Long rows are copied in squares of so many rows and columns: a line of the cache each way.
const SIDE: usize = 8;

struct FromMemory<'b> {
    columns: &'b [Columns],
    order: Order,
}

impl Batches for FromMemory<'_> {
    fn draw_independently(&mut self) -> bool {
        self.order.replace();
        true
    }

    fn distinct_rows(&self) -> bool {
        !self.order.replaces()
    }

    fn fill(&mut self, iteration: u64, arrays: &mut [Vec<f64>]) -> Result<(), BatchError> {
        let rows = self.order.batch(iteration);
        for (column, array) in self.columns.iter().zip(arrays) {
            let width = column.row_shape.size();
            let values = |row: usize| &column.values[row * width..][..width];
            let count = rows.len();
            let (tiles, columns) = (width / SIDE, width % SIDE);
            let (several, others) = if tiles == 0 { (&[][..], rows) } else { rows.as_chunks::<SIDE>() };
            for (block, rows) in several.iter().enumerate() {
                let from = rows.map(values);
                let whole = from.map(|row| row.as_chunks::<SIDE>().0);
                let mut to = array.chunks_exact_mut(count).map(|to| &mut to[block * SIDE..][..SIDE]);
                for tile in 0..tiles {
                    let square = whole.map(|row| row[tile]);
                    for (j, to) in (0..SIDE).zip(&mut to) {
                        to.copy_from_slice(&square.map(|row| row[j]));
                    }
                }
                for (j, to) in (width - columns..width).zip(to) {
                    to.copy_from_slice(&from.map(|row| row[j]));
                }
            }
            let first = SIDE * several.len();
            for (j, to) in array.chunks_exact_mut(count).enumerate() {
                to[first..].iter_mut().zip(others).for_each(|(to, &row)| *to = column.values[row * width + j]);
            }
        }
        Ok(())
    }
}

struct FromStream<'b, R: Rows> {
    /// Taken at the first batch, so that a chain that never runs leaves the stream to another.
    reader: Option<Reader<R>>,
    batches: &'b Minibatch<R>,
    columns: Vec<Columns>,
}

impl<R: Rows> Batches for FromStream<'_, R> {
    fn fill(&mut self, _iteration: u64, arrays: &mut [Vec<f64>]) -> Result<(), BatchError> {
        let Source::Stream(stream) = &self.batches.source else { return Err(BatchError::Taken) };
        if self.reader.is_none() {
            self.reader = Some(stream.reader()?);
        }
        let Some(reader) = &mut self.reader else { return Err(BatchError::Taken) };
        self.columns.iter_mut().for_each(Columns::clear);
        for _ in 0..self.batches.batch_size {
            R::push(&reader.next(stream)?, 0, &mut self.columns)?;
        }
        for (i, (column, array)) in self.columns.iter().zip(arrays).enumerate() {
            check_finite(i, column.row_shape.size(), &column.values)?;
            if column.values.len() != array.len() {
                let got = column.row_shape.clone();
                let wanted = ppl_autodiff::Shape::from(array.len() / self.batches.batch_size);
                return Err(BatchError::RowShape { array: i, got, wanted });
            }
            let width = column.row_shape.size();
            for (j, to) in array.chunks_exact_mut(column.rows).enumerate() {
                to.iter_mut().zip(column.values.iter().skip(j).step_by(width)).for_each(|(to, &x)| *to = x);
            }
        }
        Ok(())
    }
}
