//! The normal law at an iterate of L-BFGS: inverse curvature as a diagonal and a correction of low rank.
//!
//! With alpha the diagonal, S and Z the last steps and changes of the gradient of -log p as columns, R the upper triangle
//! of S'Z and E its diagonal: `Sigma = diag(alpha) + beta gamma beta'`, `beta = [diag(alpha) Z, S]`,
//! `gamma = [[0, -R^-1], [-R^-T, R^-T (E + Z' diag(alpha) Z) R^-1]]`, and the mean is `x - Sigma grad(-log p)(x)`.
//!
//! # Source
//! Zhang, Carpenter, Gelman and Vehtari (2022), JMLR 23(306), after Byrd, Nocedal and Schnabel (1994).

use std::collections::VecDeque;

use super::dense::cholesky;
use super::family::HALF_LN_2PI;
use super::lbfgs::{Pair, dot, is_curved};

/// What a path has shown of the curvature so far.
pub(crate) struct Local {
    alpha: Vec<f64>,
    pairs: VecDeque<Pair>,
    history: usize,
}

/// A normal law that can be drawn from.
pub(crate) struct PathGaussian {
    mean: Vec<f64>,
    sqrt_alpha: Vec<f64>,
    /// Orthonormal columns, `[d, k]` row-major.
    basis: Vec<f64>,
    /// Lower Cholesky factor of I + R gamma R' in that basis, less the identity, `[k, k]`.
    inner: Vec<f64>,
    rank: usize,
    half_log_det: f64,
}

impl Local {
    pub fn new(dim: usize, history: usize) -> Self {
        Self { alpha: vec![1.0; dim], pairs: VecDeque::new(), history }
    }

    /// Adds a step from one iterate, with its gradient, to the next.
    pub fn add(&mut self, before: &(Vec<f64>, Vec<f64>), after: &(Vec<f64>, Vec<f64>)) {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let pair = Pair { step: difference(&after.0, &before.0), change: difference(&after.1, &before.1) };
        if !is_curved(&pair) {
            return;
        }
        let (s, z) = (&pair.step, &pair.change);
        let a: f64 = self.alpha.iter().zip(z).map(|(alpha, z)| alpha * z * z).sum();
        let b = dot(z, s);
        let c: f64 = s.iter().zip(&self.alpha).map(|(s, alpha)| s * s / alpha).sum();
        for ((alpha, z), s) in self.alpha.iter_mut().zip(z).zip(s) {
            let inverse = a / (b * *alpha) + z * z / b - a * s * s / (b * c * *alpha * *alpha);
            *alpha = 1.0 / inverse;
        }
        if self.pairs.len() == self.history {
            self.pairs.pop_front();
        }
        self.pairs.push_back(pair);
    }

    /// beta, `[d, 2m]`, and gamma, `[2m, 2m]`, row-major.
    fn correction(&self) -> (Vec<f64>, Vec<f64>) {
        let (d, m) = (self.alpha.len(), self.pairs.len());
        let k = 2 * m;
        let mut beta = vec![0.0; d * k];
        for (j, pair) in self.pairs.iter().enumerate() {
            for i in 0..d {
                beta[i * k + j] = self.alpha[i] * pair.change[i];
                beta[i * k + m + j] = pair.step[i];
            }
        }
        // R^-1 by back substitution, column by column.
        let r = |i: usize, j: usize| if i <= j { dot(&self.pairs[i].step, &self.pairs[j].change) } else { 0.0 };
        let mut inverse = vec![0.0; m * m];
        for j in 0..m {
            for i in (0..=j).rev() {
                let rest: f64 = (i + 1..=j).map(|l| r(i, l) * inverse[l * m + j]).sum();
                inverse[i * m + j] = (f64::from(u8::from(i == j)) - rest) / r(i, i);
            }
        }
        let middle = |i: usize, j: usize| {
            let (a, b) = (&self.pairs[i].change, &self.pairs[j].change);
            let weighted: f64 = self.alpha.iter().zip(a).zip(b).map(|((alpha, a), b)| alpha * a * b).sum();
            weighted + if i == j { r(i, i) } else { 0.0 }
        };
        let middle: Vec<f64> = (0..m * m).map(|at| middle(at / m, at % m)).collect();
        let mut gamma = vec![0.0; k * k];
        for i in 0..m {
            for j in 0..m {
                gamma[i * k + m + j] = -inverse[i * m + j];
                gamma[(m + i) * k + j] = -inverse[j * m + i];
                let mut sum = 0.0;
                for p in 0..=i {
                    for q in 0..=j {
                        sum += inverse[p * m + i] * middle[p * m + q] * inverse[q * m + j];
                    }
                }
                gamma[(m + i) * k + m + j] = sum;
            }
        }
        (beta, gamma)
    }

    /// The law at an iterate with the gradient of -log p there; none where the curvature makes none.
    pub fn law(&self, x: &[f64], gradient: &[f64]) -> Option<PathGaussian> {
        let d = self.alpha.len();
        let k = 2 * self.pairs.len();
        if !self.alpha.iter().all(|a| *a > 0.0 && a.is_finite()) {
            return None;
        }
        let (beta, gamma) = self.correction();
        // Sigma times the gradient: alpha g + beta gamma beta' g.
        let mut inner = vec![0.0; k];
        for i in 0..d {
            inner.iter_mut().zip(&beta[i * k..(i + 1) * k]).for_each(|(o, b)| *o += b * gradient[i]);
        }
        let outer: Vec<f64> = (0..k).map(|i| dot(&gamma[i * k..(i + 1) * k], &inner)).collect();
        let moved = |i: usize| self.alpha[i] * gradient[i] + dot(&beta[i * k..(i + 1) * k], &outer);
        let mean: Vec<f64> = (0..d).map(|i| x[i] - moved(i)).collect();

        let sqrt_alpha: Vec<f64> = self.alpha.iter().map(|a| a.sqrt()).collect();
        let scaled: Vec<f64> = (0..d * k).map(|at| beta[at] / sqrt_alpha[at / k]).collect();
        let (basis, triangle, rank) = orthonormal(scaled, d, k);
        // I + T gamma T', [rank, rank].
        let mut product = vec![0.0; rank * k];
        for i in 0..rank {
            for j in 0..k {
                product[i * k + j] = (0..k).map(|l| triangle[i * k + l] * gamma[l * k + j]).sum();
            }
        }
        let mut capacitance = vec![0.0; rank * rank];
        for i in 0..rank {
            for j in 0..rank {
                let sum = dot(&product[i * k..(i + 1) * k], &triangle[j * k..(j + 1) * k]);
                capacitance[i * rank + j] = sum + f64::from(u8::from(i == j));
            }
        }
        let mut inner = cholesky(&capacitance, rank)?;
        let log_det: f64 = (0..rank).map(|i| inner[i * rank + i].ln()).sum();
        (0..rank).for_each(|i| inner[i * rank + i] -= 1.0);
        let half_log_det = 0.5 * self.alpha.iter().map(|a| a.ln()).sum::<f64>() + log_det;
        let good = half_log_det.is_finite() && mean.iter().all(|m| m.is_finite());
        good.then_some(PathGaussian { mean, sqrt_alpha, basis, inner, rank, half_log_det })
    }
}

/// Columns that are this much shorter after orthogonalisation add no direction.
const DEPENDENT: f64 = 1e-12;

/// Orthonormal columns q `[d, r]` that span those of a `[d, k]`, and t `[r, k]` with a = q t: Gram and Schmidt, twice.
fn orthonormal(a: Vec<f64>, d: usize, k: usize) -> (Vec<f64>, Vec<f64>, usize) {
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for j in 0..k {
        let mut v: Vec<f64> = (0..d).map(|i| a[i * k + j]).collect();
        let length = dot(&v, &v).sqrt();
        for _ in 0..2 {
            for (q, row) in columns.iter().zip(&mut rows) {
                let along = dot(q, &v);
                row[j] += along;
                v.iter_mut().zip(q).for_each(|(v, q)| *v -= along * q);
            }
        }
        let rest = dot(&v, &v).sqrt();
        if columns.len() < d && rest > DEPENDENT * length {
            v.iter_mut().for_each(|v| *v /= rest);
            let mut row = vec![0.0; k];
            row[j] = rest;
            columns.push(v);
            rows.push(row);
        }
    }
    let r = columns.len();
    let basis = (0..d * r).map(|at| columns[at % r][at / r]).collect();
    (basis, rows.concat(), r)
}

impl PathGaussian {
    /// Writes the draw of some standard normal noise and returns its log-density:
    /// `x = mean + alpha^(1/2) (u + Q (L - I) Q' u)`.
    pub fn draw(&self, noise: &[f64], x: &mut [f64]) -> f64 {
        let (d, r) = (noise.len(), self.rank);
        let mut along = vec![0.0; r];
        for (i, z) in noise.iter().enumerate() {
            along.iter_mut().zip(&self.basis[i * r..(i + 1) * r]).for_each(|(o, q)| *o += q * z);
        }
        let moved: Vec<f64> = (0..r).map(|i| dot(&self.inner[i * r..i * r + i + 1], &along)).collect();
        for (i, (x, z)) in x.iter_mut().zip(noise).enumerate() {
            let extra = dot(&self.basis[i * r..(i + 1) * r], &moved);
            *x = self.mean[i] + self.sqrt_alpha[i] * (z + extra);
        }
        -self.half_log_det - 0.5 * dot(noise, noise) - HALF_LN_2PI * d as f64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn numbers(value: &Value) -> Vec<f64> {
        match value {
            Value::Array(values) => values.iter().flat_map(numbers).collect(),
            value => vec![value.as_f64().unwrap()],
        }
    }

    fn close(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len());
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() < 1e-10, "{got:?}\n{want:?}");
        }
    }

    /// alpha, Sigma, the mean and a log-density, computed in Python from the formulas of the paper.
    #[test]
    fn the_law_of_a_reference_path() {
        let all: Value = serde_json::from_str(include_str!("../../tests/reference/algorithms.json")).unwrap();
        let want = &all["pathfinder"];
        let rows = |key: &str| -> Vec<Vec<f64>> { want[key].as_array().unwrap().iter().map(numbers).collect() };
        let iterates: Vec<_> = rows("points").into_iter().zip(rows("grads_of_neg_logp")).collect();
        let mut local = Local::new(4, want["history"].as_u64().unwrap() as usize);
        iterates.windows(2).for_each(|w| local.add(&w[0], &w[1]));
        close(&local.alpha, &numbers(&want["alpha"]));
        let (x, gradient) = iterates.last().unwrap();
        let law = local.law(x, gradient).unwrap();
        close(&law.mean, &numbers(&want["mean"]));

        // Sigma from the draws of unit noise: x - mean = A e_i, Sigma = A A'.
        let mut factor = [0.0; 16];
        for i in 0..4 {
            let (mut noise, mut x) = ([0.0; 4], [0.0; 4]);
            noise[i] = 1.0;
            law.draw(&noise, &mut x);
            (0..4).for_each(|j| factor[j * 4 + i] = x[j] - law.mean[j]);
        }
        let sigma: Vec<f64> =
            (0..16).map(|at| dot(&factor[at / 4 * 4..at / 4 * 4 + 4], &factor[at % 4 * 4..at % 4 * 4 + 4])).collect();
        close(&sigma, &numbers(&want["sigma"]));

        // The noise of a point: A^-1 (x - mean), by least squares through Sigma: |noise|^2 = v' Sigma^-1 v.
        let v: Vec<f64> = numbers(&want["x"]).iter().zip(&law.mean).map(|(x, m)| x - m).collect();
        let l = cholesky(&sigma, 4).unwrap();
        let mut z = v.clone();
        super::super::dense::solve_lower(&l, &mut z);
        let log_q = -law.half_log_det - 0.5 * dot(&z, &z) - 4.0 * HALF_LN_2PI;
        close(&[log_q], &numbers(&want["logq"]));
    }
}
