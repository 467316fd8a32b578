//! Steps of stochastic gradient samplers on the flat network, 50 of 500 rows.

use ppl::infer::batch::BatchTarget;
use ppl::infer::compiled_batch::CompiledBatchModel;
use ppl::infer::random::ChainRng;
use ppl::infer::stochastic::{Step, StochasticKernel};
use ppl::prelude::*;

use crate::models::{flat_bnn, flat_data, point};

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
