//! One program over many rows: a tape that computes something from one row of data is widened so that every value that
//! depends on the row has a leading axis over rows. Nothing is evaluated row by row: products with shared matrices stay
//! one product, and per-row gradients of weights are outer products of activations and adjoints.

use smallvec::SmallVec;

use super::Program;
use super::graph::Graph;
use super::passes;
use crate::ops::{Axes, Binary, Op, Reduction, Unary};
use crate::real::Real;
use crate::shape::Shape;
use crate::tape::{Node, NodeId, Tape};
use crate::var::Var;

/// What an output slot of a program over rows receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Values that do not depend on the row, as they are.
    Once,
    /// The values of every row: `length x rows`, row-major, so that the rows of one value are neighbours.
    Each,
    /// The sum over rows.
    Sum,
    /// The sum over rows of squares.
    SumOfSquares,
}

impl<T: Real> Program<T> {
    /// Compiles what `outputs` need of a tape over `rows` rows. Slots from `first_data_slot` on hold the rows of data,
    /// innermost: `length x rows`. The values of an output slot come one after the other, as [`Over`] says.
    ///
    /// ```
    /// use ppl_autodiff::program::Over;
    /// use ppl_autodiff::{Program, Var, gradient, trace};
    ///
    /// // The gradient of (w . x)^2 for each of two rows x: 2 (w . x) x.
    /// let (g, traced) = trace(|| {
    ///     let (w, x) = (Var::input(0, [2]), Var::input(1, [2]));
    ///     gradient((w * x).sum().square(), &[w])[0]
    /// })?;
    /// let program = Program::<f64>::over_rows(traced.tape(), 2, 1, &[(Over::Each, &[g]), (Over::Sum, &[g])]);
    /// let (mut each, mut sum) = ([0.0; 4], [0.0; 2]);
    /// let (w, rows) = ([1.0, -1.0], [3.0, 0.0, 1.0, 1.0]); // (3, 1) and (0, 1)
    /// program.evaluate(&mut program.workspace(), &[&w, &rows], &mut [&mut each, &mut sum]);
    /// assert_eq!((each, sum), ([12.0, 0.0, 4.0, -2.0], [12.0, 2.0]));
    /// # Ok::<(), ppl_autodiff::TraceError>(())
    /// ```
    pub fn over_rows(tape: &Tape, rows: usize, first_data_slot: usize, outputs: &[(Over, &[Var])]) -> Self {
        Self::wide(tape, rows, Rows::Innermost { first: first_data_slot }, outputs)
    }

    /// Compiles what `outputs` need of a tape at `points` values of slot 0, such as draws of an approximation; the other
    /// slots are shared. Slot 0 and every output slot hold a point's numbers side by side: `points x length`, row-major.
    ///
    /// ```
    /// use ppl_autodiff::{Program, Var, gradient, trace};
    ///
    /// let ((y, g), traced) = trace(|| {
    ///     let x = Var::input(0, [2]);
    ///     let y = x.square().sum();
    ///     (y, gradient(y, &[x])[0])
    /// })?;
    /// let program = Program::<f64>::over_points(traced.tape(), 2, &[&[y], &[g]]);
    /// let (mut values, mut gradients) = ([0.0; 2], [0.0; 4]);
    /// program.evaluate(&mut program.workspace(), &[&[1.0, 2.0, 3.0, 4.0]], &mut [&mut values, &mut gradients]);
    /// assert_eq!((values, gradients), ([5.0, 25.0], [2.0, 4.0, 6.0, 8.0]));
    /// # Ok::<(), ppl_autodiff::TraceError>(())
    /// ```
    pub fn over_points(tape: &Tape, points: usize, outputs: &[&[Var]]) -> Self {
        let outputs: Vec<(Over, &[Var])> = outputs.iter().map(|slot| (Over::Each, *slot)).collect();
        Self::wide(tape, points, Rows::Outermost, &outputs)
    }

    fn wide(tape: &Tape, rows: usize, place: Rows, outputs: &[(Over, &[Var])]) -> Self {
        let nodes: Vec<NodeId> = outputs.iter().flat_map(|(_, slot)| slot.iter().map(|v| v.node())).collect();
        let one = passes::before_fold(Graph::from_tape(tape, &nodes));
        let mut wide = Wide { graph: Graph::default(), rows, place, slots: tape.slots() };
        let places = wide.widen(&one);
        let mut wanted = one.outputs.iter();
        let mut found = Vec::new();
        for &(over, slot) in outputs {
            let values: Vec<Place> = wanted.by_ref().take(slot.len()).map(|&id| places[id as usize]).collect();
            found.push(wide.output(over, &values));
        }
        let counts = vec![1; found.len()];
        wide.graph.outputs = found;
        let length = |(slot, &n): (usize, &usize)| if place.holds(slot) { n * rows } else { n };
        let slots: Vec<usize> = tape.slots().iter().enumerate().map(length).collect();
        Self::lower(passes::optimise(wide.graph), &slots, &counts)
    }
}

/// Which slots hold rows, and how they lie.
#[derive(Clone, Copy, PartialEq)]
enum Rows {
    /// Slots from `first` on, as `length x rows`.
    Innermost { first: usize },
    /// Slot 0, as `rows x length`.
    Outermost,
}

impl Rows {
    fn holds(self, slot: usize) -> bool {
        match self {
            Self::Innermost { first } => slot >= first,
            Self::Outermost => slot == 0,
        }
    }
}

/// Where a node of the narrow graph is in the wide one, and whether it has the axis over rows.
#[derive(Clone, Copy)]
struct Place {
    id: NodeId,
    wide: bool,
}

struct Wide<'t> {
    graph: Graph,
    rows: usize,
    place: Rows,
    slots: &'t [usize],
}

impl Wide<'_> {
    fn widen(&mut self, one: &Graph) -> Vec<Place> {
        let live = one.live();
        let mut places: Vec<Place> = Vec::with_capacity(one.nodes.len());
        for (node, live) in one.nodes.iter().zip(live) {
            let place = match node.op {
                _ if !live => Place { id: NodeId::MAX, wide: false },
                Op::Constant(c) => {
                    Place { id: self.graph.constant(one.constants[c as usize].clone(), node), wide: false }
                }
                Op::Input { slot, offset } if self.place.holds(slot as usize) => self.data(node, slot, offset),
                _ => {
                    let x: SmallVec<[Place; 3]> = node.operands.iter().map(|&o| places[o as usize]).collect();
                    if x.iter().any(|p| p.wide) {
                        Place { id: self.node(node, &x), wide: true }
                    } else {
                        let x: SmallVec<[NodeId; 3]> = x.iter().map(|p| p.id).collect();
                        Place { id: self.graph.op(node.op.clone(), &x, node.shape.clone(), node), wide: false }
                    }
                }
            };
            places.push(place);
        }
        places
    }

    /// `[rows, ..shape]`.
    fn shape(&self, shape: &Shape) -> Shape {
        Shape::from(self.rows).join(shape)
    }

    /// The rows of one array of the data.
    fn data(&mut self, node: &Node, slot: u32, offset: usize) -> Place {
        let length = self.slots[slot as usize];
        let all = Shape::from([self.rows, length]);
        let input = Op::Input { slot, offset: 0 };
        let rows = if self.place == Rows::Outermost {
            self.graph.op(input, &[], all, node)
        } else {
            let stored = self.graph.op(input, &[], Shape::from([length, self.rows]), node);
            self.graph.op(Op::Transpose(SmallVec::from_slice(&[1, 0])), &[stored], all, node)
        };
        let size = node.shape.size();
        let part = if size == length {
            rows
        } else {
            let slice = Op::Slice { axis: 1, start: offset, step: 1, length: size };
            self.graph.op(slice, &[rows], Shape::from([self.rows, size]), node)
        };
        Place { id: self.reshape(part, self.shape(&node.shape), node), wide: true }
    }

    fn reshape(&mut self, id: NodeId, shape: Shape, like: &Node) -> NodeId {
        if *self.graph.shape(id) == shape {
            return id;
        }
        self.graph.op(Op::Reshape(shape.clone()), &[id], shape, like)
    }

    /// A wide operand with axes of extent 1 after the first, so that the rest has a given rank and aligns from the
    /// right; a narrow operand aligns by itself.
    fn align(&mut self, x: Place, rank: usize, like: &Node) -> NodeId {
        let shape = self.graph.shape(x.id).clone();
        if !x.wide || shape.rank() == rank + 1 {
            return x.id;
        }
        let ones = vec![1; rank + 1 - shape.rank()];
        let target = Shape::from(self.rows).join(&ones).join(&shape[1..]);
        self.reshape(x.id, target, like)
    }

    /// A narrow operand, repeated for every row.
    fn repeat(&mut self, x: Place, like: &Node) -> NodeId {
        if x.wide {
            return x.id;
        }
        let shape = self.shape(&self.graph.shape(x.id).clone());
        self.graph.op(Op::Broadcast(shape.clone()), &[x.id], shape, like)
    }

    /// A node at least one operand of which is wide.
    fn node(&mut self, node: &Node, x: &[Place]) -> NodeId {
        let (shape, rank) = (self.shape(&node.shape), node.shape.rank());
        let mut ids: SmallVec<[NodeId; 3]> = x.iter().map(|p| p.id).collect();
        let op = match &node.op {
            Op::Input { .. } | Op::Constant(_) | Op::Poison => node.op.clone(), // leaves are never wide here
            Op::Unary(_) | Op::Diag | Op::DiagEmbed | Op::Cholesky | Op::LogAbsDet | Op::DetSign | Op::Inverse => {
                node.op.clone()
            }
            Op::Windows(_) | Op::Overlay { .. } | Op::ArgSort => node.op.clone(),
            Op::TakeAlong | Op::PutAlong { .. } => {
                ids = x.iter().map(|&p| self.repeat(p, node)).collect();
                node.op.clone()
            }
            Op::Binary(_) | Op::Select => {
                ids = x.iter().map(|&p| self.align(p, rank, node)).collect();
                node.op.clone()
            }
            Op::MatMul => return self.product(node, x),
            Op::SolveLower { .. } => {
                ids = x.iter().map(|&p| self.align(p, rank, node)).collect();
                node.op.clone()
            }
            Op::Random { law, stream, .. } => {
                ids = x.iter().map(|&p| self.align(p, rank, node)).collect();
                Op::Random { law: *law, shape: shape.clone(), stream: *stream }
            }
            Op::Reduce { op, axes } => Op::Reduce { op: *op, axes: axes.iter().map(|a| a + 1).collect() },
            Op::CumSum { axis, reverse } => Op::CumSum { axis: axis + 1, reverse: *reverse },
            Op::Recurrence { axis, reverse } => {
                ids = x.iter().map(|&p| self.repeat(p, node)).collect();
                Op::Recurrence { axis: axis + 1, reverse: *reverse }
            }
            Op::Transpose(order) => {
                Op::Transpose(std::iter::once(0).chain(order.iter().map(|a| a + 1)).collect::<Axes>())
            }
            Op::Reshape(_) => Op::Reshape(shape.clone()),
            Op::Broadcast(_) => {
                ids = x.iter().map(|&p| self.align(p, rank, node)).collect();
                Op::Broadcast(shape.clone())
            }
            Op::Slice { axis, start, step, length } => {
                Op::Slice { axis: axis + 1, start: *start, step: *step, length: *length }
            }
            Op::Pad { axis, start, step, length } => {
                Op::Pad { axis: axis + 1, start: *start, step: *step, length: *length }
            }
            Op::Concat { axis } => {
                ids = x.iter().map(|&p| self.repeat(p, node)).collect();
                Op::Concat { axis: axis + 1 }
            }
            Op::Scan { .. } => {
                ids = x.iter().map(|&p| self.repeat(p, node)).collect();
                node.op.clone()
            }
            Op::Gather { axis, index } => Op::Gather { axis: axis + 1, index: index.clone() },
            Op::ScatterAdd { axis, index, length } => {
                Op::ScatterAdd { axis: axis + 1, index: index.clone(), length: *length }
            }
        };
        self.graph.op(op, &ids, shape, node)
    }

    /// A matrix product. Rows times a shared matrix are one product of a taller matrix; an outer product for each row
    /// is elementwise.
    fn product(&mut self, node: &Node, x: &[Place]) -> NodeId {
        let shape = self.shape(&node.shape);
        let rank = node.shape.rank();
        let (a, b) = (self.graph.shape(x[0].id).clone(), self.graph.shape(x[1].id).clone());
        let inner = a[a.rank() - 1];
        if inner == 1 {
            let ids = [self.align(x[0], rank, node), self.align(x[1], rank, node)];
            return self.graph.op(Op::Binary(Binary::Mul), &ids, shape, node);
        }
        if x[0].wide && !x[1].wide && b.rank() == 2 {
            let tall = Shape::from([a[..a.rank() - 1].iter().product(), inner]);
            let left = self.reshape(x[0].id, tall.clone(), node);
            let flat = Shape::from([tall[0], b[1]]);
            let product = self.graph.op(Op::MatMul, &[left, x[1].id], flat, node);
            return self.reshape(product, shape, node);
        }
        let ids = [self.align(x[0], rank, node), self.align(x[1], rank, node)];
        self.graph.op(Op::MatMul, &ids, shape, node)
    }

    /// One output slot: its values side by side.
    fn output(&mut self, over: Over, values: &[Place]) -> NodeId {
        let axis = usize::from(over == Over::Each && self.place == Rows::Outermost);
        let mut parts = Vec::with_capacity(values.len());
        for &value in values {
            let like = self.graph.node(value.id).clone();
            parts.push(match over {
                Over::Once => {
                    let length = self.graph.shape(value.id).size();
                    self.reshape(value.id, Shape::from([length]), &like)
                }
                Over::Each => {
                    let wide = self.repeat(value, &like);
                    let length = self.graph.shape(wide).size() / self.rows.max(1);
                    let flat = self.reshape(wide, Shape::from([self.rows, length]), &like);
                    if self.place == Rows::Outermost {
                        parts.push(flat);
                        continue;
                    }
                    let order = Op::Transpose(SmallVec::from_slice(&[1, 0]));
                    self.graph.op(order, &[flat], Shape::from([length, self.rows]), &like)
                }
                Over::Sum => self.total(value, &like),
                Over::SumOfSquares => {
                    let square = self.square(value, &like);
                    self.total(square, &like)
                }
            });
        }
        if let [one] = parts[..] {
            return one;
        }
        let Some(&first) = parts.first() else {
            return self.graph.empty();
        };
        let like = self.graph.node(first).clone();
        let length = parts.iter().map(|&p| self.graph.shape(p)[axis]).sum();
        let shape = self.graph.shape(first).with(axis, length);
        self.graph.op(Op::Concat { axis }, &parts, shape, &like)
    }

    /// `x^2`, where a product is the product of squares, so that [`Wide::total`] still sees it.
    fn square(&mut self, x: Place, like: &Node) -> Place {
        let node = self.graph.node(x.id).clone();
        let moved = |of: Place, id: NodeId| Place { id, wide: of.wide };
        match node.op {
            Op::Binary(Binary::Mul) => {
                let factors = [node.operands[0], node.operands[1]].map(|id| {
                    let shape = self.graph.shape(id).clone();
                    self.graph.op(Op::Unary(Unary::Square), &[id], shape, like)
                });
                moved(x, self.graph.op(node.op, &factors, node.shape, like))
            }
            Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) | Op::Slice { .. } | Op::Pad { .. } => {
                let inner = self.square(Place { id: node.operands[0], wide: x.wide }, like);
                moved(x, self.graph.op(node.op, &[inner.id], node.shape, like))
            }
            _ => moved(x, self.graph.op(Op::Unary(Unary::Square), &[x.id], node.shape, like)),
        }
    }

    /// The sum over rows, as a vector. A sum of outer products is one matrix product.
    fn total(&mut self, x: Place, like: &Node) -> NodeId {
        if !x.wide {
            let shape = self.graph.shape(x.id).clone();
            let flat = self.reshape(x.id, Shape::from([shape.size()]), like);
            let count = self.graph.filled(self.rows as f64, &Shape::from([shape.size()]), like);
            return self.graph.op(Op::Binary(Binary::Mul), &[flat, count], Shape::from([shape.size()]), like);
        }
        let shape = self.graph.shape(x.id).clone();
        let length = shape.size() / self.rows.max(1);
        if let Some((left, right)) = self.outer(x.id) {
            let (m, n) = (self.graph.shape(left)[1], self.graph.shape(right)[1]);
            let order: Axes = SmallVec::from_slice(&[1, 0]);
            let left = self.graph.op(Op::Transpose(order), &[left], Shape::from([m, self.rows]), like);
            let product = self.graph.op(Op::MatMul, &[left, right], Shape::from([m, n]), like);
            return self.reshape(product, Shape::from([length]), like);
        }
        let flat = self.reshape(x.id, Shape::from([self.rows, length]), like);
        let sum = Op::Reduce { op: Reduction::Sum, axes: SmallVec::from_slice(&[0]) };
        let sum = self.graph.op(sum, &[flat], Shape::from([1, length]), like);
        self.reshape(sum, Shape::from([length]), like)
    }

    /// The factors `[rows, m]` and `[rows, n]` of an outer product for each row, through reshapes.
    fn outer(&mut self, id: NodeId) -> Option<(NodeId, NodeId)> {
        let mut node = self.graph.node(id).clone();
        while let Op::Reshape(_) = node.op {
            node = self.graph.node(node.operands[0]).clone();
        }
        if node.op != Op::Binary(Binary::Mul) {
            return None;
        }
        let (a, b) = (node.operands[0], node.operands[1]);
        let (sa, sb) = (self.graph.shape(a).clone(), self.graph.shape(b).clone());
        if sa.rank() != sb.rank() || sa.rank() < 3 || sa[0] != self.rows || sb[0] != self.rows {
            return None;
        }
        let (last, before) = (sa.rank() - 1, sa.rank() - 2);
        let is = |s: &Shape, i: usize, j: usize| s[1..i].iter().all(|&n| n == 1) && s[j] == 1;
        let (column, row) = if is(&sa, before, last) && is(&sb, before, before) {
            (a, b)
        } else if is(&sb, before, last) && is(&sa, before, before) {
            (b, a)
        } else {
            return None;
        };
        let (m, n) = (self.graph.shape(column)[before], self.graph.shape(row)[last]);
        if m == 1 || n == 1 {
            return None;
        }
        let column = self.reshape(column, Shape::from([self.rows, m]), &node);
        let row = self.reshape(row, Shape::from([self.rows, n]), &node);
        Some((column, row))
    }
}
