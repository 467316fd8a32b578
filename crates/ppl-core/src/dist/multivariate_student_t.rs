//! Student's t for vectors: a normal law of vectors whose scale is itself random.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::multivariate_normal::rows;
use super::{Distribution, Entry, Form, check, matrix, vector};
use crate::special::LN_SQRT_2PI;
use crate::special::{half_step, student_tail_vector};
use crate::support::Support;

/// Multivariate Student's t distribution of vectors of length d, with v degrees of freedom, `z = L^-1 (x - loc)` and L the
/// lower factor of the scale matrix:
/// `p(x) = Gamma((v + d) / 2) / (Gamma(v / 2) (pi v)^(d/2) det L) (1 + |z|^2 / v)^(-(v + d) / 2)`.
///
/// # Shapes
/// `df: [B..]`, `loc: [B.., d]` and `scale_tril: [B.., d, d]`, whose leading axes broadcast to the batch shape; a draw has
/// shape `[B.., d]`, a `log_prob` has `[B..]`; the event is a vector.
///
/// # Errors
/// Degrees of freedom that are not positive and finite, a location that is not finite, a factor whose diagonal is not
/// positive: at once where they are numbers; as a point without density where they are latent. Of a factor only the lower
/// triangle is read.
///
/// # Source
/// NumPyro `MultivariateStudentT(df, loc, scale_tril)`, PyMC `MvStudentT(nu, mu, chol)`, Stan
/// `multi_student_t_cholesky(nu, mu, L)`.
///
/// ```
/// use std::f64::consts::PI;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::MultivariateStudentT;
/// // In one dimension with one degree of freedom it is a Cauchy law.
/// let law = |x| MultivariateStudentT::new(1.0, [0.0], &array![[1.0]]).log_prob(x);
/// let (log_prob, _) = value_and_grad(law, &array![1.0])?;
/// assert!((log_prob - (-(2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultivariateStudentT {
    df: Var,
    loc: Var,
    scale_tril: Var,
}

const NAME: &str = "MultivariateStudentT";

impl MultivariateStudentT {
    /// `df` degrees of freedom around `loc`, with the lower Cholesky factor of the scale matrix.
    #[track_caller]
    pub fn new(df: impl Into<Var>, loc: impl Into<Var>, scale_tril: impl Into<Var>) -> Self {
        let df = check::positive(NAME, "df", df);
        let loc = check::vector(NAME, check::real(NAME, "loc", loc));
        let scale_tril = check::factor(NAME, "scale_tril", scale_tril);
        if loc.dim(-1) != scale_tril.dim(-1) {
            let shapes = vec![loc.shape(), scale_tril.shape()];
            mistake(Mistake::Shapes { operation: NAME, shapes, rule: "[.., d] and [.., d, d]" });
        }
        Self { df, loc, scale_tril }
    }

    fn dim(&self) -> usize {
        self.loc.dim(-1)
    }
}

impl Distribution for MultivariateStudentT {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::RealVector
    }
    fn batch_shape(&self) -> Shape {
        let (loc, factor) = (self.loc.shape(), self.scale_tril.shape());
        let own = Shape::from(&loc[..loc.rank() - 1]);
        // Where they do not fit, the first operation on both says so.
        let both = own.broadcast(&Shape::from(&factor[..factor.rank() - 2])).unwrap_or(own);
        both.broadcast(&self.df.shape()).unwrap_or(both)
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.dim())
    }
    /// `ln Gamma((v + d) / 2) - ln Gamma(v / 2) - (d / 2) ln(v / 2)` in d steps of one half, each of which tends to 0 as v
    /// grows.
    fn log_prob(&self, value: Var) -> Var {
        let squares = rows(self.scale_tril, value - self.loc, |l, v| l.solve_lower(v)).square().sum_axis(-1);
        let log_det = self.scale_tril.diag().ln().sum_axis(-1);
        let numbers: Vec<f64> = (0..self.dim()).map(|j| j as f64).collect();
        let (v, j) = (self.df.expand_dims(-1), Var::from(numbers));
        let steps = (half_step(0.5 * (v + j)) + 0.5 * (j / v).ln_1p()).sum_axis(-1);
        let d = self.dim() as f64;
        steps - student_tail_vector(self.df, d, squares) - (log_det + LN_SQRT_2PI * d)
    }
    /// A normal draw over the root of `Gamma(df/2, df/2)`.
    fn draw(&self, batch: &Shape) -> Var {
        let half = 0.5 * self.df;
        let z = Var::random(Law::Normal, batch.join(&[self.dim()]), &[]);
        let ln_precision = Var::random(Law::LogGamma, batch, &[half]) - half.ln();
        let scaled = z * (-0.5 * ln_precision).exp().expand_dims(-1);
        self.loc + rows(self.scale_tril, scaled, |l, z| l.tril().matmul(z))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["df", "loc", "scale_tril"],
        good: &[&[9.0, 0.0, 1.0, 1.0, 0.5, 2.0], &[40.0, -3.0, 2.0, 0.4, 1.9, 0.7]],
        bad: &[&[0.0, 0.0, 1.0, 1.0, 0.5, 2.0], &[5.0, f64::NAN, 1.0, 1.0, 0.5, 2.0], &[5.0, 0.0, 1.0, 1.0, 0.5, 0.0]],
        build: |p| {
            let zero = Var::from(0.0).broadcast_to(p[3].shape());
            Box::new(MultivariateStudentT::new(p[0], vector(&p[1..3]), matrix(2, &[p[3], zero, p[4], p[5]])))
        },
    }],
};
