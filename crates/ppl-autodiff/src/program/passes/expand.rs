//! Reductions that are compositions: `logsumexp` becomes maximum, exponential, sum and logarithm.

use crate::ops::{Axes, Binary, Op, Reduction, Unary};
use crate::program::graph::Graph;
use crate::shape::Shape;
use crate::tape::{Node, NodeId};

pub(super) fn pass(graph: &Graph) -> Graph {
    graph.rebuild(|g, node| match &node.op {
        Op::Reduce { op: Reduction::LogSumExp, axes } => logsumexp(g, &node, axes),
        _ => g.add(node),
    })
}

/// `m + ln sum e^(x - m)` with m the maximum where that is finite and 0 elsewhere, so that -inf, +inf and NaN come out.
fn logsumexp(g: &mut Graph, node: &Node, axes: &Axes) -> NodeId {
    let x = node.operands[0];
    let (full, small) = (g.shape(x).clone(), node.shape.clone());
    let number = |g: &mut Graph, value| g.filled(value, &Shape::scalar(), node);
    let max = g.op(Op::Reduce { op: Reduction::Max, axes: axes.clone() }, &[x], small.clone(), node);
    let size = g.op(Op::Unary(Unary::Abs), &[max], small.clone(), node);
    let infinity = number(g, f64::INFINITY);
    let finite = g.op(Op::Binary(Binary::Lt), &[size, infinity], small.clone(), node);
    let zero = number(g, 0.0);
    let shift = g.op(Op::Select, &[finite, max, zero], small.clone(), node);
    let centred = g.op(Op::Binary(Binary::Sub), &[x, shift], full.clone(), node);
    let power = g.op(Op::Unary(Unary::Exp), &[centred], full, node);
    let sum = g.op(Op::Reduce { op: Reduction::Sum, axes: axes.clone() }, &[power], small.clone(), node);
    let log = g.op(Op::Unary(Unary::Ln), &[sum], small.clone(), node);
    g.op(Op::Binary(Binary::Add), &[log, shift], small, node)
}
