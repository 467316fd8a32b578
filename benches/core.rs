//! What an evaluation costs: gradients of whole models, the kernels inside them, and the same gradient by hand.
//!
//! `cargo bench -p ppl-benches --bench core -- gradient/hierarchical` runs a part.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use ppl::autodiff::ops::{Binary, Unary};
use ppl::autodiff::{Program, Real, Var, trace};
use ppl::infer::batch::BatchTarget;
use ppl::infer::compiled::{CompiledModel, density_program};
use ppl::infer::compiled_batch::CompiledBatchModel;
use ppl::infer::stochastic::kernel::{SgfsKernel, SgldKernel};
use ppl::prelude::*;
use ppl_benches::handwritten::{Flat, Hierarchical};
use ppl_benches::models::{
    eight_schools, flat_bnn, flat_data, grouped_data, hierarchical_bnn, logistic, logistic_data, point, scalar_walk,
};
use ppl_benches::stochastic::{BATCH, with_steps};

/// Elements of the elementwise kernels: the activations of the hierarchical network.
const ELEMENTS: usize = 9000;

/// A program over its first input slot, called over and over.
fn run<T: Real>(c: &mut Criterion, id: &str, program: &Program<T>) {
    let inputs: Vec<Vec<T>> = (program.input_lengths().iter())
        .map(|&n| point(n).into_iter().map(|x| T::from_f64(x.abs() + 0.1)).collect())
        .collect();
    let inputs: Vec<&[T]> = inputs.iter().map(|x| &x[..]).collect();
    let mut outputs: Vec<Vec<T>> = program.output_lengths().iter().map(|&n| vec![T::ZERO; n]).collect();
    let mut outputs: Vec<&mut [T]> = outputs.iter_mut().map(|o| &mut o[..]).collect();
    let mut workspace = program.workspace();
    c.bench_function(id, |b| b.iter(|| program.evaluate(&mut workspace, black_box(&inputs), black_box(&mut outputs))));
}

fn density<T: Real>(c: &mut Criterion, id: &str, model: &dyn Model, with_gradient: bool) {
    let program = density_program::<T>(model, with_gradient).expect("the model is right");
    run(c, id, &program);
}

fn models(c: &mut Criterion) {
    let (x, y) = grouped_data().expect("the data can be read");
    let hierarchical = hierarchical_bnn(x, y);
    density::<f64>(c, "gradient/hierarchical_bnn", &hierarchical, true);
    density::<f32>(c, "gradient_f32/hierarchical_bnn", &hierarchical, true);
    density::<f64>(c, "value/hierarchical_bnn", &hierarchical, false);
    for rows in [500, 50] {
        let (x, y) = flat_data(rows).expect("the data can be read");
        density::<f64>(c, &format!("gradient/flat_bnn_{rows}"), &flat_bnn(x, y), true);
    }
    let (x, y) = logistic_data(100_000, 50);
    density::<f64>(c, "gradient/logistic_1e5x50", &logistic(x, y), true);
    density::<f64>(c, "gradient/scalar_walk_1000", &scalar_walk(1000), true);
}

fn compiling(c: &mut Criterion) {
    let (x, y) = grouped_data().expect("the data can be read");
    let hierarchical = hierarchical_bnn(x, y);
    c.bench_function("compile/hierarchical_bnn", |b| b.iter(|| CompiledModel::new(&hierarchical)));
    let walk = scalar_walk(1000);
    c.bench_function("compile/scalar_walk_1000", |b| b.iter(|| CompiledModel::new(&walk)));
}

fn sampling(c: &mut Criterion) {
    let schools = eight_schools();
    let nuts = Nuts::new().warmup(500).draws(500).chains(1).threads(1);
    c.bench_function("nuts/eight_schools", |b| b.iter(|| nuts.run(&schools)));
}

/// What steps are made of: a batch bound, its gradient, the gradients of its rows.
fn batches(c: &mut Criterion) {
    let sgfs = with_steps(SgfsKernel::default(), 0.01, |step| {
        c.bench_function("sgfs_step/minibatch_50", |b| b.iter(&mut *step));
    });
    sgfs.expect("the chain is well");
    let sgld = with_steps(SgldKernel::default(), 1e-4, |step| {
        c.bench_function("sgld_step/minibatch_50", |b| b.iter(&mut *step));
    });
    sgld.expect("the chain is well");
    let (x, y) = flat_data(500).expect("the data can be read");
    let batches = Minibatch::new((x, y), BATCH).expect("the data are right").model(|(x, y)| flat_bnn(x, y));
    let compiled = CompiledBatchModel::new(&batches).expect("the model is right");
    let mut density = compiled.density(0, 0).expect("the data are in memory");
    density.draw_independently();
    let mut iteration = 0;
    c.bench_function("minibatch_50/bind", |b| {
        b.iter(|| {
            iteration += 1;
            density.bind(iteration)
        })
    });
    let x = point(compiled.dim());
    let (mut gradient, mut rows) = (vec![0.0; x.len()], vec![0.0; BATCH * x.len()]);
    c.bench_function("minibatch_50/gradient", |b| b.iter(|| density.evaluate(black_box(&x), &mut gradient)));
    c.bench_function("minibatch_50/row_gradients", |b| {
        b.iter(|| density.row_gradients(black_box(&x), &mut gradient, &mut rows))
    });
}

/// Draws of a step that takes several.
const DRAWS: usize = 8;

/// A step of mean-field ADVI with Adam: noise, a gradient, the optimiser. Judging the result is left out.
fn variational(c: &mut Criterion) {
    let (x, y) = flat_data(500).expect("the data can be read");
    let model = flat_bnn(x.clone(), y.clone());
    let advi = |steps: u64| Advi::mean_field().steps(steps.max(1)).check_draws(100);
    let spent = |fit: Result<VariationalFit<'_>, InferError>| Duration::from_secs_f64(fit.map_or(0.0, |f| f.seconds()));
    c.bench_function("advi_step/full_500", |b| b.iter_custom(|n| spent(advi(n).fit(&model))));
    let several = |n: u64| advi(n).draws_per_step(DRAWS);
    c.bench_function("advi_step/full_500_draws_8", |b| b.iter_custom(|n| spent(several(n).fit(&model))));
    let local = |n: u64| advi(n).local_reparameterisation(true);
    c.bench_function("advi_step/full_500_local", |b| b.iter_custom(|n| spent(local(n).fit(&model))));
    let batches = Minibatch::new((x, y), 50).expect("50 of 500").model(|(x, y)| flat_bnn(x, y));
    c.bench_function("advi_step/minibatch_50_local", |b| b.iter_custom(|n| spent(local(n).fit_batches(&batches))));
    c.bench_function("advi_step/minibatch_50_draws_8", |b| b.iter_custom(|n| spent(several(n).fit_batches(&batches))));
    let schools = eight_schools();
    c.bench_function("advi_step/eight_schools_draws_8", |b| b.iter_custom(|n| spent(several(n).fit(&schools))));
    c.bench_function("advi_step/minibatch_50", |b| b.iter_custom(|n| spent(advi(n).fit_batches(&batches))));
}

/// The gradient of one function as a program of its own.
fn kernel(c: &mut Criterion, name: &str, shapes: &[&[usize]], f: impl FnOnce(&[Var]) -> Var) {
    let made = trace(|| {
        let inputs: Vec<Var> = shapes.iter().map(|&s| Var::input(0, s)).collect();
        f(&inputs)
    });
    let (y, traced) = made.expect("shapes fit");
    run(c, &format!("kernel/{name}"), &Program::<f64>::compile(traced.tape(), &[&[y]]));
}

fn kernels(c: &mut Criterion) {
    for &op in Unary::ALL {
        kernel(c, &format!("{}_f64", op.name()), &[&[ELEMENTS]], |x| x[0].apply(op));
    }
    for &op in Binary::ALL {
        kernel(c, &format!("{}_f64", op.name()), &[&[ELEMENTS], &[ELEMENTS]], |x| x[0].apply2(op, x[1]));
    }
    for [batch, m, k, n] in
        [[18, 50, 2, 5], [18, 50, 5, 5], [18, 50, 5, 1], [18, 5, 50, 5], [1, 500, 5, 5], [1, 256, 256, 256]]
    {
        let shapes: [&[usize]; 2] = [&[batch, m, k], &[batch, k, n]];
        kernel(c, &format!("matmul_{batch}x{m}x{k}x{n}"), &shapes, |x| x[0].matmul(x[1]));
    }
    kernel(c, "select", &[&[ELEMENTS], &[ELEMENTS]], |x| x[0].gt(0.5).select(x[0], x[1]));
    for (name, axis) in [("rows", 1), ("columns", 0)] {
        kernel(c, &format!("sum_{name}"), &[&[90, 100]], |x| x[0].sum_axis(axis));
        kernel(c, &format!("logsumexp_{name}"), &[&[90, 100]], |x| x[0].logsumexp_axis(axis));
        kernel(c, &format!("max_{name}"), &[&[90, 100]], |x| x[0].max_axis(axis));
        kernel(c, &format!("cumsum_{name}"), &[&[90, 100]], |x| x[0].cumsum(axis));
        kernel(c, &format!("softmax_{name}"), &[&[90, 100]], |x| x[0].softmax(axis));
    }
    let every_third: Vec<usize> = (0..3000).map(|i| 3 * i).collect();
    kernel(c, "gather", &[&[ELEMENTS]], |x| x[0].gather(0, &every_third));
    kernel(c, "scatter_add", &[&[3000]], |x| x[0].scatter_add(0, &every_third, ELEMENTS));
    kernel(c, "transpose_copy", &[&[90, 100]], |x| x[0].t().reshape([9000]));
    kernel(c, "concat", &[&[ELEMENTS], &[ELEMENTS]], |x| concat(&[x[0], x[1]], 0));
    let eye = Array2::<f64>::eye(30) * 100.0;
    kernel(c, "cholesky_30", &[&[30, 30]], |x| (x[0] + &eye).cholesky());
    kernel(c, "solve_lower_30", &[&[30, 30], &[30, 1]], |x| (x[0] + &eye).solve_lower(x[1]));
}

/// A hand-written gradient; that it is the same function is checked before it is timed.
fn by_hand_as(c: &mut Criterion, name: &str, model: &dyn Model, gradient: &mut dyn FnMut(&[f64], &mut [f64]) -> f64) {
    let program = density_program::<f64>(model, true).expect("the model is right");
    let at = point(program.input_lengths()[0]);
    let (mut value, mut want, mut got) = ([0.0], vec![0.0; at.len()], vec![0.0; at.len()]);
    program.evaluate(&mut program.workspace(), &[&at], &mut [&mut value, &mut want]);
    let by_hand = gradient(&at, &mut got);
    assert!((by_hand - value[0]).abs() < 1e-9 * by_hand.abs(), "{by_hand} {}", value[0]);
    for (i, (w, g)) in want.iter().zip(&got).enumerate() {
        assert!((w - g).abs() < 1e-9 * (1.0 + w.abs()), "parameter {i}: {w} {g}");
    }
    c.bench_function(name, |b| b.iter(|| gradient(black_box(&at), black_box(&mut got))));
}

fn by_hand(c: &mut Criterion) {
    let numbers = |x: ndarray::ArrayViewD<f64>| x.iter().copied().collect::<Vec<f64>>();
    let (x, y) = grouped_data().expect("the data can be read");
    let mut groups = Hierarchical::new(&numbers(x.view().into_dyn()), &numbers(y.view().into_dyn()));
    by_hand_as(c, "handwritten/hierarchical_bnn", &hierarchical_bnn(x, y), &mut |p, g| groups.gradient(p, g));
    let (x, y) = flat_data(500).expect("the data can be read");
    let mut flat = Flat::new(&numbers(x.view().into_dyn()), &numbers(y.view().into_dyn()));
    by_hand_as(c, "handwritten/flat_bnn_500", &flat_bnn(x, y), &mut |p, g| flat.gradient(p, g));
}

criterion_group! {
    name = core;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = models, compiling, sampling, batches, variational, by_hand, kernels
}
criterion_main!(core);
