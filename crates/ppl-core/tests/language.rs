//! What one can write in a model, and what a run makes of it: names, shapes, plates, data, terms.

use std::f64::consts::PI;
use std::time::Instant;

use ndarray::{Array1, Array2, array};
use ppl_autodiff::random::Key;
use ppl_autodiff::{Program, Var, gradient};
use ppl_core::dist::{Bernoulli, HalfNormal, Normal};
use ppl_core::{Distribution, Kind, Model, ModelTrace, Values, deterministic, factor, model, observe, plate, sample};

/// Name, kind and shape of each site of a run over unconstrained space.
fn sites(model: &dyn Model) -> Vec<(String, Kind, Vec<usize>)> {
    outline(ModelTrace::unconstrained(model, &[]).unwrap())
}

fn outline(trace: ModelTrace) -> Vec<(String, Kind, Vec<usize>)> {
    let sites = trace.outline().into_iter();
    sites.map(|s| (s.name, s.kind, s.shape.to_vec())).collect()
}

fn shapes(model: &dyn Model) -> Vec<(String, Vec<usize>)> {
    let sites = sites(model).into_iter();
    sites.map(|(name, _, shape)| (name, shape)).collect()
}

fn names(model: &dyn Model) -> Vec<String> {
    sites(model).into_iter().map(|(name, ..)| name).collect()
}

fn shape(name: &str, shape: &[usize]) -> (String, Vec<usize>) {
    (name.to_owned(), shape.to_vec())
}

/// Prior, likelihood and log-Jacobian at a point.
fn terms(model: &dyn Model, point: &[f64]) -> [f64; 3] {
    let trace = ModelTrace::unconstrained(model, point).unwrap();
    let (terms, trace) = trace.terms().unwrap();
    let outputs = [terms.prior, terms.likelihood, terms.log_det];
    let program = Program::<f64>::compile(trace.traced().tape(), &[&outputs]);
    let mut out = [0.0; 3];
    program.evaluate(&mut program.workspace(), &[point], &mut [&mut out]);
    out
}

#[track_caller]
fn assert_close(got: &[f64], want: &[f64]) {
    let close = |(g, w): (&f64, &f64)| (g - w).abs() <= 1e-12 * w.abs().max(1.0);
    assert!(got.len() == want.len() && got.iter().zip(want).all(close), "{got:?} is not {want:?}");
}

/// ln N(x; m, s).
fn normal(x: f64, m: f64, s: f64) -> f64 {
    -0.5 * ((x - m) / s).powi(2) - s.ln() - 0.5 * (2.0 * PI).ln()
}

/// ln HalfNormal(x; s).
fn half_normal(x: f64, s: f64) -> f64 {
    normal(x, 0.0, s) + 2f64.ln()
}

/// A layer as users write one: it samples under the names that it is given.
fn layer(x: Var, name: &str, width: usize) -> Var {
    let weights = sample!("{name}.w", Normal::new(0.0, 1.0).expand([x.dim(-1), width]));
    let bias = sample!(format!("{name}.b"), Normal::new(0.0, 1.0).expand([width]));
    (x.matmul(weights) + bias).tanh()
}

model! {
    /// Names from captures, loops and helper functions.
    #[allow(dead_code)]
    fn network(x: Array2<f64>, widths: Vec<usize>) {
        let mut z = Var::from(&x);
        for (i, &width) in widths.iter().enumerate() {
            z = layer(z, &format!("layer{i}"), width);
        }
        let (last, digits) = (widths.len(), 3);
        sample!("free_{last}_{digits:02}{{}}", Normal::new(0.0, 1.0));
        let name = String::from("borrowed");
        sample!(name, Normal::new(0.0, 1.0));
        sample!(&name[1..], Normal::new(0.0, 1.0));
        sample!(concat!("con", "cat"), Normal::new(0.0, 1.0));
    }

    /// A model without arguments, made in the same call of `model!`.
    fn constant() {
        sample!("x", Normal::new(0.0, 1.0));
    }
}

#[test]
fn names_come_from_captures_expressions_loops_and_helpers() {
    let model = network(Array2::zeros((4, 2)), vec![3, 1]);
    assert_eq!(
        shapes(&model),
        [
            shape("layer0.w", &[2, 3]),
            shape("layer0.b", &[3]),
            shape("layer1.w", &[3, 1]),
            shape("layer1.b", &[1]),
            shape("free_2_03{}", &[]),
            shape("borrowed", &[]),
            shape("orrowed", &[]),
            shape("concat", &[]),
        ]
    );
    assert_eq!(names(&constant()), ["x"]);
    assert_eq!((model.name(), constant().name()), ("network", "constant"));
    assert_eq!(format!("{model:?}"), "model `network`");
}

#[test]
fn models_are_values_trait_objects_and_clones() {
    let boxed: Vec<Box<dyn Model>> = vec![Box::new(constant()), Box::new(constant().clone())];
    let shared = std::sync::Arc::new(constant());
    for model in [&boxed[0] as &dyn Model, &boxed[1], &shared, &&shared] {
        assert_eq!(names(model), ["x"]);
        assert_eq!(model.name(), "constant");
    }
}

#[test]
fn a_model_may_borrow_its_data_and_return_early() {
    model! {
        fn borrowing(x: &Array1<f64>, more: bool) {
            sample!("a", Normal::new(0.0, 1.0).expand([x.len()]));
            if !more {
                return;
            }
            sample!("b", Normal::new(0.0, 1.0));
        }
    }
    let x = array![1.0, 2.0];
    assert_eq!(names(&borrowing(&x, false)), ["a"]);
    assert_eq!(names(&borrowing(&x, true)), ["a", "b"]);
}

#[test]
fn a_model_called_inside_another_adds_its_sites_to_that_run() {
    model! {
        fn whole() {
            constant().run();
            sample!("y", Normal::new(0.0, 1.0));
        }
        fn traced_within() {
            // Asking for a trace of its own leaves this one alone.
            let inner = ModelTrace::unconstrained(&constant(), &[]).unwrap();
            assert_eq!(inner.sites().len(), 1);
            sample!("x", Normal::new(0.0, 1.0));
        }
    }
    assert_eq!(names(&whole()), ["x", "y"]);
    assert_eq!(names(&traced_within()), ["x"]);
}

#[test]
fn a_distribution_may_contain_sites() {
    model! {
        fn nested() {
            sample!("x", Normal::new(sample!("mean", Normal::new(0.0, 1.0)), 1.0));
        }
    }
    assert_eq!(names(&nested()), ["mean", "x"]);
}

/// Shapes as in NumPyro: `with numpyro.plate(name, size, dim=dim): numpyro.sample(name, dist)`.
#[test]
fn plates_copy_along_their_axis() {
    model! {
        fn plates() {
            plate!("category", 18, dim = -3, {
                sample!("frame", Normal::new(0.0, 1.0).expand([1, 2, 5]));
                sample!("matrix", Normal::new(0.0, 1.0).expand([2, 5]));
                sample!("vector", Normal::new(0.0, 1.0).expand([5]));
                sample!("scalar", Normal::new(0.0, 1.0));
                sample!("full", Normal::new(0.0, 1.0).expand([18, 2, 5]));
                sample!("larger", Normal::new(0.0, 1.0).expand([7, 1, 2, 5]));
                sample!("event", Normal::new(0.0, 1.0).expand([4]).to_event(1));
                sample!("parameters", Normal::new(Var::zeros([2, 1]), [1.0, 1.0, 1.0]));
            });
            sample!("outside", Normal::new(0.0, 1.0));
        }
    }
    assert_eq!(
        shapes(&plates()),
        [
            shape("frame", &[18, 2, 5]),
            shape("matrix", &[18, 2, 5]),
            shape("vector", &[18, 1, 5]),
            shape("scalar", &[18, 1, 1]),
            shape("full", &[18, 2, 5]),
            shape("larger", &[7, 18, 2, 5]),
            shape("event", &[18, 1, 1, 4]),
            shape("parameters", &[18, 2, 3]),
            shape("outside", &[]),
        ]
    );
}

#[test]
fn plates_without_dims_take_the_first_free_axis_from_the_right() {
    model! {
        fn automatic() {
            plate!("outer", 3, {
                sample!("one", Normal::new(0.0, 1.0));
                plate!("inner", 4, {
                    sample!("two", Normal::new(0.0, 1.0));
                    sample!("fits", Normal::new(0.0, 1.0).expand([4, 1]));
                });
                sample!("again", Normal::new(0.0, 1.0));
            });
            let fixed = "fixed";
            plate!(format!("{fixed}"), 5, dim = -2, plate!("free", 6, {
                sample!("three", Normal::new(0.0, 1.0));
                plate!("next", 7, sample!("four", Normal::new(0.0, 1.0)));
            }));
            plate!("one", 1, sample!("single", Normal::new(0.0, 1.0)));
            plate!("none", 0, sample!("nothing", Normal::new(0.0, 1.0)));
        }
    }
    assert_eq!(
        shapes(&automatic()),
        [
            shape("one", &[3]),
            shape("two", &[4, 3]),
            shape("fits", &[4, 3]),
            shape("again", &[3]),
            shape("three", &[5, 6]),
            shape("four", &[7, 5, 6]),
            shape("single", &[1]),
            shape("nothing", &[0]),
        ]
    );
}

#[test]
fn the_value_of_a_plate_is_its_block_s() {
    model! {
        fn value() {
            let (a, b) = plate!("p", 3, {
                let a = sample!("a", Normal::new(0.0, 1.0));
                (a, 2.0 * a)
            });
            deterministic!("sum", a + b);
        }
    }
    assert_eq!(shapes(&value())[1], shape("sum", &[3]));
}

#[test]
fn log_densities_of_copies_and_events_have_the_batch_shape() {
    model! {
        fn copies() {
            plate!("p", 3, dim = -2, {
                sample!("batch", Normal::new(0.0, 1.0).expand([4]));
                sample!("event", Normal::new(0.0, 1.0).expand([4, 5]).to_event(2));
            });
        }
    }
    let trace = ModelTrace::unconstrained(&copies(), &[]).unwrap();
    let (found, _) = trace
        .extend(|sites| {
            let shapes = sites.iter().map(|s| s.log_prob.unwrap().shape().to_vec());
            shapes.collect::<Vec<_>>()
        })
        .unwrap();
    assert_eq!(found, [vec![3, 4], vec![3, 1]]);
    // The sum over copies of ln N(0; 0, 1).
    let [prior, ..] = terms(&copies(), &[0.0; 12 + 60]);
    assert_close(&[prior], &[72.0 * normal(0.0, 0.0, 1.0)]);
}

#[test]
fn observe_without_data_is_sample() {
    model! {
        fn free(y: Option<Array1<f64>>) {
            let mean = sample!("mean", Normal::new(0.0, 1.0));
            observe!("y", Normal::new(mean, 1.0).expand([3]), y);
        }
    }
    let kinds = |m: &dyn Model| sites(m).iter().map(|s| s.1).collect::<Vec<_>>();
    let data = Some(array![1.0, 2.0, 3.0]);
    assert_eq!(kinds(&free(data.clone())), [Kind::Latent, Kind::Observed]);
    assert_eq!(kinds(&free(None)), [Kind::Latent, Kind::Latent]);
    let drawn = ModelTrace::forward(&free(None), Values::Prior, &[], Key::default()).unwrap();
    assert_eq!(outline(drawn), [("mean".to_owned(), Kind::Drawn, vec![]), ("y".to_owned(), Kind::Drawn, vec![3]),]);
    let forward = ModelTrace::forward(&free(data), Values::Prior, &[], Key::default()).unwrap();
    assert_eq!(outline(forward)[1].1, Kind::Observed);
}

#[test]
fn data_may_be_numbers_of_any_kind() {
    model! {
        fn kinds(integers: Vec<usize>, labels: Option<Array1<bool>>, bytes: Array1<u8>) {
            let p = sample!("p", Normal::new(0.0, 1.0));
            observe!("integers", Bernoulli::logits(p), &integers);
            observe!("labels", Bernoulli::logits(p), &labels);
            observe!("bytes", Bernoulli::logits(p), bytes.view());
            observe!("signed", Bernoulli::logits(p), [1i32, 0, 1]);
            observe!("single", Bernoulli::logits(p), true);
            observe!("count", Bernoulli::logits(p), 1usize);
            observe!("maybe", Bernoulli::logits(p), Some(0u8));
            observe!("float", Bernoulli::logits(p), &[1.0f32][..]);
        }
    }
    let model = kinds(vec![1, 0, 1, 1], Some(array![true, false]), array![0u8, 1, 1]);
    // At log-odds t each 1 adds -ln(1 + e^-t), each 0 adds -ln(1 + e^t): 3 + 1 + 2 + 2 + 1 + 1 + 0 + 1 = 11 ones and
    // 1 + 1 + 1 + 1 + 0 + 0 + 1 + 0 = 5 zeros.
    let t: f64 = 0.7;
    let want = -11.0 * (-t).exp().ln_1p() - 5.0 * t.exp().ln_1p();
    assert_close(&terms(&model, &[t])[1..2], &[want]);
}

/// Every kind of term once, against sums done by hand.
#[test]
fn terms_are_the_sums_of_their_parts() {
    model! {
        fn everything(x: Array1<f64>, y: Array1<f64>, b: Vec<bool>) {
            let mean = sample!("mean", Normal::new(1.0, 2.0));
            let scale = sample!("scale", HalfNormal::new(3.0));
            let slopes = sample!("slopes", Normal::new(0.0, scale).expand([2]).to_event(1));
            let centre = deterministic!("centre", mean + slopes.sum() * Var::from(&x));
            observe!("y", Normal::new(centre, scale), y);
            observe!("b", Bernoulli::logits(mean), b);
            factor!("tilt", Var::from([0.25, 0.5]) * mean);
        }
    }
    let (x, y) = ([0.5, -1.0, 2.0], [1.5, 0.5, -2.0]);
    let model = everything(x.to_vec().into(), y.to_vec().into(), vec![true, true, false]);
    // mean = 0.3, scale = e^-0.4, slopes = (0.7, -1.1).
    let point = [0.3, -0.4, 0.7, -1.1];
    let (mean, scale) = (0.3, (-0.4f64).exp());
    let prior = normal(mean, 1.0, 2.0)
        + half_normal(scale, 3.0)
        + normal(0.7, 0.0, scale)
        + normal(-1.1, 0.0, scale)
        + 0.75 * mean;
    let sigmoid = 1.0 / (1.0 + (-mean).exp());
    let rows: f64 = (0..3).map(|i| normal(y[i], mean + (0.7 - 1.1) * x[i], scale)).sum();
    let likelihood = rows + 2.0 * sigmoid.ln() + (1.0 - sigmoid).ln();
    // The Jacobian of e^x is e^x.
    assert_close(&terms(&model, &point), &[prior, likelihood, -0.4]);
}

#[test]
fn what_is_given_takes_its_place_in_the_order_of_the_function() {
    model! {
        fn three() {
            let a = sample!("a", Normal::new(0.0, 1.0).expand([2]));
            let b = sample!("b", HalfNormal::new(1.0));
            let c = sample!("c", Normal::new(0.0, 1.0));
            deterministic!("all", a.sum() + 10.0 * b + 0.0 * c);
        }
    }
    let given = [("a", vec![2]), ("b", vec![])];
    let given = given.map(|(name, shape)| (name.to_owned(), shape.into()));
    let values = Values::Given(given.into_iter().collect());
    let trace = ModelTrace::forward(&three(), values, &[], Key::default()).unwrap();
    let kinds: Vec<Kind> = trace.sites().iter().map(|s| s.kind).collect();
    use Kind::{Deterministic, Drawn, Latent};
    assert_eq!(kinds, [Latent, Latent, Drawn, Deterministic]);
    let all = trace.sites()[3].value;
    let program = Program::<f64>::compile(trace.traced().tape(), &[&[all]]);
    let mut out = [0.0];
    let point = [1.0, 2.0, 0.5]; // given values are not transformed: b is 0.5
    program.evaluate(&mut program.workspace(), &[&point], &mut [&mut out]);
    assert_close(&out, &[8.0]);
}

#[test]
fn a_chain_of_20_000_sites_is_traced_differentiated_and_compiled() {
    model! {
        fn chain(y: Vec<f64>) {
            let mut x = sample!("x0", Normal::new(0.0, 1.0));
            for i in 1..y.len() {
                x = sample!("x{i}", Normal::new(x, 1.0));
            }
            observe!("y", Normal::new(x, 1.0), y[0]);
        }
        fn walk(y: Vec<f64>) {
            let mut x = sample!("x0", Normal::new(0.0, 1.0));
            for (i, &y) in y.iter().enumerate() {
                x += 1.0;
                observe!("y{i}", Normal::new(x, 1.0), y);
            }
        }
    }
    let start = Instant::now();
    let n = 20_000;
    let (gradient_of_chain, seconds) = gradient_at_zero(&chain(vec![3.0; n]), n);
    // d/dx0 = -x0 + (x1 - x0) and so on, all 0 at 0 but the last, which the datum pulls: 3 - 0.
    assert_close(&gradient_of_chain[..2], &[0.0, 0.0]);
    assert_close(&gradient_of_chain[n - 1..], &[3.0]);
    let (gradient_of_walk, more) = gradient_at_zero(&walk(vec![0.0; n]), 1);
    // The i-th datum is off by i: the sum of -i for i = 1..=n.
    let pull = -((n * (n + 1)) as f64) / 2.0;
    assert_close(&gradient_of_walk, &[pull]);
    println!("chain {seconds:?}, walk {more:?}");
    // It takes about 2 s; what is quadratic takes minutes.
    assert!(start.elapsed().as_secs() < 60);
}

fn gradient_at_zero(model: &dyn Model, n: usize) -> (Vec<f64>, [f64; 3]) {
    let start = Instant::now();
    let trace = ModelTrace::unconstrained(model, &[]).unwrap();
    let traced = start.elapsed().as_secs_f64();
    let (terms, trace) = trace.terms().unwrap();
    let (slopes, trace) = trace
        .extend(|sites| {
            let inputs = sites.iter().filter_map(|s| Some(s.unconstrained?.0));
            gradient(terms.log_density(), &inputs.collect::<Vec<_>>())
        })
        .unwrap();
    let differentiated = start.elapsed().as_secs_f64();
    let program = Program::<f64>::compile(trace.traced().tape(), &[&slopes]);
    let compiled = start.elapsed().as_secs_f64();
    let mut out = vec![0.0; n];
    program.evaluate(&mut program.workspace(), &[&vec![0.0; n]], &mut [&mut out[..]]);
    let seconds = [traced, differentiated - traced, compiled - differentiated];
    (out, seconds)
}
