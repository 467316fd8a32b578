//! Latent values between 0 and 1 so near to an end that they round to it: log-density and gradient keep the digits of the
//! coordinate u, of which the value is the logistic function s(u).

use std::f64::consts::{LN_2, PI};

use ppl_autodiff::{Program, Var, gradient};
use ppl_core::dist::{Beta, Dirichlet, Kumaraswamy, LogitNormal, Masked, RelaxedBernoulli, StickBreakingWeights};
use ppl_core::model::{FnModel, ModelTrace};
use ppl_core::{Distribution, sample};

const POINTS: [f64; 10] = [-700.0, -100.0, -40.0, -3.0, -0.2, 0.4, 5.0, 40.0, 100.0, 700.0];
/// Rounding errors allowed, in units of `2^-52` times the largest term; the log-Jacobian is one.
const UNITS: f64 = 8.0;

/// Log-density over unconstrained space and its gradient, of a latent site at a point.
fn density<D: Distribution>(law: impl Fn() -> D + Send + Sync, point: &[f64]) -> (f64, Vec<f64>) {
    let model = FnModel::new("one site", || sample("x", &law));
    let (terms, trace) = ModelTrace::unconstrained(&model, point).unwrap().terms().unwrap();
    let (outputs, trace) = trace
        .extend(|sites| {
            let value = terms.log_density();
            let at: Vec<Var> = sites.iter().filter_map(|s| Some(s.unconstrained?.0)).collect();
            [value, gradient(value, &at)[0]]
        })
        .unwrap();
    let program = Program::<f64>::compile(trace.traced().tape(), &[&outputs[..1], &outputs[1..]]);
    let (mut value, mut slope) = ([f64::NAN], vec![f64::NAN; point.len()]);
    program.evaluate(&mut program.workspace(), &[point], &mut [&mut value, &mut slope]);
    (value[0], slope)
}

/// `ln(1 + e^x)`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// s(x), with its own digits at both ends.
fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x > 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

/// Compares a law with the terms of its log-density in u and with its slope.
fn check<D: Distribution>(
    name: &str,
    law: impl Fn() -> D + Send + Sync,
    terms: impl Fn(f64) -> Vec<f64>,
    slope: impl Fn(f64) -> [f64; 2],
) {
    for u in POINTS {
        let (value, slopes) = density(&law, &[u]);
        let near = |what: &str, got: f64, terms: &[f64], least: f64| {
            let want: f64 = terms.iter().sum();
            let size = terms.iter().fold(least, |m, t| m.max(t.abs()));
            let error = (got - want).abs() / (f64::EPSILON * size);
            assert!(error <= UNITS, "{what} of {name} at {u}: {got}, not {want}: {error} units");
        };
        near("value", value, &terms(u), softplus(u) + softplus(-u));
        near("slope", slopes[0], &slope(u), 0.0);
    }
}

#[test]
fn beta_keeps_its_digits() {
    // ln B(2, 3) = -ln 12, ln B(1/2, 1/2) = ln pi, ln B(12, 11) = ln(11! 10! / 22!).
    let factorial = |n: u32| (1..=n).map(|k| f64::from(k).ln()).sum::<f64>();
    let large = factorial(11) + factorial(10) - factorial(22);
    for (a, b, ln_beta) in [(2.0, 3.0, -12f64.ln()), (0.5, 0.5, PI.ln()), (1.0, 1.0, 0.0), (12.0, 11.0, large)] {
        let terms = |u: f64| vec![-a * softplus(-u), -b * softplus(u), -ln_beta];
        let slope = |u: f64| [a * sigmoid(-u), -b * sigmoid(u)];
        check("Beta", || Beta::new(a, b), terms, slope);
        check("Beta", || Masked::new(Beta::new(a, b).expand([1]), 1.0).to_event(1).expand([1]), terms, slope);
    }
}

/// With `q = -a ln s(u)`: `ln(a b) + a ln s(u) + ln s(-u) + (b - 1) ln(1 - e^-q)`.
#[test]
fn kumaraswamy_keeps_its_digits() {
    for (a, b) in [(2.0f64, 5.0f64), (0.7, 0.8)] {
        let q = |u: f64| a * softplus(-u);
        let ln_left = |q: f64| if q < LN_2 { (-(-q).exp_m1()).ln() } else { (-(-q).exp()).ln_1p() };
        let terms = |u: f64| vec![(a * b).ln(), -q(u), -softplus(u), (b - 1.0) * ln_left(q(u))];
        let slope = |u: f64| [a * sigmoid(-u) - (b - 1.0) * a * sigmoid(-u) / q(u).exp_m1(), -sigmoid(u)];
        check("Kumaraswamy", || Kumaraswamy::new(a, b), terms, slope);
    }
}

#[test]
fn laws_of_the_log_odds_keep_their_digits() {
    let (m, s) = (0.5, 2.0);
    let z = |u: f64| (u - m) / s;
    let terms = |u: f64| vec![-0.5 * z(u) * z(u), -f64::ln(s), -0.5 * (2.0 * PI).ln()];
    check("LogitNormal", || LogitNormal::new(m, s), terms, |u| [-z(u) / s, 0.0]);

    let (t, logits) = (0.7, 0.4);
    let z = |u: f64| t * u - logits;
    let terms = |u: f64| vec![f64::ln(t), -softplus(z(u)), -softplus(-z(u))];
    let slope = |u: f64| [t * sigmoid(-z(u)), -t * sigmoid(z(u))];
    check("RelaxedBernoulli", || RelaxedBernoulli::logits(t, logits), terms, slope);
}

/// Two pieces of a stick: the first is s(u).
#[test]
fn broken_sticks_keep_their_digits() {
    let (a, b) = (2.0, 3.0);
    let terms = |u: f64| vec![-a * softplus(-u), -b * softplus(u), 12f64.ln()];
    let slope = |u: f64| [a * sigmoid(-u), -b * sigmoid(u)];
    check("Dirichlet", || Dirichlet::new([a, b]), terms, slope);
    let terms = |u: f64| vec![f64::ln(b), -softplus(-u), -b * softplus(u)];
    let slope = |u: f64| [sigmoid(-u), -b * sigmoid(u)];
    check("StickBreakingWeights", || StickBreakingWeights::new(b, 2), terms, slope);
}
