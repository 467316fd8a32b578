//! Steps of a chain that go from one array through numbers become one step with one loop ([`kernels::line`]): a density
//! of a few operations is then read and written at the speed of memory.
//!
//! [`kernels::line`]: crate::kernels::line

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::kernels::line::{End, LineKernel, Middle, NUMBERS, Start, line_kernel};
use crate::ops::{Binary, Op};
use crate::program::contract::{Planned, Rule, Within};
use crate::program::graph::Graph;
use crate::real::Real;
use crate::tape::NodeId;

/// What a line does, and which of its step's operands its numbers are: the array is the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    start: Start,
    middle: Middle,
    end: End,
    /// The operand of each number, 0 where it has none.
    at: [u8; NUMBERS],
    negated: [bool; NUMBERS],
    /// Which ends belong to the interval.
    within: Within,
}

/// Where the numbers of a line begin: its middle's, and its interval's.
const MIDDLE: usize = 2;
const INTERVAL: usize = 7;

impl Line {
    pub fn kernel<T: Real>(&self) -> Option<LineKernel<T>> {
        line_kernel::<T>(self.start, self.middle, self.end)
    }

    /// What its kernel takes, of the values of the step's operands: an interval with its ends.
    #[inline]
    pub fn numbers<T: Real>(&self, operand: impl Fn(usize) -> T) -> [T; NUMBERS] {
        let mut numbers = [T::ZERO; NUMBERS];
        for (i, number) in numbers.iter_mut().enumerate().filter(|&(i, _)| self.at[i] > 0) {
            let value = operand(self.at[i] as usize);
            *number = T::select(self.negated[i], -value, value);
        }
        let [low, high] = [numbers[INTERVAL], numbers[INTERVAL + 1]];
        // Nothing is beyond infinity, and so nothing compares with NaN.
        if !self.within.low {
            numbers[INTERVAL] = if low == T::INFINITY { T::NAN } else { low.next_up() };
        }
        if !self.within.high {
            numbers[INTERVAL + 1] = if high == T::NEG_INFINITY { T::NAN } else { high.next_down() };
        }
        numbers
    }

    /// Its parts, for explanations.
    pub fn name(&self) -> &'static str {
        match (self.middle, self.end) {
            (Middle::Affine, End::Everywhere) => "affine",
            (Middle::OfSquare, End::Everywhere) => "of_square",
            (Middle::Quadratic, End::Everywhere) => "quadratic",
            (Middle::SubAbs, End::Everywhere) => "sub_abs",
            (Middle::Bent, End::Everywhere) => "bent",
            (Middle::Case | Middle::Cases, End::Everywhere) => "cases",
            (Middle::Affine, _) => "affine_within",
            (Middle::OfSquare, _) => "of_square_within",
            (Middle::Quadratic, _) => "quadratic_within",
            (Middle::SubAbs, _) => "sub_abs_within",
            (Middle::Bent, _) => "bent_within",
            (Middle::Case | Middle::Cases, _) => "cases_within",
        }
    }
}

/// A line as it is found, from its end: the steps that it replaces, and its numbers.
#[derive(Clone)]
struct Found {
    steps: SmallVec<[usize; 8]>,
    x: NodeId,
    start: Start,
    middle: Middle,
    end: End,
    within: Within,
    numbers: [Option<NodeId>; NUMBERS],
    negated: [bool; NUMBERS],
}

/// A chain's steps, as the search for lines sees them.
struct Search<'s, N> {
    graph: &'s Graph,
    planned: &'s [Planned],
    /// The step that makes a node.
    made: HashMap<NodeId, usize>,
    /// How many operands of steps each node is.
    uses: HashMap<NodeId, usize>,
    is_number: N,
}

/// The same steps, with lines in the places of those that they replace.
pub(crate) fn lines(graph: &Graph, mut planned: Vec<Planned>, is_number: impl Fn(NodeId) -> bool) -> Vec<Planned> {
    let mut uses: HashMap<NodeId, usize> = HashMap::new();
    planned.iter().flat_map(|step| &step.operands).for_each(|&o| *uses.entry(o).or_default() += 1);
    let made = planned.iter().enumerate().map(|(i, step)| (step.node, i)).collect();
    let search = Search { graph, planned: &planned, made, uses, is_number };
    let mut found: Vec<(usize, Found)> = Vec::new();
    let mut gone = vec![false; planned.len()];
    for last in (0..planned.len()).rev() {
        if !gone[last]
            && let Some(line) = search.line(last)
        {
            line.steps.iter().for_each(|&step| gone[step] = true);
            found.push((last, line));
        }
    }
    for (last, line) in found {
        let step = line.step(planned[last].node);
        planned[last] = step;
        gone[last] = false;
    }
    let mut gone = gone.into_iter();
    planned.retain(|_| gone.next() == Some(false));
    planned
}

impl Found {
    fn step(&self, node: NodeId) -> Planned {
        let mut operands = SmallVec::from_slice(&[self.x]);
        let mut at = [0; NUMBERS];
        for (at, number) in at.iter_mut().zip(self.numbers) {
            if let Some(number) = number {
                operands.push(number);
                *at = operands.len() as u8 - 1;
            }
        }
        let &Found { start, middle, end, within, negated, .. } = self;
        Planned { node, rule: Rule::Line(Line { start, middle, end, at, negated, within }), operands }
    }

    /// Takes numbers in order from a place on.
    fn put(&mut self, from: usize, numbers: &[NodeId], negated: &[bool]) {
        for (i, (&number, &negated)) in numbers.iter().zip(negated).enumerate() {
            self.numbers[from + i] = Some(number);
            self.negated[from + i] = negated;
        }
    }
}

/// Which of `a` and `c` in `v a + c` are negated.
fn signs(rule: Rule) -> Option<[bool; 2]> {
    match rule {
        Rule::MulAdd | Rule::SquareMulAdd => Some([false, false]),
        Rule::MulSub | Rule::SquareMulSub => Some([false, true]),
        Rule::SubMul => Some([true, false]),
        _ => None,
    }
}

impl<N: Fn(NodeId) -> bool> Search<'_, N> {
    /// The line of at least two steps that a step ends.
    fn line(&self, last: usize) -> Option<Found> {
        let mut found = Found {
            steps: SmallVec::from_slice(&[last]),
            x: 0,
            start: Start::Sub,
            middle: Middle::Affine,
            end: End::Everywhere,
            within: Within { low: true, high: true },
            numbers: [None; NUMBERS],
            negated: [false; NUMBERS],
        };
        let inside = self.end(last, &mut found)?;
        let v = self.middle(inside, &mut found)?;
        let begun = self.start(v, &found);
        let plain = || Found { x: v, ..found.clone() };
        let ends = |line: &Found| found.end == End::Everywhere || line.x == found.x;
        begun.into_iter().chain([plain()]).filter(ends).find(|line| self.stands(line))
    }

    /// Whether a line saves steps that nothing else needs, and has a kernel.
    fn stands(&self, line: &Found) -> bool {
        let within = |id: NodeId| {
            let operands = line.steps.iter().flat_map(|&step| &self.planned[step].operands);
            operands.filter(|&&o| o == id).count()
        };
        let inner = line.steps[1..].iter().map(|&step| self.planned[step].node);
        line.steps.len() > 1
            && inner.into_iter().all(|node| self.uses.get(&node) == Some(&within(node)))
            && line_kernel::<f64>(line.start, line.middle, line.end).is_some()
    }

    /// The step that makes an operand.
    fn maker(&self, id: NodeId) -> Option<usize> {
        self.made.get(&id).copied()
    }

    fn numbers<'p>(&self, operands: &'p [NodeId]) -> Option<&'p [NodeId]> {
        operands.iter().all(|&o| (self.is_number)(o)).then_some(operands)
    }

    /// Takes off an end: the step whose result it chooses.
    fn end(&self, last: usize, found: &mut Found) -> Option<usize> {
        let step = &self.planned[last];
        let (x, ends, v, other) = match (step.rule, &step.operands[..]) {
            (Rule::ChooseWithin(within), &[x, low, high, v, other]) => {
                (found.end, found.within) = (End::Within, within);
                (x, [low, high], v, other)
            }
            (Rule::Plain, &[condition, v, other]) if self.graph.node(step.node).op == Op::Select => {
                let Some((steps, within, x, ends)) = self.whole_within(condition) else { return Some(last) };
                found.steps.extend(steps);
                (found.end, found.within) = (End::WithinWhole, within);
                (x, ends, v, other)
            }
            _ => return Some(last),
        };
        let numbers = [ends[0], ends[1], other];
        found.put(INTERVAL, self.numbers(&numbers)?, &[false; 3]);
        found.x = x;
        let inside = self.maker(v)?;
        found.steps.push(inside);
        Some(inside)
    }

    /// A condition that a number lies in an interval and is whole: the steps that make it, the interval, what is asked.
    fn whole_within(&self, condition: NodeId) -> Option<([usize; 3], Within, NodeId, [NodeId; 2])> {
        let both = self.maker(condition)?;
        let step = &self.planned[both];
        let is_product = step.rule == Rule::Plain && self.graph.node(step.node).op == Op::Binary(Binary::Mul);
        let &[a, b] = &step.operands[..] else { return None };
        let (a, b) = (self.maker(a)?, self.maker(b)?);
        [(a, b), (b, a)].into_iter().filter(|_| is_product).find_map(|(a, b)| {
            let (inside, whole) = (&self.planned[a], &self.planned[b]);
            match (inside.rule, &inside.operands[..], whole.rule, &whole.operands[..]) {
                (Rule::Within(within), &[x, low, high], Rule::IsWhole, &[same]) if same == x => {
                    Some(([both, a, b], within, x, [low, high]))
                }
                _ => None,
            }
        })
    }

    /// Takes off a middle that a step ends: what it is of.
    fn middle(&self, last: usize, found: &mut Found) -> Option<NodeId> {
        let step = &self.planned[last];
        match (step.rule, &step.operands[..]) {
            (Rule::MulAdd | Rule::MulSub | Rule::SubMul, &[v, a, c]) => {
                let [first, second] = signs(step.rule)?;
                self.numbers(&[c])?;
                if (self.is_number)(a) {
                    found.middle = Middle::Affine;
                    found.put(MIDDLE, &[a, c], &[first, second]);
                    return Some(v);
                }
                [(v, a), (a, v)].into_iter().find_map(|(v, t)| self.factor(v, t, first, (c, second), found))
            }
            (Rule::SquareMulAdd | Rule::SquareMulSub, &[v, a, c]) => {
                found.middle = Middle::OfSquare;
                found.put(MIDDLE, self.numbers(&[a, c])?, &signs(step.rule)?);
                Some(v)
            }
            (Rule::SubAbs, &[v, a]) => {
                found.middle = Middle::SubAbs;
                found.put(MIDDLE, self.numbers(&[a])?, &[false]);
                Some(v)
            }
            (Rule::Choose(Binary::Eq), &[v, key, yes, no]) => {
                self.numbers(&[key, yes])?;
                found.middle = Middle::Case;
                if (self.is_number)(no) {
                    found.put(MIDDLE, &[key, yes, no], &[false; 3]);
                    return Some(v);
                }
                let second = self.maker(no)?;
                let inner = &self.planned[second];
                let (Rule::Choose(Binary::Eq), &[same, other, a, b]) = (inner.rule, &inner.operands[..]) else {
                    return None;
                };
                found.middle = Middle::Cases;
                found.put(MIDDLE, self.numbers(&[key, yes, other, a, b])?, &[false; 5]);
                found.steps.push(second);
                (same == v).then_some(v)
            }
            _ => None,
        }
    }

    /// A middle `v t + c` whose factor t is made of v too.
    fn factor(&self, v: NodeId, t: NodeId, negated: bool, c: (NodeId, bool), found: &mut Found) -> Option<NodeId> {
        let maker = self.maker(t)?;
        let step = &self.planned[maker];
        match (step.rule, &step.operands[..]) {
            (Rule::MulAdd | Rule::MulSub | Rule::SubMul, &[same, a, b]) if same == v => {
                let signs = signs(step.rule)?.map(|sign| sign != negated);
                found.put(MIDDLE, self.numbers(&[a, b])?, &signs);
                found.put(MIDDLE + 2, &[c.0], &[c.1]);
                found.middle = Middle::Quadratic;
            }
            (Rule::Choose(Binary::Gt), &[same, key, yes, no]) if same == v => {
                found.put(MIDDLE, self.numbers(&[key, yes, no])?, &[false, negated, negated]);
                found.put(MIDDLE + 3, &[c.0], &[c.1]);
                found.middle = Middle::Bent;
            }
            _ => return None,
        }
        found.steps.push(maker);
        Some(v)
    }

    /// The same line, begun with the step that makes v.
    fn start(&self, v: NodeId, found: &Found) -> Option<Found> {
        let maker = self.maker(v)?;
        let step = &self.planned[maker];
        let mut begun = found.clone();
        begun.steps.push(maker);
        let (start, first) = match (step.rule, &self.graph.node(step.node).op) {
            (Rule::SubDiv, _) => (Start::SubDiv, 0),
            (Rule::Plain, Op::Binary(Binary::Sub)) => (Start::Sub, 0),
            // Less nothing, which leaves every bit.
            (Rule::Plain, Op::Binary(Binary::Div)) => (Start::SubDiv, 1),
            _ => return None,
        };
        let (&x, numbers) = step.operands.split_first()?;
        begun.put(first, self.numbers(numbers)?, &[false; 2]);
        (begun.start, begun.x) = (start, x);
        (!(self.is_number)(x)).then_some(begun)
    }
}
