//! Our NUTS on posteriors of the gallery, and draws of peers judged by the same code, as JSON.
//!
//! `nuts --seeds 3 POSTERIOR...` runs ours; `nuts --judge FILE...` reads what `benches/peers/peer.py` wrote. Called by
//! `benches/peers/samplers.py`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Parser;
use cpu_time::ProcessTime;
use ndarray::{Array3, ArrayD, s};
use ppl::diagnostics::Draws;
use ppl::infer::Nuts;
use ppl::infer::chain::ChainDraws;
use ppl::infer::compiled::{CompiledModel, density_program};
use ppl::infer::observe::Silent;
use ppl_benches::models::point;
use ppl_benches::timing::program_us;
use ppl_gallery::{Comparison, Entry, Source, compare};
use serde::{Deserialize, Serialize};

/// Our NUTS on posteriors of the gallery, or draws of peers judged.
#[derive(Parser)]
struct Arguments {
    /// Seeds, from 1.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Chains of each run, one after another.
    #[arg(long, default_value_t = 4)]
    chains: usize,
    /// Draws of a chain.
    #[arg(long, default_value_t = 1000)]
    draws: usize,
    /// The arguments are files of peers' draws.
    #[arg(long)]
    judge: bool,
    /// Only the posteriors of posteriordb with the acceptance that NUTS should aim at on each.
    #[arg(long)]
    list: bool,
    /// Prints the programs of the posteriors' gradients with the time that each instruction takes.
    #[arg(long)]
    profile: bool,
    /// Posteriors or files.
    names: Vec<String>,
}

/// What a run took and what its draws are worth.
#[derive(Serialize)]
struct Figures {
    peer: String,
    posterior: String,
    seed: u64,
    #[serde(flatten)]
    cost: Cost,
    /// The smallest bulk ESS of the reference's parameters.
    ess: f64,
    /// The largest R-hat.
    r_hat: f64,
    /// The largest difference from the reference, in combined Monte Carlo standard errors.
    errors: f64,
}

/// Seconds are those of one processor: what other work took from it does not count.
#[derive(Deserialize, Serialize)]
struct Cost {
    compile_seconds: f64,
    warmup_seconds: f64,
    /// While drawing.
    seconds: f64,
    /// Until the end of warm-up, those of a pilot included, as its seconds are.
    #[serde(default)]
    warmup_gradients: usize,
    /// While drawing.
    gradients: usize,
    divergences: usize,
}

/// The head of a file of draws: `[label, chain, draw]` lie beside it as little-endian `f64`.
#[derive(Deserialize)]
struct Head {
    peer: String,
    posterior: String,
    seed: u64,
    #[serde(flatten)]
    cost: Cost,
    labels: Vec<String>,
    chains: usize,
    draws: usize,
}

fn figures(peer: String, entry: &Entry, seed: u64, cost: Cost, draws: &Draws) -> Result<Figures, Box<dyn Error>> {
    let comparison = compare(entry, draws)?;
    if let Some(parameter) = comparison.missing.first() {
        return Err(format!("{peer} has no draws of {parameter} of {}", entry.name).into());
    }
    let errors = comparison.worst().map_or(0.0, |figure| figure.errors());
    let Comparison { ess, r_hat, .. } = comparison;
    Ok(Figures { peer, posterior: entry.name.to_owned(), seed, cost, ess, r_hat, errors })
}

fn entry(name: &str) -> Result<&'static Entry, Box<dyn Error>> {
    Ok(ppl_gallery::find(name).ok_or_else(|| format!("no posterior `{name}` in the gallery"))?)
}

fn acceptance(entry: &Entry) -> f64 {
    entry.needs.acceptance.unwrap_or(0.8)
}

fn ours(name: &str, seed: u64, chains: usize, draws: usize) -> Result<Figures, Box<dyn Error>> {
    let entry = entry(name)?;
    let model = entry.model()?;
    let begin = ProcessTime::now();
    drop(CompiledModel::new(&*model)?);
    let compile_seconds = begin.elapsed().as_secs_f64();
    let nuts = Nuts::new().chains(chains).draws(draws).threads(1).seed(seed);
    let nuts = nuts.target_acceptance(acceptance(entry));
    // A pilot, if there is one, is warm-up.
    let begin = ProcessTime::now();
    let compiled = nuts.compile(&*model, &AtomicBool::new(false))?;
    let pilot_seconds = (begin.elapsed().as_secs_f64() - compile_seconds).max(0.0);
    let begin = ProcessTime::now();
    let chains = nuts.sample_chains(&compiled, &Silent, &AtomicBool::new(false))?;
    let busy = begin.elapsed().as_secs_f64();
    let clock: f64 = chains.iter().map(|c| c.seconds).sum();
    let warmup_seconds = busy * chains.iter().map(|c| c.warmup_seconds).sum::<f64>() / clock;
    let cost = Cost {
        compile_seconds,
        warmup_seconds: warmup_seconds + pilot_seconds,
        seconds: busy - warmup_seconds,
        warmup_gradients: compiled.pilot_gradients() + chains.iter().map(|c| c.warmup_gradients).sum::<usize>(),
        gradients: chains.iter().map(|c| c.gradients - c.warmup_gradients).sum(),
        divergences: chains.iter().map(|c| c.divergences.len()).sum(),
    };
    let draws = by_site(&compiled, &chains)?;
    figures("ppl".to_owned(), entry, seed, cost, &draws)
}

/// Draws of every site from unconstrained ones.
fn by_site(compiled: &CompiledModel<'_>, chains: &[ChainDraws]) -> Result<Draws, Box<dyn Error>> {
    let length = chains.first().map_or(0, |c| c.draws.nrows());
    let mut values = Array3::zeros((chains.len(), length, compiled.width()));
    let mut constrain = compiled.constrain();
    for (chain, mut to) in chains.iter().zip(values.outer_iter_mut()) {
        for (from, mut to) in chain.draws.outer_iter().zip(to.outer_iter_mut()) {
            constrain.apply(&from.to_vec(), to.as_slice_mut().ok_or("not contiguous")?)?;
        }
    }
    let mut sites = Vec::new();
    let mut start = 0;
    for column in compiled.columns() {
        let end = start + column.shape.size();
        let shape: Vec<usize> = [chains.len(), length].into_iter().chain(column.shape.iter().copied()).collect();
        let part = values.slice(s![.., .., start..end]);
        sites.push((column.name.clone(), ArrayD::from_shape_vec(shape, part.iter().copied().collect())?));
        start = end;
    }
    Ok(Draws::new(sites)?)
}

fn judge(file: &Path) -> Result<Figures, Box<dyn Error>> {
    let head: Head = serde_json::from_slice(&std::fs::read(file)?)?;
    let bytes = std::fs::read(file.with_extension("f64"))?;
    let numbers: Vec<f64> = bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    let entry = entry(&head.posterior)?;
    let shape = [head.chains, head.draws];
    let rows = numbers.chunks_exact((head.chains * head.draws).max(1));
    let sites = head
        .labels
        .iter()
        .zip(rows)
        .map(|(label, row)| Ok((entry.label(label), ArrayD::from_shape_vec(&shape[..], row.to_vec())?)));
    let draws = Draws::new(sites.collect::<Result<Vec<_>, ndarray::ShapeError>>()?)?;
    figures(head.peer, entry, head.seed, head.cost, &draws)
}

fn profile(name: &str) -> Result<(), Box<dyn Error>> {
    let program = density_program::<f64>(&*entry(name)?.model()?, true)?;
    let x = point(program.input_lengths()[0]);
    // Long output, of which a reader may want the first lines alone.
    Ok(writeln!(stdout(), "{name}: {:.2} us\n{}", program_us(&program), program.profile(&[&x], 3000))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if arguments.list {
        let entries = ppl_gallery::all().iter().filter(|entry| entry.source == Source::Posteriordb);
        let all: BTreeMap<&str, f64> = entries.map(|entry| (entry.name, acceptance(entry))).collect();
        println!("{}", serde_json::to_string(&all)?);
        return Ok(());
    }
    if arguments.profile {
        return arguments.names.iter().try_for_each(|name| profile(name));
    }
    let mut all = Vec::new();
    for name in &arguments.names {
        if arguments.judge {
            all.push(judge(&PathBuf::from(name))?);
        } else {
            for seed in 1..=arguments.seeds {
                all.push(ours(name, seed, arguments.chains, arguments.draws)?);
            }
        }
    }
    println!("{}", serde_json::to_string(&all)?);
    Ok(())
}
