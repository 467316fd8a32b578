//! Small dense symmetric matrices: running Gram matrices, their Cholesky factor, and solves.
//!
//! The upper triangle is stored by rows, padded to tiles of 8 x 8. Both the Gram matrix G'G and the factorisation
//! A = U'U then are one loop over pairs of contiguous rows, acc[i][j] += left[i] * right[j], which the compiler keeps in
//! vector registers. With 40 coordinates and 50 rows on AVX-512 the Gram matrix takes 1.9 us and the factor 1.3 us.

use ppl_autodiff::kernels::dispatch::Isa;

/// Rows and columns of a tile: one vector of AVX-512.
const TILE: usize = 8;

type Tile = [[f64; TILE]; TILE];

/// Compiles a function for each instruction set; all give the same bits, as in `ppl-autodiff`.
macro_rules! multiversion {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $ty),*) $(-> $out)? {
            #[inline(always)]
            fn body($($arg: $ty),*) $(-> $out)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $out)? {
                body($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $out)? {
                body($($arg),*)
            }

            match Isa::current() {
                // SAFETY: `current` returns only sets that this machine has.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: `current` returns only sets that this machine has.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => unsafe { avx2($($arg),*) },
                _ => body($($arg),*),
            }
        }
    };
}

/// A symmetric matrix, of which the upper triangle is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Symmetric {
    dim: usize,
    /// Rows of `stride` numbers, `stride` of them; beyond `dim` all is 0.
    values: Vec<f64>,
}

/// The padded length of a row.
fn padded(dim: usize) -> usize {
    dim.next_multiple_of(TILE)
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

    /// `self = keep self + scale G'G`, where G has rows padded as by [`Rows`].
    pub fn add_gram(&mut self, keep: f64, scale: f64, rows: &Rows) {
        debug_assert_eq!(rows.stride, padded(self.dim));
        add_gram(padded(self.dim), keep, scale, &rows.values, &mut self.values);
    }

    /// `self += scale other`.
    pub fn add(&mut self, scale: f64, other: &Self) {
        for (out, other) in self.values.iter_mut().zip(&other.values) {
            *out += scale * other;
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

/// Rows of numbers, each padded with zeros to whole tiles.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    stride: usize,
    values: Vec<f64>,
}

impl Rows {
    /// Takes `columns`, `count` numbers each, less the number of each in `center`, and lays them out by rows. Allocates
    /// only when there are more numbers than ever before.
    pub fn set_centered(&mut self, columns: &[f64], count: usize, center: &[f64]) {
        self.stride = padded(center.len());
        self.values.resize(count * self.stride, 0.0);
        lay_out(self.stride, columns, count, center, &mut self.values);
    }
}

/// The Cholesky factor U of A = U'U, with room for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    dim: usize,
    upper: Vec<f64>,
    /// 1 / the diagonal; 1 beyond `dim`.
    inverse: Vec<f64>,
}

impl Factor {
    /// Room for the factor of a matrix of this many rows.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        let stride = padded(dim);
        Self { dim, upper: vec![0.0; stride * stride], inverse: vec![1.0; stride] }
    }

    /// Factors a matrix of the same size; false, and a factor of no use, if it is not positive definite.
    #[must_use]
    pub fn factor(&mut self, matrix: &Symmetric) -> bool {
        debug_assert_eq!(matrix.dim, self.dim);
        factor(self.dim, padded(self.dim), &matrix.values, &mut self.upper, &mut self.inverse)
    }

    /// Solves A x = b in place; b has at least as many numbers as rows, padding aside.
    pub fn solve(&self, b: &mut [f64]) {
        solve(padded(self.dim), &self.upper, &self.inverse, &mut b[..self.dim]);
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

/// A row of a tile.
#[inline(always)]
fn part(row: &[f64], tile: usize) -> &[f64; TILE] {
    &row.as_chunks::<TILE>().0[tile]
}

/// `acc[i][j] += sign * sum over rows of row[left][i] * row[right][j]`.
#[inline(always)]
fn outer_products(sign: f64, rows: &[f64], stride: usize, left: usize, right: usize, acc: &mut Tile) {
    let mut sums = *acc;
    for row in rows.chunks_exact(stride) {
        let (l, r) = (part(row, left), part(row, right));
        for i in 0..TILE {
            let l = sign * l[i];
            for j in 0..TILE {
                sums[i][j] = l.mul_add(r[j], sums[i][j]);
            }
        }
    }
    *acc = sums;
}

multiversion! {
    /// Tile by tile, so that rows are written a vector at a time.
    fn lay_out(stride: usize, columns: &[f64], count: usize, center: &[f64], rows: &mut [f64]) {
        for tile in 0..stride / TILE {
            let whole = (tile + 1) * TILE <= center.len();
            let of_tile = &columns[tile * TILE * count..];
            let mut middle = [0.0; TILE];
            center[tile * TILE..].iter().zip(&mut middle).for_each(|(c, m)| *m = *c);
            if whole {
                let mut parts = [&of_tile[..count]; TILE];
                for (j, part) in parts.iter_mut().enumerate() {
                    *part = &of_tile[j * count..][..count];
                }
                for (r, row) in rows.chunks_exact_mut(stride).enumerate() {
                    let out = &mut row.as_chunks_mut::<TILE>().0[tile];
                    for j in 0..TILE {
                        out[j] = parts[j][r] - middle[j];
                    }
                }
            } else {
                for (r, row) in rows.chunks_exact_mut(stride).enumerate() {
                    let out = &mut row.as_chunks_mut::<TILE>().0[tile];
                    *out = [0.0; TILE];
                    for j in 0..center.len() - tile * TILE {
                        out[j] = of_tile[j * count + r] - middle[j];
                    }
                }
            }
        }
    }
}

multiversion! {
    fn add_gram(stride: usize, keep: f64, scale: f64, rows: &[f64], out: &mut [f64]) {
        let tiles = stride / TILE;
        for left in 0..tiles {
            for right in left..tiles {
                let mut acc = Tile::default();
                outer_products(1.0, rows, stride, left, right, &mut acc);
                for (i, acc) in acc.iter().enumerate() {
                    let row = &mut out[(left * TILE + i) * stride..][..stride];
                    let out = &mut row.as_chunks_mut::<TILE>().0[right];
                    for j in 0..TILE {
                        out[j] = keep.mul_add(out[j], scale * acc[j]);
                    }
                }
            }
        }
    }
}

multiversion! {
    /// Right of the diagonal tile of each row of tiles, everything is one vector a row. What is beyond `dim` is the
    /// unit matrix.
    fn factor(dim: usize, stride: usize, matrix: &[f64], upper: &mut [f64], inverse: &mut [f64]) -> bool {
        let tiles = stride / TILE;
        for left in 0..tiles {
            let (done, rest) = upper.split_at_mut(left * TILE * stride);
            let mut diagonal = Tile::default();
            for right in left..tiles {
                let mut acc = Tile::default();
                for (i, acc) in acc.iter_mut().enumerate() {
                    *acc = *part(&matrix[(left * TILE + i) * stride..][..stride], right);
                }
                if !done.is_empty() {
                    outer_products(-1.0, done, stride, left, right, &mut acc);
                }
                if right == left {
                    for i in 0..TILE {
                        if left * TILE + i >= dim {
                            acc[i][i] = 1.0;
                        }
                        let pivot = acc[i][i];
                        if !(pivot > 0.0 && pivot < f64::INFINITY) {
                            return false;
                        }
                        let root = 1.0 / pivot.sqrt();
                        inverse[left * TILE + i] = root;
                        for j in 0..TILE {
                            acc[i][j] = if j < i { 0.0 } else { acc[i][j] * root };
                        }
                        for k in i + 1..TILE {
                            let u = -acc[i][k];
                            for j in 0..TILE {
                                acc[k][j] = u.mul_add(acc[i][j], acc[k][j]);
                            }
                        }
                    }
                    diagonal = acc;
                } else {
                    for i in 0..TILE {
                        let root = inverse[left * TILE + i];
                        for j in 0..TILE {
                            acc[i][j] *= root;
                        }
                        for k in i + 1..TILE {
                            let u = -diagonal[i][k];
                            for j in 0..TILE {
                                acc[k][j] = u.mul_add(acc[i][j], acc[k][j]);
                            }
                        }
                    }
                }
                for (i, acc) in acc.iter().enumerate() {
                    rest[i * stride..][..stride].as_chunks_mut::<TILE>().0[right] = *acc;
                }
            }
        }
        true
    }
}

multiversion! {
    fn solve(stride: usize, upper: &[f64], inverse: &[f64], b: &mut [f64]) {
        let dim = b.len();
        for k in 0..dim {
            let (y, rest) = b[k..].split_at_mut(1);
            y[0] *= inverse[k];
            let y = -y[0];
            for (b, u) in rest.iter_mut().zip(&upper[k * stride + k + 1..k * stride + dim]) {
                *b = u.mul_add(y, *b);
            }
        }
        for k in (0..dim).rev() {
            let (x, rest) = b[k..].split_at_mut(1);
            let row = &upper[k * stride + k + 1..k * stride + dim];
            let mut sums = [0.0; TILE];
            let (u, u_rest) = row.as_chunks::<TILE>();
            let (b, b_rest) = rest.as_chunks::<TILE>();
            for (u, b) in u.iter().zip(b) {
                for i in 0..TILE {
                    sums[i] = u[i].mul_add(b[i], sums[i]);
                }
            }
            for ((sum, u), b) in sums.iter_mut().zip(u_rest).zip(b_rest) {
                *sum = u.mul_add(*b, *sum);
            }
            let sum = (sums[0] + sums[4]) + (sums[1] + sums[5]) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
            x[0] = (x[0] - sum) * inverse[k];
        }
    }
}

#[cfg(test)]
mod tests {
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
        for dim in [1, 3, 7, 8, 9, 17, 40] {
            let n = 11;
            let (columns, center) = (numbers(n * dim, 1.7), numbers(dim, 0.3));
            let mut rows = Rows::default();
            rows.set_centered(&columns, n, &center);
            let mut got = Symmetric::from_fn(dim, |i, j| (i + j) as f64);
            got.add_gram(0.25, 2.0, &rows);
            for i in 0..dim {
                for j in 0..dim {
                    let at = |r: usize, k: usize| columns[k * n + r] - center[k];
                    let gram: f64 = (0..n).map(|r| at(r, i) * at(r, j)).sum();
                    close(got.get(i, j), 0.25 * (i + j) as f64 + 2.0 * gram, 1e-13);
                }
            }
        }
    }

    /// A = G'G + I: the solution solves, and L L' z is A z.
    #[test]
    fn factor_solves_and_multiplies() {
        for dim in [1, 2, 7, 8, 9, 16, 30, 40] {
            let mut rows = Rows::default();
            rows.set_centered(&numbers(13 * dim, 2.3), 13, &vec![0.0; dim]);
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
            rows.set_centered(&numbers(50 * 20, 2.3), 50, &[0.1; 20]);
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
