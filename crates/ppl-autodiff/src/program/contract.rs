//! Steps of a chain that are cheaper together: a product that is only added to something becomes a fused multiply-add,
//! with one rounding and one pass over the block instead of two.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use crate::kernels::elementwise::{
    Between, BinaryKernel, ChoiceKernel, CountKernel, InnerKernel, MulAdd, MulSub, SquareMulAdd, SquareMulSub, SubAbs,
    SubMul, TernaryKernel, TimesOneMinusSquare, choice_kernels, count, function_kernels, inner_kernels,
    sub_div_kernels, ternary_kernels,
};
use crate::ops::{Binary, Op, Unary};
use crate::program::graph::Graph;
use crate::program::line::Line;
use crate::real::Real;
use crate::tape::NodeId;

/// What a step computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The operation of its node.
    Plain,
    /// `a b + c`
    MulAdd,
    /// `a b - c`
    MulSub,
    /// `c - a b`
    SubMul,
    /// `a^2 b + c`, the square rounded.
    SquareMulAdd,
    /// `a^2 b - c`, the square rounded.
    SquareMulSub,
    /// `b - |a|`
    SubAbs,
    /// `(a - b) / c`, with both roundings.
    SubDiv,
    /// `a` compared with a number `b`: `c` where that holds, else `d`.
    Choose(Binary),
    /// 1 where `a` is a whole number, else 0.
    IsWhole,
    /// `d` where `b <= a <= c` with numbers b and c, else a number `e`.
    ChooseWithin(Within),
    /// 1 where `b <= a <= c`, else 0; with `<` in the places of `<=` as the operations say.
    Within(Within),
    /// `a (1 - b^2)`, the adjoint of the hyperbolic tangent.
    TimesOneMinusSquare,
    /// Several steps in one loop.
    Line(Line),
}

/// Whether the ends of an interval belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Within {
    pub low: bool,
    pub high: bool,
}

/// A step to come: the value of `node` by a rule from operands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    pub node: NodeId,
    pub rule: Rule,
    pub operands: SmallVec<[NodeId; 3]>,
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Rule::Plain => "",
            Rule::MulAdd => "mul_add",
            Rule::MulSub => "mul_sub",
            Rule::SubMul => "sub_mul",
            Rule::SquareMulAdd => "square_mul_add",
            Rule::SquareMulSub => "square_mul_sub",
            Rule::SubAbs => "sub_abs",
            Rule::SubDiv => "sub_div",
            Rule::IsWhole => "is_whole",
            Rule::Choose(_) => "choose",
            Rule::ChooseWithin(_) => "choose_within",
            Rule::Within(_) => "within",
            Rule::TimesOneMinusSquare => "times_one_minus_square",
            Rule::Line(line) => line.name(),
        }
    }

    /// The kernels of a rule with three operands, by which of the last two are numbers.
    pub fn ternary<T: Real>(self) -> Option<[TernaryKernel<T>; 4]> {
        match self {
            Rule::MulAdd => Some(ternary_kernels::<T, MulAdd>()),
            Rule::MulSub => Some(ternary_kernels::<T, MulSub>()),
            Rule::SubMul => Some(ternary_kernels::<T, SubMul>()),
            Rule::SquareMulAdd => Some(ternary_kernels::<T, SquareMulAdd>()),
            Rule::SquareMulSub => Some(ternary_kernels::<T, SquareMulSub>()),
            Rule::SubDiv => Some(sub_div_kernels::<T>()),
            Rule::Within(Within { low: true, high: true }) => Some(ternary_kernels::<T, Between<true, true>>()),
            Rule::Within(Within { low: true, high: false }) => Some(ternary_kernels::<T, Between<true, false>>()),
            Rule::Within(Within { low: false, high: true }) => Some(ternary_kernels::<T, Between<false, true>>()),
            Rule::Within(Within { low: false, high: false }) => Some(ternary_kernels::<T, Between<false, false>>()),
            Rule::Plain
            | Rule::SubAbs
            | Rule::Choose(_)
            | Rule::ChooseWithin(_)
            | Rule::IsWhole
            | Rule::TimesOneMinusSquare
            | Rule::Line(_) => None,
        }
    }

    /// The kernels of a rule with two operands.
    pub fn binary<T: Real>(self) -> Option<[BinaryKernel<T>; 3]> {
        match self {
            Rule::TimesOneMinusSquare => Some(function_kernels::<T, TimesOneMinusSquare>()),
            Rule::SubAbs => Some(function_kernels::<T, SubAbs>()),
            _ => None,
        }
    }

    /// The kernels of a choice by an interval, with an array and with a number in it.
    pub fn inner<T: Real>(self) -> Option<[InnerKernel<T>; 2]> {
        let Rule::ChooseWithin(Within { low, high }) = self else { return None };
        Some(match (low, high) {
            (true, true) => inner_kernels::<T, true, true>(),
            (true, false) => inner_kernels::<T, true, false>(),
            (false, true) => inner_kernels::<T, false, true>(),
            (false, false) => inner_kernels::<T, false, false>(),
        })
    }

    /// The kernel that counts what lies in an interval between two numbers.
    pub fn count<T: Real>(self) -> Option<CountKernel<T>> {
        let Rule::Within(Within { low, high }) = self else { return None };
        Some(match (low, high) {
            (true, true) => count::<T, true, true>,
            (true, false) => count::<T, true, false>,
            (false, true) => count::<T, false, true>,
            (false, false) => count::<T, false, false>,
        })
    }

    /// The kernels of a comparison with a choice, by which of the sides are numbers.
    pub fn choice<T: Real>(self) -> Option<[ChoiceKernel<T>; 4]> {
        if let Rule::Choose(op) = self { choice_kernels(op) } else { None }
    }
}

/// The steps for some elementwise nodes in order. `uses` counts the users of each node of the graph; `is_number` says
/// which operands are one number for all elements.
pub(crate) fn contract(
    graph: &Graph,
    members: &[NodeId],
    uses: &[usize],
    is_number: impl Fn(NodeId) -> bool,
) -> Vec<Planned> {
    let mut planned: HashMap<NodeId, Planned> = HashMap::new();
    let mut absorbed: HashSet<NodeId> = HashSet::new();
    for &member in members {
        let node = graph.node(member);
        let once = |id: NodeId| planned.get(&id).filter(|_| uses[id as usize] == 1);
        let product = |id: NodeId| {
            let operands = &once(id).filter(|p| p.rule == Rule::Plain)?.operands;
            let (a, b) = match graph.node(id).op {
                Op::Binary(Binary::Mul) => (operands[0], operands[1]),
                Op::Unary(Unary::Square) => (operands[0], operands[0]),
                _ => return None,
            };
            // Kernels take numbers in the later places only.
            match (is_number(a), is_number(b)) {
                (false, _) => Some((id, a, b)),
                (true, false) => Some((id, b, a)),
                (true, true) => None,
            }
        };
        let one_minus_square = |id: NodeId| {
            let step = once(id).filter(|p| p.rule == Rule::SubMul)?;
            let [a, b, c] = step.operands[..] else {
                return None;
            };
            (a == b && graph.uniform(c) == Some(1.0)).then_some((id, a))
        };
        let difference = |id: NodeId| {
            let step = once(id).filter(|p| p.rule == Rule::Plain && graph.node(id).op == Op::Binary(Binary::Sub))?;
            let (a, b) = (step.operands[0], step.operands[1]);
            (!is_number(a)).then_some((id, a, b))
        };
        // A comparison with an end of an interval: which end, whether it belongs to it, what is compared with what.
        let end = |id: NodeId| {
            let operands = &once(id).filter(|p| p.rule == Rule::Plain)?.operands;
            let (is_low, belongs) = match graph.node(id).op {
                Op::Binary(Binary::Ge) => (true, true),
                Op::Binary(Binary::Gt) => (true, false),
                Op::Binary(Binary::Le) => (false, true),
                Op::Binary(Binary::Lt) => (false, false),
                _ => return None,
            };
            (!is_number(operands[0])).then_some((is_low, belongs, operands[0], operands[1]))
        };
        let within = |x: NodeId, y: NodeId| {
            let ((true, low, a, b), (false, high, same, c)) = (end(x)?, end(y)?) else { return None };
            (a == same).then_some((Rule::Within(Within { low, high }), SmallVec::from_slice(&[a, b, c])))
        };
        let (x, y) = (node.operands[0], *node.operands.last().unwrap_or(&0));
        let found = match node.op {
            Op::Binary(Binary::Add) => {
                product(y).map(|p| (Rule::MulAdd, p, x)).or_else(|| product(x).map(|p| (Rule::MulAdd, p, y)))
            }
            Op::Binary(Binary::Sub) => {
                product(x).map(|p| (Rule::MulSub, p, y)).or_else(|| product(y).map(|p| (Rule::SubMul, p, x)))
            }
            Op::Binary(Binary::Div) => difference(x).map(|d| (Rule::SubDiv, d, y)),
            _ => None,
        };
        let square = |id: NodeId| {
            let step = once(id).filter(|p| p.rule == Rule::Plain && graph.node(id).op == Op::Unary(Unary::Square))?;
            (!is_number(step.operands[0])).then_some(step.operands[0])
        };
        let magnitude = |id: NodeId| {
            let step = once(id).filter(|p| p.rule == Rule::Plain && graph.node(id).op == Op::Unary(Unary::Abs))?;
            (!is_number(step.operands[0])).then_some(step.operands[0])
        };
        // What a number has after the point, and the node of its floor.
        let fraction = |id: NodeId| {
            let step = once(id).filter(|p| p.rule == Rule::Plain && graph.node(id).op == Op::Binary(Binary::Sub))?;
            let (a, floor) = (step.operands[0], step.operands[1]);
            let is_floor = graph.node(floor).op == Op::Unary(Unary::Floor) && graph.node(floor).operands[0] == a;
            (is_floor && !is_number(a) && once(floor).is_some()).then_some((floor, a))
        };
        // A comparison with a number that only this choice needs.
        let comparison = |id: NodeId| {
            let operands = &once(id).filter(|p| p.rule == Rule::Plain)?.operands;
            let Op::Binary(op @ (Binary::Eq | Binary::Gt | Binary::Ge | Binary::Lt | Binary::Le)) = graph.node(id).op
            else {
                return None;
            };
            (!is_number(operands[0]) && is_number(operands[1])).then_some((op, operands[0], operands[1]))
        };
        let (rule, operands) = if let Some((rule, (inner, a, b), c)) = found {
            absorbed.insert(inner);
            let of_square = match rule {
                Rule::MulAdd => Some(Rule::SquareMulAdd),
                Rule::MulSub => Some(Rule::SquareMulSub),
                _ => None,
            };
            match of_square.zip(square(a)).filter(|_| is_number(b)) {
                Some((rule, root)) => {
                    absorbed.insert(a);
                    (rule, SmallVec::from_slice(&[root, b, c]))
                }
                None => (rule, SmallVec::from_slice(&[a, b, c])),
            }
        } else if let Op::Binary(Binary::Sub) = node.op
            && let Some(a) = magnitude(y).filter(|_| is_number(x))
        {
            absorbed.insert(y);
            (Rule::SubAbs, SmallVec::from_slice(&[a, x]))
        } else if let Op::Binary(Binary::Eq) = node.op
            && let Some((floor, a)) = fraction(x).filter(|_| graph.uniform(y) == Some(0.0))
        {
            absorbed.extend([x, floor]);
            (Rule::IsWhole, SmallVec::from_slice(&[a]))
        } else if let Op::Select = node.op
            && is_number(y)
            && let Some(step) = once(x)
            && let Rule::Within(interval) = step.rule
            && is_number(step.operands[1])
            && is_number(step.operands[2])
        {
            let [a, b, c] = [0, 1, 2].map(|i| step.operands[i]);
            absorbed.insert(x);
            (Rule::ChooseWithin(interval), SmallVec::from_slice(&[a, b, c, node.operands[1], y]))
        } else if let Op::Select = node.op
            && let Some((op, a, b)) = comparison(x)
        {
            absorbed.insert(x);
            (Rule::Choose(op), SmallVec::from_slice(&[a, b, node.operands[1], node.operands[2]]))
        } else if let Op::Binary(Binary::Mul) = node.op
            && let Some(((inner, b), a)) =
                one_minus_square(y).map(|found| (found, x)).or_else(|| one_minus_square(x).map(|found| (found, y)))
        {
            absorbed.insert(inner);
            (Rule::TimesOneMinusSquare, SmallVec::from_slice(&[a, b]))
        } else if let Op::Binary(Binary::Mul) = node.op
            && let Some(found) = within(x, y).or_else(|| within(y, x))
        {
            absorbed.extend([x, y]);
            found
        } else {
            (Rule::Plain, node.operands.clone())
        };
        let node = member;
        planned.insert(member, Planned { node, rule, operands });
    }
    let kept = members.iter().filter(|id| !absorbed.contains(id));
    kept.filter_map(|id| planned.remove(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Var, trace};

    /// The rules for `f(x, y)`, taken as one chain.
    fn rules(f: impl Fn(Var, Var) -> Var) -> Vec<&'static str> {
        let (z, traced) = trace(|| f(Var::input(0, [3]), Var::input(1, [3])).node()).unwrap();
        let graph = Graph::from_tape(traced.tape(), &[z]);
        let members: Vec<NodeId> = (0..graph.nodes.len() as NodeId)
            .filter(|&id| matches!(graph.node(id).op, Op::Unary(_) | Op::Binary(_) | Op::Select))
            .collect();
        let number = |id: NodeId| graph.shape(id).rank() == 0;
        contract(&graph, &members, &graph.uses(), number)
            .iter()
            .map(|p| match p.rule {
                Rule::Plain => graph.node(p.node).op.name(),
                rule => rule.name(),
            })
            .collect()
    }

    #[test]
    fn products_that_are_added_once_are_fused() {
        assert_eq!(rules(|x, y| x * y + x), ["mul_add"]);
        assert_eq!(rules(|x, y| x * y - y), ["mul_sub"]);
        assert_eq!(rules(|x, y| y - x.square()), ["sub_mul"]);
        assert_eq!(rules(|x, y| (x * 2.0 + y).exp()), ["mul_add", "exp"]);
        assert_eq!(rules(|x, y| (x - 2.0) / y), ["sub_div"]);
        assert_eq!(rules(|x, y| (2.0 - x) / y), ["sub", "div"]);
    }

    #[test]
    fn squares_magnitudes_and_comparisons_go_with_what_follows() {
        assert_eq!(rules(|x, y| x.square() * -0.5 - y), ["square_mul_sub"]);
        assert_eq!(rules(|x, y| y + x.square() * 3.0), ["square_mul_add"]);
        assert_eq!(rules(|x, y| x.square() * y + x), ["square", "mul_add"]);
        assert_eq!(rules(|x, _| 2.0 - x.abs()), ["sub_abs"]);
        assert_eq!(rules(|x, y| x.gt(2.0).select(y, 1.0)), ["choose"]);
        assert_eq!(rules(|x, y| x.gt(y).select(y, 1.0)), ["gt", "select"]);
        assert_eq!(rules(|x, y| (x.gt(0.0) * x.lt(3.0)).select(y, 1.0)), ["choose_within"]);
        assert_eq!(rules(|x, _| (x - x.floor()).eq(0.0)), ["is_whole"]);
        assert_eq!(rules(|x, y| (y - x.floor()).eq(0.0)), ["floor", "sub", "eq"]);
        assert_eq!(rules(|x, y| (x.gt(y) * x.lt(3.0)).select(y, 1.0)), ["within", "select"]);
        assert_eq!(rules(|x, y| x.eq(0.0).select(y, 1.0) * x.eq(0.0)), ["eq", "select", "mul"]);
    }

    #[test]
    fn the_adjoint_of_tanh_is_one_step() {
        let step = "times_one_minus_square";
        assert_eq!(rules(|x, y| x * (1.0 - y.square())), [step]);
        assert_eq!(rules(|x, y| (1.0 - x * x) * y), [step]);
        assert_eq!(rules(|x, y| x * (2.0 - y.square())), ["sub_mul", "mul"]);
    }

    #[test]
    fn comparisons_with_both_ends_of_an_interval_are_one_step() {
        assert_eq!(rules(|x, y| x.ge(y) * x.lt(3.0)), ["within"]);
        assert_eq!(rules(|x, y| x.le(y) * x.gt(3.0)), ["within"]);
        assert_eq!(rules(|x, y| x.ge(y) * y.lt(x)), ["ge", "lt", "mul"]);
    }

    #[test]
    fn products_with_other_users_stay() {
        let twice = |x: Var, y: Var| {
            let product = x * y;
            (product + x) / product
        };
        assert_eq!(rules(twice), ["mul", "add", "div"]);
    }
}
