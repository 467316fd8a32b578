//! A normal law whose covariance is a diagonal and a few directions.

use ppl_autodiff::kernels::elementary;

use super::{Family, HALF_LN_2PI, Scale};
use crate::variational::dense::{cholesky, inverse};

/// A normal law with covariance `diag(s) (I + W W') diag(s)`, W of k columns: `x = mu + s (e + W f)` with noise e in R^d
/// and f in R^k. Parameters: mu, those of s (a softplus), the rows of W.
///
/// # Source
/// Ong, Nott and Smith (2018), JCGS 27(3); in this form NumPyro's `AutoLowRankMultivariateNormal`.
#[derive(Clone, Debug)]
pub struct LowRank {
    rank: usize,
    s: Vec<f64>,
    slope: Vec<f64>,
    /// (I + W'W)^-1, row-major.
    inverse: Vec<f64>,
    /// W (I + W'W)^-1, row-major.
    pushed: Vec<f64>,
    half_log_det: f64,
}

/// The entries of W at the start: small and not all alike, since zero is a saddle point.
const SEEDLING: f64 = 0.05;

impl LowRank {
    /// Over d coordinates with k directions, at least 1.
    pub fn new(dim: usize, rank: usize) -> Self {
        let rank = rank.clamp(1, dim.max(1));
        Self {
            rank,
            s: vec![1.0; dim],
            slope: vec![1.0; dim],
            inverse: vec![0.0; rank * rank],
            pushed: vec![0.0; dim * rank],
            half_log_det: 0.0,
        }
    }

    fn w<'p>(&self, params: &'p [f64]) -> &'p [f64] {
        &params[2 * self.s.len()..]
    }
}

impl Family for LowRank {
    fn dim(&self) -> usize {
        self.s.len()
    }

    fn params(&self) -> usize {
        self.s.len() * (2 + self.rank)
    }

    fn noise(&self) -> usize {
        self.s.len() + self.rank
    }

    fn start(&self, location: &[f64], scale: f64, params: &mut [f64]) {
        let d = self.s.len();
        params[..d].copy_from_slice(location);
        params[d..2 * d].fill(Scale::Softplus.inverse(scale));
        for (at, w) in params[2 * d..].iter_mut().enumerate() {
            *w = SEEDLING * (1.0 + 2.4 * at as f64).sin();
        }
    }

    fn update(&mut self, params: &[f64]) {
        let (d, k) = (self.s.len(), self.rank);
        elementary::softplus(&params[d..2 * d], &mut self.s);
        elementary::sigmoid(&params[d..2 * d], &mut self.slope);
        let w = &params[2 * d..];
        let mut capacitance = vec![0.0; k * k];
        for row in w.chunks_exact(k) {
            for i in 0..k {
                for j in 0..k {
                    capacitance[i * k + j] += row[i] * row[j];
                }
            }
        }
        (0..k).for_each(|i| capacitance[i * k + i] += 1.0);
        let sum_log: f64 = self.s.iter().map(|s| s.ln()).sum();
        // Positive definite, unless a parameter is not finite: then nothing here is, and the draw is left out.
        let Some(factor) = cholesky(&capacitance, k) else {
            self.half_log_det = f64::NAN;
            return;
        };
        self.half_log_det = sum_log + (0..k).map(|i| factor[i * k + i].ln()).sum::<f64>();
        self.inverse = inverse(&factor, k);
        for (row, out) in w.chunks_exact(k).zip(self.pushed.chunks_exact_mut(k)) {
            for (j, o) in out.iter_mut().enumerate() {
                *o = row.iter().enumerate().map(|(i, w)| w * self.inverse[i * k + j]).sum();
            }
        }
    }

    fn keeps_draw(&self) -> bool {
        false
    }

    fn draw(&mut self, params: &[f64], noise: &[f64], x: &mut [f64]) {
        let (e, f) = noise.split_at(self.s.len());
        let rows = self.w(params).chunks_exact(self.rank);
        for ((((x, mu), s), e), row) in x.iter_mut().zip(params).zip(&self.s).zip(e).zip(rows) {
            *x = mu + s * (e + row.iter().zip(f).map(|(w, f)| w * f).sum::<f64>());
        }
    }

    fn log_density(&mut self, params: &[f64], noise: &[f64], x: &[f64]) -> f64 {
        let mut slope = vec![0.0; x.len()];
        self.score(params, noise, x, &mut slope);
        let quadratic: f64 = slope.iter().zip(x).zip(params).map(|((g, x), mu)| -g * (x - mu)).sum();
        -self.half_log_det - 0.5 * quadratic - HALF_LN_2PI * x.len() as f64
    }

    fn entropy(&self) -> Option<f64> {
        Some(self.half_log_det + (0.5 + HALF_LN_2PI) * self.s.len() as f64)
    }

    fn pull_back(
        &mut self,
        params: &[f64],
        noise: &[f64],
        _x: &[f64],
        adjoint: &[f64],
        weight: f64,
        gradient: &mut [f64],
    ) {
        let (d, k) = (self.s.len(), self.rank);
        let (e, f) = noise.split_at(d);
        let w = self.w(params);
        for i in 0..d {
            let along: f64 = w[i * k..(i + 1) * k].iter().zip(f).map(|(w, f)| w * f).sum();
            gradient[i] += weight * adjoint[i];
            gradient[d + i] += weight * adjoint[i] * (e[i] + along) * self.slope[i];
            for (g, f) in gradient[2 * d + i * k..2 * d + (i + 1) * k].iter_mut().zip(f) {
                *g += weight * adjoint[i] * self.s[i] * f;
            }
        }
    }

    fn pull_back_entropy(&mut self, _params: &[f64], _noise: &[f64], _x: &[f64], weight: f64, gradient: &mut [f64]) {
        let d = self.s.len();
        for ((g, slope), s) in gradient[d..].iter_mut().zip(&self.slope).zip(&self.s) {
            *g += weight * slope / s;
        }
        for (g, pushed) in gradient[2 * d..].iter_mut().zip(&self.pushed) {
            *g += weight * pushed;
        }
    }

    /// `-(1/s) (v - W (I + W'W)^-1 W' v)` with `v = (x - mu) / s` (Woodbury).
    fn score(&mut self, params: &[f64], _noise: &[f64], x: &[f64], out: &mut [f64]) -> bool {
        let k = self.rank;
        let w = self.w(params);
        let v = |i: usize| (x[i] - params[i]) / self.s[i];
        let mut along = vec![0.0; k];
        for (i, row) in w.chunks_exact(k).enumerate() {
            along.iter_mut().zip(row).for_each(|(a, w)| *a += w * v(i));
        }
        for (i, o) in out.iter_mut().enumerate() {
            let pushed = &self.pushed[i * k..(i + 1) * k];
            *o = -(v(i) - pushed.iter().zip(&along).map(|(p, a)| p * a).sum::<f64>()) / self.s[i];
        }
        true
    }

    fn spread(&self, params: &[f64], out: &mut [f64]) -> bool {
        for ((o, s), row) in out.iter_mut().zip(&self.s).zip(self.w(params).chunks_exact(self.rank)) {
            *o = s * (1.0 + row.iter().map(|w| w * w).sum::<f64>()).sqrt();
        }
        true
    }
}
