//! The logit-normal law: the sigmoid of a normal draw.

use std::f64::consts::FRAC_1_SQRT_2;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::{LN_SQRT_2PI, Share};
use crate::support::Support;

/// Logit-normal distribution on (0, 1), with `z = (ln(x / (1 - x)) - loc) / scale`:
/// `p(x) = exp(-z^2 / 2) / (scale sqrt(2 pi) x (1 - x))`.
///
/// # Shapes
/// `loc`, `scale` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location that is not finite: at once where they are numbers; as a point
/// without density where they are latent.
/// The values 0 and 1 have no density here.
///
/// # Source
/// PyMC `LogitNormal(mu, sigma)`.
/// NumPyro and Stan have none.
///
/// ```
/// use std::f64::consts::{LN_2, PI};
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::LogitNormal;
/// // At 1/2 the slope of the log-odds is 4.
/// let (log_prob, _) = value_and_grad(|x| LogitNormal::new(0.0, 1.0).log_prob(x), 0.5)?;
/// assert!((log_prob - (2.0 * LN_2 - 0.5 * (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogitNormal {
    loc: Var,
    scale: Var,
}

impl LogitNormal {
    /// The sigmoid of a normal draw with mean `loc` and standard deviation `scale`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>) -> Self {
        let loc = check::real("LogitNormal", "loc", loc);
        let scale = check::positive("LogitNormal", "scale", scale);
        Self { loc, scale }
    }

    /// At the log-odds of the value, whose slope by the value has this logarithm with the other sign.
    fn log_density(&self, logit: Var, ln_slope: Var) -> Var {
        let z = (logit - self.loc) / self.scale;
        -0.5 * z.square() - (self.scale.ln() + LN_SQRT_2PI) - ln_slope
    }
}

impl Distribution for LogitNormal {
    fn name(&self) -> &'static str {
        "LogitNormal"
    }
    fn support(&self) -> Support {
        Support::UnitInterval
    }
    fn batch_shape(&self) -> Shape {
        batch_of("LogitNormal", &[self.loc, self.scale])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = value.gt(0.0) * value.lt(1.0);
        let x = inside.select(value, 0.5);
        let (ln, ln_rest) = (x.ln(), (-x).ln_1p());
        inside.select(self.log_density(ln - ln_rest, ln + ln_rest), f64::NEG_INFINITY)
    }
    fn log_prob_of_logit(&self, logit: Var) -> Option<Var> {
        let share = Share::of_logit(logit);
        Some(self.log_density(logit, share.ln + share.ln_rest))
    }
    fn draw(&self, batch: &Shape) -> Var {
        (self.loc + self.scale * Var::random(Law::Normal, batch, &[])).sigmoid()
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let inside = value.gt(0.0) * value.lt(1.0);
        let x = inside.select(value, 0.5);
        let z = (x.ln() - (-x).ln_1p() - self.loc) / self.scale;
        Some(inside.select(0.5 * (z * -FRAC_1_SQRT_2).erfc(), value.ge(1.0)))
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some((self.loc + self.scale * probability.ndtri()).sigmoid())
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        Some((self.loc, self.scale))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "LogitNormal",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "scale"],
        good: &[&[0.0, 1.0], &[-3.0, 0.2], &[0.5, 2.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(LogitNormal::new(p[0], p[1])),
    }],
};
