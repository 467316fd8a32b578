//! Algebraic clean-up: identities, chains of views, functions of uniform arrays. Every rule keeps IEEE results
//! (`x * 0` stays, since x may not be finite), up to the sign of zero.

use crate::ops::{Axes, Binary, Op, Reduction, Unary};
use crate::program::graph::Graph;
use crate::shape::Shape;
use crate::tape::{Node, NodeId};
use crate::tensor::Tensor;

pub(super) fn pass(graph: &Graph) -> Graph {
    graph.rebuild(|new, node| match rule(new, &node) {
        Some(other) => other,
        None => new.add(node),
    })
}

/// What may stand in the place of a node, if anything simpler may.
fn rule(g: &mut Graph, node: &Node) -> Option<NodeId> {
    let x = |i: usize| node.operands[i];
    match &node.op {
        Op::Unary(Unary::Detach) => Some(x(0)),
        Op::Unary(op) => unary(g, node, *op, x(0)),
        Op::Binary(op) => binary(g, node, *op, x(0), x(1)),
        Op::Select => {
            let taken = if g.uniform(x(0))? != 0.0 { x(1) } else { x(2) };
            Some(broadcast(g, node, taken))
        }
        Op::Reduce { op, axes } => reduce(g, node, *op, axes, x(0)),
        Op::Broadcast(shape) => {
            let inner = g.node(x(0)).clone();
            match inner.op {
                _ if inner.shape == *shape => Some(x(0)),
                Op::Broadcast(_) => Some(g.op(node.op.clone(), &inner.operands, shape.clone(), node)),
                _ => None,
            }
        }
        Op::Reshape(shape) => {
            let inner = g.node(x(0)).clone();
            match inner.op {
                _ if inner.shape == *shape => Some(x(0)),
                Op::Reshape(_) => {
                    let source = inner.operands[0];
                    if g.shape(source) == shape {
                        return Some(source);
                    }
                    Some(g.op(node.op.clone(), &[source], shape.clone(), node))
                }
                _ => Some(g.filled_from(x(0), shape, node)?),
            }
        }
        Op::Transpose(order) => transpose(g, node, order, x(0)),
        _ => None,
    }
}

impl Graph {
    /// A uniform node in another shape.
    fn filled_from(&mut self, id: NodeId, shape: &Shape, like: &Node) -> Option<NodeId> {
        let value = self.uniform(id)?;
        Some(self.filled(value, shape, like))
    }
}

/// `id` in the shape of `node`.
fn broadcast(g: &mut Graph, node: &Node, id: NodeId) -> NodeId {
    if *g.shape(id) == node.shape {
        return id;
    }
    g.op(Op::Broadcast(node.shape.clone()), &[id], node.shape.clone(), node)
}

fn unary(g: &mut Graph, node: &Node, op: Unary, x: NodeId) -> Option<NodeId> {
    if let Some(value) = g.uniform(x) {
        return Some(g.filled(op.value(value), &node.shape, node));
    }
    let inner = g.node(x).clone();
    match (op, &inner.op) {
        // Of one number for all elements, once.
        (_, Op::Broadcast(_)) if node.shape.size() > 1 => {
            let number = inner.operands[0];
            let shape = g.shape(number).clone();
            if shape.size() != 1 {
                return None;
            }
            let once = g.op(Op::Unary(op), &[number], shape, node);
            Some(broadcast(g, node, once))
        }
        (Unary::Neg, Op::Unary(Unary::Neg)) => Some(inner.operands[0]),
        // -(a - b) = b - a
        (Unary::Neg, Op::Binary(Binary::Sub)) => {
            let swapped = [inner.operands[1], inner.operands[0]];
            Some(g.op(Op::Binary(Binary::Sub), &swapped, node.shape.clone(), node))
        }
        // -(a c) = a (-c)
        (Unary::Neg, Op::Binary(Binary::Mul)) => {
            let (a, c) = factor(g, &inner)?;
            let negative = g.filled(-c, &Shape::scalar(), node);
            Some(g.op(Op::Binary(Binary::Mul), &[a, negative], node.shape.clone(), node))
                .filter(|_| *g.shape(a) == node.shape)
        }
        _ => None,
    }
}

/// A product with a uniform factor: the other factor and the number.
fn factor(g: &Graph, node: &Node) -> Option<(NodeId, f64)> {
    if node.op != Op::Binary(Binary::Mul) {
        return None;
    }
    let (a, b) = (node.operands[0], node.operands[1]);
    match (g.uniform(a), g.uniform(b)) {
        (Some(c), None) => Some((b, c)),
        (None, Some(c)) => Some((a, c)),
        _ => None,
    }
}

fn binary(g: &mut Graph, node: &Node, op: Binary, a: NodeId, b: NodeId) -> Option<NodeId> {
    let (left, right) = (g.uniform(a), g.uniform(b));
    if let (Some(left), Some(right)) = (left, right) {
        return Some(g.filled(op.value(left, right), &node.shape, node));
    }
    match (op, left, right) {
        (Binary::Add, Some(0.0), _) | (Binary::Mul, Some(1.0), _) => {
            return Some(broadcast(g, node, b));
        }
        (Binary::Add | Binary::Sub, _, Some(0.0)) | (Binary::Mul | Binary::Div | Binary::Pow, _, Some(1.0)) => {
            return Some(broadcast(g, node, a));
        }
        // A condition is 0 or 1, which 0 makes 0.
        (Binary::Mul, Some(0.0), _) if g.is_condition(b) => return Some(g.filled(0.0, &node.shape, node)),
        (Binary::Mul, _, Some(0.0)) if g.is_condition(a) => return Some(g.filled(0.0, &node.shape, node)),
        (Binary::Mul, _, Some(-1.0)) => {
            let a = broadcast(g, node, a);
            return Some(g.op(Op::Unary(Unary::Neg), &[a], node.shape.clone(), node));
        }
        (Binary::Mul, Some(-1.0), _) => {
            let b = broadcast(g, node, b);
            return Some(g.op(Op::Unary(Unary::Neg), &[b], node.shape.clone(), node));
        }
        (Binary::Pow, _, Some(2.0)) => {
            let a = broadcast(g, node, a);
            return Some(g.op(Op::Unary(Unary::Square), &[a], node.shape.clone(), node));
        }
        _ => {}
    }
    // Broadcasting is implied by the operation, so a uniform operand may be the bare number.
    let scalar = |g: &mut Graph, id: NodeId, value: Option<f64>, other: NodeId| {
        let value = value?;
        (g.shape(id).rank() > 0 && *g.shape(other) == node.shape).then(|| g.filled(value, &Shape::scalar(), node))
    };
    if let Some(bare) = scalar(g, a, left, b) {
        return Some(g.op(node.op.clone(), &[bare, b], node.shape.clone(), node));
    }
    if let Some(bare) = scalar(g, b, right, a) {
        return Some(g.op(node.op.clone(), &[a, bare], node.shape.clone(), node));
    }
    let negated = |g: &Graph, id: NodeId| {
        let inner = g.node(id);
        (inner.op == Op::Unary(Unary::Neg)).then(|| inner.operands[0])
    };
    match op {
        // a + (-b) = a - b, (-a) + b = b - a, a - (-b) = a + b
        Binary::Add => {
            if let Some(b) = negated(g, b) {
                return Some(g.op(Op::Binary(Binary::Sub), &[a, b], node.shape.clone(), node));
            }
            let a = negated(g, a)?;
            Some(g.op(Op::Binary(Binary::Sub), &[b, a], node.shape.clone(), node))
        }
        Binary::Sub => {
            if let Some(b) = negated(g, b) {
                return Some(g.op(Op::Binary(Binary::Add), &[a, b], node.shape.clone(), node));
            }
            // -a - k = -k - a where k is a number and a is not: it is negated once, not for every element.
            let a = negated(g, a).filter(|&a| g.shape(a).size() > 1 && g.shape(b).size() == 1)?;
            let negative = g.op(Op::Unary(Unary::Neg), &[b], g.shape(b).clone(), node);
            Some(g.op(Op::Binary(Binary::Sub), &[negative, a], node.shape.clone(), node))
        }
        // (a + a) c = a (2 c), as in the derivative of a square.
        Binary::Mul if let Some((a, c)) = doubled(g, [a, b], [left, right]) => {
            let c = g.filled(c, &Shape::scalar(), node);
            let product = binary(g, node, Binary::Mul, a, c);
            Some(product.unwrap_or_else(|| g.op(Op::Binary(Binary::Mul), &[a, c], node.shape.clone(), node)))
        }
        // (-a) / b = -(a / b): signs meet outside, where two of them cancel.
        Binary::Div => {
            let a = negated(g, a)?;
            let quotient = g.op(Op::Binary(Binary::Div), &[a, b], node.shape.clone(), node);
            Some(g.op(Op::Unary(Unary::Neg), &[quotient], node.shape.clone(), node))
        }
        // (-a) c = a (-c), where c is data and so negated once.
        Binary::Mul => {
            let data = |g: &Graph, id: NodeId| match g.node(id).op {
                Op::Constant(entry) => Some(g.constants[entry as usize].clone()),
                _ => None,
            };
            let (a, c) = match (negated(g, a), negated(g, b)) {
                (Some(a), _) => (a, data(g, b)?),
                (_, Some(b)) => (b, data(g, a)?),
                _ => return None,
            };
            let negative = c.data().iter().map(|c| -c).collect::<Vec<f64>>();
            let negative = g.constant(Tensor::new(c.shape().clone(), negative)?, node);
            Some(g.op(Op::Binary(Binary::Mul), &[a, negative], node.shape.clone(), node))
        }
        _ => None,
    }
}

/// Of a product of `a + a` and a number the a and twice the number.
fn doubled(g: &Graph, operands: [NodeId; 2], numbers: [Option<f64>; 2]) -> Option<(NodeId, f64)> {
    let (sum, c) = match numbers {
        [None, Some(c)] => (operands[0], c),
        [Some(c), None] => (operands[1], c),
        _ => return None,
    };
    let sum = g.node(sum);
    let twice = sum.op == Op::Binary(Binary::Add) && sum.operands[0] == sum.operands[1];
    (twice && (2.0 * c).is_finite()).then(|| (sum.operands[0], 2.0 * c))
}

fn reduce(g: &mut Graph, node: &Node, op: Reduction, axes: &Axes, x: NodeId) -> Option<NodeId> {
    let count: usize = axes.iter().map(|&a| g.shape(x)[a]).product();
    if count == 1 {
        return Some(x);
    }
    if op == Reduction::Sum && count > 0 {
        let value = g.uniform(x)?;
        return Some(g.filled(value * count as f64, &node.shape, node));
    }
    None
}

fn transpose(g: &mut Graph, node: &Node, order: &Axes, x: NodeId) -> Option<NodeId> {
    if order.iter().copied().eq(0..order.len()) {
        return Some(x);
    }
    if let Some(filled) = g.filled_from(x, &node.shape, node) {
        return Some(filled);
    }
    let inner = g.node(x).clone();
    let Op::Transpose(first) = &inner.op else {
        return None;
    };
    let both: Axes = order.iter().map(|&a| first[a]).collect();
    if both.iter().copied().eq(0..both.len()) {
        return Some(inner.operands[0]);
    }
    Some(g.op(Op::Transpose(both), &inner.operands, node.shape.clone(), node))
}

#[cfg(test)]
mod tests {
    use crate::program::graph::Graph;
    use crate::{Var, trace};

    /// The operations of `f(x)` after the pass, without leaves.
    fn simplified(f: impl Fn(Var) -> Var) -> Vec<&'static str> {
        let (y, traced) = trace(|| f(Var::input(0, [3])).node()).unwrap();
        let graph = super::pass(&Graph::from_tape(traced.tape(), &[y]));
        let graph = graph.rebuild(|g, node| g.add(node));
        graph.nodes.iter().filter(|n| !n.operands.is_empty()).map(|n| n.op.name()).collect()
    }

    #[test]
    fn identities_disappear() {
        assert_eq!(simplified(|x| (x * 1.0 + 0.0) / 1.0), [""; 0]);
        assert_eq!(simplified(|x| -(-x)), [""; 0]);
        assert_eq!(simplified(|x| x.reshape([3, 1]).reshape([1, 3]).reshape([3])), [""; 0]);
        assert_eq!(simplified(|x| x.expand_dims(0).t().t().squeeze(0)), [""; 0]);
    }

    #[test]
    fn sums_with_negatives_become_differences() {
        assert_eq!(simplified(|x| x.exp() + -x), ["exp", "sub"]);
        assert_eq!(simplified(|x| -(x * 2.0)), ["mul"]);
        assert_eq!(simplified(|x| -x.exp() * Var::from(&ndarray::arr1(&[1.0, 2.0, 4.0]))), ["exp", "mul"]);
        assert_eq!(simplified(|x| -x.exp() - x.slice(0, 0..1).squeeze(0)), ["exp", "slice", "reshape", "neg", "sub"]);
    }

    #[test]
    fn the_slope_of_a_square_is_one_product() {
        assert_eq!(simplified(|x| (x + x) * 3.0), ["mul"]);
        assert_eq!(simplified(|x| -((x + x) * -0.5 / x.exp())), ["exp", "div"]);
        assert_eq!(simplified(|x| (x + x) * f64::MAX), ["add", "mul"], "twice the number is infinite");
    }

    #[test]
    fn zero_times_x_stays_because_x_may_be_infinite() {
        assert_eq!(simplified(|x| x * 0.0), ["mul"]);
    }

    #[test]
    fn what_holds_nowhere_with_another_condition_holds_nowhere() {
        assert_eq!(simplified(|x| (x.gt(2.0) * x.lt(3.0) * Var::from(0.0)).select(x.exp(), x)), [""; 0]);
        assert_eq!(simplified(|x| (x.gt(2.0) * x * 0.0).select(x, 1.0)), ["gt", "mul", "mul", "select"]);
    }

    #[test]
    fn functions_of_uniform_arrays_are_numbers() {
        assert_eq!(simplified(|x| x * Var::zeros([3]).exp()), [""; 0]);
        let number = |x: Var| x.slice(0, 0..1).broadcast_to([3]);
        assert_eq!(simplified(|x| x * number(x).exp()), ["slice", "exp", "broadcast_to", "mul"]);
    }
}
