//! The time of a call.

use std::hint::black_box;
use std::time::Instant;

use ppl::autodiff::{Program, Real};

use crate::models::point;

const REPEATS: usize = 15;

/// Median over repeats of the seconds of one call, in loops of about 20 ms.
pub fn seconds(mut f: impl FnMut()) -> f64 {
    let begin = Instant::now();
    f();
    let calls = (0.02 / begin.elapsed().as_secs_f64().max(1e-9)).clamp(1.0, 1e5) as usize;
    let mut times: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let begin = Instant::now();
            (0..calls).for_each(|_| f());
            begin.elapsed().as_secs_f64() / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[REPEATS / 2]
}

/// Microseconds of one evaluation of a program of one input.
pub fn program_us<T: Real>(program: &Program<T>) -> f64 {
    let x: Vec<T> = point(program.input_lengths()[0]).into_iter().map(|x| T::from_f64(0.3 * x)).collect();
    let mut outputs: Vec<Vec<T>> = program.output_lengths().iter().map(|&n| vec![T::ZERO; n]).collect();
    let mut outputs: Vec<&mut [T]> = outputs.iter_mut().map(|o| &mut o[..]).collect();
    let mut workspace = program.workspace();
    1e6 * seconds(|| program.evaluate(&mut workspace, &[black_box(&x)], &mut outputs))
}
