//! The beta law: probabilities.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::search::inverse_cdf;
use super::{Distribution, Entry, Form, KlDivergence, batch_of, check};
use crate::special::{Share, beta_kernel, ln_beta};
use crate::special::{Tails, beta_tails};
use crate::support::Support;

/// Beta distribution on (0, 1), with a and b the concentrations at 1 and at 0:
/// `p(x) = x^(a - 1) (1 - x)^(b - 1) / B(a, b)`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A concentration that is not positive and finite: at once where it is a number; as a point without density where it
/// is latent. The values 0 and 1 have no density here.
///
/// # Source
/// NumPyro `Beta(concentration1, concentration0)`, PyMC `Beta(alpha, beta | mu, sigma | mu, nu)`, Stan
/// `beta(alpha, beta)`, `beta_proportion(mu, kappa)`.
///
/// ```
/// use std::f64::consts::LN_2;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Beta;
/// // p(x) = 2 x.
/// let (log_prob, _) = value_and_grad(|x| Beta::new(2.0, 1.0).log_prob(x), 0.25)?;
/// assert!((log_prob + LN_2).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Beta {
    concentration1: Var,
    concentration0: Var,
}

impl Beta {
    /// By the concentrations at 1 and at 0: successes and failures seen before, each plus one, for a uniform start.
    #[track_caller]
    pub fn new(concentration1: impl Into<Var>, concentration0: impl Into<Var>) -> Self {
        Self {
            concentration1: check::positive("Beta", "concentration1", concentration1),
            concentration0: check::positive("Beta", "concentration0", concentration0),
        }
    }

    /// By the mean and the sum of the concentrations.
    #[track_caller]
    pub fn mean_precision(mean: impl Into<Var>, precision: impl Into<Var>) -> Self {
        let mean = check::open_unit("Beta", "mean", mean);
        let precision = check::positive("Beta", "precision", precision);
        Self { concentration1: mean * precision, concentration0: (1.0 - mean) * precision }
    }
}

impl Beta {
    /// Both tails at a value.
    fn tails(&self, value: Var) -> Tails {
        beta_tails(self.concentration1, self.concentration0, value, 1.0 - value)
    }

    fn log_density(&self, share: Share) -> Var {
        beta_kernel(self.concentration1, self.concentration0, share) - share.ln - share.ln_rest
    }
}

impl Distribution for Beta {
    fn name(&self) -> &'static str {
        "Beta"
    }
    fn support(&self) -> Support {
        Support::UnitInterval
    }
    fn batch_shape(&self) -> Shape {
        batch_of("Beta", &[self.concentration1, self.concentration0])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(1.0);
        let x = inside.select(value, 0.5);
        inside.select(self.log_density(Share::of(x, 1.0 - x)), f64::NEG_INFINITY)
    }
    fn log_prob_of_logit(&self, logit: Var) -> Option<Var> {
        Some(self.log_density(Share::of_logit(logit)))
    }
    /// `G1 / (G1 + G0)` of two gamma draws, from their logarithms: tiny concentrations do not give 0/0.
    fn draw(&self, batch: &Shape) -> Var {
        let one = Var::random(Law::LogGamma, batch, &[self.concentration1]);
        let zero = Var::random(Law::LogGamma, batch, &[self.concentration0]);
        (one - zero).sigmoid()
    }
    fn mean(&self) -> Option<Var> {
        Some(self.concentration1 / (self.concentration1 + self.concentration0))
    }
    fn variance(&self) -> Option<Var> {
        let sum = self.concentration1 + self.concentration0;
        let odds = (self.concentration1 / sum) * (self.concentration0 / sum);
        Some(odds / (sum + 1.0))
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
    fn entropy(&self) -> Option<Var> {
        let (a, b) = (self.concentration1, self.concentration0);
        let digamma = (a + b - 2.0) * (a + b).digamma() - (a - 1.0) * a.digamma() - (b - 1.0) * b.digamma();
        Some(ln_beta(a, b) + digamma)
    }
}

impl KlDivergence for Beta {
    fn kl_divergence(&self, q: &Self) -> Var {
        let (a, b) = (self.concentration1, self.concentration0);
        let (c, d) = (q.concentration1, q.concentration0);
        let sum = a + b;
        let slopes = (a - c) * a.digamma() + (b - d) * b.digamma() + (c - a + d - b) * sum.digamma();
        ln_beta(c, d) - ln_beta(a, b) + slopes
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Beta",
    forms: &[
        Form {
            constructor: "new",
            arguments: &["concentration1", "concentration0"],
            good: &[&[0.5, 0.7], &[1.0, 1.0], &[2.0, 30.0], &[12.0, 11.0], &[400.0, 300.0]],
            bad: &[&[0.0, 1.0], &[1.0, -1.0], &[f64::NAN, 1.0], &[1.0, f64::INFINITY]],
            build: |p| Box::new(Beta::new(p[0], p[1])),
        },
        Form {
            constructor: "mean_precision",
            arguments: &["mean", "precision"],
            good: &[&[0.3, 8.0]],
            bad: &[&[0.0, 8.0], &[1.0, 8.0], &[0.3, 0.0]],
            build: |p| Box::new(Beta::mean_precision(p[0], p[1])),
        },
    ],
};
