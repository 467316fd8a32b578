//! What a run can meet: interrupts, saving, trackers, objectives that are not finite, bad settings; and batches.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{Array1, Array2};
use ppl_autodiff::Var;
use ppl_core::dist::{Exponential, HalfNormal, Normal};
use ppl_core::{Distribution, Minibatch, deterministic, model, observe, sample};
use ppl_infer::variational::{
    Adam, Advi, ElboConverged, Ended, ParametersConverged, Progress, Record, Start, State, VariationalFit,
};

model! {
    /// A straight line with unknown noise.
    fn line(x: Array1<f64>, y: Option<Array1<f64>>) {
        let a = sample!("a", Normal::new(0.0, 5.0));
        let b = sample!("b", Normal::new(0.0, 5.0));
        let s = sample!("s", HalfNormal::new(2.0));
        let mean = deterministic!("line", a + b * Var::from(&x));
        observe!("y", Normal::new(mean, s), y);
    }

    /// A regression with known noise, which has a normal posterior.
    fn regression(x: Array2<f64>, y: Array1<f64>) {
        let w = sample!("w", Normal::new(0.0, 1.0).expand([x.ncols(), 1]));
        observe!("y", Normal::new(Var::from(&x).matmul(w).squeeze(-1), 0.5), y);
    }

    /// Its rate is a sum that may be negative: no density there.
    fn broken(y: Array1<f64>) {
        let a = sample!("a", Normal::new(0.0, 1.0));
        observe!("rate", Exponential::new((a - 100.0).ln()), y);
    }
}

fn data(n: usize) -> (Array1<f64>, Array1<f64>) {
    let x = Array1::linspace(-1.0, 1.0, n);
    let y = x.mapv(|x: f64| 0.7 + 1.3 * x + 0.3 * (17.0 * x).sin());
    (x, y)
}

fn bits(fit: &VariationalFit<'_>) -> Vec<u64> {
    fit.params().iter().chain(fit.history()).map(|x| x.to_bits()).collect()
}

/// Interrupted at step 400 of 1000, written as JSON, read, resumed: the same bits as in one go; so too over batches.
#[test]
fn resumed_fits_have_the_bits_of_uninterrupted_ones() {
    let (x, y) = data(40);
    let model = line(x.clone(), Some(y.clone()));
    let batches = Minibatch::new((x, y), 8).unwrap().model(|(x, y)| line(x, Some(y)));
    let advi = Advi::mean_field().steps(1000).draws_per_step(2).antithetic(true).clip(50.0).seed(7);
    for batched in [false, true] {
        let run = |trackers: &mut [&mut dyn ppl_infer::variational::Tracker], stop: &AtomicBool| {
            if batched {
                advi.fit_batches_watched(&batches, trackers, stop).unwrap()
            } else {
                advi.fit_watched(&model, trackers, stop).unwrap()
            }
        };
        let whole = run(&mut [], &AtomicBool::new(false));
        assert_eq!(whole.ended(), Ended::Complete);

        let stop = AtomicBool::new(false);
        let mut pull = |now: &Progress<'_>| {
            stop.store(now.iteration >= 400, Ordering::Relaxed);
            ControlFlow::Continue(())
        };
        let part = run(&mut [&mut pull], &stop);
        assert_eq!((part.ended(), part.steps()), (Ended::Interrupted, 400));
        assert!(part.to_string().contains("400 steps of Adam of 1000 planned"), "{part}");
        let saved = serde_json::to_string(part.state()).unwrap();
        drop(part);

        let state: State = serde_json::from_str(&saved).unwrap();
        let taken_up = if batched { state.on_batches(&batches) } else { state.on(&model) };
        let resumed = taken_up.unwrap().resume().unwrap();
        assert_eq!(bits(&resumed), bits(&whole));
        assert_eq!(resumed.verdict(), whole.verdict());
        let draws = [resumed.draws(20).unwrap(), whole.draws(20).unwrap()];
        assert_eq!(draws[0].get("b"), draws[1].get("b"));
        // A further cycle, too.
        assert_eq!(bits(&resumed.refine(100).unwrap()), bits(&whole.refine(100).unwrap()));
    }
}

#[test]
fn states_of_other_models_are_refused() {
    let (x, y) = data(10);
    let first = line(x, Some(y.clone()));
    let fit = Advi::mean_field().steps(10).fit(&first).unwrap();
    let other = regression(Array2::ones((10, 1)), y);
    let error = fit.state().clone().on(&other).unwrap_err().to_string();
    assert_eq!(error, "the saved fit has 6 parameters, the model wants 2");
}

#[test]
fn trackers_see_and_stop() {
    let (x, y) = data(40);
    let model = line(x, Some(y));
    let never = AtomicBool::new(false);
    let mut locations = Record::new(50, |now: &Progress<'_>| now.params[0]);
    let mut at_300 = |now: &Progress<'_>| {
        if now.iteration >= 300 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let fit = Advi::mean_field().steps(1000).fit_watched(&model, &mut [&mut locations, &mut at_300], &never).unwrap();
    assert_eq!((fit.ended(), fit.steps(), locations.values.len()), (Ended::Stopped, 300, 6));
    assert_eq!(*locations.values.last().unwrap(), fit.params()[0], "no average yet: the last iterate");

    // Rules that stop: long before the plan's end, and not at once.
    let long = Advi::mean_field().steps(100_000);
    for rule in
        [&mut ParametersConverged::new(0.02) as &mut dyn ppl_infer::variational::Tracker, &mut ElboConverged::new(0.01)]
    {
        let fit = long.fit_watched(&model, &mut [rule], &never).unwrap();
        assert_eq!(fit.ended(), Ended::Stopped);
        assert!((300..60_000).contains(&fit.steps()), "{}", fit.steps());
    }
}

/// Over the line, whose posterior NUTS-free arithmetic gives only for known noise, predictions at new data: at the mean,
/// and over draws.
#[test]
fn predictions_at_the_mean_and_over_draws() {
    let (x, y) = data(200);
    let model = line(x, Some(y));
    let fit = Advi::full_rank().steps(10_000).seed(1).fit(&model).unwrap();
    let new = line(Array1::from(vec![2.0]), None);
    let centre = fit.at_mean().unwrap();
    let at_mean = centre.predict(&new).unwrap().get("line").unwrap().sum();
    // The regression line by least squares at 2 differs from 0.7 + 1.3 * 2 = 3.3 by the sine's part of the slope.
    let slope = centre.mean("b").unwrap().sum();
    assert!((at_mean - (centre.mean("a").unwrap().sum() + 2.0 * slope)).abs() < 1e-12);
    let over = fit.draws(4000).unwrap().predict(&new).unwrap();
    let lines = over.get("line").unwrap();
    // The sd of the line at 2 is about 0.08: five standard errors of the mean of 4000 are 0.007.
    assert!((lines.mean().unwrap() - at_mean).abs() < 0.01, "{:?} {at_mean}", lines.mean());
    assert!((3.0..3.8).contains(&at_mean), "{at_mean}");
}

/// 300 rows in batches of 20: the posterior is normal with precision X'X / 0.25 + 1. Averaged iterates come within a
/// third of a standard deviation of its mean.
#[test]
fn batches_find_the_posterior_of_all_rows() {
    let x = Array2::from_shape_fn((300, 2), |(i, j)| ((i * (3 + 4 * j)) as f64 * 0.37).sin());
    let y = Array1::from_shape_fn(300, |i| 0.8 * x[[i, 0]] - 0.4 * x[[i, 1]] + 0.5 * (i as f64 * 1.7).cos());
    // Two by two, by hand.
    let p = x.t().dot(&x) / 0.25 + Array2::<f64>::eye(2);
    let b = x.t().dot(&y) / 0.25;
    let det = p[[0, 0]] * p[[1, 1]] - p[[0, 1]] * p[[1, 0]];
    let mean = [(p[[1, 1]] * b[0] - p[[0, 1]] * b[1]) / det, (p[[0, 0]] * b[1] - p[[1, 0]] * b[0]) / det];
    let sd = [(p[[1, 1]] / det).sqrt(), (p[[0, 0]] / det).sqrt()];

    for replacement in [false, true] {
        let rows = Minibatch::new((x.clone(), y.clone()), 20).unwrap();
        let rows = if replacement { rows.with_replacement() } else { rows };
        let batches = rows.model(|(x, y)| regression(x, y));
        let fit = Advi::full_rank().steps(20_000).seed(3).fit_batches(&batches).unwrap();
        let params = fit.params();
        for i in 0..2 {
            assert!((params[i] - mean[i]).abs() < 0.33 * sd[i], "{params:?} {mean:?} {sd:?}");
        }
        assert!((params[2] / sd[0] - 1.0).abs() < 0.1, "{params:?} {sd:?}");
        assert!(fit.converged() && fit.k_hat().unwrap() < 0.7, "{fit}");

        // The reported ELBO is that of all rows: of the model without batches, within errors.
        let whole = regression(x.clone(), y.clone());
        let full = Advi::full_rank().steps(10_000).seed(4).fit(&whole).unwrap();
        let (a, b) = (fit.elbo().unwrap(), full.elbo().unwrap());
        assert!((a.mean - b.mean).abs() < 0.1 + 5.0 * (a.error + b.error), "{a} {b}");
        assert!((fit.mean_elbo(5000) - b.mean).abs() < 2.0, "{} {b}", fit.mean_elbo(5000));
        assert_eq!(fit.draws(3).unwrap().get("w").unwrap().shape(), [1, 3, 2, 1]);
    }
}

/// Rows from an iterator that is opened anew at its end; all rows are not to be had, and the verdict says so.
#[test]
fn streams_can_be_fitted() {
    let open = || (0..300).map(|i| Ok((Array1::from(vec![(i as f64 * 0.37).sin()]), 0.5 * (i as f64 * 0.37).sin())));
    let rows = Minibatch::<(Array2<f64>, Array1<f64>)>::reopen(300, 30, open).unwrap();
    let batches = rows.model(|(x, y)| regression(x, y));
    let fit = Advi::mean_field().steps(5000).fit_batches(&batches).unwrap();
    // X'X = 150 in round numbers: slope 0.5 less the pull of the prior, 0.5 / 600.
    assert!((fit.params()[0] - 0.5).abs() < 0.03, "{:?}", fit.params());
    assert_eq!((fit.k_hat(), fit.elbo()), (None, None));
    assert!(fit.converged() && fit.to_string().contains("k-hat unknown"), "{fit}");

    // Read once: long enough for the batch that finds the start and those of 1000 steps, and then it ends.
    let once = |rows: usize| {
        let rows = (0..rows).map(|i| Ok((Array1::from(vec![(i as f64 * 0.37).sin()]), 0.5 * (i as f64 * 0.37).sin())));
        Minibatch::<(Array2<f64>, Array1<f64>)>::stream(300, 30, rows).unwrap().model(|(x, y)| regression(x, y))
    };
    let batches = once(30 * 1001);
    let fit = Advi::mean_field().steps(1000).fit_batches(&batches).unwrap();
    assert!((fit.params()[0] - 0.5).abs() < 0.2, "{:?}", fit.params());
    let batches = once(30 * 1001);
    let error = Advi::mean_field().steps(2000).fit_batches(&batches).unwrap_err().to_string();
    assert!(error.starts_with("iteration 1000: the stream ended after 30030 rows"), "{error}");
}

/// Two modes, at -3 with a tenth of the mass and at 3: a single start may end in either, the best of eight does not.
#[test]
fn several_starts_find_the_better_mode() {
    use ppl_infer::density::FnTarget;
    let target = FnTarget::new(1, |x, g| {
        let of = |m: f64, w: f64| w * (-2.0 * (x[0] - m) * (x[0] - m)).exp();
        let (a, b) = (of(-3.0, 0.1), of(3.0, 0.9));
        g[0] = -4.0 * (a * (x[0] + 3.0) + b * (x[0] - 3.0)) / (a + b);
        (a + b).ln()
    });
    let ends = |starts: usize| -> Vec<f64> {
        let fit = |seed| Advi::mean_field().steps(20_000).starts(starts).seed(seed).fit_target(&target).unwrap();
        (0..6).map(|seed| fit(seed).params()[0]).collect()
    };
    assert!(ends(1).iter().any(|x| (x + 3.0).abs() < 0.1), "the poorer one is met");
    assert!(ends(8).iter().all(|x| (x - 3.0).abs() < 0.1));
}

#[test]
fn an_objective_that_is_not_finite_names_iteration_and_site() {
    let model = broken(Array1::ones(3));
    let error = Advi::mean_field().fit(&model).unwrap_err().to_string();
    assert!(error.contains("model `broken`") && error.contains("at the start"), "{error}");

    // Finite at the start, lost on the way: a rate that throws it out of the support.
    model! {
        fn cliff(y: Array1<f64>) {
            let a = sample!("a", Normal::new(0.0, 100.0));
            observe!("y", Exponential::new((a + 10.0).sqrt()), y);
        }
    }
    let model = cliff(Array1::from_elem(50, 10.0));
    let thrown = Advi::mean_field().start(Start::Zero).optimiser(Adam::new(20.0)).steps(2000);
    let error = thrown.fit(&model).unwrap_err().to_string();
    assert!(
        error.contains("model `cliff`: the objective is not finite in 100 steps in a row, up to iteration"),
        "{error}"
    );
    assert!(error.contains("y  Exponential") && error.contains("variational_runs.rs:"), "{error}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let (x, y) = data(10);
    let model = line(x, Some(y));
    for (advi, want) in [
        (Advi::mean_field().steps(0), "steps is 0"),
        (Advi::mean_field().draws_per_step(0), "draws_per_step is 0"),
        (Advi::mean_field().start_scale(-1.0), "start_scale is -1"),
        (Advi::mean_field().average(f64::NAN), "average is NaN"),
        (Advi::mean_field().optimiser(Adam::new(f64::INFINITY)), "learning rate is inf"),
        (Advi::mean_field().start(Start::At(vec![0.0])), "the saved fit has 1 coordinates"),
    ] {
        let error = advi.fit(&model).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    let fit = Advi::mean_field().steps(10).fit(&model).unwrap();
    assert!(fit.draws(0).unwrap_err().to_string().contains("draws is 0"));
}
