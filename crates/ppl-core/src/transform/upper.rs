//! The exponential below a bound, onto the numbers up to there.

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// `y = high - e^x`; the log-determinant is x.
#[derive(Clone, Copy, Debug)]
pub struct Upper {
    high: Var,
}

impl Upper {
    /// Onto the numbers below `high`.
    pub fn new(high: impl Into<Var>) -> Self {
        Self { high: high.into() }
    }
}

impl Transform for Upper {
    fn name(&self) -> &'static str {
        "upper"
    }
    fn forward(&self, x: Var) -> Var {
        self.high - x.exp()
    }
    fn inverse(&self, y: Var) -> Var {
        (self.high - y).ln()
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        x
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Upper",
    build: || Box::new(Upper::new(3.5)),
    image: || Support::UpperBound { high: Var::from(3.5) },
    shapes: &[&[], &[3]],
};
