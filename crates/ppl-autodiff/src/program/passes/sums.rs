//! What is one number for all elements is taken out of their sum: `sum(k x) = k sum(x)`. What stays is often a plain sum
//! of products, made in one pass over the data.
//!
//! A term, one number or data, leaves only the sum of multiples of a square, as of a normal density: there no digits are
//! lost. In `sum(x - m)` they would be, since `x` and `n m` may be large where all differences are small.

use crate::ops::{Axes, Binary, Op, Reduction, Unary};
use crate::program::graph::Graph;
use crate::shape::Shape;
use crate::tape::{Node, NodeId};

pub(super) fn pass(graph: &Graph) -> Graph {
    graph.rebuild(|new, node| match &node.op {
        Op::Reduce { op: Reduction::Sum, axes } => sum(new, &node, axes, node.operands[0]),
        _ => new.add(node),
    })
}

/// The sum of `x` in the place of `node`, with everything taken out of it that may be.
fn sum(g: &mut Graph, node: &Node, axes: &Axes, x: NodeId) -> NodeId {
    let inner = g.node(x).clone();
    let binary =
        |g: &mut Graph, op: Binary, a: NodeId, b: NodeId| g.op(Op::Binary(op), &[a, b], node.shape.clone(), node);
    match inner.op {
        // n k
        Op::Broadcast(_) if inner.shape.size() > 1 && number(g, x).is_some() => {
            let k = scalar(g, node, inner.operands[0]);
            let count: usize = axes.iter().map(|&axis| inner.shape[axis]).product();
            let count = g.filled(count as f64, &Shape::scalar(), node);
            let sum = g.op(Op::Binary(Binary::Mul), &[k, count], Shape::scalar(), node);
            if node.shape.rank() == 0 {
                return sum;
            }
            return g.op(Op::Broadcast(node.shape.clone()), &[sum], node.shape.clone(), node);
        }
        Op::Unary(Unary::Neg) => {
            let sum = sum(g, node, axes, inner.operands[0]);
            return g.op(Op::Unary(Unary::Neg), &[sum], node.shape.clone(), node);
        }
        Op::Binary(op @ (Binary::Mul | Binary::Div | Binary::Add | Binary::Sub)) => {
            let (mut a, mut b) = (inner.operands[0], inner.operands[1]);
            if matches!(op, Binary::Mul | Binary::Add) && number(g, a).is_some() {
                (a, b) = (b, a);
            }
            let factors = matches!(op, Binary::Mul | Binary::Div);
            if *g.shape(a) == inner.shape
                && let Some(k) = number(g, b)
                && (factors || is_multiple_of_square(g, a))
            {
                let sum = sum(g, node, axes, a);
                let k = scalar(g, node, k);
                if factors {
                    return binary(g, op, sum, k);
                }
                let count: usize = axes.iter().map(|&axis| inner.shape[axis]).product();
                let count = g.filled(count as f64, &Shape::scalar(), node);
                let all = g.op(Op::Binary(Binary::Mul), &[k, count], Shape::scalar(), node);
                return binary(g, op, sum, all);
            }
            // Data are added up once.
            if let Op::Constant(data) = g.node(b).op
                && !factors
                && node.shape.size() == 1
                && [a, b].iter().all(|&id| *g.shape(id) == inner.shape)
                && is_multiple_of_square(g, a)
            {
                let sum = sum(g, node, axes, a);
                let all = g.constants[data as usize].data().iter().sum();
                let all = g.filled(all, &Shape::scalar(), node);
                return binary(g, op, sum, all);
            }
        }
        _ => {}
    }
    g.op(node.op.clone(), &[x], node.shape.clone(), node)
}

/// A single number without axes.
fn scalar(g: &mut Graph, node: &Node, k: NodeId) -> NodeId {
    if g.shape(k).rank() == 0 {
        return k;
    }
    g.op(Op::Reshape(Shape::scalar()), &[k], Shape::scalar(), node)
}

/// The one number that fills an array.
fn number(g: &Graph, id: NodeId) -> Option<NodeId> {
    let node = g.node(id);
    match node.op {
        _ if node.shape.size() == 1 => Some(id),
        Op::Broadcast(_) => Some(node.operands[0]).filter(|&inner| g.shape(inner).size() == 1),
        _ => None,
    }
}

/// A square, divided or multiplied by a number or not.
fn is_multiple_of_square(g: &Graph, id: NodeId) -> bool {
    let node = g.node(id);
    match (&node.op, &node.operands[..]) {
        (Op::Unary(Unary::Square), _) => true,
        (Op::Unary(Unary::Neg), &[a]) => is_multiple_of_square(g, a),
        (Op::Binary(Binary::Mul), &[a, b]) => {
            a == b
                || number(g, b).is_some() && is_multiple_of_square(g, a)
                || number(g, a).is_some() && is_multiple_of_square(g, b)
        }
        (Op::Binary(Binary::Div), &[a, b]) => number(g, b).is_some() && is_multiple_of_square(g, a),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::program::graph::Graph;
    use crate::{Var, trace};

    /// The operations for `f` of an array and a number after the pass, without leaves and views.
    fn operations(f: impl Fn(Var, Var) -> Var) -> Vec<&'static str> {
        let (y, traced) = trace(|| f(Var::input(0, [9]), Var::input(1, [])).node()).unwrap();
        let graph = super::pass(&Graph::from_tape(traced.tape(), &[y]));
        let graph = graph.rebuild(|g, node| g.add(node));
        let names = graph.nodes.iter().filter(|n| !n.operands.is_empty()).map(|n| n.op.name());
        names.filter(|name| !["broadcast_to", "reshape"].contains(name)).collect()
    }

    #[test]
    fn factors_leave_sums() {
        assert_eq!(operations(|x, k| (x.exp() * k).sum()), ["exp", "sum", "mul"]);
        assert_eq!(operations(|x, k| (k * -(x / 2.0)).sum()), ["sum", "div", "neg", "mul"]);
        assert_eq!(operations(|x, k| (x * x.exp() * k).sum()), ["exp", "mul", "sum", "mul"]);
    }

    #[test]
    fn the_sum_of_one_number_is_a_product() {
        assert_eq!(operations(|x, k| (k.exp().broadcast_to([9])).sum() + x.sum()), ["exp", "mul", "sum", "add"]);
    }

    #[test]
    fn data_leave_sums_of_squares() {
        let data = || Var::from(&(0..9).map(f64::from).collect::<ndarray::Array1<f64>>());
        assert_eq!(operations(|x, _| (x.square() * -0.5 - data()).sum()), ["square", "sum", "mul", "sub"]);
        assert_eq!(operations(|x, _| (x - data()).sum()), ["sub", "sum"]);
    }

    #[test]
    fn terms_leave_only_sums_of_squares() {
        assert_eq!(operations(|x, k| (x - k).sum()), ["sub", "sum"]);
        assert_eq!(operations(|x, k| (x.square() * -0.5 - k).sum()), ["square", "sum", "mul", "mul", "sub"]);
    }
}
