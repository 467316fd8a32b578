//! Which elementwise operations need not run: those whose result only a choice would take that goes the other way. The
//! choice is by a single number (`large.select(series, plain)` with a parameter `large`), known before a block begins, or
//! by many of which a graph counts those that hold and those that fail ([`counted`]).

use std::collections::HashMap;

use smallvec::SmallVec;

use super::graph::Graph;
use crate::ops::{Binary, Op, Reduction, Unary};
use crate::shape::Shape;
use crate::tape::NodeId;

/// A condition, a single number, and what it must be (not 0, or 0) for an operation to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    pub condition: NodeId,
    pub wanted: bool,
}

/// Guards of which each must hold.
pub(crate) type Guards = SmallVec<[Guard; 2]>;

/// More are not kept track of.
const MOST: usize = 4;

fn both(a: &Guards, b: &Guards) -> Guards {
    a.iter().filter(|g| b.contains(g)).copied().collect()
}

fn either(a: &Guards, b: &Guards) -> Guards {
    let mut all = a.clone();
    all.extend(b.iter().filter(|g| !a.contains(g)).copied());
    all.truncate(MOST);
    all
}

/// For conditions with many elements, where that is computed: how many hold, and how many fail.
pub(crate) type Counts = HashMap<NodeId, [Option<NodeId>; 2]>;

/// The counts that a graph computes.
pub(crate) fn counts(graph: &Graph) -> Counts {
    let mut counts = Counts::new();
    let mut counted: HashMap<NodeId, NodeId> = HashMap::new();
    for (id, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.shape.size() == 1) {
        let id = id as NodeId;
        match node.op {
            Op::Reduce { op: Reduction::Sum, .. } if graph.is_condition(node.operands[0]) => {
                counts.entry(node.operands[0]).or_default()[0] = Some(id);
                counted.insert(id, node.operands[0]);
            }
            Op::Binary(Binary::Sub) => {
                if let Some(&condition) = counted.get(&node.operands[1])
                    && graph.uniform(node.operands[0]) == Some(graph.shape(condition).size() as f64)
                {
                    counts.entry(condition).or_default()[1] = Some(id);
                }
            }
            _ => {}
        }
    }
    counts
}

/// The guard of an operand of a choice among several, by a single number or by a condition whose counts are known.
pub(crate) fn of_choice(graph: &Graph, counts: &Counts, choice: NodeId, operand: NodeId) -> Option<Guard> {
    let node = graph.node(choice);
    if node.op != Op::Select || node.shape.size() == 1 {
        return None;
    }
    let (condition, yes, no) = (node.operands[0], node.operands[1], node.operands[2]);
    if operand == condition || yes == no {
        return None;
    }
    let wanted = operand == yes;
    if graph.shape(condition).size() == 1 {
        return Some(Guard { condition, wanted });
    }
    let count = counts.get(&condition)?[usize::from(!wanted)]?;
    Some(Guard { condition: count, wanted: true })
}

/// The least work for an element, in additions, that is worth a count.
const LEAST_WORK: usize = 24;

/// What an operation costs, in additions.
fn work(op: &Op) -> usize {
    match op {
        Op::Unary(Unary::Neg | Unary::Abs | Unary::Square | Unary::Floor) | Op::Select => 1,
        Op::Unary(Unary::Sqrt | Unary::Recip) | Op::Binary(Binary::Div) => 3,
        Op::Unary(_) | Op::Binary(Binary::Pow) => 12,
        Op::Binary(_) => 1,
        _ => 0,
    }
}

/// The same graph with counts of the conditions on whose outcome much work depends: where a condition of all rows of a
/// strip goes one way, the other branch is left out.
pub(crate) fn counted(graph: Graph) -> Graph {
    let conditions = graph.nodes.iter().filter(|node| node.op == Op::Select).map(|node| node.operands[0]);
    let many = conditions.filter(|&c| graph.shape(c).size() > 1 && graph.is_condition(c));
    let many: HashMap<NodeId, [bool; 2]> = many.map(|c| (c, [true; 2])).collect();
    if many.is_empty() {
        return graph;
    }
    let (all, place) = with_counts(&graph, &many);
    let mut saved: HashMap<NodeId, usize> = HashMap::new();
    for (node, guards) in all.nodes.iter().zip(guards(&all, &counts(&all))) {
        for guard in guards {
            *saved.entry(guard.condition).or_default() += work(&node.op) * node.shape.size();
        }
    }
    let counts = counts(&all);
    let worth = |condition: NodeId| {
        let least = LEAST_WORK * graph.shape(condition).size();
        let counts = counts.get(&place[condition as usize]).copied().unwrap_or_default();
        counts.map(|count| count.and_then(|id| saved.get(&id)).is_some_and(|&saved| saved >= least))
    };
    let worth: HashMap<_, _> = many.into_keys().map(|c| (c, worth(c))).filter(|(_, w)| w.contains(&true)).collect();
    if worth.is_empty() { graph } else { with_counts(&graph, &worth).0 }
}

/// A graph with counts right after the conditions (those that hold, those that fail), and where its nodes have gone.
fn with_counts(graph: &Graph, conditions: &HashMap<NodeId, [bool; 2]>) -> (Graph, Vec<NodeId>) {
    graph.translate(|new, id, node| {
        let condition = new.add(node.clone());
        if let Some(&[_, fails]) = conditions.get(&id) {
            let count = Op::Reduce { op: Reduction::Sum, axes: (0..node.shape.rank()).collect() };
            let holding = new.op(count, &[condition], Shape::scalar(), &node);
            if fails {
                let size = new.filled(node.shape.size() as f64, &Shape::scalar(), &node);
                new.op(Op::Binary(Binary::Sub), &[size, holding], Shape::scalar(), &node);
            }
        }
        condition
    })
}

/// Where a node is 0 unless the guards hold: what a choice has masked, and its multiples.
fn zero_unless(graph: &Graph, counts: &Counts) -> Vec<Guards> {
    let mut zero: Vec<Guards> = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.iter().enumerate() {
        let of = |i: usize| &zero[node.operands[i] as usize];
        zero.push(match node.op {
            Op::Select => {
                let [_, yes, no] = [0, 1, 2].map(|i| node.operands[i]);
                let is_zero = |id| graph.uniform(id) == Some(0.0);
                let rest = match (is_zero(yes), is_zero(no)) {
                    (true, true) => Guards::new(),
                    (true, false) => of(2).clone(),
                    (false, true) => of(1).clone(),
                    (false, false) => both(of(1), of(2)),
                };
                let other = if is_zero(no) { Some(yes) } else { is_zero(yes).then_some(no) };
                let own = other.and_then(|other| of_choice(graph, counts, id as NodeId, other));
                either(&own.into_iter().collect(), &rest)
            }
            Op::Unary(Unary::Neg | Unary::Abs | Unary::Square) | Op::Broadcast(_) => of(0).clone(),
            Op::Binary(Binary::Mul) => either(of(0), of(1)),
            Op::Binary(Binary::Div) => of(0).clone(),
            Op::Binary(Binary::Add | Binary::Sub) => both(of(0), of(1)),
            _ => Guards::new(),
        });
    }
    zero
}

/// For each node the guards without which its value does not count, or is 0: it may be left out then, a 0 in its place
/// where others than the choice read it.
pub(crate) fn guards(graph: &Graph, counts: &Counts) -> Vec<Guards> {
    let n = graph.nodes.len();
    let by_number = |node: &crate::tape::Node| {
        node.op == Op::Select && node.shape.size() > 1 && graph.shape(node.operands[0]).size() == 1
    };
    if counts.is_empty() && !graph.nodes.iter().any(by_number) {
        return vec![Guards::new(); n];
    }
    let zero = zero_unless(graph, counts);
    // `None` until a use is known.
    let mut guards: Vec<Option<Guards>> = vec![None; n];
    let use_with = |guards: &mut Vec<Option<Guards>>, id: NodeId, with: Guards| {
        let entry = &mut guards[id as usize];
        *entry = Some(entry.as_ref().map_or(with.clone(), |old| both(old, &with)));
    };
    for &output in &graph.outputs {
        use_with(&mut guards, output, Guards::new());
    }
    for id in (0..n).rev() {
        let node = &graph.nodes[id];
        let own = guards[id].get_or_insert_default().clone();
        for (i, &operand) in node.operands.iter().enumerate() {
            let with = match &node.op {
                Op::Select => either(&of_choice(graph, counts, id as NodeId, operand).into_iter().collect(), &own),
                Op::Binary(Binary::Mul) => either(&zero[node.operands[1 - i] as usize], &own),
                Op::Unary(_) | Op::Binary(_) => own.clone(),
                Op::Reduce { op: Reduction::Sum, .. } => zero[operand as usize].clone(),
                _ => Guards::new(),
            };
            use_with(&mut guards, operand, with);
        }
    }
    // A condition must be known before.
    let known = |id: usize, guards: Guards| guards.into_iter().filter(|g| (g.condition as usize) < id).collect();
    guards.into_iter().enumerate().map(|(id, g)| known(id, g.unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::counted;
    use crate::program::graph::Graph;
    use crate::{Program, Var, gradient, trace};

    #[test]
    fn conditions_are_counted_where_much_depends_on_them() {
        let sums = |f: &dyn Fn(Var) -> Var| {
            let (y, traced) = trace(|| f(Var::input(0, [9])).node()).unwrap();
            let graph = counted(Graph::from_tape(traced.tape(), &[y]));
            graph.nodes.iter().filter(|node| node.op.name() == "sum").count()
        };
        assert_eq!(sums(&|x| x.gt(1.0).select((x.gt(1.0).select(x, 1.0).lgamma()).exp().sin(), x)), 1);
        assert_eq!(sums(&|x| x.gt(1.0).select(x.square(), x + 1.0)), 0);
        // What others read is needed in any case.
        assert_eq!(sums(&|x| x.gt(1.0).select(x.lgamma().exp().sin(), x) * x.lgamma().exp().sin()), 0);
    }

    /// The branch that is not taken costs no time and leaves no trace, in values and gradients.
    #[test]
    fn a_choice_by_a_number_is_the_same_as_its_branch_alone() {
        const N: usize = 700;
        let x: Vec<f64> = (0..N).map(|i| 0.5 + i as f64 / 100.0).collect();
        let run = |f: &dyn Fn(Var, Var) -> Var, p: f64| {
            let (outputs, traced) = trace(|| {
                let (x, p) = (Var::input(0, [N]), Var::input(1, ()));
                let y = f(x, p);
                [vec![y], gradient(y.sum(), &[x, p])].concat()
            })
            .unwrap();
            let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
            let program = Program::<f64>::compile(traced.tape(), &slots);
            let mut out = [vec![0.0; N], vec![0.0; N], vec![0.0]];
            let mut slices: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut o[..]).collect();
            program.evaluate(&mut program.workspace(), &[&x, &[p]], &mut slices);
            out.concat()
        };
        let far = |x: Var, p: Var| (x * p).ln() * p;
        let near = |x: Var, p: Var| (x / p).exp() - x;
        let chosen = |x: Var, p: Var| {
            let large = p.gt(10.0);
            let (a, b) = (large.select(x, 1.0), large.select(1.0, x));
            large.select(far(a, p), near(b, p))
        };
        let close = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-13 * b.abs());
        assert!(close(run(&chosen, 12.0), run(&far, 12.0)));
        assert!(close(run(&chosen, 3.0), run(&near, 3.0)));
    }
}
