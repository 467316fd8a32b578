//! Adaptive importance sampling: Student laws that follow the weighted draws of the round before.
//!
//! # Source
//! Cappé, Douc, Guillin, Marin and Robert (2008), Statistics and Computing 18, 447-459 (population Monte Carlo); the weights
//! are smoothed after Vehtari, Simpson, Gelman, Yao and Gabry (2024), JMLR 25(72).

use ndarray::Array2;
use ppl_diagnostics::psis;

use super::dense::cholesky;
use super::verdict::k_hat;

/// Draws with Pareto-smoothed importance weights.
#[derive(Clone, Debug)]
pub(crate) struct Weighted {
    /// `[draw, coordinate]`.
    pub points: Array2<f64>,
    /// They sum to 1.
    pub weights: Vec<f64>,
    pub k_hat: f64,
}

impl Weighted {
    /// From the logarithms of target over proposal, one for each row of `points`.
    pub fn new(points: Array2<f64>, ratios: &[f64]) -> Self {
        let smoothed = psis(ratios, 1.0);
        let weights = smoothed.log_weights.iter().map(|w| w.exp()).collect();
        Self { points, weights, k_hat: k_hat(ratios, &smoothed) }
    }

    /// How many independent draws of the target the weighted ones are worth: `1 / sum w^2` (Kong 1992).
    pub fn effective(&self) -> f64 {
        1.0 / self.weights.iter().map(|w| w * w).sum::<f64>()
    }
}

/// Degrees of freedom: tails heavy enough to reach what the draws so far have missed, and still with a variance.
const FREEDOM: usize = 5;

/// A multivariate Student law with [`FREEDOM`] degrees of freedom.
pub(crate) struct Student {
    mean: Vec<f64>,
    /// Lower Cholesky factor of the scale matrix, row-major.
    factor: Vec<f64>,
    log_det: f64,
}

impl Student {
    /// The law with the mean of the weighted draws and their covariance as its scale matrix, so that it is wider than they
    /// are; none where they do not span the space. Covariances are drawn to zero as far as few effective draws make them
    /// noise.
    pub fn fitted(draws: &Weighted) -> Option<Self> {
        let d = draws.points.ncols();
        let mut mean = vec![0.0; d];
        for (x, w) in draws.points.outer_iter().zip(&draws.weights) {
            mean.iter_mut().zip(x).for_each(|(m, x)| *m += w * x);
        }
        let (mut scale, mut off) = (vec![0.0; d * d], vec![0.0; d]);
        for (x, &w) in draws.points.outer_iter().zip(&draws.weights).filter(|(_, w)| **w > 0.0) {
            off.iter_mut().zip(x).zip(&mean).for_each(|((o, x), m)| *o = x - m);
            for i in 0..d {
                let weighted = w * off[i];
                scale[i * d..=i * d + i].iter_mut().zip(&off).for_each(|(s, o)| *s += weighted * o);
            }
        }
        // A coordinate that does not move, up to rounding of its mean.
        if (0..d).any(|i| scale[i * d + i].sqrt() <= 1e-12 * mean[i].abs()) {
            return None;
        }
        let effective = draws.effective();
        let kept = effective / (effective + 2.0 * d as f64);
        for i in 0..d {
            scale[i * d..i * d + i].iter_mut().for_each(|s| *s *= kept);
        }
        let factor = cholesky(&scale, d)?;
        let log_det = (0..d).map(|i| factor[i * d + i].ln()).sum::<f64>();
        (log_det.is_finite() && mean.iter().all(|m| m.is_finite())).then_some(Self { mean, factor, log_det })
    }

    /// The standard normal numbers that a draw takes.
    pub fn noise(&self) -> usize {
        self.mean.len() + FREEDOM
    }

    /// Writes a draw and returns its log-density up to a constant.
    pub fn draw(&self, noise: &[f64], x: &mut [f64]) -> f64 {
        let d = self.mean.len();
        let (normal, rest) = noise.split_at(d);
        let freedom = FREEDOM as f64;
        let chi_square: f64 = rest.iter().map(|z| z * z).sum();
        let stretch = (freedom / chi_square).sqrt();
        for (i, (x, mean)) in x.iter_mut().zip(&self.mean).enumerate() {
            let row = &self.factor[i * d..=i * d + i];
            *x = mean + stretch * row.iter().zip(normal).map(|(l, z)| l * z).sum::<f64>();
        }
        let square = stretch * stretch * normal.iter().map(|z| z * z).sum::<f64>();
        -self.log_det - 0.5 * (freedom + d as f64) * (square / freedom).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use ppl_autodiff::random::{Philox, Purpose};

    use super::*;

    /// Rounds on a correlated normal law, from a proposal that is too narrow and in the wrong place.
    #[test]
    fn rounds_find_a_normal_law() {
        // Mean (1, -2), covariance [[1, 1.2], [1.2, 4]].
        let log_p = |x: &[f64]| {
            let (a, b) = (x[0] - 1.0, x[1] + 2.0);
            -0.5 * (4.0 * a * a - 2.4 * a * b + b * b) / (4.0 - 1.44)
        };
        let n = 4000;
        let mut law = Student { mean: vec![0.0, 0.0], factor: vec![0.5, 0.0, 0.0, 0.5], log_det: 2.0 * 0.5f64.ln() };
        let mut last = None;
        for round in 0..4 {
            let (mut points, mut ratios, mut noise) = (Array2::zeros((n, 2)), Vec::new(), vec![0.0; law.noise()]);
            for (k, mut row) in points.outer_iter_mut().enumerate() {
                Philox::new(1, Purpose::Variational, round, k as u32).fill_standard_normal(&mut noise);
                let mut x = [0.0; 2];
                let log_q = law.draw(&noise, &mut x);
                ratios.push(log_p(&x) - log_q);
                row.assign(&ndarray::ArrayView1::from(&x));
            }
            let draws = Weighted::new(points, &ratios);
            law = Student::fitted(&draws).unwrap();
            last = Some(draws);
        }
        let draws = last.unwrap();
        assert!(draws.k_hat < 0.3 && draws.effective() > 0.6 * n as f64, "{} {}", draws.k_hat, draws.effective());
        let mean = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
            draws.points.outer_iter().zip(&draws.weights).map(|(x, w)| w * f(x[0], x[1])).sum()
        };
        // Five standard errors of 2400 effective draws: 0.1 and 0.2 for the means, 0.15 to 0.6 for the second moments.
        assert!((mean(&|a, _| a) - 1.0).abs() < 0.1 && (mean(&|_, b| b) + 2.0).abs() < 0.2);
        assert!((mean(&|a, _| (a - 1.0).powi(2)) - 1.0).abs() < 0.15);
        assert!((mean(&|a, b| (a - 1.0) * (b + 2.0)) - 1.2).abs() < 0.25);
        assert!((mean(&|_, b| (b + 2.0).powi(2)) - 4.0).abs() < 0.6);
    }

    #[test]
    fn draws_in_a_plane_make_no_law() {
        let points = Array2::from_shape_fn((100, 2), |(i, j)| if j == 0 { i as f64 } else { 3.0 });
        assert!(Student::fitted(&Weighted::new(points, &[0.0; 100])).is_none());
    }
}
