//! A function of a choice between two numbers is a choice between two values of the function, which are computed once and
//! not for every element: `ln(select(c, p, 1)) = select(c, ln p, ln 1)`.

use crate::ops::Op;
use crate::program::graph::Graph;
use crate::shape::Shape;
use crate::tape::{Node, NodeId};

pub(super) fn pass(graph: &Graph) -> Graph {
    graph.rebuild(|g, node| rule(g, &node).unwrap_or_else(|| g.add(node)))
}

fn rule(g: &mut Graph, node: &Node) -> Option<NodeId> {
    if node.shape.size() == 1 {
        return None;
    }
    match (&node.op, &node.operands[..]) {
        (Op::Unary(_), &[x]) => {
            let choice = of_numbers(g, node, x)?;
            Some(distribute(g, node, &choice, |part| vec![part]))
        }
        (Op::Binary(_), &[x, y]) => {
            let number = |g: &Graph, id: NodeId| g.shape(id).size() == 1;
            if number(g, y)
                && let Some(choice) = of_numbers(g, node, x)
            {
                return Some(distribute(g, node, &choice, |part| [part, y].to_vec()));
            }
            let choice = of_numbers(g, node, y).filter(|_| number(g, x))?;
            Some(distribute(g, node, &choice, |part| [x, part].to_vec()))
        }
        (Op::Select, &[c, yes, no]) => {
            // Within a choice the same condition has been decided.
            let decided = |g: &Graph, id: NodeId, side: usize| {
                let inner = g.node(id);
                (inner.op == Op::Select && inner.operands[0] == c).then(|| inner.operands[side])
            };
            let new = [decided(g, yes, 1).unwrap_or(yes), decided(g, no, 2).unwrap_or(no)];
            (new != [yes, no]).then(|| g.op(Op::Select, &[c, new[0], new[1]], node.shape.clone(), node))
        }
        _ => None,
    }
}

/// A node that chooses between two numbers for each element of `node`: condition and numbers.
fn of_numbers(g: &Graph, node: &Node, id: NodeId) -> Option<[NodeId; 3]> {
    let choice = g.node(id);
    let &[c, yes, no] = &choice.operands[..] else { return None };
    let number = |id: NodeId| g.shape(id).size() == 1 && g.shape(id).rank() <= node.shape.rank();
    let fits = choice.op == Op::Select && choice.shape == node.shape && number(yes) && number(no);
    (fits && g.shape(c).size() > 1).then_some([c, yes, no])
}

/// The choice between `node`'s operation on one number and on the other.
fn distribute(g: &mut Graph, node: &Node, choice: &[NodeId; 3], operands: impl Fn(NodeId) -> Vec<NodeId>) -> NodeId {
    let [yes, no] = [choice[1], choice[2]].map(|part| {
        let operands = operands(part);
        let rank = operands.iter().map(|&o| g.shape(o).rank()).max().unwrap_or(0);
        let shape: Shape = (0..rank).map(|_| 1).collect();
        g.op(node.op.clone(), &operands, shape, node)
    });
    g.op(Op::Select, &[choice[0], yes, no], node.shape.clone(), node)
}

#[cfg(test)]
mod tests {
    use crate::program::graph::Graph;
    use crate::{Var, trace};

    /// The operations of `f` of a vector and a number after the pass, and the sizes of their results.
    fn operations(f: impl Fn(Var, Var) -> Var) -> Vec<(&'static str, usize)> {
        let (y, traced) = trace(|| f(Var::input(0, [7]), Var::input(1, ())).node()).unwrap();
        let graph = super::pass(&Graph::from_tape(traced.tape(), &[y]));
        let graph = graph.part(&graph.outputs);
        let inner = |name: &str| !["input", "constant"].contains(&name);
        graph.nodes.iter().map(|n| (n.op.name(), n.shape.size())).filter(|(name, _)| inner(name)).collect()
    }

    #[test]
    fn functions_of_a_choice_between_numbers_are_computed_once() {
        let chosen = |x: Var, p: Var| x.gt(0.5).select(p, 1.0).ln() * 2.0;
        // Of p: its logarithm and twice that; of 1: the same, which folding does.
        assert_eq!(operations(chosen), [("gt", 7), ("ln", 1), ("ln", 1), ("mul", 1), ("mul", 1), ("select", 7)]);
        let other = |x: Var, _: Var| x.gt(0.5).select(x, 1.0).ln();
        assert_eq!(operations(other), [("gt", 7), ("select", 7), ("ln", 7)]);
    }

    #[test]
    fn a_condition_is_decided_once() {
        let nested = |x: Var, p: Var| {
            let c = x.gt(p);
            c.select(c.select(x.exp(), x.ln()), 0.0)
        };
        assert_eq!(operations(nested), [("gt", 7), ("exp", 7), ("select", 7)]);
    }
}
