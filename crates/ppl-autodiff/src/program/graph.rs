//! The compiler's working copy of a tape: nodes in order, and the ones that are asked for.

use std::collections::HashMap;
use std::panic::Location;

use smallvec::SmallVec;

use crate::ops::{Binary, Op};
use crate::shape::Shape;
use crate::tape::{Node, NodeId, Tape};
use crate::tensor::Tensor;

/// Nodes in topological order with their constants and the outputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub nodes: Vec<Node>,
    pub constants: Vec<Tensor>,
    pub outputs: Vec<NodeId>,
    known: HashMap<(Op, SmallVec<[NodeId; 3]>), NodeId>,
    scalars: HashMap<u64, NodeId>,
}

impl Graph {
    /// The part of a tape that `outputs` need.
    pub fn from_tape(tape: &Tape, outputs: &[NodeId]) -> Self {
        let whole = Graph {
            nodes: tape.nodes().to_vec(),
            constants: tape.constants.clone(),
            outputs: outputs.to_vec(),
            ..Graph::default()
        };
        let first_data_slot = tape.first_data_slot.unwrap_or(usize::MAX);
        whole.rebuild(|graph, node| match node.op {
            Op::Input { slot, .. } if slot as usize >= first_data_slot => graph.rows_innermost(node),
            _ => graph.add(node),
        })
    }

    /// An input whose first axis lies innermost in its slot.
    fn rows_innermost(&mut self, node: Node) -> NodeId {
        let rank = node.shape.rank();
        if rank < 2 {
            return self.add(node);
        }
        let stored = Shape::from(&node.shape[1..]).join(&node.shape[..1]);
        let order = std::iter::once(rank - 1).chain(0..rank - 1).collect();
        let input = self.op(node.op.clone(), &[], stored, &node);
        self.op(Op::Transpose(order), &[input], node.shape.clone(), &node)
    }

    /// The part of this graph that other outputs need.
    pub fn part(&self, outputs: &[NodeId]) -> Graph {
        let whole = Graph { outputs: outputs.to_vec(), ..self.clone() };
        whole.rebuild(|graph, node| graph.add(node))
    }

    /// Which nodes the outputs need.
    pub fn live(&self) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        for &output in &self.outputs {
            live[output as usize] = true;
        }
        for id in (0..self.nodes.len()).rev() {
            if live[id] {
                for &operand in &self.nodes[id].operands {
                    live[operand as usize] = true;
                }
            }
        }
        live
    }

    /// A new graph from the live nodes of this one: `rule` gets each node with its operands already translated and
    /// says which node of the new graph takes its place.
    pub fn rebuild(&self, mut rule: impl FnMut(&mut Graph, Node) -> NodeId) -> Graph {
        self.translate(|new, _, node| rule(new, node)).0
    }

    /// As [`Graph::rebuild`] by a rule that is told each node's old place; and where the nodes have gone.
    pub fn translate(&self, mut rule: impl FnMut(&mut Graph, NodeId, Node) -> NodeId) -> (Graph, Vec<NodeId>) {
        let live = self.live();
        let mut new = Graph::default();
        let mut place: Vec<NodeId> = vec![NodeId::MAX; self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate().filter(|&(id, _)| live[id]) {
            place[id] = match node.op {
                Op::Constant(constant) => new.constant(self.constants[constant as usize].clone(), node),
                _ => {
                    let mut node = node.clone();
                    node.operands.iter_mut().for_each(|o| *o = place[*o as usize]);
                    rule(&mut new, id as NodeId, node)
                }
            };
        }
        new.outputs = self.outputs.iter().map(|&o| place[o as usize]).collect();
        (new, place)
    }

    /// Adds a node, or finds the one that computes the same.
    pub fn add(&mut self, node: Node) -> NodeId {
        let key = (node.op.clone(), node.operands.clone());
        // An empty input starts where the next one does, so that the shape tells them apart.
        if let Some(&known) = self.known.get(&key)
            && self.nodes[known as usize].shape == node.shape
        {
            return known;
        }
        let id = self.nodes.len() as NodeId;
        self.nodes.push(node);
        self.known.insert(key, id);
        id
    }

    /// Adds an operation on nodes of this graph; its shape is known to be right.
    pub fn op(&mut self, op: Op, operands: &[NodeId], shape: Shape, like: &Node) -> NodeId {
        self.add(Node { op, operands: operands.iter().copied().collect(), shape, location: like.location })
    }

    /// Adds a constant; equal scalars are one node.
    pub fn constant(&mut self, value: Tensor, like: &Node) -> NodeId {
        let scalar = (value.shape().rank() == 0).then(|| value.data()[0].to_bits());
        if let Some(&known) = scalar.and_then(|bits| self.scalars.get(&bits)) {
            return known;
        }
        let shape = value.shape().clone();
        self.constants.push(value);
        let op = Op::Constant((self.constants.len() - 1) as u32);
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node { op, operands: SmallVec::new(), shape, location: like.location });
        if let Some(bits) = scalar {
            self.scalars.insert(bits, id);
        }
        id
    }

    /// A constant without elements, for an output that nobody asked anything of.
    #[track_caller]
    pub fn empty(&mut self) -> NodeId {
        let (value, operands) = (Tensor::full([0], 0.0), SmallVec::new());
        let like = Node { op: Op::Poison, operands, shape: Shape::from(0), location: Location::caller() };
        self.constant(value, &like)
    }

    /// A constant filled with one number, as a broadcast scalar.
    pub fn filled(&mut self, value: f64, shape: &Shape, like: &Node) -> NodeId {
        let scalar = self.constant(Tensor::from(value), like);
        if shape.rank() == 0 {
            return scalar;
        }
        self.op(Op::Broadcast(shape.clone()), &[scalar], shape.clone(), like)
    }

    /// How many operands and outputs each node is.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        let operands = self.nodes.iter().flat_map(|node| &node.operands);
        for &id in operands.chain(&self.outputs) {
            uses[id as usize] += 1;
        }
        uses
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub fn shape(&self, id: NodeId) -> &Shape {
        &self.nodes[id as usize].shape
    }

    /// The number that all elements of a node are known to have.
    pub fn uniform(&self, id: NodeId) -> Option<f64> {
        let mut node = self.node(id);
        loop {
            match node.op {
                Op::Constant(c) => return self.constants[c as usize].uniform(),
                Op::Broadcast(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Slice { .. } => {
                    node = self.node(node.operands[0]);
                }
                _ => return None,
            }
        }
    }

    /// Whether a node is made of comparisons: 0 or 1 everywhere, whatever is compared.
    pub fn is_condition(&self, id: NodeId) -> bool {
        let node = self.node(id);
        match node.op {
            Op::Binary(Binary::Eq | Binary::Ne | Binary::Gt | Binary::Ge | Binary::Lt | Binary::Le) => true,
            Op::Binary(Binary::Mul | Binary::Max | Binary::Min) | Op::Broadcast(_) | Op::Reshape(_) => {
                node.operands.iter().all(|&o| self.is_condition(o))
            }
            Op::Constant(_) => self.uniform(id).is_some_and(|c| c == 0.0 || c == 1.0),
            _ => false,
        }
    }
}
