//! The inverse Wishart law of covariance matrices: the conjugate prior of a normal covariance.

use ppl_autodiff::{Shape, Var};

use super::wishart::{Parameters, log_det};
use super::{Distribution, Entry, Form, matrix};
use crate::support::Support;

/// Inverse Wishart distribution of symmetric positive definite d x d matrices, with n the concentration and S the scale
/// matrix: `p(X) = det(S)^(n/2) det(X)^(-(n + d + 1) / 2) exp(-tr(S X^-1) / 2) / (2^(nd/2) Gamma_d(n / 2))`.
///
/// # Shapes
/// `concentration: [B..]` and `scale_matrix: [B.., d, d]`, whose leading axes broadcast to the batch shape; a draw has
/// shape `[B.., d, d]`, a `log_prob` has `[B..]`; the event is a matrix. The density is that of the lower triangle.
///
/// # Errors
/// A concentration that is not above d - 1, a scale that is not symmetric positive definite: at once where they are
/// numbers; as a point without density where they are latent. A value that is not positive definite has no density.
///
/// # Source
/// NumPyro `InverseWishart(concentration, scale_matrix)`, Stan `inv_wishart(nu, S)`.
/// PyMC has none.
///
/// ```
/// use std::f64::consts::{LN_2, PI};
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::InverseWishart;
/// // In one dimension it is InverseGamma(n / 2, s / 2).
/// let (log_prob, _) = value_and_grad(|x| InverseWishart::new(3.0, &array![[1.0]]).log_prob(x), &array![[1.0]])?;
/// assert!((log_prob - (-1.5 * LN_2 - (PI.sqrt() / 2.0).ln() - 0.5)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct InverseWishart(Parameters);

impl InverseWishart {
    /// By concentration (degrees of freedom) and scale matrix.
    #[track_caller]
    pub fn new(concentration: impl Into<Var>, scale_matrix: impl Into<Var>) -> Self {
        Self(Parameters::new("InverseWishart", concentration, scale_matrix))
    }
}

impl Distribution for InverseWishart {
    fn name(&self) -> &'static str {
        "InverseWishart"
    }
    fn support(&self) -> Support {
        Support::PositiveDefinite
    }
    fn batch_shape(&self) -> Shape {
        self.0.batch_shape("InverseWishart")
    }
    fn event_shape(&self) -> Shape {
        Shape::from([self.0.dim(), self.0.dim()])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let l = self.0.safe_factor(inside, value);
        let (n, d) = (self.0.concentration, self.0.dim() as f64);
        let trace = l.solve_lower(self.0.factor).square().sum_axis(-1).sum_axis(-1);
        let powers = 0.5 * n * log_det(self.0.factor) - 0.5 * (n + d + 1.0) * log_det(l);
        inside.select(powers - 0.5 * trace - self.0.ln_norm(), f64::NEG_INFINITY)
    }
    /// With S = P P' and A A' a Wishart draw: `P (A A')^-1 P'`.
    fn draw(&self, batch: &Shape) -> Var {
        let half = self.0.bartlett(batch).solve_lower(self.0.factor.t());
        half.t().matmul(half)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "InverseWishart",
    forms: &[Form {
        constructor: "new",
        arguments: &["concentration", "scale_matrix"],
        good: &[&[6.0, 1.0, 0.4, 0.8], &[20.0, 3.0, -0.8, 2.0]],
        bad: &[&[0.5, 1.0, 0.4, 0.8], &[f64::NAN, 1.0, 0.4, 0.8], &[5.0, 1.0, 1.4, 0.8]],
        build: |p| Box::new(InverseWishart::new(p[0], matrix(2, &[p[1], p[2], p[2], p[3]]))),
    }],
};
