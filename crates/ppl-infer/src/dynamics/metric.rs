//! The metric: an inverse mass matrix M^-1 = L L', an estimate of the posterior covariance, with its factor L.

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::blocks::{Blocks, Layout};
use super::low_rank::LowRank;
use super::saved::Saved;
use super::vector::{axpy, dot};

/// Why an inverse mass matrix is not one.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// An entry of the diagonal is not finite and positive.
    #[error("inverse mass of coordinate {coordinate} is {value}, wanted finite and positive")]
    NotPositive {
        /// Which coordinate.
        coordinate: usize,
        /// What it was.
        value: f64,
    },
    /// The matrix has no Cholesky factor: it failed at this pivot.
    #[error("inverse mass matrix is not positive definite: pivot {coordinate} is {pivot}")]
    NotPositiveDefinite {
        /// Which pivot.
        coordinate: usize,
        /// What was left of the diagonal entry there.
        pivot: f64,
    },
    /// Directions do not fit their variances and the scales.
    #[error("directions are {rows} x {columns}, wanted {variances} x {scales}")]
    Directions {
        /// Number of directions.
        rows: usize,
        /// Their length.
        columns: usize,
        /// Number of variances.
        variances: usize,
        /// Number of scales.
        scales: usize,
    },
    /// The matrix is not square.
    #[error("inverse mass matrix is {rows} x {columns}, wanted square")]
    NotSquare {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
    },
    /// Blocks of coordinates that are not there.
    #[error("a block has coordinate {coordinate}, of {dim} that there are")]
    BeyondDimension {
        /// The coordinate.
        coordinate: usize,
        /// How many there are.
        dim: usize,
    },
    /// Blocks that are not disjoint.
    #[error("coordinate {coordinate} is in the blocks twice")]
    InTwoBlocks {
        /// The coordinate.
        coordinate: usize,
    },
    /// Matrices or variances that are not as many as the layout has.
    #[error("{blocks} blocks and {variances} variances, wanted {} and {}", of.0, of.1)]
    Blocks {
        /// Number of matrices.
        blocks: usize,
        /// Number of variances.
        variances: usize,
        /// What the layout has of both.
        of: (usize, usize),
    },
    /// The matrix of a block has another number of rows than the block has coordinates.
    #[error("the block that begins at coordinate {first} is {rows} x {rows}, wanted {wanted} x {wanted}")]
    BlockSize {
        /// The block's first coordinate.
        first: usize,
        /// Rows of the matrix.
        rows: usize,
        /// Coordinates of the block.
        wanted: usize,
    },
}

/// An inverse mass matrix with its factor. It is saved by `serde` as the numbers that it was made of, which are checked
/// again when it is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
#[non_exhaustive]
pub enum Metric {
    /// Only variances: a step costs O(d).
    Diagonal(Diagonal),
    /// A full matrix: a step costs O(d^2).
    Dense(Dense),
    /// Scales, and a few directions with variances of their own: a step with k directions costs O(d k).
    LowRank(LowRank),
    /// Full matrices for blocks of coordinates, variances for the rest: a step costs O(k^2) for each block of k.
    Blocks(Blocks),
}

impl Metric {
    /// The identity on R^d, stored as a diagonal.
    #[must_use]
    pub fn identity(dim: usize) -> Self {
        Self::Diagonal(Diagonal { inverse_mass: vec![1.0; dim], scale: vec![1.0; dim] })
    }

    /// A diagonal M^-1.
    ///
    /// # Errors
    /// [`MetricError::NotPositive`] at the first entry that is not finite and positive.
    pub fn diagonal(inverse_mass: Vec<f64>) -> Result<Self, MetricError> {
        Diagonal::new(inverse_mass).map(Self::Diagonal)
    }

    /// A dense M^-1, of which the lower triangle is read.
    ///
    /// # Errors
    /// [`MetricError::NotSquare`]; [`MetricError::NotPositiveDefinite`] where the Cholesky factorisation fails.
    pub fn dense(inverse_mass: Array2<f64>) -> Result<Self, MetricError> {
        Dense::new(inverse_mass).map(Self::Dense)
    }

    /// Scales, and orthonormal directions (rows) with variances of their own in the scaled space: M^-1 =
    /// `S (I + U' (diag(v) - 1) U) S`.
    ///
    /// # Errors
    /// [`MetricError::Directions`] where shapes do not fit; [`MetricError::NotPositive`] at the first scale or variance
    /// that is not finite and positive. That the rows are orthonormal is not checked.
    pub fn low_rank(scale: Vec<f64>, directions: &Array2<f64>, variances: Vec<f64>) -> Result<Self, MetricError> {
        let (rows, columns) = directions.dim();
        if (rows, columns) != (variances.len(), scale.len()) {
            return Err(MetricError::Directions { rows, columns, variances: variances.len(), scales: scale.len() });
        }
        for values in [&scale, &variances] {
            if let Some(coordinate) = values.iter().position(|v| !(*v > 0.0 && v.is_finite())) {
                return Err(MetricError::NotPositive { coordinate, value: values[coordinate] });
            }
        }
        Ok(Self::LowRank(LowRank::new(scale, directions, variances)))
    }

    /// An M^-1 with a matrix, of which the lower triangle is read, for each block of a layout. Of `variances`, as many as
    /// there are coordinates, those of coordinates in no block are taken.
    ///
    /// # Errors
    /// [`MetricError::Blocks`] and [`MetricError::BlockSize`] where shapes do not fit; as [`Metric::diagonal`] and
    /// [`Metric::dense`].
    pub fn blocks(layout: Layout, variances: Vec<f64>, matrices: Vec<Array2<f64>>) -> Result<Self, MetricError> {
        Blocks::new(layout, variances, matrices).map(Self::Blocks)
    }

    /// The number of coordinates.
    #[must_use]
    pub fn dim(&self) -> usize {
        match self {
            Self::Diagonal(metric) => metric.scale.len(),
            Self::Dense(metric) => metric.factor.nrows(),
            Self::LowRank(metric) => metric.scale.len(),
            Self::Blocks(metric) => metric.layout().dim(),
        }
    }

    /// The diagonal of M^-1: estimated variances of the coordinates.
    #[must_use]
    pub fn variances(&self) -> Vec<f64> {
        match self {
            Self::Diagonal(metric) => metric.inverse_mass.clone(),
            Self::Dense(metric) => metric.inverse_mass.diag().to_vec(),
            Self::LowRank(metric) => metric.variances(),
            Self::Blocks(metric) => metric.variances().to_vec(),
        }
    }

    /// The scales where they are all of the metric.
    pub(super) fn only_scale(&self) -> Option<&[f64]> {
        match self {
            Self::Diagonal(metric) => Some(metric.scale()),
            Self::LowRank(metric) if metric.rank() == 0 => Some(metric.scale()),
            _ => None,
        }
    }

    /// `out = L z`: the velocity M^-1 p of the whitened momentum z = L' p.
    pub(crate) fn velocity(&self, z: &[f64], out: &mut [f64]) {
        match self {
            Self::Diagonal(metric) => {
                out.iter_mut().zip(z).zip(&metric.scale).for_each(|((out, z), scale)| *out = scale * z);
            }
            Self::Dense(metric) => metric.velocity(z, out),
            Self::LowRank(metric) => metric.velocity(z, out),
            Self::Blocks(metric) => metric.velocity(z, out),
        }
    }

    /// `out = L' g`: the force on the whitened momentum.
    pub(crate) fn force(&self, g: &[f64], out: &mut [f64]) {
        match self {
            Self::Diagonal(metric) => {
                out.iter_mut().zip(g).zip(&metric.scale).for_each(|((out, g), scale)| *out = scale * g);
            }
            Self::Dense(metric) => metric.force(g, out),
            Self::LowRank(metric) => metric.force(g, out),
            Self::Blocks(metric) => metric.force(g, out),
        }
    }

    /// The root mean square over coordinates of the differences of log-variances.
    pub(crate) fn distance(&self, other: &Self) -> f64 {
        let (a, b) = (self.variances(), other.variances());
        let squares: f64 = a.iter().zip(&b).map(|(a, b)| (a / b).ln().powi(2)).sum();
        (squares / a.len().max(1) as f64).sqrt()
    }

    /// The largest difference of log-variances over the directions that the metrics, either of the two, know: those of a
    /// low-rank one, the columns of the factor of a dense one or a block.
    pub(crate) fn direction_distance(&self, other: &Self) -> f64 {
        let one_way = |of: &Self, to: &Self| {
            let zero = vec![0.0; of.dim()];
            let mut white = zero.clone();
            let mut largest = 0.0f64;
            // A displacement of one standard deviation in a direction; its length under the other metric.
            of.each_direction(|x| {
                to.whiten(x, &zero, &mut white);
                largest = largest.max(dot(&white, &white).ln().abs());
            });
            largest
        };
        one_way(self, other).max(one_way(other, self))
    }

    /// Displacements that have length 1 in this metric, in the directions in which it is more than scales.
    fn each_direction(&self, mut see: impl FnMut(&[f64])) {
        let mut along = |coordinates: &mut dyn Iterator<Item = usize>| {
            let (mut unit, mut x) = (vec![0.0; self.dim()], vec![0.0; self.dim()]);
            for i in coordinates {
                unit[i] = 1.0;
                self.velocity(&unit, &mut x);
                unit[i] = 0.0;
                see(&x);
            }
        };
        match self {
            Self::Diagonal(_) => {}
            Self::LowRank(metric) => metric.directions().for_each(|(u, v)| {
                see(&u.iter().zip(&metric.scale).map(|(u, s)| u * s * v.sqrt()).collect::<Vec<_>>())
            }),
            Self::Dense(_) => along(&mut (0..self.dim())),
            Self::Blocks(metric) => along(&mut metric.layout().blocks().iter().flatten().cloned().flatten()),
        }
    }

    /// `out = L^-1 (q - center)`.
    pub(crate) fn whiten(&self, q: &[f64], center: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(q).zip(center).for_each(|((out, q), center)| *out = q - center);
        match self {
            Self::Diagonal(metric) => out.iter_mut().zip(&metric.scale).for_each(|(out, scale)| *out /= scale),
            Self::Dense(metric) => metric.solve(out),
            Self::LowRank(metric) => metric.whiten(out),
            Self::Blocks(metric) => metric.solve(out),
        }
    }
}

/// A diagonal inverse mass, with the standard deviations that are its factor.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagonal {
    inverse_mass: Vec<f64>,
    scale: Vec<f64>,
}

impl Diagonal {
    fn new(inverse_mass: Vec<f64>) -> Result<Self, MetricError> {
        for (coordinate, &value) in inverse_mass.iter().enumerate() {
            if !(value > 0.0 && value.is_finite()) {
                return Err(MetricError::NotPositive { coordinate, value });
            }
        }
        let scale = inverse_mass.iter().map(|v| v.sqrt()).collect();
        Ok(Self { inverse_mass, scale })
    }

    /// The diagonal of M^-1.
    #[must_use]
    pub fn inverse_mass(&self) -> &[f64] {
        &self.inverse_mass
    }

    /// The factor: square roots of M^-1.
    #[must_use]
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Takes new variances, in place; one that is not finite and positive leaves the old entry.
    pub(crate) fn refine(&mut self, variances: impl Iterator<Item = f64>) {
        for ((inverse_mass, scale), variance) in self.inverse_mass.iter_mut().zip(&mut self.scale).zip(variances) {
            if variance > 0.0 && variance.is_finite() {
                *inverse_mass = variance;
                *scale = variance.sqrt();
            }
        }
    }
}

/// A dense inverse mass, with its lower Cholesky factor.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    inverse_mass: Array2<f64>,
    factor: Array2<f64>,
}

impl Dense {
    pub(super) fn new(inverse_mass: Array2<f64>) -> Result<Self, MetricError> {
        let (rows, columns) = inverse_mass.dim();
        if rows != columns {
            return Err(MetricError::NotSquare { rows, columns });
        }
        let mut factor = Array2::zeros((rows, rows));
        for i in 0..rows {
            for j in 0..=i {
                let known: f64 = (0..j).map(|k| factor[[i, k]] * factor[[j, k]]).sum();
                let left = inverse_mass[[i, j]] - known;
                factor[[i, j]] = if i == j {
                    if !(left > 0.0 && left.is_finite()) {
                        return Err(MetricError::NotPositiveDefinite { coordinate: i, pivot: left });
                    }
                    left.sqrt()
                } else {
                    left / factor[[j, j]]
                };
            }
        }
        Ok(Self { inverse_mass, factor })
    }

    /// The matrix M^-1.
    #[must_use]
    pub fn inverse_mass(&self) -> &Array2<f64> {
        &self.inverse_mass
    }

    /// The lower Cholesky factor L of M^-1 = L L'.
    #[must_use]
    pub fn factor(&self) -> &Array2<f64> {
        &self.factor
    }

    /// `out = L z`: the velocity M^-1 p of the whitened momentum z = L' p.
    pub(crate) fn velocity(&self, z: &[f64], out: &mut [f64]) {
        for (i, (row, out)) in self.rows().zip(out).enumerate() {
            *out = dot(&row[..=i], &z[..=i]);
        }
    }

    /// `out = L' g`: the force on the whitened momentum.
    pub(crate) fn force(&self, g: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for (i, (row, g)) in self.rows().zip(g).enumerate() {
            axpy(*g, &row[..=i], &mut out[..=i]);
        }
    }

    /// `x <- L^-1 x`, by forward substitution.
    pub(crate) fn solve(&self, x: &mut [f64]) {
        for (i, row) in self.rows().enumerate() {
            let known = dot(&row[..i], &x[..i]);
            x[i] = (x[i] - known) / row[i];
        }
    }

    /// Rows of the factor, which is made in row-major order.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.factor.as_slice().unwrap_or_default().chunks_exact(self.factor.ncols().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn factor_of_a_matrix_made_by_hand() {
        // [[4, 2], [2, 10]] = [[2, 0], [1, 3]] times its transpose.
        let Ok(Metric::Dense(metric)) = Metric::dense(array![[4.0, 2.0], [2.0, 10.0]]) else { panic!("not dense") };
        assert_eq!(metric.factor(), array![[2.0, 0.0], [1.0, 3.0]]);
        let mut out = [0.0; 2];
        metric.velocity(&[5.0, 7.0], &mut out);
        assert_eq!(out, [10.0, 26.0]);
        metric.force(&[5.0, 7.0], &mut out);
        assert_eq!(out, [17.0, 21.0]);
    }

    #[test]
    fn what_is_not_a_metric_says_why() {
        let error = Metric::diagonal(vec![1.0, 0.0]).unwrap_err();
        assert_eq!(error, MetricError::NotPositive { coordinate: 1, value: 0.0 });
        let error = Metric::dense(array![[1.0, 2.0], [2.0, 1.0]]).unwrap_err();
        assert_eq!(error, MetricError::NotPositiveDefinite { coordinate: 1, pivot: -3.0 });
        let error = Metric::dense(Array2::zeros((2, 3))).unwrap_err();
        assert_eq!(error, MetricError::NotSquare { rows: 2, columns: 3 });
    }
}
