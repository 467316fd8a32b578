//! What the tests of distributions share: evaluation, the walk over the catalogue, draws.

#![allow(dead_code)] // each test file uses a part

use ppl_autodiff::random::{Key, Purpose};
use ppl_autodiff::{Program, Shape, Var, trace};
use ppl_core::dist::{CATALOGUE, Distribution, Form};

fn key(draw: u32) -> Key {
    Key::new(20_240_601, Purpose::PriorPredictive, 0, draw)
}

/// The values of what `f` returns.
pub fn evaluate(inputs: &[f64], f: impl FnOnce() -> Vec<Var>) -> Vec<Vec<f64>> {
    let (outputs, traced) = trace(f).unwrap();
    let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
    let program = Program::<f64>::compile(traced.tape(), &slots);
    let mut got: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
    let mut places: Vec<&mut [f64]> = got.iter_mut().map(|v| &mut v[..]).collect();
    program.run(&mut program.workspace(), &[inputs], &mut places, &key(0));
    got
}

fn constants(parameters: &[f64]) -> Vec<Var> {
    parameters.iter().map(|&p| Var::from(p)).collect()
}

pub fn build(form: &Form, parameters: &[f64]) -> Box<dyn Distribution> {
    (form.build)(&constants(parameters))
}

/// Every parametrisation with every set of parameters that is fine.
pub fn each(mut check: impl FnMut(&str, &Form, &[f64])) {
    for entry in CATALOGUE {
        for form in entry.forms {
            for parameters in form.good {
                let what = format!("{}::{} {parameters:?}", entry.name, form.constructor);
                check(&what, form, parameters);
            }
        }
    }
}

/// Unconstrained coordinates of draws (or, for discrete laws, the draws).
pub fn some_points(form: &Form, parameters: &[f64], count: usize) -> Vec<Vec<f64>> {
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

pub fn is_continuous(form: &Form, parameters: &[f64]) -> bool {
    let built = trace(|| build(form, parameters).support().transform().is_some());
    built.unwrap().0
}
