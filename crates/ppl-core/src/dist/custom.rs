//! A distribution of one's own, from a density and a way to draw.

use std::fmt;

use ppl_autodiff::{Shape, Var};

use super::Distribution;
use crate::support::Support;

/// A distribution made of closures: its log-density and its draws.
///
/// A type of one's own that implements [`Distribution`] does the same and can check its parameters; see there.
///
/// # Shapes
/// `shape` is the batch shape followed by the event shape, whose rank the support fixes. The log-density gets values
/// `[.., batch.., event..]` and gives `[.., batch..]`; draws get the whole shape that they must have.
///
/// # Errors
/// Those of the closures. A value outside the support has no density: what the closure gives there is not used, but it
/// should be finite.
///
/// # Source
/// PyMC `CustomDist(logp, random)`; Stan users write `_lpdf` and `_rng` functions.
///
/// ```
/// use ppl_autodiff::Var;
/// use ppl_autodiff::ops::Law;
/// use ppl_core::dist::Custom;
/// use ppl_core::model::{FnModel, ModelTrace};
/// use ppl_core::{Support, sample};
/// // Rayleigh's law: p(x) = x exp(-x^2 / 2).
/// let rayleigh = || {
///     let log_prob = |x: Var| x.ln() - 0.5 * x.square();
///     let draw = |shape: &_| (2.0 * Var::random(Law::Exponential, shape, &[])).sqrt();
///     Custom::new("Rayleigh", Support::Positive, (), log_prob, draw)
/// };
/// let model = FnModel::new("wind", || sample("speed", rayleigh));
/// let trace = ModelTrace::unconstrained(&model, &[])?;
/// assert_eq!(trace.sites()[0].distribution, Some("Rayleigh"));
/// # Ok::<(), ppl_core::ModelError>(())
/// ```
#[derive(Clone)]
pub struct Custom<P, R> {
    name: &'static str,
    support: Support,
    shape: Shape,
    log_prob: P,
    draw: R,
}

impl<P: Fn(Var) -> Var, R: Fn(&Shape) -> Var> Custom<P, R> {
    /// By a name for errors, the support, the shape of one draw, the log-density and a function that draws.
    pub fn new(name: &'static str, support: Support, shape: impl Into<Shape>, log_prob: P, draw: R) -> Self {
        Self { name, support, shape: shape.into(), log_prob, draw }
    }
}

/// Where the event begins in a shape.
pub(super) fn split(shape: &Shape, support: &Support) -> (Shape, Shape) {
    let at = shape.rank().saturating_sub(support.event_rank());
    (Shape::from(&shape[..at]), Shape::from(&shape[at..]))
}

impl<P, R> fmt::Debug for Custom<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of shape {}", self.name, self.shape)
    }
}

impl<P: Fn(Var) -> Var, R: Fn(&Shape) -> Var> Distribution for Custom<P, R> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn support(&self) -> Support {
        self.support
    }
    fn batch_shape(&self) -> Shape {
        split(&self.shape, &self.support).0
    }
    fn event_shape(&self) -> Shape {
        split(&self.shape, &self.support).1
    }
    fn log_prob(&self, value: Var) -> Var {
        self.support.contains(value).select((self.log_prob)(value), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        (self.draw)(&batch.join(&self.event_shape()))
    }
}
