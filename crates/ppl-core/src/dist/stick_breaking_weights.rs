//! The weights of a truncated Dirichlet process: a stick broken again and again.

use ppl_autodiff::{Mistake, Shape, Var, concat, mistake};

use super::{Distribution, Entry, Form, check};
use crate::support::Support;

/// Law of K weights with sum 1, pieces of a stick of which the share `Beta(1, alpha)` is broken off K - 1 times:
/// `p(w) = alpha^(K-1) r_K^(alpha - 1) / prod_{k=1..K-1} r_k`, `r_k = w_k + .. + w_K` what is left before piece k.
///
/// The weights of a mixture with at most K components: Sethuraman's construction of a Dirichlet process, cut off.
///
/// # Shapes
/// `alpha: [B..]`; a draw has shape `[B.., K]`, a `log_prob` has `[B..]`; the event is a vector. The density is that of
/// the first K - 1 weights.
///
/// # Errors
/// A concentration that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent. Fewer than two weights: at once. A value with a weight of 0 has no density.
///
/// # Source
/// PyMC `StickBreakingWeights(alpha, K)` with K one less than here; NumPyro and Stan users write it out. Ishwaran and James
/// (2001), JASA 96(453).
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::StickBreakingWeights;
/// // Of two pieces, with alpha 1, the first is uniform.
/// let (log_prob, _) = value_and_grad(|w| StickBreakingWeights::new(1.0, 2).log_prob(w), &ndarray::array![0.3, 0.7])?;
/// assert_eq!(log_prob, 0.0);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StickBreakingWeights {
    alpha: Var,
    length: usize,
}

const NAME: &str = "StickBreakingWeights";

impl StickBreakingWeights {
    /// By the concentration, large for many weights of like size, and the number of weights.
    #[track_caller]
    pub fn new(alpha: impl Into<Var>, length: usize) -> Self {
        if length < 2 {
            check::fail(NAME, "length", "at least 2", length as f64);
        }
        Self { alpha: check::positive(NAME, "alpha", alpha), length: length.max(2) }
    }
}

impl Distribution for StickBreakingWeights {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::Simplex
    }
    fn batch_shape(&self) -> Shape {
        self.alpha.shape()
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.length)
    }
    /// What is left is summed from the end: one less what is gone would have no digits.
    fn log_prob(&self, value: Var) -> Var {
        if value.rank() == 0 || value.dim(-1) != self.length {
            let shapes = vec![value.shape(), Shape::from(self.length)];
            mistake(Mistake::Shapes { operation: NAME, shapes, rule: "a value [.., K] is needed" });
            return Var::zeros(self.batch_shape());
        }
        let inside = self.support().contains(value) * value.gt(0.0).min_axis(-1);
        let even = Var::from(1.0 / self.length as f64);
        let w = inside.expand_dims(-1).select(value, even);
        let ln_rest = w.flip(-1).cumsum(-1).flip(-1).ln();
        // The first is ln 1.
        let middle = ln_rest.slice(-1, 1..self.length - 1).sum_axis(-1);
        let last = ln_rest.index(-1, self.length - 1);
        let breaks = self.length as f64 - 1.0;
        inside.select(breaks * self.alpha.ln() + (self.alpha - 1.0) * last - middle, f64::NEG_INFINITY)
    }
    /// What a break leaves has the law `u^(1/alpha)`.
    fn draw(&self, batch: &Shape) -> Var {
        let breaks = batch.join(&[self.length - 1]);
        let ln_left = -Var::random(ppl_autodiff::ops::Law::Exponential, &breaks, &[]) / self.alpha.expand_dims(-1);
        let before = concat(&[Var::zeros(batch.join(&[1])), ln_left.cumsum(-1)], -1);
        let ln_taken = concat(&[(-ln_left).log1mexp(), Var::zeros(batch.join(&[1]))], -1);
        (before + ln_taken).exp()
    }
    /// `E w_k = alpha^(k-1) / (1 + alpha)^k`; the last has what is left.
    fn mean(&self) -> Option<Var> {
        let k = self.length;
        let share = -self.alpha.recip().ln_1p().expand_dims(-1);
        let powers: Vec<f64> = (0..k).map(|i| i as f64).collect();
        let last = Var::from((0..k).map(|i| f64::from(u8::from(i + 1 == k))).collect::<Vec<f64>>());
        let taken = last.select(0.0, -self.alpha.ln_1p().expand_dims(-1));
        Some((share * Var::from(powers) + taken).exp())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["alpha"],
        good: &[&[1.7], &[0.8]],
        bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
        build: |p| Box::new(StickBreakingWeights::new(p[0], 3)),
    }],
};
