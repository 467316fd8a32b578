//! Prints what log-densities and their gradients cost, as JSON: for each distribution of the catalogue ns a number, for a
//! million numbers, by the value and by the parameters.
//!
//! `dist [--values N] [--only NAME] [--explain]`; with `--serve` it measures a name a line of its input, and
//! `benches/peers/distributions.py` has it take turns with JAX that way.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::{BufRead, Write, stdout};
use std::time::Instant;

use ppl::autodiff::random::{Key, Purpose};
use ppl::autodiff::{Program, gradient, trace};
use ppl::core::dist::{CATALOGUE, Entry, Form};
use ppl::prelude::*;

/// Different events among the values.
const DRAWS: usize = 20_000;
/// Seconds to spend on a figure, and calls at least and at most.
const SECONDS: f64 = 0.1;
const CALLS: [usize; 2] = [3, 15];

/// The shortest call: what else runs on the machine only ever adds to it.
fn seconds(mut f: impl FnMut()) -> f64 {
    f();
    let (mut shortest, mut sum) = (f64::INFINITY, 0.0);
    for calls in 0..CALLS[1] {
        if calls >= CALLS[0] && sum > SECONDS {
            break;
        }
        let begin = Instant::now();
        f();
        let time = begin.elapsed().as_secs_f64();
        sum += time;
        shortest = shortest.min(time);
    }
    shortest
}

fn option(name: &str) -> Option<String> {
    let arguments: Vec<String> = std::env::args().collect();
    arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1).cloned())
}

fn flag(name: &str) -> bool {
    std::env::args().any(|a| a == name)
}

/// Counts and the like have no derivative.
fn is_real(entry: &Entry, form: &Form, parameter: usize) -> bool {
    let whole = ["DiscreteUniform", "HyperGeometric", "Censored"].contains(&entry.name);
    !whole && form.arguments.get(parameter) != Some(&"total_count")
}

/// A distribution of the catalogue, compiled, with values to evaluate at.
struct Case {
    form: &'static Form,
    parameters: &'static [f64],
    numbers: usize,
    values: Vec<f64>,
    plain: Program<f64>,
    gradient: Program<f64>,
}

impl Case {
    fn new(entry: &'static Entry, total: usize) -> Result<Self, Box<dyn std::error::Error>> {
        let form = &entry.forms[0];
        let parameters = form.good[0];
        let constants = || parameters.iter().map(|&p| Var::from(p)).collect::<Vec<_>>();
        let (event, _) = trace(|| (form.build)(&constants()).event_shape())?;
        let batch = Shape::from([total / event.size().max(1)]);
        // Draws to evaluate at, over and over: some are found by search, which takes its time.
        let few = Shape::from([batch[0].min(DRAWS)]);
        let (draws, traced) = trace(|| (form.build)(&constants()).draw(&few))?;
        let program = Program::<f64>::compile(traced.tape(), &[&[draws]]);
        let mut values = vec![0.0; program.output_lengths()[0]];
        let key = Key::new(4, Purpose::PriorPredictive, 0, 0);
        program.run(&mut program.workspace(), &[], &mut [&mut values], &key);
        let values: Vec<f64> = values.iter().copied().cycle().take(batch[0] * event.size()).collect();

        let enter = || {
            let x = Var::input(0, batch.join(&event));
            let inputs: Vec<Var> = parameters.iter().map(|_| Var::input(1, ())).collect();
            let used = |i: usize| if is_real(entry, form, i) { inputs[i] } else { Var::from(parameters[i]) };
            let p: Vec<Var> = (0..parameters.len()).map(used).collect();
            (x, inputs, (form.build)(&p).log_prob(x))
        };
        let (log_prob, traced) = trace(|| enter().2)?;
        let plain = Program::compile(traced.tape(), &[&[log_prob]]);
        let (outputs, traced) = trace(|| {
            let (x, inputs, log_prob) = enter();
            let sum = log_prob.sum();
            let continuous = !(form.build)(&constants()).support().is_discrete();
            let mut wanted = if continuous { vec![x] } else { vec![] };
            wanted.extend((0..parameters.len()).filter(|&i| is_real(entry, form, i)).map(|i| inputs[i]));
            [vec![sum], gradient(sum, &wanted)].concat()
        })?;
        let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
        let gradient = Program::compile(traced.tape(), &slots);
        Ok(Self { form, parameters, numbers: event.size(), values, plain, gradient })
    }

    /// ns a number of a program over values (slot 0) and parameters (slot 1).
    fn ns(&self, program: &Program<f64>) -> f64 {
        let mut outputs: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
        let mut outputs: Vec<&mut [f64]> = outputs.iter_mut().map(|o| &mut o[..]).collect();
        let mut workspace = program.workspace();
        let lengths = program.input_lengths();
        let inputs: Vec<&[f64]> = [&self.values[..], self.parameters].into_iter().take(lengths.len()).collect();
        let time = seconds(|| program.evaluate(&mut workspace, black_box(&inputs), &mut outputs));
        1e9 * time / self.values.len() as f64
    }

    fn line(&self) -> serde_json::Value {
        serde_json::json!({
            "constructor": self.form.constructor, "parameters": self.parameters, "numbers": self.numbers,
            "log_prob_ns": self.ns(&self.plain), "gradient_ns": self.ns(&self.gradient),
        })
    }
}

/// One line of JSON for each name that comes in.
fn serve(total: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut cases: HashMap<&str, Case> = HashMap::new();
    for name in std::io::stdin().lock().lines() {
        let name = name?;
        let Some(entry) = CATALOGUE.iter().find(|e| e.name == name) else {
            return Err(format!("no distribution {name}").into());
        };
        if !cases.contains_key(entry.name) {
            // One at a time in memory.
            cases.clear();
            cases.insert(entry.name, Case::new(entry, total)?);
        }
        println!("{}", cases[entry.name].line());
        stdout().flush()?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let total: usize = option("--values").map_or(Ok(1_000_000), |n| n.parse())?;
    if flag("--serve") {
        return serve(total);
    }
    let only = option("--only");
    let mut out = serde_json::Map::new();
    for entry in CATALOGUE.iter().filter(|e| only.as_ref().is_none_or(|name| name == e.name)) {
        let case = Case::new(entry, total)?;
        if flag("--explain") {
            writeln!(stdout(), "{}\n{}\n{}", entry.name, case.plain.explain(), case.gradient.explain())?;
        }
        out.insert(format!("dist/{}", entry.name), case.line());
    }
    println!("{}", serde_json::to_string(&out)?);
    Ok(())
}
