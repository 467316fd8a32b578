//! The beta-binomial law: a binomial law whose probability has a beta law.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::{ln_choose, ln_rise};
use crate::support::Support;

/// Beta-binomial distribution on {0, .., n}, n the total count: binomial with a probability from `Beta(a, b)`,
/// `P(k) = (n choose k) B(k + a, n - k + b) / B(a, b)`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A total count that is not an integer from 0 on, a concentration that is not positive and finite: at once where they
/// are numbers; as a point without density where they are latent. No derivative by the total count is meant.
///
/// # Source
/// NumPyro `BetaBinomial(concentration1, concentration0, total_count)`, PyMC `BetaBinomial(n, alpha, beta)`, Stan
/// `beta_binomial(N, alpha, beta)`: the total count comes first here, as in [`Binomial`](super::Binomial).
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::BetaBinomial;
/// // With both concentrations 1 all five outcomes have the same probability.
/// let (log_prob, _) = value_and_grad(|a| BetaBinomial::new(4.0, a, 1.0).log_prob(3.0.into()), 1.0)?;
/// assert!((log_prob - (-(5f64.ln()))).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BetaBinomial {
    total_count: Var,
    concentration1: Var,
    concentration0: Var,
}

const NAME: &str = "BetaBinomial";

impl BetaBinomial {
    /// By the number of trials and the concentrations of successes and failures.
    #[track_caller]
    pub fn new(total_count: impl Into<Var>, concentration1: impl Into<Var>, concentration0: impl Into<Var>) -> Self {
        Self {
            total_count: check::count(NAME, "total_count", total_count),
            concentration1: check::positive(NAME, "concentration1", concentration1),
            concentration0: check::positive(NAME, "concentration0", concentration0),
        }
    }

    /// The mean probability of a success.
    fn share(&self) -> Var {
        self.concentration1 / (self.concentration1 + self.concentration0)
    }
}

impl Distribution for BetaBinomial {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::IntegerInterval { low: Var::from(0.0), high: self.total_count }
    }
    fn batch_shape(&self) -> Shape {
        batch_of(NAME, &[self.total_count, self.concentration1, self.concentration0])
    }
    /// The binomial mass at the mean probability and what the spread of the probability changes.
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let (n, a, b) = (self.total_count, self.concentration1, self.concentration0);
        let k = inside.select(value, 0.0);
        let failures = inside.select(n - k, 0.0);
        let binomial = ln_choose(k + failures, k) - k * (b / a).ln_1p() - failures * (a / b).ln_1p();
        let log_prob = binomial + ln_rise(k, a) + ln_rise(failures, b) - ln_rise(k + failures, a + b);
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let log_gamma = |a: Var| Var::random(Law::LogGamma, batch, &[a]);
        let logit = log_gamma(self.concentration1) - log_gamma(self.concentration0);
        Var::random(Law::Binomial, batch, &[self.total_count, logit.sigmoid()])
    }
    fn mean(&self) -> Option<Var> {
        Some(self.total_count * self.share())
    }
    fn variance(&self) -> Option<Var> {
        let (n, p, sum) = (self.total_count, self.share(), self.concentration1 + self.concentration0);
        Some(n * p * (1.0 - p) * (sum + n) / (sum + 1.0))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["total_count", "concentration1", "concentration0"],
        good: &[&[12.0, 2.0, 3.0], &[40.0, 0.4, 0.7], &[3.0, 200.0, 90.0]],
        bad: &[&[-1.0, 1.0, 1.0], &[2.5, 1.0, 1.0], &[5.0, 0.0, 1.0], &[5.0, 1.0, f64::NAN]],
        build: |p| Box::new(BetaBinomial::new(p[0], p[1], p[2])),
    }],
};
