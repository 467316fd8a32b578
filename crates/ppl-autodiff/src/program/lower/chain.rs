//! Lowering of elementwise chains to fused programs.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::short::End;
use super::{Lowering, place};
use crate::kernels::elementwise::{divide_by_number, dot, is_whole, select_kernels, sum as sum_of};
use crate::ops::{Binary, Op, Unary};
use crate::program::contract::{Planned, Rule, contract};
use crate::program::guard::{Guard, of_choice};
use crate::program::instruction::{Fused, Instruction, LEAST_RUN, LineStep, Runs, Source, Step, StepKernel, Total};
use crate::program::layout::{Store, View, loops};
use crate::program::line::lines;
use crate::program::short::MAX_SHORT;
use crate::real::Real;
use crate::shape::Shape;
use crate::tape::NodeId;

/// The order of axes for a result none of whose operands has all its elements, as of an outer product: the axis along
/// which most operands are contiguous comes last, a long one if there is any.
fn common_order(shape: &Shape, outside: &[(NodeId, View)]) -> SmallVec<[usize; 4]> {
    let mut order: SmallVec<[usize; 4]> = (0..shape.rank()).collect();
    let contiguous = |axis: usize| {
        let arrays = outside.iter().filter(|(_, v)| !v.is_scalar() && !matches!(v.store, Store::Constants));
        arrays.filter(|(_, v)| v.strides[axis] == 1 && shape[axis] > 1).count()
    };
    // Of axes with equally many operands the longest, of those equally long the last.
    let key = |&axis: &usize| (shape[axis] >= LEAST_RUN && contiguous(axis) > 0, contiguous(axis), shape[axis]);
    if let Some(inner) = order.iter().copied().max_by_key(key).filter(|&a| contiguous(a) > 0) {
        order.retain(|axis| *axis != inner);
        order.push(inner);
    }
    order
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
        let planned = contract(self.graph, &members, &self.uses, number);
        if is_short {
            self.short(root, &planned, &outside, &order, &walk);
            return;
        }
        let planned = lines(self.graph, planned, number);
        let result = match sum {
            Some(sum) => {
                let shape = self.graph.shape(sum).clone();
                self.new_dense(&shape)
            }
            None if let Some(to) = self.wanted.get(&root)
                && to.lies_as(&View::ordered(to.store, shape.clone(), &order)) =>
            {
                to.clone()
            }
            None => {
                let store = self.buffer(elements);
                View::ordered(store, shape.clone(), &order)
            }
        };
        let (mut steps, sources, registers) = self.steps(root, &planned, &outside, &order, &walk);
        let runs = if sum.is_none() { self.runs(root, &planned, &outside, &order, &walk, &result) } else { None };
        if sum.is_none() && self.slope(&planned, &outside, &result) {
            // The product before it does it.
        } else if let Some(runs) = runs {
            self.push(Instruction::Runs(runs));
        } else if elements > 0 {
            let total = sum.map(|_| self.total(&planned, &mut steps, &sources));
            let fused = Fused { elements, sources, registers, steps, total, result: place(&result) };
            self.push(Instruction::Fused(fused));
        } else if sum.is_some() {
            self.fill(&result, T::ZERO);
        }
        self.views[sum.unwrap_or(root) as usize] = Some(result);
    }

    /// A chain over a short array, which is written to the place where it is wanted too.
    fn short(&mut self, root: NodeId, planned: &[Planned], outside: &[(NodeId, View)], order: &[usize], walk: &View) {
        if let Some(sum) = self.chains.sum[root as usize] {
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

    /// How a chain is added up: a product at its end is summed as it is made.
    fn total(&self, planned: &[Planned], steps: &mut Vec<Step<T>>, sources: &[Source]) -> Total<T> {
        let product = planned.last().filter(|last| last.rule == Rule::Plain).and_then(|last| {
            let (a, b) = (steps.last()?.operands[0], steps.last()?.operands[1]);
            match self.graph.node(last.node).op {
                Op::Binary(Binary::Mul) => Some([a, b]),
                Op::Unary(Unary::Square) => Some([a, a]),
                _ => None,
            }
        });
        if let Some(last) = planned.last()
            && let Some(count) = last.rule.count()
            && let Some(&Step { operands: [a, b, c, ..], ref guards, .. }) = steps.last()
            && guards.is_empty()
            && [b, c].iter().all(|&entry| matches!(sources.get(entry), Some(Source::Number(_))))
        {
            steps.pop();
            return Total::Count(count, [a, b, c]);
        }
        let is_array = |&entry: &usize| !matches!(sources.get(entry), Some(Source::Number(_)));
        match product {
            Some(operands) if operands.iter().all(is_array) && steps.last().is_some_and(|s| s.guards.is_empty()) => {
                steps.pop();
                Total::Dot(dot::<T>, operands)
            }
            _ => Total::Sum(sum_of::<T>),
        }
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

    /// The steps of a chain with its sources and the number of registers that they need.
    fn steps(
        &self,
        root: NodeId,
        planned: &[Planned],
        outside: &[(NodeId, View)],
        order: &[usize],
        walk: &View,
    ) -> (Vec<Step<T>>, Vec<Source>, usize) {
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
        let last_use: HashMap<NodeId, usize> =
            planned.iter().enumerate().flat_map(|(at, step)| step.operands.iter().map(move |&o| (o, at))).collect();
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
            let result = if step.node == root {
                RESULT
            } else {
                free.pop().unwrap_or_else(|| {
                    registers += 1;
                    sources.len() + registers - 1
                })
            };
            let number = |i: usize| matches!(sources.get(operands[i]), Some(Source::Number(_)));
            let binary_form = if number(1) { 2 } else { usize::from(number(0)) };
            let kernel = if let Some(forms) = step.rule.ternary::<T>() {
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
            let is_read = step.node == root || users.any(|user| own.iter().any(|guard| !discards(user, guard)));
            steps.push(Step {
                name: match step.rule {
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
        (steps, sources, registers)
    }
}
