//! The triangular law: a density that rises linearly to a peak and falls linearly.

use std::f64::consts::LN_2;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::support::Support;

/// Triangular distribution on an interval: the density rises from 0 at `low` to `2 / (high - low)` at `peak` and falls
/// to 0 at `high`.
///
/// # Shapes
/// `low`, `peak`, `high` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// Numbers that are not finite or not in order: at once where they are numbers; as a point without density where they
/// are latent.
///
/// # Source
/// PyMC `Triangular(lower, c, upper)`.
/// NumPyro and Stan have none.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Triangular;
/// // 2 / (high - low) at the peak.
/// let (log_prob, _) = value_and_grad(|x| Triangular::new(0.0, 1.0, 4.0).log_prob(x), 1.0)?;
/// assert!((log_prob + LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Triangular {
    low: Var,
    peak: Var,
    high: Var,
}

impl Triangular {
    /// The ends and, between them or at one of them, the peak.
    #[track_caller]
    pub fn new(low: impl Into<Var>, peak: impl Into<Var>, high: impl Into<Var>) -> Self {
        let low = check::real("Triangular", "low", low);
        let high = check::above("Triangular", "high", low, high);
        let peak = check::within("Triangular", "peak", low, high, peak);
        Self { low, peak, high }
    }

    fn quantile(&self, p: Var) -> Var {
        let (width, rise) = (self.high - self.low, self.peak - self.low);
        let rising = p.lt(rise / width);
        let root = (width * rising.select(p * rise, (1.0 - p) * (width - rise))).sqrt();
        rising.select(self.low + root, self.high - root)
    }
}

impl Distribution for Triangular {
    fn name(&self) -> &'static str {
        "Triangular"
    }
    fn support(&self) -> Support {
        Support::Interval { low: self.low, high: self.high }
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Triangular", &[self.low, self.peak, self.high])
    }
    fn log_prob(&self, value: Var) -> Var {
        let rising = value.lt(self.peak);
        let run = rising.select(self.peak - self.low, self.high - self.peak);
        let left = rising.select(value - self.low, self.high - value);
        let upright = run.eq(0.0);
        let inside = self.support().contains(value) * left.gt(0.0).max(upright);
        let ratio =
            (inside * (1.0 - upright)).select(left, 1.0).ln() - (inside * (1.0 - upright)).select(run, 1.0).ln();
        let width = inside.select(self.high - self.low, 1.0);
        inside.select(ratio + LN_2 - width.ln(), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.quantile(Var::random(Law::Uniform, batch, &[]))
    }
    fn mean(&self) -> Option<Var> {
        Some((self.low + self.peak + self.high) / 3.0)
    }
    fn variance(&self) -> Option<Var> {
        let (a, b) = (self.peak - self.low, self.high - self.peak);
        Some((a.square() + b.square() + a * b) / 18.0)
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let x = value.max(self.low).min(self.high);
        let width = self.high - self.low;
        let rising = x.lt(self.peak);
        let run = rising.select(self.peak - self.low, self.high - self.peak);
        let run = run.eq(0.0).select(1.0, run);
        let share = rising.select(x - self.low, self.high - x).square() / (width * run);
        Some(rising.select(share, 1.0 - share))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.quantile(probability))
    }
    fn entropy(&self) -> Option<Var> {
        Some((0.5 * (self.high - self.low)).ln() + 0.5)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Triangular",
    forms: &[Form {
        constructor: "new",
        arguments: &["low", "peak", "high"],
        good: &[&[-1.0, 0.5, 2.0], &[0.0, 0.0, 1.0], &[10.0, 13.0, 14.0]],
        bad: &[
            &[1.0, 1.0, 1.0],
            &[0.0, 2.0, 1.0],
            &[0.0, -1.0, 1.0],
            &[f64::NAN, 1.0, 2.0],
            &[0.0, 1.0, f64::INFINITY],
        ],
        build: |p| Box::new(Triangular::new(p[0], p[1], p[2])),
    }],
};
