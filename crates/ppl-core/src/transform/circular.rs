//! Onto the angles between -pi and pi, round and round.

use std::f64::consts::TAU;

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// What 2 pi lacks as a double.
const TAU_LOW: f64 = 2.449_293_598_294_706_4e-16;

/// `y = x - 2 pi n` with the n that brings it between -pi and pi; the log-determinant is 0.
///
/// Many x have one y: along x a density of angles repeats itself and has no integral. It is for optimisation and for
/// chains that stay near a mode; the support's own transform cuts the circle at pi instead. PyMC's `circular`.
#[derive(Clone, Copy, Debug)]
pub struct Circular;

impl Transform for Circular {
    fn name(&self) -> &'static str {
        "circular"
    }
    fn forward(&self, x: Var) -> Var {
        let turns = (x / TAU + 0.5).floor();
        (x - turns * TAU) - turns * TAU_LOW
    }
    fn inverse(&self, y: Var) -> Var {
        y
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        Var::zeros(x.shape())
    }
}

pub(super) const ENTRY: Entry =
    Entry { name: "Circular", build: || Box::new(Circular), image: || Support::Circular, shapes: &[&[], &[3]] };
