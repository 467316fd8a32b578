//! The multinomial law: how often each of several outcomes comes in a fixed number of trials.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, concat, mistake};

use super::{Distribution, Entry, Form, check, vector};
use crate::support::Support;

/// Multinomial distribution of vectors of K counts with sum n, the total count: `P(k) = n! / prod k_i! prod p_i^k_i`, by
/// probabilities or by their logarithms up to a constant.
///
/// # Shapes
/// `total_count: [B..]` and a parameter `[B.., K]` broadcast to the batch shape; a draw has shape `[B.., K]`, a
/// `log_prob` has `[B..]`; the event is a vector.
///
/// # Errors
/// A total count that is not an integer from 0 on, probabilities outside [0, 1] or whose sum is not 1, logits that are not
/// finite: at once where they are numbers. Latent probabilities are taken as they are, without normalisation.
///
/// # Source
/// NumPyro `Multinomial(total_count, probs | logits)`, PyMC `Multinomial(n, p)`, Stan `multinomial(theta)`,
/// `multinomial_logit(gamma)`, where the data give the total count.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Multinomial;
/// // One of each of two kinds.
/// let (log_prob, _) = value_and_grad(|x| Multinomial::new(2.0, [0.5, 0.5]).log_prob(x), &array![1.0, 1.0])?;
/// assert!((log_prob + LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Multinomial {
    total_count: Var,
    parameter: Parameter,
}

#[derive(Clone, Copy, Debug)]
enum Parameter {
    Probabilities(Var),
    Logits(Var),
}

const NAME: &str = "Multinomial";

impl Multinomial {
    /// By the number of trials and the probability of each outcome, along the last axis.
    #[track_caller]
    pub fn new(total_count: impl Into<Var>, probabilities: impl Into<Var>) -> Self {
        let total_count = check::count(NAME, "total_count", total_count);
        let p = check::probabilities(NAME, "probabilities", probabilities);
        Self { total_count, parameter: Parameter::Probabilities(p) }
    }

    /// By the number of trials and log-probabilities to which any constant may be added, along the last axis.
    #[track_caller]
    pub fn logits(total_count: impl Into<Var>, logits: impl Into<Var>) -> Self {
        let total_count = check::count(NAME, "total_count", total_count);
        let t = check::vector(NAME, check::real(NAME, "logits", logits));
        Self { total_count, parameter: Parameter::Logits(t) }
    }

    fn parameter(&self) -> Var {
        let (Parameter::Probabilities(v) | Parameter::Logits(v)) = self.parameter;
        v
    }

    fn probabilities(&self) -> Var {
        match self.parameter {
            Parameter::Probabilities(p) => p,
            Parameter::Logits(t) => t.softmax(-1),
        }
    }
}

/// The batch shape of a law with a total count and a vector of parameters.
#[track_caller]
pub(super) fn batch_of(name: &'static str, total_count: Var, vector: Var) -> Shape {
    let (total, shape) = (total_count.shape(), vector.shape());
    let own = Shape::from(&shape[..shape.rank() - 1]);
    total.broadcast(&own).unwrap_or_else(|| {
        let rule = "[B..] and [B.., K] with batch axes that broadcast";
        mistake(Mistake::Shapes { operation: name, shapes: vec![total, shape], rule });
        own
    })
}

/// A draw of counts, one binomial draw after another: of those left, each is of this category with its probability over
/// that of all that follow.
pub(super) fn draw(total_count: Var, probabilities: Var, batch: &Shape) -> Var {
    let categories = probabilities.dim(-1);
    let backwards: Vec<usize> = (0..categories).rev().collect();
    let rest = probabilities.gather(-1, &backwards).cumsum(-1).gather(-1, &backwards);
    let share = rest.gt(0.0).select(probabilities / rest.gt(0.0).select(rest, 1.0), 0.0).min(1.0);
    let mut left = total_count.broadcast_to(batch);
    let mut counts = Vec::with_capacity(categories);
    for i in 0..categories.saturating_sub(1) {
        let count = Var::random(Law::Binomial, batch, &[left, share.index(-1, i)]);
        left -= count;
        counts.push(count.expand_dims(-1));
    }
    counts.push(left.expand_dims(-1));
    concat(&counts, -1)
}

/// `ln (n! / prod k_i!)`.
pub(super) fn ln_coefficient(k: Var) -> Var {
    (k.sum_axis(-1) + 1.0).lgamma() - (k + 1.0).lgamma().sum_axis(-1)
}

impl Distribution for Multinomial {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::Counts { total: self.total_count }
    }
    fn batch_shape(&self) -> Shape {
        batch_of(NAME, self.total_count, self.parameter())
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.parameter().dim(-1))
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let k = inside.expand_dims(-1).select(value, 0.0);
        let powers = match self.parameter {
            Parameter::Probabilities(p) => k.xlogy(p),
            Parameter::Logits(t) => k * t.log_softmax(-1),
        };
        inside.select(ln_coefficient(k) + powers.sum_axis(-1), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        draw(self.total_count, self.probabilities(), batch)
    }
    fn mean(&self) -> Option<Var> {
        Some(self.total_count.expand_dims(-1) * self.probabilities())
    }
    /// The variance of each count.
    fn variance(&self) -> Option<Var> {
        let p = self.probabilities();
        Some(self.total_count.expand_dims(-1) * p * (1.0 - p))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["total_count", "probabilities"],
            good: &[&[5.0, 0.2, 0.5, 0.3], &[4.0, 0.5, 0.0, 0.5]],
            bad: &[&[-1.0, 0.5, 0.5], &[2.5, 0.5, 0.5], &[5.0, 0.5, 0.6], &[5.0, f64::NAN, 0.5]],
            build: |p| Box::new(Multinomial::new(p[0], vector(&p[1..]))),
        },
        Form {
            constructor: "logits",
            arguments: &["total_count", "logits"],
            good: &[&[6.0, 0.2, -1.0, 0.7]],
            bad: &[&[-1.0, 0.5, 0.5], &[5.0, f64::INFINITY, 0.0]],
            build: |p| Box::new(Multinomial::logits(p[0], vector(&p[1..]))),
        },
    ],
};
