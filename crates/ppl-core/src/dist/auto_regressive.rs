//! The autoregressive process: each value a linear function of the last few, plus noise.

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var, concat};

use super::{Distribution, Entry, Form, batch_of, check, vector};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Autoregressive process of order p and T values: `x_t ~ Normal(c + sum_i rho_i x_{t-i}, scale)` after p values from
/// `Normal(0, s0)`.
///
/// # Shapes
/// `constant`, `scale` and `start_scale: [B..]` and `coefficients: [B.., p]`, of which the first belongs to the last
/// value, broadcast to the batch shape; a draw has shape `[B.., T]`, a `log_prob` has `[B..]`; the event is a vector.
///
/// # Errors
/// A scale that is not positive and finite, a constant or coefficient that is not finite: at once where they are numbers;
/// as a point without density where they are latent. Fewer than p values: at once. Nothing keeps the process stationary.
///
/// # Source
/// PyMC `AR(rho, sigma, init_dist, constant)`, whose rho starts with the constant if there is one; NumPyro and Stan write
/// it as a loop.
///
/// ```
/// use std::f64::consts::PI;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::AutoRegressive;
/// // The first value is 1 around 0, the second 1/2 around 1/2 * 1.
/// let law = |x| AutoRegressive::new(0.0, [0.5], 1.0, 1.0, 2).log_prob(x);
/// let (log_prob, _) = value_and_grad(law, &array![1.0, 0.5])?;
/// assert!((log_prob - (-0.5 - (2.0 * PI).ln())).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AutoRegressive {
    constant: Var,
    coefficients: Var,
    scale: Var,
    start_scale: Var,
    steps: usize,
}

const NAME: &str = "AutoRegressive";

impl AutoRegressive {
    /// `steps` values, the first p of them from `Normal(0, start_scale)`.
    #[track_caller]
    pub fn new(
        constant: impl Into<Var>,
        coefficients: impl Into<Var>,
        scale: impl Into<Var>,
        start_scale: impl Into<Var>,
        steps: usize,
    ) -> Self {
        let coefficients = check::vector(NAME, check::real(NAME, "coefficients", coefficients));
        let order = coefficients.dim(-1);
        if steps < order.max(1) {
            check::fail(NAME, "steps", "at least the number of coefficients", steps as f64);
        }
        Self {
            constant: check::real(NAME, "constant", constant),
            coefficients,
            scale: check::positive(NAME, "scale", scale),
            start_scale: check::positive(NAME, "start_scale", start_scale),
            steps: steps.max(order).max(1),
        }
    }

    fn order(&self) -> usize {
        self.coefficients.dim(-1)
    }
}

impl Distribution for AutoRegressive {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::RealVector
    }
    fn batch_shape(&self) -> Shape {
        let scalars = batch_of(NAME, &[self.constant, self.scale, self.start_scale]);
        let shape = self.coefficients.shape();
        let own = Shape::from(&shape[..shape.rank() - 1]);
        // Where they do not fit, the first operation on both says so.
        scalars.broadcast(&own).unwrap_or(scalars)
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.steps)
    }
    /// All steps at once, by slices shifted against each other.
    fn log_prob(&self, value: Var) -> Var {
        let (n, p) = (self.steps, self.order());
        let wide = |v: Var| v.expand_dims(-1);
        let past = |i: usize| self.coefficients.slice(-1, i..i + 1) * value.slice(-1, p - 1 - i..n - 1 - i);
        let rest = (0..p).fold(value.slice(-1, p..n) - wide(self.constant), |rest, i| rest - past(i));
        let first = (value.slice(-1, 0..p) / wide(self.start_scale)).square().sum_axis(-1);
        let squares = (rest / wide(self.scale)).square().sum_axis(-1);
        let scales = p as f64 * self.start_scale.ln() + (n - p) as f64 * self.scale.ln();
        -0.5 * (first + squares) - scales - n as f64 * LN_SQRT_2PI
    }
    /// Step by step: the tape of a draw grows with the number of steps.
    fn draw(&self, batch: &Shape) -> Var {
        let p = self.order();
        let z = Var::random(Law::Normal, batch.join(&[self.steps]), &[]);
        let mut path: Vec<Var> = (0..p).map(|t| self.start_scale * z.index(-1, t)).collect();
        for t in p..self.steps {
            let start = self.constant + self.scale * z.index(-1, t);
            path.push((0..p).fold(start, |sum, i| sum + self.coefficients.index(-1, i) * path[t - 1 - i]));
        }
        let columns: Vec<Var> = path.iter().map(|x| x.broadcast_to(batch).expand_dims(-1)).collect();
        concat(&columns, -1)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["constant", "scale", "start_scale", "coefficients"],
        good: &[&[0.3, 0.7, 1.5, 0.6], &[0.0, 1.2, 0.4, -0.3]],
        bad: &[
            &[f64::NAN, 0.7, 1.0, 0.6],
            &[0.3, 0.0, 1.0, 0.6],
            &[0.3, 1.0, -1.0, 0.6],
            &[0.3, 0.7, 1.0, f64::INFINITY],
        ],
        build: |p| Box::new(AutoRegressive::new(p[0], vector(&p[3..]), p[1], p[2], 3)),
    }],
};
