//! The Gaussian random walk: a path whose steps are independent normal variables.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var, concat};

use super::{Distribution, Entry, Form, batch_of, check};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Gaussian random walk of T values: `x_1 ~ Normal(m, s0)`, `x_t ~ Normal(x_{t-1} + drift, scale)`.
///
/// # Shapes
/// The parameters broadcast to the batch shape `[B..]`; a draw has shape `[B.., T]`, a `log_prob` has `[B..]`; the event is
/// a vector.
///
/// # Errors
/// A scale that is not positive and finite, a drift or start that is not finite: at once where they are numbers; as a
/// point without density where they are latent. No steps: at once.
///
/// # Source
/// NumPyro `GaussianRandomWalk(scale, num_steps)`, whose start is a step from 0 as in [`GaussianRandomWalk::new`], PyMC
/// `GaussianRandomWalk(mu, sigma, init_dist, steps)`, which has one value more than steps.
/// Stan users write the differences.
///
/// ```
/// use std::f64::consts::PI;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::GaussianRandomWalk;
/// // Steps of 1 and 0.
/// let (log_prob, _) = value_and_grad(|x| GaussianRandomWalk::new(1.0, 2).log_prob(x), &array![1.0, 1.0])?;
/// assert!((log_prob - (-0.5 - (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaussianRandomWalk {
    drift: Var,
    scale: Var,
    start: (Var, Var),
    steps: usize,
}

const NAME: &str = "GaussianRandomWalk";

impl GaussianRandomWalk {
    /// `steps` values, the first a step away from 0.
    #[track_caller]
    pub fn new(scale: impl Into<Var>, steps: usize) -> Self {
        let scale = check::positive(NAME, "scale", scale);
        Self { drift: Var::from(0.0), scale, start: (Var::from(0.0), scale), steps: positive(steps) }
    }

    /// `steps` values with a drift, the first from `Normal(start_loc, start_scale)`.
    #[track_caller]
    pub fn drifting(
        drift: impl Into<Var>,
        scale: impl Into<Var>,
        start_loc: impl Into<Var>,
        start_scale: impl Into<Var>,
        steps: usize,
    ) -> Self {
        let drift = check::real(NAME, "drift", drift);
        let scale = check::positive(NAME, "scale", scale);
        let start = (check::real(NAME, "start_loc", start_loc), check::positive(NAME, "start_scale", start_scale));
        Self { drift, scale, start, steps: positive(steps) }
    }
}

#[track_caller]
fn positive(steps: usize) -> usize {
    if steps == 0 {
        check::fail(NAME, "steps", "at least 1", 0.0);
    }
    steps.max(1)
}

impl Distribution for GaussianRandomWalk {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::RealVector
    }
    fn batch_shape(&self) -> Shape {
        batch_of(NAME, &[self.drift, self.scale, self.start.0, self.start.1])
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.steps)
    }
    fn log_prob(&self, value: Var) -> Var {
        let n = self.steps;
        let steps = value.slice(-1, 1..n) - value.slice(-1, 0..n - 1) - self.drift.expand_dims(-1);
        let squares = (steps / self.scale.expand_dims(-1)).square().sum_axis(-1);
        let (loc, scale) = self.start;
        let first = ((value.index(-1, 0) - loc) / scale).square();
        -0.5 * (first + squares) - scale.ln() - (n as f64 - 1.0) * self.scale.ln() - n as f64 * LN_SQRT_2PI
    }
    fn draw(&self, batch: &Shape) -> Var {
        let z = Var::random(Law::Normal, batch.join(&[self.steps]), &[]);
        let wide = |v: Var| v.expand_dims(-1);
        let first = wide(self.start.0) + wide(self.start.1) * z.slice(-1, 0..1);
        let rest = wide(self.drift) + wide(self.scale) * z.slice(-1, 1..self.steps);
        concat(&[first, rest], -1).cumsum(-1)
    }
    fn mean(&self) -> Option<Var> {
        let mean = self.start.0.expand_dims(-1) + self.drift.expand_dims(-1) * numbers(self.steps);
        Some(mean.broadcast_to(self.batch_shape().join(&[self.steps])))
    }
    fn variance(&self) -> Option<Var> {
        let steps = self.scale.square().expand_dims(-1) * numbers(self.steps);
        let variance = self.start.1.square().expand_dims(-1) + steps;
        Some(variance.broadcast_to(self.batch_shape().join(&[self.steps])))
    }
}

/// 0, 1, 2, ..: the steps before each value.
fn numbers(count: usize) -> Var {
    Var::from((0..count).map(|t| t as f64).collect::<Vec<f64>>())
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[
        Form {
            constructor: "new",
            arguments: &["scale"],
            good: &[&[0.5], &[1.2]],
            bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
            build: |p| Box::new(GaussianRandomWalk::new(p[0], 3)),
        },
        Form {
            constructor: "drifting",
            arguments: &["drift", "scale", "start_loc", "start_scale"],
            good: &[&[0.2, 0.5, 1.0, 2.0]],
            bad: &[
                &[f64::NAN, 0.5, 1.0, 2.0],
                &[0.2, 0.0, 1.0, 2.0],
                &[0.2, 0.5, f64::INFINITY, 2.0],
                &[0.2, 0.5, 1.0, -2.0],
            ],
            build: |p| Box::new(GaussianRandomWalk::drifting(p[0], p[1], p[2], p[3], 2)),
        },
    ],
};
