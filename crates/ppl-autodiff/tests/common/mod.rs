//! What tests of compiled programs share: an interpreter that is too simple to be wrong, and random functions.
#![allow(dead_code)] // each test binary uses a part

pub mod functions;
pub mod interpreter;

use ppl_autodiff::{Program, Real, Var, gradient, trace};

/// A random function traced and compiled: its tape's outputs in slots, inputs in one slot.
pub struct Compiled<T> {
    pub program: Program<T>,
    pub traced: ppl_autodiff::Traced,
    /// The output nodes slot by slot.
    pub outputs: Vec<Vec<Var>>,
    /// How many of the slots hold values; the others hold gradients.
    pub values: usize,
    pub inputs: usize,
}

/// Compiles the function that `choices` describe, with the gradient of a sum over all of its outputs.
pub fn compile<T: Real>(choices: &[u32], mode: functions::Mode) -> Compiled<T> {
    compile_by(choices, mode, Program::<T>::compile)
}

/// How a tape becomes a program.
pub type Compile<T> = fn(&ppl_autodiff::tape::Tape, &[&[Var]]) -> Program<T>;

/// As [`compile`], by one of the ways to do it.
pub fn compile_by<T: Real>(choices: &[u32], mode: functions::Mode, compile: Compile<T>) -> Compiled<T> {
    let (outputs, traced) = trace(|| {
        let built = functions::build(choices, mode);
        let mut outputs = built.outputs;
        let total: Var = outputs.iter().flatten().map(|y| y.sum()).sum();
        outputs.push(gradient(total, &built.inputs));
        outputs
    })
    .unwrap_or_else(|e| panic!("{e}"));
    let slots: Vec<&[Var]> = outputs.iter().map(|slot| &slot[..]).collect();
    let program = compile(traced.tape(), &slots);
    Compiled {
        inputs: traced.tape().slots().first().copied().unwrap_or(0),
        values: outputs.len() - 1,
        program,
        traced,
        outputs,
    }
}

impl<T: Real> Compiled<T> {
    /// All output slots at an input.
    pub fn run(&self, workspace: &mut ppl_autodiff::Workspace<T>, x: &[f64]) -> Vec<Vec<T>> {
        let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
        let lengths = self.program.output_lengths();
        let mut out: Vec<Vec<T>> = lengths.iter().map(|&n| vec![T::NAN; n]).collect();
        let mut slots: Vec<&mut [T]> = out.iter_mut().map(|v| &mut v[..]).collect();
        self.program.evaluate(workspace, &[&x], &mut slots);
        out
    }
}

/// Whole numbers between -3 and 3, different for each seed.
pub fn whole_numbers(n: usize, seed: u32) -> Vec<f64> {
    (0..n as u32)
        .map(|i| {
            let h = (i ^ seed.wrapping_mul(0x85EB_CA6B)).wrapping_mul(0x9E37_79B9);
            f64::from((h ^ h >> 15).wrapping_mul(0xC2B2_AE35) >> 8) % 7.0 - 3.0
        })
        .collect()
}

/// The values of `f` at inputs of the given shape, and the gradient of their sum.
pub fn at<T: Real>(shape: &[usize], x: &[f64], f: impl Fn(Var) -> Var) -> (Vec<f64>, Vec<f64>) {
    let ((y, g), traced) = trace(|| {
        let x = Var::input(0, shape);
        let y = f(x);
        (y, gradient(y.sum(), &[x])[0])
    })
    .unwrap();
    let program = Program::<T>::compile(traced.tape(), &[&[y], &[g]]);
    let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
    let mut y = vec![T::ZERO; program.output_lengths()[0]];
    let mut g = vec![T::ZERO; x.len()];
    program.evaluate(&mut program.workspace(), &[&x], &mut [&mut y, &mut g]);
    let double = |v: Vec<T>| v.into_iter().map(T::to_f64).collect();
    (double(y), double(g))
}

/// Equal numbers, NaN included, up to a relative tolerance.
pub fn assert_same(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}: {got:?} but {want:?} wanted");
    for (g, w) in got.iter().zip(want) {
        let same = g == w || (g.is_nan() && w.is_nan()) || (g - w).abs() <= tolerance * w.abs();
        assert!(same, "{what}: {got:?} but {want:?} wanted");
    }
}
