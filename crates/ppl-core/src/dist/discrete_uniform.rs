//! The uniform law on integers.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::support::Support;

/// Uniform distribution on {low, low + 1, .., high}, both ends included: `P(k) = 1 / (high - low + 1)`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// Bounds that are not integers, an upper bound below the lower one: at once where they are numbers. No derivative by the
/// bounds is meant.
///
/// # Source
/// NumPyro `DiscreteUniform(low, high)`, PyMC `DiscreteUniform(lower, upper)`, Stan `discrete_range`.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::DiscreteUniform;
/// // A die.
/// let (log_prob, _) = value_and_grad(|x| DiscreteUniform::new(1.0, 6.0).log_prob(x), 3.0)?;
/// assert!((log_prob - (-(6f64.ln()))).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DiscreteUniform {
    low: Var,
    high: Var,
}

const NAME: &str = "DiscreteUniform";

impl DiscreteUniform {
    /// By the smallest and the largest integer.
    #[track_caller]
    pub fn new(low: impl Into<Var>, high: impl Into<Var>) -> Self {
        let low = check::integer(NAME, "low", low);
        let high = check::integer(NAME, "high", high);
        check::above(NAME, "high", low - 1.0, high);
        Self { low, high }
    }
}

impl Distribution for DiscreteUniform {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::IntegerInterval { low: self.low, high: self.high }
    }
    fn batch_shape(&self) -> Shape {
        batch_of(NAME, &[self.low, self.high])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        inside.select(-(self.high - self.low + 1.0).ln(), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let u = Var::random(Law::Uniform, batch, &[]);
        // The product may be rounded up to the number of integers.
        (self.low + (u * (self.high - self.low + 1.0)).floor()).min(self.high)
    }
    fn mean(&self) -> Option<Var> {
        Some(0.5 * (self.low + self.high))
    }
    fn variance(&self) -> Option<Var> {
        Some(((self.high - self.low + 1.0).square() - 1.0) / 12.0)
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let reached = value.floor().max(self.low - 1.0).min(self.high) - self.low + 1.0;
        Some(reached / (self.high - self.low + 1.0))
    }
    fn entropy(&self) -> Option<Var> {
        Some((self.high - self.low + 1.0).ln())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["low", "high"],
        good: &[&[0.0, 5.0], &[3.0, 9.0]],
        bad: &[&[0.5, 2.0], &[0.0, f64::NAN], &[3.0, 2.0]],
        build: |p| Box::new(DiscreteUniform::new(p[0], p[1])),
    }],
};
