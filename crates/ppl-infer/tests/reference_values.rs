//! Parts of the sampler against numbers made by an independent implementation (NumPy, float64) of the formulas.

use ndarray::Array2;
use serde_json::Value;

use ppl_infer::adapt::{
    DualAveraging, FisherAction, FisherDiagonal, FisherSchedule, StanWindows, WelfordDense, WelfordDiagonal,
};
use ppl_infer::dynamics::{Metric, Point, leapfrog};

mod common;
use common::densities::Function;

/// Relative tolerance of every comparison: a few hundred roundings.
const TOLERANCE: f64 = 1e-12;

fn reference(key: &str) -> Value {
    let mut all: Value = serde_json::from_str(include_str!("reference/algorithms.json")).unwrap();
    all[key].take()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect()
}

fn close(got: f64, want: f64) {
    assert!((got - want).abs() <= TOLERANCE * (1.0 + want.abs()), "{got} against {want}");
}

fn all_close(got: impl IntoIterator<Item = f64>, want: &[f64]) {
    let got: Vec<f64> = got.into_iter().collect();
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(g, w)| close(*g, *w));
}

/// logp = -x0^2/2 - ((x1 - x0^2/2)/0.4)^2/2 - (x2/3)^2/2
fn banana(x: &[f64], g: &mut [f64]) -> f64 {
    let r = (x[1] - 0.5 * x[0] * x[0]) / 0.16;
    g.copy_from_slice(&[-x[0] + r * x[0], -r, -x[2] / 9.0]);
    -0.5 * x[0] * x[0] - 0.5 * 0.16 * r * r - 0.5 * (x[2] / 3.0).powi(2)
}

#[test]
fn leapfrog_trajectory_under_diagonal_and_dense_metric() {
    let want = reference("leapfrog");
    let inverse_mass = numbers(&want["inv_mass"]);
    let step = want["step"].as_f64().unwrap();
    let target = Function::new(3, |x, g| Ok(banana(x, g)));
    let dense = Array2::from_diag(&ndarray::Array1::from(inverse_mass.clone()));
    for metric in [Metric::diagonal(inverse_mass.clone()).unwrap(), Metric::dense(dense).unwrap()] {
        let mut from = Point::new(3);
        from.position = numbers(&want["q0"]);
        from.momentum = numbers(&want["p0"]).iter().zip(&inverse_mass).map(|(p, v)| p * v.sqrt()).collect();
        from.log_density = banana(&from.position, &mut from.gradient);
        from.start(&metric);
        let initial = from.energy;
        close(initial, want["H0"].as_f64().unwrap());
        let mut to = Point::new(3);
        for step_wanted in want["steps"].as_array().unwrap() {
            leapfrog(&mut target.evaluator(), &metric, step, &from, &mut to).unwrap();
            all_close(to.position.iter().copied(), &numbers(&step_wanted["q"]));
            let momenta = to.momentum.iter().zip(&inverse_mass).map(|(z, v)| z / v.sqrt());
            all_close(momenta, &numbers(&step_wanted["p"]));
            close(to.energy - initial, step_wanted["energy_error"].as_f64().unwrap());
            std::mem::swap(&mut from, &mut to);
        }
        assert_eq!(from.index, 8);
    }
}

#[test]
fn dual_averaging_sequence() {
    let want = reference("dual_averaging");
    let mut adaptation = DualAveraging::new(want["eps0"].as_f64().unwrap(), want["delta"].as_f64().unwrap());
    assert_eq!(adaptation.averaged_step_size(), 0.5);
    for (statistic, pair) in numbers(&want["accept_stat"]).iter().zip(rows(&want["log_eps_and_log_eps_bar"])) {
        adaptation.update(*statistic);
        close(adaptation.step_size().ln(), pair[0]);
        close(adaptation.averaged_step_size().ln(), pair[1]);
    }
}

#[test]
fn stan_windows() {
    let want = reference("stan_windows");
    for (iterations, want) in want.as_object().unwrap() {
        let iterations = iterations.parse().unwrap();
        let windows = StanWindows::new(iterations);
        let size = |key: &str| want[key].as_u64().unwrap() as usize;
        assert_eq!((windows.init, windows.term, windows.base), (size("init"), size("term"), size("base")));
        assert_eq!(windows.ends, sizes(&want["window_ends"]), "{iterations} iterations");
        let used = (0..iterations).filter(|i| windows.contains(*i)).count();
        assert_eq!(used, iterations - windows.init - windows.term);
    }
    for iterations in 0..20 {
        let windows = StanWindows::new(iterations);
        assert!(windows.ends.is_empty() && (0..iterations).all(|i| !windows.contains(i)));
    }
}

#[test]
fn fisher_schedule() {
    let want = reference("nutpie_windows");
    for (iterations, want) in want.as_object().unwrap() {
        let iterations: usize = iterations.parse().unwrap();
        let mut schedule = FisherSchedule::new(iterations);
        let size = |key: &str| want[key].as_u64().unwrap() as usize;
        assert_eq!(schedule.phases(), (size("early_end"), size("final_step_size_window")));
        let (mut switches, mut late_from) = (Vec::new(), None);
        for iteration in 0..iterations {
            let action = schedule.advance(iteration, true);
            assert_eq!(action == FisherAction::Keep, iteration >= size("final_step_size_window"));
            if action == FisherAction::Switch {
                switches.push(iteration);
            }
            if schedule.is_late() && late_from.is_none() {
                late_from = Some(iteration);
            }
        }
        assert_eq!(switches, sizes(&want["switch_draws"]));
        assert_eq!(late_from, Some(size("late_from")));
    }
}

#[test]
fn metric_estimates() {
    let want = reference("mass_matrix");
    let (draws, gradients) = (rows(&want["draws"]), rows(&want["grads"]));
    let (mut diagonal, mut dense, mut fisher) = (WelfordDiagonal::new(3), WelfordDense::new(3), FisherDiagonal::new(3));
    // Estimates begin anew after `clear`.
    diagonal.add(&[9.0, 9.0, 9.0]);
    dense.add(&[9.0, 9.0, 9.0]);
    fisher.add(&[9.0, 9.0, 9.0], &[1.0, 2.0, 3.0]);
    diagonal.clear();
    dense.clear();
    fisher.clear();
    for (draw, gradient) in draws.iter().zip(&gradients) {
        diagonal.add(draw);
        dense.add(draw);
        fisher.add(draw, gradient);
    }
    assert_eq!((diagonal.count(), dense.count(), fisher.count()), (12, 12, 12));
    all_close(diagonal.regularised(), &numbers(&want["stan_diag"]));
    all_close(dense.regularised(), &rows(&want["stan_dense"]).concat());
    all_close(fisher.inverse_mass(), &numbers(&want["fisher_diag_sigma2"]));
    all_close(fisher.location(), &numbers(&want["fisher_diag_mean"]));
    all_close(FisherDiagonal::guess(&gradients[0]), &numbers(&want["initial_from_gradient"]));
}

/// For independent normal coordinates gradients are linear in draws, so two draws give the variances exactly.
#[test]
fn fisher_is_exact_for_a_normal_target() {
    let variances = [4.0, 0.25, 1e6];
    let mut fisher = FisherDiagonal::new(3);
    for x in [[0.3, 1.0, -5.0], [-1.1, 0.2, 40.0]] {
        let gradient: Vec<f64> = x.iter().zip(variances).map(|(x, v)| -x / v).collect();
        fisher.add(&x, &gradient);
    }
    all_close(fisher.inverse_mass(), &variances);
}
