//! Compiled programs against the interpreter, over random functions: whatever fusion, layout, sharing and the memory
//! plan do, the numbers must be the same.

mod common;

use common::functions::{Mode, build};
use common::interpreter::interpret;
use common::{Compile, compile_by, whole_numbers};
use ppl_autodiff::check::check_gradient;
use ppl_autodiff::{Program, Real, Var, stack, trace};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// How many random functions; `PPL_CASES` asks for more.
fn config(seed: u64) -> Config {
    let cases = std::env::var("PPL_CASES").ok().and_then(|n| n.parse().ok());
    Config {
        cases: cases.unwrap_or(400),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    }
}

fn choices() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..5040u32, 30..160)
}

/// Values must be the interpreter's exactly, since all sums are of whole numbers; gradients divide at ties, so they
/// have rounding errors relative to the largest number on the tape.
fn agrees<T: Real>(choices: &[u32], mode: Mode, rounding: f64, compile: Compile<T>) -> Result<(), TestCaseError> {
    let compiled = compile_by::<T>(choices, mode, compile);
    let mut workspace = compiled.program.workspace();
    // The same workspace again and again: nothing may be left over from other inputs.
    for seed in [1, 2, 1] {
        let x = whole_numbers(compiled.inputs, seed);
        let want = interpret(compiled.traced.tape(), &x);
        let scale = want.iter().flatten().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
        let got = compiled.run(&mut workspace, &x);
        for (slot, (nodes, got)) in compiled.outputs.iter().zip(&got).enumerate() {
            let want = nodes.iter().flat_map(|v| &want[v.node() as usize]);
            let tolerance = if slot < compiled.values { 0.0 } else { rounding * scale };
            for (e, (&w, &g)) in want.zip(got).enumerate() {
                let g = g.to_f64();
                prop_assert!(
                    g == w || (g - w).abs() <= tolerance || (g.is_nan() && w.is_nan()),
                    "slot {slot} of {}, element {e}: {g} but {w} wanted\n{}",
                    compiled.values,
                    compiled.program.explain()
                );
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(7))]

    #[test]
    fn random_functions_are_exact(choices in choices()) {
        agrees::<f64>(&choices, Mode::Exact, 1e-12, Program::compile)?;
    }

    #[test]
    fn random_functions_are_exact_in_strips(choices in choices()) {
        agrees::<f64>(&choices, Mode::Exact, 1e-12, Program::compile_in_strips)?;
    }

    #[test]
    fn random_functions_are_exact_in_single_precision(choices in choices()) {
        agrees::<f32>(&choices, Mode::Single, 1e-4, Program::compile)?;
    }
}

proptest! {
    #![proptest_config(Config { cases: 150, ..config(8) })]

    /// Adjoints against fourth-order differences, whose rounding error at the best step is about 1e-11; functions of
    /// some depth have larger fifth derivatives.
    #[test]
    fn gradients_of_random_functions_are_those_of_differences(choices in choices()) {
        let (_, traced) = trace(|| build(&choices, Mode::Smooth)).unwrap();
        let n = traced.tape().slots().first().copied().unwrap_or(0);
        let at: Vec<f64> = whole_numbers(n, 3).iter().map(|x| x * 0.31 + 0.05).collect();
        let whole = |x: Var| {
            // The function asks for its own inputs; here they are parts of one.
            let replaced = common::functions::build_on(&choices, Mode::Smooth, x);
            replaced.outputs.iter().flatten().map(|y| y.tanh().sum()).sum::<Var>()
        };
        let checked = check_gradient(whole, &at, 1e-6);
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }
}

/// Parts go straight to where they are wanted only if they lie there one after the other.
#[test]
fn a_transposed_join_of_parts() {
    let (y, traced) = trace(|| {
        let x = Var::input(0, [3]);
        stack(&[x + 1.0, x * 2.0], 0).t()
    })
    .unwrap();
    let program = Program::<f64>::compile(traced.tape(), &[&[y]]);
    let mut out = [0.0; 6];
    program.evaluate(&mut program.workspace(), &[&[1.0, 2.0, 3.0]], &mut [&mut out]);
    assert_eq!(out, [2.0, 2.0, 3.0, 4.0, 4.0, 6.0]);
}

/// The adjoint of tanh after a product is computed with the product: batched or not, over whole vectors of rows, over some
/// rows twice, over fewer than a vector.
#[test]
fn products_times_the_slope_of_tanh() {
    for (batch, rows, inner) in [(1, 50, 5), (3, 50, 1), (2, 7, 3), (3, 17, 4), (1, 64, 2)] {
        const COLUMNS: usize = 4;
        let value = |slot: usize, i: usize| ((i + 7 * slot) as f64 * 0.7).sin();
        let (outputs, traced) = trace(|| {
            let input = |slot: usize, m: usize, n: usize| Var::input(slot, [batch, m, n]);
            let y = input(0, rows, inner).matmul(input(1, inner, COLUMNS)).tanh();
            [input(2, rows, inner).matmul(input(3, inner, COLUMNS)) * (1.0 - y.square()), y]
        })
        .unwrap();
        let program = Program::<f64>::compile(traced.tape(), &[&outputs[..1], &outputs[1..]]);
        assert_eq!(program.explain().matches(", times_one_minus_square").count(), 1, "{}", program.explain());
        let lengths = [rows * inner, inner * COLUMNS, rows * inner, inner * COLUMNS];
        let inputs: Vec<Vec<f64>> = lengths
            .iter()
            .enumerate()
            .map(|(slot, length)| (0..batch * length).map(|i| value(slot, i)).collect())
            .collect();
        let product = |a: usize, g: usize, i: usize, j: usize| -> f64 {
            let (a, b) = (&inputs[a][g * rows * inner..], &inputs[a + 1][g * inner * COLUMNS..]);
            (0..inner).map(|k| a[i * inner + k] * b[k * COLUMNS + j]).sum()
        };
        let mut got = vec![0.0; batch * rows * COLUMNS];
        let mut y = got.clone();
        let slots: Vec<&[f64]> = inputs.iter().map(|x| &x[..]).collect();
        program.evaluate(&mut program.workspace(), &slots, &mut [&mut got, &mut y]);
        for (e, got) in got.iter().enumerate() {
            let (g, i, j) = (e / (rows * COLUMNS), e / COLUMNS % rows, e % COLUMNS);
            let want = product(2, g, i, j) * (1.0 - product(0, g, i, j).tanh().powi(2));
            assert!((got - want).abs() < 1e-14, "{batch} x {rows} x {inner}, {e}: {got}, wanted {want}");
        }
    }
}

/// Two arrays that do not lie alike, over rows long enough to be run along: both contiguous, one a number a row, either
/// side; and rows that are too short for that.
#[test]
fn operations_along_runs() {
    for n in [40, 5] {
        let value = |slot: usize, i: usize| ((i + 7 * slot) as f64 * 0.7).sin();
        let (ys, traced) = trace(|| {
            let outer = Var::input(0, [3, 1, n]) * Var::input(1, [1, 4, n]);
            let (rows, number) = (Var::input(2, [3, n]), Var::input(3, [3, 1]));
            [outer, rows - number, number / rows]
        })
        .unwrap();
        let program = Program::<f64>::compile(traced.tape(), &[&ys[..1], &ys[1..2], &ys[2..]]);
        assert_eq!(program.explain().matches("runs(").count(), if n == 40 { 3 } else { 0 }, "{}", program.explain());
        let inputs: Vec<Vec<f64>> = [3 * n, 4 * n, 3 * n, 3]
            .iter()
            .enumerate()
            .map(|(slot, &length)| (0..length).map(|i| value(slot, i)).collect())
            .collect();
        let inputs: Vec<&[f64]> = inputs.iter().map(|x| &x[..]).collect();
        let (mut outer, mut right, mut left) = (vec![0.0; 12 * n], vec![0.0; 3 * n], vec![0.0; 3 * n]);
        program.evaluate(&mut program.workspace(), &inputs, &mut [&mut outer, &mut right, &mut left]);
        for i in 0..3 {
            for k in 0..n {
                for j in 0..4 {
                    assert_eq!(outer[(4 * i + j) * n + k], value(0, i * n + k) * value(1, j * n + k));
                }
                assert_eq!(right[i * n + k], value(2, i * n + k) - value(3, i));
                assert_eq!(left[i * n + k], value(3, i) / value(2, i * n + k));
            }
        }
    }
}
