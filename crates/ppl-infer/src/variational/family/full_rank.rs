//! A normal law with any covariance.

use super::{Family, HALF_LN_2PI};

/// A normal law with any covariance, `x = mu + L noise` with L lower triangular: d + d (d + 1) / 2 parameters, the location
/// first, then the rows of L up to the diagonal.
///
/// # Source
/// Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), JMLR 18(14).
#[derive(Clone, Debug)]
pub struct FullRank {
    dim: usize,
    sum_log_diagonal: f64,
}

impl FullRank {
    /// Over d coordinates.
    pub fn new(dim: usize) -> Self {
        Self { dim, sum_log_diagonal: 0.0 }
    }

    /// Writes the parameters of the law with a mean and the lower triangular factor L, row-major d x d.
    pub fn pack(mean: &[f64], factor: &[f64], params: &mut [f64]) {
        let d = mean.len();
        let (mu, rows) = params.split_at_mut(d);
        mu.copy_from_slice(mean);
        for i in 0..d {
            rows[start(i)..start(i + 1)].copy_from_slice(&factor[i * d..i * d + i + 1]);
        }
    }
}

/// Where row i of a packed lower triangle starts.
fn start(i: usize) -> usize {
    i * (i + 1) / 2
}

impl Family for FullRank {
    fn dim(&self) -> usize {
        self.dim
    }

    fn params(&self) -> usize {
        self.dim + start(self.dim)
    }

    fn start(&self, location: &[f64], scale: f64, params: &mut [f64]) {
        let (mu, rows) = params.split_at_mut(self.dim);
        mu.copy_from_slice(location);
        rows.fill(0.0);
        (0..self.dim).for_each(|i| rows[start(i) + i] = scale);
    }

    fn update(&mut self, params: &[f64]) {
        let rows = &params[self.dim..];
        self.sum_log_diagonal = (0..self.dim).map(|i| rows[start(i) + i].abs().ln()).sum();
    }

    fn keeps_draw(&self) -> bool {
        false
    }

    fn draw(&mut self, params: &[f64], noise: &[f64], x: &mut [f64]) {
        let (mu, rows) = params.split_at(self.dim);
        for (i, (x, mu)) in x.iter_mut().zip(mu).enumerate() {
            let row = &rows[start(i)..start(i + 1)];
            *x = mu + row.iter().zip(noise).map(|(l, z)| l * z).sum::<f64>();
        }
    }

    fn log_density(&mut self, _params: &[f64], noise: &[f64], _x: &[f64]) -> f64 {
        let squares: f64 = noise.iter().map(|z| z * z).sum();
        -self.sum_log_diagonal - 0.5 * squares - HALF_LN_2PI * self.dim as f64
    }

    fn entropy(&self) -> Option<f64> {
        Some(self.sum_log_diagonal + (0.5 + HALF_LN_2PI) * self.dim as f64)
    }

    fn pull_back(
        &mut self,
        _params: &[f64],
        noise: &[f64],
        _x: &[f64],
        adjoint: &[f64],
        weight: f64,
        gradient: &mut [f64],
    ) {
        let (by_mu, by_rows) = gradient.split_at_mut(self.dim);
        for (i, (g, a)) in by_mu.iter_mut().zip(adjoint).enumerate() {
            *g += weight * a;
            for (g, z) in by_rows[start(i)..start(i + 1)].iter_mut().zip(noise) {
                *g += weight * a * z;
            }
        }
    }

    fn pull_back_entropy(&mut self, params: &[f64], _noise: &[f64], _x: &[f64], weight: f64, gradient: &mut [f64]) {
        for i in 0..self.dim {
            let at = self.dim + start(i) + i;
            gradient[at] += weight / params[at];
        }
    }

    /// `-L'^-1 noise`, by back substitution.
    fn score(&mut self, params: &[f64], noise: &[f64], _x: &[f64], out: &mut [f64]) -> bool {
        let rows = &params[self.dim..];
        out.copy_from_slice(noise);
        for i in (0..self.dim).rev() {
            let row = &rows[start(i)..start(i + 1)];
            let solved = out[i] / row[i];
            out[i] = -solved;
            for (o, l) in out[..i].iter_mut().zip(row) {
                *o -= l * solved;
            }
        }
        true
    }

    fn spread(&self, params: &[f64], out: &mut [f64]) -> bool {
        let rows = &params[self.dim..];
        for (i, o) in out.iter_mut().enumerate() {
            *o = rows[start(i)..start(i + 1)].iter().map(|l| l * l).sum::<f64>().sqrt();
        }
        true
    }
}
