//! Hurdles: whether there is anything at all, and, if so, how much, for any law.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::search::{check_scalar, quantile};
use super::zero_inflated::Gate;
use super::{Binomial, Distribution, Entry, Form, NegativeBinomial};
use crate::support::Support;

/// 0 with probability g (the gate), else a draw of the base that is not 0: `P(0) = g`,
/// `P(k) = (1 - g) p(k) / (1 - p(0))` for counts; for a positive continuous base, of which 0 is no draw,
/// `(1 - g) p(x)` at x > 0.
///
/// [`HurdlePoisson`](super::HurdlePoisson) is the same for Poisson laws, with all digits at small rates too.
///
/// # Shapes
/// The gate and the batch shape of the base broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that
/// shape. The base has scalar events.
///
/// # Errors
/// A gate outside [0, 1], logits that are not finite: at once where they are numbers; as a point without density where
/// they are latent. A base whose events are not scalars: at once. Draws of counts need the base's distribution function. With
/// a continuous base it is a law of data: a latent site with it is an error, since 0 has a mass of its own.
///
/// # Source
/// PyMC `HurdleGamma`, `HurdleLogNormal`, `HurdleNegativeBinomial`, `HurdlePoisson`, with psi = 1 - gate. Mullahy (1986), J.
/// Econometrics 33(3).
/// NumPyro `HurdleDistribution`; Stan users write it out.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::{Hurdle, LogNormal};
/// let (log_prob, slope) = value_and_grad(|gate| Hurdle::new(gate, LogNormal::new(0.0, 1.0)).log_prob(0.0.into()), 0.25)?;
/// assert_eq!((log_prob, slope.sum()), (0.25f64.ln(), 4.0));
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Hurdle<D> {
    gate: Gate,
    base: D,
}

const NAME: &str = "Hurdle";

impl<D: Distribution> Hurdle<D> {
    /// By the probability of a zero.
    #[track_caller]
    pub fn new(gate: impl Into<Var>, base: D) -> Self {
        check_scalar(NAME, &base);
        Self { gate: Gate::probability(NAME, gate), base }
    }

    /// By the log-odds of a zero.
    #[track_caller]
    pub fn logits(gate_logits: impl Into<Var>, base: D) -> Self {
        check_scalar(NAME, &base);
        Self { gate: Gate::logits(NAME, gate_logits), base }
    }

    /// `ln(1 - p(0))`, 0 for a continuous base.
    fn ln_positive(&self) -> Var {
        match self.base.support().is_discrete() {
            true => (-self.base.log_prob(Var::from(0.0))).log1mexp(),
            false => Var::from(0.0),
        }
    }
}

impl<D: Distribution> Distribution for Hurdle<D> {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        match self.base.support() {
            Support::Positive => Support::Mixed { low: Var::from(0.0), high: Var::from(f64::INFINITY) },
            support => support,
        }
    }
    fn batch_shape(&self) -> Shape {
        let (gate, base) = (self.gate.shape(), self.base.batch_shape());
        gate.broadcast(&base).unwrap_or_else(|| {
            let rule = "the gate and the base must have batch shapes that broadcast";
            mistake(Mistake::Shapes { operation: NAME, shapes: vec![gate.clone(), base], rule });
            gate
        })
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let zero = inside.select(value, 0.0).eq(0.0);
        let positive = (inside * (1.0 - zero)).select(value, 1.0);
        let base = zero.select(0.0, self.base.log_prob(positive) - self.ln_positive());
        inside.select(self.gate.ln(zero) + base, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let zero = Var::random(Law::Uniform, batch, &[]).lt(self.gate.share());
        let positive = match self.base.support().is_discrete() {
            true => quantile(NAME, &self.base, Some(Var::from(1.0)), None, Var::random(Law::Uniform, batch, &[])),
            false => self.base.draw(batch),
        };
        zero.select(0.0, positive)
    }
    fn mean(&self) -> Option<Var> {
        Some((1.0 - self.gate.share()) * self.base.mean()? * (-self.ln_positive()).exp())
    }
    fn variance(&self) -> Option<Var> {
        let (mean, base) = (self.mean()?, self.base.mean()?);
        let second = (self.base.variance()? + base.square()) * (-self.ln_positive()).exp();
        Some((1.0 - self.gate.share()) * second - mean.square())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["gate", "mean", "concentration"],
            good: &[&[0.4, 3.0, 2.0], &[0.1, 0.5, 5.0]],
            bad: &[&[-0.1, 1.0, 1.0], &[1.1, 1.0, 1.0], &[f64::NAN, 1.0, 1.0]],
            build: |p| Box::new(Hurdle::new(p[0], NegativeBinomial::new(p[1], p[2]))),
        },
        Form {
            constructor: "logits",
            arguments: &["gate_logits", "probability"],
            good: &[&[-1.0, 0.3]],
            bad: &[&[f64::INFINITY, 0.3]],
            build: |p| Box::new(Hurdle::logits(p[0], Binomial::new(6.0, p[1]))),
        },
    ],
};
