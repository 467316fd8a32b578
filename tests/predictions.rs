//! Predictions from a posterior and from a prior: shapes, values against closed forms, new data, reductions, models
//! whose path depends on a value.
//!
//! Statistical comparisons allow five standard errors (6e-7 by chance for a normal error), with fixed seeds.

use std::sync::atomic::AtomicBool;

use ppl::diagnostics::{mcse_mean, mcse_sd, quantile};
use ppl::infer::observe::Silent;
use ppl::prelude::*;

model! {
    /// A line with known noise.
    fn line(x: Array1<f64>, y: Option<Array1<f64>>) {
        let w = sample!("w", Normal::new(0.0, [3.0, 2.0]));
        let mean = deterministic!("mean", w.index(0, 0) + w.index(0, 1) * &x);
        observe!("y", Normal::new(mean, NOISE), y);
    }
}

const NOISE: f64 = 0.5;

fn train() -> (Array1<f64>, Array1<f64>) {
    let x = Array1::from_shape_fn(15, |i| i as f64 / 7.0 - 1.0);
    let y = &x * 1.5 + 0.3 + x.mapv(|x| 0.4 * (37.0 * x).sin());
    (x, y)
}

fn fit_line() -> Posterior {
    let (x, y) = train();
    let nuts = Nuts::new().warmup(500).draws(1000).chains(4).seed(21);
    nuts.run(&line(x, Some(y))).unwrap()
}

/// The posterior's mean and covariance: precision `X'X / noise^2 + diag(1/9, 1/4)`, inverted as a 2 by 2 matrix.
fn line_posterior() -> ([f64; 2], [[f64; 2]; 2]) {
    let (x, y) = train();
    let (precision, n) = (NOISE.powi(-2), x.len() as f64);
    let (a, b, d) = (n * precision + 1.0 / 9.0, x.sum() * precision, x.dot(&x) * precision + 0.25);
    let (u, v) = (y.sum() * precision, x.dot(&y) * precision);
    let det = a * d - b * b;
    ([(d * u - b * v) / det, (a * v - b * u) / det], [[d / det, -b / det], [-b / det, a / det]])
}

/// `[chain, draw]` of one element of a vector-valued site.
fn element(draws: &Draws, site: &str, i: usize) -> Array2<f64> {
    let array = draws.get(site).unwrap().index_axis(Axis(2), i).to_owned();
    array.into_dimensionality().unwrap()
}

fn close(got: &ArrayD<f64>, want: &ArrayD<f64>, tolerance: f64) {
    assert_eq!(got.shape(), want.shape());
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance, "{got}, wanted {want}");
    }
}

#[test]
fn predictions_at_new_points_have_the_conjugate_mean_and_spread() {
    let posterior = fit_line();
    let x = array![-3.0, 0.0, 4.0];
    let predicted = posterior.predict(&line(x.clone(), None)).unwrap();
    let names: Vec<&str> = predicted.sites().map(|(name, _)| name).collect();
    assert_eq!(names, ["mean", "y"]);
    assert_eq!(predicted.get("y").unwrap().shape(), [4, 1000, 3]);
    assert_eq!(predicted.get("mean").unwrap().shape(), [4, 1000, 3]);

    let (w, c) = line_posterior();
    for (i, x) in x.iter().enumerate() {
        let mean = w[0] + w[1] * x;
        let variance = c[0][0] + 2.0 * x * c[0][1] + x * x * c[1][1];
        for (site, sd) in [("mean", variance.sqrt()), ("y", (variance + NOISE.powi(2)).sqrt())] {
            let got = element(&predicted, site, i);
            let z = (got.mean().unwrap() - mean) / mcse_mean(got.view());
            assert!(z.abs() < 5.0, "{site} at {x}: mean off by {z} errors");
            let z = (got.std(1.0) - sd) / mcse_sd(got.view());
            assert!(z.abs() < 5.0, "{site} at {x}: sd off by {z} errors");
        }
    }
}

/// A deterministic site is the function of the draws that it says, for training data recorded with the draws already.
#[test]
fn deterministic_sites_are_functions_of_the_draws() {
    let posterior = fit_line();
    let (x, _) = train();
    let predicted = posterior.predict(&line(x.clone(), None)).unwrap();
    close(predicted.get("mean").unwrap(), posterior.get("mean").unwrap(), 1e-14);
    let w = posterior.get("w").unwrap();
    let (a, b) = (w.index_axis(Axis(2), 0), w.index_axis(Axis(2), 1));
    for (i, x) in x.iter().enumerate() {
        let want = &a + &(&b * *x);
        close(&element(&predicted, "mean", i).into_dyn(), &want, 1e-14);
    }
    // Data given: y is not drawn, the deterministic site is still there.
    let with_data = posterior.predict(&line(x.clone(), Some(x))).unwrap();
    assert!(with_data.get("y").is_none());
    assert_eq!(with_data.get("mean"), predicted.get("mean"));
}

#[test]
fn reducing_is_the_same_as_reducing_what_was_kept() {
    let posterior = fit_line();
    let test = line(Array1::from_shape_fn(7, |i| i as f64 - 3.0), None);
    let whole = posterior.predict(&test).unwrap();
    let flat = whole.flat("y").unwrap();
    let predictive = || posterior.predictive(&test).unwrap();
    let (mean, sd) = predictive().reduce("y", (Mean::new(), Sd::new())).unwrap();
    close(&mean, &flat.mean_axis(Axis(0)).unwrap(), 1e-12);
    close(&sd, &flat.std_axis(Axis(0), 1.0), 1e-12);
    // The constant-memory quantile against that of all draws: its error is about theirs, sd sqrt(p (1-p) / 4000) over
    // the density at the quantile, that is 0.022 sd at the median and 0.036 sd at 5 % and 95 %, of which three; the
    // spread is 1.04 at most.
    for p in [0.05, 0.5, 0.95] {
        let got = predictive().reduce("y", Quantile::new(p)).unwrap();
        for i in 0..7 {
            let want = quantile(element(&whole, "y", i).view(), p);
            assert!((got[i] - want).abs() < 0.1 * sd[i], "{p} at {i}: {}, wanted {want}", got[i]);
        }
    }
    for (p, want) in [
        (0.0, flat.fold_axis(Axis(0), f64::INFINITY, |a, b| a.min(*b))),
        (1.0, flat.fold_axis(Axis(0), f64::NEG_INFINITY, |a, b| a.max(*b))),
    ] {
        assert_eq!(predictive().reduce("y", Quantile::new(p)).unwrap(), want);
    }
}

/// A reducer of the user's own sees each draw once, in order.
#[test]
fn a_reducer_of_ones_own_sees_the_draws_in_order() {
    #[derive(Default)]
    struct Keep(Vec<f64>);
    impl Reducer for Keep {
        type Output = Vec<f64>;
        fn start(&mut self, elements: usize) {
            assert_eq!((elements, self.0.len()), (3, 0));
        }
        fn add(&mut self, draw: &[f64]) {
            self.0.extend_from_slice(draw);
        }
        fn finish(self, shape: &Shape) -> Vec<f64> {
            assert_eq!(*shape, [3].into());
            self.0
        }
    }
    let posterior = fit_line();
    let test = line(array![1.0, 2.0, 3.0], None);
    let kept = posterior.predictive(&test).unwrap().reduce("y", Keep::default()).unwrap();
    let whole = posterior.predict(&test).unwrap();
    assert_eq!(kept, whole.get("y").unwrap().iter().copied().collect::<Vec<_>>());
}

#[test]
fn the_prior_predictive_has_the_prior_s_moments() {
    let prior = prior_predictive(&line(array![2.0], None), 4000, 5).unwrap();
    let names: Vec<&str> = prior.sites().map(|(name, _)| name).collect();
    assert_eq!(names, ["w", "mean", "y"]);
    assert_eq!(prior.get("w").unwrap().shape(), [1, 4000, 2]);
    // Independent draws: standard errors sd / sqrt(n) of a mean, sd / sqrt(2 n) of a standard deviation.
    let n = 4000f64;
    let y_sd = (9.0 + 4.0 * 4.0 + NOISE.powi(2)).sqrt();
    for (site, i, sd) in [("w", 0, 3.0), ("w", 1, 2.0), ("mean", 0, 5.0), ("y", 0, y_sd)] {
        let x = element(&prior, site, i);
        assert!(x.mean().unwrap().abs() < 5.0 * sd / n.sqrt(), "{site}[{i}]");
        assert!((x.std(1.0) - sd).abs() < 5.0 * sd / (2.0 * n).sqrt(), "{site}[{i}]");
    }
    // With data there is nothing to draw for y, and the prior stays what it is.
    let given = prior_predictive(&line(array![2.0], Some(array![100.0])), 4000, 5).unwrap();
    assert!(given.get("y").is_none());
    assert_eq!(given.get("w"), prior.get("w"));
}

model! {
    /// A split normal law, `exp(-x^2 / (2 s^2))` with s = 1 below and 2 above zero; the sign decides what is observed.
    fn split_normal(y: Option<Array1<f64>>) {
        let x = sample!("x", Normal::new(0.0, 1.0));
        let right = x.value() > 0.0;
        let scale = if right { 2.0 } else { 1.0 };
        factor!("split", 0.5 * x.square() - 0.5 * (x / scale).square());
        deterministic!("right", if right { 1.0 } else { 0.0 });
        observe!("y", Normal::new(if right { x + 10.0 } else { x - 10.0 }, 1e-3), y);
    }
}

#[test]
fn a_branch_on_a_value_samples_both_sides() {
    let posterior = Nuts::new().draws(4000).seed(3).run(&split_normal_alone()).unwrap();
    let x = posterior.get("x").unwrap().clone().into_dimensionality().unwrap();
    // Split normal law (John 1982): mean sqrt(2/pi) (s2 - s1), variance (1 - 2/pi) (s2 - s1)^2 + s1 s2, and the right
    // side has s2 / (s1 + s2) of the mass.
    let pi = std::f64::consts::PI;
    let z = (x.mean().unwrap() - (2.0 / pi).sqrt()) / mcse_mean(x.view());
    assert!(z.abs() < 5.0, "mean off by {z} errors");
    let z = (x.std(1.0) - (3.0 - 2.0 / pi).sqrt()) / mcse_sd(x.view());
    assert!(z.abs() < 5.0, "sd off by {z} errors");
    let right = posterior.get("right").unwrap().clone().into_dimensionality().unwrap();
    let z = (right.mean().unwrap() - 2.0 / 3.0) / mcse_mean(right.view());
    assert!(z.abs() < 5.0, "mass off by {z} errors");
    assert_eq!(right, x.mapv(|x: f64| f64::from(x > 0.0)));

    // Predictions take each draw's own path.
    let predicted = posterior.predict(&split_normal(None)).unwrap();
    assert_eq!(predicted.get("right").unwrap(), &right.clone().into_dyn());
    let y = predicted.get("y").unwrap();
    // 16,000 draws of noise 1e-3: six deviations.
    close(y, &(&x + &(right * 20.0 - 10.0)).into_dyn(), 6e-3);

    // From the prior, without the factor: the sign of a draw decides, and both are as frequent.
    let prior = prior_predictive(&split_normal(None), 2000, 8).unwrap();
    let (x, right, y) = (prior.get("x").unwrap(), prior.get("right").unwrap(), prior.get("y").unwrap());
    assert_eq!(*right, x.mapv(|x| f64::from(x > 0.0)));
    close(y, &(x + right * 20.0 - 10.0), 6e-3);
    // Binomial: five times sqrt(0.25 / 2000).
    assert!((right.mean().unwrap() - 0.5).abs() < 0.056);
}

model! {
    /// The split normal law without anything observed.
    fn split_normal_alone() {
        let x = sample!("x", Normal::new(0.0, 1.0));
        let right = x.value() > 0.0;
        let scale = if right { 2.0 } else { 1.0 };
        factor!("split", 0.5 * x.square() - 0.5 * (x / scale).square());
        deterministic!("right", if right { 1.0 } else { 0.0 });
    }
}

model! {
    /// A site that only some paths have.
    fn changing(y: Option<f64>) {
        let x = sample!("x", Normal::new(0.0, 1.0));
        if y.is_none() && x.value() > 0.5 {
            deterministic!("more", x);
        }
        deterministic!("twice", 2.0 * x);
        observe!("y", Normal::new(x, 1.0), y);
    }
}

/// Columns that only some draws have are an error, not a table with shifted columns.
#[test]
fn sites_that_come_and_go_are_an_error() {
    let posterior = Nuts::new().warmup(200).draws(100).chains(1).run(&changing(Some(1.0))).unwrap();
    for error in
        [posterior.predict(&changing(None)).unwrap_err(), prior_predictive(&changing(None), 100, 1).unwrap_err()]
    {
        let text = error.to_string();
        assert!(matches!(error, InferError::Model(ModelError::Changed { .. })), "{text}");
        assert!(text.contains("`changing`") && text.contains("predictions.rs"), "{text}");
    }
}

#[test]
fn what_cannot_be_predicted_is_an_error_that_says_why() {
    model! {
        /// No site of `line`.
        fn stranger() {
            sample!("other", Normal::new(0.0, 1.0));
        }
        /// A site of `line` in another shape.
        fn longer() {
            let w = sample!("w", Normal::new(0.0, 1.0).expand([3]));
            deterministic!("mean", w.sum());
        }
        /// Nothing to make.
        fn nothing() {
            sample!("w", Normal::new(0.0, [3.0, 2.0]));
        }
    }
    let posterior = fit_line();
    let error = posterior.predict(&stranger()).unwrap_err();
    assert!(matches!(&error, InferError::Unrelated { model, .. } if model == "stranger"));
    assert!(posterior.predict(&longer()).unwrap_err().to_string().contains('w'));
    let error = posterior.predict(&nothing()).unwrap_err();
    assert!(matches!(error, InferError::NothingToPredict { .. }), "{error}");
    let test = line(array![1.0], None);
    for site in ["z", "w"] {
        let predictive = posterior.predictive(&test).unwrap();
        let error = predictive.reduce(site, Mean::new()).unwrap_err();
        assert!(
            matches!(&error, InferError::UnknownSite { site: s, known, .. } if s == site && known == &["mean", "y"])
        );
    }
    assert!(matches!(posterior.mean("z"), Err(InferError::UnknownSite { .. })));
}

/// Model i of many is fitted as alone with seed + i.
#[test]
fn many_models_side_by_side_are_as_each_alone() {
    let (x, y) = train();
    let models: Vec<_> = (0..5).map(|i| line(x.clone(), Some(&y + i as f64))).collect();
    let nuts = Nuts::new().warmup(200).draws(100).chains(2).seed(7);
    let many = nuts.run_many(&models);
    assert_eq!(many.len(), 5);
    for (i, (posterior, model)) in many.into_iter().zip(&models).enumerate() {
        let alone = nuts.clone().seed(7 + i as u64).run(model).unwrap();
        assert_eq!(posterior.unwrap().draws(), alone.draws());
    }
    // A model that is wrong spoils its own place only.
    let mut wrong = vec![line(x.clone(), Some(y.clone()))];
    wrong.push(line(x.clone(), Some(array![1.0, 2.0])));
    let outcomes = nuts.run_many(&wrong);
    assert!(outcomes[0].is_ok() && matches!(outcomes[1], Err(InferError::Model(_))));
    let interrupted = nuts.run_many_watched(&models, &Silent, &AtomicBool::new(true));
    assert!(interrupted.iter().all(|r| matches!(r, Err(InferError::Interrupted))));
}
