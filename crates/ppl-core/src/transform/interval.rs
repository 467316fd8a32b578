//! Onto a bounded interval, through the logistic function.

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// `y = low + (high - low) / (1 + e^-x)`.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    low: Var,
    high: Var,
}

impl Interval {
    /// Onto `(low, high)`.
    pub fn new(low: impl Into<Var>, high: impl Into<Var>) -> Self {
        Self { low: low.into(), high: high.into() }
    }

    /// Onto (0, 1).
    pub fn unit() -> Self {
        Self::new(0.0, 1.0)
    }
}

impl Transform for Interval {
    fn name(&self) -> &'static str {
        "interval"
    }
    /// From the nearer bound, so that no digits are lost at either.
    fn forward(&self, x: Var) -> Var {
        let width = self.high - self.low;
        x.gt(0.0).select(self.high - width * (-x).sigmoid(), self.low + width * x.sigmoid())
    }
    fn inverse(&self, y: Var) -> Var {
        (y - self.low).ln() - (self.high - y).ln()
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        (self.high - self.low).ln() - x.softplus() - (-x).softplus()
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Interval",
    build: || Box::new(Interval::new(-2.0, 3.5)),
    image: || Support::Interval { low: Var::from(-2.0), high: Var::from(3.5) },
    shapes: &[&[], &[3]],
};
