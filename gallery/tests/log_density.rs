//! Our log-densities against Stan's: gradients at, and differences between, points that Stan evaluated. No Monte Carlo
//! noise: what is off is a mistake in a model, a distribution, a transform or an adjoint.
//!
//! The transforms of the supports are Stan's, so a point has the same unconstrained coordinates there and here, but for
//! their order; that is checked, too, against the natural parameters.

use std::collections::HashMap;

use ppl::autodiff::Program;
use ppl::core::ModelTrace;
use ppl::infer::compiled::{CompiledModel, density_program};
use ppl_gallery::{Entry, StanDensity};

/// Relative error of gradients and of differences.
const TOLERANCE: f64 = 1e-9;
/// The same where a differential equation is solved, in Stan with tolerances of 1e-5 and 1e-3.
const TOLERANCE_ODE: f64 = 1e-4;
/// The same where a covariance matrix of condition 1e11 is factored: with 60 digits the first slope of `gp_pois_regr` at
/// its first point is -8.0607485012, in Stan -8.0607485100, here -8.0607484730.
const TOLERANCE_GP: f64 = 1e-8;

/// Where each of our coordinates stands among Stan's.
fn order(entry: &Entry, trace: ModelTrace) -> Vec<usize> {
    // Shapes are read while the trace is open.
    let (latent, _) = trace
        .extend(|sites| {
            let latent = sites.iter().filter_map(|s| Some((s.name.clone(), s.unconstrained?.0.shape().size())));
            latent.collect::<Vec<(String, usize)>>()
        })
        .unwrap();
    let sizes: HashMap<&str, usize> = latent.iter().map(|(name, size)| (name.as_str(), *size)).collect();
    let mut starts = HashMap::new();
    let mut next = 0;
    for &name in entry.stan_order {
        starts.insert(name, next);
        next += sizes.get(name).unwrap_or_else(|| panic!("{}: no site {name}", entry.name));
    }
    assert_eq!(starts.len(), latent.len(), "{}: a site that Stan's model does not have", entry.name);
    latent.iter().flat_map(|(name, size)| starts[name.as_str()]..starts[name.as_str()] + size).collect()
}

/// The log-density and its gradient in our order of coordinates, at points in Stan's.
fn evaluate(program: &Program<f64>, order: &[usize], stan: &StanDensity) -> Vec<(f64, Vec<f64>)> {
    let mut workspace = program.workspace();
    let at = |point: &ppl_gallery::reference::StanPoint| {
        let x: Vec<f64> = order.iter().map(|&i| point.unconstrained[i]).collect();
        let (mut value, mut gradient) = ([0.0], vec![0.0; order.len()]);
        program.evaluate(&mut workspace, &[&x], &mut [&mut value, &mut gradient]);
        (value[0], gradient)
    };
    stan.points.iter().map(at).collect()
}

/// What is off in one posterior, at most a few lines of it.
fn check(entry: &Entry, stan: &StanDensity, tolerance: f64) -> Vec<String> {
    let model = entry.model().unwrap();
    let order = order(entry, ModelTrace::unconstrained(&model, &[]).unwrap());
    let ours = evaluate(&density_program(&model, true).unwrap(), &order, stan);
    let mut off = Vec::new();
    let mut compare = |what: String, got: f64, wanted: f64, size: f64| {
        let error = (got - wanted).abs() / size;
        if error.is_nan() || error > tolerance {
            off.push(format!("{}, {what}: {got}, Stan {wanted}, off by {error:.1e}", entry.name));
        }
    };
    let compiled = CompiledModel::new(&model).unwrap();
    for (p, ((value, gradient), point)) in ours.iter().zip(&stan.points).enumerate() {
        let (first, theirs) = (ours[0].0, stan.points[0].lp_with_jacobian);
        let difference = point.lp_with_jacobian - theirs;
        // Each density is a sum of many terms, whose rounding is that of its size.
        let size = difference.abs().max(point.lp_with_jacobian.abs()).max(theirs.abs());
        compare(format!("point {p}, difference"), value - first, difference, size);
        let scale = gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        for (i, (&g, &at)) in gradient.iter().zip(&order).enumerate() {
            let wanted = point.grad_unconstrained[at];
            compare(format!("point {p}, gradient {i}"), g, wanted, wanted.abs().max(scale));
        }
        let natural: HashMap<String, f64> = natural(&compiled, &order, &point.unconstrained).collect();
        for (name, &wanted) in &point.parameters {
            let got = natural.get(name).copied().unwrap_or(f64::NAN);
            compare(format!("point {p}, {name}"), got, wanted, wanted.abs().max(1e-6));
        }
    }
    off
}

/// The natural parameters at a point in Stan's coordinates, by Stan's names.
fn natural(compiled: &CompiledModel, order: &[usize], unconstrained: &[f64]) -> impl Iterator<Item = (String, f64)> {
    let x: Vec<f64> = order.iter().map(|&i| unconstrained[i]).collect();
    let mut values = vec![0.0; compiled.width()];
    compiled.constrain().apply(&x, &mut values).unwrap();
    let columns = compiled.columns().iter();
    let names = columns.flat_map(|c| (0..c.shape.size()).map(|i| stan_name(&c.name, &c.shape.index(i))));
    names.zip(values)
}

fn stan_name(site: &str, index: &[usize]) -> String {
    let places: Vec<String> = index.iter().map(|i| (i + 1).to_string()).collect();
    if places.is_empty() { site.to_owned() } else { format!("{site}[{}]", places.join(",")) }
}

#[test]
fn log_densities_and_gradients_are_those_of_stan() {
    let mut checked = 0;
    let mut off = Vec::new();
    for entry in ppl_gallery::all() {
        let Some(stan) = entry.log_density().unwrap() else { continue };
        let tolerance = match entry.kind {
            "differential equation" => TOLERANCE_ODE,
            "Gaussian process" => TOLERANCE_GP,
            _ => TOLERANCE,
        };
        off.extend(check(entry, &stan, tolerance).into_iter().take(6));
        checked += 1;
    }
    assert_eq!(checked, 23);
    assert!(off.is_empty(), "{}", off.join("\n"));
}

#[test]
fn a_wrong_density_is_noticed() {
    // The logarithm of earnings where earnings are meant.
    let other = ppl_gallery::find("earnings-logearn_height").unwrap();
    let entry = Entry { build: other.build, ..*ppl_gallery::find("earnings-earn_height").unwrap() };
    let stan = entry.log_density().unwrap().unwrap();
    assert!(!check(&entry, &stan, TOLERANCE).is_empty());
}
