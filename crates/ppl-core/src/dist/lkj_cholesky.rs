//! The LKJ law of correlation matrices, by their Cholesky factors.

use std::f64::consts::PI;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var, concat};

use super::{Distribution, Entry, Form, check};
use crate::support::Support;

/// LKJ distribution of the lower Cholesky factors L of K x K correlation matrices R, with eta the concentration:
/// `p(L) = prod_{i=2..K} L_ii^(K - i + 2 eta - 2) / C`, so that `p(R)` is proportional to `det(R)^(eta - 1)`.
///
/// # Shapes
/// `concentration: [B..]`; a draw has shape `[B.., K, K]`, a `log_prob` has `[B..]`; the event is a matrix. The density
/// is that of the elements below the diagonal.
///
/// # Errors
/// A concentration that is not positive and finite: at once where it is a number; as a point without density where it
/// is latent. Fewer than two dimensions: at once. A value whose diagonal is not positive has no density; that its rows
/// have length 1 is taken for granted.
///
/// # Source
/// NumPyro `LKJCholesky(dimension, concentration)`, PyMC `LKJCholeskyCov(n, eta)` without scales, Stan
/// `lkj_corr_cholesky(eta)`. Lewandowski, Kurowicka and Joe (2009), J. Multivariate Analysis 100(9).
///
/// ```
/// use std::f64::consts::LN_2;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::LKJCholesky;
/// // A single correlation is uniform on (-1, 1).
/// let (log_prob, _) = value_and_grad(|l| LKJCholesky::new(2, 1.0).log_prob(l), &array![[1.0, 0.0], [0.6, 0.8]])?;
/// assert!((log_prob + LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LKJCholesky {
    dim: usize,
    concentration: Var,
}

impl LKJCholesky {
    /// Factors of `dim x dim` matrices: uniform over correlation matrices at concentration 1, nearer to the identity
    /// the larger it is.
    #[track_caller]
    pub fn new(dim: usize, concentration: impl Into<Var>) -> Self {
        Self::named("LKJCholesky", dim, concentration)
    }

    /// For another parametrisation, which has its own name in errors.
    #[track_caller]
    pub(super) fn named(name: &'static str, dim: usize, concentration: impl Into<Var>) -> Self {
        if dim < 2 {
            check::fail(name, "dim", "at least 2", dim as f64);
        }
        Self { dim: dim.max(2), concentration: check::positive(name, "concentration", concentration) }
    }

    pub(super) fn concentration(&self) -> Var {
        self.concentration
    }

    /// `ln C = sum_{j=1..K-1} [j/2 ln pi + lgamma(eta + (K-1-j)/2) - lgamma(eta + (K-1)/2)]`; j = i - 1.
    pub(super) fn ln_norm(&self) -> Var {
        let k = self.dim as f64;
        let eta = self.concentration.expand_dims(-1);
        let top = (self.concentration + (k - 1.0) / 2.0).lgamma();
        (eta + self.by_row(|i| (k - i) / 2.0)).lgamma().sum_axis(-1) - (k - 1.0) * top + k * (k - 1.0) / 4.0 * PI.ln()
    }

    /// One number for each row from the second on.
    fn by_row(&self, f: impl Fn(f64) -> f64) -> Var {
        Var::from((2..=self.dim).map(|i| f(i as f64)).collect::<Vec<f64>>())
    }
}

impl Distribution for LKJCholesky {
    fn name(&self) -> &'static str {
        "LKJCholesky"
    }
    fn support(&self) -> Support {
        Support::CorrelationCholesky
    }
    fn batch_shape(&self) -> Shape {
        self.concentration.shape()
    }
    fn event_shape(&self) -> Shape {
        Shape::from([self.dim, self.dim])
    }
    fn log_prob(&self, value: Var) -> Var {
        let k = self.dim as f64;
        let diagonal = value.diag().slice(-1, 1..self.dim);
        let positive = diagonal.gt(0.0);
        let eta = self.concentration.expand_dims(-1);
        let powers = 2.0 * (eta - 1.0) + self.by_row(|i| k - i);
        let kernel = (powers * positive.select(diagonal, 1.0).ln()).sum_axis(-1);
        positive.min_axis(-1).select(kernel - self.ln_norm(), f64::NEG_INFINITY)
    }
    /// The onion: row i points in a uniform direction, with a squared length below the diagonal from
    /// `Beta((i - 1) / 2, eta + (K - i) / 2)`.
    fn draw(&self, batch: &Shape) -> Var {
        let (k, rows) = (self.dim as f64, batch.join(&[self.dim - 1]));
        let inner = self.by_row(|i| (i - 1.0) / 2.0);
        let outer = self.concentration.expand_dims(-1) + self.by_row(|i| (k - i) / 2.0);
        let logit = Var::random(Law::LogGamma, &rows, &[inner]) - Var::random(Law::LogGamma, &rows, &[outer]);
        let normal = Var::random(Law::Normal, rows.join(&[self.dim - 1]), &[]).tril();
        let length = normal.square().sum_axis(-1).sqrt();
        let below = normal * (logit.sigmoid().sqrt() / length).expand_dims(-1);
        let first = Var::zeros(batch.join(&[1, self.dim - 1]));
        let strictly_lower = concat(&[concat(&[first, below], -2), Var::zeros(batch.join(&[self.dim, 1]))], -1);
        let one = Var::from(1.0).broadcast_to(batch.join(&[1]));
        strictly_lower + concat(&[one, (-logit).sigmoid().sqrt()], -1).diag_embed()
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "LKJCholesky",
    forms: &[Form {
        constructor: "new",
        arguments: &["dim", "concentration"],
        good: &[&[1.0], &[0.8], &[2.5]],
        bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
        build: |p| Box::new(LKJCholesky::new(3, p[0])),
    }],
};
