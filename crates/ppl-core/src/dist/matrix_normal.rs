//! The normal law of matrices whose rows and columns are correlated, each in one way.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::{Distribution, Entry, Form, check, matrix};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Matrix normal distribution of n x p matrices, `X = M + U Z V'` with Z of independent standard normal elements, U and V
/// the lower factors of the covariances of a column and of a row:
/// `p(X) = exp(-|U^-1 (X - M) V'^-1|^2 / 2) / ((2 pi)^(np/2) det(U)^p det(V)^n)`.
///
/// # Shapes
/// `loc: [B.., n, p]`, `scale_tril_row: [B.., n, n]` and `scale_tril_column: [B.., p, p]`, whose leading axes broadcast to
/// the batch shape; a draw has shape `[B.., n, p]`, a `log_prob` has `[B..]`; the event is a matrix.
///
/// # Errors
/// A location that is not finite, a factor whose diagonal is not positive: at once where they are numbers; as a point
/// without density where they are latent. Of a factor only the lower triangle is read.
///
/// # Source
/// NumPyro `MatrixNormal(loc, scale_tril_row, scale_tril_column)`, PyMC `MatrixNormal(mu, rowchol, colchol)`.
/// Stan has none.
///
/// ```
/// use std::f64::consts::{LN_2, PI};
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::MatrixNormal;
/// // In one dimension it is normal with the product of the scales.
/// let law = |x| MatrixNormal::new(&array![[0.0]], &array![[1.0]], &array![[2.0]]).log_prob(x);
/// let (log_prob, _) = value_and_grad(law, &array![[2.0]])?;
/// assert!((log_prob - (-0.5 - LN_2 - 0.5 * (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MatrixNormal {
    loc: Var,
    row: Var,
    column: Var,
}

const NAME: &str = "MatrixNormal";

impl MatrixNormal {
    /// By location and the lower Cholesky factors over the n rows and the p columns.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale_tril_row: impl Into<Var>, scale_tril_column: impl Into<Var>) -> Self {
        let mut loc = check::real(NAME, "loc", loc);
        let row = check::factor(NAME, "scale_tril_row", scale_tril_row);
        let column = check::factor(NAME, "scale_tril_column", scale_tril_column);
        let event = [row.dim(-1), column.dim(-1)];
        if loc.rank() < 2 || [loc.dim(-2), loc.dim(-1)] != event {
            let shapes = vec![loc.shape(), row.shape(), column.shape()];
            mistake(Mistake::Shapes { operation: NAME, shapes, rule: "[.., n, p], [.., n, n] and [.., p, p]" });
            loc = Var::zeros(event);
        }
        Self { loc, row, column }
    }
}

impl Distribution for MatrixNormal {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::RealMatrix
    }
    fn batch_shape(&self) -> Shape {
        let front = |v: Var| {
            let shape = v.shape();
            Shape::from(&shape[..shape.rank() - 2])
        };
        // Where they do not fit, the first operation on all says so.
        let all = [front(self.row), front(self.column)];
        all.iter().fold(front(self.loc), |own, other| own.broadcast(other).unwrap_or(own))
    }
    fn event_shape(&self) -> Shape {
        Shape::from([self.loc.dim(-2), self.loc.dim(-1)])
    }
    fn log_prob(&self, value: Var) -> Var {
        let (n, p) = (self.loc.dim(-2) as f64, self.loc.dim(-1) as f64);
        let half = self.row.solve_lower(value - self.loc);
        let squares = self.column.solve_lower(half.t()).square().sum_axis(-1).sum_axis(-1);
        let log_scale =
            p * self.row.diag().ln().sum_axis(-1) + n * self.column.diag().ln().sum_axis(-1) + n * p * LN_SQRT_2PI;
        -0.5 * squares - log_scale
    }
    fn draw(&self, batch: &Shape) -> Var {
        let z = Var::random(Law::Normal, batch.join(&self.event_shape()), &[]);
        self.loc + self.row.tril().matmul(z).matmul(self.column.tril().t())
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc.broadcast_to(self.batch_shape().join(&self.event_shape())))
    }
    /// The variance of each element.
    fn variance(&self) -> Option<Var> {
        let of = |factor: Var| factor.tril().square().sum_axis(-1);
        let variance = of(self.row).expand_dims(-1) * of(self.column).expand_dims(-2);
        Some(variance.broadcast_to(self.batch_shape().join(&self.event_shape())))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale_tril_row", "scale_tril_column"],
        good: &[&[0.2, -0.4, 1.0, 0.5, 0.8, 1.3], &[1.0, 0.0, 0.6, -0.3, 1.1, 0.5]],
        bad: &[&[f64::NAN, 0.0, 1.0, 0.5, 0.8, 1.3], &[0.2, 0.0, 0.0, 0.5, 0.8, 1.3], &[0.2, 0.0, 1.0, 0.5, 0.8, -1.3]],
        build: |p| {
            let zero = Var::from(0.0).broadcast_to(p[2].shape());
            let row = matrix(2, &[p[2], zero, p[3], p[4]]);
            Box::new(MatrixNormal::new(matrix(2, &p[..2]), row, matrix(1, &p[5..])))
        },
    }],
};
