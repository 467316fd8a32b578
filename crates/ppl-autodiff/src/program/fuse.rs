//! Which elementwise operations run together: an operation joins the chain of its users when all of them are in one
//! chain over the same shape, so that its result never leaves the first-level cache. A sum joins a chain that reads the
//! same array, so that this is read once, and what both compute from it computed once.

use crate::ops::{Op, Reduction};
use crate::program::graph::Graph;
use crate::program::guard::Guards;
use crate::program::short::MAX_SHORT;
use crate::tape::NodeId;

/// The most operations in a chain.
const MAX_STEPS: usize = 16;

/// The partition of a graph into chains.
pub(crate) struct Chains {
    /// For an elementwise node, the last node of its chain.
    pub root: Vec<Option<NodeId>>,
    /// For the last node of a chain, its members in order.
    pub members: Vec<Vec<NodeId>>,
    /// For the last node of a chain with a sum at its end, that sum.
    pub sum: Vec<Option<Sum>>,
    /// For the node at whose turn a chain is computed, the last node of that chain.
    pub turn: Vec<Option<NodeId>>,
}

/// A sum of all elements at the end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    /// What is summed: the last node of the chain, which is then not stored, or another that only the sum needs.
    pub of: NodeId,
    /// The node of the sum.
    pub to: NodeId,
}

fn is_elementwise(op: &Op) -> bool {
    matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select)
}

/// When a node is computed, as far as that is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before rows that are computed in strips, or where there are none.
    Before,
    /// In strips.
    Elsewhere,
    /// After them.
    After,
}

/// Finds the chains of the nodes that are not computed elsewhere.
pub(crate) fn chains(graph: &Graph, guards: &[Guards], stage: &dyn Fn(NodeId) -> Stage) -> Chains {
    let n = graph.nodes.len();
    let elsewhere = |id: NodeId| stage(id) == Stage::Elsewhere;
    let mut users: Vec<Vec<NodeId>> = vec![Vec::new(); n];
    for (id, node) in graph.nodes.iter().enumerate() {
        for &operand in &node.operands {
            if users[operand as usize].last() != Some(&(id as NodeId)) {
                users[operand as usize].push(id as NodeId);
            }
        }
    }
    let mut is_output = vec![false; n];
    graph.outputs.iter().for_each(|&o| is_output[o as usize] = true);
    let mut chains =
        Chains { root: vec![None; n], members: vec![Vec::new(); n], sum: vec![None; n], turn: vec![None; n] };
    for id in (0..n as NodeId).rev() {
        let (at, node) = (id as usize, graph.node(id));
        // Operations on single numbers have an instruction of their own.
        if !is_elementwise(&node.op) || node.shape.size() == 1 || elsewhere(id) {
            continue;
        }
        let fits = |root: NodeId| graph.shape(root) == &node.shape && chains.members[root as usize].len() < MAX_STEPS;
        let of_users = users[at].first().and_then(|&first| chains.root[first as usize]);
        let common = of_users
            .filter(|&common| users[at].iter().all(|&u| chains.root[u as usize] == Some(common)) && fits(common));
        let sum = match users[at][..] {
            [to] if !elsewhere(to) && is_total(graph, to) => Some(Sum { of: id, to }),
            _ => None,
        };
        let sum = sum.filter(|_| !is_output[at]);
        let root = if let Some(common) = common.filter(|_| !is_output[at]) {
            common
        } else if sum.is_some()
            && let Some(root) =
                chains.sibling(graph, guards, &users, id).filter(|&root| fits(root) && stage(root) == stage(id))
        {
            chains.turn[root as usize] = None;
            chains.turn[at] = Some(root);
            root
        } else {
            chains.turn[at] = Some(id);
            id
        };
        chains.root[at] = Some(root);
        chains.members[root as usize].push(id);
        if let Some(sum) = sum {
            chains.sum[root as usize] = Some(sum);
        }
    }
    chains.members.iter_mut().for_each(|m| m.reverse());
    chains
}

/// Whether a node sums all elements of its operand.
fn is_total(graph: &Graph, id: NodeId) -> bool {
    matches!(graph.node(id).op, Op::Reduce { op: Reduction::Sum, .. }) && graph.shape(id).size() == 1
}

impl Chains {
    /// A chain without a sum that could be computed as early as `id` is, and that alone needs an operand of `id` too, which
    /// is then not stored.
    fn sibling(&self, graph: &Graph, guards: &[Guards], users: &[Vec<NodeId>], id: NodeId) -> Option<NodeId> {
        // Short arrays have an instruction of their own.
        if graph.shape(id).size() <= MAX_SHORT {
            return None;
        }
        let is_early = |root: NodeId| {
            let is_there = |operand: NodeId| {
                operand < id
                    || self.root[operand as usize] == Some(root)
                    || matches!(graph.node(operand).op, Op::Constant(_))
            };
            let mut later = self.members[root as usize].iter().filter(|&&member| member > id);
            later.all(|&member| {
                let conditions = guards[member as usize].iter().map(|guard| guard.condition);
                graph.node(member).operands.iter().copied().chain(conditions).all(is_there)
            })
        };
        let shared = |&operand: &NodeId| {
            let mut others = users[operand as usize].iter().filter(|&&user| user != id);
            let root = self.root[*others.next()? as usize]?;
            let node = graph.node(operand);
            let fits = is_elementwise(&node.op) && node.shape == *graph.shape(id) && !graph.outputs.contains(&operand);
            (fits && others.all(|&user| self.root[user as usize] == Some(root))).then_some(root)
        };
        let mut roots = graph.node(id).operands.iter().filter_map(shared);
        roots.find(|&root| root > id && self.sum[root as usize].is_none() && is_early(root))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Program, Var, trace};

    const N: usize = 100;

    /// The instructions of `f(x)`'s two outputs, and their values at `x[i] = sin i`.
    fn program(f: impl Fn(Var) -> [Var; 2]) -> (Vec<String>, Vec<f64>, Vec<f64>) {
        let (y, traced) = trace(|| f(Var::input(0, [N]))).unwrap();
        let program = Program::<f64>::compile(traced.tape(), &[&y[..1], &y[1..]]);
        let lengths = program.output_lengths();
        let (mut first, mut second) = (vec![0.0; lengths[0]], vec![0.0; lengths[1]]);
        let x: Vec<f64> = (0..N).map(|i| (i as f64).sin()).collect();
        program.evaluate(&mut program.workspace(), &[&x], &mut [&mut first, &mut second]);
        let name =
            |line: &str| line.split(" = ").nth(1).unwrap_or_default().split('(').next().unwrap_or_default().to_owned();
        let steps = |line: &str| line.split_once('[').map_or(String::new(), |(_, steps)| format!(" [{steps}"));
        let lines = program.explain();
        let names = lines.lines().skip(1).map(|line| name(line) + &steps(line)).filter(|name| name != "copy").collect();
        (names, first, second)
    }

    fn assert_close(got: &[f64], want: impl Fn(f64) -> f64) {
        for (i, got) in got.iter().enumerate() {
            let want = want((i as f64).sin());
            assert!((got - want).abs() <= 1e-14 * want.abs(), "{got} {want}");
        }
    }

    /// The sum over `x[i] = sin i`.
    fn sum(f: impl Fn(f64) -> f64) -> f64 {
        (0..N).map(|i| f((i as f64).sin())).sum()
    }

    #[test]
    fn a_sum_and_its_slopes_are_one_chain() {
        let (names, total, slopes) = program(|x| {
            let z = x * Var::from(&ndarray::Array1::from_elem(N, 2.0)) + x;
            [z.softplus().sum(), z.sigmoid() * x]
        });
        assert_eq!(names, ["fused and sum [mul_add softplus_sum_and_sigmoid mul]"]);
        assert!((total[0] - sum(|x| (3.0 * x).exp().ln_1p())).abs() < 1e-13 * total[0]);
        assert_close(&slopes, |x| x / (1.0 + (-3.0 * x).exp()));
    }

    #[test]
    fn a_sum_of_squares_and_its_slopes_are_one_chain() {
        let (names, total, slopes) = program(|x| {
            let z = x.exp() - x;
            [z.square().sum(), z * 3.0]
        });
        assert_eq!(names, ["fused and sum [exp sub mul]"]);
        assert!((total[0] - sum(|x| (x.exp() - x).powi(2))).abs() < 1e-13 * total[0]);
        assert_close(&slopes, |x| 3.0 * (x.exp() - x));
    }

    /// What is stored reads the sum, so it comes after it.
    #[test]
    fn what_needs_the_sum_is_a_chain_of_its_own() {
        let (names, total, scaled) = program(|x| {
            let z = x.exp() - x;
            let total = z.softplus().sum();
            [total, z.sigmoid() * total]
        });
        assert_eq!(names, ["fused [exp sub]", "fused sum []", "fused [sigmoid mul]"]);
        let want = sum(|x| (x.exp() - x).exp().ln_1p());
        assert!((total[0] - want).abs() < 1e-13 * want);
        assert_close(&scaled, |x| want / (1.0 + (x - x.exp()).exp()));
    }

    /// A sum of an array that somebody else reads too, and of an input, reads it once more.
    #[test]
    fn what_is_stored_anyway_is_no_reason() {
        let (names, ..) = program(|x| [x.square().sum(), x * 3.0]);
        assert_eq!(names, ["fused dot []", "fused [mul]"]);
    }
}
