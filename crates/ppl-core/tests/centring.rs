//! Standard coordinates of hierarchical sites: locations and scales are what they claim to be, and the density is
//! that of the model.

mod dist_common;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dist_common::{build, evaluate};
use ppl_autodiff::{Program, Tensor, Var, gradient, trace};
use ppl_core::centring::{Coordinates, Evidence};
use ppl_core::dist::{CATALOGUE, Distribution, Form, HalfNormal, Masked, Normal};
use ppl_core::model::{FnModel, Model};
use ppl_core::{ModelTrace, Site, observe, sample};

/// Numbers about -1.5 to 1.5 that no law is symmetric in.
fn some_numbers(count: usize, first: usize) -> Vec<f64> {
    (first..first + count).map(|i| 3.0 * (0.618_034 * i as f64 + 0.1).fract() - 1.5).collect()
}

/// How many coordinates an event has, if the law is a location-scale family.
fn coordinates(form: &Form, parameters: &[f64]) -> Option<usize> {
    let (size, _) = trace(|| {
        let d = build(form, parameters);
        let transform = d.support().transform()?;
        d.location_scale()?;
        Some(transform.unconstrained_shape(&d.event_shape()).size())
    })
    .unwrap();
    size
}

/// Location, scale, and the log-density of `(u - m) / s` at `t`.
fn standard(form: &Form, parameters: &[f64], t: &[f64]) -> [Vec<f64>; 3] {
    let got = evaluate(t, || {
        let d = build(form, parameters);
        let transform = d.support().transform().unwrap();
        let (m, s) = d.location_scale().unwrap();
        let shape = transform.unconstrained_shape(&d.event_shape());
        let [m, s] = [m, s].map(|part| part.broadcast_to(shape.clone()));
        let u = m + s * Var::input(0, shape);
        let y = transform.forward(u);
        vec![m, s, d.log_prob(y).sum() + transform.log_det(u, y).sum() + s.ln().sum()]
    });
    got.try_into().unwrap()
}

/// Whatever parameter moves location or scale leaves the law of the standardised coordinate as it was: to 1e-9 of
/// log-densities of a few, at locations of up to 1000 scales.
#[test]
fn locations_and_scales_are_those_of_the_law() {
    let mut claimed = BTreeSet::new();
    for entry in CATALOGUE {
        // Where parameters are not made of others, each moves location and scale or the shape.
        for form in entry.forms.iter().filter(|form| form.constructor == "new") {
            for &parameters in form.good {
                let Some(size) = coordinates(form, parameters) else { continue };
                claimed.insert(entry.name);
                let t = some_numbers(size, 0);
                let before = standard(form, parameters, &t);
                let mut moved = false;
                for k in 0..parameters.len() {
                    let mut others = parameters.to_vec();
                    others[k] = 1.3 * others[k] + 0.01;
                    let after = standard(form, &others, &t);
                    if after[..2] != before[..2] {
                        moved = true;
                        let (got, wanted) = (after[2][0], before[2][0]);
                        let what = format!("{} {parameters:?}, {others:?}: {got}, wanted {wanted}", entry.name);
                        assert!((got - wanted).abs() <= 1e-9 * wanted.abs().max(1.0), "{what}");
                    }
                }
                assert!(moved, "{} {parameters:?} does not move", entry.name);
            }
        }
    }
    let wanted = [
        "Cauchy",
        "Exponential",
        "Gamma",
        "Gumbel",
        "HalfCauchy",
        "HalfNormal",
        "HalfStudentT",
        "InverseGamma",
        "Laplace",
        "LogNormal",
        "Logistic",
        "LogitNormal",
        "Moyal",
        "Normal",
        "SkewNormal",
        "StudentT",
        "Weibull",
        "ZeroSumNormal",
    ];
    assert_eq!(claimed, BTreeSet::from(wanted));
}

/// A model whose site `x` has latent parameters near given ones.
fn with_latent_parameters(form: &'static Form, parameters: &'static [f64]) -> impl Model {
    FnModel::new("latent parameters", move || {
        let latent = |(k, &p): (usize, &f64)| sample(&format!("p{k}"), || Normal::new(p, 0.1));
        let latent: Vec<Var> = parameters.iter().enumerate().map(latent).collect();
        sample("x", || (form.build)(&latent));
    })
}

fn evidence(size: usize) -> Evidence {
    Evidence { precision: some_numbers(size, 20).iter().map(|x| x.abs()).collect(), potential: some_numbers(size, 40) }
}

fn given(evidence: Evidence) -> Coordinates {
    Coordinates::Standard(Arc::new(HashMap::from([("x".to_owned(), evidence)])))
}

/// What a run says at a point.
struct Said {
    log_density: f64,
    gradient: Vec<f64>,
    /// Of the site `x`, if it is in standard coordinates: those as written, locations, scales.
    parts: [Vec<f64>; 3],
}

fn say(trace: ModelTrace, point: &[f64]) -> Said {
    let (terms, trace) = trace.terms().unwrap();
    let record = |sites: &[Site]| {
        let density = terms.log_density();
        let points: Vec<Var> = sites.iter().filter_map(|s| Some(s.unconstrained?.0)).collect();
        let of = sites.iter().find_map(|s| s.standardised);
        let shape = of.map(|of| of.as_written.shape()).unwrap_or_default();
        let parts = of.map_or([Var::from(0.0); 3], |of| [of.as_written, of.location, of.scale]);
        (density, gradient(density, &points), parts.map(|part| part.broadcast_to(shape.clone())))
    };
    let ((density, slopes, [u, m, s]), trace) = trace.extend(record).unwrap();
    let program = Program::<f64>::compile(trace.traced().tape(), &[&[density], &slopes, &[u], &[m], &[s]]);
    let mut got: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
    let mut places: Vec<&mut [f64]> = got.iter_mut().map(|v| &mut v[..]).collect();
    program.evaluate(&mut program.workspace(), &[point], &mut places);
    let [value, gradient, u, m, s] = got.try_into().unwrap();
    Said { log_density: value[0], gradient, parts: [u, m, s] }
}

/// For every family: the density in standard coordinates is that as written times the Jacobian, `u` is where the
/// formula puts it, and the gradient is that of differences. To 1e-10 of log-densities, and to what differences can
/// tell of derivatives.
#[test]
fn the_density_is_that_of_the_model() {
    let mut checked = 0;
    for form in CATALOGUE.iter().flat_map(|entry| entry.forms) {
        for &parameters in form.good {
            let Some(size) = coordinates(form, parameters) else { continue };
            let model = with_latent_parameters(form, parameters);
            let Evidence { precision, potential } = evidence(size);
            let z = some_numbers(size, 60);
            let point = [parameters, &z].concat();
            let coordinates = given(evidence(size));
            let at = |point: &[f64]| say(ModelTrace::in_coordinates(&model, coordinates.clone()).unwrap(), point);
            let Said { log_density: got, gradient, parts: [u, m, s] } = at(&point);
            let mut log_det = 0.0;
            for i in 0..size {
                let weight = 1.0 + s[i] * s[i] * precision[i];
                let wanted = (m[i] + s[i] * s[i] * potential[i]) / weight + s[i] / weight.sqrt() * z[i];
                assert!((u[i] - wanted).abs() <= 1e-10 * wanted.abs().max(1.0), "{parameters:?}: {}, {wanted}", u[i]);
                log_det += s[i].ln() - 0.5 * weight.ln();
            }
            let as_written = say(ModelTrace::unconstrained(&model, &[]).unwrap(), &[parameters, &u].concat());
            let wanted = as_written.log_density + log_det;
            assert!((got - wanted).abs() <= 1e-10 * wanted.abs().max(1.0), "{parameters:?}: {got}, wanted {wanted}");
            for (i, slope) in gradient.iter().enumerate() {
                let h = 1e-5 * point[i].abs().max(0.1);
                let [below, above] = [-h, h].map(|h| {
                    let mut there = point.clone();
                    there[i] += h;
                    at(&there).log_density
                });
                let wanted = (above - below) / (2.0 * h);
                let what = format!("{parameters:?}, coordinate {i}: slope {slope}, wanted {wanted}");
                assert!((slope - wanted).abs() <= 1e-5 * wanted.abs().max(10.0), "{what}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 40, "{checked}");
}

fn hierarchy() -> impl Model {
    FnModel::new("hierarchy", || {
        let m = sample("m", || Normal::new(0.0, 1.0));
        let s = sample("s", || HalfNormal::new(1.0));
        let x = sample("x", || Masked::new(Normal::new(m, s).expand([2, 3]).to_event(1), [1.0, 0.0]));
        sample("constant", || Normal::new(0.0, 2.0).expand([3]));
        observe("y", || Normal::new(x, 1.0), Tensor::new([2, 3], &[0.0; 6][..]).unwrap());
    })
}

/// Only sites with a latent location or scale have a choice; wrappers pass it on.
#[test]
fn sites_with_a_choice() {
    let trace = ModelTrace::in_coordinates(&hierarchy(), Coordinates::Inputs).unwrap();
    let chosen: Vec<&str> = trace.sites().iter().filter(|s| s.standardised.is_some()).map(|s| &s.name[..]).collect();
    assert_eq!(chosen, ["x"]);
    assert_eq!(trace.traced().tape().slots(), [11, 6, 6]);
    let plain = ModelTrace::unconstrained(&hierarchy(), &[]).unwrap();
    assert!(plain.sites().iter().all(|s| s.standardised.is_none()));
    assert_eq!(plain.traced().tape().slots(), [11]);
}

/// Evidence for another number of coordinates leaves a site as it is written; none at all makes it non-centred.
#[test]
fn evidence_must_fit() {
    let trace = |e| ModelTrace::in_coordinates(&hierarchy(), given(e)).unwrap();
    assert!(trace(evidence(5)).sites().iter().all(|s| s.standardised.is_none()));
    let nothing = Evidence { precision: vec![0.0; 6], potential: vec![0.0; 6] };
    // m = 0.5, s = e^0 = 1, then e: x = m + s z.
    for (ln_s, wanted) in [(0.0, 2.5), (1.0, 0.5 + 2.0 * std::f64::consts::E)] {
        let point = [[0.5, ln_s].as_slice(), &[2.0; 6], &[0.0; 3]].concat();
        let Said { parts: [u, ..], .. } = say(trace(nothing.clone()), &point);
        u.iter().for_each(|u| assert!((u - wanted).abs() < 1e-14, "{u}, wanted {wanted}"));
    }
}
