//! Programs give the same bits on every instruction set that this machine has, matrix products included.

mod common;

use common::functions::Mode;
use common::{compile, whole_numbers};
use ppl_autodiff::kernels::dispatch::Isa;
use ppl_autodiff::random::{Philox, Purpose};
use ppl_autodiff::{Program, Real, Var, gradient, trace};
use rand_core::Rng;

/// The bits of random smooth functions with their gradients.
fn functions<T: Real>(mode: Mode) -> Vec<u64> {
    let mut bits = Vec::new();
    for k in 0..120 {
        let mut stream = Philox::new(9, Purpose::Init, 0, k);
        let choices: Vec<u32> = (0..120).map(|_| stream.next_u32() >> 8).collect();
        let compiled = compile::<T>(&choices, mode);
        let x: Vec<f64> = whole_numbers(compiled.inputs, k).iter().map(|x| x * 0.37 + 0.011).collect();
        let out = compiled.run(&mut compiled.program.workspace(), &x);
        bits.extend(out.iter().flatten().map(|y| y.to_f64().to_bits()));
    }
    bits
}

/// The bits of matrix products of many sizes, with gradients, so that both operands are transposed too.
fn products<T: Real>() -> Vec<u64> {
    let mut bits = Vec::new();
    for (m, k, n) in [
        (1, 7, 1),
        (1, 50, 9),
        (3, 17, 2),
        (5, 100, 5),
        (8, 8, 8),
        (33, 5, 1),
        (50, 4, 7),
        (200, 9, 3),
        (16, 33, 20),
        (30, 40, 26),
    ] {
        let (outputs, traced) = trace(|| {
            let (a, b) = (Var::input(0, [m, k]), Var::input(0, [k, n]));
            let y = a.matmul(b);
            let g = gradient(y.tanh().sum(), &[a, b]);
            [y, g[0], g[1]]
        })
        .unwrap();
        let program = Program::<T>::compile(traced.tape(), &[&outputs]);
        let x: Vec<T> =
            (0..program.input_lengths()[0]).map(|i| T::from_f64((i as f64 * 0.77).sin() / (k as f64).sqrt())).collect();
        let mut out = vec![T::ZERO; program.output_lengths()[0]];
        program.evaluate(&mut program.workspace(), &[&x], &mut [&mut out]);
        bits.extend(out.iter().map(|y| y.to_f64().to_bits()));
    }
    bits
}

fn instruction_sets() -> Vec<Isa> {
    let all = Isa::ALL.into_iter();
    let sets: Vec<Isa> = all.filter(|isa| isa.is_available()).collect();
    assert_eq!(sets[0], Isa::Portable);
    sets
}

/// All parts of this test in one function, since the choice of a set is global.
#[test]
fn programs_agree_on_every_instruction_set() {
    let of = |isa: Isa| {
        assert!(isa.force());
        [functions::<f64>(Mode::NoProducts), functions::<f32>(Mode::NoProducts), products::<f64>(), products::<f32>()]
    };
    let sets = instruction_sets();
    let portable = of(sets[0]);
    assert!(portable[0].len() > 10_000);
    for &isa in &sets[1..] {
        let got = of(isa);
        for (part, (got, want)) in got.iter().zip(&portable).enumerate() {
            assert_eq!(got.len(), want.len());
            let differ = got.iter().zip(want).filter(|(a, b)| a != b);
            assert_eq!(differ.count(), 0, "{isa:?}, part {part}");
        }
    }
}
