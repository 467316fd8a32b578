//! Bad models, bad data, bad settings: each is an error that says which model, which site, which line, and why.

use std::cell::Cell;
use std::fmt::Display;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ndarray::{Array1, Array2, Array3, array};
use ppl_autodiff::{Var, grad, trace};
use ppl_core::dist::{Bernoulli, HalfNormal, Normal};
use ppl_core::{Distribution, Model, deterministic, factor, model, observe, plate, sample};
use ppl_infer::reduce::Mean;
use ppl_infer::{Nuts, Posterior, prior_predictive};

/// A short run: what is wrong shows at once.
fn nuts() -> Nuts {
    Nuts::new().warmup(20).draws(10).chains(2).seed(3)
}

fn fit(model: &dyn Model) -> Posterior {
    nuts().run(model).unwrap()
}

/// The error of a fit.
#[track_caller]
fn error_of(model: &dyn Model) -> String {
    text(nuts().run(model))
}

#[track_caller]
fn text<T, E: Display>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => panic!("it should not have worked"),
        Err(error) => error.to_string(),
    }
}

/// The start of an error: "model `m`, site `s`, file:line: ".
fn at(model: &str, site: &str, line: u32) -> String {
    format!("model `{model}`, site `{site}`, {}:{line}: ", file!())
}

/// The same where no site is to blame.
fn outside_sites(model: &str, line: u32) -> String {
    format!("model `{model}`, {}:{line}: ", file!())
}

const LINE: u32 = line!() + 3;
model! {
    /// A logistic regression.
    fn regression(x: Array2<f64>, y: Option<Array1<f64>>) {
        let w = sample!("w", Normal::new(0.0, 1.0).expand([x.ncols(), 1]));
        let logits = Var::from(&x).matmul(w);
        observe!("y", Bernoulli::logits(logits.squeeze(-1)), y);
    }
}
const W: u32 = LINE + 1;
const PREDICTORS: u32 = LINE + 2;
const Y: u32 = LINE + 3;

fn labels(n: usize) -> Array1<f64> {
    (0..n).map(|i| (i % 2) as f64).collect()
}

#[test]
fn data_that_are_not_finite() {
    for (bad, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let mut x = Array2::ones((50, 2));
        x[[3, 1]] = bad;
        assert_eq!(
            error_of(&regression(x, Some(labels(50)))),
            at("regression", "y", Y)
                + &format!(
                    "its log-density depends on an array of shape [50, 2] that at index [3, 1] holds {name} (it comes \
                     from {}:{PREDICTORS})",
                    file!()
                )
        );
        let mut y = labels(50);
        y[7] = bad;
        assert_eq!(
            error_of(&regression(Array2::ones((50, 2)), Some(y))),
            at("regression", "y", Y) + &format!("Bernoulli takes 0 or 1, but the value at index [7] is {name}")
        );
        let line = line!() + 1;
        model! { fn measured(y: f64) { observe!("y", Normal::new(sample!("m", Normal::new(0.0, 1.0)), 1.0), y); } }
        assert_eq!(
            error_of(&measured(bad)),
            at("measured", "y", line) + &format!("Normal takes real numbers, but the value is {name}")
        );
    }
    // What is predicted from must be finite too.
    let posterior = fit(&regression(Array2::ones((4, 2)), Some(labels(4))));
    let mut x = Array2::ones((5, 2));
    x[[0, 0]] = f64::NAN;
    let error = text(posterior.predict(&regression(x, None)));
    let start = at("regression", "y", Y) + "its log-density depends on an array of shape [5, 2]";
    assert!(error.starts_with(&start), "{error}");
}

#[test]
fn data_that_are_empty() {
    let empty = regression(Array2::ones((0, 2)), Some(labels(0)));
    assert_eq!(
        error_of(&empty),
        at("regression", "y", Y) + "the data are empty (shape [0]); to draw the site, give `None` instead of data"
    );
    // Nothing to predict at no points is no error.
    let posterior = fit(&regression(Array2::ones((4, 2)), Some(labels(4))));
    let none = posterior.predict(&regression(Array2::ones((0, 2)), None)).unwrap();
    assert_eq!(none.get("y").unwrap().shape(), [2, 10, 0]);
}

#[test]
fn data_that_do_not_fit() {
    assert_eq!(
        error_of(&regression(Array2::ones((50, 2)), Some(labels(49)))),
        at("regression", "y", Y)
            + "the data of shape [49] do not fit Bernoulli of batch shape [50]: aligned from the right, extents must \
               be equal"
    );
    let line = line!() + 1;
    model! { fn column(y: Array2<f64>) { observe!("y", Bernoulli::logits(sample!("t", Normal::new(0.0, 1.0).expand([50]))), y); } }
    assert_eq!(
        error_of(&column(Array2::ones((50, 1)))),
        at("column", "y", line)
            + "the data of shape [50, 1] against Bernoulli of batch shape [50] would make a likelihood of shape \
               [50, 50]: more terms than observations; reshape one to match the other"
    );
    let line = line!() + 1;
    model! { fn row(y: Array1<f64>) { observe!("y", Bernoulli::logits(sample!("t", Normal::new(0.0, 1.0).expand([50, 1]))), y); } }
    assert_eq!(
        error_of(&row(Array1::ones(50))),
        at("row", "y", line)
            + "the data of shape [50] against Bernoulli of batch shape [50, 1] would make a likelihood of shape \
               [50, 50]: more terms than observations; reshape one to match the other"
    );
    let line = line!() + 1;
    model! { fn events(y: Array2<f64>) { observe!("y", Normal::new(sample!("m", Normal::new(0.0, 1.0).expand([3])), 1.0).to_event(1), y); } }
    assert_eq!(
        error_of(&events(Array2::ones((5, 2)))),
        at("events", "y", line)
            + "the data of shape [5, 2] do not fit Normal of batch shape [] and event shape [3]: aligned from the \
               right, extents must be equal"
    );
    // Too few columns in a test set: the product, not the site, is to blame.
    let line = line!() + 1;
    model! { fn inner(x: Array2<f64>) { let _ = Var::from(&x).matmul(sample!("w", Normal::new(0.0, 1.0).expand([3]))); } }
    assert_eq!(
        error_of(&inner(Array2::ones((5, 2)))),
        outside_sites("inner", line)
            + "`matmul` of shapes [5, 2] and [3]: the inner extents must agree ([.., m, k] x [.., k, n]) and neither \
               may be a scalar"
    );
}

#[test]
fn labels_outside_the_support() {
    let mut y = labels(10);
    y[2] = 2.0;
    assert_eq!(
        error_of(&regression(Array2::ones((10, 2)), Some(y))),
        at("regression", "y", Y) + "Bernoulli takes 0 or 1, but the value at index [2] is 2"
    );
    let line = line!() + 1;
    model! { fn spread(y: Array2<f64>) { observe!("y", HalfNormal::new(sample!("s", HalfNormal::new(1.0))), y); } }
    assert_eq!(
        error_of(&spread(array![[1.0, 2.0], [0.5, -0.5]])),
        at("spread", "y", line) + "HalfNormal takes positive numbers, but the value at index [1, 1] is -0.5"
    );
}

#[test]
fn names_that_cannot_be() {
    let line = line!() + 3;
    model! {
        fn twice() {
            sample!("x", Normal::new(0.0, 1.0));
            deterministic!("x", Var::from(1.0));
        }
    }
    assert_eq!(
        error_of(&twice()),
        at("twice", "x", line + 1) + &format!("the name is taken by the site at {}:{line}", file!())
    );
    let line = line!() + 1;
    model! { fn nameless() { let name = ""; sample!("{name}", Normal::new(0.0, 1.0)); } }
    assert_eq!(error_of(&nameless()), at("nameless", "", line) + "the name is empty");
}

#[test]
fn parameters_that_cannot_be() {
    let line = line!() + 1;
    model! { fn scale(s: f64) { sample!("x", Normal::new(0.0, s)); } }
    for (bad, name) in [(0.0, "0"), (-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        assert_eq!(
            error_of(&scale(bad)),
            at("scale", "x", line) + &format!("Normal: `scale` must be positive and finite, got {name}")
        );
    }
    let line = line!() + 1;
    model! { fn scales(s: Array1<f64>) { sample!("x", Normal::new(0.0, Var::from(&s) * 2.0)); } }
    assert_eq!(
        error_of(&scales(array![1.0, -0.5])),
        at("scales", "x", line) + "Normal: `scale` must be positive and finite, got -1"
    );
    let line = line!() + 1;
    model! { fn broadcast() { sample!("x", Normal::new([0.0, 1.0], [1.0, 1.0, 1.0])); } }
    assert_eq!(
        error_of(&broadcast()),
        at("broadcast", "x", line) + "`Normal` of shapes [2] and [3]: the parameters' shapes must broadcast"
    );
    let line = line!() + 1;
    model! { fn expanded() { sample!("x", Normal::new([0.0, 1.0], 1.0).expand([3])); } }
    let error = error_of(&expanded());
    let start = at("expanded", "x", line) + "`expand` of shapes [2] and [3]: ";
    assert!(error.starts_with(&start), "{error}");
    let line = line!() + 1;
    model! { fn eventful() { sample!("x", Normal::new([0.0, 1.0], 1.0).to_event(2)); } }
    assert_eq!(error_of(&eventful()), at("eventful", "x", line) + "`to_event`: axis -2 of an array of shape [2]");
}

#[test]
fn sites_that_change_from_run_to_run() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let end = "; a model must meet the same sites in every run";

    let line = line!() + 1;
    model! { fn shape() { let n = RUNS.fetch_add(1, Ordering::Relaxed) % 2; sample!("x", Normal::new(0.0, 1.0).expand([2 + n])); } }
    let text = "its shape was [2] in an earlier run and is [3] now";
    assert_eq!(error_of(&shape()), at("shape", "x", line) + text + end);

    let line = line!() + 1;
    model! { fn name() { let i = RUNS.fetch_add(1, Ordering::Relaxed) % 2; sample!("x{i}", Normal::new(0.0, 1.0)); } }
    let text = "site `x0` stood here in an earlier run";
    assert_eq!(error_of(&name()), at("name", "x1", line) + text + end);

    let line = line!() + 1;
    model! { fn support() { let law: Box<dyn Distribution> = if RUNS.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { Box::new(Normal::new(0.0, 1.0)) } else { Box::new(HalfNormal::new(1.0)) }; sample!("x", law); } }
    let text = "its support was real numbers in an earlier run and is positive numbers now";
    RUNS.store(0, Ordering::Relaxed);
    assert_eq!(error_of(&support()), at("support", "x", line) + text + end);

    let line = line!() + 1;
    model! { fn kind() { let y = [None, Some(1.0)][RUNS.fetch_add(1, Ordering::Relaxed) % 2]; sample!("m", Normal::new(0.0, 1.0)); observe!("x", Normal::new(0.0, 1.0), y); } }
    let text = "it was latent in an earlier run and is data now";
    RUNS.store(0, Ordering::Relaxed);
    assert_eq!(error_of(&kind()), at("kind", "x", line) + text + end);

    let line = line!() + 1;
    model! { fn number() { for i in 0..1 + RUNS.fetch_add(1, Ordering::Relaxed) % 2 { sample!("x{i}", Normal::new(0.0, 1.0)); } } }
    RUNS.store(0, Ordering::Relaxed);
    let text = "it was not there in an earlier run";
    assert_eq!(error_of(&number()), at("number", "x1", line) + text + end);
    RUNS.store(1, Ordering::Relaxed);
    let text = "it was there in an earlier run and is missing now";
    assert_eq!(error_of(&number()), at("number", "x1", line) + text + end);
}

#[test]
fn sites_that_depend_on_values() {
    let line = line!() + 1;
    model! { fn late(limit: f64) { let x = sample!("x", Normal::new(0.0, 1.0)); let n = if x.value() > limit { 3 } else { 2 }; sample!("y", Normal::new(x, 1.0).expand([n])); } }
    let change = |before, after| {
        at("late", "y", line)
            + &format!(
                "its shape was {before} in an earlier run and is {after} now; a model must meet the same sites in every run"
            )
    };
    // Which of the two comes first is up to the draws.
    let error = text(prior_predictive(&late(1.0), 100, 1));
    assert!([change("[2]", "[3]"), change("[3]", "[2]")].contains(&error), "{error}");
    // At the two points that are tried first, 0 and 0.5, the path is one, at some starting point it is the other.
    let start = "model `late`: no chain made a draw; the first ended because ";
    assert_eq!(error_of(&late(0.6)), start.to_owned() + &change("[2]", "[3]"));
}

#[test]
fn a_density_that_is_nowhere_finite_shows_the_sites() {
    let line = line!() + 3;
    model! {
        fn wall(y: Array1<f64>) {
            let mean = sample!("mean", Normal::new(0.0, 1.0));
            observe!("measurements", Normal::new(mean, 1.0), y);
            factor!("wall", Var::from(f64::NEG_INFINITY) * mean.exp());
        }
    }
    let error = error_of(&wall(array![1.0, 2.0]));
    let rows: Vec<&str> = error.lines().collect();
    assert_eq!(
        rows[0],
        "model `wall` has no finite log-density with finite gradient at any of 100 starting points; at the last:"
    );
    let cells = |row: &str| row.split_whitespace().map(String::from).collect::<Vec<_>>();
    let (mean, y, wall) = (cells(rows[1]), cells(rows[2]), cells(rows[3]));
    let place = |i: u32| format!("{}:{}", file!(), line + i);
    assert_eq!((&mean[..3], &mean[4]), (&cells("mean Normal []")[..], &place(0)));
    assert_eq!((&y[..3], &y[4]), (&cells("measurements Normal [2]")[..], &place(1)));
    // ln N(mean) of the first row and sum ln N(y - mean) of the second, at the same mean.
    let (a, b): (f64, f64) = (mean[3].parse().unwrap(), y[3].parse().unwrap());
    let ln_root = 0.5 * (2.0 * std::f64::consts::PI).ln();
    let m = (-2.0 * (a + ln_root)).sqrt();
    let likelihood = |m: f64| -0.5 * ((1.0 - m).powi(2) + (2.0 - m).powi(2)) - 2.0 * ln_root;
    // Five decimals are shown.
    assert!([m, -m].iter().any(|&m| (b - likelihood(m)).abs() < 1e-3), "{a} {b}");
    assert_eq!(wall, cells(&format!("wall [] -inf 1 term not finite {}", place(2))));
    assert_eq!(rows.len(), 4);
}

#[test]
fn a_discrete_latent_site() {
    let line = line!() + 1;
    model! { fn discrete() { sample!("coin", Bernoulli::new(0.5)); } }
    assert_eq!(
        error_of(&discrete()),
        at("discrete", "coin", line)
            + "Bernoulli is discrete (0 or 1) and cannot be sampled with gradients; give it data or sum it out"
    );
    // Forwards it can be drawn.
    let drawn = prior_predictive(&discrete(), 10, 1).unwrap();
    assert!(drawn.get("coin").unwrap().iter().all(|&x| x == 0.0 || x == 1.0));
}

#[test]
fn nothing_to_infer() {
    model! { fn all_data(y: f64) { observe!("y", Normal::new(0.0, 1.0), y); } }
    model! { fn nothing() { } }
    for model in [&all_data(1.0) as &dyn Model, &nothing()] {
        assert_eq!(
            error_of(model),
            format!(
                "model `{}` has no latent site: every site has data or is without elements, so nothing can be inferred",
                model.name()
            )
        );
    }
}

#[test]
fn plates_that_do_not_fit() {
    let line = line!() + 3;
    model! {
        fn sizes() {
            plate!("rows", 4, dim = -2, {
                sample!("x", Normal::new(0.0, 1.0).expand([3, 2]));
            });
        }
    }
    assert_eq!(
        error_of(&sizes()),
        at("sizes", "x", line + 1)
            + "Normal of batch shape [3, 2] has extent 3 at dim -2, where plate `rows` has size 4"
    );
    let line = line!() + 1;
    model! { fn taken() { plate!("a", 4, dim = -1, plate!("b", 3, dim = -1, sample!("x", Normal::new(0.0, 1.0)))); } }
    assert_eq!(
        error_of(&taken()),
        outside_sites("taken", line) + "plate `b`: dim = -1 is taken by plate `a` around it"
    );
    let line = line!() + 1;
    model! { fn dims(dim: isize) { plate!("p", 4, dim = dim, sample!("x", Normal::new(0.0, 1.0))); } }
    for dim in [0, 1, -33, isize::MIN, isize::MAX] {
        assert_eq!(
            error_of(&dims(dim)),
            outside_sites("dims", line)
                + &format!("plate `p`: dim = {dim}, but dims count from the right, from -1 to -32")
        );
    }
    let line = line!() + 1;
    model! { fn data(y: f64) { plate!("p", 4, { let m = sample!("m", Normal::new(0.0, 1.0)); observe!("y", Normal::new(m, 1.0), y); }); } }
    assert_eq!(
        error_of(&data(1.0)),
        at("data", "y", line)
            + "the data of shape [] against Normal of batch shape [4] would make a likelihood of shape [4]: more \
               terms than observations; reshape one to match the other"
    );
}

#[test]
fn sites_outside_a_model() {
    // Without a trace nobody could report it; used in a model later, it says where it was made.
    let macros: [fn(); 5] = [
        || {
            sample!("x", Normal::new(0.0, 1.0));
        },
        || {
            observe!("x", Normal::new(0.0, 1.0), 1.0);
        },
        || {
            deterministic!("x", 1.0);
        },
        || factor!("x", 1.0),
        || plate!("p", 3, ()),
    ];
    let names = ["sample!", "observe!", "deterministic!", "factor!", "plate!"];
    for (site, name) in macros.iter().zip(names) {
        site();
        let error = text(trace(site));
        let why = format!("`{name}` outside a running model: no trace is being recorded");
        assert!(error.contains(&why) && error.contains(file!()), "{error}");
    }
    thread_local!(static KEPT: Cell<Option<Var>> = const { Cell::new(None) });
    let line = line!() + 1;
    KEPT.set(Some(sample!("x", Normal::new(0.0, 1.0))));
    model! { fn uses() { sample!("y", Normal::new(KEPT.get().unwrap_or(Var::from(0.0)), 1.0)); } }
    let error = error_of(&uses());
    assert_eq!(error, at("uses", "y", line) + "`sample!` outside a running model: no trace is being recorded");
    // However often.
    for _ in 0..1000 {
        KEPT.set(Some(Var::from(0.0)));
    }
    let error = error_of(&uses());
    assert!(error.contains("`Var` of another trace"), "{error}");
}

#[test]
fn values_of_another_run() {
    thread_local!(static KEPT: Cell<Option<Var>> = const { Cell::new(None) });
    model! { fn keeps() { let x = sample!("x", Normal::new(0.0, 1.0)); KEPT.set(Some(x)); } }
    let line = line!() + 2;
    model! {
        fn parameter() { sample!("a", Normal::new(KEPT.get().unwrap_or(Var::from(0.0)), 1.0)); }
        fn named() { sample!("a", Normal::new(0.0, 1.0)); deterministic!("b", KEPT.get().unwrap_or(Var::from(0.0))); }
        fn term() { sample!("a", Normal::new(0.0, 1.0)); factor!("b", KEPT.get().unwrap_or(Var::from(0.0))); }
        fn data() { let m = sample!("a", Normal::new(0.0, 1.0)); observe!("b", Normal::new(m, 1.0), KEPT.get().unwrap_or(Var::from(0.0))); }
    }
    let models: [(&dyn Model, &str); 4] = [(&parameter(), "a"), (&named(), "b"), (&term(), "b"), (&data(), "b")];
    for (i, (model, site)) in models.into_iter().enumerate() {
        fit(&keeps());
        let error = error_of(model);
        let (start, end) = (
            at(model.name(), site, line + i as u32),
            "a `Var` of another trace (a `Var` lives only while the function that made it is traced)",
        );
        assert!(error.starts_with(&start) && error.ends_with(end), "{error}");
    }
}

#[test]
fn sites_inside_a_function_that_the_model_traces() {
    let line = line!() + 1;
    model! { fn inner() { sample!("a", Normal::new(0.0, 1.0)); if let Err(e) = grad(|x: Var| { deterministic!("b", x); x }, &array![1.0]) { std::panic::panic_any(e.to_string()); } } }
    // The inner trace fails; this model passes its error on as a panic.
    let panic = catch_unwind(|| nuts().run(&inner()).map(drop)).unwrap_err();
    let error = panic.downcast_ref::<String>().unwrap();
    assert!(error.contains(&format!("site `b`, {}:{line}: `deterministic!` inside a function", file!())), "{error}");
    // One that ignores it goes on without that site.
    model! { fn ignores() { sample!("a", Normal::new(0.0, 1.0)); let _ = grad(|x: Var| sample!("b", Normal::new(x, 1.0)).sum(), &array![1.0]); } }
    let posterior = fit(&ignores());
    assert!(posterior.get("a").is_some() && posterior.get("b").is_none());
}

#[test]
fn a_panic_in_a_model_is_that_panic_and_leaves_nothing_behind() {
    static ARMED: AtomicBool = AtomicBool::new(false);
    model! {
        fn panics() {
            plate!("p", 3, {
                sample!("x", Normal::new(0.0, 1.0));
                assert!(!ARMED.load(Ordering::Relaxed), "the user's own assertion");
            });
        }
        fn panics_later() {
            let x = sample!("x", Normal::new(0.0, 1.0));
            assert!(!ARMED.load(Ordering::Relaxed) || x.value() < 0.6, "the user's own assertion");
        }
    }
    let before = fit(&panics());
    for model in [&panics() as &(dyn Model + std::panic::RefUnwindSafe), &panics_later()] {
        ARMED.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            let panic = catch_unwind(|| nuts().run(model).map(drop)).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"the user's own assertion"));
        }
        ARMED.store(false, Ordering::Relaxed);
        // No trace, run or plate is left on any thread.
        let error = text(trace(|| sample!("x", Normal::new(0.0, 1.0))));
        assert!(error.contains("outside a running model"), "{error}");
        assert_eq!(fit(&panics()).get("x"), before.get("x"));
    }
}

#[test]
fn wrong_settings() {
    model! { fn simple() { sample!("x", Normal::new(0.0, 1.0).expand([1 << 20])); } }
    let model = simple();
    let wrong = |nuts: Nuts| text(nuts.run(&model));
    assert_eq!(wrong(nuts().draws(0)), "draws is 0, wanted 1 to 2147483647");
    assert_eq!(wrong(nuts().chains(0)), "chains is 0, wanted 1 to 2147483647");
    assert_eq!(wrong(nuts().max_depth(0)), "max_depth is 0, wanted 1 to 20");
    assert_eq!(wrong(nuts().max_depth(21)), "max_depth is 21, wanted 1 to 20");
    assert_eq!(wrong(nuts().threads(0)), "threads is 0, wanted 1 to 65536");
    assert_eq!(wrong(nuts().warmup(usize::MAX)), "warmup is 18446744073709551615, wanted 0 to 2147483647");
    for bad in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(
            wrong(nuts().target_acceptance(bad)),
            format!("target_acceptance is {bad}, wanted more than 0 and less than 1")
        );
    }
    for bad in [1.0, -0.1, f64::NAN] {
        assert_eq!(
            wrong(nuts().step_size_jitter(bad)),
            format!("step_size_jitter is {bad}, wanted at least 0 and less than 1")
        );
    }
    for bad in [0, usize::MAX] {
        assert_eq!(text(prior_predictive(&model, bad, 0)), format!("draws is {bad}, wanted 1 to 4294967295"));
    }
    assert_eq!(
        text(prior_predictive(&model, u32::MAX as usize, 0)),
        "4294967295 draws of 1048576 coordinates are too many to store"
    );
}

#[test]
fn asking_a_posterior_for_what_it_has_not() {
    model! {
        fn two(y: Option<f64>) {
            let a = sample!("a", Normal::new(0.0, 1.0));
            deterministic!("b", 2.0 * a);
            observe!("y", Normal::new(a, 1.0), y);
        }
    }
    let posterior = fit(&two(Some(1.0)));
    assert_eq!(posterior.get("c"), None);
    let unknown = "model `two` has no site `c` to ask for; it has `a`, `b`";
    assert_eq!(text(posterior.mean("c")), unknown);
    let new = two(None);
    let unknown = "model `two` has no site `c` to ask for; it has `b`, `y`";
    let predictive = || posterior.predictive(&new).unwrap();
    assert_eq!(text(predictive().sites(&["y", "c"])), unknown);
    assert_eq!(text(predictive().reduce("c", Mean::new())), unknown);
}

#[test]
fn predicting_with_a_model_that_does_not_fit() {
    let posterior = fit(&regression(Array2::ones((4, 2)), Some(labels(4))));
    model! {
        fn stranger() { sample!("z", Normal::new(0.0, 1.0)); }
        fn silent() { sample!("w", Normal::new(0.0, 1.0).expand([2, 1])); }
    }
    assert_eq!(
        text(posterior.predict(&stranger())),
        "model `stranger` shares no site with the posterior of `regression`, which has `w`"
    );
    let nothing =
        "has nothing to predict: every site has data or is given; call it with `None` for what is to be drawn";
    assert_eq!(text(posterior.predict(&silent())), format!("model `silent` {nothing}"));
    assert_eq!(
        text(posterior.predict(&regression(Array2::ones((4, 2)), Some(labels(4))))),
        format!("model `regression` {nothing}")
    );
    assert_eq!(
        text(posterior.predict(&regression(Array2::ones((4, 3)), None))),
        at("regression", "w", W) + "the values given for it have shape [2, 1], but here the site has shape [3, 1]"
    );
}

#[test]
fn sites_without_elements_are_no_error() {
    model! {
        fn empty(x: Array3<f64>) {
            let a = sample!("a", Normal::new(0.0, 1.0));
            let none = plate!("none", x.dim().0, sample!("none", Normal::new(a, 1.0)));
            deterministic!("total", none.sum() + a);
        }
    }
    let posterior = fit(&empty(Array3::zeros((0, 1, 1))));
    assert_eq!(posterior.get("none").unwrap().shape(), [2, 10, 0]);
    assert_eq!(posterior.get("total"), posterior.get("a"));
    assert_eq!(posterior.mean("none").unwrap().shape(), [0]);
    assert!(posterior.summary().to_string().contains("total"));
}
