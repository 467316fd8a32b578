//! A run of NUTS on one posterior: what it cost and how it compares with the reference.

use std::time::{Duration, Instant};

use ndarray::{ArrayView1, Axis};
use ppl::core::Model;
use ppl::diagnostics::{Draws, SampleStats};
use ppl::infer::compiled::CompiledModel;
use ppl::infer::density::Target;
use ppl::infer::{InferError, Nuts};
use thiserror::Error;

use crate::compare::{Comparison, compare};
use crate::entry::Entry;
use crate::error::GalleryError;

/// Why a posterior could not be run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Its files.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
    /// Its model or the sampler.
    #[error(transparent)]
    Infer(#[from] InferError),
}

impl From<ppl::prelude::ModelError> for RunError {
    fn from(error: ppl::prelude::ModelError) -> Self {
        Self::Infer(error.into())
    }
}

/// What one posterior's program costs.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Unconstrained coordinates.
    pub dim: usize,
    /// Tracing, differentiating and compiling.
    pub compile: Duration,
    /// One evaluation of log-density and gradient, the fastest of several rounds.
    pub gradient: Duration,
}

/// Rounds of gradients that are timed, and the least time that each takes.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(20);

/// Measures what the program of an entry costs.
///
/// # Errors
/// A file or a model that is wrong.
pub fn cost(entry: &Entry) -> Result<Cost, RunError> {
    let model = entry.model()?;
    let start = Instant::now();
    let compiled = CompiledModel::new(&model)?;
    let compile = start.elapsed();
    let dim = compiled.dim();
    let mut density = compiled.density();
    let (x, mut slopes) = (vec![0.1; dim], vec![0.0; dim]);
    let mut gradient = Duration::MAX;
    for _ in 0..ROUNDS {
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < ROUND || count == 0 {
            // A density that is not finite here costs the same.
            let _ = std::hint::black_box(density.evaluate(std::hint::black_box(&x), &mut slopes));
            count += 1;
        }
        gradient = gradient.min(start.elapsed() / count);
    }
    Ok(Cost { dim, compile, gradient })
}

/// The length of a run, for a posterior that needs nothing special.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Chains.
    pub chains: usize,
    /// Warm-up iterations of a chain.
    pub warmup: usize,
    /// Draws of a chain.
    pub draws: usize,
}

/// What came of one run.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The draws, without chains that went astray.
    pub draws: Draws,
    /// Beside the reference.
    pub comparison: Comparison,
    /// Chains that were in a minor mode, at least for a while, and were left out.
    pub astray: usize,
    /// Divergent draws of the chains that count.
    pub divergences: usize,
    /// Gradients before the draws: of a pilot, if there was one, and of warm-up, over all chains.
    pub warmup_gradients: usize,
    /// Gradients altogether.
    pub gradients: usize,
    /// Seconds of sampling, over all chains, without compiling.
    pub seconds: f64,
}

/// Draws from an entry's posterior with NUTS and compares.
///
/// # Errors
/// A file or a model that is wrong; a run without draws.
pub fn run(entry: &Entry, length: Length, threads: usize, seed: u64) -> Result<Outcome, RunError> {
    let model: Box<dyn Model> = entry.model()?;
    let factor = entry.needs.length;
    let nuts = Nuts::new().chains(length.chains).warmup(factor * length.warmup).draws(factor * length.draws);
    let nuts = entry.needs.acceptance.map_or(nuts.clone(), |acceptance| nuts.target_acceptance(acceptance));
    let posterior = nuts.threads(threads).seed(seed).run(&model)?;
    let chains = posterior.chains();
    let kept = match entry.needs.minor_modes {
        true => main_mode(posterior.stats()),
        false => (0..posterior.draws().chains()).collect(),
    };
    let draws = chosen(posterior.draws(), &kept)?;
    Ok(Outcome {
        seed,
        comparison: compare(entry, &draws)?,
        astray: posterior.draws().chains() - kept.len(),
        divergences: posterior.stats().diverging.select(Axis(0), &kept).iter().filter(|&&d| d).count(),
        draws,
        warmup_gradients: posterior.pilot_gradients() + chains.iter().map(|c| c.warmup_gradients).sum::<usize>(),
        gradients: posterior.gradients(),
        seconds: chains.iter().map(|c| c.seconds).sum(),
    })
}

/// How much lower than the best chain's mean the log-density is in a minor mode. Without modes, means of chains differ by
/// less than 1 and those of their tenths by a few; the modes of the gallery by 60 and by 200.
const MODE_GAP: f64 = 10.0;
/// Parts of a chain that are looked at, since it may leave a minor mode on its way.
const PARTS: usize = 10;

/// The chains that never were in a mode of lower log-density.
fn main_mode(stats: &SampleStats) -> Vec<usize> {
    let all: Vec<f64> = stats.log_density.outer_iter().map(|c| c.mean().unwrap_or(f64::NAN)).collect();
    let best = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let length = stats.log_density.ncols().div_ceil(PARTS).max(1);
    let lowest = |chain: ArrayView1<f64>| {
        let parts = chain.axis_chunks_iter(Axis(0), length).map(|part| part.mean().unwrap_or(f64::NAN));
        parts.fold(f64::INFINITY, f64::min)
    };
    let chains = stats.log_density.outer_iter().enumerate();
    chains.filter(|(_, chain)| lowest(*chain) > best - MODE_GAP).map(|(c, _)| c).collect()
}

/// The draws of some chains.
fn chosen(draws: &Draws, chains: &[usize]) -> Result<Draws, RunError> {
    let sites = draws.sites().map(|(name, values)| (name, values.select(Axis(0), chains)));
    Ok(Draws::new(sites).map_err(InferError::from)?)
}
