//! The Gompertz law: times to failure whose hazard grows exponentially.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::support::Support;

/// Gompertz distribution on the positive numbers and 0, with k the concentration and r the rate:
/// `p(x) = k r exp(r x - k (e^(r x) - 1))`.
///
/// # Shapes
/// `concentration`, `rate` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent.
///
/// # Source
/// NumPyro `Gompertz(concentration, rate)`.
/// PyMC and Stan have none.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Gompertz;
/// // The hazard at 0 is concentration times rate.
/// let (log_prob, _) = value_and_grad(|x| Gompertz::new(1.0, 2.0).log_prob(x), 0.0)?;
/// assert!((log_prob - LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gompertz {
    concentration: Var,
    rate: Var,
}

impl Gompertz {
    /// The hazard at time x is `concentration * rate * e^(rate x)`.
    #[track_caller]
    pub fn new(concentration: impl Into<Var>, rate: impl Into<Var>) -> Self {
        let concentration = check::positive("Gompertz", "concentration", concentration);
        let rate = check::positive("Gompertz", "rate", rate);
        Self { concentration, rate }
    }
}

impl Distribution for Gompertz {
    fn name(&self) -> &'static str {
        "Gompertz"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Gompertz", &[self.concentration, self.rate])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let time = self.rate * inside.select(value, 0.0);
        let log_prob = (self.concentration * self.rate).ln() + time - self.concentration * time.exp_m1();
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let hazard = Var::random(Law::Exponential, batch, &[]) / self.concentration;
        hazard.ln_1p() / self.rate
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let time = self.rate * value.max(0.0);
        Some(-(-self.concentration * time.exp_m1()).exp_m1())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some((-(-probability).ln_1p() / self.concentration).ln_1p() / self.rate)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(-self.concentration * (self.rate * value.max(0.0)).exp_m1())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Gompertz",
    forms: &[Form {
        constructor: "new",
        arguments: &["concentration", "rate"],
        good: &[&[0.4, 1.1], &[3.0, 0.2], &[0.01, 5.0]],
        bad: &[&[0.0, 1.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
        build: |p| Box::new(Gompertz::new(p[0], p[1])),
    }],
};
