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
/// NumPyro `Geometric(probs | logits)`. PyMC `Geometric(p)` counts the success too, as
/// [`Geometric::trials`].
/// Stan: `neg_binomial_2(mu, 1)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Geometric;
/// // Two failures and a success.
/// let (log_prob, _) = value_and_grad(|p| Geometric::new(p).log_prob(2.0.into()), 0.5)?;
/// assert!((log_prob - (-3.0 * LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Geometric {
    parameter: Parameter,
    /// The smallest value: 0 where failures are counted, 1 where trials are.
    first: f64,
}

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
        Self { parameter: Parameter::Probability(check::positive("Geometric", "probability", p)), first: 0.0 }
    }

    /// By the log-odds of a success.
    #[track_caller]
    pub fn logits(logits: impl Into<Var>) -> Self {
        Self { parameter: Parameter::LogOdds(check::real("Geometric", "logits", logits)), first: 0.0 }
    }

    /// The number of trials, the success included, by the probability of a success: from 1 on.
    #[track_caller]
    pub fn trials(probability: impl Into<Var>) -> Self {
        Self { first: 1.0, ..Self::new(probability) }
    }

    /// `ln(1 - p)`.
    fn ln_failure(&self) -> Var {
        match self.parameter {
            Parameter::Probability(p) => (-p).ln_1p(),
            Parameter::LogOdds(t) => -t.softplus(),
        }
    }
}

impl Distribution for Geometric {
    fn name(&self) -> &'static str {
        "Geometric"
    }
    fn support(&self) -> Support {
        match self.first == 0.0 {
            true => Support::NonNegativeInteger,
            false => Support::IntegerInterval { low: Var::from(self.first), high: Var::from(f64::INFINITY) },
        }
    }
    fn batch_shape(&self) -> Shape {
        let (Parameter::Probability(p) | Parameter::LogOdds(p)) = self.parameter;
        p.shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let k = inside.select(value - self.first, 0.0);
        let log_prob = match self.parameter {
            // ln(1 - p) counts only where there are failures.
            Parameter::Probability(p) => k * k.ne(0.0).select(-p, 0.0).ln_1p() + p.ln(),
            Parameter::LogOdds(t) => -(k * t.softplus()) - (-t).softplus(),
        };
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    /// An exponential draw over `-ln(1 - p)`, rounded down.
    fn draw(&self, batch: &Shape) -> Var {
        (Var::random(Law::Exponential, batch, &[]) / -self.ln_failure()).floor() + self.first
    }
    fn mean(&self) -> Option<Var> {
        Some(match self.parameter {
            Parameter::Probability(p) => (1.0 - p) / p + self.first,
            Parameter::LogOdds(t) => (-t).exp() + self.first,
        })
    }
    fn variance(&self) -> Option<Var> {
        let failures = self.mean()? - self.first;
        Some(failures * (1.0 + failures))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(-self.log_sf(value)?.exp_m1())
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        let steps = value.floor().max(self.first - 1.0) + (1.0 - self.first);
        let some = steps.gt(0.0);
        Some(some.select(some.select(steps, 0.0) * self.ln_failure(), 0.0))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let steps = -(-((-probability).ln_1p() / self.ln_failure())).floor();
        Some((steps - 1.0).max(0.0) + self.first)
    }
    /// `-(p ln p + (1 - p) ln(1 - p)) / p`.
    fn entropy(&self) -> Option<Var> {
        Some(match self.parameter {
            Parameter::Probability(p) => {
                let some = p.lt(1.0);
                some.select(-p.ln() - (1.0 - p) / p * some.select(-p, -0.5).ln_1p(), 0.0)
            }
            Parameter::LogOdds(t) => (-t).softplus() + (-t).exp() * t.softplus(),
        })
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
            constructor: "trials",
            arguments: &["probability"],
            good: &[&[0.3]],
            bad: &[&[0.0], &[f64::NAN]],
            build: |p| Box::new(Geometric::trials(p[0])),
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
