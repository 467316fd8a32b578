//! Lowering of elementwise chains to fused programs.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::short::End;
use super::{Lowering, place};
use crate::kernels::elementwise::{
    CountKernel, SumKernel, SummingKernel, divide_by_number, dot, is_whole, select_kernels, sum as sum_of,
};
use crate::kernels::log_products::{softplus_sum, softplus_sum_with_slopes};
use crate::ops::{Binary, Op, Unary};
use crate::program::contract::{Planned, Rule, contract};
use crate::program::fuse::Sum;
use crate::program::fused::{Fused, LineStep, Source, Step, StepKernel, Total};
use crate::program::guard::{Guard, of_choice};
use crate::program::instruction::{Instruction, LEAST_RUN, Place, Runs};
use crate::program::layout::{Store, View, loops};
use crate::program::line::lines;
use crate::program::short::MAX_SHORT;
use crate::real::Real;
use crate::shape::Shape;
use crate::tape::NodeId;

/// The order of axes for a result none of whose operands has all its elements, as of an outer product: the axis along
/// which most operands are contiguous comes last, a long one if there is any.
fn common_order(shape: &Shape, outside: &[(NodeId, View)]) -> SmallVec<[usize; 4]> {
    let contiguous = |axis: usize, constants: bool| {
        let counts = |v: &View| !v.is_scalar() && (constants || !matches!(v.store, Store::Constants));
        let arrays = outside.iter().filter(|(_, v)| counts(v));
        arrays.filter(|(_, v)| v.strides[axis] == 1 && shape[axis] > 1).count()
    };
    // Of axes with equally many operands the longest, of those equally long the last.
    let key =
        |&axis: &usize| (shape[axis] >= LEAST_RUN && contiguous(axis, true) > 0, contiguous(axis, false), shape[axis]);
    let order = (0..shape.rank()).collect();
    match (0..shape.rank()).max_by_key(key).filter(|&axis| contiguous(axis, true) > 0) {
        Some(inner) => innermost(order, inner),
        None => order,
    }
}

/// The axes with one of them last.
fn innermost(mut order: SmallVec<[usize; 4]>, axis: usize) -> SmallVec<[usize; 4]> {
    order.retain(|other| *other != axis);
    order.push(axis);
    order
}

/// How the sum at the end of a chain is made, of nodes.
enum Ending<T> {
    /// Of a node, or of a function of it.
    Sum(SumKernel<T>, NodeId),
    /// Of products.
    Dot([NodeId; 2]),
    /// Of how many lie in an interval.
    Count(CountKernel<T>, [NodeId; 3]),
    /// By the step of a node.
    Step(SummingKernel<T>, NodeId),
}

impl<T> Ending<T> {
    /// What it reads at the end of a block.
    fn reads(&self) -> &[NodeId] {
        match self {
            Ending::Sum(_, a) => std::slice::from_ref(a),
            Ending::Dot(operands) => operands,
            Ending::Count(_, operands) => operands,
            Ending::Step(..) => &[],
        }
    }

    fn is_step(&self, node: NodeId) -> bool {
        matches!(self, Ending::Step(_, step) if *step == node)
    }
}

/// The steps of a chain with what they need.
struct Steps<T> {
    steps: Vec<Step<T>>,
    sources: Vec<Source>,
    registers: usize,
    total: Option<Total<T>>,
    /// What all steps have as a guard.
    guards: SmallVec<[(Place, bool); 2]>,
}

/// Takes from steps the guards that all have.
fn common_guards<T>(steps: &mut [Step<T>]) -> SmallVec<[(usize, bool); 2]> {
    let Some((first, others)) = steps.split_first() else { return SmallVec::new() };
    let mut common = first.guards.clone();
    common.retain(|guard| others.iter().all(|step| step.guards.contains(guard)));
    steps.iter_mut().for_each(|step| step.guards.retain(|guard| !common.contains(guard)));
    common
}

impl<T: Real> Lowering<'_, T> {
    /// One fused program for the chain that ends at `root`.
    pub(super) fn chain(&mut self, root: NodeId) {
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
        // Single numbers that say which of its steps count.
        for &member in &members {
            for guard in self.guards[member as usize].clone() {
                // What comes after rows that are computed in strips is not known yet.
                let is_known = self.views[guard.condition as usize].is_some() || self.is_constant(guard.condition);
                if is_known && outside.iter().all(|(id, _)| *id != guard.condition) {
                    let number = self.view(guard.condition);
                    let number = View::dense(number.store, number.offset, Shape::scalar());
                    outside.push((guard.condition, number.broadcast(&shape)));
                }
            }
        }
        // The result lies as the first large operand does, so that both are walked in one sweep.
        let like = outside.iter().map(|(_, view)| view).find(|v| !matches!(v.store, Store::Constants) && v.is_dense());
        let like = like.or_else(|| outside.iter().map(|(_, view)| view).find(|v| v.is_dense()));
        let order = like.map_or_else(|| common_order(&shape, &outside), View::order);
        // Constants are laid out to fit, once and for all.
        for (id, view) in &mut outside {
            let constant = self.is_constant(*id) && *self.graph.shape(*id) == shape;
            if constant && !view.is_scalar() && view.order() != order {
                *view = self.constant(*id, order.clone());
            }
        }
        let sum = self.chains.sum[root as usize];
        let walk = View::ordered(Store::Constants, shape.clone(), &order);
        // Short arrays have no steps of their own for numbers.
        let has_no_guards = members.iter().all(|&member| self.guards[member as usize].is_empty());
        let is_short = (2..=MAX_SHORT).contains(&elements) && has_no_guards;
        let number = |id: NodeId| {
            let mut outside = outside.iter();
            !is_short && outside.any(|(other, view)| *other == id && view.is_scalar())
        };
        let mut planned = contract(self.graph, &members, &self.uses, number);
        if is_short {
            self.short(root, &planned, &outside, &order, &walk);
            return;
        }
        let total = sum.map(|sum| (sum, self.new_dense(&self.graph.shape(sum.to).clone())));
        let result = sum.is_none_or(|sum| sum.of != root).then(|| match self.wanted.get(&root) {
            Some(to) if to.lies_as(&View::ordered(to.store, shape.clone(), &order)) => to.clone(),
            _ => {
                let store = self.buffer(elements);
                View::ordered(store, shape.clone(), &order)
            }
        });
        let alone = result.as_ref().filter(|_| sum.is_none());
        let runs = alone.and_then(|result| self.runs(root, &planned, &outside, &order, &walk, result));
        if alone.is_some_and(|result| self.slope(&planned, &outside, result)) {
            // The product before it does it.
        } else if let Some(runs) = runs {
            self.push(Instruction::Runs(runs));
        } else if elements > 0 {
            let ending = sum.map(|sum| self.ending(&mut planned, sum.of, &outside));
            let kept = ending.as_ref().map_or(&[][..], Ending::reads);
            let planned = lines(self.graph, planned, kept, number);
            let chain = self.steps(root, &planned, ending.as_ref(), &outside, &order, &walk);
            let Steps { steps, sources, registers, total: adds, guards } = chain;
            let total = adds.zip(total.as_ref().map(|(_, view)| place(view)));
            let stored = result.as_ref().map(place);
            self.push(Instruction::Fused(Fused { elements, sources, registers, steps, stored, total, guards }));
        } else if let Some((_, view)) = &total {
            self.fill(view, T::ZERO);
        }
        if let Some((sum, view)) = total {
            self.views[sum.to as usize] = Some(view);
        }
        if let Some(result) = result {
            self.views[root as usize] = Some(result);
        }
    }

    /// A chain over a short array, which is written to the place where it is wanted too.
    fn short(&mut self, root: NodeId, planned: &[Planned], outside: &[(NodeId, View)], order: &[usize], walk: &View) {
        if let Some(Sum { to: sum, .. }) = self.chains.sum[root as usize] {
            let total = self.short_chain(planned, outside, order, walk, End::Sum);
            let shape = self.graph.shape(sum).clone();
            self.views[sum as usize] = Some(View::dense(total.store, total.offset, shape));
            return;
        }
        let view = self.short_chain(planned, outside, order, walk, End::Array);
        if let Some(to) = self.wanted.get(&root)
            && self.open.store(&view, to)
        {
            self.stored.insert((place(&view), place(to)));
        }
        self.views[root as usize] = Some(view);
    }

    /// How the sum at the end of a chain is made: products are summed as they are made, and so is a function with a kernel
    /// for that, whose step is then none of the chain's.
    fn ending(&self, planned: &mut Vec<Planned>, of: NodeId, outside: &[(NodeId, View)]) -> Ending<T> {
        let is_number = |id: NodeId| outside.iter().any(|(other, view)| *other == id && view.is_scalar());
        let guarded = |id: NodeId| {
            let conditions = self.guards[id as usize].iter().map(|guard| guard.condition);
            conditions.into_iter().any(|condition| outside.iter().any(|(other, _)| *other == condition))
        };
        let Some(at) = planned.iter().position(|step| step.node == of).filter(|_| !guarded(of)) else {
            return Ending::Sum(sum_of::<T>, of);
        };
        let Planned { rule, operands, .. } = &planned[at];
        let ending = match (&self.graph.node(of).op, *rule, &operands[..]) {
            (Op::Binary(Binary::Mul), Rule::Plain, &[a, b]) if !is_number(a) && !is_number(b) => Ending::Dot([a, b]),
            (Op::Unary(Unary::Square), Rule::Plain, &[a]) if !is_number(a) => Ending::Dot([a, a]),
            (Op::Unary(Unary::Softplus), Rule::Plain, &[x]) if !is_number(x) => {
                let is_slope = |step: &&Planned| {
                    self.graph.node(step.node).op == Op::Unary(Unary::Sigmoid) && step.operands[..] == [x]
                };
                match planned.iter().find(is_slope).filter(|step| !guarded(step.node)) {
                    Some(slope) => Ending::Step(softplus_sum_with_slopes::<T>, slope.node),
                    None => Ending::Sum(softplus_sum::<T>, x),
                }
            }
            (_, rule, &[a, b, c]) if let Some(count) = rule.count().filter(|_| is_number(b) && is_number(c)) => {
                Ending::Count(count, [a, b, c])
            }
            _ => return Ending::Sum(sum_of::<T>, of),
        };
        planned.remove(at);
        ending
    }

    /// A chain that multiplies a product by the slope of tanh is done with the product.
    fn slope(&mut self, planned: &[Planned], outside: &[(NodeId, View)], result: &View) -> bool {
        let [Planned { rule: Rule::TimesOneMinusSquare, operands, .. }] = planned else { return false };
        let view = |id: NodeId| outside.iter().find(|(other, _)| *other == id).map(|(_, view)| view);
        view(operands[1]).is_some_and(|y| self.times_slope(operands[0], y, result))
    }

    /// A chain of one operation of two arrays that need not be gathered.
    fn runs(
        &self,
        root: NodeId,
        planned: &[Planned],
        outside: &[(NodeId, View)],
        order: &[usize],
        walk: &View,
        result: &View,
    ) -> Option<Runs<T>> {
        let [step] = planned else { return None };
        let node = self.graph.node(root);
        let (Op::Binary(op), Rule::Plain, [a, b]) = (&node.op, step.rule, &step.operands[..]) else { return None };
        let view = |id: &NodeId| outside.iter().find(|(other, _)| other == id).map(|(_, view)| view);
        let (a, b) = (view(a)?, view(b)?);
        let nest = loops(&walk.shape, order, [&a.strides, &b.strides, &walk.strides]);
        let inner = nest.last()?;
        let form = match inner.steps {
            [1, 1, 1] => 0,
            [0, 1, 1] => 1,
            [1, 0, 1] => 2,
            _ => return None,
        };
        if nest.len() < 2 || inner.extent < LEAST_RUN {
            return None;
        }
        let kernel = op.kernels::<T>()[form];
        Some(Runs { name: node.op.name(), kernel, nest, operands: [place(a), place(b)], result: place(result) })
    }

    /// The steps of a chain with what they need.
    fn steps(
        &self,
        root: NodeId,
        planned: &[Planned],
        ending: Option<&Ending<T>>,
        outside: &[(NodeId, View)],
        order: &[usize],
        walk: &View,
    ) -> Steps<T> {
        let kept = ending.map_or(&[][..], Ending::reads);
        let is_stored = !kept.contains(&root);
        let one = walk.shape.size() == 1;
        // A number may stay a number only where every use has a kernel that takes one.
        let needs_register = |id: NodeId| {
            planned.iter().any(|step| {
                let operands = &step.operands;
                let number = |o: NodeId| outside.iter().any(|(other, view)| *other == o && view.is_scalar());
                operands.contains(&id)
                    && match (operands.len(), &self.graph.node(step.node).op) {
                        (2, _) => number(operands[1]) && operands[0] == id,
                        (3.., _) => operands[0] == id,
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
        let mut last_use: HashMap<NodeId, usize> =
            planned.iter().enumerate().flat_map(|(at, step)| step.operands.iter().map(move |&o| (o, at))).collect();
        last_use.extend(kept.iter().map(|&node| (node, usize::MAX)));
        let mut entry: HashMap<NodeId, usize> = outside.iter().enumerate().map(|(i, (id, _))| (*id, i)).collect();
        let (mut free, mut registers): (Vec<usize>, usize) = (Vec::new(), 0);
        let mut steps = Vec::with_capacity(planned.len());
        const RESULT: usize = usize::MAX;
        for (at, step) in planned.iter().enumerate() {
            let node = self.graph.node(step.node);
            let mut operands = [0; 5];
            for (slot, o) in operands.iter_mut().zip(&step.operands) {
                *slot = entry[o];
            }
            let result = if step.node == root && is_stored {
                RESULT
            } else {
                free.pop().unwrap_or_else(|| {
                    registers += 1;
                    sources.len() + registers - 1
                })
            };
            let number = |i: usize| matches!(sources.get(operands[i]), Some(Source::Number(_)));
            let binary_form = if number(1) { 2 } else { usize::from(number(0)) };
            let kernel = if let Some(Ending::Step(kernel, _)) = ending.filter(|ending| ending.is_step(step.node)) {
                StepKernel::Summing(*kernel)
            } else if let Some(forms) = step.rule.ternary::<T>() {
                StepKernel::Ternary(forms[usize::from(number(1)) + 2 * usize::from(number(2))])
            } else if let Rule::Line(line) = step.rule
                && let Some(kernel) = line.kernel::<T>()
            {
                let operands = step.operands.iter().map(|o| entry[o]).collect();
                StepKernel::Line(Box::new(LineStep { line, kernel, operands }))
            } else if step.rule == Rule::IsWhole {
                StepKernel::Unary(is_whole)
            } else if let Some(forms) = step.rule.inner::<T>() {
                StepKernel::Inner(forms[usize::from(number(3))])
            } else if let Some(forms) = step.rule.choice::<T>() {
                StepKernel::Choice(forms[usize::from(number(2)) + 2 * usize::from(number(3))])
            } else if let Some(forms) = step.rule.binary::<T>() {
                StepKernel::Binary(forms[binary_form])
            } else {
                match &node.op {
                    Op::Unary(op) => StepKernel::Unary(op.kernel::<T>()),
                    Op::Binary(Binary::Div) if binary_form == 2 => StepKernel::Binary(divide_by_number),
                    Op::Binary(op) => StepKernel::Binary(op.kernels::<T>()[binary_form]),
                    _ => StepKernel::Select(select_kernels()[usize::from(number(1)) + 2 * usize::from(number(2))]),
                }
            };
            let known = |guard: &&Guard| entry.contains_key(&guard.condition);
            let own: SmallVec<[&Guard; 2]> = self.guards[step.node as usize].iter().filter(known).collect();
            let reads = |user: &&Planned| user.operands.contains(&step.node);
            let discards = |user: &Planned, guard: &Guard| {
                let choice = of_choice(self.graph, &self.counts, user.node, step.node);
                user.rule == Rule::Plain && choice == Some(*guard) || self.guards[user.node as usize].contains(guard)
            };
            let mut users = planned[at + 1..].iter().filter(reads);
            let is_read = step.node == root
                || kept.contains(&step.node)
                || users.any(|user| own.iter().any(|guard| !discards(user, guard)));
            steps.push(Step {
                name: match step.rule {
                    _ if matches!(kernel, StepKernel::Summing(_)) => "softplus_sum_and_sigmoid",
                    Rule::Plain => node.op.name(),
                    rule => rule.name(),
                },
                kernel,
                operands,
                result,
                guards: own.iter().map(|guard| (entry[&guard.condition], guard.wanted)).collect(),
                is_read,
            });
            entry.insert(step.node, result);
            for (i, o) in step.operands.iter().enumerate() {
                let register = entry[o];
                let repeated = step.operands[..i].contains(o);
                if last_use[o] == at && register >= sources.len() && register != RESULT && !repeated {
                    free.push(register);
                }
            }
        }
        let end = sources.len() + registers;
        steps.iter_mut().filter(|s| s.result == RESULT).for_each(|s| s.result = end);
        let total = ending.map(|ending| match *ending {
            Ending::Sum(kernel, a) => Total::Sum(kernel, entry[&a]),
            Ending::Dot(operands) => Total::Dot(dot::<T>, operands.map(|o| entry[&o])),
            Ending::Count(kernel, operands) => Total::Count(kernel, operands.map(|o| entry[&o])),
            Ending::Step(..) => Total::Step,
        });
        let guards = if total.is_none() { common_guards(&mut steps) } else { SmallVec::new() };
        let guards = guards.into_iter().map(|(at, wanted)| (sources[at].place(), wanted)).collect();
        Steps { steps, sources, registers, total, guards }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Program, Var, trace};

    /// Long data against a few parameters, as the components of a mixture: the few lie outermost, so that what is taken of
    /// each of them is contiguous.
    #[test]
    fn a_short_axis_lies_outermost() {
        let data: Vec<f64> = (0..100).map(|i| f64::from(i).sin()).collect();
        let column = ndarray::Array1::from(data.clone()).insert_axis(ndarray::Axis(1));
        let (y, traced) = trace(|| {
            let z = (Var::from(&column) - Var::input(0, [2])).square();
            [(z.index(1, 0) * z.index(1, 1)).exp()]
        })
        .unwrap();
        let program = Program::<f64>::compile(traced.tape(), &[&y]);
        let text = program.explain();
        let product = text.lines().find(|line| line.contains("exp")).unwrap();
        assert!(!product.contains("gathered"), "{text}");
        let mut out = [0.0; 100];
        program.evaluate(&mut program.workspace(), &[&[0.3, -0.2]], &mut [&mut out]);
        for (x, got) in data.iter().zip(out) {
            let want = ((x - 0.3).powi(2) * (x + 0.2).powi(2)).exp();
            assert!((got - want).abs() < 1e-15 * want, "{got} {want}");
        }
    }
}
