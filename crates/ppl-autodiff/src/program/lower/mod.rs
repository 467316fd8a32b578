//! Lowering: every node of a graph becomes a view of something that exists, or an instruction that makes it.

mod chain;
mod product;
mod short;
mod strips;
mod whole;

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use super::fuse::{Chains, Stage, chains};
use super::graph::Graph;
use super::guard::{Counts, Guards, counts, guards};
use super::instruction::{Instruction, Place, Recurrence, Reduce};
use super::layout::{Loop, Store, View, loops};
use super::scan::Scan;
use super::scatter::ScatterAdd;
use super::short::MAX_SHORT;
use super::strips::{Policy, Region};
use crate::kernels::elementwise::{accumulate_kernel, sum as sum_of};
use crate::kernels::lu::Wanted;
use crate::ops::{Axes, Op, Reduction, inverse};
use crate::real::Real;
use crate::shape::Shape;
use crate::tape::NodeId;

/// The result of lowering: instructions over numbered buffers.
pub(crate) struct Lowered<T> {
    pub instructions: Vec<Instruction<T>>,
    pub constants: Vec<T>,
    /// The number of elements of each buffer.
    pub buffers: Vec<usize>,
}

struct Lowering<'g, T> {
    graph: &'g Graph,
    chains: Chains,
    /// What each node's value is needed for.
    guards: Vec<Guards>,
    counts: Counts,
    views: Vec<Option<View>>,
    out: Lowered<T>,
    /// Constants that were laid out: table entry and order of axes to their place in the store.
    laid_out: HashMap<(u32, SmallVec<[usize; 4]>), usize>,
    /// How many operands and outputs each node is.
    uses: Vec<usize>,
    /// Where results are wanted, so that they need no copy if they lie that way.
    wanted: HashMap<NodeId, View>,
    /// Operations on numbers and short arrays that wait for others to run with.
    open: short::Group<T>,
    /// What groups wrote to the place where it was wanted, from and to.
    stored: HashSet<(Place, Place)>,
}

/// Lowers a graph; output `i` of the graph is written row-major to its place in an output slot.
pub(crate) fn lower<T: Real>(graph: &Graph, outputs: &[(u32, usize)], policy: Policy) -> Lowered<T> {
    let region = Region::find(graph, policy);
    let inside = |id: NodeId| region.as_ref().is_some_and(|r| r.inside[id as usize]);
    let stage = |id: NodeId| match &region {
        Some(region) if region.inside[id as usize] => Stage::Elsewhere,
        Some(region) if region.after[id as usize] => Stage::After,
        _ => Stage::Before,
    };
    let out = Lowered { instructions: Vec::new(), constants: Vec::new(), buffers: Vec::new() };
    let views = vec![None; graph.nodes.len()];
    let counts = counts(graph);
    let guards = guards(graph, &counts);
    let mut lowering = Lowering {
        graph,
        chains: chains(graph, &guards, &stage),
        guards,
        counts,
        views,
        out,
        laid_out: HashMap::new(),
        uses: graph.uses(),
        wanted: HashMap::new(),
        open: short::Group::default(),
        stored: HashSet::new(),
    };
    for (&id, &(slot, offset)) in graph.outputs.iter().zip(outputs) {
        let to = View::dense(Store::Output(slot), offset, graph.shape(id).clone());
        lowering.want(id, to);
    }
    let outside = (0..graph.nodes.len() as NodeId).filter(|&id| !inside(id));
    match &region {
        None => outside.for_each(|id| lowering.node(id)),
        Some(region) => {
            let (after, before): (Vec<NodeId>, _) = outside.partition(|&id| region.after[id as usize]);
            before.into_iter().for_each(|id| lowering.node(id));
            lowering.strips(region, policy);
            after.into_iter().for_each(|id| lowering.node(id));
        }
    }
    for (&id, &(slot, offset)) in graph.outputs.iter().zip(outputs) {
        let from = lowering.view(id);
        let to = View::dense(Store::Output(slot), offset, from.shape.clone());
        lowering.copy(&from, &to);
    }
    lowering.flush();
    lowering.out
}

fn place(view: &View) -> Place {
    Place { store: view.store, offset: view.offset }
}

impl<T: Real> Lowering<'_, T> {
    fn buffer(&mut self, elements: usize) -> Store {
        self.out.buffers.push(elements);
        Store::Buffer((self.out.buffers.len() - 1) as u32)
    }

    fn new_dense(&mut self, shape: &Shape) -> View {
        let store = self.buffer(shape.size());
        View::dense(store, 0, shape.clone())
    }

    fn view(&mut self, id: NodeId) -> View {
        if let Some(view) = &self.views[id as usize] {
            return view.clone();
        }
        // Constants get their place when they are first used.
        let rank = self.graph.shape(id).rank();
        let view = self.constant(id, (0..rank).collect());
        self.views[id as usize] = Some(view.clone());
        view
    }

    /// A constant, or transposed constant, laid out with its axes in the given order.
    fn constant(&mut self, id: NodeId, order: SmallVec<[usize; 4]>) -> View {
        let node = self.graph.node(id);
        let entry = match &node.op {
            Op::Constant(entry) => *entry,
            Op::Transpose(axes) => {
                let order = order.iter().map(|&a| axes[a]).collect();
                return self.constant(node.operands[0], order).transpose(axes);
            }
            _ => unreachable!("only constants are laid out on demand"),
        };
        let tensor = &self.graph.constants[entry as usize];
        let mut view = View::ordered(Store::Constants, tensor.shape().clone(), &order);
        let store = &mut self.out.constants;
        view.offset = *self.laid_out.entry((entry, order.clone())).or_insert_with(|| {
            let start = store.len().next_multiple_of(64 / size_of::<T>());
            store.resize(start + tensor.data().len(), T::ZERO);
            let nest = loops(tensor.shape(), &order, [&tensor.shape().strides()]);
            for (e, x) in store[start..].iter_mut().enumerate() {
                *x = T::from_f64(tensor.data()[element(&nest, e)]);
            }
            start
        });
        view
    }

    /// Adds an instruction, after what it reads of the open group.
    fn push(&mut self, instruction: Instruction<T>) {
        let (_, others) = instruction.places();
        if others.iter().any(|place| self.open.touches(place.store)) {
            self.flush();
        }
        self.out.instructions.push(instruction);
    }

    /// Asks for a node's value at a place, and for the parts of an array that is joined from parts at its parts'.
    fn want(&mut self, id: NodeId, to: View) {
        let graph = self.graph;
        let node = graph.node(id);
        match node.op {
            Op::Concat { axis } if around(&node.shape, axis).0 == 1 && to.is_row_major() => {
                let mut start = 0;
                for &part in &node.operands {
                    let length = graph.shape(part)[axis];
                    let slice = to.slice(axis, start, 1, length);
                    self.want(part, View::dense(to.store, slice.offset, slice.shape));
                    start += length;
                }
            }
            // Through views, as far as strides can say it.
            Op::Reshape(_) => {
                let inner = node.operands[0];
                if let Some(to) = to.reshape(graph.shape(inner)) {
                    self.want(inner, to);
                }
                return;
            }
            Op::Transpose(ref order) => {
                self.want(node.operands[0], to.transpose(&inverse(order)));
                return;
            }
            _ => {}
        }
        self.wanted.entry(id).or_insert(to);
    }

    fn copy(&mut self, from: &View, to: &View) {
        let there = place(from) == place(to) && from.is_row_major() && to.is_row_major();
        let stored = self.stored.contains(&(place(from), place(to)));
        if from.shape.size() == 0 || there || stored || self.open.store(from, to) {
            return;
        }
        let nest = loops(&from.shape, &to.order(), [&from.strides, &to.strides]);
        self.push(Instruction::Copy { nest, from: place(from), result: place(to) });
    }

    /// The same elements row-major and dense.
    fn row_major(&mut self, view: View) -> View {
        if view.is_row_major() {
            return view;
        }
        let dense = self.new_dense(&view.shape);
        self.copy(&view, &dense);
        dense
    }

    fn fill(&mut self, view: &View, value: T) {
        let elements = view.shape.size();
        self.push(Instruction::Fill { value, elements, result: place(view) });
    }

    fn node(&mut self, id: NodeId) {
        if self.views[id as usize].is_some() {
            return;
        }
        let node = self.graph.node(id);
        let shape = node.shape.clone();
        let operands = node.operands.clone();
        let view = match &node.op {
            Op::Constant(_) => return,
            Op::Poison => unreachable!("a poisoned trace is never compiled"),
            Op::Input { slot, offset } => View::dense(Store::Input(*slot), *offset, shape),
            Op::Unary(_) | Op::Binary(_) | Op::Select => {
                if shape.size() == 1 {
                    self.scalar(id);
                } else if let Some(root) = self.chains.turn[id as usize] {
                    self.chain(root);
                }
                return;
            }
            Op::Reduce { op, axes } => self.reduce(*op, axes, operands[0], &shape),
            Op::MatMul => self.product(operands[0], operands[1], &shape),
            Op::Transpose(order) => self.view(operands[0]).transpose(order),
            Op::Reshape(_) => {
                let view = self.view(operands[0]);
                match view.reshape(&shape) {
                    Some(view) => view,
                    None => {
                        let dense = self.row_major(view);
                        View::dense(dense.store, dense.offset, shape)
                    }
                }
            }
            Op::Broadcast(_) => self.view(operands[0]).broadcast(&shape),
            Op::Slice { axis, start, step, length } => self.view(operands[0]).slice(*axis, *start, *step, *length),
            Op::Pad { axis, start, step, .. } => {
                let from = self.view(operands[0]);
                let inside = |to: &View| to.slice(*axis, *start, *step, from.shape[*axis]);
                let whole = View::dense(Store::Constants, 0, shape.clone());
                match self.short_join(&shape, &[(from.clone(), inside(&whole))]) {
                    Some(joined) => joined,
                    None => {
                        let to = self.new_dense(&shape);
                        self.fill(&to, T::ZERO);
                        self.copy(&from, &inside(&to));
                        to
                    }
                }
            }
            Op::Concat { axis } => {
                let wanted = self.wanted.remove(&id).filter(View::is_row_major);
                let whole = View::dense(Store::Constants, 0, shape.clone());
                let mut start = 0;
                let parts = operands.iter().map(|&operand| {
                    let from = self.view(operand);
                    let mut part = whole.slice(*axis, start, 1, from.shape[*axis]);
                    start += from.shape[*axis];
                    if part.is_dense() {
                        // Axes of extent 1 have no strides to speak of.
                        part = View::dense(part.store, part.offset, part.shape);
                    }
                    (from, part)
                });
                let parts: Vec<(View, View)> = parts.collect();
                let joined = if wanted.is_none() { self.short_join(&shape, &parts) } else { None };
                joined.unwrap_or_else(|| {
                    let to = wanted.unwrap_or_else(|| self.new_dense(&shape));
                    for (from, mut part) in parts {
                        (part.store, part.offset) = (to.store, to.offset + part.offset);
                        self.copy(&from, &part);
                    }
                    to
                })
            }
            Op::DiagEmbed => {
                let from = self.view(operands[0]);
                let to = self.new_dense(&shape);
                self.fill(&to, T::ZERO);
                self.copy(&from, &to.diagonal());
                to
            }
            Op::Diag => self.view(operands[0]).diagonal(),
            Op::CumSum { axis, reverse } => {
                let from = self.view(operands[0]);
                let to = self.new_dense(&shape);
                let order: Axes = (0..shape.rank()).filter(|a| a != axis).collect();
                let nest = loops(&shape, &order, [&from.strides, &to.strides]);
                let along = Loop { extent: shape[*axis], steps: [from.strides[*axis], to.strides[*axis]] };
                let (from, result) = (place(&from), place(&to));
                self.push(Instruction::CumSum { nest, along, reverse: *reverse, from, result });
                to
            }
            Op::Recurrence { axis, reverse } => {
                let [decay, input] = [0, 1].map(|i| self.view(operands[i]));
                let to = self.new_dense(&shape);
                let order: Axes = (0..shape.rank()).filter(|a| a != axis).collect();
                let strides = [&decay.strides, &input.strides, &to.strides];
                let nest = loops(&shape, &order, strides);
                let steps = strides.map(|s| s[*axis]);
                let recurrence = Recurrence {
                    nest,
                    length: shape[*axis],
                    steps,
                    reverse: *reverse,
                    operands: [place(&decay), place(&input)],
                    result: place(&to),
                };
                self.push(Instruction::Recurrence(recurrence));
                to
            }
            Op::Gather { axis, index } => {
                let from = self.view(operands[0]);
                let from = self.row_major(from);
                let to = self.new_dense(&shape);
                let (outer, length, inner) = around(&from.shape, *axis);
                let (from, result, index) = (place(&from), place(&to), index.clone());
                self.push(Instruction::Gather { outer, length, inner, index, from, result });
                to
            }
            Op::ScatterAdd { axis, index, .. } => {
                let from = self.view(operands[0]);
                let from = self.row_major(from);
                let to = self.new_dense(&shape);
                let (outer, length, inner) = around(&shape, *axis);
                let scatter = ScatterAdd::new([outer, length, inner], index, place(&from), place(&to));
                self.push(Instruction::ScatterAdd(scatter));
                to
            }
            Op::Cholesky => {
                let from = self.view(operands[0]);
                let to = self.new_dense(&shape);
                let last = shape.rank() - 1;
                let batch = matrix_loops(&shape, [&from.strides, &to.strides]);
                let strides = [from.strides[last - 1], from.strides[last]];
                let (from, result) = (place(&from), place(&to));
                self.push(Instruction::Cholesky { batch, n: shape[last], strides, from, result });
                to
            }
            Op::SolveLower { transposed } => {
                let factor = self.view(operands[0]);
                let right = self.view(operands[1]);
                let to = self.new_dense(&shape);
                self.copy(&right.broadcast(&shape), &to);
                let last = shape.rank() - 1;
                let (n, m) = (shape[last - 1], shape[last]);
                let factor = factor.broadcast(&Shape::from(&shape[..last - 1]).join(&[n, n]));
                let batch = matrix_loops(&shape, [&factor.strides, &to.strides]);
                let strides = [factor.strides[last - 1], factor.strides[last]];
                let (factor, result) = (place(&factor), place(&to));
                let solve = Instruction::Solve { batch, transposed: *transposed, n, m, strides, factor, result };
                self.push(solve);
                to
            }
            Op::LogAbsDet => self.eliminate(Wanted::LogAbsDet, operands[0], &shape),
            Op::DetSign => self.eliminate(Wanted::DetSign, operands[0], &shape),
            Op::Inverse => self.eliminate(Wanted::Inverse, operands[0], &shape),
            Op::Windows(window) => self.windows(*window, operands[0], &shape),
            Op::Overlay { window, .. } => self.overlay(*window, operands[0], &shape),
            Op::ArgSort => self.argsort(operands[0], &shape),
            Op::TakeAlong => self.along(true, [operands[0], operands[1]], &shape),
            Op::PutAlong { .. } => self.along(false, [operands[0], operands[1]], &shape),
            Op::Scan { body, length, reverse } => {
                let [init, inputs, shared] = [0, 1, 2].map(|i| {
                    let view = self.view(operands[i]);
                    place(&self.row_major(view))
                });
                let to = self.new_dense(&shape);
                let scan = Scan::<T>::compile(body, *length, *reverse, shape.size());
                let memory = Place { store: self.buffer(scan.memory_length()), offset: 0 };
                self.push(Instruction::Scan(scan.at([init, inputs, shared], memory, place(&to))));
                to
            }
            Op::Random { law, stream, .. } => {
                let to = self.new_dense(&shape);
                let order: Axes = (0..shape.rank()).collect();
                let parameters = operands
                    .iter()
                    .map(|&o| {
                        let view = self.view(o).broadcast(&shape);
                        (place(&view), loops(&shape, &order, [&view.strides]))
                    })
                    .collect();
                let (elements, result) = (shape.size(), place(&to));
                let random = Instruction::Random { law: *law, stream: *stream, elements, parameters, result };
                self.push(random);
                to
            }
        };
        self.views[id as usize] = Some(view);
    }

    fn reduce(&mut self, op: Reduction, axes: &Axes, operand: NodeId, shape: &Shape) -> View {
        let from = self.view(operand);
        let all = shape.size() == 1 && (2..=MAX_SHORT).contains(&from.shape.size());
        if op == Reduction::Sum && all && from.is_dense() {
            let sum = self.short_sum(&from);
            return View::dense(sum.store, sum.offset, shape.clone());
        }
        let to = self.new_dense(shape);
        let order = from.order();
        let split = |reduced: bool| -> Axes { order.iter().copied().filter(|a| axes.contains(a) == reduced).collect() };
        let kept = loops(&from.shape, &split(false), [&from.strides, &to.strides]);
        let reduced = loops(&from.shape, &split(true), [&from.strides]);
        self.push(Instruction::Reduce(Reduce {
            op,
            kept,
            reduced,
            sum: sum_of::<T>,
            accumulate: accumulate_kernel::<T>(op),
            from: place(&from),
            result: place(&to),
        }));
        to
    }

    /// A constant, perhaps transposed.
    fn is_constant(&self, id: NodeId) -> bool {
        let node = self.graph.node(id);
        match node.op {
            Op::Constant(_) => true,
            Op::Transpose(_) => self.is_constant(node.operands[0]),
            _ => false,
        }
    }
}

/// The index of element `e`, counted in the order of the loops.
fn element(nest: &[Loop<1>], mut e: usize) -> usize {
    let mut offset = 0;
    for l in nest.iter().rev() {
        offset += (e % l.extent) * l.steps[0] as usize;
        e /= l.extent;
    }
    offset
}

/// Products of the extents before, at and after an axis.
fn around(shape: &Shape, axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// The loops over the batch axes of matrices.
fn matrix_loops(shape: &Shape, strides: [&crate::shape::Strides; 2]) -> Vec<Loop<2>> {
    let axes: Axes = (0..shape.rank() - 2).collect();
    loops(shape, &axes, strides)
}
