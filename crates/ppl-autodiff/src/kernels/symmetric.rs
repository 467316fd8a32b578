//! Symmetric matrices of up to some thousand rows: running Gram matrices, their Cholesky factor, and solves.
//!
//! The upper triangle is stored by rows of `stride` numbers, whole tiles of 8 x 8. Both the Gram matrix G'G and the
//! factorisation A = U'U are one loop over pairs of contiguous rows, `acc[i] += left[i] * right`, with a tile of sums in
//! vector registers.

#![allow(clippy::needless_range_loop, reason = "loops over the rows of a tile read better by index")]

use super::dispatch::Isa;
#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2F64, Avx512F64};
use super::vector::{Interleave, Portable, Vector};

/// Rows and columns of a tile: one vector.
pub const TILE: usize = 8;

/// Half of it.
const HALF: usize = TILE / 2;

type Tile = [[f64; TILE]; TILE];

/// A safe function that checks lengths and calls an unsafe one, compiled for each instruction set with its vectors; all
/// give the same bits.
macro_rules! with_vectors {
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? {
        check: $check:expr, run: $run:ident($($given:expr),* $(,)?)
    }) => {
        $(#[$doc])*
        pub fn $name($($arg: $ty),*) $(-> $out)? {
            /// # Safety
            /// That of what it calls, and AVX-512 must be available.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            unsafe fn avx512($($arg: $ty),*) $(-> $out)? {
                // SAFETY: the caller's.
                unsafe { $run::<Avx512F64>($($given),*) }
            }

            /// # Safety
            /// That of what it calls, and AVX2 and FMA must be available.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $ty),*) $(-> $out)? {
                // SAFETY: the caller's.
                unsafe { $run::<Avx2F64>($($given),*) }
            }

            assert!($check, "arrays of other lengths");
            // SAFETY: `current` returns only sets that this machine has; the lengths were just checked.
            unsafe {
                match Isa::current() {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => avx2($($arg),*),
                    _ => $run::<Portable<f64, TILE>>($($given),*),
                }
            }
        }
    };
}

with_vectors! {
    /// `out = keep out + scale (G'G - n m m')` with the n rows G of `stride` numbers and m their mean.
    pub fn add_gram(stride: usize, keep: f64, scale: f64, rows: &[f64], mean: &[f64], out: &mut [f64]) {
        check: stride.is_multiple_of(TILE)
            && stride > 0
            && rows.len().is_multiple_of(stride)
            && mean.len() >= stride
            && out.len() >= stride * stride,
        run: gram(stride, keep, scale, rows.len() / stride, rows.as_ptr(), mean.as_ptr(), out.as_mut_ptr())
    }
}

with_vectors! {
    /// The factor U of `scale matrix + diagonal = U'U` of `dim` rows, and 1 over its diagonal; beyond `dim` it is the unit
    /// matrix. What is below the diagonal of `upper` means nothing. False where the matrix is not positive definite.
    pub fn factor(
        dim: usize,
        stride: usize,
        scale: f64,
        matrix: &[f64],
        diagonal: &[f64],
        upper: &mut [f64],
        inverse: &mut [f64],
    ) -> bool {
        check: stride.is_multiple_of(TILE)
            && dim <= stride
            && matrix.len() >= stride * stride
            && diagonal.len() >= stride
            && upper.len() >= stride * stride
            && inverse.len() >= stride,
        run: factor_tiles(
            dim,
            stride,
            scale,
            matrix.as_ptr(),
            diagonal.as_ptr(),
            upper.as_mut_ptr(),
            inverse.as_mut_ptr(),
        )
    }
}

/// `sign * sum over rows of row[left + i] * row[right..]`, `sign` -1 where `MINUS`, added to a tile.
///
/// # Safety
/// `rows` has `count` rows of `stride` numbers, which `left` and `right` leave a tile of.
#[inline(always)]
unsafe fn outer_products<V: Vector<Number = f64>, const MINUS: bool>(
    rows: *const f64,
    stride: usize,
    count: usize,
    left: usize,
    right: usize,
    acc: &mut [V; TILE],
) {
    // With few registers half a tile at a time. SAFETY: the caller's.
    unsafe {
        if V::MANY {
            part_of_outer_products::<V, MINUS, 0, TILE>(rows, stride, count, left, right, acc);
        } else {
            part_of_outer_products::<V, MINUS, 0, HALF>(rows, stride, count, left, right, acc);
            part_of_outer_products::<V, MINUS, HALF, TILE>(rows, stride, count, left, right, acc);
        }
    }
}

/// Rows `FROM..TO` of the tile.
///
/// # Safety
/// That of [`outer_products`].
#[inline(always)]
unsafe fn part_of_outer_products<V: Vector<Number = f64>, const MINUS: bool, const FROM: usize, const TO: usize>(
    rows: *const f64,
    stride: usize,
    count: usize,
    left: usize,
    right: usize,
    acc: &mut [V; TILE],
) {
    let mut row = rows;
    for _ in 0..count {
        // SAFETY: the caller's.
        unsafe {
            let r = V::load(row.add(right));
            for i in FROM..TO {
                let l = V::splat(*row.add(left + i));
                acc[i] = if MINUS { l.neg_mul_add(r, acc[i]) } else { l.mul_add(r, acc[i]) };
            }
        }
        row = row.wrapping_add(stride);
    }
}

/// # Safety
/// `rows` are `count` rows, `mean` one, `out` `stride` rows of `stride` numbers, whole tiles.
#[inline(always)]
unsafe fn gram<V: Vector<Number = f64>>(
    stride: usize,
    keep: f64,
    scale: f64,
    count: usize,
    rows: *const f64,
    mean: *const f64,
    out: *mut f64,
) {
    // SAFETY: all offsets are of tiles.
    unsafe {
        let (keep, scale) = (V::splat(keep), V::splat(scale));
        for left in (0..stride).step_by(TILE) {
            for right in (left..stride).step_by(TILE) {
                let mut acc = [V::splat(0.0); TILE];
                outer_products::<V, false>(rows, stride, count, left, right, &mut acc);
                let mean_right = V::load(mean.add(right));
                for i in 0..TILE {
                    let m = V::splat(count as f64 * *mean.add(left + i));
                    let to = out.add((left + i) * stride + right);
                    let centred = m.neg_mul_add(mean_right, acc[i]);
                    V::load(to).mul_add(keep, centred.mul(scale)).store(to);
                }
            }
        }
    }
}

/// Row by row of tiles. A tile on the diagonal is eliminated with multiples `m = row / pivot`, so that of what one pivot
/// waits for the one before only the division is slow; rows are divided by the roots of their pivots afterwards.
///
/// # Safety
/// `matrix` and `upper` are `stride` rows of `stride` numbers, whole tiles, `diagonal` and `inverse` one.
#[inline(always)]
unsafe fn factor_tiles<V: Vector<Number = f64>>(
    dim: usize,
    stride: usize,
    scale: f64,
    matrix: *const f64,
    diagonal: *const f64,
    upper: *mut f64,
    inverse: *mut f64,
) -> bool {
    // SAFETY: all offsets are of tiles.
    unsafe {
        let scale = V::splat(scale);
        for left in (0..stride).step_by(TILE) {
            let mut multiples: Tile = [[0.0; TILE]; TILE];
            let roots = inverse.add(left);
            for right in (left..stride).step_by(TILE) {
                let mut acc = [V::splat(0.0); TILE];
                for i in 0..TILE {
                    acc[i] = V::load(matrix.add((left + i) * stride + right)).mul(scale);
                }
                outer_products::<V, true>(upper, stride, left, left, right, &mut acc);
                if right == left {
                    if !eliminate_diagonal(
                        dim.saturating_sub(left),
                        diagonal.add(left),
                        &mut acc,
                        &mut multiples,
                        roots,
                    ) {
                        return false;
                    }
                } else {
                    for k in 0..TILE {
                        for i in k + 1..TILE {
                            acc[i] = V::splat(multiples[k][i]).neg_mul_add(acc[k], acc[i]);
                        }
                    }
                }
                for i in 0..TILE {
                    acc[i].mul(V::splat(*roots.add(i))).store(upper.add((left + i) * stride + right));
                }
            }
        }
        true
    }
}

/// # Safety
/// `diagonal` and `roots` have a tile's numbers.
#[inline(always)]
unsafe fn eliminate_diagonal<V: Vector<Number = f64>>(
    dim: usize,
    diagonal: *const f64,
    acc: &mut [V; TILE],
    multiples: &mut Tile,
    roots: *mut f64,
) -> bool {
    let mut pivots = [1.0; TILE];
    // SAFETY: the caller's; a row of a tile is a vector.
    unsafe {
        for i in 0..TILE {
            let mut unit = [0.0; TILE];
            if i < dim {
                unit[i] = *diagonal.add(i);
                acc[i] = acc[i].add(V::load(unit.as_ptr()));
            } else {
                unit[i] = 1.0;
                acc[i] = V::load(unit.as_ptr());
            }
        }
        for k in 0..TILE {
            // By way of memory, from which any number of a vector can be spread over all lanes.
            let mut row = [0.0; TILE];
            acc[k].store(row.as_mut_ptr());
            pivots[k] = row[k];
            let multiple = acc[k].mul(V::splat(1.0 / row[k]));
            multiple.store(multiples[k].as_mut_ptr());
            for i in k + 1..TILE {
                acc[i] = V::splat(row[i]).neg_mul_add(multiple, acc[i]);
            }
        }
        let mut positive = true;
        for k in 0..TILE {
            positive &= pivots[k] > 0.0 && pivots[k] < f64::INFINITY;
            *roots.add(k) = 1.0 / pivots[k].sqrt();
        }
        positive
    }
}

with_vectors! {
    /// Solves `U'U x = b` in place, with what [`factor`] gave; b is padded with zeros to `stride` numbers.
    pub fn solve(stride: usize, upper: &[f64], inverse: &[f64], b: &mut [f64]) {
        check: stride.is_multiple_of(TILE)
            && upper.len() >= stride * stride
            && inverse.len() >= stride
            && b.len() >= stride,
        run: solve_tiles(stride, upper.as_ptr(), inverse.as_ptr(), b.as_mut_ptr())
    }
}

/// U'y = b by vectors of what each number of y contributes, then U x = y by products with the rows of U.
///
/// # Safety
/// `upper` is `stride` rows of `stride` numbers, whole tiles, `inverse` and `b` one.
#[inline(always)]
unsafe fn solve_tiles<V: Vector<Number = f64>>(stride: usize, upper: *const f64, inverse: *const f64, b: *mut f64) {
    // SAFETY: all offsets are of tiles.
    unsafe {
        for tile in (0..stride).step_by(TILE) {
            let mut sums = [V::load(b.add(tile)), V::splat(0.0), V::splat(0.0), V::splat(0.0)];
            let mut column = upper.add(tile);
            for done in (0..tile).step_by(4) {
                for k in 0..4 {
                    let y = V::splat(*b.add(done + k));
                    sums[k] = y.neg_mul_add(V::load(column), sums[k]);
                    column = column.wrapping_add(stride);
                }
            }
            let mut y = [0.0; TILE];
            sums[0].add(sums[1]).add(sums[2].add(sums[3])).store(y.as_mut_ptr());
            let multiples = over_diagonal::<V>(stride, upper, inverse, tile);
            for k in 0..TILE {
                for i in k + 1..TILE {
                    y[i] = (-multiples[k][i]).mul_add(y[k], y[i]);
                }
            }
            V::load(y.as_ptr()).mul(V::load(inverse.add(tile))).store(b.add(tile));
        }
        for tile in (0..stride).step_by(TILE).rev() {
            let mut sums = [V::splat(0.0); TILE];
            for done in (tile + TILE..stride).step_by(TILE) {
                let x = V::load(b.add(done));
                for i in 0..TILE {
                    sums[i] = V::load(upper.add((tile + i) * stride + done)).mul_add(x, sums[i]);
                }
            }
            let mut x = [0.0; TILE];
            for i in 0..TILE {
                x[i] = (*b.add(tile + i) - sums[i].sum()) * *inverse.add(tile + i);
            }
            let multiples = over_diagonal::<V>(stride, upper, inverse, tile);
            for k in (0..TILE).rev() {
                for i in 0..k {
                    x[i] = (-multiples[i][k]).mul_add(x[k], x[i]);
                }
            }
            V::load(x.as_ptr()).store(b.add(tile));
        }
    }
}

/// The rows of a tile on the diagonal of U, each over its diagonal: what is known is taken off by one multiplication a
/// number.
///
/// # Safety
/// That of [`solve_tiles`].
#[inline(always)]
unsafe fn over_diagonal<V: Vector<Number = f64>>(
    stride: usize,
    upper: *const f64,
    inverse: *const f64,
    tile: usize,
) -> Tile {
    let mut multiples = [[0.0; TILE]; TILE];
    for i in 0..TILE {
        // SAFETY: the caller's.
        unsafe {
            let row = V::load(upper.add((tile + i) * stride + tile));
            row.mul(V::splat(*inverse.add(tile + i))).store(multiples[i].as_mut_ptr());
        }
    }
    multiples
}

with_vectors! {
    /// Lays columns of `count` numbers out as `count` rows of `stride` numbers, padded with zeros and relative to the first
    /// row, and gives their mean, relative as well.
    pub fn lay_out(stride: usize, columns: &[f64], count: usize, rows: &mut [f64], mean: &mut [f64]) {
        check: stride.is_multiple_of(TILE)
            && count > 0
            && columns.len().is_multiple_of(count)
            && columns.len() <= stride * count
            && rows.len() >= stride * count
            && mean.len() >= stride,
        run: lay_out_tiles(stride, columns, count, rows.as_mut_ptr(), mean.as_mut_ptr())
    }
}

/// Tile by tile, so that rows are written a vector at a time.
///
/// # Safety
/// `rows` is `count` rows of `stride` numbers, whole tiles, `mean` one, and there are at most as many columns.
#[inline(always)]
unsafe fn lay_out_tiles<V: Interleave<Number = f64>>(
    stride: usize,
    columns: &[f64],
    count: usize,
    rows: *mut f64,
    mean: *mut f64,
) {
    // SAFETY: all offsets are of tiles.
    unsafe {
        for tile in (0..stride).step_by(TILE) {
            let of_tile = columns.get(tile * count..).unwrap_or_default();
            let (mut first, mut sum) = (V::splat(0.0), V::splat(0.0));
            let whole = if of_tile.len() >= TILE * count { count - count % TILE } else { 0 };
            for row in (0..whole).step_by(TILE) {
                let to = rows.add(row * stride + tile);
                let part = lay_out_tile::<V, true>(stride, of_tile, count, row, to, &mut first);
                sum = sum.add(part);
            }
            for row in (whole..count).step_by(TILE) {
                let to = rows.add(row * stride + tile);
                let part = lay_out_tile::<V, false>(stride, of_tile, count, row, to, &mut first);
                sum = sum.add(part);
            }
            sum.mul(V::splat(1.0 / count as f64)).store(mean.add(tile));
        }
    }
}

/// Some rows of a tile, `WHOLE` or not; their sum. The first row is `first` from then on.
///
/// # Safety
/// That of [`lay_out_tiles`].
#[inline(always)]
unsafe fn lay_out_tile<V: Interleave<Number = f64>, const WHOLE: bool>(
    stride: usize,
    columns: &[f64],
    count: usize,
    row: usize,
    to: *mut f64,
    first: &mut V,
) -> V {
    let height = (count - row).min(TILE);
    // SAFETY: all offsets are of this tile's numbers.
    unsafe {
        let (zero, minus_one) = (V::splat(0.0), V::splat(-1.0));
        let mut square = [zero; TILE];
        if WHOLE {
            for j in 0..TILE {
                square[j] = V::load(columns.as_ptr().add(j * count + row));
            }
        } else {
            for (square, column) in square.iter_mut().zip(columns.chunks_exact(count)) {
                *square = V::load_first(column.as_ptr().add(row), height);
            }
        }
        // Three perfect shuffles are a transposition.
        for _ in 0..3 {
            let mut next = square;
            for i in 0..HALF {
                [next[2 * i], next[2 * i + 1]] = square[i].interleave(square[i + HALF]);
            }
            square = next;
        }
        if row == 0 {
            *first = square[0];
        }
        for r in 0..TILE {
            if WHOLE || r < height {
                square[r] = first.mul_add(minus_one, square[r]);
                square[r].store(to.add(r * stride));
            } else {
                square[r] = zero;
            }
        }
        let s = |i: usize| square[i].add(square[i + 1]);
        s(0).add(s(2)).add(s(4).add(s(6)))
    }
}
