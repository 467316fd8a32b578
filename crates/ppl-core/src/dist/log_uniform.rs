//! The log-uniform law: the exponential of a uniform draw, and a prior of scales between bounds.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::support::Support;

/// Log-uniform (reciprocal) distribution on an interval of positive numbers: `p(x) = 1 / (x ln(high / low))`.
///
/// # Shapes
/// `low`, `high` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// Bounds that are not positive and finite, or not in order: at once where they are numbers; as a point without density
/// where they are latent.
///
/// # Source
/// NumPyro `LogUniform(low, high)`.
/// PyMC and Stan have none.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::LogUniform;
/// // 1 / (x ln 10).
/// let (log_prob, _) = value_and_grad(|x| LogUniform::new(1.0, 10.0).log_prob(x), 2.0)?;
/// assert!((log_prob - (-LN_2 - 10f64.ln().ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogUniform {
    low: Var,
    high: Var,
}

impl LogUniform {
    /// Between two positive ends.
    #[track_caller]
    pub fn new(low: impl Into<Var>, high: impl Into<Var>) -> Self {
        let low = check::positive("LogUniform", "low", low);
        let high = check::above("LogUniform", "high", low, high);
        Self { low, high }
    }

    /// `ln(high / low)`, exact where the two are close.
    fn log_width(&self) -> Var {
        ((self.high - self.low) / self.low).ln_1p()
    }
}

impl Distribution for LogUniform {
    fn name(&self) -> &'static str {
        "LogUniform"
    }
    fn support(&self) -> Support {
        Support::Interval { low: self.low, high: self.high }
    }
    fn batch_shape(&self) -> Shape {
        batch_of("LogUniform", &[self.low, self.high])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let x = inside.select(value, self.low);
        let width = inside.select(self.log_width(), 1.0);
        inside.select(-x.ln() - width.ln(), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let u = Var::random(Law::Uniform, batch, &[]);
        (self.low * (self.log_width() * u).exp()).min(self.high)
    }
    fn mean(&self) -> Option<Var> {
        Some((self.high - self.low) / self.log_width())
    }
    fn variance(&self) -> Option<Var> {
        let (width, middle) = (self.log_width(), 0.5 * (self.low + self.high));
        let mean = (self.high - self.low) / width;
        Some(mean * (middle - mean))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let x = value.max(self.low).min(self.high);
        Some((x / self.low).ln() / self.log_width())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.low * (self.log_width() * probability).exp())
    }
    fn entropy(&self) -> Option<Var> {
        Some(0.5 * (self.low.ln() + self.high.ln()) + (self.high / self.low).ln().ln())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "LogUniform",
    forms: &[Form {
        constructor: "new",
        arguments: &["low", "high"],
        good: &[&[0.2, 10.0], &[2.0, 5.0]],
        bad: &[&[1.0, 1.0], &[2.0, 1.0], &[0.0, 1.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
        build: |p| Box::new(LogUniform::new(p[0], p[1])),
    }],
};
