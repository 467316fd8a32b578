//! The geometric law: failures before the first success.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, check};
use crate::support::Support;

/// Geometric distribution on {0, 1, 2, ..}: `P(k) = (1 - p)^k p`, the number of failures before the first success of
/// probability p.
///
/// # Shapes
/// The parameter `[B..]`; a draw and a `log_prob` have shape `[B..]`; the event is a scalar.
///
/// # Errors
/// A probability that is 0 or outside [0, 1], log-odds that are not finite: at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// NumPyro `Geometric(probs | logits)`. PyMC `Geometric(p)` counts the success too: its values are larger by 1.
#[derive(Clone, Debug)]
pub struct Geometric(Parameter);

#[derive(Clone, Copy, Debug)]
enum Parameter {
    Probability(Var),
    LogOdds(Var),
}

impl Geometric {
    /// By the probability of a success.
    #[track_caller]
    pub fn new(probability: impl Into<Var>) -> Self {
        let p = check::probability("Geometric", "probability", probability);
        Self(Parameter::Probability(check::positive("Geometric", "probability", p)))
    }

    /// By the log-odds of a success.
    #[track_caller]
    pub fn logits(logits: impl Into<Var>) -> Self {
        Self(Parameter::LogOdds(check::real("Geometric", "logits", logits)))
    }
}

impl Distribution for Geometric {
    fn name(&self) -> &'static str {
        "Geometric"
    }
    fn support(&self) -> Support {
        Support::NonNegativeInteger
    }
    fn batch_shape(&self) -> Shape {
        let (Parameter::Probability(p) | Parameter::LogOdds(p)) = self.0;
        p.shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let k = inside.select(value, 0.0);
        let log_prob = match self.0 {
            // ln(1 - p) counts only where there are failures.
            Parameter::Probability(p) => k * k.ne(0.0).select(-p, 0.0).ln_1p() + p.ln(),
            Parameter::LogOdds(t) => -(k * t.softplus()) - (-t).softplus(),
        };
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    /// An exponential draw over `-ln(1 - p)`, rounded down.
    fn draw(&self, batch: &Shape) -> Var {
        let rate = match self.0 {
            Parameter::Probability(p) => -(-p).ln_1p(),
            Parameter::LogOdds(t) => t.softplus(),
        };
        (Var::random(Law::Exponential, batch, &[]) / rate).floor()
    }
    fn mean(&self) -> Option<Var> {
        Some(match self.0 {
            Parameter::Probability(p) => (1.0 - p) / p,
            Parameter::LogOdds(t) => (-t).exp(),
        })
    }
    fn variance(&self) -> Option<Var> {
        let mean = self.mean()?;
        Some(mean * (1.0 + mean))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Geometric",
    forms: &[
        Form {
            constructor: "new",
            arguments: &["probability"],
            good: &[&[0.2], &[0.9], &[0.05]],
            bad: &[&[0.0], &[-0.1], &[1.5], &[f64::NAN]],
            build: |p| Box::new(Geometric::new(p[0])),
        },
        Form {
            constructor: "logits",
            arguments: &["logits"],
            good: &[&[-1.5], &[2.0]],
            bad: &[&[f64::NAN], &[f64::INFINITY]],
            build: |p| Box::new(Geometric::logits(p[0])),
        },
    ],
};
