//! One transform after another.

use ppl_autodiff::{Shape, Var};

use super::{Affine, Entry, Exp, Transform};
use crate::support::Support;

/// The first transform, then the second, and so on; without any it is the identity.
///
/// Log-determinants add up; where the transforms have events of different rank, each is summed over the axes that
/// belong to the largest of them.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Transform;
/// use ppl_core::transform::{Affine, Compose, Exp};
/// // Onto the numbers above 2.5: 2.5 + e^0, and its slope.
/// let above = |x| Compose::new(vec![Box::new(Exp), Box::new(Affine::new(2.5, 1.0))]).forward(x);
/// let (y, slope) = value_and_grad(above, 0.0)?;
/// assert_eq!((y, slope.sum()), (3.5, 1.0));
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
pub struct Compose {
    parts: Vec<Box<dyn Transform>>,
}

impl Compose {
    /// The transforms in the order in which they are applied to an unconstrained argument.
    pub fn new(parts: Vec<Box<dyn Transform>>) -> Self {
        Self { parts }
    }
}

impl Transform for Compose {
    fn name(&self) -> &'static str {
        "composition"
    }
    fn event_rank(&self) -> usize {
        self.parts.iter().map(|p| p.event_rank()).max().unwrap_or(0)
    }
    fn unconstrained_shape(&self, constrained: &Shape) -> Shape {
        self.parts.iter().rev().fold(constrained.clone(), |shape, part| part.unconstrained_shape(&shape))
    }
    fn forward(&self, x: Var) -> Var {
        self.parts.iter().fold(x, |x, part| part.forward(x))
    }
    fn inverse(&self, y: Var) -> Var {
        self.parts.iter().rev().fold(y, |y, part| part.inverse(y))
    }
    fn log_det(&self, x: Var, _: Var) -> Var {
        let rank = self.event_rank();
        let start = match rank {
            0 => Var::zeros(x.shape()),
            _ => Var::from(0.0),
        };
        let (mut x, mut sum) = (x, start);
        for part in &self.parts {
            let y = part.forward(x);
            let log_det = part.log_det(x, y);
            sum += (part.event_rank()..rank).fold(log_det, |sum, _| sum.sum_axis(-1));
            x = y;
        }
        sum
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Compose",
    build: || Box::new(Compose::new(vec![Box::new(Exp), Box::new(Affine::new(0.0, 3.0))])),
    image: || Support::Positive,
    shapes: &[&[], &[3]],
};
