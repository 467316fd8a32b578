//! The tape: operations in the order in which they were recorded, with operands, shapes and origins.

use std::collections::{BTreeSet, HashMap};
use std::panic::Location;

use smallvec::SmallVec;

use crate::ops::Op;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The position of a node on its tape; operands always stand before their users.
pub type NodeId = u32;

/// One recorded operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// What is done.
    pub op: Op,
    /// To which earlier nodes.
    pub operands: SmallVec<[NodeId; 3]>,
    /// The shape of the result.
    pub shape: Shape,
    /// The line of the user's source that asked for it.
    pub location: &'static Location<'static>,
}

/// A number in a data array that is not finite.
#[derive(Clone, Debug)]
pub struct BadData {
    /// The array's shape.
    pub shape: Shape,
    /// The place of the first such number.
    pub index: Vec<usize>,
    /// The number: NaN or an infinity.
    pub value: f64,
    /// The line at which the array became a `Var`.
    pub location: &'static Location<'static>,
}

/// A recorded function: a list of nodes, the constants they refer to, and the lengths of the input slots.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    pub(crate) nodes: Vec<Node>,
    pub(crate) constants: Vec<Tensor>,
    /// The number of values in each input slot.
    pub(crate) slots: Vec<usize>,
    /// From this slot on, arrays are stored with their first axis, the rows, innermost.
    pub(crate) first_data_slot: Option<usize>,
    scalars: HashMap<u64, NodeId>,
    /// Whether each node depends on an input or a random number.
    varies: Vec<bool>,
    /// Whether a data array with a number that is not finite reaches each node other than through a selection among data.
    tainted: Vec<bool>,
}

impl Tape {
    /// The nodes in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The number of values in each input slot.
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// The constant array behind a node, if it is one.
    pub fn constant(&self, node: NodeId) -> Option<&Tensor> {
        match self.nodes[node as usize].op {
            Op::Constant(id) => Some(&self.constants[id as usize]),
            _ => None,
        }
    }

    /// The data array with a number that is not finite that reaches a node other than through a selection among data.
    pub(crate) fn bad_data(&self, mut node: NodeId) -> Option<BadData> {
        let is_tainted = |id: NodeId| self.tainted[id as usize];
        if !is_tainted(node) {
            return None;
        }
        // Each tainted node has a tainted operand, down to a constant.
        loop {
            let Node { op, operands, shape, location } = &self.nodes[node as usize];
            if let Op::Constant(id) = *op {
                let data = self.constants[id as usize].data();
                let flat = data.iter().position(|x| !x.is_finite())?;
                return Some(BadData { shape: shape.clone(), index: shape.index(flat), value: data[flat], location });
            }
            node = operands.iter().copied().find(|&o| is_tainted(o))?;
        }
    }

    /// Whether a node depends on an input or a random number.
    pub(crate) fn varies(&self, node: NodeId) -> bool {
        self.varies[node as usize]
    }

    /// Whether each node depends on an input slot from `first` on.
    pub fn depend_on_slots(&self, first: usize) -> Vec<bool> {
        let mut depend: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let input = matches!(node.op, Op::Input { slot, .. } if slot as usize >= first);
            depend.push(input || node.operands.iter().any(|&o| depend[o as usize]));
        }
        depend
    }

    /// Whether each node depends on a node, itself included.
    pub fn depend_on_node(&self, node: NodeId) -> Vec<bool> {
        let mut depend: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for (id, other) in self.nodes.iter().enumerate() {
            depend.push(id == node as usize || other.operands.iter().any(|&o| depend[o as usize]));
        }
        depend
    }

    /// A tape of what leads to one node, which depends on data alone, and the place of that node on it.
    pub(crate) fn part(&self, node: NodeId) -> (Tape, NodeId) {
        let mut needed = BTreeSet::from([node]);
        let mut open = vec![node];
        while let Some(id) = open.pop() {
            let operands = &self.nodes[id as usize].operands;
            open.extend(operands.iter().filter(|&&o| needed.insert(o)));
        }
        let mut part = Tape::default();
        let mut place = HashMap::with_capacity(needed.len());
        for id in needed {
            let node = &self.nodes[id as usize];
            let new = match node.op {
                Op::Constant(c) => part.push_constant(self.constants[c as usize].clone(), node.location),
                _ => {
                    let mut node = node.clone();
                    node.operands.iter_mut().for_each(|o| *o = place[o]);
                    part.push(node)
                }
            };
            place.insert(id, new);
        }
        (part, place[&node])
    }

    pub(crate) fn push(&mut self, node: Node) -> NodeId {
        let any = |flags: &[bool]| node.operands.iter().any(|&o| flags[o as usize]);
        let varies = any(&self.varies) || matches!(node.op, Op::Input { .. } | Op::Random { .. });
        let tainted = match node.op {
            // Choosing among data is how bad numbers are masked; choosing among results of a model is not.
            Op::Select => node.operands.iter().any(|&o| self.tainted[o as usize] && self.varies[o as usize]),
            Op::Constant(id) => {
                let data = &self.constants[id as usize];
                data.shape().rank() > 0 && data.data().iter().any(|x| !x.is_finite())
            }
            _ => any(&self.tainted),
        };
        self.varies.push(varies);
        self.tainted.push(tainted);
        self.nodes.push(node);
        (self.nodes.len() - 1) as NodeId
    }

    pub(crate) fn push_constant(&mut self, value: Tensor, location: &'static Location<'static>) -> NodeId {
        let scalar = (value.shape().rank() == 0).then(|| value.data()[0].to_bits());
        if let Some(&known) = scalar.and_then(|bits| self.scalars.get(&bits)) {
            return known;
        }
        let shape = value.shape().clone();
        self.constants.push(value);
        let op = Op::Constant((self.constants.len() - 1) as u32);
        let id = self.push(Node { op, operands: SmallVec::new(), shape, location });
        if let Some(bits) = scalar {
            self.scalars.insert(bits, id);
        }
        id
    }

    /// Remembers which node holds a number.
    pub(crate) fn know_scalar(&mut self, value: f64, node: NodeId) {
        self.scalars.insert(value.to_bits(), node);
    }

    /// Adds an input: `shape.size()` values at the end of a slot.
    pub(crate) fn push_input(&mut self, slot: usize, shape: Shape, location: &'static Location<'static>) -> NodeId {
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, 0);
        }
        let offset = self.slots[slot];
        self.slots[slot] += shape.size();
        let op = Op::Input { slot: slot as u32, offset };
        self.push(Node { op, operands: SmallVec::new(), shape, location })
    }
}
