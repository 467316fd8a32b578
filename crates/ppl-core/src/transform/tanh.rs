//! The hyperbolic tangent, onto the numbers between -1 and 1: correlations.

use std::f64::consts::LN_2;

use ppl_autodiff::Var;

use super::{Entry, Transform};
use crate::support::Support;

/// `y = tanh x`; the log-determinant is `ln(1 - y^2) = -2 ln cosh x`. Stan's and NumPyro's `tanh`.
#[derive(Clone, Copy, Debug)]
pub struct Tanh;

impl Transform for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }
    fn forward(&self, x: Var) -> Var {
        x.tanh()
    }
    fn inverse(&self, y: Var) -> Var {
        0.5 * (y.ln_1p() - (-y).ln_1p())
    }
    /// Far out from the exponent, near 0 from the tangent.
    fn log_det(&self, x: Var, _: Var) -> Var {
        let far = x.abs().gt(0.5);
        let near = (-far.select(0.0, x).tanh().square()).ln_1p();
        let a = far.select(x.abs(), 1.0);
        far.select(2.0 * (LN_2 - a - (-2.0 * a).exp().ln_1p()), near)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Tanh",
    build: || Box::new(Tanh),
    image: || Support::Interval { low: Var::from(-1.0), high: Var::from(1.0) },
    shapes: &[&[], &[3]],
};
