//! The exponentially modified Gaussian law: the sum of a normal and an exponential draw.

use std::f64::consts::FRAC_1_SQRT_2;

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::search::inverse_cdf;
use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::special::erfcx_remainder;
use crate::support::Support;

/// From here on to the left a continued fraction stands for the scaled complementary error function.
const FAR: f64 = 6.0;

/// Exponentially modified Gaussian distribution on the real numbers, with `z = (x - loc) / scale`:
/// `p(x) = exp(scale^2 / (2 nu^2) - (x - loc) / nu) Phi(z - scale / nu) / nu`.
///
/// # Shapes
/// `loc`, `scale`, `nu` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale or `nu` that is not positive and finite, a location that is not finite: at once where they are numbers; as a
/// point without density where they are latent.
///
/// # Source
/// PyMC `ExGaussian(mu, sigma, nu)`; Stan `exp_mod_normal(mu, sigma, lambda)` with `lambda = 1 / nu`.
/// NumPyro has none.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::ExGaussian;
/// // e^(1/2) Phi(-1).
/// let (log_prob, _) = value_and_grad(|x| ExGaussian::new(0.0, 1.0, 1.0).log_prob(x), 0.0)?;
/// assert!((log_prob - (0.5 + 0.158_655_253_931_457_05f64.ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExGaussian {
    loc: Var,
    scale: Var,
    nu: Var,
}

impl ExGaussian {
    /// The sum of a normal draw and an exponential one with mean `nu`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>, nu: impl Into<Var>) -> Self {
        let loc = check::real("ExGaussian", "loc", loc);
        let scale = check::positive("ExGaussian", "scale", scale);
        let nu = check::positive("ExGaussian", "nu", nu);
        Self { loc, scale, nu }
    }

    /// As Stan: by the rate of the exponential part.
    #[track_caller]
    pub fn with_rate(loc: impl Into<Var>, scale: impl Into<Var>, rate: impl Into<Var>) -> Self {
        let nu = check::positive("ExGaussian", "rate", rate).recip();
        let loc = check::real("ExGaussian", "loc", loc);
        Self { loc, scale: check::positive("ExGaussian", "scale", scale), nu }
    }
}

impl Distribution for ExGaussian {
    fn name(&self) -> &'static str {
        "ExGaussian"
    }
    fn support(&self) -> Support {
        Support::Real
    }
    fn batch_shape(&self) -> Shape {
        batch_of("ExGaussian", &[self.loc, self.scale, self.nu])
    }
    /// In three parts, so that the squares cancel before they are computed; tends to the normal law as `nu` goes to 0.
    fn log_prob(&self, value: Var) -> Var {
        let (s, nu) = (self.scale, self.nu);
        let z = (value - self.loc) / s;
        let t = z - s / nu;
        let (far, right) = (t.lt(-FAR), t.ge(0.0));
        // Far left: with u = -t / sqrt 2, erfcx(u) / (2 nu) = 1 / (sqrt(2 pi) (s - z nu) (1 + c/u)).
        let reach = far.select(s - z * nu, 1.0);
        let u = far.select(t, -FAR) * -FRAC_1_SQRT_2;
        let gaussian = -0.5 * z.square() - (reach.ln() + LN_SQRT_2PI) - erfcx_remainder(u).ln_1p();
        let u = (1.0 - far) * (1.0 - right);
        let scaled = (u.select(t, 0.0) * -FRAC_1_SQRT_2).erfcx();
        let middle = -0.5 * z.square() + scaled.ln() - (2.0 * nu).ln();
        let t = right.select(t, 0.0);
        let drift = s / nu;
        let exponential = t.log_ndtr() - drift * (z - 0.5 * drift) - nu.ln();
        far.select(gaussian, right.select(exponential, middle))
    }
    fn draw(&self, batch: &Shape) -> Var {
        let normal = Var::random(Law::Normal, batch, &[]);
        self.loc + self.scale * normal + self.nu * Var::random(Law::Exponential, batch, &[])
    }
    fn mean(&self) -> Option<Var> {
        Some((self.loc + self.nu).broadcast_to(self.batch_shape()))
    }
    fn variance(&self) -> Option<Var> {
        Some((self.scale.square() + self.nu.square()).broadcast_to(self.batch_shape()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        let z = (value - self.loc) / self.scale;
        Some(z.log_ndtr().exp() - self.nu * self.log_prob(value).exp())
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(inverse_cdf(self, probability))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "ExGaussian",
    forms: &[
        Form {
            constructor: "new",
            arguments: &["loc", "scale", "nu"],
            good: &[&[0.0, 1.0, 1.0], &[-3.0, 0.2, 2.0], &[1.0, 2.0, 0.02]],
            bad: &[&[0.0, 0.0, 1.0], &[0.0, 1.0, -1.0], &[f64::NAN, 1.0, 1.0], &[0.0, 1.0, f64::INFINITY]],
            build: |p| Box::new(ExGaussian::new(p[0], p[1], p[2])),
        },
        Form {
            constructor: "with_rate",
            arguments: &["loc", "scale", "rate"],
            good: &[&[0.0, 1.0, 0.4]],
            bad: &[&[0.0, 1.0, 0.0]],
            build: |p| Box::new(ExGaussian::with_rate(p[0], p[1], p[2])),
        },
    ],
};
