//! The metric of least Fisher divergence with correlations: scales, and the directions in which they are not enough.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::dynamics::LowRank;

use super::fisher::FisherDiagonal;
use super::symmetric::{eigen, geometric_mean};

/// Directions with a variance between 1 / c and c in the scaled space are left at 1.
const CUTOFF: f64 = 2.0;
/// What is added to the diagonal of sums of squares, so that directions without draws have variance 1.
const RIDGE: f64 = 1e-5;
/// The least that is added, as a share of the sums' sizes: the product of the two matrices has a condition number of at
/// most the inverse square of this, which is what the mean's eigenvalues can be computed to.
const RELATIVE_RIDGE: f64 = 1e-7;
/// At most this many draws span the subspace that is looked at where there are more coordinates.
const SPAN: usize = 60;

/// Running estimate of M^-1 from draws and gradients: diagonal times low rank.
///
/// In the scaled space of [`FisherDiagonal`] the covariances A of draws and B of gradients give the geometric mean
/// P of A and B^-1, which minimises the Fisher divergence among all linear maps; only its directions of variance
/// above 2 or below 1/2 are kept. For a normal law it is exact after d + 1 draws. Where there are more coordinates than
/// draws, all this is done in the space that they span. Sums of squares are regularised just so far that the mean of the
/// two matrices can be computed: unlike in nutpie, more where they are large, as their product is ill-conditioned while
/// there are fewer draws than coordinates.
///
/// # Source
/// Seyboldt, Carlson and Carpenter (2026), arXiv:2603.18845.
#[derive(Debug, Clone)]
pub struct FisherLowRank {
    dim: usize,
    /// Draws one after another, and their gradients.
    draws: Vec<f64>,
    gradients: Vec<f64>,
    diagonal: FisherDiagonal,
}

impl FisherLowRank {
    /// No observations of `dim` coordinates.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { dim, draws: Vec::new(), gradients: Vec::new(), diagonal: FisherDiagonal::new(dim) }
    }

    /// Adds a draw with its gradient.
    pub fn add(&mut self, draw: &[f64], gradient: &[f64]) {
        self.draws.extend_from_slice(draw);
        self.gradients.extend_from_slice(gradient);
        self.diagonal.add(draw, gradient);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.draws.clear();
        self.gradients.clear();
        self.diagonal.clear();
    }

    /// Number of observations.
    #[must_use]
    pub fn count(&self) -> usize {
        self.diagonal.count()
    }

    /// The estimate, taking scales from `fallback` where there are none; nothing where it is not finite.
    #[must_use]
    pub fn metric(&self, fallback: &[f64]) -> Option<LowRank> {
        self.metric_beyond(CUTOFF, fallback)
    }

    /// The estimate with all directions, as the matrix M^-1.
    pub(super) fn inverse_mass(&self, fallback: &[f64]) -> Option<Array2<f64>> {
        Some(self.metric_beyond(1.0, fallback)?.inverse_mass())
    }

    /// The estimate with the directions whose variance is above a cutoff or below its inverse.
    fn metric_beyond(&self, cutoff: f64, fallback: &[f64]) -> Option<LowRank> {
        let scale: Array1<f64> = self
            .diagonal
            .inverse_mass()
            .zip(fallback)
            .map(|(v, old)| if v > 0.0 && v.is_finite() { v.sqrt() } else { *old })
            .collect();
        let count = self.count();
        let whole = |x: &[f64]| ArrayView2::from_shape((count, self.dim), x).ok().map(|x| x.to_owned());
        let (mut draws, mut gradients) = (whole(&self.draws)?, whole(&self.gradients)?);
        draws /= &scale;
        gradients *= &scale;
        for x in [&mut draws, &mut gradients] {
            let mean = x.mean_axis(Axis(0))?;
            *x -= &mean;
        }
        let basis = if self.dim > 2 * count.min(SPAN) { Some(span(&draws, &gradients)?) } else { None };
        let gram = |x: &Array2<f64>| {
            let x = basis.as_ref().map_or_else(|| x.clone(), |basis| x.dot(&basis.t()));
            x.t().dot(&x)
        };
        let (mut of_draws, mut of_gradients) = (gram(&draws), gram(&gradients));
        let size = (of_draws.diag().sum() * of_gradients.diag().sum()).sqrt();
        let ridge = (RELATIVE_RIDGE * size).max(RIDGE);
        of_draws.diag_mut().mapv_inplace(|v| v + ridge);
        of_gradients.diag_mut().mapv_inplace(|v| v + ridge);
        let (values, vectors) = eigen(&geometric_mean(&of_draws, &of_gradients));
        if values.iter().any(|v| !(*v > 0.0 && v.is_finite())) {
            return None;
        }
        let kept: Vec<usize> = (0..values.len()).filter(|&i| values[i] > cutoff || values[i] < 1.0 / cutoff).collect();
        let columns = vectors.select(Axis(1), &kept);
        let directions = match &basis {
            Some(basis) => columns.t().dot(basis),
            None => columns.t().to_owned(),
        };
        if scale.iter().chain(&directions).any(|x| !x.is_finite()) {
            return None;
        }
        Some(LowRank::new(scale.to_vec(), &directions, kept.iter().map(|&i| values[i]).collect()))
    }

    /// Means of draws and gradients.
    pub(super) fn means(&self) -> (&[f64], &[f64]) {
        self.diagonal.means()
    }
}

/// Orthonormal rows that span some draws and their gradients: eigenvectors of the matrix of their products.
fn span(draws: &Array2<f64>, gradients: &Array2<f64>) -> Option<Array2<f64>> {
    let every = draws.nrows().div_ceil(SPAN).max(1);
    let mut rows = ndarray::concatenate(
        Axis(0),
        &[draws.slice(s![..;every as isize, ..]), gradients.slice(s![..;every as isize, ..])],
    )
    .ok()?;
    // Draws and gradients count alike, whatever their sizes.
    for mut row in rows.outer_iter_mut() {
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row /= norm;
        }
    }
    let (values, vectors) = eigen(&rows.dot(&rows.t()));
    let kept: Vec<usize> = (0..values.len()).filter(|&i| values[i] > 1e-10).collect();
    let weights = vectors.select(Axis(1), &kept) / &values.select(Axis(0), &kept).mapv(f64::sqrt);
    Some(weights.t().dot(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::Metric;
    use ppl_autodiff::random::{Philox, Purpose};

    /// Five draws of a normal law with precision K = I + 30 u u', u = (1, 2, 2) / 3, and their gradients -K x.
    fn of_a_normal_law() -> FisherLowRank {
        let draws = [[0.3, -1.0, 0.4], [1.5, 0.2, -0.7], [-0.9, 0.8, 1.1], [0.1, -0.4, -1.9], [0.6, 1.2, 0.2]];
        let mut estimate = FisherLowRank::new(3);
        for x in draws {
            let along: f64 = x.iter().zip(U).map(|(x, u)| x * u).sum();
            let g: Vec<f64> = x.iter().zip(U).map(|(x, u)| -x - 30.0 * along * u).collect();
            estimate.add(&x, &g);
        }
        estimate
    }

    const U: [f64; 3] = [1.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0];

    /// After d + 1 draws the estimate is the covariance C = I - (30 / 31) u u', but for the ridge: 1e-5 next to sums of
    /// squares of about 5.
    #[test]
    fn exact_on_a_normal_law() {
        let metric = Metric::LowRank(of_a_normal_law().metric_beyond(1.0, &[1.0; 3]).unwrap());
        let (mut z, mut column) = ([0.0; 3], [0.0; 3]);
        for (i, ui) in U.iter().enumerate() {
            let unit: Vec<f64> = (0..3).map(|j| f64::from(u8::from(i == j))).collect();
            metric.force(&unit, &mut z);
            metric.velocity(&z, &mut column);
            for (j, uj) in U.iter().enumerate() {
                let wanted = unit[j] - 30.0 / 31.0 * ui * uj;
                assert!((column[j] - wanted).abs() < 1e-4, "{i} {j}: {} against {wanted}", column[j]);
            }
        }
    }

    /// Directions within the cutoff are left out, those beyond it are as they were.
    #[test]
    fn the_cutoff_leaves_out_what_is_near_one() {
        let estimate = of_a_normal_law();
        let (all, far) = (estimate.metric_beyond(1.0, &[1.0; 3]).unwrap(), estimate.metric(&[1.0; 3]).unwrap());
        assert_eq!(all.rank(), 3);
        let wanted: Vec<(&[f64], f64)> = all.directions().filter(|(_, v)| !(0.5..=2.0).contains(v)).collect();
        assert!(!wanted.is_empty() && wanted.len() < 3, "{wanted:?}");
        assert_eq!(far.directions().collect::<Vec<_>>(), wanted);
    }

    /// Fewer draws than coordinates and scales far apart, as in the first windows: the estimate is there, and positive.
    #[test]
    fn few_draws_of_an_ill_conditioned_law() {
        let (dim, count) = (90, 50);
        let mut random = Philox::new(3, Purpose::PriorPredictive, 0, 0);
        // Precision S (I + 0.9 (11' - I)) S with scales from 1e-3 to 1e3.
        let scale: Vec<f64> = (0..dim).map(|i| 10f64.powf(6.0 * i as f64 / (dim as f64 - 1.0) - 3.0)).collect();
        let mut estimate = FisherLowRank::new(dim);
        for _ in 0..count {
            let x: Vec<f64> = scale.iter().map(|s| random.standard_normal() / s).collect();
            let sum: f64 = x.iter().zip(&scale).map(|(x, s)| s * x).sum();
            let g: Vec<f64> = x.iter().zip(&scale).map(|(x, s)| -s * (0.1 * s * x + 0.9 * sum)).collect();
            estimate.add(&x, &g);
        }
        let metric = estimate.metric(&vec![1.0; dim]).unwrap();
        assert!(metric.rank() > 0);
        assert!(metric.directions().all(|(_, v)| v > 1e-8 && v < 1e8));
    }
}
