//! Lowering of operations on single numbers: as many as possible become one instruction.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{Lowering, place};
use crate::kernels::elementwise::is_whole;
use crate::ops::{Binary, Op, Unary};
use crate::program::contract::{Rule, contract};
use crate::program::instruction::{Instruction, Place};
use crate::program::layout::{Store, View};
use crate::program::scalar::{Code, ScalarStep, Scalars};
use crate::real::Real;
use crate::tape::NodeId;

/// Scalar operations that were met and do not run yet: they run before the first instruction that reads one of them.
#[derive(Default)]
pub(super) struct Group {
    buffer: Option<Store>,
    /// The operations in order.
    members: Vec<NodeId>,
    /// The slot in the buffer of each node, an operand from outside or a member.
    slots: HashMap<NodeId, u32>,
    loads: Vec<(Place, u32)>,
    stores: Vec<(u32, Place)>,
    /// The stores that `stores` writes to.
    targets: SmallVec<[Store; 2]>,
}

impl Group {
    /// Whether something in this store is made by the group.
    pub fn touches(&self, store: Store) -> bool {
        self.buffer == Some(store) || self.targets.contains(&store)
    }

    /// Lets the group copy one of its results to another place, if `from` is one.
    pub fn store(&mut self, from: Place, to: Place) -> bool {
        let own = self.buffer == Some(from.store);
        if own {
            self.stores.push((from.offset as u32, to));
            if !self.targets.contains(&to.store) {
                self.targets.push(to.store);
            }
        }
        own
    }
}

impl<T: Real> Lowering<'_, T> {
    /// Adds an operation on single numbers to the open group.
    pub(super) fn scalar(&mut self, id: NodeId) {
        let store = match self.open.buffer {
            Some(store) => store,
            None => {
                let store = self.buffer(0);
                self.open.buffer = Some(store);
                store
            }
        };
        for operand in self.graph.node(id).operands.clone() {
            let at = place(&self.view(operand));
            if at.store == store {
                self.open.slots.insert(operand, at.offset as u32);
            } else if !self.open.slots.contains_key(&operand) {
                if self.open.targets.contains(&at.store) {
                    // A part of an array that the group itself writes to: it has to be there first.
                    self.flush();
                    return self.scalar(id);
                }
                let slot = self.slot(store, operand);
                self.open.loads.push((at, slot));
            }
        }
        let slot = self.slot(store, id);
        self.open.members.push(id);
        let shape = self.graph.shape(id).clone();
        self.views[id as usize] = Some(View::dense(store, slot as usize, shape));
    }

    /// The next slot of the group's buffer.
    fn slot(&mut self, store: Store, id: NodeId) -> u32 {
        let Store::Buffer(buffer) = store else {
            unreachable!("a group writes to a buffer of the workspace");
        };
        let length = &mut self.out.buffers[buffer as usize];
        let slot = *length as u32;
        *length += 1;
        self.open.slots.insert(id, slot);
        slot
    }

    /// Ends the open group.
    pub(super) fn flush(&mut self) {
        let group = std::mem::take(&mut self.open);
        let Some(store) = group.buffer else { return };
        let planned = contract(self.graph, &group.members, &self.uses, |_| false);
        let steps = planned.iter().map(|step| {
            let node = self.graph.node(step.node);
            let mut operands = [0; 3];
            for (slot, operand) in operands.iter_mut().zip(&step.operands) {
                *slot = group.slots[operand];
            }
            ScalarStep {
                name: match step.rule {
                    Rule::Plain => node.op.name(),
                    rule => rule.name(),
                },
                code: code(step.rule, &node.op),
                operands,
                result: group.slots[&step.node],
            }
        });
        self.out.instructions.push(Instruction::Scalars(Scalars {
            steps: steps.collect(),
            loads: group.loads,
            stores: group.stores,
            slots: Place { store, offset: 0 },
        }));
    }
}

fn code<T: Real>(rule: Rule, op: &Op) -> Code<T> {
    match (rule, op) {
        (Rule::MulAdd, _) => Code::MulAdd,
        (Rule::MulSub, _) => Code::MulSub,
        (Rule::SubMul, _) => Code::SubMul,
        (Rule::TimesOneMinusSquare, _) => Code::TimesOneMinusSquare,
        (Rule::IsWhole, _) => Code::Unary(is_whole),
        (Rule::Within(_) | Rule::SubDiv, _) => rule.ternary().map_or(Code::Select, |kernels| Code::Ternary(kernels[0])),
        (Rule::Plain, Op::Binary(Binary::Add)) => Code::Add,
        (Rule::Plain, Op::Binary(Binary::Sub)) => Code::Sub,
        (Rule::Plain, Op::Binary(Binary::Mul)) => Code::Mul,
        (Rule::Plain, Op::Binary(Binary::Div)) => Code::Div,
        (Rule::Plain, Op::Unary(Unary::Neg)) => Code::Neg,
        (Rule::Plain, Op::Unary(Unary::Square)) => Code::Square,
        (Rule::Plain, Op::Unary(op)) => Code::Unary(op.kernel()),
        (Rule::Plain, Op::Binary(op)) => Code::Binary(op.kernels()[0]),
        _ => Code::Select,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Program, Var, concat, gradient, trace};

    /// Compiles `f` of two scalars for two output slots; the values at (0.5, -2) and what the program does.
    fn run(f: impl Fn(Var, Var) -> [Var; 2]) -> (Vec<f64>, Vec<f64>, String) {
        let ([a, b], traced) = trace(|| f(Var::input(0, []), Var::input(0, []))).unwrap();
        let program = Program::<f64>::compile(traced.tape(), &[&[a], &[b]]);
        let lengths = program.output_lengths();
        let (mut a, mut b) = (vec![f64::NAN; lengths[0]], vec![f64::NAN; lengths[1]]);
        program.evaluate(&mut program.workspace(), &[&[0.5, -2.0]], &mut [&mut a, &mut b]);
        (a, b, program.explain())
    }

    #[test]
    fn a_scalar_function_and_its_gradient_are_one_instruction() {
        // x^3 y + x/y: the derivatives are 3 x^2 y + 1/y and x^3 - x/y^2.
        let (value, slope, explanation) = run(|x, y| {
            let value = x * x * x * y + x / y;
            let parts: Vec<Var> = gradient(value, &[x, y]).iter().map(|g| g.reshape([1])).collect();
            [value, concat(&parts, 0)]
        });
        assert_eq!(value, [-0.5]);
        assert_eq!(slope, [-2.0, 0.0]);
        assert!(explanation.starts_with("1 instructions"), "{explanation}");
    }

    #[test]
    fn other_operations_are_by_blocks_of_one() {
        let (value, other, _) = run(|x, y| [x.exp().ln() + y.abs(), x.gt(y).select(x.max(y), y).pow(3.0)]);
        // ln exp is exact to two roundings of a number below 3.
        assert!((value[0] - 2.5).abs() < 1e-15);
        assert_eq!(other, [0.125]);
    }

    #[test]
    fn scalars_run_before_what_reads_them_and_after_what_they_read() {
        let (sum, again, _) = run(|x, y| {
            let scale = x * 4.0;
            let row = scale * Var::from([1.0, 2.0, 3.0].as_slice()) + y;
            // 0 + 2 + 4, then 6 + scale.
            let sum = row.sum();
            [sum, concat(&[row, (sum + scale).reshape([1])], 0)]
        });
        assert_eq!(sum, [6.0]);
        assert_eq!(again, [0.0, 2.0, 4.0, 8.0]);
    }

    #[test]
    fn a_value_may_be_wanted_at_many_places() {
        let (first, second, _) = run(|x, y| {
            let (a, b) = ((x + y).reshape([1]), (x * y).reshape([1]));
            let pair = concat(&[a, b], 0);
            let tail = (pair.sum() * 2.0).reshape([1]);
            [concat(&[pair, a, tail], 0), pair]
        });
        assert_eq!(first, [-1.5, -1.0, -1.5, -5.0]);
        assert_eq!(second, [-1.5, -1.0]);
    }
}
