//! Differential equations, hidden Markov chains, recurrences and covariance functions against what is known of them.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, Array3, array};
use ppl_autodiff::check::check_gradient;
use ppl_autodiff::{Var, concat, trace, value_and_grad};
use ppl_core::gp;
use ppl_core::hmm::log_marginal;
use ppl_core::ode::{DormandPrince, Rk4, Solver, solve};
use ppl_core::recurrence::linear_recurrence;

fn value(f: impl Fn() -> Var) -> f64 {
    value_and_grad(|x: Var| f() + 0.0 * x, 0.0).unwrap().0
}

/// Numbers without a pattern, from -1 to 1.
fn some(i: usize) -> f64 {
    ((i as f64 * 0.618_033_988_75).fract() - 0.5) * 2.0
}

#[test]
fn a_linear_recurrence_is_its_loop() {
    for steps in [1, 2, 3, 7, 8, 33] {
        let (decay, input): (Vec<f64>, Vec<f64>) = (0..steps).map(|i| (some(i + 1), some(3 * i + 2))).unzip();
        let mut x = 0.7;
        for (t, (a, b)) in decay.iter().zip(&input).enumerate() {
            x = a * x + b;
            let got = value(|| linear_recurrence(0.7, decay.clone(), input.clone()).index(-1, t));
            assert!((got - x).abs() < 1e-14, "{steps} steps, step {t}: {got}, not {x}");
        }
    }
}

#[test]
fn a_linear_recurrence_takes_batches_and_has_its_gradient() {
    // start [2], one decay for each of two series, four inputs each.
    let all = |x: Var| {
        let (start, decay) = (x.slice(0, 0..2), x.slice(0, 2..4).expand_dims(-1));
        let paths = linear_recurrence(start, decay, x.slice(0, 4..12).reshape([2, 4]));
        (paths * paths.sin()).sum()
    };
    let x = Array1::from_shape_fn(12, |i| some(i + 5));
    check_gradient(all, &x, 1e-8).unwrap();
    // From 2 with decay 0.1: 1.2, 1.12, 1.112.
    let both = || linear_recurrence([1.0, 2.0], &array![[0.5], [0.1]], Array2::from_elem((2, 3), 1.0));
    let second = value(|| both().index(0, 1).index(0, 2));
    assert!((second - 1.112).abs() < 1e-15);
}

/// The sum over all paths of hidden states, one by one.
fn by_paths(initial: &Array1<f64>, transition: &Array3<f64>, emission: &Array2<f64>) -> f64 {
    let (steps, states) = emission.dim();
    let path = |mut code: usize| {
        let mut ln_p = 0.0;
        let mut before = None;
        for t in 0..steps {
            let z = code % states;
            code /= states;
            ln_p += before.map_or(initial[z], |b| transition[[t - 1, b, z]]) + emission[[t, z]];
            before = Some(z);
        }
        f64::exp(ln_p)
    };
    (0..states.pow(steps as u32)).map(path).sum::<f64>().ln()
}

#[test]
fn a_hidden_chain_is_the_sum_over_its_paths() {
    // 2 and 3 states go pairwise, 9 step by step; even and odd numbers of steps.
    for (steps, states) in [(1, 2), (2, 2), (3, 2), (6, 3), (7, 3), (8, 2), (4, 9)] {
        let initial = Array1::from_shape_fn(states, some);
        let transition = Array3::from_shape_fn((steps - 1, states, states), |(t, j, k)| some(7 * t + 3 * j + k));
        let emission = Array2::from_shape_fn((steps, states), |(t, k)| some(5 * t + 2 * k + 1));
        let wanted = by_paths(&initial, &transition, &emission);
        let got = value(|| log_marginal(&initial, &transition, &emission));
        assert!((got - wanted).abs() < 1e-13, "{steps} steps, {states} states: {got}, not {wanted}");
    }
}

#[test]
fn a_hidden_chain_with_one_matrix_is_one_with_equal_matrices() {
    let (initial, matrix) = (array![-0.3, -1.0], array![[-0.1, -2.0], [-1.5, -0.2]]);
    let emission = Array2::from_shape_fn((5, 2), |(t, k)| some(3 * t + k));
    let each = Array3::from_shape_fn((4, 2, 2), |(_, j, k)| matrix[[j, k]]);
    let one = value(|| log_marginal(&initial, &matrix, &emission));
    assert!((one - value(|| log_marginal(&initial, &each, &emission))).abs() < 1e-14);
}

#[test]
fn a_hidden_chain_takes_batches_and_has_its_gradient() {
    // Two series of four steps, one transition matrix; the loop over series is the test.
    let parts = |x: Var| (x.slice(0, 0..2), x.slice(0, 2..6).reshape([2, 2]), x.slice(0, 6..22).reshape([2, 4, 2]));
    let batched = |x: Var| {
        let (initial, matrix, emission) = parts(x);
        log_marginal(initial, matrix, emission).sum()
    };
    let looped = |x: Var| {
        let (initial, matrix, emission) = parts(x);
        log_marginal(initial, matrix, emission.index(0, 0)) + log_marginal(initial, matrix, emission.index(0, 1))
    };
    let x = Array1::from_shape_fn(22, |i| some(i + 3));
    let (a, b) = (value_and_grad(batched, &x).unwrap(), value_and_grad(looped, &x).unwrap());
    assert!((a.0 - b.0).abs() < 1e-14);
    assert!(a.1.iter().zip(&b.1).all(|(a, b)| (a - b).abs() < 1e-14));
    check_gradient(batched, &x, 1e-8).unwrap();
}

#[test]
fn a_state_that_cannot_be_has_no_slope() {
    // Never from the first state to the second: -inf among the transitions, finite slopes elsewhere.
    let chain = |x: Var| {
        let never = Var::from([f64::NEG_INFINITY]);
        let matrix = concat(&[x.slice(0, 0..1), never, x.slice(0, 1..3)], 0).reshape([2, 2]);
        log_marginal([0.0, 0.0], matrix, x.slice(0, 3..11).reshape([4, 2]))
    };
    let (value, slopes) = value_and_grad(chain, Array1::from_shape_fn(11, some)).unwrap();
    assert!(value.is_finite() && slopes.iter().all(|s| s.is_finite()), "{value}, {slopes}");
}

#[test]
fn emissions_without_steps_are_a_mistake() {
    let wrong = || log_marginal([0.0, 0.0], [0.0, 0.0], [0.0, 0.0]);
    assert!(trace(wrong).is_err());
}

#[test]
fn covariance_functions_have_their_values() {
    // Points 0 and 1.5, amplitude 2, length 0.5: distance r = 3.
    type Kernel = fn(Var, Var) -> Var;
    let r = 3.0_f64;
    let (m3, m5) = (3.0_f64.sqrt() * r, 5.0_f64.sqrt() * r);
    let kernels: [(Kernel, f64); 6] = [
        (|x, z| gp::exponentiated_quadratic(x, z, 2.0, 0.5), 4.0 * (-r * r / 2.0).exp()),
        (|x, z| gp::exponential(x, z, 2.0, 0.5), 4.0 * (-r).exp()),
        (|x, z| gp::matern32(x, z, 2.0, 0.5), 4.0 * (1.0 + m3) * (-m3).exp()),
        (|x, z| gp::matern52(x, z, 2.0, 0.5), 4.0 * (1.0 + m5 + m5 * m5 / 3.0) * (-m5).exp()),
        (|x, z| gp::periodic(x, z, 2.0, 0.5, 4.0), 4.0 * (-2.0 * ((PI * 1.5 / 4.0).sin() / 0.5).powi(2)).exp()),
        // Points from 1 on, so that products are not 0.
        (|x, z| gp::dot_product(x + 1.0, z + 1.0, 2.0), 4.0 * 2.5),
    ];
    for (i, (kernel, wanted)) in kernels.into_iter().enumerate() {
        let got = value(|| kernel([0.0].into(), [1.5].into()).sum());
        assert!((got - wanted).abs() < 1e-14, "kernel {i}: {got}, not {wanted}");
    }
}

#[test]
fn covariance_functions_take_coordinates_and_have_finite_slopes_where_points_agree() {
    // Two coordinates with a length each: r^2 = (1 / 2)^2 + (2 / 4)^2.
    let (x, z) = (array![[0.0, 0.0]], array![[1.0, 2.0]]);
    let got = value(|| gp::exponentiated_quadratic(&x, &z, 1.0, [2.0, 4.0]).sum());
    assert!((got - (-0.25_f64).exp()).abs() < 1e-15);
    // Points, amplitude and length latent; the diagonal has distance 0, where a root has no derivative.
    type Kernel = fn(Var, Var, Var, Var) -> Var;
    let kernels: [Kernel; 4] = [gp::matern32, gp::matern52, gp::exponential, gp::exponentiated_quadratic];
    for kernel in kernels {
        let f = |v: Var| {
            let points = v.slice(0, 2..5);
            (kernel(points, points, v.index(0, 0), v.index(0, 1))
                * Var::from(array![[1.0, 2.0, 3.0], [2.0, 1.0, -1.0], [3.0, -1.0, 2.0]]))
            .sum()
        };
        check_gradient(f, &array![1.3, 0.7, 0.1, 0.9, 2.0], 1e-7).unwrap();
    }
}

/// The angle and the speed of a harmonic oscillator of frequency w from (1, 0) at some times.
fn oscillator(solver: impl Solver, w: Var, times: &[f64]) -> Vec<Var> {
    solve(solver, |_, y| vec![y[1], -w.square() * y[0]], 0.0, &[1.0.into(), 0.0.into()], times)
}

#[test]
fn runge_kutta_is_of_fourth_order() {
    // cos(w t) and its derivative in w, -t sin(w t), at w = 1.3, t = 3: halving the step divides errors by 16.
    let error = |step: f64| {
        let (y, slope) = value_and_grad(|w| oscillator(Rk4::step(step), w, &[3.0])[0].sum(), 1.3).unwrap();
        [(y - 3.9_f64.cos()).abs(), (slope.sum() + 3.0 * 3.9_f64.sin()).abs()]
    };
    let (coarse, fine) = (error(0.05), error(0.025));
    for (c, f) in coarse.into_iter().zip(fine) {
        assert!(f < 1e-6 && (c / f - 16.0).abs() < 1.5, "errors {c:e} and {f:e}");
    }
}

#[test]
fn dormand_prince_keeps_its_tolerance() {
    for tolerance in [1e-4, 1e-6, 1e-9] {
        let solver = DormandPrince::new(tolerance, tolerance, 60);
        let all = |w: Var| oscillator(solver, w, &[0.5, 2.0])[0].index(0, 1);
        let (y, slope) = value_and_grad(all, 1.3).unwrap();
        let errors = [(y - 2.6_f64.cos()).abs(), (slope.sum() + 2.0 * 2.6_f64.sin()).abs()];
        // Local errors of a few steps add up; and a tolerance that is kept is not wasted by far either.
        assert!(errors.iter().all(|&e| e < 10.0 * tolerance), "{tolerance:e}: errors {errors:?}");
    }
}

#[test]
fn dormand_prince_takes_small_steps_only_where_it_must() {
    // A bump of width 0.1 at t = 1 on the slope: its integral is 0.1 sqrt(pi), and y(3) = y(0) + that.
    let bump = |t: Var, _: &[Var]| vec![(-((t - 1.0) / 0.1).square()).exp()];
    let solved = |attempts| {
        let solver = DormandPrince::new(1e-7, 1e-9, attempts);
        value(|| solve(solver, bump, 0.0, &[0.0.into()], &[0.5, 3.0])[0].index(0, 1))
    };
    assert!((solved(60) - 0.1 * PI.sqrt()).abs() < 1e-6, "{}", solved(60));
    // Not done in time: no solution rather than a wrong one.
    assert!(solved(4).is_nan());
}

#[test]
fn solvers_agree_on_predators_and_prey_and_on_their_gradient() {
    let times: Vec<f64> = (1..=5).map(f64::from).collect();
    let system = |x: Var| {
        let rates: Vec<Var> = (0..4).map(|i| x.index(0, i)).collect();
        move |_: Var, z: &[Var]| vec![(rates[0] - rates[1] * z[1]) * z[0], (rates[3] * z[0] - rates[2]) * z[1]]
    };
    let start = |x: Var| [x.index(0, 4), x.index(0, 5)];
    let fixed = |x: Var| solve(Rk4::step(0.02), system(x), 0.0, &start(x), &times)[1].ln().sum();
    let adaptive = |x: Var| solve(DormandPrince::new(1e-9, 1e-9, 40), system(x), 0.0, &start(x), &times)[1].ln().sum();
    let x = array![0.55, 0.028, 0.8, 0.024, 34.0, 5.9];
    let (a, b) = (value_and_grad(fixed, &x).unwrap(), value_and_grad(adaptive, &x).unwrap());
    assert!((a.0 - b.0).abs() < 1e-6, "{} and {}", a.0, b.0);
    for (a, b) in a.1.iter().zip(&b.1) {
        assert!((a - b).abs() < 1e-5 * a.abs().max(1.0), "{a} and {b}");
    }
    check_gradient(fixed, &x, 1e-6).unwrap();
}

#[test]
fn components_may_be_arrays() {
    // Three decays side by side, and a number that sums them up.
    let solved = |k: Var| {
        let slope = |_: Var, y: &[Var]| vec![-k * y[0], y[0].sum()];
        let y = solve(Rk4::step(0.01), slope, 1.0, &[[1.0, 2.0, 3.0].into(), 0.0.into()], &[1.0, 1.5, 2.0]);
        assert_eq!((y[0].shape(), y[1].shape()), ([3, 3].into(), [3].into()));
        y[0].index(0, 2).sum() + y[1].index(0, 2)
    };
    let (got, _) = value_and_grad(solved, &array![1.0, 0.5, 2.0]).unwrap();
    let decayed =
        [(1.0, 1.0), (2.0, 0.5), (3.0, 2.0)].map(|(y, k): (f64, f64)| y * (-k).exp() + y * (1.0 - (-k).exp()) / k);
    assert!((got - decayed.iter().sum::<f64>()).abs() < 1e-8);
}

#[test]
fn wrong_times_and_slopes_are_mistakes() {
    let falling = |_: Var, y: &[Var]| vec![-y[0]];
    let mistake = |f: &dyn Fn()| trace(f).err().unwrap().to_string();
    let backwards = mistake(&|| drop(solve(Rk4::step(0.1), falling, 0.0, &[1.0.into()], &[1.0, 0.5])));
    assert!(backwards.contains("times"), "{backwards}");
    let short = mistake(&|| drop(solve(Rk4::step(0.1), |_, _| vec![], 0.0, &[1.0.into()], &[1.0])));
    assert!(short.contains("slope"), "{short}");
    let step = mistake(&|| drop(solve(Rk4::step(0.0), falling, 0.0, &[1.0.into()], &[1.0])));
    assert!(step.contains("step"), "{step}");
    let attempts = mistake(&|| drop(solve(DormandPrince::new(1e-6, 1e-6, 0), falling, 0.0, &[1.0.into()], &[1.0])));
    assert!(attempts.contains("attempts"), "{attempts}");
}
