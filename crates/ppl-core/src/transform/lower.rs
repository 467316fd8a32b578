//! The exponential above a bound, onto the numbers from there on.

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// `y = low + e^x`; the log-determinant is x.
#[derive(Clone, Copy, Debug)]
pub struct Lower {
    low: Var,
}

impl Lower {
    /// Onto the numbers above `low`.
    pub fn new(low: impl Into<Var>) -> Self {
        Self { low: low.into() }
    }
}

impl Transform for Lower {
    fn name(&self) -> &'static str {
        "lower"
    }
    fn forward(&self, x: Var) -> Var {
        self.low + x.exp()
    }
    fn inverse(&self, y: Var) -> Var {
        (y - self.low).ln()
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        x
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Lower",
    build: || Box::new(Lower::new(-2.0)),
    image: || Support::LowerBound { low: Var::from(-2.0) },
    shapes: &[&[], &[3]],
};
