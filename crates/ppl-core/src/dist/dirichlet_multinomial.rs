//! The Dirichlet-multinomial law: a multinomial law whose probabilities have a Dirichlet law.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::multinomial::{batch_of, draw, ln_coefficient};
use super::{Distribution, Entry, Form, check, vector};
use crate::special::ln_rise;
use crate::support::Support;

/// Dirichlet-multinomial distribution of vectors of K counts with sum n, the total count: multinomial with probabilities
/// from `Dirichlet(a)`, a the concentration with sum A,
/// `P(k) = n! Gamma(A) / Gamma(n + A) prod Gamma(k_i + a_i) / (Gamma(a_i) k_i!)`.
///
/// # Shapes
/// `total_count: [B..]` and `concentration: [B.., K]` broadcast to the batch shape; a draw has shape `[B.., K]`, a
/// `log_prob` has `[B..]`; the event is a vector.
///
/// # Errors
/// A total count that is not an integer from 0 on, a concentration that is not positive and finite: at once where they are
/// numbers; as a point without density where they are latent.
///
/// # Source
/// NumPyro `DirichletMultinomial(concentration, total_count)`, PyMC `DirichletMultinomial(n, a)`, Stan
/// `dirichlet_multinomial(alpha)`: the total count comes first here, as in [`Multinomial`](super::Multinomial).
///
/// ```
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::DirichletMultinomial;
/// // Three outcomes of the same probability.
/// let law = |x| DirichletMultinomial::new(2.0, [1.0, 1.0]).log_prob(x);
/// let (log_prob, _) = value_and_grad(law, &array![1.0, 1.0])?;
/// assert!((log_prob - (-(3f64.ln()))).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DirichletMultinomial {
    total_count: Var,
    concentration: Var,
}

const NAME: &str = "DirichletMultinomial";

impl DirichletMultinomial {
    /// By the number of trials and the concentration of each outcome, along the last axis.
    #[track_caller]
    pub fn new(total_count: impl Into<Var>, concentration: impl Into<Var>) -> Self {
        let total_count = check::count(NAME, "total_count", total_count);
        let concentration = check::vector(NAME, check::positive(NAME, "concentration", concentration));
        Self { total_count, concentration }
    }

    fn shares(&self) -> Var {
        self.concentration / self.concentration.sum_axes(&[-1])
    }
}

impl Distribution for DirichletMultinomial {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::Counts { total: self.total_count }
    }
    fn batch_shape(&self) -> Shape {
        batch_of(NAME, self.total_count, self.concentration)
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.concentration.dim(-1))
    }
    /// The multinomial mass at the mean probabilities and what their spread changes.
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let k = inside.expand_dims(-1).select(value, 0.0);
        let a = self.concentration;
        let sum = a.sum_axis(-1);
        let terms = (k * self.shares().ln() + ln_rise(k, a)).sum_axis(-1);
        inside.select(ln_coefficient(k) + terms - ln_rise(k.sum_axis(-1), sum), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let shape = batch.join(&self.event_shape());
        let probabilities = Var::random(Law::LogGamma, shape, &[self.concentration]).softmax(-1);
        draw(self.total_count, probabilities, batch)
    }
    fn mean(&self) -> Option<Var> {
        Some(self.total_count.expand_dims(-1) * self.shares())
    }
    /// The variance of each count.
    fn variance(&self) -> Option<Var> {
        let (n, p, sum) = (self.total_count.expand_dims(-1), self.shares(), self.concentration.sum_axes(&[-1]));
        Some(n * p * (1.0 - p) * (sum + n) / (sum + 1.0))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["total_count", "concentration"],
        good: &[&[5.0, 0.5, 1.5, 3.0], &[7.0, 40.0, 20.0, 30.0]],
        bad: &[&[-1.0, 0.5, 0.5], &[5.0, 0.0, 0.6], &[5.0, f64::NAN, 0.5]],
        build: |p| Box::new(DirichletMultinomial::new(p[0], vector(&p[1..]))),
    }],
};
