//! Lowering of a region of rows to the program of a strip.

use smallvec::SmallVec;

use super::{Lowering, place};
use crate::ops::{Axes, Op, Reduction, inverse};
use crate::program::Program;
use crate::program::graph::Graph;
use crate::program::guard::counted;
use crate::program::instruction::{Instruction, Place};
use crate::program::layout::{Store, loops};
use crate::program::passes::settle;
use crate::program::strips::{Array, Body, Extent, Policy, Region, Strips, Usual};
use crate::real::Real;
use crate::shape::Shape;
use crate::tape::{Node, NodeId};

/// The axes but one, and the order that brings this one to the front.
fn front(rank: usize, axis: usize) -> Axes {
    std::iter::once(axis).chain((0..rank).filter(|&a| a != axis)).collect()
}

impl<T: Real> Lowering<'_, T> {
    /// One instruction for a region.
    pub(super) fn strips(&mut self, region: &Region, policy: Policy) {
        let rows = region.rows;
        let mut strip = policy.strip_rows(rows, region.width, policy.strip.1);
        let mut body = Box::new(self.strip_body(region, strip));
        // Chains leave much of what was counted in registers, and buffers share their places: there may be room for more.
        let read = region.leaves.iter().chain(&region.each).map(|&id| self.graph.shape(id).size() / rows);
        let width = body.program.arena.div_ceil(strip) + read.sum::<usize>();
        let most = if body.keeps_rows(strip) { policy.strip.1 } else { policy.long };
        let fitting = if body.walks_once() { policy.long.min(rows) } else { policy.strip_rows(rows, width, most) };
        if fitting > strip {
            strip = fitting;
            body = Box::new(self.strip_body(region, strip));
        }
        let tail = (!rows.is_multiple_of(strip)).then(|| Box::new(self.strip_body(region, rows % strip)));
        let mut inputs = Vec::new();
        for &id in &region.leaves {
            let extent = Extent::Rows(self.graph.shape(id).size() / rows);
            let place = match region.axis[id as usize] {
                Some(axis) if self.is_stored(id) => self.blocked(id, axis, rows, strip),
                _ => self.row_major_place(id),
            };
            inputs.push(Array { place, extent });
        }
        for &id in &region.shared {
            if self.is_stored(id) {
                continue;
            }
            let extent = Extent::Whole(self.graph.shape(id).size());
            inputs.push(Array { place: self.row_major_place(id), extent });
        }
        let mut outputs = Vec::new();
        for &id in &region.sums {
            let shape = self.graph.shape(id).clone();
            let to = self.new_dense(&shape);
            outputs.push(Array { place: place(&to), extent: Extent::Whole(shape.size()) });
            self.views[id as usize] = Some(to);
        }
        for &id in &region.each {
            let shape = self.graph.shape(id).clone();
            let order = front(shape.rank(), region.axis[id as usize].unwrap_or(0));
            let stored: Shape = order.iter().map(|&a| shape[a]).collect();
            let wanted = self.wanted.get(&id).filter(|to| to.is_row_major() && order.is_sorted()).cloned();
            let to = wanted.unwrap_or_else(|| self.new_dense(&stored).transpose(&inverse(&order)));
            outputs.push(Array { place: place(&to), extent: Extent::Rows(shape.size() / rows) });
            self.views[id as usize] = Some(to);
        }
        let nowhere = Place { store: Store::Constants, offset: 0 };
        let threaded = rows * region.width >= policy.threads;
        let mut strips = Strips { rows, strip, threaded, body, tail, inputs, outputs, memory: nowhere };
        strips.memory.store = self.buffer(strips.memory_length());
        self.push(Instruction::Strips(strips));
    }

    fn row_major_place(&mut self, id: NodeId) -> Place {
        let view = self.view(id);
        place(&self.row_major(view))
    }

    /// Whether a node is a constant as it is: with rows it is laid out by strips, without it goes into their programs.
    fn is_stored(&self, id: NodeId) -> bool {
        matches!(self.graph.node(id).op, Op::Constant(_))
    }

    /// A constant laid out strip after strip, in each with its rows innermost.
    fn blocked(&mut self, id: NodeId, axis: usize, rows: usize, strip: usize) -> Place {
        let graph = self.graph;
        let Op::Constant(entry) = graph.node(id).op else { return self.row_major_place(id) };
        let tensor = &graph.constants[entry as usize];
        let shape = tensor.shape();
        let strides = shape.strides();
        let mut order = front(shape.rank(), axis);
        order.rotate_left(1);
        let store = &mut self.out.constants;
        let offset = store.len().next_multiple_of(64 / size_of::<T>());
        store.resize(offset, T::ZERO);
        for start in (0..rows).step_by(strip) {
            let part = shape.with(axis, strip.min(rows - start));
            let nest = loops(&part, &order, [&strides]);
            let first = start * strides[axis] as usize;
            let numbers = (0..part.size()).map(|e| T::from_f64(tensor.data()[first + super::element(&nest, e)]));
            store.extend(numbers);
        }
        Place { store: Store::Constants, offset }
    }

    /// The programs for so many rows.
    fn strip_body(&self, region: &Region, rows: usize) -> Body<T> {
        let (graph, slots, _) = self.strip_graph(region, rows, &[]);
        let counts = vec![1; graph.outputs.len()];
        let compile = |graph: Graph| Program::lower_in_strips(counted(graph), &slots, &counts, Policy::NEVER);
        let program = compile(graph);
        let conditions = region.usual(self.graph);
        let usual = (!conditions.is_empty()).then(|| {
            let (mut check, slots, to) = self.strip_graph(region, rows, &[]);
            check.outputs.clear();
            let mut holding = Vec::new();
            for id in conditions.iter().map(|&c| to[c as usize]) {
                let node = check.node(id).clone();
                let count = Op::Reduce { op: Reduction::Sum, axes: (0..node.shape.rank()).collect() };
                let count = check.op(count, &[id], Shape::scalar(), &node);
                check.outputs.push(count);
                holding.push(T::from_f64(node.shape.size() as f64));
            }
            let check = check.rebuild(|new, node| new.add(node));
            let check = Program::lower_in_strips(check, &slots, &vec![1; holding.len()], Policy::NEVER);
            let (graph, ..) = self.strip_graph(region, rows, &conditions);
            Usual { check, holding, program: compile(settle(graph)) }
        });
        let pays = |usual: &Usual<T>| usual.check.passes() + usual.program.passes() < program.passes();
        let usual = usual.filter(pays);
        Body { program, usual }
    }

    /// The graph of so many rows, with the lengths of its slots and where its nodes come from: slots for the leaves and for
    /// what is shared, then the sums and the arrays with rows as its outputs. Some conditions are taken to hold everywhere.
    fn strip_graph(&self, region: &Region, rows: usize, holding: &[NodeId]) -> (Graph, Vec<usize>, Vec<NodeId>) {
        let mut graph = Graph::default();
        let mut to: Vec<NodeId> = vec![NodeId::MAX; self.graph.nodes.len()];
        let mut slots = Vec::new();
        let cut = |shape: &Shape, axis: Option<usize>| axis.map_or_else(|| shape.clone(), |a| shape.with(a, rows));
        for &id in region.leaves.iter().chain(&region.shared) {
            let node = self.graph.node(id);
            let axis = region.axis[id as usize];
            let shape = cut(&node.shape, axis);
            let input = Op::Input { slot: slots.len() as u32, offset: 0 };
            to[id as usize] = match (&node.op, axis) {
                (Op::Constant(entry), None) => graph.constant(self.graph.constants[*entry as usize].clone(), node),
                (Op::Constant(_), Some(axis)) if shape.rank() > 1 => {
                    // Stored with the rows innermost.
                    let mut order = front(shape.rank(), axis);
                    order.rotate_left(1);
                    let stored: Shape = order.iter().map(|&a| shape[a]).collect();
                    let input = graph.op(input, &[], stored, node);
                    graph.op(Op::Transpose(inverse(&order)), &[input], shape.clone(), node)
                }
                _ => graph.op(input, &[], shape.clone(), node),
            };
            if axis.is_some() || !self.is_stored(id) {
                slots.push(shape.size());
            }
        }
        for (id, node) in self.graph.nodes.iter().enumerate().filter(|&(id, _)| region.inside[id]) {
            let shape = cut(&node.shape, region.axis[id]);
            let op = match &node.op {
                Op::Reshape(_) => Op::Reshape(shape.clone()),
                Op::Broadcast(_) => Op::Broadcast(shape.clone()),
                op => op.clone(),
            };
            if holding.contains(&(id as NodeId)) {
                to[id] = graph.filled(1.0, &shape, node);
                continue;
            }
            let operands: SmallVec<[NodeId; 3]> = node.operands.iter().map(|&o| to[o as usize]).collect();
            to[id] = graph.add(Node { op, operands, shape, location: node.location });
        }
        for &id in region.sums.iter().chain(&region.each) {
            let mut output = to[id as usize];
            if let Some(axis) = region.axis[id as usize].filter(|&a| a > 0) {
                let (node, order) = (graph.node(output).clone(), front(self.graph.shape(id).rank(), axis));
                let shape: Shape = order.iter().map(|&a| node.shape[a]).collect();
                output = graph.op(Op::Transpose(order), &[output], shape, &node);
            }
            graph.outputs.push(output);
        }
        (graph, slots, to)
    }
}
