//! What must hold for every distribution of the catalogue: parameters are checked, gradients are right, there is no
//! density outside the support, shapes add up.

mod dist_common;

use std::collections::BTreeSet;

use dist_common::{build, each, evaluate, is_continuous, some_points};
use ppl_autodiff::check::check_gradient;
use ppl_autodiff::{Mistake, Shape, Tensor, Var, gradient, trace};
use ppl_core::Support;
use ppl_core::dist::{CATALOGUE, Distribution, Form, Normal};

#[test]
fn the_catalogue_has_every_file() {
    // Wrappers, improper laws and the point mass are not in the catalogue; they have tests of their own.
    let not_distributions = [
        "mod",
        "check",
        "search",
        "graph",
        "wrap",
        "custom",
        "delta",
        "flat",
        "improper",
        "markovchain",
        "masked",
        "restricted",
        "transformed",
    ];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dist");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().replace('_', ""))
        .filter(|name| !not_distributions.contains(&name.as_str()))
        .collect();
    let names: BTreeSet<String> = CATALOGUE.iter().map(|e| e.name.to_lowercase()).collect();
    assert_eq!(names, files);
    assert_eq!(CATALOGUE.len(), files.len());
}

#[test]
fn bad_parameters_are_errors_that_name_distribution_and_argument() {
    for entry in CATALOGUE {
        for form in entry.forms {
            for parameters in form.bad {
                let traced = trace(|| build(form, parameters).batch_shape());
                let error = traced.err().unwrap_or_else(|| {
                    panic!("{} takes {parameters:?}", entry.name);
                });
                let Mistake::Argument { owner, argument, got, .. } = &error.mistake else {
                    panic!("{error}");
                };
                assert_eq!(owner, entry.name);
                assert!(form.arguments.contains(argument), "{error}");
                assert!(error.to_string().contains(entry.name) && !error.to_string().is_empty());
                assert!(parameters.iter().any(|p| p.to_bits() == got.to_bits()) || got.is_finite());
            }
        }
    }
}

/// The number of a parameter that may be differentiated: all but counts.
fn is_real(what: &str, form: &Form, parameter: usize) -> bool {
    let whole =
        ["DiscreteUniform", "HyperGeometric", "Censored", "Truncated::right"].iter().any(|name| what.starts_with(name));
    !whole && form.arguments.get(parameter) != Some(&"total_count")
}

/// By differences, along the value (through its transform) and the parameters. The tolerance is that of differences of a
/// function whose terms reach 1e4.
#[test]
fn log_densities_have_the_gradients_of_differences() {
    let mut wrong = Vec::new();
    each(|what, form, parameters| {
        let (length, event) = trace(|| {
            let d = build(form, parameters);
            let unconstrained = d.support().transform();
            let shape = unconstrained.map(|t| t.unconstrained_shape(&d.event_shape()));
            (shape.map_or(0, |s| s.size()), d.event_shape())
        })
        .unwrap()
        .0;
        for point in some_points(form, parameters, 3) {
            let mut at = if length > 0 { point.clone() } else { vec![] };
            at.extend_from_slice(parameters);
            let f = |x: Var| {
                let p: Vec<Var> = (0..parameters.len())
                    .map(|i| match is_real(what, form, i) {
                        true => x.index(0, length + i),
                        false => Var::from(parameters[i]),
                    })
                    .collect();
                let d = (form.build)(&p);
                match d.support().transform() {
                    Some(transform) => {
                        let shape = transform.unconstrained_shape(&event);
                        let u = x.slice(0, 0..length).reshape(shape);
                        d.log_prob(transform.forward(u)).sum()
                    }
                    None => d.log_prob(Var::from(&point).reshape(&event)).sum() + 0.0 * x.sum(),
                }
            };
            if let Err(error) = check_gradient(f, &at, 1e-8) {
                wrong.push(format!("{what} at {at:?}: {error}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Values outside of a support, and NaN.
fn outside(distribution: &dyn Distribution) -> Vec<Tensor> {
    let event = distribution.event_shape();
    let numbers = |values: &[f64]| values.iter().map(|&v| Tensor::from(v)).collect();
    let arrays = |parts: &[&[f64]]| parts.iter().filter_map(|p| Tensor::new(event.clone(), *p)).collect::<Vec<_>>();
    match distribution.support() {
        Support::Real | Support::RealVector | Support::RealMatrix | Support::Circular => vec![],
        Support::LowerBound { .. } => numbers(&[-1e6, f64::NEG_INFINITY, f64::INFINITY, f64::NAN]),
        Support::Mixed { .. } => numbers(&[-1e6, f64::INFINITY, f64::NAN]),
        Support::UpperBound { .. } => numbers(&[1e6, f64::NEG_INFINITY, f64::INFINITY, f64::NAN]),
        Support::Positive => numbers(&[-1.0, f64::NEG_INFINITY, f64::INFINITY, f64::NAN]),
        Support::UnitInterval => numbers(&[-0.1, 1.1, f64::INFINITY, f64::NAN]),
        Support::Interval { .. } => numbers(&[-1e6, 1e6, f64::NAN]),
        Support::Simplex => vec![Tensor::from([0.7, 0.8, -0.5]), Tensor::from([f64::NAN; 3])],
        Support::ZeroSum => arrays(&[&[1.0, 2.0, -2.0], &[f64::NAN; 3]]),
        Support::Counts { .. } => arrays(&[&[1.0, 0.0, 0.0], &[0.5, 0.5, 4.0], &[-1.0, 3.0, 3.0], &[f64::NAN; 3]]),
        Support::Correlation => arrays(&[&[1.0, 1.5, 1.5, 1.0], &[1.0, -0.5, 1.5, 2.0]]),
        Support::PositiveDefinite => arrays(&[&[1.0, 1.5, 1.5, 1.0], &[-1.0, 0.0, 0.0, 1.0]]),
        Support::LowerCholesky => arrays(&[&[1.0, 0.5, 0.3, 1.0], &[1.0, 0.0, 0.3, -1.0], &[f64::NAN, 0.0, 0.0, 1.0]]),
        Support::CorrelationCholesky => arrays(&[&[1.0, 0.0, 0.0, 0.6, -0.8, 0.0, 0.0, 0.0, 1.0]]),
        Support::Boolean => numbers(&[-1.0, 0.5, 2.0, f64::NAN]),
        Support::NonNegativeInteger => numbers(&[-1.0, 0.5, f64::INFINITY, f64::NAN]),
        Support::IntegerInterval { high, .. } => {
            let beyond = high.as_constant().map_or(1e9, |h| h.data()[0] + 1.0);
            numbers(&[-1.0, 0.5, beyond, f64::NAN])
        }
        other => panic!("no example for {}", other.name()),
    }
}

#[test]
fn outside_the_support_there_is_no_density_and_no_slope() {
    each(|what, form, parameters| {
        let values = trace(|| outside(&build(form, parameters))).unwrap().0;
        for value in values {
            let inputs: Vec<f64> = value.data().iter().chain(parameters).copied().collect();
            let out = evaluate(&inputs, || {
                let x = Var::input(0, value.shape());
                let inputs: Vec<Var> = parameters.iter().map(|_| Var::input(0, ())).collect();
                let number = |i: usize| if is_real(what, form, i) { inputs[i] } else { Var::from(parameters[i]) };
                let p: Vec<Var> = (0..parameters.len()).map(number).collect();
                let log_prob = (form.build)(&p).log_prob(x);
                let mut out = vec![log_prob];
                out.extend(gradient(log_prob, &[&[x], &inputs[..]].concat()));
                out
            });
            assert_eq!(out[0], [f64::NEG_INFINITY], "{what} at {value:?}");
            let slopes = out[1..].concat();
            assert!(slopes.iter().all(|&s| s == 0.0), "{what} at {value:?}: {slopes:?}");
        }
    });
}

/// By the log-odds a law has the density that it has by the value, where the value has digits for it: within 1e-12 of the
/// size of its terms, which for concentrations of hundreds are hundreds.
#[test]
fn densities_by_log_odds_are_those_by_the_value() {
    let mut laws = BTreeSet::new();
    each(|what, form, parameters| {
        for u in [-3.0, -0.4, 0.0, 1.0, 2.5] {
            let out = evaluate(&[u], || {
                let (u, d) = (Var::input(0, ()), build(form, parameters));
                let by_logit = d.log_prob_of_logit(u);
                by_logit.map_or(vec![], |by_logit| vec![by_logit, d.log_prob(u.sigmoid())])
            });
            if let [by_logit, by_value] = &out[..] {
                let (got, want) = (by_logit[0], by_value[0]);
                let size = parameters.iter().fold(want.abs().max(1.0), |m, p| m.max(p.abs()));
                assert!((got - want).abs() <= 1e-12 * size, "{what} at {u}: {got}, by the value {want}");
                laws.insert(what.split(':').next().unwrap_or_default().to_owned());
            }
        }
    });
    assert_eq!(laws.into_iter().collect::<Vec<_>>(), ["Beta", "Kumaraswamy", "LogitNormal", "RelaxedBernoulli"]);
}

/// Parameters in arrays give, element by element, what they give one by one.
#[test]
fn batches_are_the_same_as_scalars() {
    for entry in CATALOGUE {
        for form in entry.forms {
            let length = form.good[0].len();
            let sets: Vec<&[f64]> = (form.good.iter().copied()).filter(|g| g.len() == length).collect();
            let columns: Vec<Vec<f64>> = (0..length).map(|i| sets.iter().map(|s| s[i]).collect()).collect();
            let batch = Shape::from([5, sets.len()]);
            let (mut shapes, mut values, mut together) = (None, vec![], vec![]);
            let out = evaluate(&[], || {
                let d = (form.build)(&columns.iter().map(Var::from).collect::<Vec<_>>());
                let draw = d.draw(&batch);
                let log_prob = d.log_prob(draw);
                shapes = Some((d.batch_shape(), d.event_shape(), draw.shape(), log_prob.shape()));
                vec![draw, log_prob]
            });
            values.clone_from(&out[0]);
            together.clone_from(&out[1]);
            let (own, event, drawn, judged) = shapes.unwrap();
            assert_eq!(own, Shape::from([sets.len()]), "{}", entry.name);
            assert_eq!(drawn, batch.join(&event), "{}", entry.name);
            assert_eq!(judged, batch, "{}", entry.name);
            for (i, (value, got)) in values.chunks(event.size()).zip(&together).enumerate() {
                let value = Tensor::new(event.clone(), value).unwrap();
                let alone = evaluate(&[], || vec![build(form, sets[i % sets.len()]).log_prob(Var::from(&value))]);
                // Only the order of sums may differ.
                let error = (alone[0][0] - got).abs();
                let size = got.abs().max(1.0);
                assert!(error <= 1e-12 * size, "{} {i}: {got}, alone {}", entry.name, alone[0][0]);
            }
        }
    }
}

#[test]
fn expand_copies_and_to_event_sums() {
    each(|what, form, parameters| {
        let out = evaluate(&[], || {
            let single = build(form, parameters);
            let event = single.event_shape();
            let copies = build(form, parameters).expand([2, 3]);
            assert_eq!(copies.batch_shape(), Shape::from([2, 3]), "{what}");
            assert_eq!(copies.event_shape(), event, "{what}");
            let draw = copies.draw(&copies.batch_shape());
            assert_eq!(draw.shape(), Shape::from([2, 3]).join(&event), "{what}");
            let each = copies.log_prob(draw);
            assert_eq!(each.shape(), Shape::from([2, 3]), "{what}");
            let rows = build(form, parameters).expand([2, 3]).to_event(1);
            assert_eq!(rows.batch_shape(), Shape::from([2]), "{what}");
            assert_eq!(rows.event_shape(), Shape::from([3]).join(&event), "{what}");
            assert_eq!(rows.draw(&Shape::from([2])).shape(), draw.shape(), "{what}");
            vec![draw, each, single.log_prob(draw), rows.log_prob(draw)]
        });
        assert_eq!(out[1], out[2], "{what}");
        let sums: Vec<f64> = out[1].chunks(3).map(|row| row[0] + row[1] + row[2]).collect();
        for (got, want) in out[3].iter().zip(&sums) {
            assert!((got - want).abs() <= 1e-14 * want.abs().max(1.0), "{what}: {got}, not {want}");
        }
        if is_continuous(form, parameters) {
            let bits = |copy: &[f64]| copy.iter().map(|x| x.to_bits()).collect();
            let distinct: BTreeSet<Vec<u64>> = out[0].chunks(out[0].len() / 6).map(bits).collect();
            assert_eq!(distinct.len(), 6, "{what}: the copies are not independent");
        }
    });
}

/// Where a parameter is at the edge of its range the outcome is certain: log-probabilities are 0 and -inf, draws are all
/// the same, and the derivative by the parameter of what happened is finite.
#[test]
fn certain_outcomes_are_exact() {
    use ppl_core::dist::{Bernoulli, Binomial, Categorical, Poisson};
    type Build = fn(Var) -> Box<dyn Distribution>;
    let cases: [(&str, Build, f64, f64, f64); 7] = [
        ("Poisson(0)", |p| Box::new(Poisson::new(p)), 0.0, 0.0, 1.0),
        ("Bernoulli(0)", |p| Box::new(Bernoulli::new(p)), 0.0, 0.0, 1.0),
        ("Bernoulli(1)", |p| Box::new(Bernoulli::new(p)), 1.0, 1.0, 0.0),
        ("Binomial(7, 0)", |p| Box::new(Binomial::new(7.0, p)), 0.0, 0.0, 3.0),
        ("Binomial(7, 1)", |p| Box::new(Binomial::new(7.0, p)), 1.0, 7.0, 3.0),
        ("Binomial(0, p)", |p| Box::new(Binomial::new(0.0, p)), 0.3, 0.0, 1.0),
        ("Categorical([p])", |p| Box::new(Categorical::new(p.expand_dims(0))), 1.0, 0.0, 1.0),
    ];
    for (what, build, at, sure, never) in cases {
        let out = evaluate(&[at], || {
            let p = Var::input(0, ());
            let d = build(p);
            let log_prob = d.log_prob(Var::from(sure));
            let slope = gradient(log_prob, &[p])[0];
            vec![log_prob, d.log_prob(Var::from(never)), slope, d.draw(&Shape::from([20]))]
        });
        assert_eq!(out[0], [0.0], "{what}");
        assert_eq!(out[1], [f64::NEG_INFINITY], "{what}");
        assert!(out[2][0].is_finite(), "{what}");
        assert!(out[3].iter().all(|&k| k == sure), "{what}: {:?}", out[3]);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    use ppl_core::dist::{Categorical, Dirichlet, LKJCholesky, MultivariateNormal, Uniform};
    assert!(trace(|| Normal::new([0.0, 1.0], [1.0; 3]).batch_shape()).is_err());
    assert!(trace(|| Normal::new([0.0, 1.0], 1.0).expand([3]).batch_shape()).is_err());
    assert!(trace(|| Normal::new(0.0, 1.0).to_event(1).batch_shape()).is_err());
    let identity = ndarray::Array2::<f64>::eye(2);
    assert!(trace(|| MultivariateNormal::scale_tril([0.0; 3], &identity).batch_shape()).is_err());
    assert!(trace(|| MultivariateNormal::scale_tril(0.0, &identity).batch_shape()).is_err());
    assert!(trace(|| MultivariateNormal::covariance([0.0; 2], [1.0, 1.0]).batch_shape()).is_err());
    assert!(trace(|| Categorical::logits(0.0).batch_shape()).is_err());
    assert!(trace(|| Dirichlet::new(1.0).batch_shape()).is_err());
    assert!(trace(|| LKJCholesky::new(1, 1.0).batch_shape()).is_err());
    assert!(trace(|| Uniform::new([0.0, 1.0], [1.0, 0.5]).batch_shape()).is_err());
    assert!(trace(|| Uniform::new([0.0, 1.0], 2.0).batch_shape()).is_ok());
    let skew = ndarray::array![[1.0, 0.2], [0.3, 1.0]];
    let error = trace(|| MultivariateNormal::covariance([0.0; 2], &skew).batch_shape()).err();
    assert!(error.unwrap().to_string().contains("symmetric"));
}
