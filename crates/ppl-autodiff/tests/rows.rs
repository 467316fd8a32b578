//! Programs over rows against the same function row by row, over random functions and gradients.

mod common;

use common::functions::{Mode, build_with};
use common::whole_numbers;
use ppl_autodiff::program::Over;
use ppl_autodiff::{Program, Var, gradient, trace};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

const ROWS: usize = 3;

fn config() -> Config {
    let cases = std::env::var("PPL_CASES").ok().and_then(|n| n.parse().ok());
    Config { cases: cases.unwrap_or(300), rng_seed: RngSeed::Fixed(17), failure_persistence: None, ..Config::default() }
}

fn run(program: &Program<f64>, inputs: &[&[f64]]) -> Vec<Vec<f64>> {
    let mut out: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![f64::NAN; n]).collect();
    let mut slots: Vec<&mut [f64]> = out.iter_mut().map(|v| &mut v[..]).collect();
    program.evaluate(&mut program.workspace(), inputs, &mut slots);
    out
}

/// Rows one after the other, as a slot wants them: rows innermost.
fn innermost(values: &[f64], rows: usize) -> Vec<f64> {
    let length = values.len() / rows;
    (0..length).flat_map(|j| values.iter().skip(j).step_by(length).copied()).collect()
}

proptest! {
    #![proptest_config(config())]

    /// Every second input is a row of data, the others are shared: values and the gradient of their sum.
    #[test]
    fn each_row_is_as_alone(choices in prop::collection::vec(0..5040u32, 30..160), smooth in any::<bool>()) {
        let mode = if smooth { Mode::Smooth } else { Mode::Exact };
        let (outputs, traced) = trace(|| {
            let mut count = 0;
            let mut shared = Vec::new();
            let built = build_with(&choices, mode, |shape| {
                count += 1;
                let x = Var::input(count % 2, shape);
                if count % 2 == 0 {
                    shared.push(x);
                }
                x
            });
            let mut outputs: Vec<Var> = built.outputs.into_iter().flatten().collect();
            let total: Var = outputs.iter().map(|y| y.sum()).sum();
            outputs.extend(gradient(total, &shared));
            outputs
        })
        .unwrap();
        let lengths: Vec<usize> = (0..2).map(|s| traced.tape().slots().get(s).copied().unwrap_or(0)).collect();
        let x = whole_numbers(lengths[0], 1);
        let rows = whole_numbers(lengths[1] * ROWS, 2);
        let one = Program::<f64>::compile(traced.tape(), &[&outputs]);
        let alone: Vec<Vec<f64>> =
            rows.chunks(lengths[1].max(1)).chain([&[][..]; ROWS]).take(ROWS).map(|r| run(&one, &[&x, r]).remove(0)).collect();
        let rows = innermost(&rows, ROWS);
        let slots = [Over::Each, Over::Sum, Over::SumOfSquares].map(|over| (over, &outputs[..]));
        let program = Program::<f64>::over_rows(traced.tape(), ROWS, 1, &slots);
        let together = run(&program, &[&x, &rows]);
        let scale = alone.iter().flatten().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
        let same = |got: f64, want: f64, scale: f64| {
            got == want || (got - want).abs() <= 1e-12 * scale || (got.is_nan() && want.is_nan())
        };
        for e in 0..one.output_lengths()[0] {
            let want: Vec<f64> = alone.iter().map(|row| row[e]).collect();
            let got = &together[0][e * ROWS..(e + 1) * ROWS];
            prop_assert!(got.iter().zip(&want).all(|(&g, &w)| same(g, w, scale)), "{e}: {got:?} but {want:?} wanted");
            let sum: f64 = want.iter().sum();
            prop_assert!(same(together[1][e], sum, ROWS as f64 * scale), "{e}: {} but {sum} wanted", together[1][e]);
            let squares: f64 = want.iter().map(|w| w * w).sum();
            let scale = ROWS as f64 * scale * scale;
            prop_assert!(same(together[2][e], squares, scale), "{e}: {} but {squares} wanted", together[2][e]);
        }
    }
}

proptest! {
    #![proptest_config(config())]

    /// The first slot has several points, the second is shared: values and the gradient of their sum.
    #[test]
    fn each_point_is_as_alone(choices in prop::collection::vec(0..5040u32, 30..160), smooth in any::<bool>()) {
        let mode = if smooth { Mode::Smooth } else { Mode::Exact };
        let (outputs, traced) = trace(|| {
            let mut count = 0;
            let mut own = Vec::new();
            let built = build_with(&choices, mode, |shape| {
                count += 1;
                let x = Var::input(count % 2, shape);
                if count % 2 == 0 {
                    own.push(x);
                }
                x
            });
            let mut outputs: Vec<Var> = built.outputs.into_iter().flatten().collect();
            let total: Var = outputs.iter().map(|y| y.sum()).sum();
            outputs.extend(gradient(total, &own));
            outputs
        })
        .unwrap();
        let lengths: Vec<usize> = (0..2).map(|s| traced.tape().slots().get(s).copied().unwrap_or(0)).collect();
        let points = whole_numbers(lengths[0] * ROWS, 1);
        let shared = whole_numbers(lengths[1], 2);
        let one = Program::<f64>::compile(traced.tape(), &[&outputs]);
        let program = Program::<f64>::over_points(traced.tape(), ROWS, &[&outputs, &[]]);
        let together = run(&program, &[&points, &shared]).remove(0);
        let n = one.output_lengths()[0];
        for p in 0..ROWS {
            let want = run(&one, &[&points[p * lengths[0]..(p + 1) * lengths[0]], &shared]).remove(0);
            let scale = want.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
            for (e, (&got, &want)) in together[p * n..(p + 1) * n].iter().zip(&want).enumerate() {
                let same = got == want || (got - want).abs() <= 1e-12 * scale || (got.is_nan() && want.is_nan());
                prop_assert!(same, "point {p}, {e}: {got} but {want} wanted");
            }
        }
    }
}

/// The weights of a dense layer: gradients of rows are outer products, and their sums need no array of rows.
#[test]
fn sums_over_rows_of_a_dense_layer_are_products() {
    let n = 50;
    let ((g, value), traced) = trace(|| {
        let (w, x) = (Var::input(0, [20, 30]), Var::input(1, [1, 20]));
        let y = x.matmul(w).tanh().sum();
        (gradient(y, &[w])[0], y)
    })
    .unwrap();
    let slots: [(Over, &[Var]); 3] = [(Over::Sum, &[g]), (Over::SumOfSquares, &[g]), (Over::Sum, &[value])];
    let program = Program::<f64>::over_rows(traced.tape(), n, 1, &slots);
    // A row's gradient has 600 numbers: all rows would need 240 kB.
    assert!(program.workspace_bytes() < 100_000, "{}", program.explain());
    let each = Program::<f64>::over_rows(traced.tape(), n, 1, &[(Over::Each, &[g])]);
    let w: Vec<f64> = (0..600).map(|i| (f64::from(i) * 0.37).sin()).collect();
    let x: Vec<f64> = (0..20 * n).map(|i| (i as f64 * 0.73).cos()).collect();
    let x = innermost(&x, n);
    let sums = run(&program, &[&w, &x]);
    let rows = run(&each, &[&w, &x]).remove(0);
    for (e, rows) in rows.chunks(n).enumerate() {
        let (sum, squares) = rows.iter().fold((0.0, 0.0), |(s, q), g| (s + g, q + g * g));
        assert!((sums[0][e] - sum).abs() < 1e-12 && (sums[1][e] - squares).abs() < 1e-12);
    }
}

/// Data slots: a constant that is an array of the data becomes an input; one that is computed from it is refused.
#[test]
fn arrays_of_the_data_become_inputs() {
    use ppl_autodiff::data_slots::DataSlot;
    use ppl_autodiff::{Tensor, Traced};

    let record = |x: [f64; 3], shift: f64| -> (Var, Traced) {
        trace(|| {
            let w = Var::input(0, [3]);
            (w * Var::from(x) + Var::from([shift, 1.0, 0.0])).sum()
        })
        .unwrap()
    };
    let tensor = |x: [f64; 3]| Tensor::from(x);
    let (a, b) = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]);
    let slots = [DataSlot { first: tensor(a), other: tensor(b) }];
    let (y, first) = record(a, 0.5);
    let bound = first.with_data_slots(&record(b, 0.5).1, 1, &slots).unwrap();
    let program = Program::<f64>::compile(bound.tape(), &[&[y]]);
    assert_eq!(run(&program, &[&[1.0, 1.0, 1.0], &[7.0, 8.0, 9.0]]), [[24.0 + 1.5]]);

    let error = record(a, 0.5).1.with_data_slots(&record(b, 0.7).1, 1, &slots).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("rows.rs:") && error.contains("depends on the rows"), "{error}");
}
