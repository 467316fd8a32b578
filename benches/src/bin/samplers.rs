//! Our NUTS and that of `nuts-rs`, both over our compiled densities from the same starting points, so that only the
//! sampler differs. Ours chooses its coordinates, unless `--as-written` forbids it.
//!
//! `cargo run --release -p ppl-benches --features nuts-rs --bin samplers` prints a table of the gallery's posteriors;
//! `--write` puts it into `benches/README.md`, `--network` measures the hierarchical network instead.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use clap::Parser;
use ndarray::{Array3, Axis};
use nuts_rs::rand::SeedableRng;
use nuts_rs::rand::rngs::ChaCha8Rng;
use nuts_rs::{Chain, CpuLogpFunc, CpuMath, CpuMathError, DiagNutsSettings, HasDims, LowRankNutsSettings, Settings};
use ppl::core::Model;
use ppl::diagnostics::ess_bulk;
use ppl::infer::compiled::CompiledModel;
use ppl::infer::density::{DensityError, LogDensity, Target};
use ppl::infer::init::find_start;
use ppl::infer::observe::Silent;
use ppl::infer::random::ChainRng;
use ppl::infer::{Centring, Nuts};
use ppl_benches::models::{grouped_data, hierarchical_bnn};
use serde::Serialize;

/// Where the table goes.
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// Our NUTS and nuts-rs' on the gallery's posteriors.
#[derive(Parser)]
struct Arguments {
    /// Only posteriors whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Only posteriors whose gradient takes at most so many microseconds.
    #[arg(long, default_value_t = 60.0)]
    cheap: f64,
    /// Seeds, from 1.
    #[arg(long, default_value_t = 2)]
    seeds: u64,
    /// Chains of each run.
    #[arg(long, default_value_t = 4)]
    chains: usize,
    /// Draws of a chain.
    #[arg(long, default_value_t = 1000)]
    draws: usize,
    /// The hierarchical network alone: one chain of 500 draws a seed.
    #[arg(long)]
    network: bool,
    /// Our sampler alone.
    #[arg(long)]
    ours: bool,
    /// Our sampler in the coordinates in which the model is written.
    #[arg(long)]
    as_written: bool,
    /// Write the table into `benches/README.md`.
    #[arg(long)]
    write: bool,
    /// Where to write the figures.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A run of one sampler on one posterior.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    sampler: &'static str,
    seed: u64,
    warmup_gradients: usize,
    /// While drawing.
    gradients: usize,
    /// The smallest and the median bulk ESS of all parameters.
    ess: f64,
    ess_median: f64,
    divergences: usize,
    warmup_seconds: f64,
    /// While drawing.
    seconds: f64,
}

impl Figures {
    fn per_gradient(&self) -> f64 {
        self.ess / self.gradients as f64
    }
    fn per_second(&self) -> f64 {
        self.ess / self.seconds
    }
    /// Seconds of warm-up, and of drawing until the smallest ESS is 400.
    fn usable(&self) -> f64 {
        self.warmup_seconds + self.seconds * 400.0 / self.ess
    }
}

#[derive(Clone, Copy)]
struct Length {
    chains: usize,
    draws: usize,
    acceptance: f64,
    /// Whether our sampler has the coordinates of the model, as the others do.
    as_written: bool,
}

/// Bulk ESS of every recorded value that varies, in order.
fn effective(compiled: &CompiledModel<'_>, draws: &Array3<f64>) -> Result<Vec<f64>, Box<dyn Error>> {
    let (chains, length, _) = draws.dim();
    let mut values = Array3::zeros((chains, length, compiled.width()));
    let mut constrain = compiled.constrain();
    for (from, mut to) in draws.outer_iter().zip(values.outer_iter_mut()) {
        for (from, mut to) in from.outer_iter().zip(to.outer_iter_mut()) {
            constrain.apply(&from.to_vec(), to.as_slice_mut().ok_or("not contiguous")?)?;
        }
    }
    let columns = values.axis_iter(Axis(2));
    let mut sizes: Vec<f64> = columns.map(|column| ess_bulk(column)).filter(|ess| ess.is_finite()).collect();
    sizes.sort_by(f64::total_cmp);
    if sizes.is_empty() { Err("no parameter varies".into()) } else { Ok(sizes) }
}

/// Ours, with its choice of coordinates unless told otherwise, whose pilot belongs to warm-up.
fn ours(model: &dyn Model, length: Length, seed: u64) -> Result<Figures, Box<dyn Error>> {
    let nuts = Nuts::new().chains(length.chains).draws(length.draws).target_acceptance(length.acceptance);
    let centring = if length.as_written { Centring::AsWritten } else { Centring::Automatic };
    let nuts = nuts.threads(1).seed(seed).centring(centring);
    let begin = Instant::now();
    drop(CompiledModel::new(model)?);
    let compiling = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let compiled = &nuts.compile(model, &AtomicBool::new(false))?;
    let pilot_seconds = (begin.elapsed().as_secs_f64() - compiling).max(0.0);
    let chains = nuts.sample_chains(compiled, &Silent, &AtomicBool::new(false))?;
    let mut draws = Array3::zeros((length.chains, length.draws, compiled.dim()));
    for (chain, mut to) in chains.iter().zip(draws.outer_iter_mut()) {
        to.assign(&chain.draws);
    }
    let sizes = effective(compiled, &draws)?;
    let warmup_gradients: usize = chains.iter().map(|c| c.warmup_gradients).sum();
    let warmup_seconds: f64 = chains.iter().map(|c| c.warmup_seconds).sum();
    Ok(Figures {
        sampler: "ppl",
        seed,
        warmup_gradients: compiled.pilot_gradients() + warmup_gradients,
        gradients: chains.iter().map(|c| c.gradients).sum::<usize>() - warmup_gradients,
        ess: sizes[0],
        ess_median: sizes[sizes.len() / 2],
        divergences: chains.iter().map(|c| c.divergences.len()).sum(),
        warmup_seconds: pilot_seconds + warmup_seconds,
        seconds: chains.iter().map(|c| c.seconds).sum::<f64>() - warmup_seconds,
    })
}

/// Our density as nuts-rs wants one, counting its evaluations.
struct Counted<'a> {
    density: Box<dyn LogDensity + 'a>,
    count: Rc<Cell<usize>>,
}

#[derive(Debug)]
struct Failure(DensityError);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Failure {}

impl nuts_rs::LogpError for Failure {
    fn is_recoverable(&self) -> bool {
        matches!(self.0, DensityError::NotFinite)
    }
}

impl HasDims for Counted<'_> {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        let dim = self.density.dim() as u64;
        HashMap::from([("unconstrained_parameter".to_owned(), dim), ("dim".to_owned(), dim)])
    }
}

impl CpuLogpFunc for Counted<'_> {
    type LogpError = Failure;
    type FlowParameters = ();
    type ExpandedVector = Vec<f64>;

    fn dim(&self) -> usize {
        self.density.dim()
    }

    fn logp(&mut self, position: &[f64], gradient: &mut [f64]) -> Result<f64, Failure> {
        self.count.set(self.count.get() + 1);
        let value = self.density.evaluate(position, gradient).map_err(Failure)?;
        if value.is_finite() { Ok(value) } else { Err(Failure(DensityError::NotFinite)) }
    }

    fn expand_vector<R: nuts_rs::rand::Rng + ?Sized>(
        &mut self,
        _: &mut R,
        x: &[f64],
    ) -> Result<Vec<f64>, CpuMathError> {
        Ok(x.to_vec())
    }
}

fn theirs<S: Settings>(
    sampler: &'static str,
    settings: S,
    compiled: &CompiledModel<'_>,
    length: Length,
    seed: u64,
) -> Result<Figures, Box<dyn Error>> {
    let mut draws = Array3::zeros((length.chains, length.draws, compiled.dim()));
    let count = Rc::new(Cell::new(0));
    let (mut warmup_gradients, mut divergences) = (0, 0);
    let (mut warmup_time, mut time) = (Duration::ZERO, Duration::ZERO);
    for (c, mut to) in draws.outer_iter_mut().enumerate() {
        let begin = Instant::now();
        let before = count.get();
        let (start, _) = find_start(&mut *compiled.density(), &ChainRng::new(seed, c as u32))?;
        let math = CpuMath::new(Counted { density: compiled.density(), count: count.clone() });
        let mut random = ChaCha8Rng::seed_from_u64(seed * 1000 + c as u64);
        let mut chain = settings.new_chain(c as u64, math, &mut random)?;
        chain.set_position(&start.position)?;
        for _ in 0..settings.hint_num_tune() {
            chain.draw()?;
        }
        warmup_gradients += count.get() - before;
        warmup_time += begin.elapsed();
        let begin = Instant::now();
        for mut row in to.outer_iter_mut() {
            let (draw, info) = chain.draw()?;
            divergences += usize::from(info.diverging);
            row.assign(&ndarray::aview1(&draw));
        }
        time += begin.elapsed();
    }
    let sizes = effective(compiled, &draws)?;
    Ok(Figures {
        sampler,
        seed,
        warmup_gradients,
        gradients: count.get() - warmup_gradients,
        ess: sizes[0],
        ess_median: sizes[sizes.len() / 2],
        divergences,
        warmup_seconds: warmup_time.as_secs_f64(),
        seconds: time.as_secs_f64(),
    })
}

/// nuts-rs with its default settings, which tune for 400 draws (diagonal) and 800 (low rank).
fn diagonal(compiled: &CompiledModel<'_>, length: Length, seed: u64) -> Result<Figures, Box<dyn Error>> {
    let mut settings = DiagNutsSettings { num_draws: length.draws as u64, ..DiagNutsSettings::default() };
    settings.adapt_options.step_size_settings.target_accept = length.acceptance;
    theirs("nuts-rs, diagonal", settings, compiled, length, seed)
}

fn low_rank(compiled: &CompiledModel<'_>, length: Length, seed: u64) -> Result<Figures, Box<dyn Error>> {
    let mut settings = LowRankNutsSettings { num_draws: length.draws as u64, ..LowRankNutsSettings::default() };
    settings.adapt_options.step_size_settings.target_accept = length.acceptance;
    theirs("nuts-rs, low rank", settings, compiled, length, seed)
}

/// The runs of all samplers on one posterior, in turn.
fn measure(model: &dyn Model, length: Length, seeds: u64, alone: bool) -> Result<Vec<Figures>, Box<dyn Error>> {
    let compiled = CompiledModel::new(model)?;
    let mut all = Vec::new();
    for seed in 1..=seeds {
        all.push(ours(model, length, seed)?);
        if !alone {
            for peer in [diagonal, low_rank] {
                match peer(&compiled, length, seed) {
                    Ok(figures) => all.push(figures),
                    Err(error) => eprintln!("nuts-rs: {error}"),
                }
            }
        }
    }
    Ok(all)
}

fn geometric(x: impl Iterator<Item = f64>) -> f64 {
    let logs: Vec<f64> = x.map(f64::ln).collect();
    (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp()
}

/// The geometric mean over seeds of a figure of one sampler.
fn mean(all: &[Figures], sampler: &str, of: impl Fn(&Figures) -> f64) -> f64 {
    geometric(all.iter().filter(|f| f.sampler == sampler).map(of))
}

/// A figure of a run.
type Of = fn(&Figures) -> f64;
const COLUMNS: [(&str, Of); 4] = [
    ("warm-up gradients", |f| f.warmup_gradients as f64),
    ("ESS per 1000 gradients", |f| 1000.0 * f.per_gradient()),
    ("ESS per second", Figures::per_second),
    ("ms to ESS 400", |f| 1000.0 * f.usable()),
];
const PEERS: [&str; 2] = ["nuts-rs, diagonal", "nuts-rs, low rank"];

fn line(name: &str, all: &[Figures]) -> String {
    let mut cells = vec![name.to_owned()];
    for (_, of) in COLUMNS {
        let one = |sampler: &str| {
            let x = mean(all, sampler, of);
            if x < 100.0 { format!("{x:.2}") } else { format!("{x:.0}") }
        };
        cells.push([one("ppl"), one(PEERS[0]), one(PEERS[1])].join(" / "));
    }
    format!("| {} |", cells.join(" | "))
}

fn table(runs: &BTreeMap<String, Vec<Figures>>) -> String {
    let mut out = String::from("| posterior |");
    COLUMNS.iter().for_each(|(name, _)| out += &format!(" {name} |"));
    out += "\n|---|---|---|---|---|\n";
    runs.iter().for_each(|(name, all)| out += &(line(name, all) + "\n"));
    for peer in PEERS {
        out += &format!("| **geometric mean of ppl over {peer}** |");
        for (_, of) in COLUMNS {
            let known = runs.values().filter(|all| all.iter().any(|f| f.sampler == peer));
            out += &format!(" {:.2} |", geometric(known.map(|all| mean(all, "ppl", of) / mean(all, peer, of))));
        }
        out += "\n";
    }
    out
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut runs = BTreeMap::new();
    if arguments.network {
        let (x, y) = grouped_data()?;
        let length = Length { chains: 1, draws: 500, acceptance: 0.8, as_written: arguments.as_written };
        let all = measure(&hierarchical_bnn(x, y), length, arguments.seeds, arguments.ours)?;
        for f in &all {
            eprintln!(
                "{:18} {:3} {:7} + {:7} gradients, median ESS {:4.0}, {} divergences, {:.1} + {:.1} s",
                f.sampler,
                f.seed,
                f.warmup_gradients,
                f.gradients,
                f.ess_median,
                f.divergences,
                f.warmup_seconds,
                f.seconds
            );
        }
        runs.insert("hierarchical network".to_owned(), all);
    } else {
        for entry in ppl_gallery::all() {
            let wanted = arguments.only.as_ref().is_none_or(|part| entry.name.contains(part));
            // Where there are minor modes, chance decides who stays in one.
            if !wanted
                || entry.needs.minor_modes
                || 1e6 * ppl_gallery::run::cost(entry)?.gradient.as_secs_f64() > arguments.cheap
            {
                continue;
            }
            let acceptance = entry.needs.acceptance.unwrap_or(0.8);
            let length = Length {
                chains: arguments.chains,
                draws: arguments.draws,
                acceptance,
                as_written: arguments.as_written,
            };
            let all = measure(&*entry.model()?, length, arguments.seeds, arguments.ours)?;
            eprintln!("{}", line(entry.name, &all));
            runs.insert(entry.name.to_owned(), all);
        }
    }
    let table = table(&runs);
    println!("{table}");
    if arguments.write {
        let text = std::fs::read_to_string(README)?;
        let (begin, end) = ("<!-- samplers -->", "<!-- end of samplers -->");
        let parts = text.split_once(begin).and_then(|(head, rest)| Some((head, rest.split_once(end)?.1)));
        let (head, tail) = parts.ok_or("the page has no place for the table")?;
        let setting = format!(
            "{} seeds, {} chains of {} draws; each cell: ppl / nuts-rs, diagonal / nuts-rs, low rank.",
            arguments.seeds, arguments.chains, arguments.draws
        );
        std::fs::write(README, format!("{head}{begin}\n{setting}\n\n{table}{end}{tail}"))?;
    }
    if let Some(path) = arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&runs)?)?;
    }
    Ok(())
}
