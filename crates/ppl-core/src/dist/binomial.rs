//! The binomial law: successes in a fixed number of trials.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::special::{LARGE, deviance, ln_choose, stirling_correction};
use crate::special::{Tails, beta_tails};
use crate::support::Support;

/// Trials from which on the terms of the plain formula are so large that the saddle point pays.
const MANY: f64 = 1e4;

/// Binomial distribution on {0, .., n}, n the total count: `P(k) = (n choose k) p^k (1 - p)^(n - k)`, by probability or,
/// better where it may saturate, by log-odds.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A total count that is not an integer from 0 on, a probability outside [0, 1], log-odds that are not finite: at once
/// where they are numbers; as a point without density where they are latent. No derivative by the total count is meant.
///
/// # Source
/// NumPyro `Binomial(total_count, probs | logits)`, PyMC `Binomial(n, p | logit_p)`, Stan `binomial(N, theta)`,
/// `binomial_logit`. Saddle point: Loader (2000).
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Binomial;
/// // One success of two, with probability 2 p (1 - p).
/// let (log_prob, _) = value_and_grad(|p| Binomial::new(2.0, p).log_prob(1.0.into()), 0.5)?;
/// assert!((log_prob + LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Binomial {
    total_count: Var,
    parameter: Parameter,
}

#[derive(Clone, Copy, Debug)]
enum Parameter {
    Probability(Var),
    LogOdds(Var),
}

impl Binomial {
    /// By the probability of a success.
    #[track_caller]
    pub fn new(total_count: impl Into<Var>, probability: impl Into<Var>) -> Self {
        let p = check::probability("Binomial", "probability", probability);
        Self { total_count: check::count("Binomial", "total_count", total_count), parameter: Parameter::Probability(p) }
    }

    /// By the log-odds `ln(p / (1 - p))` of a success.
    #[track_caller]
    pub fn logits(total_count: impl Into<Var>, logits: impl Into<Var>) -> Self {
        let t = check::real("Binomial", "logits", logits);
        Self { total_count: check::count("Binomial", "total_count", total_count), parameter: Parameter::LogOdds(t) }
    }

    /// The probabilities of a success and of a failure.
    fn odds(&self) -> (Var, Var) {
        match self.parameter {
            Parameter::Probability(p) => (p, 1.0 - p),
            Parameter::LogOdds(t) => (t.sigmoid(), (-t).sigmoid()),
        }
    }
}

impl Binomial {
    /// Both tails at a value.
    fn tails(&self, value: Var) -> Tails {
        // P(X <= k) = I_q(n - k, k + 1): below 0 none, from n on all.
        let (p, q) = self.odds();
        let k = value.floor();
        let (below, above) = (k.lt(0.0), k.ge(self.total_count));
        let k = (below + above).select(0.0, k);
        let (q, p) = (below.select(0.0, above.select(1.0, q)), below.select(1.0, above.select(0.0, p)));
        beta_tails((self.total_count - k).max(1.0), k + 1.0, q, p)
    }
}

impl Distribution for Binomial {
    fn name(&self) -> &'static str {
        "Binomial"
    }
    fn support(&self) -> Support {
        Support::IntegerInterval { low: Var::from(0.0), high: self.total_count }
    }
    fn batch_shape(&self) -> Shape {
        let (Parameter::Probability(p) | Parameter::LogOdds(p)) = self.parameter;
        batch_of("Binomial", &[self.total_count, p])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let n = self.total_count;
        let k = inside.select(value, 0.0);
        let failures = n - k;
        let plain = ln_choose(n, k)
            + match self.parameter {
                Parameter::Probability(p) => {
                    // ln(1 - p) keeps the digits of a small p; it counts only where there are failures.
                    let q = failures.ne(0.0).select(-p, 0.0);
                    k.xlogy(p) + failures * q.ln_1p()
                }
                Parameter::LogOdds(t) => -(k * (-t).softplus()) - failures * t.softplus(),
            };
        let many = n.ge(MANY) * k.ge(LARGE) * failures.ge(LARGE);
        let saddle = {
            let guard = |x: Var, otherwise: f64| many.select(x, otherwise);
            let (p, q) = self.odds();
            let (n, k, failures) = (guard(n, MANY), guard(k, LARGE), guard(failures, LARGE));
            let (p, q) = (guard(p, 0.5), guard(q, 0.5));
            let corrections = stirling_correction(n) - stirling_correction(k) - stirling_correction(failures);
            let middle = -0.5 * (k / n * failures).ln() - LN_SQRT_2PI;
            corrections + middle - deviance(k, n * p) - deviance(failures, n * q)
        };
        inside.select(many.select(saddle, plain), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        Var::random(Law::Binomial, batch, &[self.total_count, self.odds().0])
    }
    fn mean(&self) -> Option<Var> {
        Some(self.total_count * self.odds().0)
    }
    fn variance(&self) -> Option<Var> {
        let (p, q) = self.odds();
        Some(self.total_count * p * q)
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).plain().0)
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().0)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Binomial",
    forms: &[
        Form {
            constructor: "new",
            arguments: &["total_count", "probability"],
            good: &[&[1.0, 0.3], &[20.0, 0.85], &[10_500.0, 0.01]],
            bad: &[&[-1.0, 0.3], &[2.5, 0.3], &[5.0, 1.1], &[5.0, f64::NAN]],
            build: |p| Box::new(Binomial::new(p[0], p[1])),
        },
        Form {
            constructor: "logits",
            arguments: &["total_count", "logits"],
            good: &[&[20.0, -1.2], &[12_000.0, -5.0]],
            bad: &[&[-1.0, 0.3], &[5.0, f64::INFINITY]],
            build: |p| Box::new(Binomial::logits(p[0], p[1])),
        },
    ],
};
