//! The chi-square law: sums of squares of standard normal draws.

use ppl_autodiff::{Shape, Var};

use super::gamma::Gamma;
use super::search::inverse_cdf;
use super::{Distribution, Entry, Form, check};
use crate::support::Support;

/// Chi-square distribution on the positive numbers, which is `Gamma(df / 2, 1 / 2)`:
/// `p(x) = x^(df/2 - 1) exp(-x / 2) / (2^(df/2) Gamma(df / 2))`.
///
/// # Shapes
/// `df`: `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// Degrees of freedom that are not positive and finite: at once where they are a number; as a point without density
/// where they are latent. The value 0 has no density here.
///
/// # Source
/// NumPyro `Chi2(df)`, PyMC `ChiSquared(nu)`, Stan `chi_square(nu)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Chi2;
/// // With two degrees of freedom e^(-x/2) / 2.
/// let (log_prob, _) = value_and_grad(|x| Chi2::new(2.0).log_prob(x), 1.0)?;
/// assert!((log_prob - (-0.5 - LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chi2 {
    df: Var,
}

impl Chi2 {
    /// The sum of squares of `df` standard normal draws, where `df` is an integer.
    #[track_caller]
    pub fn new(df: impl Into<Var>) -> Self {
        let df = check::positive("Chi2", "df", df);
        Self { df }
    }

    fn gamma(&self) -> Gamma {
        Gamma::new(0.5 * self.df, 0.5)
    }
}

impl Distribution for Chi2 {
    fn name(&self) -> &'static str {
        "Chi2"
    }
    fn support(&self) -> Support {
        Support::Positive
    }
    fn batch_shape(&self) -> Shape {
        self.df.shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        self.gamma().log_prob(value)
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.gamma().draw(batch)
    }
    fn mean(&self) -> Option<Var> {
        Some(self.df)
    }
    fn variance(&self) -> Option<Var> {
        Some(2.0 * self.df)
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        self.gamma().cdf(value)
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(inverse_cdf(self, probability))
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        self.gamma().log_cdf(value)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        self.gamma().log_sf(value)
    }
    fn entropy(&self) -> Option<Var> {
        self.gamma().entropy()
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Chi2",
    forms: &[Form {
        constructor: "new",
        arguments: &["df"],
        good: &[&[1.5], &[4.0], &[90.0]],
        bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
        build: |p| Box::new(Chi2::new(p[0])),
    }],
};
