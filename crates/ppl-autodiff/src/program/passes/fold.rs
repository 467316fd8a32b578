//! Constant folding: what depends on data alone is computed once, by a program of its own.

use std::collections::HashMap;

use crate::ops::Op;
use crate::program::Program;
use crate::program::graph::Graph;
use crate::random::Key;
use crate::tape::NodeId;
use crate::tensor::Tensor;

/// Operations that cost nothing at run time (they become strides) and might blow a constant up.
fn is_view(op: &Op) -> bool {
    matches!(op, Op::Reshape(_) | Op::Broadcast(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Diag)
}

pub(super) fn pass(graph: &Graph) -> Graph {
    let live = graph.live();
    let mut constant = vec![false; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        constant[id] = match node.op {
            Op::Constant(_) => true,
            Op::Input { .. } | Op::Random { .. } | Op::Poison => false,
            _ => node.operands.iter().all(|&o| constant[o as usize]),
        };
    }
    // The constant nodes that others need, seen through views.
    let mut wanted: Vec<NodeId> = Vec::new();
    let mut known = vec![false; graph.nodes.len()];
    let mut want = |mut id: NodeId| {
        while is_view(&graph.node(id).op) {
            id = graph.node(id).operands[0];
        }
        if constant[id as usize]
            && !matches!(graph.node(id).op, Op::Constant(_))
            && !std::mem::replace(&mut known[id as usize], true)
        {
            wanted.push(id);
        }
    };
    for (id, node) in graph.nodes.iter().enumerate() {
        if live[id] && !constant[id] {
            node.operands.iter().for_each(|&o| want(o));
        }
    }
    graph.outputs.iter().for_each(|&o| want(o));
    if wanted.is_empty() {
        return graph.clone();
    }
    let program = Program::<f64>::lower(graph.part(&wanted), &[], &[wanted.len()]);
    let mut values = vec![0.0; program.output_lengths()[0]];
    program.run(&mut program.workspace(), &[], &mut [&mut values], &Key::default());
    let mut folded: HashMap<NodeId, Tensor> = HashMap::new();
    let mut start = 0;
    for id in wanted {
        let shape = graph.shape(id).clone();
        let end = start + shape.size();
        if let Some(tensor) = Tensor::new(shape, &values[start..end]) {
            folded.insert(id, tensor);
        }
        start = end;
    }
    let mut new = Graph::default();
    let mut place: Vec<NodeId> = vec![NodeId::MAX; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate().filter(|&(id, _)| live[id]) {
        place[id] = if let Some(value) = folded.remove(&(id as NodeId)) {
            new.constant(value, node)
        } else if let Op::Constant(c) = node.op {
            new.constant(graph.constants[c as usize].clone(), node)
        } else {
            let mut node = node.clone();
            node.operands.iter_mut().for_each(|o| *o = place[*o as usize]);
            new.add(node)
        };
    }
    new.outputs = graph.outputs.iter().map(|&o| place[o as usize]).collect();
    // What only led to folded nodes is dead now.
    new.rebuild(|g, node| g.add(node))
}

#[cfg(test)]
mod tests {
    use crate::program::graph::Graph;
    use crate::{Var, trace};
    use ndarray::array;

    #[test]
    fn what_depends_on_data_alone_becomes_one_constant() {
        let ((), traced) = trace(|| {
            let x = Var::input(0, [2]);
            let data = (Var::from(array![1.0, 4.0]).sqrt() + 1.0).exp();
            let _ = x * data;
        })
        .unwrap();
        let last = traced.tape().nodes().len() as u32 - 1;
        let graph = super::pass(&Graph::from_tape(traced.tape(), &[last]));
        let names: Vec<_> = graph.nodes.iter().map(|n| n.op.name()).collect();
        assert_eq!(names, ["input", "constant", "mul"]);
        let folded = graph.constants.last().unwrap().data();
        assert!((folded[1] - 3.0f64.exp()).abs() < 1e-14 && (folded[0] - 2.0f64.exp()).abs() < 1e-14);
    }
}
