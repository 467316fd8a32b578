//! The reverse sweep, recorded on the same tape: derivatives are values like any other.

use std::panic::Location;

use crate::ops::Op;
use crate::tape::NodeId;
use crate::trace;
use crate::var::Var;

/// The derivatives of the sum of `y`'s elements by each of `inputs`, in the inputs' shapes.
///
/// It may be called wherever `Var`s live, in a model too, and its results may be differentiated again.
///
/// ```
/// use ppl_autodiff::{Var, gradient, value_and_grad};
/// use ndarray::array;
/// // The derivative of (x^3)' = 3 x^2 is 6 x.
/// let (_, second) = value_and_grad(|x: Var| gradient(x.powi(3), &[x])[0].sum(), &array![2.0]).unwrap();
/// assert_eq!(second, array![12.0].into_dyn());
/// ```
#[track_caller]
pub fn gradient(y: Var, inputs: &[Var]) -> Vec<Var> {
    let location = Location::caller();
    let zeros = |inputs: &[Var]| inputs.iter().map(|x| Var::zeros(x.shape())).collect();
    let is_own = |v: &Var| trace::check_own(*v, "gradient", location);
    if !(is_own(&y) && inputs.iter().all(is_own)) {
        return zeros(inputs);
    }
    let first = inputs.iter().map(|x| x.node()).min();
    let Some(first) = first else {
        return zeros(inputs);
    };
    if y.node() < first {
        return zeros(inputs);
    }
    let depends = trace::with_tape(|tape| {
        let mut depends = vec![false; (y.node() - first + 1) as usize];
        for x in inputs {
            if x.node() <= y.node() {
                depends[(x.node() - first) as usize] = true;
            }
        }
        for id in first..=y.node() {
            let operands = &tape.nodes()[id as usize].operands;
            depends[(id - first) as usize] |= operands.iter().any(|&o| o >= first && depends[(o - first) as usize]);
        }
        depends
    });
    let Some(depends) = depends else {
        return zeros(inputs);
    };
    let mut adjoints: Vec<Option<Var>> = vec![None; depends.len()];
    let at = |id: NodeId| (id - first) as usize;
    adjoints[at(y.node())] = Some(Var::from(1.0).broadcast_to(y.shape()));
    for id in (first..=y.node()).rev() {
        let Some(g) = adjoints[at(id)] else { continue };
        if !depends[at(id)] {
            continue;
        }
        let node = trace::with_tape(|tape| {
            let node = &tape.nodes()[id as usize];
            (node.op.clone(), node.operands.clone())
        });
        let Some((op, operands)) = node else { continue };
        if matches!(op, Op::Input { .. } | Op::Constant(_)) {
            continue;
        }
        let var = Var::new(y.trace(), id);
        let x: Vec<Var> = operands.iter().map(|&o| Var::new(y.trace(), o)).collect();
        let parts = trace::at_line_of(var, || {
            let raw = op.adjoint(&x, var, g);
            // What is not needed is not used, and the compiler drops it.
            raw.into_iter().zip(&x).map(|(part, x)| part.map(|p| p.sum_to(&x.shape()))).collect::<Vec<_>>()
        });
        for (&operand, part) in operands.iter().zip(parts) {
            if operand < first || !depends[at(operand)] {
                continue;
            }
            let Some(part) = part else { continue };
            let sum = match adjoints[at(operand)] {
                Some(known) => trace::at_line_of(var, || known + part),
                None => part,
            };
            adjoints[at(operand)] = Some(sum);
        }
    }
    inputs
        .iter()
        .map(|x| {
            let known = (x.node() <= y.node()).then(|| adjoints[at(x.node())]).flatten();
            known.unwrap_or_else(|| Var::zeros(x.shape()))
        })
        .collect()
}
