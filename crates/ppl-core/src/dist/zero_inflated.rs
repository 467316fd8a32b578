//! Zero inflation: any law of counts with more zeros.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::{Distribution, Entry, Form, Poisson, check};
use crate::support::Support;

/// A law of counts from which, with probability g (the gate), a zero comes instead: `P(0) = g + (1 - g) p(0)`,
/// `P(k) = (1 - g) p(k)`.
///
/// # Shapes
/// The gate and the batch shape of the base broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that
/// shape. The base has scalar events.
///
/// # Errors
/// A gate outside [0, 1], logits that are not finite: at once where they are numbers; as a point without density where
/// they are latent. A base whose events are not scalars: at once.
///
/// # Source
/// NumPyro `ZeroInflatedDistribution(base, gate | gate_logits)`, `ZeroInflatedPoisson(gate, rate)`; the psi of PyMC's
/// `ZeroInflatedPoisson(psi, mu)` is `1 - gate`. Lambert (1992), Technometrics 34(1).
/// Stan users write `log_mix`.
///
/// ```
/// use ppl_autodiff::{Var, value_and_grad};
/// use ppl_core::Distribution;
/// use ppl_core::dist::{Poisson, ZeroInflated};
/// // ln(0.3 + 0.7 e^-2)
/// let log_prob = |gate: Var| ZeroInflated::new(gate, Poisson::new(2.0)).log_prob(0.0.into());
/// let (value, _) = value_and_grad(log_prob, 0.3)?;
/// assert!((value - (0.3 + 0.7 * (-2.0f64).exp()).ln()).abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ZeroInflated<D> {
    gate: Gate,
    base: D,
}

/// Whether something happens: by its probability or its log-odds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gate {
    Probability(Var),
    LogOdds(Var),
}

impl Gate {
    #[track_caller]
    pub(super) fn probability(owner: &'static str, gate: impl Into<Var>) -> Self {
        Self::Probability(check::probability(owner, "gate", gate))
    }

    #[track_caller]
    pub(super) fn logits(owner: &'static str, gate: impl Into<Var>) -> Self {
        Self::LogOdds(check::real(owner, "gate_logits", gate))
    }

    pub(super) fn shape(&self) -> Shape {
        let (Self::Probability(v) | Self::LogOdds(v)) = self;
        v.shape()
    }

    pub(super) fn share(&self) -> Var {
        match self {
            Self::Probability(g) => *g,
            Self::LogOdds(t) => t.sigmoid(),
        }
    }

    /// The logarithm of the probability that it happens where `yes`, else that it does not. An outcome that does not
    /// count has no slope: it may be impossible.
    pub(super) fn ln(&self, yes: Var) -> Var {
        match *self {
            Self::Probability(g) => yes.select(yes.select(g, 1.0).ln(), (-yes.select(0.0, g)).ln_1p()),
            Self::LogOdds(t) => -yes.select(-t, t).softplus(),
        }
    }
}

const NAME: &str = "ZeroInflated";

impl<D: Distribution> ZeroInflated<D> {
    /// By the probability of an extra zero.
    #[track_caller]
    pub fn new(gate: impl Into<Var>, base: D) -> Self {
        Self::with(Gate::probability(NAME, gate), base)
    }

    /// By the log-odds of an extra zero.
    #[track_caller]
    pub fn logits(gate_logits: impl Into<Var>, base: D) -> Self {
        Self::with(Gate::logits(NAME, gate_logits), base)
    }

    #[track_caller]
    fn with(gate: Gate, base: D) -> Self {
        if base.event_shape().rank() > 0 {
            let rule = "the base must have scalar events";
            mistake(Mistake::Shapes { operation: NAME, shapes: vec![base.event_shape()], rule });
        }
        Self { gate, base }
    }
}

impl<D: Distribution> Distribution for ZeroInflated<D> {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        self.base.support()
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
        let k = inside.select(value, 0.0);
        let zero = k.eq(0.0);
        let base = self.base.log_prob(k);
        let log_prob = match self.gate {
            Gate::LogOdds(t) => zero.select(t.logaddexp(base), base) - t.softplus(),
            Gate::Probability(g) => {
                // A gate of exactly 0 adds nothing, one of exactly 1 leaves nothing of the base.
                let (never, always) = (g.eq(0.0), g.eq(1.0));
                let ln_gate = never.select(1.0, g).ln();
                let thinned = base + (-(zero * always).select(0.0, g)).ln_1p();
                let some = never.select(base, ln_gate).logaddexp(thinned);
                let inflated = always.select(ln_gate, never.select(thinned, some));
                zero.select(inflated, thinned)
            }
        };
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let extra = Var::random(Law::Uniform, batch, &[]).lt(self.gate.share());
        extra.select(0.0, self.base.draw(batch))
    }
    fn mean(&self) -> Option<Var> {
        Some((1.0 - self.gate.share()) * self.base.mean()?)
    }
    fn variance(&self) -> Option<Var> {
        let (gate, mean) = (self.gate.share(), self.base.mean()?);
        Some((1.0 - gate) * (self.base.variance()? + gate * mean.square()))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["gate", "rate"],
            good: &[&[0.3, 2.0], &[0.9, 5.0]],
            bad: &[&[-0.1, 1.0], &[1.1, 1.0], &[f64::NAN, 1.0]],
            build: |p| Box::new(ZeroInflated::new(p[0], Poisson::new(p[1]))),
        },
        Form {
            constructor: "logits",
            arguments: &["gate_logits", "rate"],
            good: &[&[-1.0, 3.0]],
            bad: &[&[f64::INFINITY, 1.0]],
            build: |p| Box::new(ZeroInflated::logits(p[0], Poisson::new(p[1]))),
        },
    ],
};
