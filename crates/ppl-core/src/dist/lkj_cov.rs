//! Covariances from correlations of the LKJ law and standard deviations of a law of their own.

use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::{Distribution, Entry, Exponential, Form, LKJCholesky};
use crate::support::Support;

/// Law of the lower Cholesky factors `L = diag(s) C` of K x K covariance matrices: C, the factor of the correlations, from
/// [`LKJCholesky`] with the concentration eta, and the standard deviations s from a law of positive numbers.
///
/// The density is that of the lower triangle of L: `p(C) prod p(s_i) C_ii / s_i^(i-1)`, i from 1 on.
///
/// # Shapes
/// `concentration: [B..]`, standard deviations with the batch shape `[B.., K]` or one for all; a draw has shape
/// `[B.., K, K]`, a `log_prob` has `[B..]`; the event is a matrix, ready for
/// [`MultivariateNormal::scale_tril`](super::MultivariateNormal::scale_tril).
///
/// # Errors
/// A concentration that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent. Fewer than two dimensions, a law of standard deviations whose batch shape is neither a number's nor ends with K:
/// at once. A value that is not lower triangular with a positive diagonal has no density.
///
/// # Source
/// PyMC `LKJCholeskyCov(eta, n, sd_dist)`, which packs the triangle; NumPyro and Stan users multiply `LKJCholesky` by scales.
///
/// ```
/// use ppl_core::Distribution;
/// use ppl_core::dist::{HalfNormal, LKJCov};
/// let shape = ppl_autodiff::trace(|| LKJCov::new(3, 2.0, HalfNormal::new(1.0)).event_shape())?.0;
/// assert_eq!(shape, [3, 3].into());
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LKJCov<D> {
    correlation: LKJCholesky,
    scales: D,
    dim: usize,
}

const NAME: &str = "LKJCov";

impl<D: Distribution> LKJCov<D> {
    /// `dim x dim` matrices, by the concentration of the correlations and the law of the standard deviations.
    #[track_caller]
    pub fn new(dim: usize, concentration: impl Into<Var>, scales: D) -> Self {
        let own = scales.batch_shape();
        let fits = own.last().is_none_or(|&n| n == dim || n == 1) && scales.event_shape().rank() == 0;
        if !fits {
            let rule = "standard deviations (first) with the batch shape [.., K] and scalar events";
            mistake(Mistake::Shapes { operation: NAME, shapes: vec![own, Shape::from(dim)], rule });
        }
        Self { correlation: LKJCholesky::named(NAME, dim, concentration), scales, dim: dim.max(2) }
    }

    fn rows(&self) -> Var {
        Var::from((0..self.dim).map(|i| i as f64).collect::<Vec<f64>>())
    }
}

impl<D: Distribution> Distribution for LKJCov<D> {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::LowerCholesky
    }
    fn batch_shape(&self) -> Shape {
        let own = self.scales.batch_shape();
        let own = Shape::from(&own[..own.rank().saturating_sub(1)]);
        let correlation = self.correlation.batch_shape();
        correlation.broadcast(&own).unwrap_or(correlation)
    }
    fn event_shape(&self) -> Shape {
        Shape::from([self.dim, self.dim])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let l = inside.expand_dims(-1).expand_dims(-1).select(value, Var::eye(self.dim));
        let scales = l.square().sum_axis(-1).sqrt();
        let factor = l / scales.expand_dims(-1);
        let jacobian = (factor.diag().ln() - self.rows() * scales.ln()).sum_axis(-1);
        let log_prob = self.correlation.log_prob(factor) + self.scales.log_prob(scales).sum_axis(-1) + jacobian;
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let scales = self.scales.draw(&batch.join(&[self.dim]));
        self.correlation.draw(batch) * scales.expand_dims(-1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["concentration", "rate"],
        good: &[&[1.0, 1.0], &[2.5, 0.4]],
        bad: &[&[0.0, 1.0], &[f64::NAN, 1.0]],
        build: |p| Box::new(LKJCov::new(2, p[0], Exponential::new(p[1].expand_dims(-1)))),
    }],
};
