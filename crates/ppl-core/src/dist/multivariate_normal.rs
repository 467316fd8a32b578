//! The normal law of vectors, by a Cholesky factor of its covariance or of its precision.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::{Distribution, Entry, Form, KlDivergence, check, matrix, vector};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Multivariate normal distribution of vectors of length d:
/// `p(x) = exp(-(x - loc)' S^-1 (x - loc) / 2) / sqrt((2 pi)^d det S)` with covariance S.
///
/// # Shapes
/// `loc: [B.., d]` and a matrix `[B.., d, d]`, whose leading axes broadcast to the batch shape; a draw has shape
/// `[B.., d]`, a `log_prob` has `[B..]`; the event is a vector. One matrix without batch axes is factored and solved
/// once for all rows of a batch.
///
/// # Errors
/// A location that is not finite, a factor whose diagonal is not positive, a matrix that is not symmetric positive
/// definite: at once where they are numbers; as a point without density where they are latent. Of a factor only the
/// lower triangle is read.
///
/// # Source
/// NumPyro `MultivariateNormal(loc, scale_tril | covariance_matrix | precision_matrix)`, PyMC
/// `MvNormal(mu, chol | cov | tau)`, Stan `multi_normal_cholesky`, `multi_normal`, `multi_normal_prec`.
///
/// ```
/// use std::f64::consts::PI;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::MultivariateNormal;
/// let law = |x| MultivariateNormal::scale_tril([0.0, 0.0], &array![[1.0, 0.0], [0.0, 1.0]]).log_prob(x);
/// let (log_prob, _) = value_and_grad(law, &array![1.0, 0.0])?;
/// assert!((log_prob - (-0.5 - (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultivariateNormal {
    loc: Var,
    factor: Factor,
}

#[derive(Clone, Copy, Debug)]
enum Factor {
    /// L with `L L' = S`.
    Covariance(Var),
    /// C with `C C' = S^-1`.
    Precision(Var),
}

const NAME: &str = "MultivariateNormal";

impl MultivariateNormal {
    /// By the lower Cholesky factor of the covariance: the cheapest.
    #[track_caller]
    pub fn scale_tril(loc: impl Into<Var>, scale_tril: impl Into<Var>) -> Self {
        let factor = check::factor(NAME, "scale_tril", scale_tril);
        Self::with(loc, Factor::Covariance(factor))
    }

    /// By the covariance matrix.
    #[track_caller]
    pub fn covariance(loc: impl Into<Var>, covariance: impl Into<Var>) -> Self {
        let matrix = check::positive_definite(NAME, "covariance", covariance);
        Self::with(loc, Factor::Covariance(matrix.cholesky()))
    }

    /// By the precision matrix, the inverse of the covariance.
    #[track_caller]
    pub fn precision(loc: impl Into<Var>, precision: impl Into<Var>) -> Self {
        let matrix = check::positive_definite(NAME, "precision", precision);
        Self::with(loc, Factor::Precision(matrix.cholesky()))
    }

    #[track_caller]
    fn with(loc: impl Into<Var>, factor: Factor) -> Self {
        let loc = check::vector(NAME, check::real(NAME, "loc", loc));
        let (Factor::Covariance(matrix) | Factor::Precision(matrix)) = factor;
        if loc.dim(-1) != matrix.dim(-1) {
            mistake(Mistake::Shapes {
                operation: NAME,
                shapes: vec![loc.shape(), matrix.shape()],
                rule: "[.., d] and [.., d, d]",
            });
        }
        Self { loc, factor }
    }

    fn matrix(&self) -> Var {
        let (Factor::Covariance(matrix) | Factor::Precision(matrix)) = self.factor;
        matrix
    }

    fn dim(&self) -> usize {
        self.loc.dim(-1)
    }

    /// The rows of `v: [.., d]` in coordinates in which they are independent with variance 1.
    fn whiten(&self, v: Var) -> Var {
        match self.factor {
            Factor::Covariance(l) => rows(l, v, |l, v| l.solve_lower(v)),
            Factor::Precision(c) => rows(c, v, |c, v| c.tril().t().matmul(v)),
        }
    }

    /// The logarithm of the determinant of L.
    fn ln_scale(&self) -> Var {
        match self.factor {
            Factor::Covariance(l) => l.diag().ln().sum_axis(-1),
            Factor::Precision(c) => -c.diag().ln().sum_axis(-1),
        }
    }

    /// A matrix S with `S S'` the covariance.
    fn scale_factor(&self) -> Var {
        match self.factor {
            Factor::Covariance(l) => l.tril(),
            Factor::Precision(c) => c.solve_lower_transposed(Var::eye(self.dim())),
        }
    }

    /// The inverse of [`Self::whiten`].
    fn colour(&self, z: Var) -> Var {
        match self.factor {
            Factor::Covariance(l) => rows(l, z, |l, z| l.tril().matmul(z)),
            Factor::Precision(c) => rows(c, z, |c, z| c.solve_lower_transposed(z)),
        }
    }
}

/// Applies a map of columns to the rows of `v: [.., d]`; as one matrix of columns where the factor has no batch axes.
pub(super) fn rows(factor: Var, v: Var, map: impl Fn(Var, Var) -> Var) -> Var {
    let shape = v.shape();
    if factor.rank() == 2 && shape.rank() >= 1 {
        let d = shape[shape.rank() - 1];
        let count = shape.size().checked_div(d).unwrap_or(0);
        return map(factor, v.reshape([count, d]).t()).t().reshape(shape);
    }
    map(factor, v.expand_dims(-1)).squeeze(-1)
}

impl Distribution for MultivariateNormal {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::RealVector
    }
    fn batch_shape(&self) -> Shape {
        let (loc, matrix) = (self.loc.shape(), self.matrix().shape());
        let loc = Shape::from(&loc[..loc.rank() - 1]);
        // Where they do not fit, the first operation on both says so.
        loc.broadcast(&Shape::from(&matrix[..matrix.rank() - 2])).unwrap_or(loc)
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.dim())
    }
    fn log_prob(&self, value: Var) -> Var {
        let squares = self.whiten(value - self.loc).square().sum_axis(-1);
        let log_det = self.matrix().diag().ln().sum_axis(-1);
        let log_scale = match self.factor {
            Factor::Covariance(_) => log_det,
            Factor::Precision(_) => -log_det,
        };
        -0.5 * squares - (log_scale + LN_SQRT_2PI * self.dim() as f64)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let z = Var::random(Law::Normal, batch.join(&[self.dim()]), &[]);
        self.loc + self.colour(z)
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc.broadcast_to(self.batch_shape().join(&[self.dim()])))
    }
    /// The diagonal of the covariance.
    fn variance(&self) -> Option<Var> {
        let variance = match self.factor {
            Factor::Covariance(l) => l.tril().square().sum_axis(-1),
            Factor::Precision(c) => {
                let identity = Var::from(1.0).broadcast_to([self.dim()]).diag_embed();
                c.solve_lower(identity).square().sum_axis(-2)
            }
        };
        Some(variance.broadcast_to(self.batch_shape().join(&[self.dim()])))
    }
    fn entropy(&self) -> Option<Var> {
        Some((self.ln_scale() + self.dim() as f64 * (LN_SQRT_2PI + 0.5)).broadcast_to(self.batch_shape()))
    }
}

/// A location of two elements and the lower triangle of a matrix, row by row.
fn pair(p: &[Var], above: Var) -> (Var, Var) {
    (vector(&p[..2]), matrix(2, &[p[2], above, p[3], p[4]]))
}

impl KlDivergence for MultivariateNormal {
    fn kl_divergence(&self, q: &Self) -> Var {
        // Columns of one factor in the coordinates of the other.
        let d = self.dim();
        let whitened = match q.factor {
            Factor::Covariance(l) => l.solve_lower(self.scale_factor()),
            Factor::Precision(c) => c.tril().t().matmul(self.scale_factor()),
        };
        let trace = whitened.square().sum_axis(-1).sum_axis(-1);
        let shift = q.whiten(self.loc - q.loc).square().sum_axis(-1);
        0.5 * (trace + shift - d as f64) + q.ln_scale() - self.ln_scale()
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "scale_tril",
            arguments: &["loc", "scale_tril"],
            good: &[&[0.0, 1.0, 1.0, 0.5, 2.0], &[-3.0, 2.0, 0.4, 1.9, 0.7]],
            bad: &[&[f64::NAN, 1.0, 1.0, 0.5, 2.0], &[0.0, 1.0, 1.0, 0.5, 0.0], &[0.0, 1.0, 1.0, f64::INFINITY, 1.0]],
            build: |p| {
                let zero = Var::from(0.0).broadcast_to(p[2].shape());
                let (loc, matrix) = pair(p, zero);
                Box::new(MultivariateNormal::scale_tril(loc, matrix))
            },
        },
        Form {
            constructor: "covariance",
            arguments: &["loc", "covariance"],
            good: &[&[0.0, 1.0, 1.0, 0.5, 2.0], &[-3.0, 2.0, 0.3, -0.2, 0.7]],
            bad: &[&[0.0, f64::INFINITY, 1.0, 0.5, 2.0], &[0.0, 1.0, 1.0, 1.5, 2.0], &[0.0, 1.0, -1.0, 0.0, 1.0]],
            build: |p| {
                let (loc, matrix) = pair(p, p[3]);
                Box::new(MultivariateNormal::covariance(loc, matrix))
            },
        },
        Form {
            constructor: "precision",
            arguments: &["loc", "precision"],
            good: &[&[0.0, 1.0, 1.0, 0.5, 2.0], &[-3.0, 2.0, 0.3, -0.2, 0.7]],
            bad: &[&[0.0, f64::INFINITY, 1.0, 0.5, 2.0], &[0.0, 1.0, 1.0, 1.5, 2.0]],
            build: |p| {
                let (loc, matrix) = pair(p, p[3]);
                Box::new(MultivariateNormal::precision(loc, matrix))
            },
        },
    ],
};
