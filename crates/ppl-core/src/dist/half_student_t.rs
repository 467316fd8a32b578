//! The half-t law: the absolute value of a Student's t draw around 0.

use std::f64::consts::LN_2;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::search::inverse_cdf;
use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::special::{Tails, beta_tails};
use crate::special::{half_step, student_tail};
use crate::support::Support;

/// Half-t distribution on the positive numbers and 0, with `z = x / scale`: twice the density of Student's t,
/// `p(x) = 2 Gamma((df + 1) / 2) / (Gamma(df / 2) sqrt(pi df) scale) (1 + z^2 / df)^(-(df + 1) / 2)`.
///
/// # Shapes
/// `df`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent.
///
/// # Source
/// PyMC `HalfStudentT(nu, sigma)`; Gelman (2006), Bayesian Analysis 1(3), as a prior of scales.
/// NumPyro has none; Stan: `student_t(nu, 0, sigma)` with a lower bound of 0.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::HalfStudentT;
/// // With one degree of freedom it is half-Cauchy.
/// let (log_prob, _) = value_and_grad(|x| HalfStudentT::new(1.0, 1.0).log_prob(x), 1.0)?;
/// assert!((log_prob - (-PI.ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HalfStudentT {
    df: Var,
    scale: Var,
}

impl HalfStudentT {
    /// `df` degrees of freedom; `scale` is that of the t distribution.
    #[track_caller]
    pub fn new(df: impl Into<Var>, scale: impl Into<Var>) -> Self {
        let df = check::positive("HalfStudentT", "df", df);
        let scale = check::positive("HalfStudentT", "scale", scale);
        Self { df, scale }
    }
}

impl HalfStudentT {
    /// Both tails at a value: with `z^2 / (df + z^2)` from `Beta(1/2, df/2)`.
    fn tails(&self, value: Var) -> Tails {
        let z = value.max(0.0) / self.scale;
        let (df, square) = (self.df, z.square());
        beta_tails(Var::from(0.5), 0.5 * df, square / (df + square), df / (df + square))
    }
}

impl Distribution for HalfStudentT {
    fn name(&self) -> &'static str {
        "HalfStudentT"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        batch_of("HalfStudentT", &[self.df, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let z = inside.select(value, 0.0) / self.scale;
        let constant = half_step(0.5 * self.df) - (self.scale.ln() + (LN_SQRT_2PI - LN_2));
        inside.select(constant - student_tail(self.df, z), f64::NEG_INFINITY)
    }
    /// The absolute value of a normal draw over the root of `Gamma(df/2, df/2)`.
    fn draw(&self, batch: &Shape) -> Var {
        let half = 0.5 * self.df;
        let ln_precision = Var::random(Law::LogGamma, batch, &[half]) - half.ln();
        self.scale * Var::random(Law::Normal, batch, &[]).abs() * (-0.5 * ln_precision).exp()
    }
    /// Infinite where `df <= 1`.
    fn mean(&self) -> Option<Var> {
        let finite = self.df.gt(1.0);
        let df = finite.select(self.df, 2.0);
        let mean = self.scale * (2.0 * df / (df - 1.0)) * (half_step(0.5 * df) - LN_SQRT_2PI).exp();
        Some(finite.select(mean, f64::INFINITY))
    }
    /// Infinite where `df <= 2`.
    fn variance(&self) -> Option<Var> {
        let finite = self.df.gt(2.0);
        let df = finite.select(self.df, 3.0);
        let mean = (2.0 * df / (df - 1.0)) * (half_step(0.5 * df) - LN_SQRT_2PI).exp();
        let variance = self.scale.square() * (df / (df - 2.0) - mean.square());
        Some(finite.select(variance, f64::INFINITY))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).plain().0)
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(inverse_cdf(self, probability))
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().0)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(self.tails(value).logarithms().1)
    }
    /// Of the logarithm.
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.scale.ln(), Var::from(1.0)))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "HalfStudentT",
    forms: &[Form {
        constructor: "new",
        arguments: &["df", "scale"],
        good: &[&[5.0, 1.0], &[9.0, 0.2], &[300.0, 4.0]],
        bad: &[&[0.0, 1.0], &[3.0, -1.0], &[f64::NAN, 1.0], &[3.0, f64::INFINITY]],
        build: |p| Box::new(HalfStudentT::new(p[0], p[1])),
    }],
};
