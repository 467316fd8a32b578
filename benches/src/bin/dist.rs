//! Prints what log-densities and their gradients cost, as JSON: for each distribution of the catalogue ns a number, for a
//! million numbers, by the value and by the parameters.
//!
//! `dist [--values N] [--only NAME]`; `benches/peers/distributions.py` runs it beside JAX and SciPy.

use std::hint::black_box;
use std::time::Instant;

use ppl::autodiff::random::{Key, Purpose};
use ppl::autodiff::{Program, gradient, trace};
use ppl::core::dist::{CATALOGUE, Entry, Form};
use ppl::prelude::*;

const REPEATS: usize = 5;

/// The median of the seconds of a call, after one that warms up.
fn seconds(mut f: impl FnMut()) -> f64 {
    f();
    let mut times: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let begin = Instant::now();
            f();
            begin.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[REPEATS / 2]
}

fn option(name: &str) -> Option<String> {
    let arguments: Vec<String> = std::env::args().collect();
    arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1).cloned())
}

/// Counts and the like have no derivative.
fn is_real(entry: &Entry, form: &Form, parameter: usize) -> bool {
    let whole = ["DiscreteUniform", "HyperGeometric", "Censored"].contains(&entry.name);
    !whole && form.arguments.get(parameter) != Some(&"total_count")
}

/// Evaluates a program over values (slot 0) and parameters (slot 1).
fn ns(program: &Program<f64>, values: &[f64], parameters: &[f64]) -> f64 {
    let mut outputs: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
    let mut outputs: Vec<&mut [f64]> = outputs.iter_mut().map(|o| &mut o[..]).collect();
    let mut workspace = program.workspace();
    let lengths = program.input_lengths();
    let inputs: Vec<&[f64]> = [values, parameters].into_iter().take(lengths.len()).collect();
    let time = seconds(|| program.evaluate(&mut workspace, black_box(&inputs), &mut outputs));
    1e9 * time / values.len() as f64
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let total: usize = option("--values").map_or(Ok(1_000_000), |n| n.parse())?;
    let only = option("--only");
    let mut out = serde_json::Map::new();
    for entry in CATALOGUE.iter().filter(|e| only.as_ref().is_none_or(|name| name == e.name)) {
        let form = &entry.forms[0];
        let parameters = form.good[0];
        let constants = || parameters.iter().map(|&p| Var::from(p)).collect::<Vec<_>>();
        let (event, _) = trace(|| (form.build)(&constants()).event_shape())?;
        let batch = Shape::from([total / event.size().max(1)]);
        // Draws to evaluate at.
        let (draws, traced) = trace(|| (form.build)(&constants()).draw(&batch))?;
        let program = Program::<f64>::compile(traced.tape(), &[&[draws]]);
        let mut values = vec![0.0; program.output_lengths()[0]];
        let key = Key::new(4, Purpose::PriorPredictive, 0, 0);
        program.run(&mut program.workspace(), &[], &mut [&mut values], &key);

        let enter = || {
            let x = Var::input(0, batch.join(&event));
            let inputs: Vec<Var> = parameters.iter().map(|_| Var::input(1, ())).collect();
            let used = |i: usize| if is_real(entry, form, i) { inputs[i] } else { Var::from(parameters[i]) };
            let p: Vec<Var> = (0..parameters.len()).map(used).collect();
            (x, inputs, (form.build)(&p).log_prob(x))
        };
        let (log_prob, traced) = trace(|| enter().2)?;
        let plain = ns(&Program::compile(traced.tape(), &[&[log_prob]]), &values, parameters);
        let (outputs, traced) = trace(|| {
            let (x, inputs, log_prob) = enter();
            let sum = log_prob.sum();
            let continuous = !(form.build)(&constants()).support().is_discrete();
            let mut wanted = if continuous { vec![x] } else { vec![] };
            wanted.extend((0..parameters.len()).filter(|&i| is_real(entry, form, i)).map(|i| inputs[i]));
            [vec![sum], gradient(sum, &wanted)].concat()
        })?;
        let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
        let with_gradient = ns(&Program::compile(traced.tape(), &slots), &values, parameters);
        let line = serde_json::json!({
            "constructor": form.constructor, "parameters": parameters, "numbers": event.size(),
            "log_prob_ns": plain, "gradient_ns": with_gradient,
        });
        out.insert(format!("dist/{}", entry.name), line);
    }
    println!("{}", serde_json::to_string(&out)?);
    Ok(())
}
