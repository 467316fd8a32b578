//! The law of one trial with two outcomes.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, check};
use crate::support::Support;

/// Bernoulli distribution on {0, 1}: `P(1) = p`, by probability or, better where it may saturate, by log-odds.
///
/// # Shapes
/// The parameter `[B..]`; a draw and a `log_prob` have shape `[B..]`; the event is a scalar.
///
/// # Errors
/// A probability outside [0, 1], log-odds that are not finite: at once where they are numbers.
///
/// # Source
/// NumPyro `Bernoulli(probs | logits)`, PyMC `Bernoulli(p | logit_p)`, Stan `bernoulli`, `bernoulli_logit`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Bernoulli;
/// // Even odds.
/// let (log_prob, _) = value_and_grad(|t| Bernoulli::logits(t).log_prob(1.0.into()), 0.0)?;
/// assert!((log_prob + LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bernoulli(Parameter);

#[derive(Clone, Debug)]
enum Parameter {
    Probability(Var),
    LogOdds(Var),
}

impl Bernoulli {
    /// By the probability of a 1.
    #[track_caller]
    pub fn new(probability: impl Into<Var>) -> Self {
        Self(Parameter::Probability(check::probability("Bernoulli", "probability", probability)))
    }

    /// By the log-odds `ln(p / (1 - p))`: exact however sure the outcome is.
    #[track_caller]
    pub fn logits(logits: impl Into<Var>) -> Self {
        Self(Parameter::LogOdds(check::real("Bernoulli", "logits", logits)))
    }

    fn parameter(&self) -> Var {
        match self.0 {
            Parameter::Probability(p) | Parameter::LogOdds(p) => p,
        }
    }

    fn probability(&self) -> Var {
        match self.0 {
            Parameter::Probability(p) => p,
            Parameter::LogOdds(t) => t.sigmoid(),
        }
    }
}

impl Distribution for Bernoulli {
    fn name(&self) -> &'static str {
        "Bernoulli"
    }
    fn support(&self) -> Support {
        Support::Boolean
    }
    fn batch_shape(&self) -> Shape {
        self.parameter().shape()
    }
    /// With s = 2x - 1 and log-odds t: `-softplus(-s t)`, which keeps its digits where the outcome is nearly sure.
    fn log_prob(&self, value: Var) -> Var {
        match self.0 {
            Parameter::LogOdds(t) => {
                let inside = self.support().contains(value);
                let value = inside.select(value, 0.0);
                inside.select(-((1.0 - 2.0 * value) * t).softplus(), f64::NEG_INFINITY)
            }
            Parameter::Probability(p) => {
                // The branch that does not count must not be ln 0: its derivative would be NaN.
                let (one, zero) = (value.eq(1.0), value.eq(0.0));
                let (hit, miss) = (one.select(p, 1.0).ln(), (-zero.select(p, 0.0)).ln_1p());
                one.select(hit, zero.select(miss, f64::NEG_INFINITY))
            }
        }
    }
    fn draw(&self, batch: &Shape) -> Var {
        Var::random(Law::Uniform, batch, &[]).lt(self.probability())
    }
    fn mean(&self) -> Option<Var> {
        Some(self.probability())
    }
    fn variance(&self) -> Option<Var> {
        let p = self.probability();
        Some(p * (1.0 - p))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let miss = match self.0 {
            Parameter::Probability(p) => 1.0 - p,
            Parameter::LogOdds(t) => (-t).sigmoid(),
        };
        Some(value.lt(0.0).select(0.0, value.ge(1.0).select(1.0, miss)))
    }
    fn entropy(&self) -> Option<Var> {
        Some(match self.0 {
            // softplus(t) - t s(t), from the side where nothing cancels.
            Parameter::LogOdds(t) => {
                let a = t.abs();
                (-a).exp().ln_1p() + a * (-a).sigmoid()
            }
            Parameter::Probability(p) => -p.xlogy(p) - (1.0 - p).xlogy(1.0 - p),
        })
    }
}

impl KlDivergence for Bernoulli {
    fn kl_divergence(&self, q: &Self) -> Var {
        let (p, q) = (self.probability(), q.probability());
        p.xlogy(p / q) + (1.0 - p).xlogy((1.0 - p) / (1.0 - q))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Bernoulli",
    forms: &[
        Form {
            constructor: "new",
            arguments: &["probability"],
            good: &[&[0.3], &[0.5], &[0.99]],
            bad: &[&[-0.1], &[1.1], &[f64::NAN]],
            build: |p| Box::new(Bernoulli::new(p[0])),
        },
        Form {
            constructor: "logits",
            arguments: &["logits"],
            good: &[&[-0.4], &[3.0]],
            bad: &[&[f64::NAN], &[f64::INFINITY]],
            build: |p| Box::new(Bernoulli::logits(p[0])),
        },
    ],
};
