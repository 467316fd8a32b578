//! A metric of scales and a few directions: M^-1 = S (I + U' (diag(v) - 1) U) S with orthonormal rows U.

use ndarray::Array2;

use super::vector::{Stretched, stretch_along};

/// Scales S of the coordinates and, in the scaled space, k orthonormal directions with variances v; all other
/// directions have variance 1. The factor is L = S (I + U' (diag(sqrt v) - 1) U).
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    pub(super) scale: Vec<f64>,
    /// Directions, `[k, d]`, row-major.
    directions: Vec<f64>,
    variances: Vec<f64>,
    /// sqrt(v) - 1 of each direction, and 1 / sqrt(v) - 1.
    stretch: Vec<f64>,
    shrink: Vec<f64>,
}

impl LowRank {
    /// From positive scales, orthonormal rows and their positive variances; shapes are the caller's to get right.
    pub(crate) fn new(scale: Vec<f64>, directions: &Array2<f64>, variances: Vec<f64>) -> Self {
        let stretch = variances.iter().map(|v| v.sqrt() - 1.0).collect();
        let shrink = variances.iter().map(|v| v.sqrt().recip() - 1.0).collect();
        Self { scale, directions: directions.iter().copied().collect(), variances, stretch, shrink }
    }

    /// The scales of the coordinates.
    #[must_use]
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// Number of directions with a variance of their own.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.variances.len()
    }

    /// Directions with their variances in the scaled space.
    pub fn directions(&self) -> impl Iterator<Item = (&[f64], f64)> {
        self.directions.chunks_exact(self.scale.len().max(1)).zip(self.variances.iter().copied())
    }

    /// The matrix M^-1.
    pub(crate) fn inverse_mass(&self) -> Array2<f64> {
        let dim = self.scale.len();
        let mut out = Array2::<f64>::eye(dim);
        for (u, v) in self.directions() {
            for (mut row, a) in out.outer_iter_mut().zip(u) {
                row.iter_mut().zip(u).for_each(|(out, b)| *out += (v - 1.0) * a * b);
            }
        }
        out.indexed_iter_mut().for_each(|((i, j), out)| *out *= self.scale[i] * self.scale[j]);
        out
    }

    pub(super) fn variances(&self) -> Vec<f64> {
        let mut out = vec![1.0; self.scale.len()];
        for (u, v) in self.directions() {
            out.iter_mut().zip(u).for_each(|(out, u)| *out += (v - 1.0) * u * u);
        }
        out.iter().zip(&self.scale).map(|(x, s)| x * s * s).collect()
    }

    /// `x <- (I + U' diag(by) U) x`. Rows are orthonormal: each product may be taken after the others were applied.
    fn apply(&self, by: &[f64], x: &mut [f64]) {
        stretch_along(&self.directions, by, x);
    }

    /// What a leapfrog step takes.
    pub(super) fn stretched(&self) -> Stretched<'_> {
        Stretched { scale: &self.scale, directions: &self.directions, by: &self.stretch }
    }

    pub(super) fn velocity(&self, z: &[f64], out: &mut [f64]) {
        out.copy_from_slice(z);
        self.apply(&self.stretch, out);
        out.iter_mut().zip(&self.scale).for_each(|(x, s)| *x *= s);
    }

    pub(super) fn force(&self, g: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(g).zip(&self.scale).for_each(|((out, g), s)| *out = g * s);
        self.apply(&self.stretch, out);
    }

    pub(super) fn whiten(&self, x: &mut [f64]) {
        x.iter_mut().zip(&self.scale).for_each(|(x, s)| *x /= s);
        self.apply(&self.shrink, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// Scales 2 and 1, direction (3/5, 4/5) with variance 4: I + 3 u u' = [[2.08, 1.44], [1.44, 2.92]].
    #[test]
    fn a_matrix_made_by_hand() {
        let metric = LowRank::new(vec![2.0, 1.0], &array![[0.6, 0.8]], vec![4.0]);
        let close = |got: &[f64], want: [f64; 2]| {
            got.iter().zip(want).for_each(|(g, w)| assert!((g - w).abs() < 1e-14, "{got:?} {want:?}"));
        };
        close(&metric.variances(), [4.0 * 2.08, 2.92]);
        // L L' g = S (I + 3 u u') S g with g = (1, 0): S (4.16, 2.88).
        let (mut z, mut q) = ([0.0; 2], [0.0; 2]);
        metric.force(&[1.0, 0.0], &mut z);
        metric.velocity(&z, &mut q);
        close(&q, [8.32, 2.88]);
        metric.whiten(&mut q);
        close(&q, z);
    }
}
