//! Runs NUTS on every posterior of the gallery over several seeds and holds the draws against the references.
//!
//! `cargo run --release -p ppl-gallery -- --write` writes the table `docs/posteriors.md`; with `--only`, the rows of some
//! posteriors are renewed and the others stay.

mod report;

use clap::Parser;
use ppl_gallery::run::{Cost, Length, Outcome, RunError};
use ppl_gallery::{Entry, all, run};

use report::{Line, Part};

/// Where the table goes.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/posteriors.md");

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
    #[arg(long, default_value_t = 1000)]
    draws: usize,
    /// The acceptance to aim at, in the place of what each posterior asks for.
    #[arg(long)]
    acceptance: Option<f64>,
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
    let costs: Result<Vec<(&Entry, Cost)>, RunError> =
        all().iter().filter(named).map(|entry| Ok((entry, run::cost(entry)?))).collect();
    let mut costs = costs?;
    if arguments.costs {
        for (entry, Cost { dim, compile, gradient }) in costs {
            println!("{:60} dim {dim:4}  compile {compile:10.2?}  gradient {gradient:10.2?}", entry.name);
        }
        return Ok(());
    }
    // What takes longest comes last.
    costs.sort_by_key(|(_, cost)| cost.gradient * cost.dim as u32);
    let mut parts = Part::read(&std::fs::read_to_string(PAGE).unwrap_or_default());
    for (entry, cost) in costs {
        let mut sampled = *entry;
        sampled.needs.acceptance = arguments.acceptance.or(entry.needs.acceptance);
        let outcomes: Result<Vec<Outcome>, RunError> =
            (1..=arguments.seeds).map(|seed| run::run(&sampled, length, arguments.threads, seed)).collect();
        let line = Line { entry, cost, outcomes: outcomes? };
        println!("{}", line.progress());
        Part::new(&line).put(&mut parts);
        if arguments.write {
            // After each posterior, so that a run that is stopped leaves what it has.
            std::fs::write(PAGE, report::page(&parts, length, arguments.seeds))?;
        }
    }
    Ok(())
}
