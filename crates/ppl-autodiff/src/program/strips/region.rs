//! Which nodes of a graph compute row by row: the part of it that may run over a strip of rows at a time.

use crate::ops::{Op, Reduction};
use crate::program::fused::BLOCK;
use crate::program::graph::Graph;
use crate::shape::Shape;
use crate::tape::NodeId;

/// When a graph is computed in strips, and in which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// It has at least so many rows.
    pub rows: usize,
    /// And all arrays with rows have at least so many elements.
    pub elements: usize,
    /// The fewest and the most rows of a strip.
    pub strip: (usize, usize),
    /// The most rows where one instruction leaves no rows to the next.
    pub long: usize,
    /// From so many elements on, more than one thread is used where that is allowed.
    pub threads: usize,
}

impl Policy {
    /// From what the second-level cache does not hold together. Strips of fewer rows cost more to set out than to compute,
    /// and a thread costs some 20 us to start, the time of 2^16 elements. A strip costs some 100 ns to begin, the time in
    /// which memory is walked by some hundred rows.
    pub const PAYS: Policy =
        Policy { rows: 1024, elements: 1 << 17, strip: (64, 2048), long: 1 << 15, threads: 1 << 19 };
    /// Whatever has two rows, for tests.
    pub const ALWAYS: Policy = Policy { rows: 2, elements: 0, strip: (2, 3), long: 3, threads: usize::MAX };
    pub const NEVER: Policy =
        Policy { rows: usize::MAX, elements: usize::MAX, strip: (1, 1), long: 1, threads: usize::MAX };

    /// The rows of a strip of arrays that have `width` elements a row together, at most so many.
    pub fn strip_rows(&self, rows: usize, width: usize, most: usize) -> usize {
        let fitting = |elements: usize| elements / width.max(1);
        // Fewer than a block cost more to set out: for these the second-level cache may be full.
        let fitting = fitting(STRIP_ELEMENTS).max(fitting(4 * STRIP_ELEMENTS).min(BLOCK));
        let fitting = fitting.clamp(self.strip.0, most);
        // Whole vectors.
        let vectors = if fitting > 32 { fitting - fitting % 32 } else { fitting };
        vectors.min(rows)
    }
}

/// Elements of everything with rows in a strip: a quarter of a second-level cache.
const STRIP_ELEMENTS: usize = 1 << 15;

/// A set of nodes with an axis over rows each, row `i` of which needs no row but the `i`-th of others, and sums over these
/// rows. Everything that they need from outside can be computed before them.
#[derive(Debug)]
pub(crate) struct Region {
    /// The number of rows.
    pub rows: usize,
    /// Nodes that are computed in strips, sums among them.
    pub inside: Vec<bool>,
    /// Nodes that need something of these, and so come after them.
    pub after: Vec<bool>,
    /// The axis over rows, of the nodes inside that are no sums and of the leaves.
    pub axis: Vec<Option<usize>>,
    /// Nodes outside that the ones inside read row by row.
    pub leaves: Vec<NodeId>,
    /// Nodes outside, without rows, that the ones inside read.
    pub shared: Vec<NodeId>,
    /// Sums over rows.
    pub sums: Vec<NodeId>,
    /// Nodes with rows that something outside reads.
    pub each: Vec<NodeId>,
    /// Elements of a row of everything inside and of the leaves.
    pub width: usize,
}

/// What the rule for one node says.
enum Verdict {
    /// Computed in strips, with the axis over rows.
    Row(usize),
    /// A sum over rows.
    Sum,
    Outside,
}

/// The axis of extent `rows`, if there is just one.
fn only_axis(shape: &Shape, rows: usize) -> Option<usize> {
    let mut axes = (0..shape.rank()).filter(|&a| shape[a] == rows);
    let first = axes.next();
    if axes.next().is_some() { None } else { first }
}

/// An operand, as the rules see it.
#[derive(Clone, Copy)]
enum Operand {
    Row(usize),
    Shared,
    /// With rows in a way that no rule can use.
    Other,
}

impl Region {
    /// The region of a graph, if there is one that pays.
    pub fn find(graph: &Graph, policy: Policy) -> Option<Region> {
        let rows = row_count(graph, policy.rows)?;
        let n = graph.nodes.len();
        let (mut inside, mut after) = (vec![false; n], vec![false; n]);
        let mut axis: Vec<Option<usize>> = vec![None; n];
        let mut is_sum = vec![false; n];
        for (id, node) in graph.nodes.iter().enumerate() {
            if node.operands.iter().any(|&o| after[o as usize] || is_sum[o as usize]) {
                after[id] = true;
                continue;
            }
            let operands: Vec<Operand> = node
                .operands
                .iter()
                .map(|&o| match axis[o as usize] {
                    Some(axis) => Operand::Row(axis),
                    None if graph.shape(o).contains(&rows) => Operand::Other,
                    None => Operand::Shared,
                })
                .collect();
            let computed = operands.iter().any(|o| matches!(o, Operand::Row(_))) || matches!(node.op, Op::Broadcast(_));
            let verdict = if computed { rule(graph, id as NodeId, &operands, rows) } else { Verdict::Outside };
            match verdict {
                Verdict::Row(a) => {
                    inside[id] = true;
                    axis[id] = Some(a);
                }
                Verdict::Sum => {
                    inside[id] = true;
                    is_sum[id] = true;
                }
                Verdict::Outside if node.operands.iter().any(|&o| inside[o as usize]) => after[id] = true,
                // What can be read row by row: constants are laid out for it, other arrays must lie so.
                Verdict::Outside => {
                    let lies_so = |a: usize| matches!(node.op, Op::Constant(_)) || (a == 0 && computes(&node.op));
                    axis[id] = only_axis(&node.shape, rows).filter(|&a| lies_so(a));
                }
            }
        }
        let mut region = Region {
            rows,
            inside,
            after,
            axis,
            leaves: Vec::new(),
            shared: Vec::new(),
            sums: Vec::new(),
            each: Vec::new(),
            width: 0,
        };
        region.prune(graph);
        region.gather(graph, &is_sum);
        let steps = region.inside.iter().zip(&graph.nodes).filter(|(inside, node)| **inside && computes(&node.op));
        let pays = steps.count() >= 2 && region.width * rows >= policy.elements;
        pays.then_some(region)
    }

    /// Leaves out views that nothing inside reads: outside they cost nothing.
    fn prune(&mut self, graph: &Graph) {
        let mut read = vec![false; graph.nodes.len()];
        for (id, node) in graph.nodes.iter().enumerate().rev() {
            if self.inside[id] && !read[id] && !computes(&node.op) {
                self.inside[id] = false;
                self.axis[id] = None;
                self.after[id] = node.operands.iter().any(|&o| self.inside[o as usize]);
            }
            if self.inside[id] {
                node.operands.iter().for_each(|&o| read[o as usize] = true);
            }
        }
    }

    /// What goes in and what comes out.
    fn gather(&mut self, graph: &Graph, is_sum: &[bool]) {
        let n = graph.nodes.len();
        let (mut read_inside, mut read_outside) = (vec![false; n], vec![false; n]);
        for (id, node) in graph.nodes.iter().enumerate() {
            let read = if self.inside[id] { &mut read_inside } else { &mut read_outside };
            node.operands.iter().for_each(|&o| read[o as usize] = true);
        }
        graph.outputs.iter().for_each(|&o| read_outside[o as usize] = true);
        for (id, node) in graph.nodes.iter().enumerate() {
            let to = match (self.inside[id], is_sum[id]) {
                (true, true) => Some(&mut self.sums),
                (true, false) => read_outside[id].then_some(&mut self.each),
                (false, _) if !read_inside[id] => None,
                (false, _) if self.axis[id].is_some() => Some(&mut self.leaves),
                (false, _) => Some(&mut self.shared),
            };
            if let Some(list) = to {
                list.push(id as NodeId);
            }
            let is_leaf = !self.inside[id] && read_inside[id];
            if self.axis[id].is_some() && (is_leaf || self.inside[id] && computes(&node.op)) {
                self.width += node.shape.size() / self.rows;
            }
        }
    }
}

/// The number of rows that most of the data has.
fn row_count(graph: &Graph, least: usize) -> Option<usize> {
    let mut sizes: Vec<(usize, usize)> = Vec::new();
    let leaves = graph.nodes.iter().filter(|n| matches!(n.op, Op::Constant(_) | Op::Input { .. }));
    for node in leaves {
        for &extent in node.shape.iter().filter(|&&n| n >= least) {
            match sizes.iter_mut().find(|(n, _)| *n == extent) {
                Some((_, size)) => *size += node.shape.size(),
                None => sizes.push((extent, node.shape.size())),
            }
        }
    }
    sizes.into_iter().max_by_key(|&(_, size)| size).map(|(rows, _)| rows)
}

/// Whether an operation does more than to look at its operand in another way.
pub(super) fn computes(op: &Op) -> bool {
    !matches!(op, Op::Transpose(_) | Op::Reshape(_) | Op::Broadcast(_) | Op::Slice { .. })
}

/// Whether a node computes row by row, its operands being as they are.
fn rule(graph: &Graph, id: NodeId, operands: &[Operand], rows: usize) -> Verdict {
    let node = graph.node(id);
    let shape = &node.shape;
    if operands.iter().any(|o| matches!(o, Operand::Other)) {
        return Verdict::Outside;
    }
    let row = |i: usize| match operands[i] {
        Operand::Row(axis) => Some(axis),
        _ => None,
    };
    let rank = |i: usize| graph.shape(node.operands[i]).rank();
    // The axis of the result, if it is one and all operands with rows have theirs there, counted from the right.
    let aligned = |ignore: usize| {
        let axis = only_axis(shape, rows)?;
        let from_right = shape.rank() - axis;
        let fits = (0..operands.len()).all(|i| row(i).is_none_or(|a| rank(i) - a == from_right));
        (fits && from_right > ignore).then_some(axis)
    };
    let found = |axis: Option<usize>| axis.map_or(Verdict::Outside, Verdict::Row);
    match &node.op {
        Op::Unary(_) => found(row(0)),
        Op::Binary(_) | Op::Select | Op::Broadcast(_) => found(aligned(0)),
        Op::MatMul => {
            let (last, inner) = (rank(0) - 1, graph.shape(node.operands[0])[rank(0) - 1]);
            let right_inner = rank(1) - 2;
            match (row(0), row(1)) {
                (Some(a), Some(b)) if a == last && b == right_inner => Verdict::Sum,
                _ if inner == rows => Verdict::Outside,
                (Some(a), None) if a + 1 == last => found(only_axis(shape, rows).filter(|x| x + 2 == shape.rank())),
                (None, Some(b)) if b + 1 == rank(1) => found(only_axis(shape, rows).filter(|x| x + 1 == shape.rank())),
                _ => found(aligned(2)),
            }
        }
        Op::Reduce { op, axes } => match row(0) {
            Some(axis) if !axes.contains(&axis) => Verdict::Row(axis),
            Some(_) if *op == Reduction::Sum => Verdict::Sum,
            _ => Verdict::Outside,
        },
        Op::CumSum { axis, .. }
        | Op::Slice { axis, .. }
        | Op::Pad { axis, .. }
        | Op::Gather { axis, .. }
        | Op::ScatterAdd { axis, .. } => found(row(0).filter(|a| a != axis && only_axis(shape, rows) == Some(*a))),
        Op::Recurrence { axis, .. } | Op::Concat { axis } => {
            let first = row(0).filter(|a| a != axis && only_axis(shape, rows) == Some(*a));
            found(first.filter(|_| (0..operands.len()).all(|i| row(i) == first)))
        }
        Op::Transpose(order) => found(row(0).and_then(|a| order.iter().position(|&from| from == a))),
        Op::Reshape(_) => {
            let from = graph.shape(node.operands[0]);
            let before = |shape: &Shape, axis: usize| shape[..axis].iter().product::<usize>();
            let to = only_axis(shape, rows);
            found(to.filter(|&to| row(0).is_some_and(|a| before(from, a) == before(shape, to))))
        }
        _ => Verdict::Outside,
    }
}
