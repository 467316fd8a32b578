//! A function of a choice between numbers is a choice between values of the function, which are computed once and not for
//! every element: `ln(select(c, p, 1)) = select(c, ln p, ln 1)`. So is a function of two choices by the same conditions.

use std::collections::HashSet;

use crate::ops::{Binary, Op, Unary};
use crate::program::graph::Graph;
use crate::shape::Shape;
use crate::tape::{Node, NodeId};

/// The most numbers among which is chosen.
const MOST: usize = 32;

pub(super) fn pass(graph: &Graph) -> Graph {
    let uses = graph.uses();
    let live = graph.live();
    let mut choices = Choices { new: Graph::default(), single: HashSet::new() };
    let mut place: Vec<NodeId> = vec![NodeId::MAX; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate().filter(|&(id, _)| live[id]) {
        place[id] = match node.op {
            Op::Constant(c) => choices.new.constant(graph.constants[c as usize].clone(), node),
            _ => {
                let mut node = node.clone();
                node.operands.iter_mut().for_each(|o| *o = place[*o as usize]);
                choices.rule(&node).unwrap_or_else(|| choices.new.add(node))
            }
        };
        if uses[id] == 1 {
            choices.single.insert(place[id]);
        }
    }
    choices.new.outputs = graph.outputs.iter().map(|&o| place[o as usize]).collect();
    choices.new
}

struct Choices {
    new: Graph,
    /// Nodes that have one user: their choice is free to be replaced.
    single: HashSet<NodeId>,
}

impl Choices {
    fn rule(&mut self, node: &Node) -> Option<NodeId> {
        if node.shape.size() == 1 {
            return None;
        }
        match (&node.op, &node.operands[..]) {
            (Op::Unary(_), &[x]) => {
                let leaves = self.leaves(node, x).filter(|&n| n > 1)?;
                self.pays(node, x, leaves).then(|| self.map(node, [x, x]))
            }
            (Op::Binary(_), &[x, y]) => {
                let leaves = self.common_leaves(node, x, y).filter(|&n| n > 1)?;
                let pays = [x, y].iter().all(|&id| self.is_number(id) || self.pays(node, id, leaves));
                pays.then(|| self.map(node, [x, y]))
            }
            (Op::Select, &[c, yes, no]) => {
                // Within a choice the same condition has been decided.
                let decided = |id: NodeId, side: usize| {
                    let inner = self.new.node(id);
                    (inner.op == Op::Select && inner.operands[0] == c).then(|| inner.operands[side])
                };
                let new = [decided(yes, 1).unwrap_or(yes), decided(no, 2).unwrap_or(no)];
                (new != [yes, no]).then(|| self.new.op(Op::Select, &[c, new[0], new[1]], node.shape.clone(), node))
            }
            _ => None,
        }
    }

    fn is_number(&self, id: NodeId) -> bool {
        self.new.shape(id).size() == 1
    }

    /// What costs no more than a choice is worth it only where the old choice is needed no longer.
    fn pays(&self, node: &Node, choice: NodeId, leaves: usize) -> bool {
        let cheap = matches!(
            node.op,
            Op::Unary(Unary::Neg | Unary::Abs | Unary::Square)
                | Op::Binary(Binary::Add | Binary::Sub | Binary::Mul | Binary::Max | Binary::Min)
        );
        leaves == 2 || !cheap || self.single.contains(&choice)
    }

    /// The condition and the sides of a choice for each element of `node`.
    fn choice(&self, node: &Node, id: NodeId) -> Option<[NodeId; 3]> {
        let choice = self.new.node(id);
        let &[c, yes, no] = &choice.operands[..] else { return None };
        let fits = choice.op == Op::Select && choice.shape == node.shape && !self.is_number(c);
        fits.then_some([c, yes, no])
    }

    /// Among how many numbers a node chooses, if it does nothing else; 1 for a number.
    fn leaves(&self, node: &Node, id: NodeId) -> Option<usize> {
        if self.is_number(id) {
            return (self.new.shape(id).rank() <= node.shape.rank()).then_some(1);
        }
        let [_, yes, no] = self.choice(node, id)?;
        Some(self.leaves(node, yes)? + self.leaves(node, no)?).filter(|&n| n <= MOST)
    }

    /// The same for a pair that chooses by the same conditions, or of which one is a number.
    fn common_leaves(&self, node: &Node, x: NodeId, y: NodeId) -> Option<usize> {
        if self.is_number(x) || self.is_number(y) {
            return Some(self.leaves(node, x)?.max(self.leaves(node, y)?));
        }
        let ([c, yes, no], [d, other_yes, other_no]) = (self.choice(node, x)?, self.choice(node, y)?);
        let pair = || Some(self.common_leaves(node, yes, other_yes)? + self.common_leaves(node, no, other_no)?);
        if c == d { pair().filter(|&n| n <= MOST) } else { None }
    }

    /// `node`'s operation on numbers (one operand or two) that are chosen together.
    fn map(&mut self, node: &Node, [x, y]: [NodeId; 2]) -> NodeId {
        let parts = [x, y].map(|id| self.choice(node, id));
        let id = match parts {
            [None, None] => {
                let operands = [x, y];
                let operands = &operands[..node.operands.len()];
                let rank = operands.iter().map(|&o| self.new.shape(o).rank()).max().unwrap_or(0);
                let shape: Shape = (0..rank).map(|_| 1).collect();
                return self.new.op(node.op.clone(), operands, shape, node);
            }
            [Some([c, yes, no]), other] | [other, Some([c, yes, no])] if parts[0].is_none() || other.is_none() => {
                let number_first = parts[0].is_none();
                let side = |part: NodeId| if number_first { [x, part] } else { [part, y] };
                let (yes, no) = (self.map(node, side(yes)), self.map(node, side(no)));
                self.new.op(Op::Select, &[c, yes, no], node.shape.clone(), node)
            }
            [Some([c, yes, no]), Some([_, other_yes, other_no])] => {
                let (yes, no) = (self.map(node, [yes, other_yes]), self.map(node, [no, other_no]));
                self.new.op(Op::Select, &[c, yes, no], node.shape.clone(), node)
            }
            _ => unreachable!("one of the two is a choice"),
        };
        self.single.insert(id);
        id
    }
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
    fn choices_by_the_same_conditions_become_one() {
        let pick = |x: Var, table: [f64; 2], p: Var| x.eq(0.0).select(table[0], x.eq(1.0).select(p, table[1]));
        let both = |x: Var, p: Var| pick(x, [1.0, 2.0], p).softplus() + pick(x, [3.0, 4.0], p * 2.0);
        let of_vectors = operations(both).into_iter().filter(|&(_, size)| size == 7).map(|(name, _)| name);
        assert_eq!(of_vectors.collect::<Vec<_>>(), ["eq", "eq", "select", "select"]);
        // The choice is needed anyway: one addition is cheaper than another.
        let again = |x: Var, p: Var| {
            let table = pick(x, [1.0, 2.0], p);
            (table + p) * x + table
        };
        assert!(operations(again).contains(&("add", 7)));
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
