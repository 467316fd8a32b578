//! Trajectories of NUTS: pooled points, and joining two trajectories under the generalised U-turn criterion.

use crate::dynamics::Point;
use crate::dynamics::vector::{add, dots_with_sum};

/// A point of the [`Pool`].
pub(super) type PointId = usize;
/// A momentum sum of the [`Pool`].
pub(super) type SumId = usize;

/// Consecutive points of a trajectory, summarised. Ids are owned: each counts as one use of its point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    /// First point in the order of integration.
    pub first: PointId,
    /// Last point in the order of integration.
    pub last: PointId,
    /// A point drawn from the multinomial over the tree's points.
    pub proposal: PointId,
    /// The sum of weights exp(H0 - H).
    pub weight: Weight,
    /// The sum of momenta; none for a single point, whose sum is its momentum.
    pub sum: Option<SumId>,
    /// The two halves that were joined; none for a single point.
    halves: Option<[Half; 2]>,
}

/// Half of a trajectory, as its U-turn tests need it.
#[derive(Debug, Clone, Copy)]
struct Half {
    /// Its end in the middle of the trajectory.
    inner: PointId,
    /// The sum of its momenta; none for a single point.
    sum: Option<SumId>,
}

impl Tree {
    /// The same points seen from the other end.
    pub fn reversed(self) -> Self {
        let halves = self.halves.map(|[front, back]| [back, front]);
        Self { first: self.last, last: self.first, halves, ..self }
    }
}

/// Points and momentum sums, reused from step to step. It grows to about five points for each doubling.
#[derive(Debug, Default)]
pub(super) struct Pool {
    dim: usize,
    points: Vec<Point>,
    uses: Vec<u32>,
    free_points: Vec<PointId>,
    sums: Vec<Vec<f64>>,
    free_sums: Vec<SumId>,
}

impl Pool {
    /// Takes everything back; buffers are kept while the dimension stays.
    pub fn reset(&mut self, dim: usize) {
        if self.dim != dim {
            *self = Self { dim, ..Self::default() };
        }
        self.uses.fill(0);
        self.free_points.clear();
        self.free_points.extend((0..self.points.len()).rev());
        self.free_sums.clear();
        self.free_sums.extend((0..self.sums.len()).rev());
    }

    /// A tree of one point, not yet filled.
    pub fn leaf(&mut self) -> Tree {
        let id = self.free_points.pop().unwrap_or_else(|| {
            self.points.push(Point::new(self.dim));
            self.uses.push(0);
            self.points.len() - 1
        });
        self.uses[id] = 3;
        Tree { first: id, last: id, proposal: id, weight: Weight::ONE, sum: None, halves: None }
    }

    pub fn point(&self, id: PointId) -> &Point {
        &self.points[id]
    }

    pub fn point_mut(&mut self, id: PointId) -> &mut Point {
        &mut self.points[id]
    }

    /// A point to read and another to write.
    pub fn pair(&mut self, from: PointId, to: PointId) -> (&Point, &mut Point) {
        debug_assert_ne!(from, to);
        if from < to {
            let (head, tail) = self.points.split_at_mut(to);
            (&head[from], &mut tail[0])
        } else {
            let (head, tail) = self.points.split_at_mut(from);
            (&tail[0], &mut head[to])
        }
    }

    fn release(&mut self, id: PointId) {
        self.uses[id] -= 1;
        if self.uses[id] == 0 {
            self.free_points.push(id);
        }
    }

    fn free(&mut self, sum: Option<SumId>) {
        self.free_sums.extend(sum);
    }

    /// A buffer for a sum.
    fn sum(&mut self) -> SumId {
        self.free_sums.pop().unwrap_or_else(|| {
            self.sums.push(vec![0.0; self.dim]);
            self.sums.len() - 1
        })
    }

    /// The sum of momenta of consecutive points, which for a single one is its momentum.
    fn rho(&self, sum: Option<SumId>, only: PointId) -> &[f64] {
        sum.map_or(&self.points[only].momentum, |sum| &self.sums[sum])
    }

    /// Joins `b` to `a`, as many points each, where the last of `a` precedes the first of `b`. The proposal is b's if
    /// `choose_b` says so.
    ///
    /// Returns whether the joined trajectory may be extended.
    pub fn join(&mut self, a: &mut Tree, b: &Tree, choose_b: impl FnOnce(&Weights) -> bool) -> bool {
        let goes_on = self.goes_on(a, b);
        let sum = self.sum();
        let mut rho = std::mem::take(&mut self.sums[sum]);
        add(self.rho(a.sum, a.first), self.rho(b.sum, b.first), &mut rho);
        self.sums[sum] = rho;
        for halves in [&a.halves, &b.halves] {
            let Some(halves) = halves else { continue };
            for half in halves {
                self.free(half.sum);
                self.release(half.inner);
            }
        }
        let weights = Weights::of(a.weight, b.weight);
        if choose_b(&weights) {
            self.release(a.proposal);
            a.proposal = b.proposal;
        } else {
            self.release(b.proposal);
        }
        a.halves = Some([Half { inner: a.last, sum: a.sum }, Half { inner: b.first, sum: b.sum }]);
        (a.last, a.weight, a.sum) = (b.last, weights.sum, Some(sum));
        goes_on
    }

    /// Whether the trajectory of `a` and `b` may be extended: for u, v at its ends and rho the sum of its momenta the
    /// products u . rho and v . rho are positive, and so they are for parts of it: `a` with the first point of `b`, the last
    /// point of `a` with `b`, `a` with the first half of `b`, and the last half of `a` with `b`.
    ///
    /// Where most coordinates have one period, a trajectory of a whole period does not seem to turn, and no longer one
    /// would. If half a period does not quite turn either, for the sake of a few slow coordinates, trajectories double until
    /// those turn; three quarters of a period always do.
    fn goes_on(&self, a: &Tree, b: &Tree) -> bool {
        let momentum = |id: PointId| self.points[id].momentum.as_slice();
        let agree = |u: &[f64], v: &[f64], rho_a: &[f64], rho_b: &[f64]| {
            dots_with_sum([u, v, rho_a, rho_b]).iter().all(|&dot| dot > 0.0)
        };
        let (first, last) = (momentum(a.first), momentum(b.last));
        let (rho_a, rho_b) = (self.rho(a.sum, a.first), self.rho(b.sum, b.first));
        if !agree(first, last, rho_a, rho_b) {
            return false;
        }
        // Two points have no parts.
        let (Some([_, a_back]), Some([b_front, _])) = (a.halves, b.halves) else {
            return true;
        };
        let (a_last, b_first) = (momentum(a.last), momentum(b.first));
        if !(agree(first, b_first, rho_a, b_first) && agree(a_last, last, a_last, rho_b)) {
            return false;
        }
        // A half that is one point has been tested.
        let (Some(a_sum), Some(b_sum)) = (a_back.sum, b_front.sum) else {
            return true;
        };
        agree(first, momentum(b_front.inner), rho_a, &self.sums[b_sum])
            && agree(momentum(a_back.inner), last, &self.sums[a_sum], rho_b)
    }
}

/// A weight, or a sum of weights, as `factor exp(log_scale)`: of moderate size, as almost all are, it has a scale of 0, and
/// neither a logarithm nor an exponential is taken to add it to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weight {
    factor: f64,
    log_scale: f64,
}

impl Weight {
    /// The weight of the start.
    pub const ONE: Self = Self { factor: 1.0, log_scale: 0.0 };
    /// Logarithms up to this size are no scale of their own: sums of factors are far from overflow.
    const MODERATE: f64 = 300.0;

    /// exp(log) where exp(-|log|) is known.
    pub fn of_log(log: f64, exp_minus_size: f64) -> Self {
        if log.abs() <= Self::MODERATE {
            Self { factor: if log > 0.0 { exp_minus_size.recip() } else { exp_minus_size }, log_scale: 0.0 }
        } else if log == f64::NEG_INFINITY {
            Self { factor: 0.0, log_scale: 0.0 }
        } else {
            Self { factor: 1.0, log_scale: log }
        }
    }

    /// The factor under a scale that is not below its own by far.
    fn under(self, log_scale: f64) -> f64 {
        let known = self.log_scale == log_scale || self.factor == 0.0;
        if known { self.factor } else { self.factor * (self.log_scale - log_scale).exp() }
    }
}

/// Two weights a and b next to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weights {
    /// a + b
    pub sum: Weight,
    /// b / (a + b), 0 where both are 0.
    pub share: f64,
    /// The smaller of b / a and 1; 0 where both are 0.
    pub odds: f64,
}

impl Weights {
    fn of(a: Weight, b: Weight) -> Self {
        let log_scale = match (a.factor == 0.0, b.factor == 0.0) {
            (true, _) => b.log_scale,
            (_, true) => a.log_scale,
            _ => a.log_scale.max(b.log_scale),
        };
        let (a, b) = (a.under(log_scale), b.under(log_scale));
        let sum = Weight { factor: a + b, log_scale };
        if b == 0.0 {
            return Self { sum, share: 0.0, odds: 0.0 };
        }
        Self { sum, share: b / sum.factor, odds: if b > a { 1.0 } else { b / a } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a line of momenta, as many as a power of two, joined by pairs.
    fn joined(momenta: &[[f64; 2]]) -> (Pool, Tree, bool) {
        let mut pool = Pool::default();
        pool.reset(2);
        let mut trees: Vec<(Tree, bool)> = momenta
            .iter()
            .map(|momentum| {
                let leaf = pool.leaf();
                pool.point_mut(leaf.first).momentum.copy_from_slice(momentum);
                (leaf, true)
            })
            .collect();
        while trees.len() > 1 {
            let first = trees.len() == momenta.len();
            let pairs = trees.chunks(2).map(|pair| {
                let mut tree = pair[0].0;
                let goes_on = pool.join(&mut tree, &pair[1].0, |_| first);
                (tree, goes_on)
            });
            trees = pairs.collect();
        }
        let (whole, goes_on) = trees[0];
        (pool, whole, goes_on)
    }

    #[test]
    fn sums_ends_and_proposal_of_a_join() {
        let (pool, whole, goes_on) = joined(&[[1.0, 0.0], [1.0, 0.1], [0.9, 0.3], [0.7, 0.5]]);
        assert!(goes_on);
        assert_eq!((whole.first, whole.last, whole.proposal), (0, 3, 1));
        assert_eq!(pool.sums[whole.sum.unwrap()], [1.0 + 1.0 + (0.9 + 0.7), 0.1 + (0.3 + 0.5)]);
        assert_eq!(whole.weight, Weight { factor: 4.0, log_scale: 0.0 });
        // The first half's proposal is its last point, the second's its last: the middle is kept for its momenta.
        assert!(pool.free_points.is_empty());
    }

    /// Nothing is lost: of eight points the ends, the proposal and two in the middle are kept, and three sums.
    #[test]
    fn what_is_not_needed_is_given_back() {
        let (pool, whole, _) = joined(&[[1.0, 0.0]; 8]);
        assert_eq!((whole.first, whole.last, whole.proposal), (0, 7, 1));
        let mut free = pool.free_points.clone();
        free.sort_unstable();
        assert_eq!(free, [2, 5, 6]);
        assert_eq!(pool.sums.len() - pool.free_sums.len(), 3);
    }

    /// The ends (1, 0) and (2, 1) agree with rho = (1.8, 3), yet the sum of the first three, (-0.2, 2), is against the
    /// first: only one inner test sees it, and in the opposite order only the other.
    #[test]
    fn inner_tests_see_what_the_ends_do_not() {
        let momenta = [[1.0, 0.0], [0.0, 1.0], [-1.2, 1.0], [2.0, 1.0]];
        let [a, b, c, d] = momenta;
        assert!(!joined(&momenta).2);
        assert!(!joined(&[d, c, b, a]).2);
        // With a third point that is not against the first all is well.
        assert!(joined(&[a, b, [-0.8, 1.0], d]).2);
        assert!(joined(&[d, [-0.8, 1.0], b, a]).2);
        // The ends alone: (1, 0) is against (-0.5, 3.5), the others are not.
        assert!(!joined(&[a, [0.5, 1.0], [0.0, 1.0], [-2.0, 1.5]]).2);
    }

    /// Sixteen points of a whole period of one coordinate, cos(2 pi (k + 1/2) / 16), while another hardly moves: neither
    /// the whole (0.16 times 16) nor a half with one point more (-0.96 + 0.16 times 9) is against the first point, three
    /// quarters are (-2.51 + 0.16 times 12).
    #[test]
    fn three_quarters_of_a_period_turn() {
        let period = |slow: f64| -> Vec<[f64; 2]> {
            (0..16).map(|k| [(std::f64::consts::TAU * (f64::from(k) + 0.5) / 16.0).cos(), slow]).collect()
        };
        assert!(!joined(&period(0.4)).2);
        // Were it 0.21 instead of 0.16 they would not be.
        assert!(joined(&period(0.21f64.sqrt())).2);
    }

    #[test]
    fn weights_have_no_overflow() {
        let weights = |a: f64, b: f64| {
            let [a, b] = [a, b].map(|log| Weight::of_log(log, (-log.abs()).exp()));
            let Weights { sum, share, odds } = Weights::of(a, b);
            (sum.factor.ln() + sum.log_scale, share, odds)
        };
        assert_eq!(weights(1000.0, 1000.0), (1000.0 + 2f64.ln(), 0.5, 1.0));
        let none = f64::NEG_INFINITY;
        assert_eq!(weights(none, -3.0), (-3.0, 1.0, 1.0));
        assert_eq!(weights(-3.0, none), (-3.0, 0.0, 0.0));
        assert_eq!(weights(-800.0, none), (-800.0, 0.0, 0.0));
        assert_eq!(weights(none, -800.0), (-800.0, 1.0, 1.0));
        assert_eq!(weights(none, none), (none, 0.0, 0.0));
        // A weight of moderate size next to one that is not.
        assert_eq!(weights(900.0, 0.0), (900.0, 0.0, 0.0));
        assert_eq!(weights(0.0, 900.0), (900.0, 1.0, 1.0));
        // Weights of 3 and 1, also far from 1, where a logarithm of 300 has an error of 3e-14.
        for (shift, tolerance) in [(0.0, 1e-15), (-298.5, 1e-13), (299.5, 1e-13), (700.0, 3e-13)] {
            let (log_sum, share, odds) = weights(3f64.ln() + shift, shift);
            for (got, wanted) in [(log_sum - shift, 4f64.ln()), (share, 0.25), (odds, 1.0 / 3.0)] {
                assert!((got - wanted).abs() < tolerance, "{got} {wanted}");
            }
        }
    }
}
