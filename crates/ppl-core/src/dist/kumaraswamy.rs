//! The Kumaraswamy law: much like the beta law, with a distribution function in closed form.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::{EULER, Share, ln_beta};
use crate::support::Support;

/// Kumaraswamy distribution on (0, 1), with a and b the concentrations: `p(x) = a b x^(a - 1) (1 - x^a)^(b - 1)`.
///
/// # Shapes
/// `concentration1`, `concentration0` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A parameter that is not positive and finite: at once where it is a number; as a point without density where it is
/// latent. The values 0 and 1 have no density here.
///
/// # Source
/// NumPyro `Kumaraswamy(concentration1, concentration0)`, PyMC `Kumaraswamy(a, b)`; Jones (2009), Statistical
/// Methodology 6(1).
/// Stan has none.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Kumaraswamy;
/// // 1 - (1 - x^2) has the density 2 x.
/// let (log_prob, _) = value_and_grad(|x| Kumaraswamy::new(2.0, 1.0).log_prob(x), 0.25)?;
/// assert!((log_prob + LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kumaraswamy {
    concentration1: Var,
    concentration0: Var,
}

impl Kumaraswamy {
    /// By the power of `x` (`concentration1`) and that of `1 - x^a` (`concentration0`).
    #[track_caller]
    pub fn new(concentration1: impl Into<Var>, concentration0: impl Into<Var>) -> Self {
        let concentration1 = check::positive("Kumaraswamy", "concentration1", concentration1);
        let concentration0 = check::positive("Kumaraswamy", "concentration0", concentration0);
        Self { concentration1, concentration0 }
    }

    /// At the logarithm of the value.
    fn log_density(&self, ln: Var) -> Var {
        let (a, b) = (self.concentration1, self.concentration0);
        (a * b).ln() + (a - 1.0) * ln + (b - 1.0) * (-a * ln).log1mexp()
    }

    /// The mean of `x^n`: `b B(1 + n/a, b)`.
    fn moment(&self, n: f64) -> Var {
        let (a, b) = (self.concentration1, self.concentration0);
        b * ln_beta(1.0 + n / a, b).exp()
    }
}

impl Distribution for Kumaraswamy {
    fn name(&self) -> &'static str {
        "Kumaraswamy"
    }
    fn support(&self) -> Support {
        Support::UnitInterval
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Kumaraswamy", &[self.concentration1, self.concentration0])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(1.0);
        inside.select(self.log_density(inside.select(value, 0.5).ln()), f64::NEG_INFINITY)
    }
    fn log_prob_of_logit(&self, logit: Var) -> Option<Var> {
        Some(self.log_density(Share::of_logit(logit).ln))
    }
    fn draw(&self, batch: &Shape) -> Var {
        let hazard = Var::random(Law::Exponential, batch, &[]) / self.concentration0;
        (hazard.log1mexp() / self.concentration1).exp()
    }
    fn mean(&self) -> Option<Var> {
        Some(self.moment(1.0))
    }
    fn variance(&self) -> Option<Var> {
        Some(self.moment(2.0) - self.moment(1.0).square())
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(0.0) * value.lt(1.0);
        let ln = inside.select(value, 0.5).ln();
        let share = -(self.concentration0 * (-self.concentration1 * ln).log1mexp()).exp_m1();
        Some(inside.select(share, value.ge(1.0)))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        let hazard = -(-probability).ln_1p() / self.concentration0;
        Some((hazard.log1mexp() / self.concentration1).exp())
    }
    fn entropy(&self) -> Option<Var> {
        let (a, b) = (self.concentration1, self.concentration0);
        let harmonic = (b + 1.0).digamma() + EULER;
        Some(1.0 - b.recip() + (1.0 - a.recip()) * harmonic - (a * b).ln())
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Kumaraswamy",
    forms: &[Form {
        constructor: "new",
        arguments: &["concentration1", "concentration0"],
        good: &[&[2.0, 5.0], &[0.7, 0.8], &[6.0, 1.5]],
        bad: &[&[0.0, 1.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
        build: |p| Box::new(Kumaraswamy::new(p[0], p[1])),
    }],
};
