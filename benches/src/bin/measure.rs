//! Prints what the comparison with peers needs, as JSON: microseconds per gradient (median over repeats of a loop), ns
//! per `tanh`, bytes of workspace, milliseconds of compiling. `measure growth` times how costs grow instead.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{Write, stdout};

use ppl::autodiff::Real;
use ppl::autodiff::kernels::elementary;
use ppl::infer::compiled::{CompiledModel, density_program};
use ppl::infer::stochastic::kernel::{SgfsKernel, SgldKernel};
use ppl::prelude::*;
use ppl_benches::handwritten::{Flat, Hierarchical};
use ppl_benches::models::{flat_bnn, flat_data, grouped_data, hierarchical_bnn, logistic, logistic_data, point};
use ppl_benches::stochastic::{large, with_steps};
use ppl_benches::timing::{program_us, seconds};

fn gradient_us<T: Real>(model: &dyn Model) -> Result<f64, ModelError> {
    Ok(program_us(&density_program::<T>(model, true)?))
}

/// Microseconds of one step of a variational fit: the median over a few runs.
fn step_us<'m>(mut fit: impl FnMut(u64) -> Result<VariationalFit<'m>, InferError>) -> Result<f64, InferError> {
    const STEPS: u64 = 20_000;
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(1e6 * fit(STEPS)?.seconds() / STEPS as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[2])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out: BTreeMap<String, f64> = BTreeMap::new();
    match std::env::args().nth(1).as_deref() {
        Some("growth") => growth(&mut out)?,
        Some("profile") => return profile(),
        _ => peers(&mut out)?,
    }
    println!("{}", serde_json::to_string(&out)?);
    Ok(())
}

fn peers(out: &mut BTreeMap<String, f64>) -> Result<(), Box<dyn std::error::Error>> {
    let (x, y) = grouped_data()?;
    let hierarchical = hierarchical_bnn(x.clone(), y.clone());
    let flat = |rows| flat_data(rows).map(|(x, y)| flat_bnn(x, y));
    let (flat_500, flat_50) = (flat(500)?, flat(50)?);
    let mut put = |name: &str, value: f64| out.insert(name.to_owned(), value);
    put("gradient/hierarchical_bnn", gradient_us::<f64>(&hierarchical)?);
    put("gradient/flat_bnn_500", gradient_us::<f64>(&flat_500)?);
    put("gradient/flat_bnn_50", gradient_us::<f64>(&flat_50)?);
    put("gradient_f32/hierarchical_bnn", gradient_us::<f32>(&hierarchical)?);
    put("gradient_f32/flat_bnn_500", gradient_us::<f32>(&flat_500)?);
    let program = density_program::<f64>(&hierarchical, true)?;
    put("value/hierarchical_bnn", program_us(&density_program::<f64>(&hierarchical, false)?));
    put("workspace_bytes/hierarchical_bnn", program.workspace_bytes() as f64);
    put("compile_ms/hierarchical_bnn", 1e3 * seconds(|| drop(black_box(CompiledModel::new(&hierarchical)))));
    let (x_flat, y_flat) = flat_data(500)?;
    let batches = Minibatch::new((x_flat, y_flat), 50)?.model(|(x, y)| flat_bnn(x, y));
    let advi = Advi::mean_field().check_draws(100);
    put("advi_step/full_500", step_us(|steps| advi.clone().steps(steps).fit(&flat_500))?);
    put("advi_step/minibatch_50", step_us(|steps| advi.clone().steps(steps).fit_batches(&batches))?);
    let numbers = |a: ndarray::ArrayViewD<f64>| a.iter().copied().collect::<Vec<f64>>();
    let mut by_hand = Hierarchical::new(&numbers(x.view().into_dyn()), &numbers(y.view().into_dyn()));
    let at: Vec<f64> = point(program.input_lengths()[0]).iter().map(|x| 0.3 * x).collect();
    let mut g = vec![0.0; at.len()];
    put("handwritten/hierarchical_bnn", 1e6 * seconds(|| _ = black_box(by_hand.gradient(black_box(&at), &mut g))));
    let (x, y) = flat_data(500)?;
    let mut by_hand = Flat::new(&numbers(x.view().into_dyn()), &numbers(y.view().into_dyn()));
    let at: Vec<f64> = point(40).iter().map(|x| 0.3 * x).collect();
    put("handwritten/flat_bnn_500", 1e6 * seconds(|| _ = black_box(by_hand.gradient(black_box(&at), &mut g[..40]))));
    put("value/flat_bnn_500", program_us(&density_program::<f64>(&flat_500, false)?));
    let (x, y) = logistic_data(100_000, 50);
    put("gradient/logistic_1e5x50", gradient_us::<f64>(&logistic(x.clone(), y.clone()))?);
    let b = Array1::from(point(50));
    put("products/logistic_1e5x50", 1e6 * seconds(|| drop(black_box((x.dot(&b), x.t().dot(&y))))));
    with_steps(SgfsKernel::default(), 0.01, |step| _ = put("sgfs_step/minibatch_50", 1e6 * seconds(step)))?;
    with_steps(SgldKernel::default(), 1e-4, |step| _ = put("sgld_step/minibatch_50", 1e6 * seconds(step)))?;
    let large = large(50)?;
    put("gradient_ms/large_50", large.gradient);
    put("value_and_gradient_ms/large_50", large.evaluated);
    put("sgfs_diagonal_ms/large_50", large.step);
    let (x, mut y) = (point(9000), vec![0.0; 9000]);
    put("tanh_ns/f64", 1e9 / 9000.0 * seconds(|| elementary::tanh(black_box(&x), &mut y)));
    let (x, mut y) = (x.iter().map(|&x| x as f32).collect::<Vec<_>>(), vec![0.0f32; 9000]);
    put("tanh_ns/f32", 1e9 / 9000.0 * seconds(|| elementary::tanh(black_box(&x), &mut y)));
    Ok(())
}

/// Prints the programs of the two networks' gradients with the time that each instruction takes.
fn profile() -> Result<(), Box<dyn std::error::Error>> {
    fn print<T: Real>(name: &str, model: &dyn Model) -> Result<(), Box<dyn std::error::Error>> {
        let program = density_program::<T>(model, true)?;
        let x: Vec<T> = point(program.input_lengths()[0]).into_iter().map(|x| T::from_f64(0.3 * x)).collect();
        Ok(writeln!(stdout(), "{name}: {:.2} us\n{}", program_us(&program), program.profile(&[&x], 3000))?)
    }
    let (x, y) = grouped_data()?;
    let hierarchical = hierarchical_bnn(x, y);
    let (x, y) = flat_data(500)?;
    let flat = flat_bnn(x, y);
    print::<f64>("flat network, 500 rows, f64", &flat)?;
    print::<f64>("hierarchical network, 18 x 50 rows, f64", &hierarchical)?;
    print::<f32>("hierarchical network, 18 x 50 rows, f32", &hierarchical)?;
    let (x, y) = logistic_data(50, 5);
    print::<f64>("logistic regression, 50 x 5, f64", &logistic(x, y))?;
    Ok(())
}

/// Microseconds per gradient by rows, width and groups.
fn growth(out: &mut BTreeMap<String, f64>) -> Result<(), Box<dyn std::error::Error>> {
    let by_rows = [50, 500, 5_000, 50_000, 1_000_000].map(|rows| (rows, 5));
    let by_width = [5, 32, 128, 512].map(|width| (2_000, width));
    for (rows, width) in by_rows.into_iter().chain(by_width).chain([(100_000, 50)]) {
        let (x, y) = logistic_data(rows, width);
        out.insert(format!("logistic {rows} x {width}"), gradient_us::<f64>(&logistic(x, y))?);
    }
    let (x, y) = grouped_data()?;
    for groups in [1, 18, 100, 1000] {
        let pick: Vec<usize> = (0..groups).map(|g| g % x.len_of(Axis(0))).collect();
        let model = hierarchical_bnn(x.select(Axis(0), &pick), y.select(Axis(0), &pick));
        out.insert(format!("hierarchical {groups} x 50"), gradient_us::<f64>(&model)?);
    }
    Ok(())
}
