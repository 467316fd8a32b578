//! Targets that are seen in batches, written by hand: normal posteriors known exactly, and others.

use ppl_autodiff::random::{Philox, Purpose};
use ppl_infer::batch::{BatchDensity, BatchTarget};
use ppl_infer::density::DensityError;
use ppl_infer::stochastic::symmetric::{Factor, Symmetric};

/// A density that is a prior times a likelihood for each row: both return their logarithm and *add* their gradient.
pub trait RowModel: Sync {
    fn dim(&self) -> usize;
    fn total_size(&self) -> usize;
    fn prior(&self, x: &[f64], gradient: &mut [f64]) -> f64;
    fn row(&self, row: usize, x: &[f64], gradient: &mut [f64]) -> f64;
    fn blocks(&self) -> Vec<usize> {
        vec![self.dim()]
    }
}

/// Batches of a [`RowModel`] in memory; those of an iteration are a function of seed, chain and iteration.
pub struct Batches<M> {
    pub model: M,
    pub batch_size: usize,
    /// Whether the rows of a batch are distinct.
    pub distinct: bool,
}

impl<M: RowModel> Batches<M> {
    pub fn new(model: M, batch_size: usize) -> Self {
        Self { model, batch_size, distinct: false }
    }
}

impl<M: RowModel> BatchTarget for Batches<M> {
    fn dim(&self) -> usize {
        self.model.dim()
    }
    fn density(&self, seed: u64, chain: u64) -> Result<Box<dyn BatchDensity + '_>, DensityError> {
        let order = (0..self.model.total_size()).collect();
        Ok(Box::new(Bound {
            batches: self,
            seed,
            chain,
            order,
            rows: vec![0; self.batch_size],
            gradient: vec![0.0; self.dim()],
        }))
    }
}

struct Bound<'b, M> {
    batches: &'b Batches<M>,
    seed: u64,
    chain: u64,
    order: Vec<usize>,
    rows: Vec<usize>,
    gradient: Vec<f64>,
}

impl<M: RowModel> BatchDensity for Bound<'_, M> {
    fn dim(&self) -> usize {
        self.batches.model.dim()
    }
    fn total_size(&self) -> usize {
        self.batches.model.total_size()
    }
    fn batch_size(&self) -> usize {
        self.batches.batch_size
    }
    fn distinct_rows(&self) -> bool {
        self.batches.distinct
    }
    fn blocks(&self) -> Vec<usize> {
        self.batches.model.blocks()
    }
    fn bind(&mut self, iteration: u64) -> Result<(), DensityError> {
        let mut random = Philox::new(self.seed, Purpose::Minibatch, self.chain as u32, iteration as u32);
        let total = self.total_size();
        if self.batches.distinct {
            self.order.iter_mut().enumerate().for_each(|(i, row)| *row = i);
            for i in 0..self.rows.len() {
                let j = i + (random.uniform() * (total - i) as f64) as usize;
                self.order.swap(i, j);
                self.rows[i] = self.order[i];
            }
        } else {
            self.rows.iter_mut().for_each(|row| *row = (random.uniform() * total as f64) as usize);
        }
        Ok(())
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        let model = &self.batches.model;
        gradient.fill(0.0);
        let likelihood: f64 = self.rows.iter().map(|&row| model.row(row, x, gradient)).sum();
        let scale = model.total_size() as f64 / self.rows.len() as f64;
        gradient.iter_mut().for_each(|g| *g *= scale);
        Ok(scale * likelihood + model.prior(x, gradient))
    }
    fn row_gradients(&mut self, x: &[f64], prior: &mut [f64], rows: &mut [f64]) -> Result<(), DensityError> {
        let model = &self.batches.model;
        prior.fill(0.0);
        model.prior(x, prior);
        let n = self.rows.len();
        for (r, &row) in self.rows.iter().enumerate() {
            self.gradient.fill(0.0);
            model.row(row, x, &mut self.gradient);
            self.gradient.iter().enumerate().for_each(|(i, g)| rows[i * n + r] = *g);
        }
        Ok(())
    }
    fn prior_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<(), DensityError> {
        gradient.fill(0.0);
        self.batches.model.prior(x, gradient);
        Ok(())
    }
    fn full(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        let model = &self.batches.model;
        gradient.fill(0.0);
        let likelihood: f64 = (0..model.total_size()).map(|row| model.row(row, x, gradient)).sum();
        Ok(likelihood + model.prior(x, gradient))
    }
}

/// A normal posterior: row i has the gradient M z_i - M M' x, the prior is normal with precisions `prior`.
///
/// The z are whitened exactly, so that the covariance of the gradients is M M' at every x and the posterior normal with
/// mean 0 and precision N M M' + prior. M is lower bidiagonal, M M' tridiagonal.
pub struct Normal {
    pub dim: usize,
    pub prior: Vec<f64>,
    /// M z_i, row by row.
    shifts: Vec<f64>,
    /// The diagonal of M M', and the element to the right of each of it (0 for the last).
    pub precision: Vec<[f64; 2]>,
}

impl Normal {
    /// `total` rows; the diagonal of M holds the roots of `scales`, below it there is `coupling` times the same.
    pub fn new(scales: &[f64], coupling: f64, prior: Vec<f64>, total: usize) -> Self {
        let dim = scales.len();
        let mut random = Philox::new(11, Purpose::PriorPredictive, dim as u32, 0);
        let mut z: Vec<f64> = (0..total * dim).map(|_| random.standard_normal()).collect();
        whiten(&mut z, dim);
        let diagonal = |i: usize| scales[i].sqrt();
        let below = |i: usize| if i == 0 { 0.0 } else { coupling * scales[i].sqrt() };
        let shift = |row: &[f64], i: usize| diagonal(i) * row[i] + below(i) * row[i.saturating_sub(1)];
        let shifts = z.chunks_exact(dim).flat_map(|row| (0..dim).map(move |i| shift(row, i))).collect();
        let right = |i: usize| if i + 1 < dim { diagonal(i) * below(i + 1) } else { 0.0 };
        let precision = (0..dim).map(|i| [diagonal(i).powi(2) + below(i).powi(2), right(i)]).collect();
        Self { dim, prior, shifts, precision }
    }

    /// The posterior precision.
    pub fn posterior_precision(&self) -> Symmetric {
        let total = self.total_size() as f64;
        let entry = |i: usize, j: usize| match j - i {
            0 => total * self.precision[i][0] + self.prior[i],
            1 => total * self.precision[i][1],
            _ => 0.0,
        };
        Symmetric::from_fn(self.dim, entry)
    }

    /// The posterior variances.
    pub fn variances(&self) -> Vec<f64> {
        let mut factor = Factor::new(self.dim);
        assert!(factor.factor(&self.posterior_precision()));
        let mut variance = |i: usize| {
            let mut unit = vec![0.0; self.dim];
            unit[i] = 1.0;
            factor.solve(&mut unit);
            unit[i]
        };
        (0..self.dim).map(&mut variance).collect()
    }
}

/// Gives columns mean 0 and the covariance (divisor: the number of rows) the identity.
fn whiten(z: &mut [f64], dim: usize) {
    let n = (z.len() / dim) as f64;
    let column = |z: &[f64], k: usize| z.iter().skip(k).step_by(dim).copied().collect::<Vec<f64>>();
    let mut done: Vec<Vec<f64>> = vec![vec![1.0; z.len() / dim]];
    for k in 0..dim {
        let mut new = column(z, k);
        for _ in 0..2 {
            for old in &done {
                let dot = old.iter().zip(&new).map(|(a, b)| a * b).sum::<f64>() / n;
                new.iter_mut().zip(old).for_each(|(b, a)| *b -= dot * a);
            }
        }
        let norm = (new.iter().map(|x| x * x).sum::<f64>() / n).sqrt();
        new.iter_mut().for_each(|x| *x /= norm);
        z.iter_mut().skip(k).step_by(dim).zip(&new).for_each(|(z, x)| *z = *x);
        done.push(new);
    }
}

impl RowModel for Normal {
    fn dim(&self) -> usize {
        self.dim
    }
    fn total_size(&self) -> usize {
        self.shifts.len() / self.dim
    }
    fn prior(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut log_density = 0.0;
        for ((g, x), p) in gradient.iter_mut().zip(x).zip(&self.prior) {
            *g -= p * x;
            log_density -= 0.5 * p * x * x;
        }
        log_density
    }
    fn row(&self, row: usize, x: &[f64], gradient: &mut [f64]) -> f64 {
        let shift = &self.shifts[row * self.dim..][..self.dim];
        let mut log_density = 0.0;
        for (i, g) in gradient.iter_mut().enumerate() {
            let left = if i == 0 { 0.0 } else { self.precision[i - 1][1] * x[i - 1] };
            let right = if i + 1 < x.len() { self.precision[i][1] * x[i + 1] } else { 0.0 };
            let pull = left + self.precision[i][0] * x[i] + right;
            *g += shift[i] - pull;
            log_density += x[i] * (shift[i] - 0.5 * pull);
        }
        log_density
    }
}

/// Numbers from `least` to `greatest`, in equal ratios.
pub fn scales(dim: usize, least: f64, greatest: f64) -> Vec<f64> {
    (0..dim).map(|i| least * (greatest / least).powf(i as f64 / (dim.max(2) - 1) as f64)).collect()
}
