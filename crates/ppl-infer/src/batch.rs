//! What a method that sees a few rows of the data at a time needs of a target.
//!
//! The density over a minibatch is another type than the density over all data: a sampler that needs the latter, like
//! NUTS, cannot be given an estimate by mistake.

use crate::density::{DensityError, one_by_one};

/// An estimate of a log-density on R^d from a batch of rows, owned by one thread (it holds that thread's workspace and
/// its place in the order of the batches).
///
/// With N rows in all, n of them in the batch B, the estimate is
///
/// log p(x) ~ log prior(x) + log |J(x)| + N/n sum over i in B of log likelihood_i(x),
///
/// unbiased over the batches, and so is its gradient.
pub trait BatchDensity {
    /// The number of unconstrained coordinates, d.
    fn dim(&self) -> usize;

    /// The number of rows of the whole data, N.
    fn total_size(&self) -> usize;

    /// The number of rows of a batch, n.
    fn batch_size(&self) -> usize;

    /// Binds the batch of an iteration. For data in memory a batch is a function of seed, chain and iteration, so that
    /// a run that is resumed sees what an uninterrupted one would have; a stream yields whatever comes next.
    ///
    /// # Errors
    /// A stream that ended or failed, or rows that are not finite.
    fn bind(&mut self, iteration: u64) -> Result<(), DensityError>;

    /// The arrays of the bound batch as the programs of a model take them, rows innermost; none where there is no model.
    fn bound(&self) -> &[Vec<f64>] {
        &[]
    }

    /// Returns the estimate from the bound batch and writes its gradient.
    ///
    /// # Errors
    /// [`DensityError::NotFinite`] is recoverable; anything else ends the run.
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError>;

    /// As [`BatchDensity::evaluate`] at several points: see
    /// [`LogDensity::evaluate_points`](crate::density::LogDensity::evaluate_points).
    ///
    /// # Errors
    /// As [`BatchDensity::evaluate`], but for [`DensityError::NotFinite`].
    fn evaluate_points(
        &mut self,
        points: &[f64],
        values: &mut [f64],
        gradients: &mut [f64],
    ) -> Result<(), DensityError> {
        let dim = self.dim();
        one_by_one(dim, points, values, gradients, |x, g| self.evaluate(x, g))
    }

    /// Writes the gradient of the estimate alone: for methods that never look at its value, which costs something.
    ///
    /// # Errors
    /// As [`BatchDensity::evaluate`].
    fn gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<(), DensityError> {
        self.evaluate(x, gradient).map(|_| ())
    }

    /// The parts of the gradient from the bound batch: of log prior + log |J| (d numbers), and of each row's
    /// log-likelihood, unscaled (d x n, row-major: the n rows of one coordinate are neighbours).
    ///
    /// # Errors
    /// As [`BatchDensity::evaluate`]; a model whose likelihood is not a sum over rows.
    fn row_gradients(&mut self, x: &[f64], prior: &mut [f64], rows: &mut [f64]) -> Result<(), DensityError>;

    /// As [`BatchDensity::row_gradients`], with the sum over rows and the sum of squares in place of each (d numbers each):
    /// for what needs no more, in models of many coordinates.
    ///
    /// # Errors
    /// As [`BatchDensity::row_gradients`].
    fn row_moments(
        &mut self,
        x: &[f64],
        prior: &mut [f64],
        sum: &mut [f64],
        squares: &mut [f64],
    ) -> Result<(), DensityError> {
        let dim = self.dim();
        let mut rows = vec![0.0; dim * self.batch_size()];
        self.row_gradients(x, prior, &mut rows)?;
        for ((s, q), of_rows) in sum.iter_mut().zip(squares).zip(rows.chunks_exact(self.batch_size().max(1))) {
            *s = of_rows.iter().sum();
            *q = of_rows.iter().map(|g| g * g).sum();
        }
        Ok(())
    }

    /// Returns the log-density over all rows and writes its gradient, for control variates. The bound batch stays.
    ///
    /// # Errors
    /// As [`BatchDensity::evaluate`]; a stream, which has no end.
    fn full(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError>;

    /// Writes the gradient of log prior + log |J| alone.
    ///
    /// # Errors
    /// As [`BatchDensity::row_gradients`].
    fn prior_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<(), DensityError> {
        let mut rows = vec![0.0; self.dim() * self.batch_size()];
        self.row_gradients(x, gradient, &mut rows)
    }

    /// Asks that the rows of every batch are drawn independently from now on, as methods want whose theory counts on the
    /// noise of batches; true if they are.
    fn draw_independently(&mut self) -> bool {
        false
    }

    /// Whether the rows of a batch are distinct. Then the variance of a gradient over batches is (N - n)/N of what it
    /// is with rows drawn independently.
    fn distinct_rows(&self) -> bool {
        false
    }

    /// The numbers of coordinates of the latent sites, in order: what belongs together.
    fn blocks(&self) -> Vec<usize> {
        vec![self.dim()]
    }
}

/// A target that is seen in batches: shared between threads, each of which asks for its own density.
pub trait BatchTarget: Sync {
    /// The number of unconstrained coordinates.
    fn dim(&self) -> usize;

    /// A density for one chain, whose order of batches is a function of seed and chain.
    ///
    /// # Errors
    /// A stream that has been taken by another chain.
    fn density(&self, seed: u64, chain: u64) -> Result<Box<dyn BatchDensity + '_>, DensityError>;
}
