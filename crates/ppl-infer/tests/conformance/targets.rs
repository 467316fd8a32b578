//! The catalogue of targets: laws whose expectations are known.

use std::f64::consts::{FRAC_2_PI, PI};

use ppl_core::dist::{Dirichlet, LKJ, Normal, Restricted};
use ppl_core::{Support, model, sample};
use ppl_infer::compiled::CompiledModel;
use ppl_infer::density::Target;

use crate::common::densities::{self, Function};

type Quantity = Box<dyn Fn(&[f64]) -> f64>;
type Constrain = Box<dyn Fn(&[f64]) -> Vec<f64>>;

/// A function of a draw with its expectation.
pub struct Expectation {
    pub name: String,
    pub of: Quantity,
    pub value: f64,
}

/// A target with what is known of it.
pub struct Known {
    pub name: &'static str,
    pub target: Box<dyn Target>,
    /// From unconstrained draws to those that the expectations are of.
    pub constrain: Constrain,
    pub expectations: Vec<Expectation>,
    /// Draws of each chain that it takes to see them.
    pub draws: usize,
    /// Whether the density is finite everywhere.
    pub smooth: bool,
}

/// Probability in each tail that is looked at.
const TAIL: f64 = 0.05;

impl Known {
    fn new(name: &'static str, target: Box<dyn Target>) -> Self {
        let constrain = Box::new(|x: &[f64]| x.to_vec());
        Self { name, target, constrain, expectations: Vec::new(), draws: 1000, smooth: true }
    }

    fn expect(mut self, name: impl Into<String>, value: f64, of: impl Fn(&[f64]) -> f64 + 'static) -> Self {
        self.expectations.push(Expectation { name: name.into(), of: Box::new(of), value });
        self
    }

    /// Mean and variance of a coordinate.
    fn moments(self, j: usize, mean: f64, variance: f64) -> Self {
        self.expect(format!("mean of {j}"), mean, move |x| x[j]).expect(
            format!("variance of {j}"),
            variance,
            move |x| (x[j] - mean).powi(2),
        )
    }

    /// Quantiles of a coordinate: 5 % lie below, 5 % above.
    fn tails(self, j: usize, low: f64, high: f64) -> Self {
        self.expect(format!("lower tail of {j}"), TAIL, move |x| f64::from(u8::from(x[j] < low))).expect(
            format!("upper tail of {j}"),
            TAIL,
            move |x| f64::from(u8::from(x[j] > high)),
        )
    }

    fn draws(self, draws: usize) -> Self {
        Self { draws, ..self }
    }
}

/// The 95 % quantile of a standard normal variable, and of a Student t with five degrees of freedom.
const NORMAL_95: f64 = 1.644_853_626_951_472_7;
const STUDENT_95: f64 = 2.015_048_373_333_024;

pub fn all() -> Vec<Known> {
    vec![
        normal("normal, 1", vec![-3.0], vec![0.02]),
        normal("normal, 10", vec![1.0; 10], densities::log_scales(10, 1.0)),
        normal("normal, 100, scales 1e-2 to 1e2", vec![1.0; 100], densities::log_scales(100, 2.0)),
        correlated(),
        student_t(),
        funnel(),
        banana(),
        mixture(),
        half_space(),
        simplex(),
        ordered(),
        correlation_matrix(),
    ]
}

fn normal(name: &'static str, means: Vec<f64>, scales: Vec<f64>) -> Known {
    let mut known = Known::new(name, densities::normal(name, means.clone(), scales.clone()).target);
    // Ten coordinates tell as much as a hundred.
    let every = means.len().div_ceil(10);
    for (j, (mean, scale)) in means.into_iter().zip(scales).enumerate().step_by(every) {
        let tail = NORMAL_95 * scale;
        known = known.moments(j, mean, scale * scale).tails(j, mean - tail, mean + tail);
    }
    known
}

/// Ten coordinates of variance 1, each two with correlation 0.9.
fn correlated() -> Known {
    let known = Known::new("normal, correlated", densities::equicorrelated(10, 0.9).target);
    let known = known.expect("covariance of 0 and 9", 0.9, |x| x[0] * x[9]);
    [0, 9].into_iter().fold(known, |known, j| known.moments(j, 0.0, 1.0).tails(j, -NORMAL_95, NORMAL_95))
}

/// Independent t(5): variance 5/3. Of the square only the mean and, barely, the variance exist: more draws.
fn student_t() -> Known {
    let known = Known::new("Student t", densities::student_t(3, 5.0).target).draws(2500);
    (0..3).fold(known, |known, j| known.moments(j, 0.0, 5.0 / 3.0).tails(j, -STUDENT_95, STUDENT_95))
}

/// v = 3 z0, x = e^{v/2} z1 with z standard normal: log x^2 = v + log z1^2 has mean psi(1/2) + ln 2 = -1.27036 and variance
/// 9 + pi^2 / 2.
fn funnel() -> Known {
    let mean = -1.270_362_845_461_478;
    let log_square = |z: &[f64]| 3.0 * z[0] + (z[1] * z[1]).ln();
    normal("funnel, non-centred", vec![0.0; 5], vec![1.0; 5]).expect("mean of log x^2", mean, log_square).expect(
        "variance of log x^2",
        9.0 + PI * PI / 2.0,
        move |z| (log_square(z) - mean).powi(2),
    )
}

/// x0 normal, x1 normal around x0^2 - 1. The fourth moment of x1, 225, is beyond most samples' reach.
fn banana() -> Known {
    let target = Function::new(2, |x, g| {
        let residual = x[1] - (x[0] * x[0] - 1.0);
        g[1] = -residual;
        g[0] = -x[0] + 2.0 * x[0] * residual;
        Ok(-0.5 * (x[0] * x[0] + residual * residual))
    });
    let residual = |x: &[f64]| x[1] - x[0] * x[0] + 1.0;
    Known::new("banana", Box::new(target))
        .draws(3000)
        .moments(0, 0.0, 1.0)
        .tails(0, -NORMAL_95, NORMAL_95)
        .expect("mean of 1", 0.0, |x| x[1])
        .expect("variance across", 1.0, move |x| residual(x).powi(2))
        .expect("tail across", TAIL, move |x| f64::from(u8::from(residual(x) > NORMAL_95)))
}

/// 0.3 of a normal law at -1.5 and 0.7 of one at 1.5, both with variance 1, in the first of two coordinates.
fn mixture() -> Known {
    let target = Function::new(2, |x, g| {
        // In units of the second: exp(-(x + 1.5)^2 / 2) over exp(-(x - 1.5)^2 / 2) is exp(-3 x).
        let ratio = 0.3 / 0.7 * (-3.0 * x[0]).exp();
        let share = ratio / (1.0 + ratio);
        g[0] = -(x[0] - 1.5) - 3.0 * if share.is_nan() { 1.0 } else { share };
        g[1] = -x[1];
        let log_sum = if ratio > 1.0 { ratio.ln() + ratio.recip().ln_1p() } else { ratio.ln_1p() };
        Ok(-0.5 * (x[0] - 1.5).powi(2) + log_sum - 0.5 * x[1] * x[1])
    });
    // Mean 0.7 1.5 - 0.3 1.5, variance 1 + 0.7 0.3 3^2; below -1.5 half of one and Phi(-3) of the other.
    Known::new("mixture", Box::new(target)).draws(2500).moments(0, 0.6, 2.89).moments(1, 0.0, 1.0).expect(
        "probability below -1.5",
        0.3 * 0.5 + 0.7 * 0.001_349_898_031_630_095,
        |x| f64::from(u8::from(x[0] < -1.5)),
    )
}

/// Normal, and NaN where x0 < 0: half of the starting points fail, every step across the border is a divergence.
fn half_space() -> Known {
    let target = Function::new(2, |x, g| {
        g.copy_from_slice(&[-x[0], -x[1]]);
        Ok(if x[0] < 0.0 { f64::NAN } else { -0.5 * (x[0] * x[0] + x[1] * x[1]) })
    });
    let known =
        Known::new("NaN in a half space", Box::new(target)).draws(2500).moments(0, FRAC_2_PI.sqrt(), 1.0 - FRAC_2_PI);
    let known = known.moments(1, 0.0, 1.0).expect("probability of x0 < 0", 0.0, |x| f64::from(u8::from(x[0] < 0.0)));
    Known { smooth: false, ..known }
}

model! {
    fn dirichlet() {
        sample!("p", Dirichlet::new([0.7, 2.0, 5.0]));
    }
    fn increasing() {
        sample!("x", Restricted::new(Normal::new([0.0, 0.0, 0.0], 1.0), Support::Ordered));
    }
    fn lkj() {
        sample!("r", LKJ::new(3, 2.0));
    }
}

/// A model's law, in its own coordinates.
fn compiled(name: &'static str, model: Box<dyn ppl_core::Model>) -> Known {
    // Targets live as long as the test program.
    let model: &'static dyn ppl_core::Model = Box::leak(model);
    let compiled: &'static CompiledModel<'static> = Box::leak(Box::new(CompiledModel::new(model).unwrap()));
    let constrain = move |x: &[f64]| {
        let mut out = vec![0.0; compiled.width()];
        compiled.constrain().apply(x, &mut out).unwrap();
        out
    };
    Known { constrain: Box::new(constrain), ..Known::new(name, Box::new(Borrowed(compiled))) }
}

struct Borrowed(&'static CompiledModel<'static>);

impl Target for Borrowed {
    fn dim(&self) -> usize {
        Target::dim(self.0)
    }
    fn density(&self) -> Box<dyn ppl_infer::density::LogDensity + '_> {
        Target::density(self.0)
    }
}

/// Means a / 7.7, variances a (7.7 - a) / (7.7^2 8.7).
fn simplex() -> Known {
    let known = compiled("simplex", Box::new(dirichlet())).draws(2000);
    let known = known.expect("the sum", 1.0, |p| (p.iter().sum::<f64>() * 1e12).round() * 1e-12);
    [0.7, 2.0, 5.0]
        .into_iter()
        .enumerate()
        .fold(known, |known, (j, a)| known.moments(j, a / 7.7, a * (7.7 - a) / (7.7 * 7.7 * 8.7)))
}

/// Order statistics of three standard normal variables: the extreme ones have mean 3 / (2 sqrt(pi)) and variance
/// 1 - mean^2 + sqrt(3) / (2 pi), the middle one has variance 1 - sqrt(3) / pi.
fn ordered() -> Known {
    let (mean, share) = (1.5 / PI.sqrt(), 3f64.sqrt() / PI);
    compiled("ordered", Box::new(increasing()))
        .draws(2000)
        .moments(0, -mean, 1.0 + 0.5 * share - mean * mean)
        .moments(1, 0.0, 1.0 - share)
        .moments(2, mean, 1.0 + 0.5 * share - mean * mean)
}

/// LKJ(2) of three variables: (r + 1) / 2 of each correlation is Beta(2.5, 2.5), whose variance is 1/24.
fn correlation_matrix() -> Known {
    let known = compiled("correlation matrix", Box::new(lkj())).draws(2000);
    [1, 2, 5].into_iter().fold(known, |known, j| known.moments(j, 0.0, 4.0 / 24.0))
}
