//! Optimisers and gradients of the ELBO against reference values, and the variance of gradients on a quadratic.
//!
//! Values of `reference/algorithms.json`, computed in Python from the formulas of the papers.

use ppl_autodiff::random::{Philox, Purpose};
use ppl_infer::variational::family::{Family, FullRank, MeanField};
use ppl_infer::variational::optimiser::{AdagradWindow, Adam, Optimiser, RmsProp, StanAdagrad};
use ppl_infer::variational::{Estimator, Objective, Scale};
use serde_json::Value;

mod common;
use common::densities::Function;

fn reference(part: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("reference/algorithms.json")).unwrap();
    all[part].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

/// Rounding of a few dozen operations.
fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= 1e-11 * (1.0 + w.abs()), "{got:?}\n{want:?}");
    }
}

#[test]
fn optimisers_take_the_reference_steps() {
    let want = reference("optimizers");
    let window = AdagradWindow::default();
    for (key, sign, optimiser) in [
        ("adagrad_window_lr1e3_eps0p1_n10", 1.0, Optimiser::from(window)),
        ("adagrad_window_n3", 1.0, AdagradWindow { window: 3, ..window }.into()),
        ("adam_lr1e3", 1.0, Adam::default().into()),
        ("rmsprop_lr1e2", 1.0, RmsProp::new(1e-2).into()),
        // Given as an ascent.
        ("stan_advi_ascent_eta0p1", -1.0, StanAdagrad::new(0.1).into()),
    ] {
        let mut params = numbers(&want["theta0"]);
        let mut state = optimiser.state(params.len());
        for (gradient, after) in want["grads"].as_array().unwrap().iter().zip(want[key].as_array().unwrap()) {
            let gradient: Vec<f64> = numbers(gradient).iter().map(|g| sign * g).collect();
            optimiser.update(&mut state, 1.0, &mut params, &gradient);
            close(&params, &numbers(after));
        }
    }
}

/// The banana of the reference file, without constants.
fn banana(x: &[f64], g: &mut [f64]) -> f64 {
    let off = (x[1] - 0.5 * x[0] * x[0]) / 0.16;
    g[0] = -x[0] + off * x[0];
    g[1] = -off;
    g[2] = -x[2] / 9.0;
    -0.5 * x[0] * x[0] - 0.5 * 0.16 * off * off - x[2] * x[2] / 18.0
}

#[test]
fn gradients_of_the_elbo() {
    let want = reference("advi");
    let target = Function::new(3, |x, g| Ok(banana(x, g)));
    let noise: Vec<Vec<f64>> = want["eps"].as_array().unwrap().iter().map(numbers).collect();
    let mu = numbers(&want["mu"]);
    let run = |family: &mut dyn Family, params: &[f64], estimator| -> (f64, Vec<f64>) {
        family.update(params);
        let mut gradient = vec![0.0; params.len()];
        let mut objective = Objective::new(family, estimator, false);
        let elbo = objective.estimate_at(&mut target.evaluator(), family, params, &noise, &mut gradient).unwrap();
        (elbo, gradient)
    };
    let join = |a: &[f64], b: &[f64]| [a, b].concat();

    let params = join(&mu, &numbers(&want["rho"]));
    let (elbo, gradient) = run(&mut MeanField::new(3, Scale::Softplus), &params, Estimator::Reparameterised);
    close(&[elbo], &numbers(&want["elbo_analytic_entropy"]));
    close(&gradient, &join(&numbers(&want["grad_mu"]), &numbers(&want["grad_rho"])));
    let (_, gradient) = run(&mut MeanField::new(3, Scale::Softplus), &params, Estimator::StickingTheLanding);
    close(&gradient, &join(&numbers(&want["stl_grad_mu"]), &numbers(&want["stl_grad_rho"])));

    let params = join(&mu, &numbers(&want["log_sigma"]));
    let (_, gradient) = run(&mut MeanField::new(3, Scale::Exp), &params, Estimator::Reparameterised);
    close(&gradient[3..], &numbers(&want["grad_log_sigma"]));

    let lower = |m: Vec<f64>| vec![m[0], m[3], m[4], m[6], m[7], m[8]];
    let params = join(&mu, &lower(numbers(&want["L"])));
    let (elbo, gradient) = run(&mut FullRank::new(3), &params, Estimator::Reparameterised);
    close(&[elbo], &numbers(&want["fullrank_elbo"]));
    close(&gradient, &join(&numbers(&want["fullrank_grad_mu"]), &lower(numbers(&want["fullrank_grad_L"]))));
}

/// With log p = -lambda (x - m)^2 / 2 the gradient by mu is -lambda (mu + sigma z - m): variance (lambda sigma)^2 for
/// one draw; (lambda sigma - 1/sigma)^2 when sticking the landing, which is 0 at the optimum; 0 for an antithetic pair.
/// 20,000 estimates: five standard errors of a variance are 5 sqrt(2 / 20,000) = 5 %.
#[test]
fn gradients_vary_as_predicted_on_a_quadratic() {
    let (lambda, m) = (4.0, 1.5);
    let target = Function::new(1, |x, g| {
        g[0] = -lambda * (x[0] - m);
        Ok(-0.5 * lambda * (x[0] - m) * (x[0] - m))
    });
    let variance = |sigma: f64, estimator, antithetic: bool| {
        let mut family = MeanField::new(1, Scale::Exp);
        let params = [0.3, sigma.ln()];
        family.update(&params);
        let mut objective = Objective::new(&family, estimator, antithetic);
        let mut gradient = [0.0; 2];
        let mut estimate = |i| {
            let mut random = Philox::new(3, Purpose::Variational, 0, i);
            let draws = if antithetic { 2 } else { 1 };
            let density = &mut target.evaluator();
            objective.estimate(density, &mut family, &params, &mut random, draws, &mut gradient).unwrap();
            gradient[0]
        };
        let all: Vec<f64> = (0..20_000).map(&mut estimate).collect();
        let mean = all.iter().sum::<f64>() / 20_000.0;
        // Unbiased: -lambda (mu - m) = 4.8, whatever the estimate.
        assert!((mean - 4.8).abs() < 5.0 * lambda * sigma / 20_000f64.sqrt() + 1e-12, "{mean}");
        all.iter().map(|g| (g - mean) * (g - mean)).sum::<f64>() / 19_999.0
    };
    use Estimator::{Reparameterised, StickingTheLanding};
    for (sigma, estimator, antithetic, want) in [
        (0.7, Reparameterised, false, 2.8 * 2.8),
        (0.7, StickingTheLanding, false, (2.8f64 - 1.0 / 0.7).powi(2)),
        (0.5, Reparameterised, false, 4.0),
        (0.5, StickingTheLanding, false, 0.0),
        (0.7, Reparameterised, true, 0.0),
    ] {
        let got = variance(sigma, estimator, antithetic);
        assert!((got - want).abs() <= 0.05 * want + 1e-20, "{estimator:?} at {sigma}: {got} {want}");
    }
}
