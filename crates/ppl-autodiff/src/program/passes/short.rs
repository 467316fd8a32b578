//! Reductions of a short last axis become operations on its slices, which run over all rows at once: a loop over two or
//! three elements costs more than what it does.

use crate::ops::{Binary, Op, Reduction};
use crate::program::graph::Graph;
use crate::tape::{Node, NodeId};

/// The longest axis that is taken apart.
const LONGEST: usize = 4;
/// The fewest rows for which that pays.
const FEWEST: usize = 16;

pub(super) fn pass(graph: &Graph) -> Graph {
    graph.rebuild(|g, node| slices(g, &node).unwrap_or_else(|| g.add(node)))
}

fn slices(g: &mut Graph, node: &Node) -> Option<NodeId> {
    let Op::Reduce { op, axes } = &node.op else { return None };
    let op = match op {
        Reduction::Sum => Binary::Add,
        Reduction::Max => Binary::Max,
        Reduction::Min => Binary::Min,
        Reduction::LogSumExp => return None,
    };
    let [axis] = axes[..] else { return None };
    let x = node.operands[0];
    let shape = g.shape(x).clone();
    let length = shape[axis];
    let is_last = shape[axis + 1..].iter().all(|&n| n == 1);
    if !is_last || !(2..=LONGEST).contains(&length) || node.shape.size() < FEWEST {
        return None;
    }
    let part = |g: &mut Graph, start: usize| {
        g.op(Op::Slice { axis, start, step: 1, length: 1 }, &[x], node.shape.clone(), node)
    };
    let first = part(g, 0);
    Some((1..length).fold(first, |sum, start| {
        let next = part(g, start);
        g.op(Op::Binary(op), &[sum, next], node.shape.clone(), node)
    }))
}

#[cfg(test)]
mod tests {
    use crate::program::graph::Graph;
    use crate::{Var, trace};

    /// The names of the operations of a reduction before and after.
    fn names(shape: [usize; 2], axis: isize) -> Vec<&'static str> {
        let (y, traced) = trace(|| Var::input(0, shape).max_axis(axis).node()).unwrap();
        let graph = super::pass(&Graph::from_tape(traced.tape(), &[y]));
        graph.nodes.iter().map(|n| n.op.name()).filter(|n| !["input", "reshape"].contains(n)).collect()
    }

    #[test]
    fn a_short_last_axis_becomes_slices() {
        assert_eq!(names([20, 3], 1), ["slice", "slice", "max", "slice", "max"]);
        assert_eq!(names([20, 5], 1), ["max_axis"], "too long");
        assert_eq!(names([3, 20], 0), ["max_axis"], "not the last");
        assert_eq!(names([8, 3], 1), ["max_axis"], "too few rows");
    }
}
