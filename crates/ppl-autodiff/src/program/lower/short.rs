//! Lowering of operations on single numbers and short arrays: as many as possible become one instruction.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::{Lowering, place};
use crate::kernels::elementwise::is_whole;
use crate::ops::{Binary, Op, Unary};
use crate::program::contract::{Planned, Rule, contract};
use crate::program::instruction::{Instruction, Place};
use crate::program::layout::{Store, View, loops};
use crate::program::short::{Code, Kernels, LANES, Load, MAX_SHORT, Short, ShortStep, StoreTo};
use crate::real::Real;
use crate::shape::Shape;
use crate::tape::NodeId;

/// Operations that were met and do not run yet: they run before the first instruction that reads one of them.
pub(super) struct Group<T> {
    buffer: Option<Store>,
    /// The operations in order.
    members: Vec<Member>,
    kernels: Kernels<T>,
    /// The slot in the buffer of each number, an operand from outside or a member.
    slots: HashMap<NodeId, u32>,
    /// The slots of arrays from outside, by their place and number of elements.
    arrays: HashMap<(Place, usize), u32>,
    /// The slots of arrays of one number, by the number's slot or its place outside, and their number of elements.
    splats: HashMap<(Place, usize), u32>,
    loads: Vec<(Place, u32, Load)>,
    stores: Vec<StoreTo>,
    /// The stores that `stores` writes to.
    targets: SmallVec<[Store; 2]>,
}

/// An operation of a group.
enum Member {
    /// On numbers.
    Number(NodeId),
    /// On arrays, or from one to a number, with its name.
    Array(&'static str, ShortStep),
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self {
            buffer: None,
            members: Vec::new(),
            kernels: Kernels { unary: Vec::new(), binary: Vec::new() },
            slots: HashMap::new(),
            arrays: HashMap::new(),
            splats: HashMap::new(),
            loads: Vec::new(),
            stores: Vec::new(),
            targets: SmallVec::new(),
        }
    }
}

impl<T> Group<T> {
    /// Whether something in this store is made by the group.
    pub fn touches(&self, store: Store) -> bool {
        self.buffer == Some(store) || self.targets.contains(&store)
    }

    /// Lets the group copy a number or an array that it made to another place, where it lies alike; whether it does.
    pub fn store(&mut self, from: &View, to: &View) -> bool {
        let elements = from.shape.size();
        let own = self.buffer == Some(from.store) && elements <= MAX_SHORT;
        let own = own && (elements == 1 || from.is_dense() && to.lies_as(from));
        if own {
            self.stores.push(StoreTo { slot: from.offset as u32, elements, to: place(to) });
            if !self.targets.contains(&to.store) {
                self.targets.push(to.store);
            }
        }
        own
    }
}

/// How a chain on a short array ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Array,
    Sum,
}

impl<T: Real> Lowering<'_, T> {
    /// Adds an operation on single numbers to the open group.
    pub(super) fn scalar(&mut self, id: NodeId) {
        let store = self.group();
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
                let slot = self.slot();
                self.open.slots.insert(operand, slot);
                self.open.loads.push((at, slot, Load::Number));
            }
        }
        let slot = self.slot();
        self.open.slots.insert(id, slot);
        self.open.members.push(Member::Number(id));
        let shape = self.graph.shape(id).clone();
        self.views[id as usize] = Some(View::dense(store, slot as usize, shape));
    }

    /// The open group's buffer.
    fn group(&mut self) -> Store {
        let open = self.open.buffer;
        let store = open.unwrap_or_else(|| self.buffer(0));
        self.open.buffer = Some(store);
        store
    }

    fn group_length(&mut self) -> &mut usize {
        let Store::Buffer(buffer) = self.group() else {
            unreachable!("a group writes to a buffer of the workspace");
        };
        &mut self.out.buffers[buffer as usize]
    }

    /// The next slot of the group's buffer.
    fn slot(&mut self) -> u32 {
        let length = self.group_length();
        *length += 1;
        (*length - 1) as u32
    }

    /// The first of the next slots for an array.
    fn slots(&mut self, elements: usize) -> u32 {
        let length = self.group_length();
        let start = length.next_multiple_of(LANES);
        *length = start + elements.next_multiple_of(LANES);
        start as u32
    }

    /// An operand of an array operation: its first slot. The view has the shape of the operation.
    fn short_operand(&mut self, view: &View, order: &[usize], walk: &View) -> u32 {
        let (at, elements) = (place(view), view.shape.size());
        let own = self.open.buffer == Some(at.store);
        if view.is_scalar() {
            if let Some(&slot) = self.open.splats.get(&(at, elements)) {
                return slot;
            }
            let slot = self.slots(elements);
            self.open.splats.insert((at, elements), slot);
            if own {
                let operands = [at.offset as u32, 0, 0];
                self.array_step("splat", Code::Splat, operands, slot, elements);
            } else {
                self.open.loads.push((at, slot, Load::Splat(elements)));
            }
            return slot;
        }
        let nest = loops(&view.shape, order, [&view.strides, &walk.strides]);
        let is_dense = nest.iter().all(|l| l.steps[0] == l.steps[1]);
        if own && is_dense {
            // A part of an array is read in whole vectors too.
            let end = at.offset + elements.next_multiple_of(LANES);
            let length = self.group_length();
            *length = end.max(*length);
            return at.offset as u32;
        }
        if is_dense {
            if let Some(&slot) = self.open.arrays.get(&(at, elements)) {
                return slot;
            }
            let slot = self.slots(elements);
            self.open.arrays.insert((at, elements), slot);
            self.open.loads.push((at, slot, Load::Array(elements)));
            return slot;
        }
        let slot = self.slots(elements);
        self.open.loads.push((at, slot, Load::Gather(loops(&view.shape, order, [&view.strides]))));
        slot
    }

    fn array_step(&mut self, name: &'static str, code: Code, operands: [u32; 3], result: u32, elements: usize) {
        let step = ShortStep { code, operands, result, elements: elements as u16, chained: 0 };
        self.open.members.push(Member::Array(name, step));
    }

    /// Whether the group has to run before these can be read: arrays that it made, in another order, and what it writes
    /// elsewhere.
    fn flush_for<'v>(&mut self, mut views: impl Iterator<Item = &'v View>, order: &[usize], walk: &View) {
        let open = &self.open;
        let waits = |view: &View| {
            let nest = || loops(&view.shape, order, [&view.strides, &walk.strides]);
            let gathered = || !view.is_scalar() && nest().iter().any(|l| l.steps[0] != l.steps[1]);
            open.targets.contains(&view.store) || open.buffer == Some(view.store) && gathered()
        };
        if views.any(waits) {
            self.flush();
        }
    }

    /// Adds a chain over a short array to the open group; the result's view, in the order of `walk`.
    pub(super) fn short_chain(
        &mut self,
        planned: &[Planned],
        outside: &[(NodeId, View)],
        order: &[usize],
        walk: &View,
        end: End,
    ) -> View {
        self.flush_for(outside.iter().map(|(_, view)| view), order, walk);
        let elements = walk.shape.size();
        let mut slots: HashMap<NodeId, u32> = HashMap::new();
        for step in planned {
            let mut operands = [0; 3];
            for (slot, &operand) in operands.iter_mut().zip(&step.operands) {
                *slot = match slots.get(&operand) {
                    Some(&slot) => slot,
                    None => {
                        let view = outside.iter().find(|(id, _)| *id == operand).map(|(_, view)| view);
                        let slot = view.map_or(0, |view| self.short_operand(view, order, walk));
                        slots.insert(operand, slot);
                        slot
                    }
                };
            }
            let op = &self.graph.node(step.node).op;
            let last = planned.last().is_some_and(|last| last.node == step.node);
            if last && end == End::Sum && step.rule == Rule::Plain {
                let product = match op {
                    Op::Binary(Binary::Mul) => Some([operands[0], operands[1], 0]),
                    Op::Unary(Unary::Square) => Some([operands[0], operands[0], 0]),
                    _ => None,
                };
                if let Some(operands) = product {
                    return self.short_total("dot", Code::Dot, operands, elements);
                }
            }
            let slot = self.slots(elements);
            slots.insert(step.node, slot);
            let code = code(&mut self.open.kernels, step.rule, op);
            self.array_step(step_name(step.rule, op), code, operands, slot, elements);
            if last && end == End::Sum {
                return self.short_total("sum", Code::Sum, [slot; 3], elements);
            }
        }
        let last = planned.last().and_then(|last| slots.get(&last.node));
        let mut view = View::ordered(self.group(), walk.shape.clone(), order);
        view.offset = last.map_or(0, |&slot| slot as usize);
        view
    }

    /// A short array put together from parts, and zeros where there is none, if each part lies in it one element after
    /// the other; parts come with where they begin in the array.
    pub(super) fn short_join(&mut self, shape: &Shape, parts: &[(View, View)]) -> Option<View> {
        let fits = |(from, part): &(View, View)| {
            let dense = View::dense(part.store, 0, part.shape.clone());
            from.is_row_major() && part.lies_as(&dense)
        };
        if !(2..=MAX_SHORT).contains(&shape.size()) || !parts.iter().all(fits) {
            return None;
        }
        if parts.iter().any(|(from, _)| self.open.targets.contains(&from.store)) {
            self.flush();
        }
        let covered: usize = parts.iter().map(|(from, _)| from.shape.size()).sum();
        let slot = self.slots(shape.size());
        if covered < shape.size() {
            self.array_step("zeros", Code::Zeros, [0; 3], slot, shape.size());
        }
        for (from, part) in parts.iter().filter(|(from, _)| from.shape.size() > 0) {
            let elements = from.shape.size();
            let from = if self.open.buffer == Some(from.store) {
                from.offset as u32
            } else {
                let slot = self.slots(elements);
                self.open.loads.push((place(from), slot, Load::Array(elements)));
                slot
            };
            self.array_step("copy", Code::Copy, [from, 0, 0], slot + part.offset as u32, elements);
        }
        Some(View::dense(self.group(), slot as usize, shape.clone()))
    }

    /// The sum of a short array whose elements lie one after the other.
    pub(super) fn short_sum(&mut self, from: &View) -> View {
        let order = from.order();
        let walk = View::ordered(Store::Constants, from.shape.clone(), &order);
        self.flush_for([from].into_iter(), &order, &walk);
        let operand = self.short_operand(from, &order, &walk);
        self.short_total("sum", Code::Sum, [operand; 3], from.shape.size())
    }

    fn short_total(&mut self, name: &'static str, code: Code, operands: [u32; 3], elements: usize) -> View {
        let slot = self.slot();
        self.array_step(name, code, operands, slot, elements);
        View::dense(self.group(), slot as usize, Shape::scalar())
    }

    /// Ends the open group.
    pub(super) fn flush(&mut self) {
        let mut group = std::mem::take(&mut self.open);
        let Some(store) = group.buffer else { return };
        let numbers = group.members.iter().filter_map(|member| match member {
            Member::Number(id) => Some(*id),
            Member::Array(..) => None,
        });
        let numbers: Vec<NodeId> = numbers.collect();
        let planned = contract(self.graph, &numbers, &self.uses, |_| false);
        let mut planned: HashMap<NodeId, Planned> = planned.into_iter().map(|step| (step.node, step)).collect();
        let steps = group.members.into_iter().filter_map(|member| match member {
            Member::Array(name, step) => Some((name, step)),
            Member::Number(id) => planned.remove(&id).map(|step| {
                let op = &self.graph.node(step.node).op;
                let mut operands = [0; 3];
                for (slot, operand) in operands.iter_mut().zip(&step.operands) {
                    *slot = group.slots[operand];
                }
                let (code, result) = (code(&mut group.kernels, step.rule, op), group.slots[&step.node]);
                (step_name(step.rule, op), ShortStep { code, operands, result, elements: 1, chained: 0 })
            }),
        });
        let (names, mut steps): (_, Vec<ShortStep>) = steps.unzip();
        let loads = self.gather_constants(store, group.loads, &mut steps);
        ShortStep::chain(&mut steps);
        self.out.instructions.push(Instruction::Short(Short {
            steps,
            names,
            kernels: group.kernels,
            loads,
            stores: group.stores,
            slots: Place { store, offset: 0 },
        }));
    }

    /// Lays the constants of a group out once more, as their slots lie, so that one copy brings them all.
    fn gather_constants(
        &mut self,
        store: Store,
        loads: Vec<(Place, u32, Load)>,
        steps: &mut [ShortStep],
    ) -> Vec<(Place, u32, Load)> {
        let Store::Buffer(buffer) = store else { return loads };
        let is_constant =
            |(from, _, how): &(Place, u32, Load)| from.store == Store::Constants && !matches!(how, Load::Gather(_));
        if loads.iter().filter(|load| is_constant(load)).count() < 2 {
            return loads;
        }
        let (mut constants, mut loads): (Vec<_>, Vec<_>) = loads.into_iter().partition(is_constant);
        // Arrays first, which begin with a vector.
        constants.sort_by_key(|(.., how)| matches!(how, Load::Number));
        let length = &mut self.out.buffers[buffer as usize];
        let first = length.next_multiple_of(LANES);
        let mut image: Vec<T> = Vec::new();
        let mut moved = HashMap::new();
        for (from, slot, how) in constants {
            moved.insert(slot, (first + image.len()) as u32);
            let values = &self.out.constants[from.offset..];
            match how {
                Load::Array(elements) => image.extend(&values[..elements]),
                Load::Splat(elements) => image.extend(std::iter::repeat_n(values[0], elements)),
                Load::Number | Load::Gather(_) => {
                    image.push(values[0]);
                    continue;
                }
            }
            image.resize(image.len().next_multiple_of(LANES), T::ONE);
        }
        image.resize(image.len().next_multiple_of(LANES), T::ONE);
        *length = first + image.len();
        for slot in steps.iter_mut().flat_map(|step| &mut step.operands) {
            *slot = moved.get(slot).copied().unwrap_or(*slot);
        }
        let offset = self.out.constants.len().next_multiple_of(64 / size_of::<T>());
        self.out.constants.resize(offset, T::ZERO);
        loads.push((Place { store: Store::Constants, offset }, first as u32, Load::Array(image.len())));
        self.out.constants.extend(image);
        loads
    }
}

/// The number of a function among those that are called, by its address.
fn number_of<F: Copy>(kernels: &mut Vec<F>, kernel: F, address: impl Fn(F) -> usize) -> u16 {
    let known = kernels.iter().position(|&other| address(other) == address(kernel));
    let number = known.unwrap_or(kernels.len());
    if known.is_none() {
        kernels.push(kernel);
    }
    // There are a few hundred functions.
    number as u16
}

fn step_name(rule: Rule, op: &Op) -> &'static str {
    match rule {
        Rule::Plain => op.name(),
        rule => rule.name(),
    }
}

fn code<T: Real>(kernels: &mut Kernels<T>, rule: Rule, op: &Op) -> Code {
    match (rule, op) {
        (Rule::MulAdd, _) => Code::MulAdd,
        (Rule::MulSub, _) => Code::MulSub,
        (Rule::SubMul, _) => Code::SubMul,
        (Rule::TimesOneMinusSquare, _) => Code::TimesOneMinusSquare,
        (Rule::SubDiv, _) => Code::SubDiv,
        (Rule::Within(ends), _) => Code::Within(ends),
        (Rule::IsWhole, _) => Code::Unary(number_of(&mut kernels.unary, is_whole, |f| f as usize)),
        (Rule::Plain, Op::Binary(Binary::Add)) => Code::Add,
        (Rule::Plain, Op::Binary(Binary::Sub)) => Code::Sub,
        (Rule::Plain, Op::Binary(Binary::Mul)) => Code::Mul,
        (Rule::Plain, Op::Binary(Binary::Div)) => Code::Div,
        (Rule::Plain, Op::Unary(Unary::Neg)) => Code::Neg,
        (Rule::Plain, Op::Unary(Unary::Square)) => Code::Square,
        (Rule::Plain, Op::Unary(Unary::Abs)) => Code::Abs,
        (Rule::Plain, Op::Binary(Binary::Gt)) => Code::Gt,
        (Rule::Plain, Op::Binary(Binary::Ge)) => Code::Ge,
        (Rule::Plain, Op::Binary(Binary::Lt)) => Code::Lt,
        (Rule::Plain, Op::Binary(Binary::Le)) => Code::Le,
        (Rule::Plain, Op::Unary(Unary::Exp)) => Code::Exp,
        (Rule::Plain, Op::Unary(Unary::Ln)) => Code::Ln,
        (Rule::Plain, Op::Unary(Unary::Sigmoid)) => Code::Sigmoid,
        (Rule::Plain, Op::Unary(Unary::Softplus)) => Code::Softplus,
        (Rule::Plain, Op::Unary(Unary::Ln1pSquare)) => Code::Ln1pSquare,
        (Rule::Plain, Op::Unary(Unary::Ln1pSquareSlope)) => Code::Ln1pSquareSlope,
        (Rule::Plain, Op::Unary(op)) => Code::Unary(number_of(&mut kernels.unary, op.kernel(), |f| f as usize)),
        (Rule::Plain, Op::Binary(op)) => Code::Binary(number_of(&mut kernels.binary, op.kernels()[0], |f| f as usize)),
        (Rule::Plain, _) => Code::Select,
        (
            Rule::SquareMulAdd
            | Rule::SquareMulSub
            | Rule::SubAbs
            | Rule::Choose(_)
            | Rule::ChooseWithin(_)
            | Rule::Line(_),
            _,
        ) => {
            unreachable!("rules for operands that stay numbers are not asked for here")
        }
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
