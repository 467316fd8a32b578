//! Trajectories of NUTS: pooled points, and joining two trajectories under the generalised U-turn criterion.

use crate::dynamics::Point;
use crate::dynamics::vector::{add, axpy, dots_with_sum};

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
    /// The logarithm of the sum of weights exp(H0 - H).
    pub log_weight: f64,
    /// The sum of momenta; none for a single point, whose sum is its momentum.
    pub sum: Option<SumId>,
}

impl Tree {
    /// The same points seen from the other end.
    pub fn reversed(self) -> Self {
        Self { first: self.last, last: self.first, ..self }
    }
}

/// Points and momentum sums, reused from step to step. It grows to about three points for each doubling.
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
        Tree { first: id, last: id, proposal: id, log_weight: 0.0, sum: None }
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

    /// Joins `a` and `b`, as many points each, where the last of `a` precedes the first of `b`. The proposal is b's
    /// if `choose_b` says so, told the log-weights of `a` and `b`.
    ///
    /// The flag says whether the joined trajectory may be extended: for u, v at the ends and the sum of momenta rho
    /// the products u . rho and v . rho are positive, for the whole, for a with the first point of b, and for the
    /// last point of a with b. The two latter catch trajectories of whole periods, which the ends do not see.
    pub fn join(&mut self, a: Tree, b: Tree, choose_b: impl FnOnce(f64, f64) -> bool) -> (Tree, bool) {
        let momentum = |id: PointId| self.points[id].momentum.as_slice();
        let (a_first, b_last) = (momentum(a.first), momentum(b.last));
        let agree = |u: &[f64], v: &[f64], rho_a: &[f64], rho_b: &[f64]| {
            dots_with_sum([u, v, rho_a, rho_b]).iter().all(|&dot| dot > 0.0)
        };
        let (sum, goes_on) = match (a.sum, b.sum) {
            (Some(sum_a), Some(sum_b)) => {
                self.free_sums.push(sum_b);
                let mut rho_a = std::mem::take(&mut self.sums[sum_a]);
                let rho_b = self.sums[sum_b].as_slice();
                let (a_last, b_first) = (momentum(a.last), momentum(b.first));
                let goes_on = agree(a_first, b_last, &rho_a, rho_b)
                    && agree(a_first, b_first, &rho_a, b_first)
                    && agree(a_last, b_last, a_last, rho_b);
                axpy(1.0, rho_b, &mut rho_a);
                self.sums[sum_a] = rho_a;
                (sum_a, goes_on)
            }
            // Two points: the three tests are one.
            _ => {
                let sum = self.free_sums.pop().unwrap_or_else(|| {
                    self.sums.push(vec![0.0; self.dim]);
                    self.sums.len() - 1
                });
                add(a_first, b_last, &mut self.sums[sum]);
                (sum, agree(a_first, b_last, a_first, b_last))
            }
        };
        let proposal = if choose_b(a.log_weight, b.log_weight) {
            self.release(a.proposal);
            b.proposal
        } else {
            self.release(b.proposal);
            a.proposal
        };
        self.release(a.last);
        self.release(b.first);
        let log_weight = log_add_exp(a.log_weight, b.log_weight);
        (Tree { first: a.first, last: b.last, proposal, log_weight, sum: Some(sum) }, goes_on)
    }
}

/// ln(e^a + e^b).
pub(super) fn log_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a line of momenta, joined; the criterion by hand.
    fn joined(momenta: [[f64; 2]; 4]) -> (Pool, Tree, bool) {
        let mut pool = Pool::default();
        pool.reset(2);
        let leaves = momenta.map(|momentum| {
            let leaf = pool.leaf();
            pool.point_mut(leaf.first).momentum.copy_from_slice(&momentum);
            leaf
        });
        let (front, _) = pool.join(leaves[0], leaves[1], |_, _| true);
        let (back, _) = pool.join(leaves[2], leaves[3], |_, _| false);
        let (whole, goes_on) = pool.join(front, back, |_, _| false);
        (pool, whole, goes_on)
    }

    #[test]
    fn sums_ends_and_proposal_of_a_join() {
        let (pool, whole, goes_on) = joined([[1.0, 0.0], [1.0, 0.1], [0.9, 0.3], [0.7, 0.5]]);
        assert!(goes_on);
        assert_eq!((whole.first, whole.last, whole.proposal), (0, 3, 1));
        assert_eq!(pool.sums[whole.sum.unwrap()], [1.0 + 1.0 + (0.9 + 0.7), 0.1 + (0.3 + 0.5)]);
        assert_eq!(whole.log_weight, 4f64.ln());
        // The third point is no end and no proposal.
        assert_eq!(pool.free_points, [2]);
    }

    /// The ends (1, 0) and (2, 1) agree with rho = (1.8, 3), yet the sum of the first three, (-0.2, 2), is against the
    /// first: only one inner test sees it, and in the opposite order only the other.
    #[test]
    fn inner_tests_see_what_the_ends_do_not() {
        let momenta = [[1.0, 0.0], [0.0, 1.0], [-1.2, 1.0], [2.0, 1.0]];
        let [a, b, c, d] = momenta;
        assert!(!joined(momenta).2);
        assert!(!joined([d, c, b, a]).2);
        // With a third point that is not against the first all is well.
        assert!(joined([a, b, [-0.8, 1.0], d]).2);
        assert!(joined([d, [-0.8, 1.0], b, a]).2);
        // The ends alone: (1, 0) is against (-0.5, 3.5), the others are not.
        assert!(!joined([a, [0.5, 1.0], [0.0, 1.0], [-2.0, 1.5]]).2);
    }

    #[test]
    fn log_add_exp_has_no_overflow() {
        assert_eq!(log_add_exp(1000.0, 1000.0), 1000.0 + 2f64.ln());
        assert_eq!(log_add_exp(f64::NEG_INFINITY, -3.0), -3.0);
        assert_eq!(log_add_exp(f64::NEG_INFINITY, f64::NEG_INFINITY), f64::NEG_INFINITY);
    }
}
