//! Level sets of a function on a grid: marching squares, joined into closed rings.
//!
//! Around the grid lies a frame of minus infinity in the same place as the border, so every ring `f >= level` closes
//! along the border by itself. Source: Lorensen and Cline (1987), in two dimensions, saddles settled by the mean.

use ndarray::ArrayView2;

/// One closed boundary of `{ f >= level }`.
pub(crate) struct Ring {
    /// Index into the levels.
    pub level: usize,
    /// Whether `f >= level` just inside of the ring; else it is the edge of a hole.
    pub encloses_above: bool,
    /// Corners as (column, row) on the grid, fractional; the last one is joined to the first.
    pub points: Vec<(f64, f64)>,
    area: f64,
}

impl Ring {
    /// The ring without its way along the border of a grid of this shape: what a contour line shows.
    pub(crate) fn inner_lines(&self, (rows, columns): (usize, usize)) -> Vec<Vec<(f64, f64)>> {
        let (right, bottom) = (columns as f64 - 1.0, rows as f64 - 1.0);
        let on_one_side = |a: &(f64, f64), b: &(f64, f64)| {
            [0.0, right].iter().any(|x| a.0 == *x && b.0 == *x) || [0.0, bottom].iter().any(|y| a.1 == *y && b.1 == *y)
        };
        // Begin behind a step along the border, so that no line is cut in two.
        let mut steps = self.points.iter().zip(self.points.iter().cycle().skip(1));
        let start = steps.position(|(a, b)| on_one_side(a, b)).map_or(0, |i| i + 1);
        let closed: Vec<_> = self.points.iter().copied().cycle().skip(start).take(self.points.len() + 1).collect();
        let pieces = closed.chunk_by(|a, b| !on_one_side(a, b));
        pieces.filter(|piece| piece.len() > 1).map(<[_]>::to_vec).collect()
    }
}

/// All rings of all levels, ascending; painting each with the colour inside of it, in this order, gives filled contours.
///
/// Rings do not cross, so where a smaller ring overlaps a larger one it lies inside of it.
pub(crate) fn rings(values: ArrayView2<'_, f64>, levels: &[f64]) -> Vec<Ring> {
    let mut all: Vec<Ring> =
        levels.iter().enumerate().flat_map(|(index, level)| level_rings(values, index, *level)).collect();
    // Among equal areas the innermost comes last: rising sets shrink, holes shrink as the level falls.
    let rank = |ring: &Ring| {
        if ring.encloses_above { ring.level as isize } else { -(ring.level as isize) }
    };
    all.sort_by(|a, b| b.area.total_cmp(&a.area).then(rank(a).cmp(&rank(b))));
    all
}

/// The padded grid: index 0 and the last lie on the border with value minus infinity.
struct Padded<'a> {
    values: ArrayView2<'a, f64>,
    rows: usize,
    columns: usize,
}

impl Padded<'_> {
    fn at(&self, row: usize, column: usize) -> f64 {
        match (row.checked_sub(1), column.checked_sub(1)) {
            (Some(r), Some(c)) => self.values.get((r, c)).copied().unwrap_or(f64::NEG_INFINITY),
            _ => f64::NEG_INFINITY,
        }
    }

    fn place(&self, row: usize, column: usize) -> (f64, f64) {
        let clamp = |index: usize, padded: usize| (index.max(1) - 1).min(padded - 3) as f64;
        (clamp(column, self.columns), clamp(row, self.rows))
    }

    /// Edges are numbered by their upper or left corner, rightward ones even, downward ones odd.
    fn edge(&self, (r0, c0): (usize, usize), (r1, c1): (usize, usize)) -> usize {
        let (row, column) = (r0.min(r1), c0.min(c1));
        2 * (row * self.columns + column) + usize::from(c0 == c1)
    }

    /// Where the level crosses an edge; one to the frame has no length, so any point of it will do.
    fn crossing(&self, edge: usize, level: f64) -> (f64, f64) {
        let (row, column) = (edge / 2 / self.columns, edge / 2 % self.columns);
        let (end_row, end_column) = if edge.is_multiple_of(2) { (row, column + 1) } else { (row + 1, column) };
        let (a, b) = (self.at(row, column), self.at(end_row, end_column));
        let (from, to) = (self.place(row, column), self.place(end_row, end_column));
        let t = if (b - a).is_finite() { ((level - a) / (b - a)).clamp(0.0, 1.0) } else { 0.5 };
        (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))
    }
}

fn level_rings(values: ArrayView2<'_, f64>, index: usize, level: f64) -> Vec<Ring> {
    let (rows, columns) = (values.nrows() + 2, values.ncols() + 2);
    let grid = Padded { values, rows, columns };
    const NONE: usize = usize::MAX;
    let mut next = vec![NONE; 2 * rows * columns];
    for row in 0..rows - 1 {
        for column in 0..columns - 1 {
            // Clockwise as seen on the page, rows downwards.
            let corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)];
            let above = corners.map(|(r, c)| grid.at(r, c) >= level);
            if above == [true; 4] || above == [false; 4] {
                continue;
            }
            let mean = corners.iter().map(|(r, c)| grid.at(*r, *c)).sum::<f64>() / 4.0;
            let saddle = above[0] == above[2] && above[1] == above[3];
            // A ring leaves the cell's border where it turns from above to below, and comes back where it turns
            // to above: behind the low corner, or before the high one if a saddle's middle is low.
            let turn = if saddle && mean < level { 3 } else { 1 };
            for leave in (0..4).filter(|i| above[*i] && !above[(i + 1) % 4]) {
                let mut enter = leave;
                loop {
                    enter = (enter + turn) % 4;
                    if !above[enter] && above[(enter + 1) % 4] {
                        break;
                    }
                }
                let from = grid.edge(corners[leave], corners[(leave + 1) % 4]);
                next[from] = grid.edge(corners[enter], corners[(enter + 1) % 4]);
            }
        }
    }

    let mut rings = Vec::new();
    for start in 0..next.len() {
        let mut points = Vec::new();
        let mut edge = start;
        while next[edge] != NONE {
            points.push(grid.crossing(edge, level));
            edge = std::mem::replace(&mut next[edge], NONE);
        }
        let signed = signed_area(&points);
        if signed != 0.0 {
            rings.push(Ring { level: index, encloses_above: signed > 0.0, points, area: signed.abs() });
        }
    }
    rings
}

/// Positive for clockwise rings on a page whose rows run downwards.
fn signed_area(points: &[(f64, f64)]) -> f64 {
    let pairs = points.iter().zip(points.iter().cycle().skip(1));
    pairs.map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    #[test]
    fn a_cone_has_circles() {
        // f = -r on [-1, 1]^2; f >= -0.5 is a disc of radius 25 cells. Chords of a 101-grid lose about 0.1 percent.
        let values = Array2::from_shape_fn((101, 101), |(i, j)| -((i as f64 - 50.0).hypot(j as f64 - 50.0)) / 50.0);
        let rings = rings(values.view(), &[-0.5]);
        assert_eq!(rings.len(), 1);
        assert!(rings[0].encloses_above);
        assert!((rings[0].area - std::f64::consts::PI * 625.0).abs() < 3.0, "{}", rings[0].area);
    }

    #[test]
    fn a_contour_line_leaves_out_the_border() {
        // f = x on 3 by 5 nodes crosses 1.5 on a straight line from the upper to the lower border.
        let values = Array2::from_shape_fn((3, 5), |(_, j)| j as f64);
        let lines = rings(values.view(), &[1.5])[0].inner_lines((3, 5));
        assert_eq!(lines, [vec![(1.5, 2.0), (1.5, 1.0), (1.5, 0.0)]]);
        // A ring that does not touch the border comes whole, its first point again at the end.
        let cone = Array2::from_shape_fn((5, 5), |(i, j)| -(i as f64 - 2.0).hypot(j as f64 - 2.0));
        let lines = rings(cone.view(), &[-0.5])[0].inner_lines((5, 5));
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].len(), lines[0].first()), (5, lines[0].last()));
    }

    #[test]
    fn a_bowl_has_a_hole_and_the_border() {
        let values = Array2::from_shape_fn((101, 101), |(i, j)| (i as f64 - 50.0).hypot(j as f64 - 50.0) / 50.0);
        let rings = rings(values.view(), &[0.5]);
        assert_eq!(rings.iter().map(|r| r.encloses_above).collect::<Vec<_>>(), [true, false]);
        assert_eq!(rings[0].area, 10_000.0);
        assert!((rings[1].area - std::f64::consts::PI * 625.0).abs() < 3.0);
    }

    #[test]
    fn painting_in_order_gives_every_node_its_band() {
        // A rough surface with saddles, plateaus and values on the levels themselves.
        let (rows, columns) = (13, 17);
        let values = Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 11 + i * j) % 10) as f64 / 10.0);
        let levels: Vec<f64> = (1..10).map(|k| k as f64 / 10.0 - 0.05).collect();
        let rings = rings(values.view(), &levels);
        for ((i, j), v) in values.indexed_iter() {
            // A point just inside the sheet, so that the border rings contain it.
            let (x, y) = ((j as f64).clamp(1e-6, 16.0 - 1e-6), (i as f64).clamp(1e-6, 12.0 - 1e-6));
            let mut band = 0;
            for ring in rings.iter().filter(|r| contains(&r.points, x, y)) {
                band = ring.level + usize::from(ring.encloses_above);
            }
            assert_eq!(band, levels.iter().filter(|l| v >= l).count(), "node {i}, {j}");
        }
    }

    fn contains(ring: &[(f64, f64)], x: f64, y: f64) -> bool {
        let pairs = ring.iter().zip(ring.iter().cycle().skip(1));
        let crossed = |(a, b): &(&(f64, f64), &(f64, f64))| {
            (a.1 > y) != (b.1 > y) && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0)
        };
        pairs.filter(crossed).count() % 2 == 1
    }

    #[test]
    fn a_saddle_is_split_by_its_mean() {
        let low = rings(arr2(&[[1.0, 0.0], [0.0, 1.0]]).view(), &[0.6]);
        assert_eq!(low.len(), 2);
        let high = rings(arr2(&[[1.0, 0.0], [0.0, 1.0]]).view(), &[0.4]);
        assert_eq!(high.len(), 1);
    }
}
