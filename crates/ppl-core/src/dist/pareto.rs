//! The Pareto law: a power law from a smallest value on.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::support::Support;

/// Pareto distribution on the numbers from `scale` on: `p(x) = alpha scale^alpha / x^(alpha + 1)`.
///
/// # Shapes
/// `scale`, `alpha` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent.
///
/// # Source
/// NumPyro `Pareto(scale, alpha)`; PyMC `Pareto(alpha, m)` has the exponent first; Stan `pareto(y_min, alpha)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Pareto;
/// // 2 / x^3.
/// let (log_prob, _) = value_and_grad(|x| Pareto::new(1.0, 2.0).log_prob(x), 2.0)?;
/// assert!((log_prob - (-2.0 * LN_2)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pareto {
    scale: Var,
    alpha: Var,
}

impl Pareto {
    /// From `scale` on, with the exponent `alpha`.
    #[track_caller]
    pub fn new(scale: impl Into<Var>, alpha: impl Into<Var>) -> Self {
        let scale = check::positive("Pareto", "scale", scale);
        let alpha = check::positive("Pareto", "alpha", alpha);
        Self { scale, alpha }
    }
}

impl Distribution for Pareto {
    fn name(&self) -> &'static str {
        "Pareto"
    }
    fn support(&self) -> Support {
        Support::LowerBound { low: self.scale }
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Pareto", &[self.scale, self.alpha])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let x = inside.select(value, self.scale);
        let log_prob = self.alpha.ln() - self.alpha * (x / self.scale).ln() - x.ln();
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        self.scale * (Var::random(Law::Exponential, batch, &[]) / self.alpha).exp()
    }
    /// Infinite where `alpha <= 1`.
    fn mean(&self) -> Option<Var> {
        let finite = self.alpha.gt(1.0);
        let alpha = finite.select(self.alpha, 2.0);
        Some(finite.select(self.scale * alpha / (alpha - 1.0), f64::INFINITY))
    }
    /// Infinite where `alpha <= 2`.
    fn variance(&self) -> Option<Var> {
        let finite = self.alpha.gt(2.0);
        let alpha = finite.select(self.alpha, 3.0);
        let variance = (self.scale / (alpha - 1.0)).square() * alpha / (alpha - 2.0);
        Some(finite.select(variance, f64::INFINITY))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let x = value.max(self.scale);
        Some(-(-self.alpha * (x / self.scale).ln()).exp_m1())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.scale * (-(-probability).ln_1p() / self.alpha).exp())
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        Some(-self.alpha * (value.max(self.scale) / self.scale).ln())
    }
    fn entropy(&self) -> Option<Var> {
        Some((self.scale / self.alpha).ln() + 1.0 + self.alpha.recip())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Pareto",
    forms: &[Form {
        constructor: "new",
        arguments: &["scale", "alpha"],
        good: &[&[1.5, 3.5], &[20.0, 6.0], &[0.5, 30.0]],
        bad: &[&[0.0, 1.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
        build: |p| Box::new(Pareto::new(p[0], p[1])),
    }],
};
