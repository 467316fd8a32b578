//! What a choice decides need not be decided again: in `select(c, f(select(c, x, 1)), -inf)` the inner choice makes `f`
//! harmless where its value does not count anyway. Where nothing else reads it, as in programs without derivatives, it is
//! left out.

use smallvec::SmallVec;

use crate::ops::Op;
use crate::program::graph::Graph;
use crate::tape::{Node, NodeId};

/// Conditions and how they went for the elements whose value counts.
type Decisions = SmallVec<[(NodeId, bool); 2]>;

pub(super) fn pass(graph: &Graph) -> Graph {
    let decisions = decisions(graph);
    let rule = |new: &mut Graph, id: NodeId, node: Node| {
        let old = graph.node(id);
        let decided = decisions[id as usize].iter().find(|(c, _)| old.op == Op::Select && *c == old.operands[0]);
        match decided.map(|&(_, holds)| node.operands[if holds { 1 } else { 2 }]) {
            Some(side) if *new.shape(side) == node.shape => side,
            Some(side) => new.op(Op::Broadcast(node.shape.clone()), &[side], node.shape.clone(), &node),
            None => new.add(node),
        }
    };
    graph.translate(rule).0
}

/// For each node what has been decided for all elements that are read.
fn decisions(graph: &Graph) -> Vec<Decisions> {
    // `None` until a use is known.
    let mut decisions: Vec<Option<Decisions>> = vec![None; graph.nodes.len()];
    let read = |decisions: &mut Vec<Option<Decisions>>, id: NodeId, with: Decisions| {
        let entry = &mut decisions[id as usize];
        match entry {
            Some(known) => known.retain(|d| with.contains(d)),
            None => *entry = Some(with),
        }
    };
    graph.outputs.iter().for_each(|&output| read(&mut decisions, output, Decisions::new()));
    let live = graph.live();
    for id in (0..graph.nodes.len()).rev().filter(|&id| live[id]) {
        let node = &graph.nodes[id];
        let own = decisions[id].get_or_insert_default().clone();
        for (i, &operand) in node.operands.iter().enumerate() {
            // Element by element, in the same places.
            let aligned = |id: NodeId| *graph.shape(id) == node.shape;
            let mut with = match node.op {
                Op::Unary(_) | Op::Binary(_) | Op::Select if aligned(operand) => own.clone(),
                _ => Decisions::new(),
            };
            if node.op == Op::Select && i > 0 && aligned(operand) && aligned(node.operands[0]) {
                with.push((node.operands[0], i == 1));
            }
            read(&mut decisions, operand, with);
        }
    }
    decisions.into_iter().map(Option::unwrap_or_default).collect()
}

#[cfg(test)]
mod tests {
    use crate::program::graph::Graph;
    use crate::{Var, gradient, trace};

    /// The operations for outputs of `f` of an array after the pass, without leaves and views.
    fn operations(f: impl Fn(Var) -> Vec<Var>) -> Vec<&'static str> {
        let (outputs, traced) = trace(|| f(Var::input(0, [9])).iter().map(|v| v.node()).collect::<Vec<_>>()).unwrap();
        let graph = super::pass(&Graph::from_tape(traced.tape(), &outputs));
        let graph = graph.rebuild(|g, node| g.add(node));
        let names = graph.nodes.iter().filter(|n| !n.operands.is_empty()).map(|n| n.op.name());
        names.filter(|name| !["broadcast_to", "reshape"].contains(name)).collect()
    }

    fn density(x: Var) -> Var {
        let inside = x.gt(0.0);
        inside.select(-inside.select(x, 1.0).ln(), f64::NEG_INFINITY)
    }

    #[test]
    fn a_value_is_not_guarded_twice() {
        assert_eq!(operations(|x| vec![density(x)]), ["gt", "ln", "neg", "select"]);
        // Nor where it does not count.
        let other = |x: Var| x.gt(0.0).select(1.0, x.gt(0.0).select(x.exp(), x.sin()) + 2.0);
        assert_eq!(operations(|x| vec![other(x)]), ["gt", "sin", "add", "select"]);
    }

    #[test]
    fn what_others_read_stays() {
        let both = |x: Var| {
            let safe = x.gt(0.0).select(x, 1.0);
            vec![x.gt(0.0).select(safe.ln(), 0.0), safe]
        };
        assert_eq!(operations(both), ["gt", "select", "ln", "select"]);
        // The derivative by a parameter reads it: a masked 0 times what is infinite would be NaN.
        let scaled = |x: Var, k: Var| x.gt(0.0).select(x.gt(0.0).select(x, 1.0) * k, 0.0).sum();
        let slope = |x: Var| {
            let k = Var::input(1, ());
            gradient(scaled(x, k), &[k])
        };
        assert_eq!(operations(slope), ["gt", "select", "select", "mul", "sum"]);
        // That by the value is chosen in the end.
        assert_eq!(operations(|x| gradient(density(x).sum(), &[x])).iter().filter(|n| **n == "select").count(), 1);
        // A sum reads all elements, whatever is chosen afterwards.
        let sum = |x: Var| vec![x.gt(0.0).select(x.gt(0.0).select(x, 1.0).sum() + x, 0.0)];
        assert_eq!(operations(sum), ["gt", "select", "sum", "add", "select"]);
    }
}
