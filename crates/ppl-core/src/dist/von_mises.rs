//! The von Mises law: the normal law of directions in the plane.

use std::f64::consts::{PI, TAU};

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::ln_i0e;
use crate::support::Support;

/// Von Mises distribution of angles in radians: `p(x) = exp(k cos(x - loc)) / (2 pi I0(k))`, k the concentration.
///
/// The density has the period 2 pi and integrates to 1 over one period; draws lie between -pi and pi.
///
/// # Shapes
/// `loc`, `concentration` broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A concentration that is not positive and finite, a location that is not finite: at once where they are numbers; as a
/// point without density where they are latent.
///
/// # Source
/// NumPyro `VonMises(loc, concentration)`, PyMC `VonMises(mu, kappa)`, Stan `von_mises(mu, kappa)`.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::VonMises;
/// // A quarter of a turn away only the constant is left: I0(1) = 1.266..
/// let (log_prob, _) = value_and_grad(|x| VonMises::new(0.0, 1.0).log_prob(x), 0.5 * PI)?;
/// assert!((log_prob - (-(2.0 * PI * 1.266_065_877_752_008_4).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct VonMises {
    loc: Var,
    concentration: Var,
}

impl VonMises {
    /// Around the direction `loc`; where `concentration` is large the standard deviation is about `1 /
    /// sqrt(concentration)`.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, concentration: impl Into<Var>) -> Self {
        let loc = check::real("VonMises", "loc", loc);
        let concentration = check::positive("VonMises", "concentration", concentration);
        Self { loc, concentration }
    }
}

impl Distribution for VonMises {
    fn name(&self) -> &'static str {
        "VonMises"
    }
    fn support(&self) -> Support {
        Support::Circular
    }
    fn batch_shape(&self) -> Shape {
        batch_of("VonMises", &[self.loc, self.concentration])
    }
    /// `cos d - 1 = -2 sin(d/2)^2` and the scaled Bessel function: nothing of the size of k cancels.
    fn log_prob(&self, value: Var) -> Var {
        let sine = (0.5 * (value - self.loc)).sin();
        -2.0 * self.concentration * sine.square() - (ln_i0e(self.concentration) + TAU.ln())
    }
    fn draw(&self, batch: &Shape) -> Var {
        let angle = self.loc + Var::random(Law::VonMises, batch, &[self.concentration]);
        let wrapped = angle - TAU * ((angle + PI) / TAU).floor();
        wrapped.max(-PI).min(PI)
    }
    /// The mean direction.
    fn mean(&self) -> Option<Var> {
        Some(self.loc.broadcast_to(self.batch_shape()))
    }
    fn entropy(&self) -> Option<Var> {
        let k = self.concentration;
        let entropy = k * (1.0 - k.i1e() / k.i0e()) + ln_i0e(k) + TAU.ln();
        Some(entropy.broadcast_to(self.batch_shape()))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "VonMises",
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "concentration"],
        good: &[&[0.5, 2.0], &[-2.5, 0.1], &[3.0, 60.0]],
        bad: &[&[0.0, 0.0], &[0.0, -1.0], &[f64::NAN, 1.0], &[0.0, f64::INFINITY]],
        build: |p| Box::new(VonMises::new(p[0], p[1])),
    }],
};
