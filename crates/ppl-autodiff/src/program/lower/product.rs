//! Lowering of matrix products: which kernel, and how its operands and its result lie.

use smallvec::SmallVec;

use super::{Lowering, place};
use crate::kernels::product::{Method, ProductSpec, product_kernel, vector_lanes};
use crate::ops::{Axes, Op};
use crate::program::instruction::{Instruction, Product};
use crate::program::layout::{View, loops};
use crate::real::Real;
use crate::shape::Shape;
use crate::tape::NodeId;

impl<T: Real> Lowering<'_, T> {
    /// A matrix product: the method that needs the fewest vector operations, counting the copies it asks for.
    pub(super) fn product(&mut self, left: NodeId, right: NodeId, shape: &Shape) -> View {
        let last = shape.rank() - 1;
        let batch = Shape::from(&shape[..last - 1]);
        let (m, n) = (shape[last - 1], shape[last]);
        let k = self.graph.shape(left)[self.graph.shape(left).rank() - 1];
        let (a, b) = (self.view(left), self.view(right));
        let plan =
            ProductPlan::choose(vector_lanes::<T>(), m, n, k, &a, &b, self.is_constant(left), self.is_constant(right));
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
        let spec = ProductSpec { count: 1, steps: [0; 3], m, n, k, a: pair(&a), b: pair(&b), c: pair(&c) };
        let (spec, a, b) = if plan.transposed { (spec.transposed(), b, a) } else { (spec, a, b) };
        let axes: Axes = (0..last - 1).collect();
        let mut batch = loops(shape, &axes, [&a.strides, &b.strides, &c.strides]);
        // The innermost batch axis is the kernel's own loop.
        let spec = match batch.pop() {
            Some(inner) => ProductSpec { count: inner.extent, steps: inner.steps, ..spec },
            None => spec,
        };
        self.push(Instruction::Product(Product {
            batch,
            spec,
            method: plan.method,
            kernel: product_kernel::<T>(plan.method),
            a: place(&a),
            b: place(&b),
            slope: None,
            result: place(&c),
        }));
        c
    }

    /// Has the product that made an array, and whose only user this is, multiply it by `1 - y^2` and write it to a place
    /// that lies as it does; `false` if it cannot.
    pub(super) fn times_slope(&mut self, product: NodeId, y: &View, result: &View) -> bool {
        let made = self.view(product);
        let lies_alike = made.is_dense() && y.lies_as(&made) && result.lies_as(&made);
        if self.graph.node(product).op != Op::MatMul || self.uses[product as usize] != 1 || !lies_alike {
            return false;
        }
        let is_it = |i: &Instruction<T>| match i {
            Instruction::Product(p) => p.result == place(&made) && p.method == Method::Lanes,
            _ => false,
        };
        let Some(at) = self.out.instructions.iter().rposition(is_it) else { return false };
        let Instruction::Product(found) = self.out.instructions.remove(at) else { return false };
        self.push(Instruction::Product(Product { slope: Some(place(y)), result: place(result), ..found }));
        true
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

/// Elements of a matrix that no second-level cache holds.
const LARGE: usize = 1 << 17;

impl ProductPlan {
    #[allow(clippy::too_many_arguments)]
    fn choose(
        width: usize,
        m: usize,
        n: usize,
        k: usize,
        a: &View,
        b: &View,
        a_constant: bool,
        b_constant: bool,
    ) -> Self {
        let unit = |v: &View, axis: usize| {
            let at = v.shape.rank() - 2 + axis;
            v.strides[at] == 1 || v.shape[at] == 1
        };
        let by_columns = m > n;
        // Costs in vector operations; a strided copy moves about one element in the time of one.
        let copy = |v: &View, axis: usize, constant: bool| {
            let missing = !unit(v, axis);
            let cost = if missing && !constant { v.shape.iter().rev().take(2).product() } else { 0 };
            (missing.then_some(axis), cost)
        };
        let ((a_rows, a_rows_cost), (b_columns, b_columns_cost)) = (copy(a, 0, a_constant), copy(b, 1, b_constant));
        let ((a_inner, a_inner_cost), (b_inner, b_inner_cost)) = (copy(a, 1, a_constant), copy(b, 0, b_constant));
        // Lanes along a long axis read from k places at once; out of the caches that takes twice the time of reading on.
        let streams = |rows: usize| if rows * k > LARGE && rows > 4 * width { 2 } else { 1 };
        let lanes = |rows: usize, columns: usize| rows.div_ceil(width) * columns * k * streams(rows);
        let dots = m * n * (k.div_ceil(width) + 3);
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
