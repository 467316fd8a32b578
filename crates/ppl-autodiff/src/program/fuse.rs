//! Which elementwise operations run together: an operation joins the chain of its users when all of them are in one
//! chain over the same shape, so that its result never leaves the first-level cache.

use crate::ops::{Op, Reduction};
use crate::program::graph::Graph;
use crate::tape::NodeId;

/// The most operations in a chain.
const MAX_STEPS: usize = 16;

/// The partition of a graph into chains.
pub(crate) struct Chains {
    /// For an elementwise node, the last node of its chain.
    pub root: Vec<Option<NodeId>>,
    /// For the last node of a chain, its members in order.
    pub members: Vec<Vec<NodeId>>,
    /// For the last node of a chain of which only the sum is wanted, that sum.
    pub sum: Vec<Option<NodeId>>,
}

fn is_elementwise(op: &Op) -> bool {
    matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select)
}

/// Finds the chains of the nodes that are not computed elsewhere.
pub(crate) fn chains(graph: &Graph, elsewhere: &dyn Fn(NodeId) -> bool) -> Chains {
    let n = graph.nodes.len();
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
    let mut chains = Chains { root: vec![None; n], members: vec![Vec::new(); n], sum: vec![None; n] };
    for id in (0..n).rev() {
        let node = &graph.nodes[id];
        // Operations on single numbers have an instruction of their own.
        if !is_elementwise(&node.op) || node.shape.size() == 1 || elsewhere(id as NodeId) {
            continue;
        }
        let mut root = id as NodeId;
        if !is_output[id]
            && let Some(&first) = users[id].first()
            && let Some(common) = chains.root[first as usize]
            && users[id].iter().all(|&u| chains.root[u as usize] == Some(common))
            && graph.shape(common) == &node.shape
            && chains.members[common as usize].len() < MAX_STEPS
        {
            root = common;
        }
        chains.root[id] = Some(root);
        chains.members[root as usize].push(id as NodeId);
        if let [user] = users[id][..]
            && root == id as NodeId
            && !is_output[id]
            && !elsewhere(user)
            && let Op::Reduce { op: Reduction::Sum, .. } = graph.node(user).op
            && graph.shape(user).size() == 1
        {
            chains.sum[id] = Some(user);
        }
    }
    chains.members.iter_mut().for_each(|m| m.reverse());
    chains
}
