//! Models over batches: the estimate against the density of all rows, per-row gradients against models of one row,
//! streams, and what cannot be bound.

use ndarray::{Array1, Array2, Axis, array};
use ppl_autodiff::{Program, Var};
use ppl_core::dist::{Bernoulli, HalfNormal, Normal};
use ppl_core::{BatchError, BatchModel, Distribution, Minibatch, Model, factor, model, observe, sample};
use ppl_infer::batch::BatchTarget;
use ppl_infer::compiled::density_program;
use ppl_infer::compiled_batch::CompiledBatchModel;

model! {
    /// A small network with a prior over the scale of its weights.
    fn network(x: Array2<f64>, y: Array1<f64>) {
        let scale = sample!("scale", HalfNormal::new(1.0));
        let w = scale * sample!("w", Normal::new(0.0, 1.0).expand([x.ncols(), 3]));
        let v = sample!("v", Normal::new(0.0, 1.0).expand([3, 1]));
        let b = sample!("b", Normal::new(0.0, 1.0));
        let z = Var::from(&x).matmul(w).tanh();
        observe!("y", Bernoulli::logits(z.matmul(v).squeeze(-1) + b), y);
    }
}

fn data(n: usize) -> (Array2<f64>, Array1<f64>) {
    let x = Array2::from_shape_fn((n, 2), |(i, j)| ((i * 7 + j * 3) % 11) as f64 / 5.0 - 1.0);
    let y = Array1::from_shape_fn(n, |i| f64::from(u8::from((i * i) % 5 > 1)));
    (x, y)
}

fn evaluate(model: &dyn Model, at: &[f64]) -> (f64, Vec<f64>) {
    let program: Program<f64> = density_program(model, true).unwrap();
    let (mut value, mut gradient) = ([0.0], vec![0.0; at.len()]);
    program.evaluate(&mut program.workspace(), &[at], &mut [&mut value, &mut gradient]);
    (value[0], gradient)
}

fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= tolerance * (1.0 + a.abs()), "{a} against {b}");
    }
}

fn point() -> Vec<f64> {
    (0..11).map(|i| (f64::from(i) * 0.7).sin()).collect()
}

/// Long rows, which are copied in squares with what is left at both sides, and short ones: every number is where it belongs,
/// and an epoch has every row once.
#[test]
fn rows_are_bound_column_by_column() {
    for width in [3, 8, 19] {
        let x = Array2::from_shape_fn((42, width), |(i, j)| (100 * i + j) as f64);
        let batches = Minibatch::new((x, Array1::<f64>::zeros(42)), 21).unwrap().model(|(x, y)| network(x, y));
        let compiled = CompiledBatchModel::new(&batches).unwrap();
        let mut density = compiled.density(3, 0).unwrap();
        let mut seen = Vec::new();
        for iteration in 0..2 {
            density.bind(iteration).unwrap();
            let bound = &density.bound()[0];
            let rows: Vec<f64> = bound[..21].to_vec();
            for (at, x) in bound.iter().enumerate() {
                assert_eq!(*x, rows[at % 21] + (at / 21) as f64, "{width}: {at}");
            }
            seen.extend(rows);
        }
        seen.sort_by(f64::total_cmp);
        assert_eq!(seen, (0..42).map(|i| f64::from(100 * i)).collect::<Vec<_>>());
    }
}

/// Over an epoch without replacement, the mean of the estimates is the density of all rows.
#[test]
fn estimates_average_to_the_whole() {
    let (x, y) = data(40);
    let (whole, slope) = evaluate(&network(x.clone(), y.clone()), &point());
    let batches = Minibatch::new((x, y), 8).unwrap().model(|(x, y)| network(x, y));
    let compiled = CompiledBatchModel::new(&batches).unwrap();
    let mut density = compiled.density(3, 0).unwrap();
    let (mut mean, mut mean_slope, mut gradient) = (0.0, vec![0.0; 11], vec![0.0; 11]);
    let mut values = Vec::new();
    for i in 0..5 {
        density.bind(i).unwrap();
        let value = density.evaluate(&point(), &mut gradient).unwrap();
        values.push(value);
        mean += value / 5.0;
        mean_slope.iter_mut().zip(&gradient).for_each(|(m, g)| *m += g / 5.0);
    }
    assert!(values.iter().any(|v| (v - mean).abs() > 0.1), "batches differ: {values:?}");
    close(&[mean], &[whole], 1e-12);
    close(&mean_slope, &slope, 1e-12);
    let value = density.full(&point(), &mut gradient).unwrap();
    assert_eq!((value, gradient), (whole, slope));
}

/// The prior part and each row's part, against models of single rows: gradient of (prior + row) - gradient of prior.
#[test]
fn gradients_of_rows() {
    let (x, y) = data(30);
    let n = 6;
    let batches = Minibatch::new((x.clone(), y.clone()), n).unwrap().model(|(x, y)| network(x, y));
    let compiled = CompiledBatchModel::new(&batches).unwrap();
    let mut density = compiled.density(1, 0).unwrap();
    density.bind(2).unwrap();
    let (mut prior, mut rows) = (vec![0.0; 11], vec![0.0; 11 * n]);
    density.row_gradients(&point(), &mut prior, &mut rows).unwrap();

    // The prior alone: twice the gradient with one row less the gradient with that row twice.
    let of = |rows: &[usize]| evaluate(&network(x.select(Axis(0), rows), y.select(Axis(0), rows)), &point()).1;
    let (once, twice) = (of(&[0]), of(&[0, 0]));
    let expected: Vec<f64> = once.iter().zip(&twice).map(|(a, b)| 2.0 * a - b).collect();
    close(&prior, &expected, 1e-12);

    // Which rows they are is the source's business: each is one of the data's, and they add up to the batch.
    let singles: Vec<Vec<f64>> =
        (0..30).map(|i| of(&[i]).iter().zip(&expected).map(|(a, p)| a - p).collect()).collect();
    for i in 0..n {
        let row = rows.iter().skip(i).step_by(n);
        let near = |single: &Vec<f64>| single.iter().zip(row.clone()).all(|(a, b)| (a - b).abs() < 1e-11);
        assert!(singles.iter().any(near), "row {i}");
    }
    let mut gradient = vec![0.0; 11];
    density.evaluate(&point(), &mut gradient).unwrap();
    let sum: Vec<f64> = (0..11).map(|j| prior[j] + 5.0 * rows[j * n..(j + 1) * n].iter().sum::<f64>()).collect();
    close(&gradient, &sum, 1e-12);

    let (mut again, mut total, mut squares) = (vec![0.0; 11], vec![0.0; 11], vec![0.0; 11]);
    density.row_moments(&point(), &mut again, &mut total, &mut squares).unwrap();
    close(&again, &prior, 1e-14);
    let of_rows = |f: fn(f64) -> f64| -> Vec<f64> {
        (0..11).map(|j| rows[j * n..(j + 1) * n].iter().map(|&g| f(g)).sum()).collect()
    };
    close(&total, &of_rows(|g| g), 1e-12);
    close(&squares, &of_rows(|g| g * g), 1e-12);
}

/// Indices of groups are an array of the batch like any other where what they pick is looked up: over an epoch the mean of
/// the estimates is the density that `gather` makes of all rows, and gradients of rows add up to that of the batch.
#[test]
fn indices_are_bound() {
    model! {
        fn gathered(group: Array1<usize>, y: Array1<f64>) {
            let mean = sample!("mean", Normal::new(0.0, 2.0).expand([4]));
            let slope = sample!("slope", Normal::new(0.0, 2.0).expand([4, 2]));
            let slope = slope.gather(0, &group.to_vec()).matmul(Var::from([1.0, 0.5]));
            observe!("y", Normal::new(mean.gather(0, &group.to_vec()) + slope, 0.5), y);
        }
        fn looked_up(group: Array1<usize>, y: Array1<f64>) {
            let mean = sample!("mean", Normal::new(0.0, 2.0).expand([4]));
            let slope = sample!("slope", Normal::new(0.0, 2.0).expand([4, 2]));
            let group = Var::from(&group);
            let slope = slope.lookup(group).matmul(Var::from([1.0, 0.5]));
            observe!("y", Normal::new(mean.lookup(group) + slope, 0.5), y);
        }
    }
    let group = Array1::from_shape_fn(20, |i| (i * i + i / 3) % 4);
    let y = Array1::from_shape_fn(20, |i| (i as f64 * 0.9).sin());
    let at: Vec<f64> = (0..12).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let (whole, slope) = evaluate(&gathered(group.clone(), y.clone()), &at);
    let batches = Minibatch::new((group, y), 5).unwrap().model(|(group, y)| looked_up(group, y));
    let compiled = CompiledBatchModel::new(&batches).unwrap();
    let mut density = compiled.density(3, 0).unwrap();
    let (mut mean, mut mean_slope) = (0.0, vec![0.0; 12]);
    let (mut gradient, mut prior, mut rows) = (vec![0.0; 12], vec![0.0; 12], vec![0.0; 60]);
    for i in 0..4 {
        density.bind(i).unwrap();
        mean += density.evaluate(&at, &mut gradient).unwrap() / 4.0;
        density.row_gradients(&at, &mut prior, &mut rows).unwrap();
        let sum: Vec<f64> =
            prior.iter().zip(rows.chunks(5)).map(|(p, rows)| p + 4.0 * rows.iter().sum::<f64>()).collect();
        close(&gradient, &sum, 1e-12);
        mean_slope.iter_mut().zip(&gradient).for_each(|(mean, g)| *mean += g / 4.0);
    }
    close(&[mean], &[whole], 1e-12);
    close(&mean_slope, &slope, 1e-12);
}

#[test]
fn a_stream_yields_its_rows_in_order() {
    let (x, y) = data(12);
    let rows: Vec<(Array1<f64>, f64)> = x.outer_iter().map(|r| r.to_owned()).zip(y.iter().copied()).collect();
    let again = rows.clone();
    let read_once = Minibatch::<(Array2<f64>, Array1<f64>)>::stream(12, 4, rows.into_iter().map(Ok)).unwrap();
    let read_once = read_once.model(|(x, y)| network(x, y));
    let compiled = CompiledBatchModel::new(&read_once).unwrap();
    let mut density = compiled.density(0, 0).unwrap();
    let mut gradient = vec![0.0; 11];
    let mut values = Vec::new();
    for i in 0..3 {
        density.bind(i).unwrap();
        values.push(density.evaluate(&point(), &mut gradient).unwrap());
    }
    let end = density.bind(3).unwrap_err().to_string();
    assert!(end.contains("ended after 12 rows"), "{end}");
    let whole = evaluate(&network(x, y), &point()).0;
    close(&[values.iter().sum::<f64>() / 3.0], &[whole], 1e-12);
    let taken = compiled.density(0, 1).unwrap().bind(0).unwrap_err().to_string();
    assert!(taken.contains("only once"), "{taken}");

    let open = move || again.clone().into_iter().map(Ok);
    let reopened = Minibatch::<(Array2<f64>, Array1<f64>)>::reopen(12, 4, open).unwrap().model(|(x, y)| network(x, y));
    let compiled = CompiledBatchModel::new(&reopened).unwrap();
    let mut density = compiled.density(0, 0).unwrap();
    for i in 0..7 {
        density.bind(i).unwrap();
        assert_eq!(density.evaluate(&point(), &mut gradient).unwrap(), values[i as usize % 3]);
    }
}

/// What is wrong with a model over batches, as it is told.
fn refused(batches: &dyn BatchModel) -> String {
    CompiledBatchModel::new(batches).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_bound_is_refused() {
    let (x, y) = data(30);
    model! {
        fn centred(x: Array2<f64>, y: Array1<f64>) {
            let w = sample!("w", Normal::new(0.0, 1.0).expand([2, 1]));
            let x = &x - &x.mean_axis(Axis(0)).unwrap();
            observe!("y", Normal::new(Var::from(&x).matmul(w).squeeze(-1), 1.0), y);
        }
        fn local(y: Array1<f64>) {
            let z = sample!("z", Normal::new(0.0, 1.0).expand([y.len()]));
            observe!("y", Normal::new(z, 1.0), y);
        }
        fn coupled(y: Array1<f64>) {
            let m = sample!("m", Normal::new(0.0, 1.0));
            let y = Var::from(&y);
            factor!("spread", -(m * (y - y.mean())).square().sum());
        }
    }
    let message = refused(&Minibatch::new((x, y.clone()), 5).unwrap().model(|(x, y)| centred(x, y)));
    assert!(message.contains("model `centred`") && message.contains("batches.rs:"), "{message}");
    assert!(message.contains("depends on the rows of the batch"), "{message}");
    let message = refused(&Minibatch::new(y.clone(), 5).unwrap().model(local));
    assert!(message.contains("site `z`") && message.contains("latent value for each row"), "{message}");

    let batches = Minibatch::new(y, 5).unwrap().model(coupled);
    let compiled = CompiledBatchModel::new(&batches).unwrap();
    let mut density = compiled.density(0, 0).unwrap();
    density.bind(0).unwrap();
    let message = density.row_gradients(&[0.3], &mut [0.0], &mut [0.0; 5]).unwrap_err().to_string();
    assert!(message.contains("sum over rows"), "{message}");
}

#[test]
fn bad_data_are_refused() {
    type Pairs = Minibatch<(Array1<f64>, Array1<i64>)>;
    let error = |r: Result<Pairs, BatchError>| r.map(|_| ()).unwrap_err().to_string();
    let y = array![1, 2, 3_i64];
    assert_eq!(
        error(Minibatch::new((array![1.0, 2.0], y.clone()), 1)),
        "array 1 of a minibatch has 3 rows, where array 0 has 2"
    );
    assert_eq!(
        error(Minibatch::new((array![1.0, f64::NAN, 2.0], y.clone()), 1)),
        "array 0 of a minibatch holds NaN in row 1"
    );
    let x = array![1.0, 2.0, 3.0];
    assert_eq!(error(Minibatch::new((x.clone(), y.clone()), 0)), "batches of 0 rows from 3 rows: wanted 1 to 3");
    assert_eq!(error(Minibatch::new((x, y), 4)), "batches of 4 rows from 3 rows: wanted 1 to 3");
}
