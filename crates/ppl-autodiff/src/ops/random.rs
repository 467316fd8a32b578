//! Random numbers as operations: a law, its parameters, and a stream that no other node shares.

use crate::error::Mistake;
use crate::incomplete::{log_gamma_draw_slope, von_mises_draw_slope};
use crate::ops::Adjoints;
use crate::shape::Shape;
use crate::var::Var;

/// The laws that draws are made of; distributions transform them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// Uniform on (0, 1), both ends excluded.
    Uniform,
    /// Standard normal.
    Normal,
    /// Exponential with rate 1.
    Exponential,
    /// The logarithm of a Gamma(concentration, 1) draw (one parameter), which does not underflow.
    LogGamma,
    /// Poisson (one parameter: the rate).
    Poisson,
    /// Von Mises around 0 (one parameter: the concentration), between -pi and pi.
    VonMises,
    /// Binomial (two parameters: the number of trials, the probability).
    Binomial,
}

impl Law {
    /// All of them.
    pub const ALL: &[Law] =
        &[Law::Uniform, Law::Normal, Law::Exponential, Law::LogGamma, Law::Poisson, Law::VonMises, Law::Binomial];

    /// The number of parameters.
    pub fn parameters(self) -> usize {
        match self {
            Law::Uniform | Law::Normal | Law::Exponential => 0,
            Law::LogGamma | Law::Poisson | Law::VonMises => 1,
            Law::Binomial => 2,
        }
    }
}

pub(super) fn shape(law: Law, target: &Shape, x: &[&Shape]) -> Result<Shape, Mistake> {
    if x.len() == law.parameters() && x.iter().all(|s| s.broadcasts_to(target)) {
        return Ok(target.clone());
    }
    let shapes = x.iter().map(|&s| s.clone()).chain([target.clone()]).collect();
    let rule = "a law's parameters must broadcast to the shape of its draws (last)";
    Err(Mistake::Shapes { operation: "random", shapes, rule })
}

/// How draws `y` move with their parameters `x` at a fixed place of the stream, where that is smooth: with the
/// distribution function held fixed. Counts do not move.
pub(super) fn adjoint(law: Law, x: &[Var], y: Var, g: Var) -> Adjoints {
    let slope = match law {
        Law::LogGamma => log_gamma_draw_slope(x[0], y),
        Law::VonMises => von_mises_draw_slope(x[0], y),
        Law::Uniform | Law::Normal | Law::Exponential | Law::Poisson | Law::Binomial => {
            return x.iter().map(|_| None).collect();
        }
    };
    smallvec::smallvec![Some(g * slope)]
}
