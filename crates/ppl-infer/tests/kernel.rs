//! One transition of NUTS: invariance with coarse steps, where mistakes in the weights would show, and its report.

use std::cell::Cell;

use ndarray::array;
use ppl_infer::density::{DensityError, LogDensity};
use ppl_infer::dynamics::{Drift, Metric};
use ppl_infer::kernel::Kernel;
use ppl_infer::kernel::nuts::{NutsConfig, NutsKernel, NutsParams};
use ppl_infer::random::ChainRng;

mod common;
use common::densities::{self, Function};
use common::z_score;

fn params(step_size: f64, metric: Metric) -> NutsParams {
    NutsParams { step_size, jitter: 0.0, metric, drift: Drift::Straight }
}

/// 50 000 transitions on a normal law with correlation 0.6, steps of 0.3 to 1.4 (of 2, where leapfrog explodes, in
/// units of the least scale, 0.63): second and fourth moments, 1 and 3, the product, 0.6, within 4 standard errors.
#[test]
fn coarse_steps_leave_the_law_invariant() {
    let known = densities::equicorrelated(2, 0.6);
    let mut density = known.target.density();
    let dense = Metric::dense(array![[1.0, 0.2], [0.2, 0.7]]).unwrap();
    let low_rank = Metric::low_rank(vec![1.1, 0.9], &array![[0.6, 0.8]], vec![0.4]).unwrap();
    let rotation = Drift::Rotation { center: vec![0.2, -0.1], frequency: 0.8 };
    for (step_size, metric, drift) in [
        (0.3, Metric::identity(2), Drift::Straight),
        (0.8, Metric::identity(2), Drift::Straight),
        (1.1, Metric::diagonal(vec![0.5, 0.9]).unwrap(), Drift::Straight),
        (1.2, dense.clone(), Drift::Straight),
        (1.0, low_rank.clone(), Drift::Straight),
        (0.9, Metric::identity(2), rotation.clone()),
        (1.2, dense, rotation.clone()),
        (0.9, low_rank, rotation),
    ] {
        let mut kernel = NutsKernel::default();
        let params = NutsParams { drift, ..params(step_size, metric) };
        let mut state = kernel.init(&mut *density, &[0.3, -0.2]).unwrap();
        let mut moments = vec![Vec::new(); 5];
        for i in 0..50_000 {
            kernel.step(&mut *density, &params, &ChainRng::new(2, 0).at(i), &mut state).unwrap();
            let (x, y) = (state.position[0], state.position[1]);
            moments.iter_mut().zip([x, x * x, y * y, x.powi(4), x * y]).for_each(|(m, v)| m.push(v));
        }
        for (moment, wanted) in moments.into_iter().zip([0.0, 1.0, 1.0, 3.0, 0.6]) {
            let z = z_score(&[moment], wanted);
            assert!(z.abs() < 4.0, "step {step_size}: {z} standard errors from {wanted}");
        }
    }
}

#[test]
fn info_reports_what_happened() {
    let known = densities::equicorrelated(3, 0.5);
    let calls = Cell::new(0);
    struct Counted<'a>(Box<dyn LogDensity + 'a>, &'a Cell<usize>);
    impl LogDensity for Counted<'_> {
        fn dim(&self) -> usize {
            self.0.dim()
        }
        fn evaluate(&mut self, x: &[f64], g: &mut [f64]) -> Result<f64, DensityError> {
            self.1.set(self.1.get() + 1);
            self.0.evaluate(x, g)
        }
    }
    let mut density = Counted(known.target.density(), &calls);
    let mut gradient = [0.0; 3];
    for max_depth in [1, 3, 10] {
        let mut kernel = NutsKernel::new(NutsConfig { max_depth, ..NutsConfig::default() });
        let params = params(0.05, Metric::identity(3));
        let mut state = kernel.init(&mut density, &[0.3, -0.2, 0.1]).unwrap();
        for i in 0..50 {
            calls.set(0);
            let before = state.clone();
            let info = kernel.step(&mut density, &params, &ChainRng::new(0, 1).at(i), &mut state).unwrap();
            assert_eq!(info.n_steps, calls.get());
            // Complete doublings, and at most one more that was broken off.
            assert!(info.n_steps + 1 >= 1 << info.depth && info.n_steps < 2 << info.depth);
            assert!(info.depth <= max_depth && info.n_steps < 1 << max_depth);
            assert_eq!(info.log_density, state.log_density);
            assert_eq!(state.log_density, density.evaluate(&state.position, &mut gradient).unwrap());
            assert_eq!(state.gradient, gradient);
            assert_eq!(info.index == 0, before == state);
            assert!(info.energy > -info.log_density && !info.diverging());
            // Steps of a twentieth of the scale hardly err.
            assert!(info.acceptance > 0.99 && info.symmetric_acceptance > 0.99);
        }
    }
}

/// A first step over the edge: the chain stays, at depth 0, and says from where it fell.
#[test]
fn a_divergence_at_once() {
    let target = Function::new(1, |x, g| {
        g[0] = 0.0;
        if x[0] == 2.5 { Ok(0.0) } else { Err(DensityError::NotFinite) }
    });
    let mut kernel = NutsKernel::default();
    let mut state = kernel.init(&mut target.evaluator(), &[2.5]).unwrap();
    let params = params(0.1, Metric::identity(1));
    let info = kernel.step(&mut target.evaluator(), &params, &ChainRng::new(0, 0), &mut state).unwrap();
    assert_eq!((info.depth, info.n_steps, info.index, info.acceptance), (0, 1, 0, 0.0));
    assert_eq!(state.position, [2.5]);
    let divergence = info.divergence.unwrap();
    assert_eq!((divergence.start, divergence.energy_error), (vec![2.5], f64::INFINITY));
    assert!(matches!(kernel.init(&mut target.evaluator(), &[0.0]), Err(DensityError::NotFinite)));
}

/// An error in the middle of a trajectory leaves the state as it was.
#[test]
fn an_error_leaves_the_state() {
    let left = std::sync::atomic::AtomicUsize::new(6);
    let target = Function::new(1, |x, g| {
        g[0] = -x[0];
        if left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            return Err(DensityError::Fatal(std::sync::Arc::new(std::fmt::Error)));
        }
        Ok(-0.5 * x[0] * x[0])
    });
    let mut kernel = NutsKernel::default();
    let mut state = kernel.init(&mut target.evaluator(), &[0.4]).unwrap();
    let before = state.clone();
    let params = params(0.01, Metric::identity(1));
    let result = kernel.step(&mut target.evaluator(), &params, &ChainRng::new(0, 0), &mut state);
    assert!(matches!(result, Err(DensityError::Fatal(_))));
    assert_eq!(state, before);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let known = densities::equicorrelated(3, 0.5);
    let mut density = known.target.density();
    let mut kernel = NutsKernel::default();
    let error = kernel.init(&mut *density, &[0.0; 2]).unwrap_err();
    assert_eq!(error.to_string(), "2 coordinates, wanted 3");
    let mut state = kernel.init(&mut *density, &[0.0; 3]).unwrap();
    let random = ChainRng::new(0, 0);
    for metric in [Metric::identity(4), Metric::dense(ndarray::Array2::eye(4)).unwrap()] {
        let error = kernel.step(&mut *density, &params(0.1, metric), &random, &mut state).unwrap_err();
        assert_eq!(error.to_string(), "4 coordinates, wanted 3");
    }
}
