//! Small dense symmetric matrices: running Gram matrices, their Cholesky factor, and solves.
//!
//! The upper triangle is stored by rows, padded to tiles, as the kernels want it
//! ([`ppl_autodiff::kernels::symmetric`]). With 40 coordinates and 50 rows on AVX-512 (Zen 4) the Gram matrix takes 1.7 us,
//! of which 1.6 us are its multiplications, the factor 0.8 us, a solution 0.3 us.

use ppl_autodiff::kernels::symmetric::{TILE, add_gram, factor, lay_out, solve};
use serde::{Deserialize, Serialize};

/// A symmetric matrix, of which the upper triangle is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Packed", try_from = "Packed")]
pub struct Symmetric {
    dim: usize,
    /// Rows of `stride` numbers, `stride` of them; beyond `dim` all is 0.
    values: Vec<f64>,
}

/// The padded length of a row: whole tiles, an odd number of them where there are many, so that the rows of a column of
/// tiles do not fall into a few sets of the cache.
fn padded(dim: usize) -> usize {
    let tiles = dim.div_ceil(TILE);
    TILE * if tiles > TILE { tiles | 1 } else { tiles }
}

impl Symmetric {
    /// The zero matrix.
    #[must_use]
    pub fn zeros(dim: usize) -> Self {
        Self { dim, values: vec![0.0; padded(dim) * padded(dim)] }
    }

    /// A matrix from its elements on and above the diagonal, `element(row, column)`.
    #[must_use]
    pub fn from_fn(dim: usize, element: impl Fn(usize, usize) -> f64) -> Self {
        let mut matrix = Self::zeros(dim);
        for row in 0..dim {
            for column in row..dim {
                matrix.values[row * padded(dim) + column] = element(row, column);
            }
        }
        matrix
    }

    /// Rows and columns.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// An element, on either side of the diagonal; 0 outside of the matrix.
    #[must_use]
    pub fn get(&self, row: usize, column: usize) -> f64 {
        let (row, column) = (row.min(column), row.max(column));
        if column < self.dim { self.values[row * padded(self.dim) + column] } else { 0.0 }
    }

    /// The sum of the diagonal.
    #[must_use]
    pub fn trace(&self) -> f64 {
        (0..self.dim).map(|i| self.get(i, i)).sum()
    }

    /// `self = keep self + scale G'G`, where G are the rows less their mean.
    pub fn add_gram(&mut self, keep: f64, scale: f64, rows: &Rows) {
        debug_assert_eq!(rows.stride, padded(self.dim));
        if self.dim == 0 {
            return;
        }
        add_gram(rows.stride, keep, scale, &rows.values, &rows.mean, &mut self.values);
    }

    /// `self += scale other`.
    pub fn add(&mut self, scale: f64, other: &Self) {
        for (out, other) in self.values.iter_mut().zip(&other.values) {
            *out += scale * other;
        }
    }

    /// `self = keep self + scale other`.
    pub fn mix(&mut self, keep: f64, scale: f64, other: &Self) {
        for (out, other) in self.values.iter_mut().zip(&other.values) {
            *out = keep * *out + scale * other;
        }
    }

    /// `self = scale a`.
    pub fn set_scaled(&mut self, scale: f64, a: &Self) {
        for (out, a) in self.values.iter_mut().zip(&a.values) {
            *out = scale * a;
        }
    }

    /// Adds to the elements of the diagonal.
    pub fn add_diagonal(&mut self, values: impl Iterator<Item = f64>) {
        let stride = padded(self.dim);
        for (i, value) in values.take(self.dim).enumerate() {
            self.values[i * (stride + 1)] += value;
        }
    }
}

/// A symmetric matrix as it is saved: the rows of the upper triangle, one after the other.
#[derive(Serialize, Deserialize)]
struct Packed {
    dim: usize,
    upper: Vec<f64>,
}

impl From<Symmetric> for Packed {
    fn from(matrix: Symmetric) -> Self {
        let dim = matrix.dim;
        let upper = (0..dim).flat_map(|row| (row..dim).map(move |column| (row, column)));
        Self { dim, upper: upper.map(|(row, column)| matrix.get(row, column)).collect() }
    }
}

impl TryFrom<Packed> for Symmetric {
    type Error = String;

    fn try_from(Packed { dim, upper }: Packed) -> Result<Self, String> {
        let wanted = dim.checked_add(1).and_then(|n| n.checked_mul(dim)).map(|n| n / 2);
        if wanted != Some(upper.len()) {
            return Err(format!("a symmetric matrix of {dim} rows saved as {} numbers", upper.len()));
        }
        Ok(Self::from_fn(dim, |row, column| upper[row * (2 * dim - row + 1) / 2 + column - row]))
    }
}

/// Rows of numbers, each padded with zeros to whole tiles, relative to the first row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    stride: usize,
    values: Vec<f64>,
    /// The mean of the rows, relative to the first, padded.
    mean: Vec<f64>,
}

impl Rows {
    /// Takes as many columns as `mean` has numbers, `count` numbers each, lays them out by rows, and writes the mean of
    /// each column. Allocates only when there are more numbers than ever before.
    pub fn set_columns(&mut self, columns: &[f64], count: usize, mean: &mut [f64]) {
        self.stride = padded(mean.len());
        self.values.resize(count * self.stride, 0.0);
        self.mean.resize(self.stride, 0.0);
        if mean.is_empty() || count == 0 {
            return;
        }
        let columns = &columns[..count * mean.len()];
        lay_out(self.stride, columns, count, &mut self.values, &mut self.mean);
        let first = columns.iter().step_by(count);
        mean.iter_mut().zip(&self.mean).zip(first).for_each(|((to, mean), first)| *to = first + mean);
    }
}

/// The Cholesky factor U of A = U'U, with room for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    dim: usize,
    upper: Vec<f64>,
    /// 1 / the diagonal; 1 beyond `dim`.
    inverse: Vec<f64>,
    /// A right side, padded.
    right: Vec<f64>,
}

impl Factor {
    /// Room for the factor of a matrix of this many rows.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        let stride = padded(dim);
        Self { dim, upper: vec![0.0; stride * stride], inverse: vec![1.0; stride], right: vec![0.0; stride] }
    }

    /// Factors a matrix of the same size; false, and a factor of no use, if it is not positive definite.
    #[must_use]
    pub fn factor(&mut self, matrix: &Symmetric) -> bool {
        self.right.fill(0.0);
        self.factor_prepared(1.0, matrix)
    }

    /// Factors `scale matrix + diagonal`, where the diagonal has a number for each row.
    #[must_use]
    pub fn factor_sum(&mut self, scale: f64, matrix: &Symmetric, diagonal: impl Iterator<Item = f64>) -> bool {
        self.right.fill(0.0);
        self.right[..self.dim].iter_mut().zip(diagonal).for_each(|(to, d)| *to = d);
        self.factor_prepared(scale, matrix)
    }

    /// The diagonal to add is in `right`.
    fn factor_prepared(&mut self, scale: f64, matrix: &Symmetric) -> bool {
        debug_assert_eq!(matrix.dim, self.dim);
        let Self { dim, upper, inverse, right } = self;
        factor(*dim, padded(*dim), scale, &matrix.values, right, upper, inverse)
    }

    /// Solves A x = b in place.
    pub fn solve(&mut self, b: &mut [f64]) {
        for (right, b) in self.right.iter_mut().zip(&*b) {
            *right = *b;
        }
        solve(padded(self.dim), &self.upper, &self.inverse, &mut self.right);
        for (b, right) in b.iter_mut().zip(&self.right) {
            *b = *right;
        }
    }

    /// `out += scale L z` with the lower factor L = U' of A = L L'.
    pub fn add_lower(&self, scale: f64, z: &[f64], out: &mut [f64]) {
        let stride = padded(self.dim);
        for (k, z) in z.iter().enumerate().take(self.dim) {
            let row = &self.upper[k * stride + k..k * stride + self.dim];
            for (out, u) in out[k..self.dim].iter_mut().zip(row) {
                *out += scale * u * z;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ppl_autodiff::kernels::dispatch::Isa;

    use super::*;

    fn numbers(n: usize, seed: f64) -> Vec<f64> {
        (0..n).map(|i| ((i as f64 + 1.0) * seed).sin()).collect()
    }

    fn close(got: f64, want: f64, tolerance: f64) {
        assert!((got - want).abs() <= tolerance * (1.0 + want.abs()), "{got} against {want}");
    }

    /// By its definition, at sizes on both sides of a tile.
    #[test]
    fn gram_matrix_is_its_definition() {
        for dim in [1, 3, 7, 8, 9, 17, 40, 70] {
            let n = 11;
            let columns = numbers(n * dim, 1.7);
            let (mut rows, mut mean) = (Rows::default(), vec![0.0; dim]);
            rows.set_columns(&columns, n, &mut mean);
            let mut got = Symmetric::from_fn(dim, |i, j| (i + j) as f64);
            got.add_gram(0.25, 2.0, &rows);
            for i in 0..dim {
                for j in 0..dim {
                    let at = |r: usize, k: usize| columns[k * n + r] - mean[k];
                    close(mean[i], columns[i * n..][..n].iter().sum::<f64>() / n as f64, 1e-13);
                    let gram: f64 = (0..n).map(|r| at(r, i) * at(r, j)).sum();
                    close(got.get(i, j), 0.25 * (i + j) as f64 + 2.0 * gram, 1e-13);
                }
            }
        }
    }

    /// A = G'G + I: the solution solves, and L L' z is A z.
    #[test]
    fn factor_solves_and_multiplies() {
        for dim in [1, 2, 7, 8, 9, 16, 30, 40, 70] {
            let mut rows = Rows::default();
            rows.set_columns(&numbers(13 * dim, 2.3), 13, &mut vec![0.0; dim]);
            let mut a = Symmetric::zeros(dim);
            a.add_gram(0.0, 1.0, &rows);
            a.add_diagonal(std::iter::repeat(1.0));
            let mut factor = Factor::new(dim);
            assert!(factor.factor(&a));
            let times =
                |x: &[f64]| -> Vec<f64> { (0..dim).map(|i| (0..dim).map(|j| a.get(i, j) * x[j]).sum()).collect() };
            let b = numbers(dim, 0.9);
            let mut x = b.clone();
            factor.solve(&mut x);
            times(&x).iter().zip(&b).for_each(|(got, want)| close(*got, *want, 1e-12));
            // The columns of L are L e_k, so that the sum over k of (L e_k)_i (L e_k)_j is A_ij.
            let mut product = vec![0.0; dim * dim];
            for k in 0..dim {
                let mut unit = vec![0.0; dim];
                unit[k] = 1.0;
                let mut column = vec![0.0; dim];
                factor.add_lower(1.0, &unit, &mut column);
                for i in 0..dim {
                    for j in 0..dim {
                        product[i * dim + j] += column[i] * column[j];
                    }
                }
            }
            for i in 0..dim {
                (0..dim).for_each(|j| close(product[i * dim + j], a.get(i, j), 1e-13));
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        let mut factor = Factor::new(9);
        assert!(!factor.factor(&Symmetric::from_fn(9, |i, j| if i == j { 8.0 - i as f64 } else { 0.0 })));
        assert!(!factor.factor(&Symmetric::from_fn(9, |i, j| if i == j { 1.0 } else { 2.0 })));
        assert!(!factor.factor(&Symmetric::from_fn(9, |_, _| f64::NAN)));
        assert!(factor.factor(&Symmetric::from_fn(9, |i, j| if i == j { 1.0 } else { 0.0 })));
    }

    #[test]
    fn all_instruction_sets_give_the_same_bits() {
        let run = || {
            let mut rows = Rows::default();
            rows.set_columns(&numbers(50 * 20, 2.3), 50, &mut [0.0; 20]);
            let mut a = Symmetric::from_fn(20, |i, j| if i == j { 1.0 } else { 0.0 });
            a.add_gram(0.5, 1.5, &rows);
            let mut factor = Factor::new(20);
            assert!(factor.factor(&a));
            let mut x = numbers(20, 0.4);
            factor.solve(&mut x);
            (a, x)
        };
        let detected = run();
        for isa in Isa::ALL {
            if isa.force() {
                assert_eq!(run(), detected, "{isa:?}");
            }
        }
        Isa::detect().force();
    }
}
