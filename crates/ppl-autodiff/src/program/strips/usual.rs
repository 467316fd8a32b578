//! Conditions that rows usually fulfil: a density is `inside.select(.., -inf)`, and data lie inside of the support. Where all
//! rows of a strip do, the choices and what they mask need not be computed.

use super::Region;
use super::region::computes;
use crate::ops::{Binary, Op, Unary};
use crate::program::graph::Graph;
use crate::tape::NodeId;

/// The most operations that a condition may take: each strip begins with them.
const MOST_STEPS: usize = 12;

impl Region {
    /// The conditions of a region's rows without which there is no density, where they are cheap to look at.
    pub fn usual(&self, graph: &Graph) -> Vec<NodeId> {
        let within = |id: NodeId| self.inside[id as usize];
        let selects = || (0..graph.nodes.len() as NodeId).filter(|&id| within(id) && graph.node(id).op == Op::Select);
        let is_side = |id: NodeId| selects().any(|s| graph.node(s).operands[1..].contains(&id));
        let mut found = Vec::new();
        for id in selects() {
            let &[condition, _, no] = &graph.node(id).operands[..] else { continue };
            let decides = graph.uniform(no) == Some(f64::NEG_INFINITY) && graph.is_condition(condition);
            let known = within(condition) && self.axis[condition as usize].is_some() && !found.contains(&condition);
            if decides && known && !is_side(id) && self.is_cheap(graph, condition) {
                found.push(condition);
            }
        }
        found
    }

    /// Whether a node needs only a few simple operations on what the region reads.
    fn is_cheap(&self, graph: &Graph, id: NodeId) -> bool {
        let (mut seen, mut open, mut steps) = (Vec::new(), vec![id], 0);
        while let Some(id) = open.pop() {
            if seen.contains(&id) || !self.inside[id as usize] {
                continue;
            }
            seen.push(id);
            let node = graph.node(id);
            let simple = match &node.op {
                Op::Unary(op) => matches!(op, Unary::Neg | Unary::Abs | Unary::Square | Unary::Floor),
                Op::Binary(op) => *op != Binary::Pow,
                Op::Reduce { .. } | Op::Select => true,
                op => !computes(op),
            };
            steps += usize::from(computes(&node.op));
            if !simple || steps > MOST_STEPS {
                return false;
            }
            open.extend(&node.operands);
        }
        true
    }
}
