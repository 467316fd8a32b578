//! The hurdle-Poisson law: whether there is anything at all, and how much.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::zero_inflated::Gate;
use super::{Distribution, Entry, Form, Poisson, check};
use crate::special::ln_sinh_ratio;
use crate::support::Support;

/// Hurdle-Poisson distribution on {0, 1, 2, ..}: 0 with probability g (the gate), else a Poisson draw that is not 0,
/// `P(k) = (1 - g) rate^k / (k! (e^rate - 1))` for `k >= 1`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A gate outside [0, 1], logits that are not finite, a rate that is not positive and finite: at once where they are
/// numbers; as a point without density where they are latent.
///
/// # Source
/// NumPyro `HurdlePoisson(gate, rate)`; the psi of PyMC's `HurdlePoisson(psi, mu)` is `1 - gate`. Mullahy (1986), J.
/// Econometrics 33(3).
/// Stan users write it out.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::HurdlePoisson;
/// let (log_prob, _) = value_and_grad(|gate| HurdlePoisson::new(gate, 2.0).log_prob(0.0.into()), 0.25)?;
/// assert!((log_prob - (-2.0 * LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HurdlePoisson {
    gate: Gate,
    rate: Var,
}

const NAME: &str = "HurdlePoisson";

/// Rates below which the normalisation needs the ratio of sinh to its argument.
const SLOW: f64 = 1.0;

impl HurdlePoisson {
    /// By the probability of a zero and the rate.
    #[track_caller]
    pub fn new(gate: impl Into<Var>, rate: impl Into<Var>) -> Self {
        Self { gate: Gate::probability(NAME, gate), rate: check::positive(NAME, "rate", rate) }
    }

    /// By the log-odds of a zero and the rate.
    #[track_caller]
    pub fn logits(gate_logits: impl Into<Var>, rate: impl Into<Var>) -> Self {
        Self { gate: Gate::logits(NAME, gate_logits), rate: check::positive(NAME, "rate", rate) }
    }
}

impl Distribution for HurdlePoisson {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::NonNegativeInteger
    }
    fn batch_shape(&self) -> Shape {
        let (gate, rate) = (self.gate.shape(), self.rate.shape());
        gate.broadcast(&rate).unwrap_or_else(|| {
            let rule = "the parameters' shapes must broadcast";
            mistake(Mistake::Shapes { operation: NAME, shapes: vec![gate.clone(), rate], rule });
            gate
        })
    }
    /// `e^r - 1 = r e^(r/2) sinh(r/2) / (r/2)`: for small rates one power of r goes against that of the mass.
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let zero = inside.select(value, 0.0).eq(0.0);
        let k = (inside * (1.0 - zero)).select(value, 1.0);
        let slow = self.rate.lt(SLOW);
        let positive = {
            let r = slow.select(self.rate, 0.5 * SLOW);
            (k - 1.0) * r.ln() - 0.5 * r - (k + 1.0).lgamma() - ln_sinh_ratio(0.5 * r)
        };
        let usual = {
            let r = slow.select(SLOW, self.rate);
            Poisson::new(r).log_prob(k) - r.log1mexp()
        };
        let base = zero.select(0.0, slow.select(positive, usual));
        inside.select(self.gate.ln(zero) + base, f64::NEG_INFINITY)
    }
    /// Given that there is an arrival in unit time, the first comes at t with density `r e^(-r t)` cut off at 1; what
    /// comes after it is a Poisson draw.
    fn draw(&self, batch: &Shape) -> Var {
        let r = self.rate;
        let u = Var::random(Law::Uniform, batch, &[]);
        // r (1 - t), with 1 - u (1 - e^-r) = e^(-r t).
        let rate = ((u * (-r).exp_m1()).ln_1p() + r).max(0.0);
        let more = Var::random(Law::Poisson, batch, &[rate]);
        let zero = Var::random(Law::Uniform, batch, &[]).lt(self.gate.share());
        zero.select(0.0, 1.0 + more)
    }
    fn mean(&self) -> Option<Var> {
        Some((1.0 - self.gate.share()) * self.rate / -(-self.rate).exp_m1())
    }
    fn variance(&self) -> Option<Var> {
        let mean = self.mean()?;
        Some(mean * (1.0 + self.rate - mean))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["gate", "rate"],
            good: &[&[0.4, 3.0], &[0.1, 0.2], &[0.5, 1500.0]],
            bad: &[&[-0.1, 1.0], &[1.1, 1.0], &[0.5, 0.0], &[0.5, f64::NAN]],
            build: |p| Box::new(HurdlePoisson::new(p[0], p[1])),
        },
        Form {
            constructor: "logits",
            arguments: &["gate_logits", "rate"],
            good: &[&[-1.0, 0.7]],
            bad: &[&[f64::INFINITY, 1.0], &[0.0, -1.0]],
            build: |p| Box::new(HurdlePoisson::logits(p[0], p[1])),
        },
    ],
};
