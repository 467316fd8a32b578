//! Laws of the leapfrog integrator: it goes back the way it came, and its energy error is of second order.

use ndarray::array;
use ppl_infer::density::DensityError;
use ppl_infer::dynamics::{Drift, Flow, Layout, Metric, Point, leapfrog};

mod common;
use common::densities::Function;

fn quartic(x: &[f64], g: &mut [f64]) -> Result<f64, DensityError> {
    let coupling = x[0] * x[1];
    g[0] = -x[0].powi(3) - 0.3 * x[1] * coupling;
    g[1] = -x[1] - 0.3 * x[0] * coupling;
    Ok(-0.25 * x[0].powi(4) - 0.5 * x[1] * x[1] - 0.15 * coupling * coupling)
}

#[allow(clippy::single_range_in_vec_init, reason = "blocks are lists of ranges")]
fn metrics() -> [Metric; 4] {
    let layout = Layout::new(2, vec![vec![0..2]]).unwrap();
    [
        Metric::diagonal(vec![0.5, 2.0]).unwrap(),
        Metric::dense(array![[0.5, 0.3], [0.3, 2.0]]).unwrap(),
        Metric::low_rank(vec![0.7, 1.3], &array![[0.6, -0.8]], vec![2.5]).unwrap(),
        Metric::blocks(layout, vec![1.0; 2], vec![array![[0.6, -0.2], [-0.2, 1.1]]]).unwrap(),
    ]
}

/// Every metric with every drift.
fn flows() -> Vec<(Metric, Drift)> {
    let rotation = |frequency| Drift::Rotation { center: vec![0.1, -0.3], frequency };
    let drifts = [Drift::Straight, rotation(0.5), rotation(1.0)];
    metrics().into_iter().flat_map(|metric| drifts.clone().map(|drift| (metric.clone(), drift))).collect()
}

fn start(flow: Flow<'_>) -> Point {
    let mut point = Point::new(2);
    point.position = vec![0.7, -0.4];
    point.momentum = vec![0.9, 0.6];
    point.log_density = quartic(&point.position, &mut point.gradient).unwrap();
    point.start(flow);
    point
}

fn integrate(flow: Flow<'_>, mut from: Point, step: f64, steps: usize) -> Point {
    let target = Function::new(2, quartic);
    let mut to = Point::new(2);
    for _ in 0..steps {
        leapfrog(&mut target.evaluator(), flow, step, &from, &mut to).unwrap();
        std::mem::swap(&mut from, &mut to);
    }
    from
}

/// 50 steps forth and back: roundings only, about 100 of them in a stable flow.
#[test]
fn integration_is_reversible() {
    for (metric, drift) in &flows() {
        let flow = Flow { metric, drift };
        let first = start(flow);
        let back = integrate(flow, integrate(flow, first.clone(), 0.1, 50), -0.1, 50);
        for i in 0..2 {
            assert!((back.position[i] - first.position[i]).abs() < 1e-12, "{back:?}");
            assert!((back.momentum[i] - first.momentum[i]).abs() < 1e-12, "{back:?}");
        }
        assert_eq!(back.index, 0);
    }
}

/// Halving the step divides the energy error after time 1.6 by 4, up to the next order (6 percent at these steps).
#[test]
fn energy_error_is_of_second_order() {
    for (metric, drift) in &flows() {
        let flow = Flow { metric, drift };
        let first = start(flow);
        let error = |steps: usize| integrate(flow, first.clone(), 1.6 / steps as f64, steps).energy - first.energy;
        for steps in [32, 64, 128] {
            let ratio = error(steps) / error(2 * steps);
            assert!((ratio / 4.0 - 1.0).abs() < 0.06, "{metric:?} {drift:?} {steps} steps: {ratio}");
        }
    }
}

/// The same flow in p: z = L' p makes a dense metric and its p-form agree to rounding.
#[test]
fn whitened_momenta_are_momenta() {
    let inverse_mass = array![[0.5, 0.3], [0.3, 2.0]];
    let metric = Metric::dense(inverse_mass.clone()).unwrap();
    let Metric::Dense(dense) = &metric else { panic!("not dense") };
    let first = start(Flow::from(&metric));
    let last = integrate(Flow::from(&metric), first.clone(), 0.2, 10);
    // p = L'^-1 z for a 2 x 2 lower factor.
    let l = dense.factor();
    let p1 = first.momentum[1] / l[[1, 1]];
    let mut p = array![(first.momentum[0] - l[[1, 0]] * p1) / l[[0, 0]], p1];
    let mut q = ndarray::Array1::from(first.position);
    let mut g = ndarray::Array1::zeros(2);
    for _ in 0..10 {
        quartic(q.as_slice().unwrap(), g.as_slice_mut().unwrap()).unwrap();
        p = p + 0.1 * &g;
        q = q + 0.2 * inverse_mass.dot(&p);
        quartic(q.as_slice().unwrap(), g.as_slice_mut().unwrap()).unwrap();
        p = p + 0.1 * &g;
    }
    for i in 0..2 {
        assert!((q[i] - last.position[i]).abs() < 1e-13);
    }
    let kinetic = 0.5 * p.dot(&inverse_mass.dot(&p));
    assert!((last.energy - (kinetic - last.log_density)).abs() < 1e-13);
}

/// A rotation of frequency 1 about the mean, under the covariance as metric, solves a normal law exactly: ten steps of
/// 1.3 change the energy by roundings, and whole turns lead back.
#[test]
fn rotation_solves_its_normal_law() {
    // Covariance [[0.5, 0.3], [0.3, 2]] has the inverse [[2, -0.3], [-0.3, 0.5]] / 0.91.
    let gradient = |x: &[f64], g: &mut [f64]| {
        let (a, b) = (x[0] - 3.0, x[1] + 1.0);
        g.copy_from_slice(&[-(2.0 * a - 0.3 * b) / 0.91, -(0.5 * b - 0.3 * a) / 0.91]);
        Ok(0.5 * (a * g[0] + b * g[1]))
    };
    let metric = Metric::dense(array![[0.5, 0.3], [0.3, 2.0]]).unwrap();
    let drift = Drift::Rotation { center: vec![3.0, -1.0], frequency: 1.0 };
    let flow = Flow { metric: &metric, drift: &drift };
    let target = Function::new(2, gradient);
    for (step, steps) in [(1.3, 10), (std::f64::consts::TAU / 7.0, 7)] {
        let mut from = Point::new(2);
        from.position = vec![2.0, 0.4];
        from.momentum = vec![-0.7, 1.1];
        from.log_density = gradient(&from.position, &mut from.gradient).unwrap();
        from.start(flow);
        let first = from.clone();
        let mut to = Point::new(2);
        for _ in 0..steps {
            leapfrog(&mut target.evaluator(), flow, step, &from, &mut to).unwrap();
            assert!((to.energy - first.energy).abs() < 1e-13, "{}", to.energy - first.energy);
            std::mem::swap(&mut from, &mut to);
        }
        if steps == 7 {
            assert!(from.position.iter().zip(&first.position).all(|(a, b)| (a - b).abs() < 1e-13));
        }
    }
}

/// What is not finite has infinite energy; what is fatal is an error.
#[test]
fn densities_that_fail() {
    let metric = Metric::identity(1);
    let mut from = Point::new(1);
    from.log_density = 0.0;
    from.start(&metric);
    let mut to = Point::new(1);
    type Case = (&'static str, fn(&mut [f64]) -> Result<f64, DensityError>);
    let cases: [Case; 5] = [
        ("NaN", |_| Ok(f64::NAN)),
        ("infinite", |_| Ok(f64::INFINITY)),
        ("minus infinite", |_| Ok(f64::NEG_INFINITY)),
        ("not finite", |_| Err(DensityError::NotFinite)),
        ("gradient", |g| {
            g[0] = f64::NAN;
            Ok(0.0)
        }),
    ];
    for (name, f) in cases {
        let target = Function::new(1, move |_, g| f(g));
        leapfrog(&mut target.evaluator(), &metric, 0.1, &from, &mut to).unwrap();
        assert_eq!(to.energy, f64::INFINITY, "{name}");
    }
    let target = Function::new(1, |_, _| Err(DensityError::Fatal(std::sync::Arc::new(std::fmt::Error))));
    assert!(leapfrog(&mut target.evaluator(), &metric, 0.1, &from, &mut to).is_err());
}
