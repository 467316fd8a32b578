//! The LKJ law of correlation matrices, by the matrices themselves.

use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, LKJCholesky};
use crate::support::Support;

/// LKJ distribution of K x K correlation matrices R, with eta the concentration: `p(R) = det(R)^(eta - 1) / C`.
///
/// [`LKJCholesky`] is the same law by Cholesky factors, which is what a covariance is built from and costs less.
///
/// # Shapes
/// `concentration: [B..]`; a draw has shape `[B.., K, K]`, a `log_prob` has `[B..]`; the event is a matrix. The density is
/// that of the elements below the diagonal.
///
/// # Errors
/// A concentration that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent. Fewer than two dimensions: at once. A value that is not a correlation matrix has no density.
///
/// # Source
/// NumPyro `LKJ(dimension, concentration)`, PyMC `LKJCorr(n, eta)`, Stan `lkj_corr(eta)`. Lewandowski, Kurowicka and Joe
/// (2009), J. Multivariate Analysis 100(9).
///
/// ```
/// use std::f64::consts::LN_2;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::LKJ;
/// // A single correlation is uniform on (-1, 1).
/// let (log_prob, _) = value_and_grad(|r| LKJ::new(2, 1.0).log_prob(r), &array![[1.0, 0.3], [0.3, 1.0]])?;
/// assert!((log_prob + LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LKJ(LKJCholesky);

impl LKJ {
    /// `dim x dim` matrices: uniform at concentration 1, nearer to the identity the larger it is.
    #[track_caller]
    pub fn new(dim: usize, concentration: impl Into<Var>) -> Self {
        Self(LKJCholesky::named("LKJ", dim, concentration))
    }
}

impl Distribution for LKJ {
    fn name(&self) -> &'static str {
        "LKJ"
    }
    fn support(&self) -> Support {
        Support::Correlation
    }
    fn batch_shape(&self) -> Shape {
        self.0.batch_shape()
    }
    fn event_shape(&self) -> Shape {
        self.0.event_shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let identity = Var::from(1.0).broadcast_to([value.dim(-1)]).diag_embed();
        let safe = inside.expand_dims(-1).expand_dims(-1).select(value, identity);
        let log_det = safe.cholesky().diag().ln().sum_axis(-1) * 2.0;
        inside.select((self.0.concentration() - 1.0) * log_det - self.0.ln_norm(), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let l = self.0.draw(batch);
        l.matmul(l.t())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "LKJ",
    forms: &[Form {
        constructor: "new",
        arguments: &["dim", "concentration"],
        good: &[&[1.0], &[0.8], &[2.5]],
        bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
        build: |p| Box::new(LKJ::new(2, p[0])),
    }],
};
