//! The exponential, onto the positive numbers.

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// `y = e^x`; the log-determinant is x.
#[derive(Clone, Copy, Debug)]
pub struct Exp;

impl Transform for Exp {
    fn name(&self) -> &'static str {
        "exp"
    }
    fn forward(&self, x: Var) -> Var {
        x.exp()
    }
    fn inverse(&self, y: Var) -> Var {
        y.ln()
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        x
    }
}

pub(super) const ENTRY: Entry =
    Entry { name: "Exp", build: || Box::new(Exp), image: || Support::Positive, shapes: &[&[], &[3]] };
