//! Lowering: every node of a graph becomes a view of something that exists, or an instruction that makes it.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::fuse::{Chains, chains};
use super::graph::Graph;
use super::instruction::{Fused, Instruction, Place, Product, Reduce, Source, Step, StepKernel};
use super::layout::{Loop, Store, View, loops};
use crate::kernels::elementwise::{SumKernel, accumulate_kernel, select, sum as sum_of};
use crate::kernels::product::{Method, ProductSpec, product_kernel, tile_lanes};
use crate::ops::{Axes, Op, Reduction};
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
    views: Vec<Option<View>>,
    out: Lowered<T>,
    /// Constants that were laid out: table entry and order of axes to their place in the store.
    laid_out: HashMap<(u32, SmallVec<[usize; 4]>), usize>,
}

/// Lowers a graph; output `i` of the graph is written row-major to its place in an output slot.
pub(crate) fn lower<T: Real>(graph: &Graph, outputs: &[(u32, usize)]) -> Lowered<T> {
    let out = Lowered { instructions: Vec::new(), constants: Vec::new(), buffers: Vec::new() };
    let views = vec![None; graph.nodes.len()];
    let mut lowering = Lowering { graph, chains: chains(graph), views, out, laid_out: HashMap::new() };
    for id in 0..graph.nodes.len() {
        lowering.node(id as NodeId);
    }
    for (&id, &(slot, offset)) in graph.outputs.iter().zip(outputs) {
        let from = lowering.view(id);
        let to = View::dense(Store::Output(slot), offset, from.shape.clone());
        lowering.copy(&from, &to);
    }
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

    /// A constant laid out with its axes in the given order.
    fn constant(&mut self, id: NodeId, order: SmallVec<[usize; 4]>) -> View {
        let Op::Constant(entry) = self.graph.node(id).op else {
            unreachable!("only constants are laid out on demand");
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

    fn copy(&mut self, from: &View, to: &View) {
        if from.shape.size() == 0 {
            return;
        }
        let nest = loops(&from.shape, &to.order(), [&from.strides, &to.strides]);
        self.out.instructions.push(Instruction::Copy { nest, from: place(from), result: place(to) });
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
        self.out.instructions.push(Instruction::Fill { value, elements, result: place(view) });
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
                if self.chains.root[id as usize] == Some(id) {
                    self.chain(id);
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
                let to = self.new_dense(&shape);
                self.fill(&to, T::ZERO);
                let inside = to.slice(*axis, *start, *step, from.shape[*axis]);
                self.copy(&from, &inside);
                to
            }
            Op::Concat { axis } => {
                let to = self.new_dense(&shape);
                let mut start = 0;
                for operand in operands {
                    let from = self.view(operand);
                    let length = from.shape[*axis];
                    self.copy(&from, &to.slice(*axis, start, 1, length));
                    start += length;
                }
                to
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
                self.out.instructions.push(Instruction::CumSum { nest, along, reverse: *reverse, from, result });
                to
            }
            Op::Gather { axis, index } => {
                let from = self.view(operands[0]);
                let from = self.row_major(from);
                let to = self.new_dense(&shape);
                let (outer, length, inner) = around(&from.shape, *axis);
                let (from, result, index) = (place(&from), place(&to), index.clone());
                self.out.instructions.push(Instruction::Gather { outer, length, inner, index, from, result });
                to
            }
            Op::ScatterAdd { axis, index, .. } => {
                let from = self.view(operands[0]);
                let from = self.row_major(from);
                let to = self.new_dense(&shape);
                let (outer, length, inner) = around(&shape, *axis);
                let (from, result, index) = (place(&from), place(&to), index.clone());
                self.out.instructions.push(Instruction::ScatterAdd { outer, length, inner, index, from, result });
                to
            }
            Op::Cholesky => {
                let from = self.view(operands[0]);
                let to = self.new_dense(&shape);
                let last = shape.rank() - 1;
                let batch = matrix_loops(&shape, [&from.strides, &to.strides]);
                let strides = [from.strides[last - 1], from.strides[last]];
                let (from, result) = (place(&from), place(&to));
                self.out.instructions.push(Instruction::Cholesky { batch, n: shape[last], strides, from, result });
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
                self.out.instructions.push(solve);
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
                self.out.instructions.push(random);
                to
            }
        };
        self.views[id as usize] = Some(view);
    }

    /// One fused program for the chain that ends at `root`.
    fn chain(&mut self, root: NodeId) {
        let members = std::mem::take(&mut self.chains.members[root as usize]);
        let shape = self.graph.shape(root).clone();
        let elements = shape.size();
        // What the chain reads from outside, in the shape of the chain.
        let mut outside: Vec<(NodeId, View)> = Vec::new();
        for &member in &members {
            for &operand in &self.graph.node(member).operands {
                let inside = self.chains.root[operand as usize] == Some(root);
                if !inside && outside.iter().all(|(id, _)| *id != operand) {
                    outside.push((operand, self.view(operand).broadcast(&shape)));
                }
            }
        }
        // The result lies as the first large operand does, so that both are walked in one sweep.
        let like = outside.iter().map(|(_, view)| view).find(|v| !matches!(v.store, Store::Constants) && v.is_dense());
        let like = like.or_else(|| outside.iter().map(|(_, view)| view).find(|v| v.is_dense()));
        let order = like.map_or_else(|| (0..shape.rank()).collect(), View::order);
        // Constants are laid out to fit, once and for all.
        for (id, view) in &mut outside {
            let constant = matches!(self.graph.node(*id).op, Op::Constant(_)) && *self.graph.shape(*id) == shape;
            if constant && !view.is_scalar() && view.order() != order {
                *view = self.constant(*id, order.clone());
            }
        }
        let sum = self.chains.sum[root as usize];
        let result = match sum {
            Some(sum) => {
                let shape = self.graph.shape(sum).clone();
                self.new_dense(&shape)
            }
            None => {
                let store = self.buffer(elements);
                View::ordered(store, shape.clone(), &order)
            }
        };
        let walk = View::ordered(Store::Constants, shape.clone(), &order);
        let (steps, sources, registers) = self.steps(root, &members, &outside, &order, &walk);
        let total: SumKernel<T> = sum_of::<T>;
        let fused = Fused { elements, sources, registers, steps, sum: sum.map(|_| total), result: place(&result) };
        if elements > 0 {
            self.out.instructions.push(Instruction::Fused(fused));
        } else if sum.is_some() {
            self.fill(&result, T::ZERO);
        }
        self.views[sum.unwrap_or(root) as usize] = Some(result);
    }

    /// The steps of a chain with its sources and the number of registers that they need.
    fn steps(
        &self,
        root: NodeId,
        members: &[NodeId],
        outside: &[(NodeId, View)],
        order: &[usize],
        walk: &View,
    ) -> (Vec<Step<T>>, Vec<Source>, usize) {
        let one = walk.shape.size() == 1;
        // A number may stay a number only where every use has a kernel that takes one.
        let needs_register = |id: NodeId| {
            members.iter().any(|&m| {
                let node = self.graph.node(m);
                let uses = node.operands.contains(&id);
                let number = |o: NodeId| outside.iter().any(|(other, view)| *other == o && view.is_scalar());
                uses && match node.op {
                    Op::Binary(_) => number(node.operands[1]) && number(node.operands[0]) && node.operands[0] == id,
                    _ => true,
                }
            })
        };
        let sources: Vec<Source> = outside
            .iter()
            .map(|(id, view)| {
                let at = place(view);
                let nest = loops(&view.shape, order, [&view.strides, &walk.strides]);
                if one || nest.iter().all(|l| l.steps[0] == l.steps[1]) {
                    Source::Dense(at)
                } else if view.is_scalar() {
                    if needs_register(*id) { Source::Splat(at) } else { Source::Number(at) }
                } else {
                    Source::Strided(at, loops(&view.shape, order, [&view.strides]))
                }
            })
            .collect();
        let last_use: HashMap<NodeId, usize> = members
            .iter()
            .enumerate()
            .flat_map(|(at, &m)| self.graph.node(m).operands.iter().map(move |&o| (o, at)))
            .collect();
        let mut entry: HashMap<NodeId, usize> = outside.iter().enumerate().map(|(i, (id, _))| (*id, i)).collect();
        let (mut free, mut registers): (Vec<usize>, usize) = (Vec::new(), 0);
        let mut steps = Vec::with_capacity(members.len());
        const RESULT: usize = usize::MAX;
        for (at, &member) in members.iter().enumerate() {
            let node = self.graph.node(member);
            let mut operands = [0; 3];
            for (slot, o) in operands.iter_mut().zip(&node.operands) {
                *slot = entry[o];
            }
            let result = if member == root {
                RESULT
            } else {
                free.pop().unwrap_or_else(|| {
                    registers += 1;
                    sources.len() + registers - 1
                })
            };
            let number = |i: usize| matches!(sources.get(operands[i]), Some(Source::Number(_)));
            let kernel = match &node.op {
                Op::Unary(op) => StepKernel::Unary(op.kernel::<T>()),
                Op::Binary(op) => {
                    let forms = op.kernels::<T>();
                    StepKernel::Binary(forms[if number(1) { 2 } else { usize::from(number(0)) }])
                }
                _ => StepKernel::Select(select::<T>),
            };
            steps.push(Step { name: node.op.name(), kernel, operands, result });
            entry.insert(member, result);
            for (i, o) in node.operands.iter().enumerate() {
                let register = entry[o];
                let repeated = node.operands[..i].contains(o);
                if last_use[o] == at && register >= sources.len() && register != RESULT && !repeated {
                    free.push(register);
                }
            }
        }
        let end = sources.len() + registers;
        steps.iter_mut().filter(|s| s.result == RESULT).for_each(|s| s.result = end);
        (steps, sources, registers)
    }

    fn reduce(&mut self, op: Reduction, axes: &Axes, operand: NodeId, shape: &Shape) -> View {
        let from = self.view(operand);
        let to = self.new_dense(shape);
        let order = from.order();
        let split = |reduced: bool| -> Axes { order.iter().copied().filter(|a| axes.contains(a) == reduced).collect() };
        let kept = loops(&from.shape, &split(false), [&from.strides, &to.strides]);
        let reduced = loops(&from.shape, &split(true), [&from.strides]);
        self.out.instructions.push(Instruction::Reduce(Reduce {
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

    /// A matrix product: the method that needs the fewest vector operations, counting the copies it asks for.
    fn product(&mut self, left: NodeId, right: NodeId, shape: &Shape) -> View {
        let last = shape.rank() - 1;
        let batch = Shape::from(&shape[..last - 1]);
        let (m, n) = (shape[last - 1], shape[last]);
        let k = self.graph.shape(left)[self.graph.shape(left).rank() - 1];
        let (a, b) = (self.view(left), self.view(right));
        let plan = ProductPlan::choose(m, n, k, &a, &b, self.is_constant(left), self.is_constant(right));
        let a = self.laid_out(left, a, plan.copy_a);
        let b = self.laid_out(right, b, plan.copy_b);
        let a = a.broadcast(&batch.join(&[m, k]));
        let b = b.broadcast(&batch.join(&[k, n]));
        let mut order: Axes = (0..shape.rank()).collect();
        if plan.by_columns {
            order.swap(last - 1, last);
        }
        let store = self.buffer(shape.size());
        let c = View::ordered(store, shape.clone(), &order);
        if k == 0 {
            self.fill(&c, T::ZERO);
            return c;
        }
        let pair = |v: &View| [v.strides[last - 1], v.strides[last]];
        let spec = ProductSpec { m, n, k, a: pair(&a), b: pair(&b), c: pair(&c) };
        let (spec, a, b) = if plan.transposed { (spec.transposed(), b, a) } else { (spec, a, b) };
        let axes: Axes = (0..last - 1).collect();
        self.out.instructions.push(Instruction::Product(Product {
            batch: loops(shape, &axes, [&a.strides, &b.strides, &c.strides]),
            spec,
            method: plan.method,
            kernel: product_kernel::<T>(plan.method),
            lanes: tile_lanes::<T>(),
            a: place(&a),
            b: place(&b),
            result: place(&c),
        }));
        c
    }

    fn is_constant(&self, id: NodeId) -> bool {
        matches!(self.graph.node(id).op, Op::Constant(_))
    }

    /// An operand with the asked one of its last two axes contiguous; constants are laid out at compile time.
    fn laid_out(&mut self, id: NodeId, view: View, contiguous: Option<usize>) -> View {
        let Some(axis) = contiguous else { return view };
        let rank = view.shape.rank();
        let mut order: SmallVec<[usize; 4]> = (0..rank).collect();
        if axis == 0 {
            order.swap(rank - 2, rank - 1);
        }
        if self.is_constant(id) {
            return self.constant(id, order);
        }
        let store = self.buffer(view.shape.size());
        let to = View::ordered(store, view.shape.clone(), &order);
        self.copy(&view, &to);
        to
    }
}

/// How a product is computed: `transposed` swaps the operands, `copy_*` names the axis (0 or 1 of the last two) that
/// an operand must first be copied to have contiguous.
struct ProductPlan {
    method: Method,
    transposed: bool,
    copy_a: Option<usize>,
    copy_b: Option<usize>,
    by_columns: bool,
}

impl ProductPlan {
    fn choose(m: usize, n: usize, k: usize, a: &View, b: &View, a_constant: bool, b_constant: bool) -> Self {
        /// Products of at least this many multiplications in each direction are packed and blocked.
        const LARGE: usize = 24;
        const LANES: usize = 8;
        let unit = |v: &View, axis: usize| {
            let at = v.shape.rank() - 2 + axis;
            v.strides[at] == 1 || v.shape[at] == 1
        };
        let by_columns = m > n;
        if m >= LARGE && n >= LARGE && k >= LARGE {
            return Self { method: Method::Blocked, transposed: false, copy_a: None, copy_b: None, by_columns };
        }
        // Costs in vector operations; a strided copy moves about one element in the time of one.
        let copy = |v: &View, axis: usize, constant: bool| {
            let missing = !unit(v, axis);
            let cost = if missing && !constant { v.shape.iter().rev().take(2).product() } else { 0 };
            (missing.then_some(axis), cost)
        };
        let ((a_rows, a_rows_cost), (b_columns, b_columns_cost)) = (copy(a, 0, a_constant), copy(b, 1, b_constant));
        let ((a_inner, a_inner_cost), (b_inner, b_inner_cost)) = (copy(a, 1, a_constant), copy(b, 0, b_constant));
        let lanes = |rows: usize, columns: usize| {
            rows.div_ceil(LANES) * columns * k + if rows < LANES / 2 { m * n * k } else { 0 }
        };
        let dots = m * n * (k.div_ceil(LANES) + 3);
        let candidates = [
            (lanes(m, n) + a_rows_cost, Method::Lanes, false, a_rows, None, true),
            (lanes(n, m) + b_columns_cost, Method::Lanes, true, None, b_columns, false),
            (dots + a_inner_cost + b_inner_cost, Method::Dots, false, a_inner, b_inner, by_columns),
            (m * n * k, Method::Plain, false, None, None, by_columns),
        ];
        let mut best = &candidates[0];
        for candidate in &candidates[1..] {
            if candidate.0 < best.0 {
                best = candidate;
            }
        }
        let &(_, method, transposed, copy_a, copy_b, by_columns) = best;
        Self { method, transposed, copy_a, copy_b, by_columns }
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
