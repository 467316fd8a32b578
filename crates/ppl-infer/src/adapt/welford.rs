//! Running means and variances, one pass and stable, with the shrinkage that Stan gives them.

use ndarray::Array2;

/// Stan's shrinkage of n draws: the weight of the estimate, and what is added to the diagonal.
fn shrinkage(count: usize) -> (f64, f64) {
    let n = count as f64;
    (n / (n + 5.0), 1e-3 * 5.0 / (n + 5.0))
}

/// Running mean and variance of each coordinate.
///
/// # Source
/// Welford (1962), Technometrics 4(3).
#[derive(Debug, Clone, PartialEq)]
pub struct WelfordDiagonal {
    count: usize,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl WelfordDiagonal {
    /// No observations of `dim` coordinates.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { count: 0, mean: vec![0.0; dim], squares: vec![0.0; dim] }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.count = 0;
        self.mean.fill(0.0);
        self.squares.fill(0.0);
    }

    /// Adds an observation.
    pub fn add(&mut self, x: &[f64]) {
        self.count += 1;
        let weight = 1.0 / self.count as f64;
        for ((x, mean), squares) in x.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let from_old = x - *mean;
            *mean += from_old * weight;
            *squares += from_old * (x - *mean);
        }
    }

    /// Number of observations.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Means.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Variances with divisor n - 1; not numbers below two observations.
    pub fn variances(&self) -> impl Iterator<Item = f64> {
        let divisor = self.count as f64 - 1.0;
        self.squares.iter().map(move |s| if divisor > 0.0 { s / divisor } else { f64::NAN })
    }

    /// Stan's estimate: n/(n+5) of the variance and 5/(n+5) of 1e-3.
    pub fn regularised(&self) -> impl Iterator<Item = f64> {
        let (weight, floor) = shrinkage(self.count);
        self.variances().map(move |variance| weight * variance + floor)
    }
}

/// Running mean and covariance.
#[derive(Debug, Clone, PartialEq)]
pub struct WelfordDense {
    count: usize,
    mean: Vec<f64>,
    /// Sums of products, lower triangle.
    products: Array2<f64>,
    from_old: Vec<f64>,
}

impl WelfordDense {
    /// No observations of `dim` coordinates.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { count: 0, mean: vec![0.0; dim], products: Array2::zeros((dim, dim)), from_old: vec![0.0; dim] }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.count = 0;
        self.mean.fill(0.0);
        self.products.fill(0.0);
    }

    /// Adds an observation.
    pub fn add(&mut self, x: &[f64]) {
        self.count += 1;
        let weight = 1.0 / self.count as f64;
        for ((x, mean), from_old) in x.iter().zip(&mut self.mean).zip(&mut self.from_old) {
            *from_old = x - *mean;
            *mean += *from_old * weight;
        }
        for (i, mut row) in self.products.outer_iter_mut().enumerate() {
            let from_new = x[i] - self.mean[i];
            for (product, from_old) in row.iter_mut().zip(&self.from_old[..=i]) {
                *product += from_new * from_old;
            }
        }
    }

    /// Number of observations.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Stan's estimate: n/(n+5) of the covariance with divisor n - 1, and 5/(n+5) of 1e-3 times the identity.
    #[must_use]
    pub fn regularised(&self) -> Array2<f64> {
        let (weight, floor) = shrinkage(self.count);
        let weight = weight / (self.count as f64 - 1.0);
        Array2::from_shape_fn(self.products.dim(), |(i, j)| {
            let covariance = weight * self.products[[i.max(j), i.min(j)]];
            if i == j { covariance + floor } else { covariance }
        })
    }
}
