//! Steps of stochastic gradient samplers: on the flat network, 50 of 500 rows, and on one of 130,000 weights.

use std::time::Instant;

use ppl::infer::batch::BatchTarget;
use ppl::infer::compiled_batch::CompiledBatchModel;
use ppl::infer::random::ChainRng;
use ppl::infer::stochastic::kernel::SgfsKernel;
use ppl::infer::stochastic::{Fisher, Step, StochasticKernel};
use ppl::prelude::*;

use crate::models::{flat_bnn, flat_data, logistic_data, point, wide_bnn};

/// Rows of a batch.
pub const BATCH: usize = 50;

/// Hands a step to what times it: the batch bound, the gradients, the move.
///
/// # Errors
/// Data that cannot be read; a chain that ran away.
pub fn with_steps<K: StochasticKernel>(
    mut kernel: K,
    size: f64,
    time: impl FnOnce(&mut dyn FnMut()),
) -> Result<(), Box<dyn std::error::Error>> {
    let (x, y) = flat_data(500)?;
    let batches = Minibatch::new((x, y), BATCH)?.model(|(x, y)| flat_bnn(x, y));
    let compiled = CompiledBatchModel::new(&batches)?;
    let mut density = compiled.density(0, 0)?;
    density.draw_independently();
    density.bind(0)?;
    let mut state = kernel.init(&mut *density, &point(compiled.dim()))?;
    let (mut iteration, mut failed) = (0, None);
    time(&mut || {
        let random = ChainRng::new(0, 0).at(iteration as u32);
        let step = Step { iteration, size, exploring: false };
        let done = density.bind(iteration).and_then(|()| kernel.step(&mut *density, &step, &random, &mut state));
        failed = done.err();
        iteration += 1;
    });
    match failed {
        Some(error) => Err(error.into()),
        None if K::position(&state).iter().any(|x| x.abs() > 100.0) => Err("the chain ran away".into()),
        None => Ok(()),
    }
}

/// Milliseconds on a network of 130,000 weights, so many of 1000 rows.
pub struct Large {
    /// Value and gradient.
    pub evaluated: f64,
    /// The gradient alone, as a step takes it.
    pub gradient: f64,
    /// A step of Fisher scoring with the diagonal, its batch bound, on average over those that take the batch into the
    /// information and those that do not.
    pub step: f64,
}

/// Times gradients and steps in turn.
///
/// # Errors
/// A model or chain that fails.
pub fn large(batch: usize) -> Result<Large, Box<dyn std::error::Error>> {
    let (x, y) = logistic_data(1000, 784);
    let batches = Minibatch::new((x, y), batch)?.model(|(x, y)| wide_bnn(x, y));
    let compiled = CompiledBatchModel::new(&batches)?;
    let mut density = compiled.density(0, 0)?;
    density.draw_independently();
    density.bind(0)?;
    let start: Vec<f64> = point(compiled.dim()).iter().map(|x| 0.05 * x).collect();
    let mut kernel = SgfsKernel::default().fisher(Fisher::Diagonal);
    let mut state = kernel.init(&mut *density, &start)?;
    let mut gradient = start.clone();
    let mut times: [Vec<f64>; 3] = Default::default();
    // Many steps at a time, so that the rare dear ones count with their share.
    const ROUNDS: u64 = 12;
    const STEPS: u64 = 100;
    for round in 0..=ROUNDS {
        let mut seconds = [0.0; 3];
        let mut timed = |what: usize, f: &mut dyn FnMut() -> Result<(), Box<dyn std::error::Error>>| {
            let begin = Instant::now();
            f()?;
            seconds[what] += begin.elapsed().as_secs_f64();
            Ok::<(), Box<dyn std::error::Error>>(())
        };
        timed(0, &mut || {
            (0..STEPS).try_for_each(|_| density.evaluate(&start, &mut gradient).map(drop)).map_err(Into::into)
        })?;
        timed(1, &mut || (0..STEPS).try_for_each(|_| density.gradient(&start, &mut gradient)).map_err(Into::into))?;
        timed(2, &mut || {
            for iteration in round * STEPS..(round + 1) * STEPS {
                let random = ChainRng::new(0, 0).at(iteration as u32);
                density.bind(iteration)?;
                kernel.step(&mut *density, &Step { iteration, size: 1e-5, exploring: false }, &random, &mut state)?;
            }
            Ok(())
        })?;
        // The first round warms up: each of its first steps takes its batch.
        if round > 0 {
            times.iter_mut().zip(seconds).for_each(|(times, s)| times.push(1e3 * s / STEPS as f64));
        }
    }
    let [evaluated, gradient, step] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    Ok(Large { evaluated, gradient, step })
}
