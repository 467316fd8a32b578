//! A metric of blocks: dense within groups of coordinates, diagonal for what is in none.

use std::ops::Range;

use ndarray::Array2;

use super::metric::{Dense, MetricError};
use super::vector::{axpy, dot};

/// Which of `dim` coordinates hang together: disjoint blocks, each a list of ranges in ascending order. The rest stand alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    dim: usize,
    blocks: Vec<Vec<Range<usize>>>,
    alone: Vec<Range<usize>>,
}

impl Layout {
    /// Blocks of the coordinates 0 to `dim`; blocks without coordinates are left out.
    ///
    /// # Errors
    /// [`MetricError::BeyondDimension`] for a coordinate that is not there; [`MetricError::InTwoBlocks`] for one that is
    /// named twice.
    pub fn new(dim: usize, blocks: Vec<Vec<Range<usize>>>) -> Result<Self, MetricError> {
        let mut taken = vec![false; dim];
        for coordinate in blocks.iter().flatten().cloned().flatten() {
            match taken.get_mut(coordinate) {
                None => return Err(MetricError::BeyondDimension { coordinate, dim }),
                Some(true) => return Err(MetricError::InTwoBlocks { coordinate }),
                Some(free) => *free = true,
            }
        }
        let blocks = blocks.into_iter().map(merged).filter(|b| !b.is_empty()).collect();
        let alone = merged((0..dim).filter(|&i| !taken[i]).map(|i| i..i + 1).collect());
        Ok(Self { dim, blocks, alone })
    }

    /// The number of coordinates.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The blocks, each as ranges of coordinates that do not touch, in ascending order.
    #[must_use]
    pub fn blocks(&self) -> &[Vec<Range<usize>>] {
        &self.blocks
    }

    /// The coordinates of no block.
    #[must_use]
    pub fn alone(&self) -> &[Range<usize>] {
        &self.alone
    }
}

/// The same coordinates in ascending order, neighbouring ranges made one.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|r| !r.is_empty());
    ranges.sort_by_key(|r| r.start);
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => out.push(range),
        }
    }
    out
}

/// The number of coordinates of a block.
pub(crate) fn size(block: &[Range<usize>]) -> usize {
    block.iter().map(ExactSizeIterator::len).sum()
}

/// Copies the coordinates of a block, one after the other.
pub(crate) fn gather(block: &[Range<usize>], x: &[f64], out: &mut Vec<f64>) {
    out.clear();
    block.iter().for_each(|range| out.extend_from_slice(&x[range.clone()]));
}

/// The first `count` coordinates of a block: where they lie in it, and among all.
fn first(block: &[Range<usize>], count: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let mut at = 0;
    block.iter().map_while(move |range| {
        let taken = range.len().min(count - at);
        let from = at;
        at += taken;
        (taken > 0).then(|| (from..at, range.start..range.start + taken))
    })
}

/// An inverse mass that is dense within blocks of coordinates, with nothing between them: M^-1 = L L', where L has the
/// Cholesky factors of the blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    layout: Layout,
    /// The diagonal of M^-1 and its roots; only those of coordinates alone are used.
    variances: Vec<f64>,
    scale: Vec<f64>,
    dense: Vec<Dense>,
}

impl Blocks {
    pub(super) fn new(
        layout: Layout,
        mut variances: Vec<f64>,
        matrices: Vec<Array2<f64>>,
    ) -> Result<Self, MetricError> {
        let (got, wanted) = ((matrices.len(), variances.len()), (layout.blocks.len(), layout.dim));
        if got != wanted {
            return Err(MetricError::Blocks { blocks: got.0, variances: got.1, of: wanted });
        }
        for coordinate in layout.alone.iter().cloned().flatten() {
            let value = variances[coordinate];
            if !(value > 0.0 && value.is_finite()) {
                return Err(MetricError::NotPositive { coordinate, value });
            }
        }
        let mut dense = Vec::with_capacity(matrices.len());
        for (block, matrix) in layout.blocks.iter().zip(matrices) {
            let (rows, wanted) = (matrix.nrows(), size(block));
            if rows != wanted {
                return Err(MetricError::BlockSize { rows, wanted, first: block[0].start });
            }
            dense.push(Dense::new(matrix).map_err(|error| match error {
                MetricError::NotPositiveDefinite { coordinate, pivot } => {
                    let coordinate = block.iter().cloned().flatten().nth(coordinate).unwrap_or(coordinate);
                    MetricError::NotPositiveDefinite { coordinate, pivot }
                }
                error => error,
            })?);
        }
        for (block, dense) in layout.blocks.iter().zip(&dense) {
            for (i, coordinate) in block.iter().cloned().flatten().enumerate() {
                variances[coordinate] = dense.inverse_mass()[[i, i]];
            }
        }
        let scale = variances.iter().map(|v| v.sqrt()).collect();
        Ok(Self { layout, variances, scale, dense })
    }

    /// Which coordinates hang together.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The diagonal of M^-1.
    #[must_use]
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// The blocks: their ranges of coordinates, with the part of M^-1 for those coordinates in that order.
    pub fn blocks(&self) -> impl Iterator<Item = (&[Range<usize>], &Dense)> {
        self.layout.blocks.iter().map(Vec::as_slice).zip(&self.dense)
    }

    /// Applies `f(scale, x)` to the coordinates alone.
    fn alone(&self, x: &[f64], out: &mut [f64], f: impl Fn(f64, f64) -> f64) {
        for range in &self.layout.alone {
            let places = out[range.clone()].iter_mut().zip(&x[range.clone()]);
            places.zip(&self.scale[range.clone()]).for_each(|((out, x), scale)| *out = f(*scale, *x));
        }
    }

    pub(super) fn velocity(&self, z: &[f64], out: &mut [f64]) {
        self.alone(z, out, |scale, z| scale * z);
        for (block, dense) in self.blocks() {
            let coordinates = block.iter().cloned().flatten();
            for (i, (row, coordinate)) in dense.rows().zip(coordinates).enumerate() {
                out[coordinate] = first(block, i + 1).map(|(within, at)| dot(&row[within], &z[at])).sum();
            }
        }
    }

    pub(super) fn force(&self, g: &[f64], out: &mut [f64]) {
        self.alone(g, out, |scale, g| scale * g);
        for (block, dense) in self.blocks() {
            block.iter().for_each(|range| out[range.clone()].fill(0.0));
            let coordinates = block.iter().cloned().flatten();
            for (i, (row, coordinate)) in dense.rows().zip(coordinates).enumerate() {
                first(block, i + 1).for_each(|(within, at)| axpy(g[coordinate], &row[within], &mut out[at]));
            }
        }
    }

    /// `x <- L^-1 x`.
    pub(super) fn solve(&self, x: &mut [f64]) {
        for range in &self.layout.alone {
            x[range.clone()].iter_mut().zip(&self.scale[range.clone()]).for_each(|(x, scale)| *x /= scale);
        }
        for (block, dense) in self.blocks() {
            let coordinates = block.iter().cloned().flatten();
            for (i, (row, coordinate)) in dense.rows().zip(coordinates).enumerate() {
                let known: f64 = first(block, i).map(|(within, at)| dot(&row[within], &x[at])).sum();
                x[coordinate] = (x[coordinate] - known) / row[i];
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "blocks are lists of ranges")]
mod tests {
    use super::*;
    use crate::dynamics::Metric;
    use ndarray::array;

    /// Coordinates 0, 1 and 3 are a block, 2 stands alone, 4 and 5 are another.
    fn layout() -> Layout {
        Layout::new(6, vec![vec![3..4, 0..1, 1..2], vec![], vec![4..6]]).unwrap()
    }

    #[test]
    fn ranges_are_ordered_and_merged() {
        let layout = layout();
        assert_eq!(layout.blocks(), [vec![0..2, 3..4], vec![4..6]]);
        assert_eq!(layout.alone(), [2..3]);
        assert_eq!(Layout::new(3, vec![vec![2..4]]), Err(MetricError::BeyondDimension { coordinate: 3, dim: 3 }));
        assert_eq!(Layout::new(3, vec![vec![0..2], vec![1..3]]), Err(MetricError::InTwoBlocks { coordinate: 1 }));
    }

    /// Velocity, force and their inverses are those of the dense matrix with zeros between the blocks.
    #[test]
    fn a_block_metric_is_a_dense_one_with_zeros() {
        let (a, b) = (array![[2.0, 0.5, 0.3], [0.5, 1.0, -0.2], [0.3, -0.2, 3.0]], array![[1.0, 0.9], [0.9, 2.0]]);
        let mut whole = Array2::<f64>::zeros((6, 6));
        for (of, at) in [(&a, &[0, 1, 3][..]), (&b, &[4, 5])] {
            of.indexed_iter().for_each(|((i, j), v)| whole[[at[i], at[j]]] = *v);
        }
        whole[[2, 2]] = 7.0;
        let blocks = Metric::blocks(layout(), vec![7.0; 6], vec![a, b]).unwrap();
        let dense = Metric::dense(whole.clone()).unwrap();
        assert_eq!(blocks.variances(), whole.diag().to_vec());
        let x = [0.3, -1.2, 0.7, 2.0, -0.4, 1.1];
        for act in
            [Metric::velocity, Metric::force, |m: &Metric, x: &[f64], out: &mut [f64]| m.whiten(x, &[0.1; 6], out)]
        {
            let (mut got, mut wanted) = ([0.0; 6], [0.0; 6]);
            act(&blocks, &x, &mut got);
            act(&dense, &x, &mut wanted);
            got.iter().zip(wanted).for_each(|(g, w)| assert!((g - w).abs() < 1e-14, "{got:?} {wanted:?}"));
        }
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let metric = |variances: Vec<f64>, matrices| Metric::blocks(layout(), variances, matrices).unwrap_err();
        let (three, two) = (Array2::eye(3), Array2::eye(2));
        let error = metric(vec![1.0; 6], vec![three.clone()]);
        assert_eq!(error.to_string(), "1 blocks and 6 variances, wanted 2 and 6");
        let error = metric(vec![1.0; 6], vec![two.clone(), three.clone()]);
        assert_eq!(error.to_string(), "the block that begins at coordinate 0 is 2 x 2, wanted 3 x 3");
        let error = metric(vec![0.0; 6], vec![three.clone(), two]);
        assert_eq!(error, MetricError::NotPositive { coordinate: 2, value: 0.0 });
        // The second pivot of the second block is coordinate 5.
        let error = metric(vec![1.0; 6], vec![three, array![[1.0, 2.0], [2.0, 1.0]]]);
        assert_eq!(error, MetricError::NotPositiveDefinite { coordinate: 5, pivot: -3.0 });
    }
}
