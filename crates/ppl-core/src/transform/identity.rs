//! The identity, for supports without constraints.

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// `y = x`.
#[derive(Clone, Copy, Debug)]
pub struct Identity;

impl Transform for Identity {
    fn name(&self) -> &'static str {
        "identity"
    }
    fn forward(&self, x: Var) -> Var {
        x
    }
    fn inverse(&self, y: Var) -> Var {
        y
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        Var::zeros(x.shape())
    }
}

pub(super) const ENTRY: Entry =
    Entry { name: "Identity", build: || Box::new(Identity), image: || Support::Real, shapes: &[&[], &[3]] };
