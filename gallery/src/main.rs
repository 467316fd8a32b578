//! Runs NUTS on every posterior of the gallery over several seeds and holds the draws against the references.
//!
//! `cargo run --release -p ppl-gallery -- --write` writes the table `docs/posteriors.md`.

mod report;

use std::path::{Path, PathBuf};

use clap::Parser;
use ppl_gallery::run::Length;
use ppl_gallery::{Entry, all, run};

use report::Line;

/// Runs NUTS on the posteriors of the gallery and compares the draws with the references.
#[derive(Parser)]
struct Arguments {
    /// Only posteriors whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Only what compiling and a gradient cost.
    #[arg(long)]
    costs: bool,
    /// Seeds, from 1.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Chains of each run.
    #[arg(long, default_value_t = 4)]
    chains: usize,
    /// Warm-up iterations of a chain.
    #[arg(long, default_value_t = 1000)]
    warmup: usize,
    /// Draws of a chain.
    #[arg(long, default_value_t = 2000)]
    draws: usize,
    /// Threads, each with one chain.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Write the table to `docs/posteriors.md`.
    #[arg(long)]
    write: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let named = |e: &&Entry| arguments.only.as_ref().is_none_or(|part| e.name.contains(part));
    let length = Length { chains: arguments.chains, warmup: arguments.warmup, draws: arguments.draws };
    let mut lines = Vec::new();
    for entry in all().iter().filter(named) {
        let cost = run::cost(entry)?;
        if arguments.costs {
            let run::Cost { dim, compile, gradient } = cost;
            println!("{:60} dim {dim:4}  compile {compile:10.2?}  gradient {gradient:10.2?}", entry.name);
            continue;
        }
        let outcomes: Result<Vec<run::Outcome>, run::RunError> =
            (1..=arguments.seeds).map(|seed| run::run(entry, length, arguments.threads, seed)).collect();
        let line = Line { entry, cost, outcomes: outcomes? };
        println!("{}", line.progress());
        lines.push(line);
    }
    if arguments.write {
        let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/posteriors.md");
        std::fs::write(&path, report::page(&lines, length))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
