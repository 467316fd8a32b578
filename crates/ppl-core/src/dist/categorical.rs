//! The law of one choice among several.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, check, pick, vector};
use crate::support::Support;

/// Categorical distribution on {0, .., K - 1}: `P(k) = p_k`, by probabilities or by their logarithms up to a constant.
///
/// # Shapes
/// The parameter `[B.., K]`; a draw and a `log_prob` have shape `[B..]`; the event is a scalar.
///
/// # Errors
/// Probabilities outside [0, 1] or whose sum is not 1, logits that are not finite: at once where they are numbers.
/// Latent probabilities are taken as they are, without normalisation.
///
/// # Source
/// NumPyro `Categorical(probs | logits)`, PyMC `Categorical(p | logit_p)` (which normalises p), Stan
/// `categorical(theta)`, `categorical_logit` (which count from 1).
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Categorical;
/// let (log_prob, _) = value_and_grad(|x| Categorical::new([0.25, 0.75]).log_prob(x), 1.0)?;
/// assert!((log_prob - (0.75f64.ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Categorical(Parameter);

#[derive(Clone, Copy, Debug)]
enum Parameter {
    Probabilities(Var),
    Logits(Var),
}

impl Categorical {
    /// By the probability of each category, along the last axis.
    #[track_caller]
    pub fn new(probabilities: impl Into<Var>) -> Self {
        let p = check::probabilities("Categorical", "probabilities", probabilities);
        Self(Parameter::Probabilities(p))
    }

    /// By log-probabilities to which any constant may be added, along the last axis.
    #[track_caller]
    pub fn logits(logits: impl Into<Var>) -> Self {
        let t = check::real("Categorical", "logits", logits);
        Self(Parameter::Logits(check::vector("Categorical", t)))
    }

    fn parameter(&self) -> Var {
        let (Parameter::Probabilities(v) | Parameter::Logits(v)) = self.0;
        v
    }

    fn categories(&self) -> usize {
        self.parameter().dim(-1)
    }
}

impl Categorical {
    /// The logarithms of the probabilities, `[.., K]`.
    fn ln_probabilities(&self) -> Var {
        match &self.0 {
            Parameter::Logits(x) => x.log_softmax(-1),
            Parameter::Probabilities(p) => {
                let some = p.gt(0.0);
                some.select(some.select(*p, 1.0).ln(), f64::NEG_INFINITY)
            }
        }
    }
}

impl Distribution for Categorical {
    fn name(&self) -> &'static str {
        "Categorical"
    }
    fn support(&self) -> Support {
        Support::IntegerInterval { low: Var::from(0.0), high: Var::from(self.categories() as f64 - 1.0) }
    }
    fn batch_shape(&self) -> Shape {
        let shape = self.parameter().shape();
        Shape::from(&shape[..shape.rank() - 1])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        match self.0 {
            // Only the chosen probability meets the logarithm: another may be 0.
            Parameter::Probabilities(p) => {
                let p = pick(inside.select(value, 0.0), p, None);
                inside.select(p.ln(), f64::NEG_INFINITY)
            }
            Parameter::Logits(t) => pick(value, t.log_softmax(-1), Some(f64::NEG_INFINITY)),
        }
    }
    /// The number of cumulative probabilities that a uniform number has passed.
    fn draw(&self, batch: &Shape) -> Var {
        let p = match self.0 {
            Parameter::Probabilities(p) => p,
            Parameter::Logits(t) => t.softmax(-1),
        };
        let cumulative = p.cumsum(-1).slice(-1, 0..self.categories().saturating_sub(1));
        let u = Var::random(Law::Uniform, batch, &[]);
        u.expand_dims(-1).ge(cumulative).sum_axis(-1)
    }
    fn entropy(&self) -> Option<Var> {
        let ln = self.ln_probabilities();
        let some = ln.gt(f64::NEG_INFINITY);
        let safe = some.select(ln, 0.0);
        Some(-some.select(safe.exp() * safe, 0.0).sum_axis(-1))
    }
}

impl KlDivergence for Categorical {
    fn kl_divergence(&self, q: &Self) -> Var {
        let (p, other) = (self.ln_probabilities(), q.ln_probabilities());
        let some = p.gt(f64::NEG_INFINITY);
        some.select(some.select(p, 0.0).exp() * (some.select(p, 0.0) - some.select(other, 0.0)), 0.0).sum_axis(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Categorical",
    forms: &[
        Form {
            constructor: "new",
            arguments: &["probabilities"],
            good: &[&[0.3, 0.7], &[0.1, 0.25, 0.05, 0.6], &[0.5, 0.0, 0.5]],
            bad: &[&[0.5, 0.6], &[-0.5, 1.5], &[f64::NAN, 0.5]],
            build: |p| Box::new(Categorical::new(vector(p))),
        },
        Form {
            constructor: "logits",
            arguments: &["logits"],
            good: &[&[0.3, -1.7, 0.9], &[1000.0, 1001.0]],
            bad: &[&[0.5, f64::INFINITY], &[f64::NAN, 0.0]],
            build: |p| Box::new(Categorical::logits(vector(p))),
        },
    ],
};
