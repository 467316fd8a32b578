//! The uniform law on an interval.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, batch_of, check};
use crate::support::Support;

/// Uniform distribution on `[low, high]`: `p(x) = 1 / (high - low)`.
///
/// # Shapes
/// `low`, `high` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// Ends that are not finite or not in order: at once where they are numbers; as a point without density where they are
/// latent.
///
/// # Source
/// NumPyro `Uniform(low, high)`, PyMC `Uniform(lower, upper)`, Stan `uniform(alpha, beta)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Uniform;
/// let (log_prob, _) = value_and_grad(|x| Uniform::new(0.0, 4.0).log_prob(x), 1.0)?;
/// assert!((log_prob - (-2.0 * LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Uniform {
    low: Var,
    high: Var,
}

impl Uniform {
    /// Between two ends.
    #[track_caller]
    pub fn new(low: impl Into<Var>, high: impl Into<Var>) -> Self {
        let low = check::real("Uniform", "low", low);
        let high = check::above("Uniform", "high", low, high);
        Self { low, high }
    }
}

impl Distribution for Uniform {
    fn name(&self) -> &'static str {
        "Uniform"
    }
    fn support(&self) -> Support {
        Support::Interval { low: self.low, high: self.high }
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Uniform", &[self.low, self.high])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.ge(self.low) * value.le(self.high);
        // Bounds out of order have nothing between them, and no slope that is not a number.
        let some = self.high.gt(self.low);
        let width = some.select(self.high - self.low, 1.0);
        inside.select(-width.ln(), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.low + (self.high - self.low) * Var::random(Law::Uniform, batch, &[])
    }
    fn mean(&self) -> Option<Var> {
        Some(0.5 * (self.low + self.high))
    }
    fn variance(&self) -> Option<Var> {
        Some((self.high - self.low).square() / 12.0)
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let x = value.max(self.low).min(self.high);
        Some((x - self.low) / (self.high - self.low))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.low + (self.high - self.low) * probability)
    }
    fn entropy(&self) -> Option<Var> {
        Some((self.high - self.low).ln())
    }
}

impl KlDivergence for Uniform {
    fn kl_divergence(&self, q: &Self) -> Var {
        let inside = self.low.ge(q.low) * self.high.le(q.high);
        inside.select(((q.high - q.low) / (self.high - self.low)).ln(), f64::INFINITY)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Uniform",
    forms: &[Form {
        constructor: "new",
        arguments: &["low", "high"],
        good: &[&[0.0, 1.0], &[-3.0, 5.0], &[100.0, 100.5]],
        bad: &[&[1.0, 1.0], &[1.0, 0.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(Uniform::new(p[0], p[1])),
    }],
};
