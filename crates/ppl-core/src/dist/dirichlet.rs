//! The Dirichlet law: vectors of probabilities.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, KlDivergence, check, vector};
use crate::support::Support;

/// Dirichlet distribution of vectors of K non-negative numbers with sum 1, with concentration a:
/// `p(x) = Gamma(sum a) / prod Gamma(a_i) prod x_i^(a_i - 1)`.
///
/// # Shapes
/// `concentration: [B.., K]`; a draw has shape `[B.., K]`, a `log_prob` has `[B..]`; the event is a vector. The density
/// is that of the first K - 1 elements.
///
/// # Errors
/// A concentration that is not positive and finite: at once where it is a number; as a point without density where it
/// is latent. A value with an element that is not positive has no density here; that the elements sum to 1 is taken
/// for granted.
///
/// # Source
/// NumPyro `Dirichlet(concentration)`, PyMC `Dirichlet(a)`, Stan `dirichlet(alpha)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Dirichlet;
/// // Uniform over a triangle of area 1/2.
/// let (log_prob, _) = value_and_grad(|x| Dirichlet::new([1.0; 3]).log_prob(x), &array![0.2, 0.3, 0.5])?;
/// assert!((log_prob - LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dirichlet {
    concentration: Var,
}

impl Dirichlet {
    /// By the concentration of each element, along the last axis.
    #[track_caller]
    pub fn new(concentration: impl Into<Var>) -> Self {
        let a = check::positive("Dirichlet", "concentration", concentration);
        Self { concentration: check::vector("Dirichlet", a) }
    }
}

impl Distribution for Dirichlet {
    fn name(&self) -> &'static str {
        "Dirichlet"
    }
    fn support(&self) -> Support {
        Support::Simplex
    }
    fn batch_shape(&self) -> Shape {
        let shape = self.concentration.shape();
        Shape::from(&shape[..shape.rank() - 1])
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.concentration.dim(-1))
    }
    fn log_prob(&self, value: Var) -> Var {
        let a = self.concentration;
        let positive = value.gt(0.0);
        let x = positive.select(value, 1.0);
        let kernel = ((a - 1.0) * x.ln()).sum_axis(-1);
        let log_prob = kernel + a.sum_axis(-1).lgamma() - a.lgamma().sum_axis(-1);
        positive.min_axis(-1).select(log_prob, f64::NEG_INFINITY)
    }
    /// Gamma draws over their sum, from their logarithms: tiny concentrations do not give 0/0.
    fn draw(&self, batch: &Shape) -> Var {
        let shape = batch.join(&self.event_shape());
        Var::random(Law::LogGamma, shape, &[self.concentration]).softmax(-1)
    }
    fn mean(&self) -> Option<Var> {
        Some(self.concentration / self.concentration.sum_axes(&[-1]))
    }
    fn variance(&self) -> Option<Var> {
        let sum = self.concentration.sum_axes(&[-1]);
        let mean = self.concentration / sum;
        Some(mean * (1.0 - mean) / (sum + 1.0))
    }
    fn entropy(&self) -> Option<Var> {
        let a = self.concentration;
        let (sum, k) = (a.sum_axis(-1), a.dim(-1) as f64);
        let norm = a.lgamma().sum_axis(-1) - sum.lgamma();
        Some(norm + (sum - k) * sum.digamma() - ((a - 1.0) * a.digamma()).sum_axis(-1))
    }
}

impl KlDivergence for Dirichlet {
    fn kl_divergence(&self, q: &Self) -> Var {
        let (a, b) = (self.concentration, q.concentration);
        let (sum, other) = (a.sum_axis(-1), b.sum_axis(-1));
        let slopes = ((a - b) * (a.digamma() - sum.digamma().expand_dims(-1))).sum_axis(-1);
        let norms = sum.lgamma() - other.lgamma() + (b.lgamma() - a.lgamma()).sum_axis(-1);
        norms + slopes
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Dirichlet",
    forms: &[Form {
        constructor: "new",
        arguments: &["concentration"],
        good: &[&[1.5, 2.0, 0.8], &[1.0, 1.0, 1.0], &[30.0, 50.0, 9.0]],
        bad: &[&[1.0, 0.0, 2.0], &[1.0, f64::NAN, 2.0], &[-1.0, 1.0, 1.0]],
        build: |p| Box::new(Dirichlet::new(vector(p))),
    }],
};
