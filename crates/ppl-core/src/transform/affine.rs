//! Shifts and scales: non-centred parametrisations, bounds on one side in compositions.

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// `y = loc + scale * x`, elementwise, for a scale that is not 0; the log-determinant is `ln |scale|`.
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    loc: Var,
    scale: Var,
}

impl Affine {
    /// By the image of 0 and the slope. Both broadcast against the argument.
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        Self { loc: loc.into(), scale: scale.into() }
    }
}

impl Transform for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }
    fn forward(&self, x: Var) -> Var {
        self.loc + self.scale * x
    }
    fn inverse(&self, y: Var) -> Var {
        (y - self.loc) / self.scale
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let shape = x.shape();
        let log_det = self.scale.abs().ln();
        let shape = shape.broadcast(&log_det.shape()).unwrap_or(shape);
        log_det.broadcast_to(shape)
    }
}

pub(super) const ENTRY: Entry =
    Entry { name: "Affine", build: || Box::new(Affine::new(1.5, -2.0)), image: || Support::Real, shapes: &[&[], &[3]] };
