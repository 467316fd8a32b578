//! The relaxed Bernoulli law: a coin that may lie between its sides.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::Share;
use crate::support::Support;

/// Relaxed Bernoulli (binary concrete) distribution on (0, 1): the law of `s((a + L) / t)`, a the log-odds, L a standard
/// logistic variable, t the temperature and s the logistic function. As t goes to 0 the draws go to 0 and 1, the latter
/// with the probability `s(a)`; unlike those of a Bernoulli law they have derivatives: for spikes and slabs.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A temperature that is not positive and finite, log-odds that are not finite, a probability that is not strictly between
/// 0 and 1: at once where they are numbers; as a point without density where they are latent. The values 0 and 1 have no
/// density.
///
/// # Source
/// NumPyro `RelaxedBernoulli(temperature, probs | logits)`; PyMC and Stan have none. Maddison, Mnih and Teh (2017), "The
/// concrete distribution".
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::RelaxedBernoulli;
/// // At temperature 1 and even odds it is uniform.
/// let (log_prob, _) = value_and_grad(|x| RelaxedBernoulli::logits(1.0, 0.0).log_prob(x), 0.25)?;
/// assert!(log_prob.abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RelaxedBernoulli {
    temperature: Var,
    logits: Var,
}

const NAME: &str = "RelaxedBernoulli";

impl RelaxedBernoulli {
    /// By the temperature and the probability of a 1 at temperature 0.
    #[track_caller]
    pub fn new(temperature: impl Into<Var>, probability: impl Into<Var>) -> Self {
        let p = check::open_unit(NAME, "probability", probability);
        Self { temperature: check::positive(NAME, "temperature", temperature), logits: p.ln() - (-p).ln_1p() }
    }

    /// By the temperature and the log-odds of a 1 at temperature 0.
    #[track_caller]
    pub fn logits(temperature: impl Into<Var>, logits: impl Into<Var>) -> Self {
        let temperature = check::positive(NAME, "temperature", temperature);
        Self { temperature, logits: check::real(NAME, "logits", logits) }
    }

    /// At the log-odds of the value, whose slope by the value has this logarithm with the other sign.
    fn log_density(&self, logit: Var, ln_slope: Var) -> Var {
        let z = self.temperature * logit - self.logits;
        self.temperature.ln() - z.softplus() - (-z).softplus() - ln_slope
    }
}

impl Distribution for RelaxedBernoulli {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::UnitInterval
    }
    fn batch_shape(&self) -> Shape {
        batch_of(NAME, &[self.temperature, self.logits])
    }
    /// That of a logistic law at the log-odds of the value.
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(1.0);
        let x = inside.select(value, 0.5);
        let (ln, ln_rest) = (x.ln(), (-x).ln_1p());
        inside.select(self.log_density(ln - ln_rest, ln + ln_rest), f64::NEG_INFINITY)
    }
    fn log_prob_of_logit(&self, logit: Var) -> Option<Var> {
        let share = Share::of_logit(logit);
        Some(self.log_density(logit, share.ln + share.ln_rest))
    }
    fn draw(&self, batch: &Shape) -> Var {
        let u = Var::random(Law::Uniform, batch, &[]);
        ((self.logits + u.ln() - (-u).ln_1p()) / self.temperature).sigmoid()
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(0.0) * value.lt(1.0);
        let x = inside.select(value, 0.5);
        let z = self.temperature * (x.ln() - (-x).ln_1p()) - self.logits;
        Some(inside.select(z.sigmoid(), value.ge(1.0)))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let z = probability.ln() - (-probability).ln_1p();
        Some(((self.logits + z) / self.temperature).sigmoid())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["temperature", "probability"],
            good: &[&[0.7, 0.3], &[2.0, 0.9]],
            bad: &[&[0.0, 0.5], &[1.0, 0.0], &[1.0, f64::NAN]],
            build: |p| Box::new(RelaxedBernoulli::new(p[0], p[1])),
        },
        Form {
            constructor: "logits",
            arguments: &["temperature", "logits"],
            good: &[&[0.9, -1.0], &[1.0, 0.0]],
            bad: &[&[-1.0, 0.0], &[1.0, f64::INFINITY]],
            build: |p| Box::new(RelaxedBernoulli::logits(p[0], p[1])),
        },
    ],
};
