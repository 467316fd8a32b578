//! The negative binomial law: counts that scatter more than a Poisson law allows.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::special::{LARGE, deviance, is_always, ln_1p_deficit, ln_choose_rising, ln_rise, stirling_correction};
use crate::special::{Tails, beta_tails};
use crate::support::Support;

/// Negative binomial distribution on {0, 1, 2, ..}, with m the mean and c the concentration:
/// `P(k) = Gamma(k + c) / (Gamma(c) k!) (c / (c + m))^c (m / (c + m))^k`, of variance `m + m^2 / c`; or, with c the total
/// count and t the logits, by `m = c e^t`.
///
/// Libraries disagree on whose probability is meant: here it is that of what is counted, so that the mean is
/// `c p / (1 - p)`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A mean that is negative or not finite, a concentration or total count that is not positive and finite (it need not be
/// an integer), logits that are not finite, a probability outside (0, 1): at once where they are numbers; as a point
/// without density where they are latent.
///
/// # Source
/// NumPyro `NegativeBinomial2(mean, concentration)`, `NegativeBinomial(total_count, probs | logits)`, PyMC
/// `NegativeBinomial(mu, alpha)` and `(n, p)` with p one minus ours, Stan `neg_binomial_2(mu, phi)`. Saddle point: Loader
/// (2000).
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::NegativeBinomial;
/// // With mean and concentration 1 it is geometric: 2^-(k + 1).
/// let (log_prob, _) = value_and_grad(|m| NegativeBinomial::new(m, 1.0).log_prob(2.0.into()), 1.0)?;
/// assert!((log_prob - (-3.0 * LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct NegativeBinomial {
    concentration: Var,
    parameter: Parameter,
}

#[derive(Clone, Copy, Debug)]
enum Parameter {
    Mean(Var),
    Logits(Var),
}

const NAME: &str = "NegativeBinomial";

impl NegativeBinomial {
    /// By mean and concentration; a Poisson law in the limit of large concentration.
    #[track_caller]
    pub fn new(mean: impl Into<Var>, concentration: impl Into<Var>) -> Self {
        let mean = check::non_negative(NAME, "mean", mean);
        let concentration = check::positive(NAME, "concentration", concentration);
        Self { concentration, parameter: Parameter::Mean(mean) }
    }

    /// By the total count of what ends the experiment and the log-odds of what is counted.
    #[track_caller]
    pub fn logits(total_count: impl Into<Var>, logits: impl Into<Var>) -> Self {
        let concentration = check::positive(NAME, "total_count", total_count);
        let logits = check::real(NAME, "logits", logits);
        Self { concentration, parameter: Parameter::Logits(logits) }
    }

    /// By the total count of what ends the experiment and the probability of what is counted.
    #[track_caller]
    pub fn probability(total_count: impl Into<Var>, probability: impl Into<Var>) -> Self {
        let concentration = check::positive(NAME, "total_count", total_count);
        let p = check::open_unit(NAME, "probability", probability);
        Self { concentration, parameter: Parameter::Logits(p.ln() - (-p).ln_1p()) }
    }

    fn expectation(&self) -> Var {
        match self.parameter {
            Parameter::Mean(mean) => mean,
            Parameter::Logits(t) => self.concentration * t.exp(),
        }
    }
}

/// By mean and concentration, in whichever of three forms has no large terms that cancel.
fn by_mean(k: Var, m: Var, c: Var) -> Var {
    // The Poisson mass and what a finite concentration changes.
    let near = m.lt(0.2 * c);
    let poisson = {
        let (m, c) = (near.select(m, 0.1), near.select(c, 1.0));
        let excess = ln_rise(k, c) - k * (m / c).ln_1p();
        k.xlogy(m) - m - (k + 1.0).lgamma() + ln_1p_deficit(m, c) + excess
    };
    let far = {
        let (m, c) = (near.select(1.0, m), near.select(1.0, c));
        ln_choose_rising(k, c) - k * (c / m).ln_1p() - c * (m / c).ln_1p()
    };
    let plain = near.select(poisson, far);
    if is_always(k.lt(LARGE)) {
        return plain;
    }
    // `c / (c + k)` times a binomial mass of c among c + k, by the saddle point.
    let many = k.ge(LARGE) * c.ge(LARGE) * (k * m).ge(1e4 * c);
    let saddle = {
        let guard = |x: Var| many.select(x, LARGE);
        let (k, m, c) = (guard(k), guard(m), guard(c));
        let n = c + k;
        let corrections = stirling_correction(n) - stirling_correction(c) - stirling_correction(k);
        let deviances = deviance(c, n * (c / (c + m))) + deviance(k, n * (m / (c + m)));
        corrections - deviances - 0.5 * (k.ln() + (k / c).ln_1p()) - LN_SQRT_2PI
    };
    many.select(saddle, plain)
}

impl NegativeBinomial {
    /// Both tails at a value.
    fn tails(&self, value: Var) -> Tails {
        // P(X <= k) = I_q(c, k + 1), q the probability of what ends the experiment.
        let c = self.concentration;
        let (q, p) = match self.parameter {
            Parameter::Mean(m) => (c / (c + m), m / (c + m)),
            Parameter::Logits(t) => ((-t).sigmoid(), t.sigmoid()),
        };
        let some = value.ge(0.0);
        let k = some.select(value.floor(), 0.0);
        beta_tails(c, k + 1.0, some.select(q, 0.0), some.select(p, 1.0))
    }
}

impl Distribution for NegativeBinomial {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::NonNegativeInteger
    }
    fn batch_shape(&self) -> Shape {
        let (Parameter::Mean(p) | Parameter::Logits(p)) = self.parameter;
        batch_of(NAME, &[self.concentration, p])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let k = inside.select(value, 0.0);
        let c = self.concentration;
        let log_prob = match self.parameter {
            Parameter::Mean(m) => by_mean(k, m, c),
            Parameter::Logits(t) => ln_choose_rising(k, c) - c * t.softplus() - k * (-t).softplus(),
        };
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    /// A Poisson draw whose rate is a gamma draw.
    fn draw(&self, batch: &Shape) -> Var {
        let ln_gamma = Var::random(Law::LogGamma, batch, &[self.concentration]);
        let rate = match self.parameter {
            Parameter::Mean(m) => ln_gamma.exp() * (m / self.concentration),
            Parameter::Logits(t) => (ln_gamma + t).exp(),
        };
        Var::random(Law::Poisson, batch, &[rate])
    }
    fn mean(&self) -> Option<Var> {
        Some(self.expectation().broadcast_to(self.batch_shape()))
    }
    fn variance(&self) -> Option<Var> {
        let m = self.expectation();
        Some(m + m.square() / self.concentration)
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
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["mean", "concentration"],
            good: &[&[4.0, 2.5], &[0.7, 90.0], &[300.0, 40.0]],
            bad: &[&[-1.0, 1.0], &[1.0, 0.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
            build: |p| Box::new(NegativeBinomial::new(p[0], p[1])),
        },
        Form {
            constructor: "logits",
            arguments: &["total_count", "logits"],
            good: &[&[3.0, 0.4], &[12.5, -2.0]],
            bad: &[&[0.0, 1.0], &[1.0, f64::INFINITY]],
            build: |p| Box::new(NegativeBinomial::logits(p[0], p[1])),
        },
        Form {
            constructor: "probability",
            arguments: &["total_count", "probability"],
            good: &[&[3.0, 0.4]],
            bad: &[&[-1.0, 0.5], &[1.0, 1.0]],
            build: |p| Box::new(NegativeBinomial::probability(p[0], p[1])),
        },
    ],
};
