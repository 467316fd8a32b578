//! The normal law of vectors whose covariance is diagonal but for a few directions.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::{Distribution, Entry, Form, MultivariateNormal, check, matrix, vector};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Multivariate normal distribution of vectors of length d with covariance `W W' + diag(D)`, W of k columns.
///
/// A density costs `d k^2` operations. Where d is at most twice k the covariance is factored as it is, which is as cheap
/// then and exact however small D is.
///
/// # Shapes
/// `loc: [B.., d]`, `cov_factor: [B.., d, k]` and `cov_diag: [B.., d]`, whose leading axes broadcast to the batch shape; a
/// draw has shape `[B.., d]`, a `log_prob` has `[B..]`; the event is a vector.
///
/// # Errors
/// A location or factor that is not finite, a diagonal that is not positive and finite: at once where they are numbers; as
/// a point without density where they are latent.
///
/// # Source
/// NumPyro `LowRankMultivariateNormal(loc, cov_factor, cov_diag)`; neither PyMC nor Stan has it. Woodbury's identity and
/// the matrix determinant lemma.
///
/// ```
/// use std::f64::consts::PI;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::LowRankMultivariateNormal;
/// // The covariance is [[2, 1], [1, 2]], with determinant 3.
/// let law = |x| LowRankMultivariateNormal::new([0.0, 0.0], &array![[1.0], [1.0]], [1.0, 1.0]).log_prob(x);
/// let (log_prob, _) = value_and_grad(law, &array![0.0, 0.0])?;
/// assert!((log_prob - (-0.5 * 3f64.ln() - (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LowRankMultivariateNormal {
    loc: Var,
    cov_factor: Var,
    cov_diag: Var,
}

const NAME: &str = "LowRankMultivariateNormal";

impl LowRankMultivariateNormal {
    /// By location, factor W and diagonal D of the covariance `W W' + diag(D)`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, cov_factor: impl Into<Var>, cov_diag: impl Into<Var>) -> Self {
        let loc = check::vector(NAME, check::real(NAME, "loc", loc));
        let mut cov_factor = check::real(NAME, "cov_factor", cov_factor);
        let cov_diag = check::vector(NAME, check::positive(NAME, "cov_diag", cov_diag));
        let d = loc.dim(-1);
        let fits = cov_factor.rank() >= 2 && cov_factor.dim(-2) == d && cov_diag.dim(-1) == d;
        if !fits {
            let shapes = vec![loc.shape(), cov_factor.shape(), cov_diag.shape()];
            mistake(Mistake::Shapes { operation: NAME, shapes, rule: "[.., d], [.., d, k] and [.., d]" });
            cov_factor = Var::zeros([d, 1]);
        }
        Self { loc, cov_factor, cov_diag }
    }

    fn dim(&self) -> usize {
        self.loc.dim(-1)
    }

    /// By the Cholesky factor of the whole covariance.
    fn dense(&self, value: Var) -> Var {
        let w = self.cov_factor;
        let factor = (w.matmul(w.t()) + self.cov_diag.diag_embed()).cholesky();
        MultivariateNormal::scale_tril(self.loc, factor).log_prob(value)
    }

    /// With b the coefficients of the ridge regression of `v = x - loc` on W, whose matrix is `C = I + W' D^-1 W`: the
    /// squared length is the sum of two squares, `|D^-1/2 (v - W b)|^2 + |b|^2`.
    fn low_rank(&self, value: Var) -> Var {
        let (w, d) = (self.cov_factor, self.cov_diag);
        let v = (value - self.loc).expand_dims(-1);
        let scaled = w / d.expand_dims(-1);
        let k = w.dim(-1);
        let identity = Var::from(1.0).broadcast_to([k]).diag_embed();
        let factor = (identity + w.t().matmul(scaled)).cholesky();
        let b = factor.solve_lower_transposed(factor.solve_lower(scaled.t().matmul(v)));
        let rest = (v - w.matmul(b)).squeeze(-1);
        let squares = (rest.square() / d).sum_axis(-1) + b.squeeze(-1).square().sum_axis(-1);
        let log_scale = 0.5 * d.ln().sum_axis(-1) + factor.diag().ln().sum_axis(-1);
        -0.5 * squares - (log_scale + LN_SQRT_2PI * self.dim() as f64)
    }
}

impl Distribution for LowRankMultivariateNormal {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::RealVector
    }
    fn batch_shape(&self) -> Shape {
        let front = |v: Var, event: usize| {
            let shape = v.shape();
            Shape::from(&shape[..shape.rank() - event])
        };
        // Where they do not fit, the first operation on all says so.
        let all = [front(self.cov_factor, 2), front(self.cov_diag, 1)];
        all.iter().fold(front(self.loc, 1), |own, other| own.broadcast(other).unwrap_or(own))
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.dim())
    }
    fn log_prob(&self, value: Var) -> Var {
        if self.dim() <= 2 * self.cov_factor.dim(-1) { self.dense(value) } else { self.low_rank(value) }
    }
    fn draw(&self, batch: &Shape) -> Var {
        let few = Var::random(Law::Normal, batch.join(&[self.cov_factor.dim(-1), 1]), &[]);
        let each = Var::random(Law::Normal, batch.join(&[self.dim()]), &[]);
        self.loc + self.cov_factor.matmul(few).squeeze(-1) + self.cov_diag.sqrt() * each
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc.broadcast_to(self.batch_shape().join(&[self.dim()])))
    }
    /// The diagonal of the covariance.
    fn variance(&self) -> Option<Var> {
        let variance = self.cov_factor.square().sum_axis(-1) + self.cov_diag;
        Some(variance.broadcast_to(self.batch_shape().join(&[self.dim()])))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["loc", "cov_factor", "cov_diag"],
            good: &[&[0.0, 1.0, 1.2, -0.4, 0.5, 0.8], &[-3.0, 0.0, 0.1, 0.9, 2.0, 0.3]],
            bad: &[
                &[f64::NAN, 1.0, 1.0, 0.5, 2.0, 1.0],
                &[0.0, 1.0, f64::INFINITY, 0.5, 2.0, 1.0],
                &[0.0, 1.0, 1.0, 0.5, 2.0, 0.0],
            ],
            build: |p| Box::new(LowRankMultivariateNormal::new(vector(&p[..2]), matrix(2, &p[2..4]), vector(&p[4..]))),
        },
        Form {
            constructor: "new",
            arguments: &["loc", "cov_factor", "cov_diag"],
            good: &[&[0.0, 1.0, -1.0, 0.4, -0.5, 0.3, 0.5, 0.8, 0.3]],
            bad: &[],
            build: |p| Box::new(LowRankMultivariateNormal::new(vector(&p[..3]), matrix(3, &p[3..6]), vector(&p[6..]))),
        },
    ],
};
