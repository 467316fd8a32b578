//! What must hold for every distribution of the catalogue: parameters are checked, densities integrate to 1, gradients
//! are right, draws follow the density, shapes add up.
//!
//! Draws come from fixed keys. Each comparison of draws with a law may fail by chance once in 10^7 keys; there are
//! about 150 of them, so that the file as a whole has an error rate below 2 in 10^5.

use std::collections::BTreeSet;
use std::f64::consts::FRAC_PI_2;

use ppl_autodiff::check::check_gradient;
use ppl_autodiff::random::{Key, Purpose};
use ppl_autodiff::{Mistake, Program, Shape, Tensor, Var, gradient, trace};
use ppl_core::Support;
use ppl_core::dist::{CATALOGUE, Distribution, Form, Normal};

/// Draws of each distribution.
const DRAWS: usize = 4000;
/// The normal quantile of 1 - 1e-7 (one-sided).
const QUANTILE: f64 = 5.2;

fn key(draw: u32) -> Key {
    Key::new(20_240_601, Purpose::PriorPredictive, 0, draw)
}

/// The values of what `f` returns.
fn evaluate(inputs: &[f64], f: impl FnOnce() -> Vec<Var>) -> Vec<Vec<f64>> {
    let (outputs, traced) = trace(f).unwrap();
    let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
    let program = Program::<f64>::compile(traced.tape(), &slots);
    let mut got: Vec<Vec<f64>> = program
        .output_lengths()
        .iter()
        .map(|&n| vec![0.0; n])
        .collect();
    let mut places: Vec<&mut [f64]> = got.iter_mut().map(|v| &mut v[..]).collect();
    program.run(&mut program.workspace(), &[inputs], &mut places, &key(0));
    got
}

fn constants(parameters: &[f64]) -> Vec<Var> {
    parameters.iter().map(|&p| Var::from(p)).collect()
}

fn build(form: &Form, parameters: &[f64]) -> Box<dyn Distribution> {
    (form.build)(&constants(parameters))
}

/// Every parametrisation with every set of parameters that is fine.
fn each(mut check: impl FnMut(&str, &Form, &[f64])) {
    for entry in CATALOGUE {
        for form in entry.forms {
            for parameters in form.good {
                let what = format!("{}::{} {parameters:?}", entry.name, form.constructor);
                check(&what, form, parameters);
            }
        }
    }
}

#[test]
fn the_catalogue_has_every_file() {
    let not_distributions = ["mod", "check", "stable", "wrap"];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dist");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .replace('_', "")
        })
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
                let Mistake::Argument {
                    owner,
                    argument,
                    got,
                    ..
                } = &error.mistake
                else {
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
fn is_real(form: &Form, parameter: usize) -> bool {
    form.arguments.get(parameter) != Some(&"total_count")
}

/// Unconstrained coordinates of three draws (or, for discrete laws, the draws).
fn some_points(form: &Form, parameters: &[f64], count: usize) -> Vec<Vec<f64>> {
    let flat = evaluate(&[], || {
        let d = build(form, parameters);
        let draw = d.draw(&Shape::from([count]));
        vec![match d.support().transform() {
            Some(transform) => transform.inverse(draw),
            None => draw,
        }]
    });
    let length = flat[0].len() / count;
    flat[0].chunks(length.max(1)).map(<[f64]>::to_vec).collect()
}

/// By differences, along the value (through its transform) and the parameters. The tolerance is that of differences of a
/// function whose terms reach 1e4.
#[test]
fn log_densities_have_the_gradients_of_differences() {
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
                    .map(|i| match is_real(form, i) {
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
                    None => d.log_prob(Var::from(point[0])).sum() + 0.0 * x.sum(),
                }
            };
            if let Err(error) = check_gradient(f, &at, 1e-8) {
                panic!("{what} at {at:?}: {error}");
            }
        }
    });
}

/// Points and weights of quadrature over the unconstrained axis: the trapezoidal rule, for a single axis after
/// `u = sinh(pi/2 sinh t)` (Takahasi and Mori 1974), which reaches far into the tails.
fn axis(dimensions: usize, real: bool) -> Vec<(f64, f64)> {
    let uniform = |reach: f64, n: usize| {
        let h = 2.0 * reach / n as f64;
        (0..=n).map(move |i| (i as f64 * h - reach, h))
    };
    match dimensions {
        1 => {
            let reach = if real { 1e15f64 } else { 700.0 };
            let t = (reach.asinh() / FRAC_PI_2).asinh();
            uniform(t, 8000)
                .map(|(t, h)| {
                    let s = FRAC_PI_2 * t.sinh();
                    (s.sinh(), h * FRAC_PI_2 * t.cosh() * s.cosh())
                })
                .collect()
        }
        2 => uniform(40.0, 400).collect(),
        _ => uniform(12.0, 80).collect(),
    }
}

/// A law in unconstrained coordinates, on a grid: points `[n, dimensions]`, elements of the event, probabilities.
struct Grid {
    dimensions: usize,
    axis: Vec<(f64, f64)>,
    points: Vec<f64>,
    values: Vec<f64>,
    masses: Vec<f64>,
}

fn grid(form: &Form, parameters: &[f64]) -> Grid {
    let ((dimensions, real), _) = trace(|| {
        let d = build(form, parameters);
        let transform = d.support().transform().unwrap();
        let real = matches!(d.support(), Support::Real);
        (transform.unconstrained_shape(&d.event_shape()).size(), real)
    })
    .unwrap();
    let axis = axis(dimensions, real);
    let n = axis.len().pow(dimensions as u32);
    let place = |i: usize, j: usize| i / axis.len().pow(j as u32) % axis.len();
    let points: Vec<f64> = (0..n * dimensions)
        .map(|at| axis[place(at / dimensions, at % dimensions)].0)
        .collect();
    let mut out = evaluate(&points, || {
        let d = build(form, parameters);
        let transform = d.support().transform().unwrap();
        let batch = Shape::from([n]);
        let u = Var::input(
            0,
            batch.join(&transform.unconstrained_shape(&d.event_shape())),
        );
        let x = transform.forward(u);
        let log_det = transform.log_det(u, x);
        let log_det = match d.event_shape().rank() - transform.event_rank() {
            0 => log_det,
            _ => log_det.sum_axis(-1),
        };
        vec![d.log_prob(x) + log_det, x]
    });
    let values = out.remove(1);
    let mass = |(i, log): (usize, &f64)| {
        let weight: f64 = (0..dimensions).map(|j| axis[place(i, j)].1).product();
        log.exp() * weight
    };
    let masses = out[0].iter().enumerate().map(mass).collect();
    Grid {
        dimensions,
        axis,
        points,
        values,
        masses,
    }
}

/// The masses of a discrete law on 0, 1, 2, .. as far as they matter.
fn masses(form: &Form, parameters: &[f64]) -> Vec<f64> {
    let high = evaluate(&[], || {
        let d = build(form, parameters);
        vec![match d.support() {
            Support::Boolean => Var::from(1.0),
            Support::IntegerInterval { high, .. } => high,
            // Poisson: the masses beyond are below 1e-16.
            _ => d.mean().unwrap() + d.variance().unwrap().sqrt() * 12.0 + 60.0,
        }]
    });
    let k: Vec<f64> = (0..=high[0][0] as usize).map(|k| k as f64).collect();
    let log = evaluate(&[], || {
        vec![build(form, parameters).log_prob(Var::from(&k))]
    });
    log[0].iter().map(|l| l.exp()).collect()
}

fn is_continuous(form: &Form, parameters: &[f64]) -> bool {
    let built = trace(|| build(form, parameters).support().transform().is_some());
    built.unwrap().0
}

/// `mean()` and `variance()`, if there are any, as arrays of the event.
fn moments(form: &Form, parameters: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let built = trace(|| {
        let d = build(form, parameters);
        d.mean().is_some() && d.variance().is_some()
    });
    built.unwrap().0.then(|| {
        let out = evaluate(&[], || {
            let d = build(form, parameters);
            vec![d.mean().unwrap(), d.variance().unwrap()]
        });
        (out[0].clone(), out[1].clone())
    })
}

/// Means and variances by weights; the values may be infinite where the mass is 0.
fn weighted(values: &[f64], masses: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let length = values.len() / masses.len();
    let sum = |f: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
        (0..length)
            .map(|j| {
                let terms = masses.iter().enumerate().filter(|(_, m)| **m > 0.0);
                terms.map(|(i, m)| m * f(j, values[i * length + j])).sum()
            })
            .collect()
    };
    let mean = sum(&|_, x| x);
    let variance = sum(&|j, x| (x - mean[j]).powi(2));
    (mean, variance)
}

/// The quadrature errs by less than 1e-9 (one axis) or 1e-6 (several).
#[test]
fn densities_integrate_to_one_and_have_the_stated_moments() {
    let mut checked = 0;
    each(|what, form, parameters| {
        let (values, masses, tolerance) = if is_continuous(form, parameters) {
            let grid = grid(form, parameters);
            let tolerance = if grid.dimensions == 1 { 1e-9 } else { 1e-6 };
            (grid.values, grid.masses, tolerance)
        } else {
            let masses = masses(form, parameters);
            ((0..masses.len()).map(|k| k as f64).collect(), masses, 1e-9)
        };
        let total: f64 = masses.iter().sum();
        assert!(
            (total - 1.0).abs() < tolerance,
            "{what}: total mass {total}"
        );
        let Some((mean, variance)) = moments(form, parameters) else {
            return;
        };
        let (want_mean, want_variance) = weighted(&values, &masses);
        assert_eq!(
            (mean.len(), variance.len()),
            (want_mean.len(), want_mean.len())
        );
        for j in 0..mean.len() {
            let scale = want_variance[j].sqrt() + want_mean[j].abs();
            let (got, want) = (mean[j], want_mean[j]);
            assert!(
                (got - want).abs() < 10.0 * tolerance * scale,
                "{what}: mean {got}, not {want}"
            );
            let (got, want) = (variance[j], want_variance[j]);
            // The tails of Student's t with few degrees of freedom end where the grid does.
            assert!(
                (got / want - 1.0).abs() < 100.0 * tolerance,
                "{what}: variance {got}, not {want}"
            );
            checked += 1;
        }
    });
    assert!(checked > 60, "{checked}");
}

/// The largest distance between the empirical distribution function of `draws` and the one whose steps are `masses` at
/// sorted `points`, interpolated linearly.
fn distance(mut draws: Vec<f64>, points: &[f64], masses: &[f64]) -> f64 {
    let mut cumulative = Vec::with_capacity(points.len());
    let mut sum = 0.0;
    for m in masses {
        // Half of a trapezium's mass lies on each side of its point.
        cumulative.push(sum + 0.5 * m);
        sum += m;
    }
    draws.sort_by(f64::total_cmp);
    let n = draws.len() as f64;
    let mut largest = 0.0f64;
    for (i, x) in draws.iter().enumerate() {
        let after = points.partition_point(|p| p < x).clamp(1, points.len() - 1);
        let (low, high) = (points[after - 1], points[after]);
        let share = ((x - low) / (high - low)).clamp(0.0, 1.0);
        let f = cumulative[after - 1] + share * (cumulative[after] - cumulative[after - 1]);
        largest = largest.max(f - i as f64 / n).max((i + 1) as f64 / n - f);
    }
    largest
}

/// Kolmogorov and Smirnov's test for each unconstrained coordinate, and for each pair the mean of a bounded product,
/// which sees dependence.
#[test]
fn draws_of_continuous_laws_follow_the_density() {
    // P(distance > d) <= 2 exp(-2 n d^2). Massart (1990), Annals of Probability 18(3).
    let allowed = ((2e7f64).ln() / (2.0 * DRAWS as f64)).sqrt();
    each(|what, form, parameters| {
        if !is_continuous(form, parameters) {
            return;
        }
        let grid = grid(form, parameters);
        let draws = some_points(form, parameters, DRAWS);
        let inside = evaluate(&[], || {
            let d = build(form, parameters);
            vec![d.support().contains(d.draw(&Shape::from([DRAWS])))]
        });
        assert!(
            inside[0].iter().all(|&i| i == 1.0),
            "{what} leaves its support"
        );
        let points: Vec<f64> = grid.axis.iter().map(|a| a.0).collect();
        for j in 0..grid.dimensions {
            let mut marginal = vec![0.0; points.len()];
            let stride = points.len().pow(j as u32);
            for (i, m) in grid.masses.iter().enumerate() {
                marginal[i / stride % points.len()] += m;
            }
            let d = distance(draws.iter().map(|u| u[j]).collect(), &points, &marginal);
            assert!(d < allowed, "{what}, coordinate {j}: distance {d}");
            for i in 0..j {
                let product = |u: &[f64]| u[i].tanh() * u[j].tanh();
                let want: f64 = (grid.points.chunks(grid.dimensions).zip(&grid.masses))
                    .map(|(u, m)| m * product(u))
                    .sum();
                let got: Vec<f64> = draws.iter().map(|u| product(u)).collect();
                let mean = got.iter().sum::<f64>() / DRAWS as f64;
                let variance = got.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / DRAWS as f64;
                let z = (mean - want) / (variance / DRAWS as f64).sqrt();
                assert!(
                    z.abs() < QUANTILE,
                    "{what}, coordinates {i} and {j}: {z} standard errors"
                );
            }
        }
    });
}

/// Pearson's chi-square test with cells of at least 10 expected draws.
#[test]
fn draws_of_discrete_laws_follow_the_masses() {
    each(|what, form, parameters| {
        if is_continuous(form, parameters) {
            return;
        }
        let masses = masses(form, parameters);
        let mut counts = vec![0.0; masses.len()];
        for draw in some_points(form, parameters, DRAWS) {
            let k = draw[0];
            assert!(
                k >= 0.0 && k.fract() == 0.0 && (k as usize) < masses.len(),
                "{what}: {k}"
            );
            assert!(masses[k as usize] > 0.0, "{what}: {k} has probability 0");
            counts[k as usize] += 1.0;
        }
        let (mut cells, mut open) = (Vec::new(), (0.0, 0.0));
        for (mass, count) in masses.iter().zip(&counts) {
            open = (open.0 + mass * DRAWS as f64, open.1 + count);
            if open.0 >= 10.0 {
                cells.push(std::mem::take(&mut open));
            }
        }
        if let Some(last) = cells.last_mut() {
            *last = (last.0 + open.0, last.1 + open.1);
        }
        let df = cells.len() as f64 - 1.0;
        if df == 0.0 {
            return;
        }
        let statistic: f64 = cells.iter().map(|(e, c)| (c - e).powi(2) / e).sum();
        // Wilson and Hilferty (1931).
        let spread = 2.0 / (9.0 * df);
        let allowed = df * (1.0 - spread + QUANTILE * spread.sqrt()).powi(3);
        assert!(
            statistic < allowed,
            "{what}: chi-square {statistic} with {df} degrees of freedom"
        );
    });
}

/// Values outside of a support, and NaN.
fn outside(support: &Support) -> Vec<Tensor> {
    let numbers = |values: &[f64]| values.iter().map(|&v| Tensor::from(v)).collect();
    let matrix = |values: &[f64]| Tensor::new([3, 3], values).unwrap();
    match support {
        Support::Real | Support::RealVector => vec![],
        Support::Positive => numbers(&[-1.0, f64::NEG_INFINITY, f64::INFINITY, f64::NAN]),
        Support::UnitInterval => numbers(&[-0.1, 1.1, f64::INFINITY, f64::NAN]),
        Support::Interval { .. } => numbers(&[-1e6, 1e6, f64::NAN]),
        Support::Simplex => vec![Tensor::from([0.7, 0.8, -0.5]), Tensor::from([f64::NAN; 3])],
        Support::CorrelationCholesky => {
            vec![matrix(&[1.0, 0.0, 0.0, 0.6, -0.8, 0.0, 0.0, 0.0, 1.0])]
        }
        Support::Boolean => numbers(&[-1.0, 0.5, 2.0, f64::NAN]),
        Support::NonNegativeInteger => numbers(&[-1.0, 0.5, f64::INFINITY, f64::NAN]),
        Support::IntegerInterval { .. } => numbers(&[-1.0, 0.5, 1e9, f64::NAN]),
        other => panic!("no example for {}", other.name()),
    }
}

#[test]
fn outside_the_support_there_is_no_density_and_no_slope() {
    each(|what, form, parameters| {
        let values = trace(|| outside(&build(form, parameters).support()))
            .unwrap()
            .0;
        for value in values {
            let inputs: Vec<f64> = value.data().iter().chain(parameters).copied().collect();
            let out = evaluate(&inputs, || {
                let x = Var::input(0, value.shape());
                let p: Vec<Var> = parameters.iter().map(|_| Var::input(0, ())).collect();
                let log_prob = (form.build)(&p).log_prob(x);
                let mut out = vec![log_prob];
                out.extend(gradient(log_prob, &[&[x], &p[..]].concat()));
                out
            });
            assert_eq!(out[0], [f64::NEG_INFINITY], "{what} at {value:?}");
            let slopes = out[1..].concat();
            assert!(
                slopes.iter().all(|&s| s == 0.0),
                "{what} at {value:?}: {slopes:?}"
            );
        }
    });
}

/// Parameters in arrays give, element by element, what they give one by one.
#[test]
fn batches_are_the_same_as_scalars() {
    for entry in CATALOGUE {
        for form in entry.forms {
            let length = form.good[0].len();
            let sets: Vec<&[f64]> = (form.good.iter().copied())
                .filter(|g| g.len() == length)
                .collect();
            let columns: Vec<Vec<f64>> = (0..length)
                .map(|i| sets.iter().map(|s| s[i]).collect())
                .collect();
            let batch = Shape::from([5, sets.len()]);
            let (mut shapes, mut values, mut together) = (None, vec![], vec![]);
            let out = evaluate(&[], || {
                let d = (form.build)(&columns.iter().map(Var::from).collect::<Vec<_>>());
                let draw = d.draw(&batch);
                let log_prob = d.log_prob(draw);
                shapes = Some((
                    d.batch_shape(),
                    d.event_shape(),
                    draw.shape(),
                    log_prob.shape(),
                ));
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
                let alone = evaluate(&[], || {
                    vec![build(form, sets[i % sets.len()]).log_prob(Var::from(&value))]
                });
                // Only the order of sums may differ.
                let error = (alone[0][0] - got).abs();
                let size = got.abs().max(1.0);
                assert!(
                    error <= 1e-12 * size,
                    "{} {i}: {got}, alone {}",
                    entry.name,
                    alone[0][0]
                );
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
        let sums: Vec<f64> = out[1]
            .chunks(3)
            .map(|row| row[0] + row[1] + row[2])
            .collect();
        for (got, want) in out[3].iter().zip(&sums) {
            assert!(
                (got - want).abs() <= 1e-14 * want.abs().max(1.0),
                "{what}: {got}, not {want}"
            );
        }
        if is_continuous(form, parameters) {
            let distinct: BTreeSet<u64> = out[1].iter().map(|l| l.to_bits()).collect();
            // The density of some laws is the same everywhere.
            assert!(
                distinct.len() == 6 || distinct.len() == 1 || what.contains("LKJ"),
                "{what}: {distinct:?}"
            );
            let distinct: BTreeSet<u64> = out[0].iter().map(|x| x.to_bits()).collect();
            assert!(
                distinct.len() >= 6,
                "{what}: the copies are not independent"
            );
        }
    });
}

#[test]
fn what_does_not_fit_is_an_error() {
    assert!(trace(|| Normal::new([0.0, 1.0], [1.0; 3]).batch_shape()).is_err());
    assert!(trace(|| Normal::new([0.0, 1.0], 1.0).expand([3]).batch_shape()).is_err());
    assert!(trace(|| Normal::new(0.0, 1.0).to_event(1).batch_shape()).is_err());
    use ppl_core::dist::{Categorical, Dirichlet, LKJCholesky, MultivariateNormal, Uniform};
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
