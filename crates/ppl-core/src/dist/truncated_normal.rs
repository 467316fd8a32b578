//! The normal law cut off below, above or on both sides.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::special::{NormalInterval, log_ndtri};
use crate::support::Support;

/// Normal distribution between bounds, with `z = (x - loc) / scale`, a and b the bounds on that scale:
/// `p(x) = phi(z) / (scale (Phi(b) - Phi(a)))`, phi and Phi the standard normal density and distribution function.
///
/// # Shapes
/// `loc`, `scale` and the bounds broadcast to the batch shape `[B..]`; a draw and a `log_prob` have that shape.
///
/// # Errors
/// A scale that is not positive and finite, a location or bound that is not finite, bounds out of order: at once where
/// they are numbers; as a point without density where they are latent.
///
/// # Source
/// NumPyro `TruncatedNormal(loc, scale, low, high)`, PyMC `TruncatedNormal(mu, sigma, lower, upper)`.
/// Stan: `normal(mu, sigma) T[low, high]`.
///
/// ```
/// use std::f64::consts::PI;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::TruncatedNormal;
/// // From the mean on it is half-normal: sqrt(2 / pi).
/// let (log_prob, _) = value_and_grad(|x| TruncatedNormal::left(0.0, 1.0, 0.0).log_prob(x), 0.0)?;
/// assert!((log_prob - (0.5 * (2.0 / PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TruncatedNormal {
    loc: Var,
    scale: Var,
    bounds: Bounds,
}

#[derive(Clone, Copy, Debug)]
enum Bounds {
    Left(Var),
    Right(Var),
    Both(Var, Var),
}

const NAME: &str = "TruncatedNormal";

impl TruncatedNormal {
    /// Between `low` and `high`; `loc` and `scale` are those of the normal law before the cut.
    #[track_caller]
    pub fn new(loc: impl Into<Var>, scale: impl Into<Var>, low: impl Into<Var>, high: impl Into<Var>) -> Self {
        let (loc, scale) = (check::real(NAME, "loc", loc), check::positive(NAME, "scale", scale));
        let low = check::real(NAME, "low", low);
        let high = check::above(NAME, "high", low, high);
        Self { loc, scale, bounds: Bounds::Both(low, high) }
    }

    /// From `low` on.
    #[track_caller]
    pub fn left(loc: impl Into<Var>, scale: impl Into<Var>, low: impl Into<Var>) -> Self {
        let (loc, scale) = (check::real(NAME, "loc", loc), check::positive(NAME, "scale", scale));
        Self { loc, scale, bounds: Bounds::Left(check::real(NAME, "low", low)) }
    }

    /// Up to `high`.
    #[track_caller]
    pub fn right(loc: impl Into<Var>, scale: impl Into<Var>, high: impl Into<Var>) -> Self {
        let (loc, scale) = (check::real(NAME, "loc", loc), check::positive(NAME, "scale", scale));
        Self { loc, scale, bounds: Bounds::Right(check::real(NAME, "high", high)) }
    }

    /// How many scales a value lies above the location.
    fn standard(&self, x: Var) -> Var {
        (x - self.loc) / self.scale
    }

    /// The value with the probability p to its left. In logarithms of the smaller tail, so that it holds where the
    /// interval lies far out.
    fn quantile(&self, p: Var) -> Var {
        let standard = match self.bounds {
            Bounds::Left(low) => -log_ndtri((-self.standard(low)).log_ndtr() + (-p).ln_1p()),
            Bounds::Right(high) => log_ndtri(self.standard(high).log_ndtr() + p.ln()),
            Bounds::Both(low, high) => {
                let (a, b) = (self.standard(low), self.standard(high));
                let mirror = (a + b).gt(0.0);
                let (a, b, p) = (mirror.select(-b, a), mirror.select(-a, b), mirror.select(1.0 - p, p));
                let (log_a, log_b) = (a.log_ndtr(), b.log_ndtr());
                let x = log_ndtri(log_b + (p + (1.0 - p) * (log_a - log_b).exp()).ln());
                mirror.select(-x, x)
            }
        };
        let x = self.loc + self.scale * standard;
        match self.bounds {
            Bounds::Left(low) => x.max(low),
            Bounds::Right(high) => x.min(high),
            Bounds::Both(low, high) => x.max(low).min(high),
        }
    }

    /// `phi / mass` at the bounds, each times a factor made of the bound: 0 where there is no bound.
    fn edges(&self, factor: impl Fn(Var) -> Var) -> (Var, Var) {
        let phi = |z: Var, log_mass: Var| factor(z) * (-0.5 * z.square() - LN_SQRT_2PI - log_mass).exp();
        let zero = Var::from(0.0);
        match self.bounds {
            Bounds::Left(low) => (phi(self.standard(low), (-self.standard(low)).log_ndtr()), zero),
            Bounds::Right(high) => (zero, phi(self.standard(high), self.standard(high).log_ndtr())),
            Bounds::Both(low, high) => {
                let (a, b) = (self.standard(low), self.standard(high));
                let log_mass = NormalInterval::new(a, b).log_mass();
                (phi(a, log_mass), phi(b, log_mass))
            }
        }
    }
}

impl Distribution for TruncatedNormal {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        match self.bounds {
            Bounds::Left(low) => Support::LowerBound { low },
            Bounds::Right(high) => Support::UpperBound { high },
            Bounds::Both(low, high) => Support::Interval { low, high },
        }
    }
    fn batch_shape(&self) -> Shape {
        match self.bounds {
            Bounds::Left(bound) | Bounds::Right(bound) => batch_of(NAME, &[self.loc, self.scale, bound]),
            Bounds::Both(low, high) => batch_of(NAME, &[self.loc, self.scale, low, high]),
        }
    }
    /// Between bounds that are close the scale cancels: the density is one over the width, times what it is bent by.
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let (Bounds::Left(bound) | Bounds::Right(bound) | Bounds::Both(bound, _)) = self.bounds;
        let x = inside.select(value, bound);
        let z = self.standard(x);
        let ln_scale = self.scale.ln() + LN_SQRT_2PI;
        let log_prob = match self.bounds {
            Bounds::Left(low) => -0.5 * z.square() - (ln_scale + (-self.standard(low)).log_ndtr()),
            Bounds::Right(high) => -0.5 * z.square() - (ln_scale + self.standard(high).log_ndtr()),
            Bounds::Both(low, high) => {
                // Bounds out of order have no mass, and no slope that is infinite. All this is of the parameters' shape.
                let some = high.gt(low);
                let (low, high) = (some.select(low, -1.0), some.select(high, 1.0));
                let interval = NormalInterval::new(self.standard(low), self.standard(high));
                // 0 where the interval is not narrow.
                let m = interval.middle();
                let (narrow, wide) = ((high - low).ln() + interval.log_shape(), ln_scale + interval.log_mass_wide());
                let log_mass = some.select(interval.narrow.select(narrow, wide), f64::INFINITY);
                // (z - m) (z + m), from the middle.
                let w = (x - (self.loc + m * self.scale)) / self.scale;
                w * (-0.5 * w - m) - log_mass
            }
        };
        inside.select(log_prob, f64::NEG_INFINITY)
    }
    /// The quantile of a uniform number.
    fn draw(&self, batch: &Shape) -> Var {
        self.quantile(Var::random(Law::Uniform, batch, &[]))
    }
    fn mean(&self) -> Option<Var> {
        let (left, right) = self.edges(|_| Var::from(1.0));
        Some(self.loc + self.scale * (left - right))
    }
    /// From differences: a bound that is the n-th standard deviation from `loc`, with all mass beyond, leaves a
    /// relative error of about `n^6 2^-52`.
    fn variance(&self) -> Option<Var> {
        let (left, right) = self.edges(|_| Var::from(1.0));
        let (left_slope, right_slope) = self.edges(|z| z);
        Some(self.scale.square() * (1.0 + left_slope - right_slope - (left - right).square()))
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        Some(match self.bounds {
            Bounds::Left(low) => {
                let below = (-self.standard(low)).log_ndtr();
                -((-self.standard(value.max(low))).log_ndtr() - below).exp_m1()
            }
            Bounds::Right(high) => (self.standard(value.min(high)).log_ndtr() - self.standard(high).log_ndtr()).exp(),
            Bounds::Both(low, high) => {
                let (a, b) = (self.standard(low), self.standard(high));
                let x = self.standard(value.max(low).min(high));
                (NormalInterval::new(a, x).log_mass() - NormalInterval::new(a, b).log_mass()).exp()
            }
        })
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        Some(self.quantile(probability))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["loc", "scale", "low", "high"],
            good: &[&[0.5, 2.0, -1.0, 3.0], &[0.0, 1.0, 8.0, 9.0], &[0.0, 1.0, -30.0, -24.0], &[1.0, 5.0, 0.9, 1.3]],
            bad: &[
                &[0.0, 1.0, 1.0, 1.0],
                &[0.0, 1.0, 2.0, 1.0],
                &[0.0, 0.0, 0.0, 1.0],
                &[f64::NAN, 1.0, 0.0, 1.0],
                &[0.0, 1.0, 0.0, f64::INFINITY],
            ],
            build: |p| Box::new(TruncatedNormal::new(p[0], p[1], p[2], p[3])),
        },
        Form {
            constructor: "left",
            arguments: &["loc", "scale", "low"],
            good: &[&[0.0, 1.0, -1.0], &[-3.0, 0.2, 1.0], &[0.0, 2.0, 30.0]],
            bad: &[&[0.0, -1.0, 0.0], &[0.0, 1.0, f64::NEG_INFINITY]],
            build: |p| Box::new(TruncatedNormal::left(p[0], p[1], p[2])),
        },
        Form {
            constructor: "right",
            arguments: &["loc", "scale", "high"],
            good: &[&[0.0, 1.0, -1.0], &[-3.0, 0.2, 1.0]],
            bad: &[&[0.0, -1.0, 0.0], &[0.0, 1.0, f64::INFINITY]],
            build: |p| Box::new(TruncatedNormal::right(p[0], p[1], p[2])),
        },
    ],
};
