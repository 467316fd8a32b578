//! Student's t: a normal whose precision is itself random; heavier tails the fewer the degrees of freedom.

use std::f64::consts::LN_2;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::search::inverse_cdf;
use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::special::beta_tails;
use crate::special::ln_beta;
use crate::special::{half_step, student_tail};
use crate::support::Support;

/// Student's t distribution on the real numbers, with `z = (x - loc) / scale`:
/// `p(x) = Gamma((df + 1) / 2) / (Gamma(df / 2) sqrt(pi df) scale) (1 + z^2 / df)^(-(df + 1) / 2)`.
///
/// # Shapes
/// `df`, `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// Degrees of freedom or a scale that are not positive and finite, a location that is not finite: at once where they
/// are numbers; as a point without density where they are latent.
///
/// # Source
/// NumPyro `StudentT(df, loc, scale)`, PyMC `StudentT(nu, mu, sigma)`, Stan `student_t(nu, mu, sigma)`.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::StudentT;
/// // With one degree of freedom it is a Cauchy law.
/// let (log_prob, _) = value_and_grad(|x| StudentT::new(1.0, 0.0, 1.0).log_prob(x), 1.0)?;
/// assert!((log_prob - (-(2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StudentT {
    df: Var,
    loc: Var,
    scale: Var,
}

impl StudentT {
    /// `df` degrees of freedom around `loc`; `scale` is the standard deviation only in the limit of large `df`.
    #[track_caller]
    pub fn new(df: impl Into<Var>, loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        Self {
            df: check::positive("StudentT", "df", df),
            loc: check::real("StudentT", "loc", loc),
            scale: check::positive("StudentT", "scale", scale),
        }
    }
}

impl StudentT {
    /// The probability beyond |z| on one side, and its logarithm: half of that of `df / (df + z^2)` from
    /// `Beta(df/2, 1/2)`; next to the middle by the density there.
    fn tail(&self, z: Var) -> (Var, Var) {
        const NEAR: f64 = 1e-8;
        // The middle belongs to the right side, with its slope.
        let distance = z.lt(0.0).select(-z, z);
        let near = distance.lt(NEAR);
        let middle = 0.5 - distance * (half_step(0.5 * self.df) - LN_SQRT_2PI).exp();
        let (df, square) = (self.df, near.select(1.0, z).square());
        let overflow = square.ge(f64::INFINITY);
        let square = overflow.select(1.0, square);
        let rest = overflow.select(1.0, square / (df + square));
        let tails = beta_tails(0.5 * df, Var::from(0.5), overflow.select(0.0, df / (df + square)), rest);
        let (plain, ln) = (0.5 * tails.plain().0, tails.logarithms().0 - LN_2);
        (near.select(middle, plain), near.select(near.select(middle, 0.5).ln(), ln))
    }
}

impl Distribution for StudentT {
    fn name(&self) -> &'static str {
        "StudentT"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("StudentT", &[self.df, self.loc, self.scale])
    }
    /// Every term tends to that of the normal distribution as `df` grows; none is a difference of large numbers.
    fn log_prob(&self, value: Var) -> Var {
        let z = (value - self.loc) / self.scale;
        let constant = half_step(0.5 * self.df) - (self.scale.ln() + LN_SQRT_2PI);
        constant - student_tail(self.df, z)
    }
    /// A normal draw over the root of `Gamma(df/2, df/2)`.
    fn draw(&self, batch: &Shape) -> Var {
        let half = 0.5 * self.df;
        let ln_precision = Var::random(Law::LogGamma, batch, &[half]) - half.ln();
        let z = Var::random(Law::Normal, batch, &[]) * (-0.5 * ln_precision).exp();
        self.loc + self.scale * z
    }
    /// NaN where `df <= 1`: there is none.
    fn mean(&self) -> Option<Var> {
        Some(self.df.gt(1.0).select(self.loc, f64::NAN).broadcast_to(self.batch_shape()))
    }
    /// Infinite where `df <= 2`.
    fn variance(&self) -> Option<Var> {
        let finite = self.df.gt(2.0);
        let df = finite.select(self.df, 3.0);
        let variance = self.scale.square() * (df / (df - 2.0));
        Some(finite.select(variance, f64::INFINITY).broadcast_to(self.batch_shape()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        let tail = self.tail(z).0;
        Some(z.lt(0.0).select(tail, 1.0 - tail))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(inverse_cdf(self, probability))
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        let (tail, ln) = self.tail(z);
        Some(z.lt(0.0).select(ln, (-tail).ln_1p()))
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        let (tail, ln) = self.tail(z);
        Some(z.lt(0.0).select((-tail).ln_1p(), ln))
    }
    fn entropy(&self) -> Option<Var> {
        let half = 0.5 * self.df;
        let slopes = (half + 0.5) * ((half + 0.5).digamma() - half.digamma());
        Some(slopes + 0.5 * self.df.ln() + ln_beta(half, Var::from(0.5)) + self.scale.ln())
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "StudentT",
    forms: &[Form {
        constructor: "new",
        arguments: &["df", "loc", "scale"],
        good: &[&[5.0, 0.0, 1.0], &[9.0, -3.0, 0.2], &[19.9, 0.5, 1.3], &[300.0, 10.0, 4.0]],
        bad: &[&[0.0, 0.0, 1.0], &[3.0, f64::NAN, 1.0], &[3.0, 0.0, -1.0], &[f64::INFINITY, 0.0, 1.0]],
        build: |p| Box::new(StudentT::new(p[0], p[1], p[2])),
    }],
};
