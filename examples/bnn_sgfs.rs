//! A Bayesian neural network on half-moons by stochastic gradient Fisher scoring: as it should be, and as PyMC3 had it.
//!
//! After shkr's notebook (PyMC3 documentation, "Bayesian Neural Networks in PyMC3 with Stochastic Gradient Algorithms").
//! Fits the network twice from batches of 50 of 500 rows, with the right gain and with the notebook's settings, whose
//! chain freezes; reports accuracies and how much the weights still move, and draws both side by side. Run with `--help`
//! for the options.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Parser;
use ppl::data::{SplitData, make_moons, read_csv_split, scale};
use ppl::infer::observe::{Observer, Silent};
use ppl::infer::progress::Progress;
use ppl::infer::stochastic::StochasticRun;
use ppl::infer::stochastic::kernel::SgfsKernel;
use ppl::prelude::*;
use ppl::viz::{Figure, Grid, Scatter, Surface, TracePlot};
use rand::SeedableRng;
use serde::Serialize;

model! {
    /// Two-layer Bayesian neural network for binary labels: D_x => D_h => D_h => 1.
    fn bnn(x: Array2<f64>, y: Option<Array1<f64>>, layers: Vec<usize>) {
        let mut z = Var::from(&x);
        for (i, d) in layers.windows(2).enumerate() {
            let w = sample!("w{i}", Normal::new(0.0, 1.0).expand([d[0], d[1]]));
            z = z.matmul(w).tanh();
        }
        let w = sample!("w_final", Normal::new(0.0, 1.0).expand([z.dim(-1), 1]));
        let logits = z.matmul(w).squeeze(-1);
        if y.is_none() {
            deterministic!("probability", logits.sigmoid());
        }
        observe!("y", Bernoulli::logits(logits), y);
    }
}

const LAYERS: [usize; 3] = [2, 5, 5];
/// Rows and noise of freshly made data.
const MOONS: (usize, f64) = (1000, 0.2);
const BATCH_SIZE: usize = 50;
/// Draws that predictions are made from.
const PREDICTIVE_DRAWS: usize = 500;
/// Draws over which the spread of the weights is reported.
const LAST: usize = 1000;
/// The surfaces cover this square with this many points a side.
const GRID: (f64, f64) = (-3.0, 3.0);
const GRID_POINTS: usize = 100;

/// A Bayesian neural network by stochastic gradient Fisher scoring.
#[derive(Parser)]
struct Options {
    /// A CSV file with columns x1,x2,y,split instead of freshly made data.
    #[arg(long, value_name = "FILE.csv")]
    data: Option<PathBuf>,
    /// The folder for pictures.
    #[arg(long, default_value = "out/bnn_sgfs")]
    out: PathBuf,
    /// Chains of each of the two fits.
    #[arg(long, default_value_t = 1)]
    chains: usize,
    /// Warm-up iterations.
    #[arg(long, default_value_t = 500)]
    warmup: usize,
    /// Draws of each chain.
    #[arg(long, default_value_t = 4500)]
    draws: usize,
    /// The seed of the data (where they are made), of the batches and of the chains.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Draw no pictures.
    #[arg(long)]
    no_plots: bool,
    /// Show no progress.
    #[arg(long)]
    quiet: bool,
    /// Write the results to a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The results of one of the two fits.
#[derive(Serialize)]
struct Results {
    test_accuracy: f64,
    /// Of sampling, warm-up included.
    seconds: f64,
    draws: usize,
    /// The standard deviation of a weight over the last thousand draws, averaged over weights.
    sd_last_thousand: f64,
    /// What the sampler has to say against its draws.
    findings: Vec<String>,
}

#[derive(Serialize)]
struct Report {
    sgfs: Results,
    pymc3_compatible: Results,
    seconds_total: f64,
}

/// One of the two fits, with what is drawn of it.
struct Fit {
    name: &'static str,
    file: &'static str,
    run: StochasticRun<SgfsKernel>,
    /// The share of class 1 among predicted labels, for each test row.
    predicted: Array1<f64>,
    results: Results,
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let options = Options::parse();
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = interrupt.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?;
    let data = match &options.data {
        Some(path) => read_csv_split(path)?,
        None => fresh_data(options.seed)?,
    };
    let sgfs = Sgfs::new().warmup(options.warmup).draws(options.draws).chains(options.chains).seed(options.seed);
    let fits = [
        ("SGFS", "sgfs", sgfs.clone().step_size(Schedule::constant(0.005))),
        ("SGFS as in PyMC3", "pymc3_compatible", sgfs.pymc3_compatible()),
    ];
    let fits = fits.map(|(name, file, settings)| {
        eprintln!("{name}");
        // An interrupt ends one fit and keeps its draws; a second one would end the next.
        interrupt.store(false, Ordering::Relaxed);
        let observer: Box<dyn Observer> = if options.quiet { Box::new(Silent) } else { Box::new(Progress::new()) };
        fit(name, file, &settings, &data, &*observer, &interrupt)
    });
    let [right, pymc3] = fits;
    let (right, pymc3) = (right?, pymc3?);

    if !options.no_plots {
        std::fs::create_dir_all(&options.out)?;
        plot_data(&data, &options.out)?;
        plot_predictions(&data, [&right, &pymc3], &options.out)?;
        plot_surfaces(&data, [&right, &pymc3], &options.out)?;
        for fit in [&right, &pymc3] {
            plot_traces(fit, &options.out)?;
        }
        println!("pictures in {}", options.out.display());
    }
    for fit in [&right, &pymc3] {
        let Results { test_accuracy, seconds, sd_last_thousand, .. } = &fit.results;
        println!(
            "{}: test accuracy {:.2}%, {seconds:.2} s, standard deviation of a weight over the last thousand draws \
             {sd_last_thousand:.2e}",
            fit.name,
            100.0 * test_accuracy
        );
        fit.run.findings().iter().for_each(|finding| println!("  {finding}"));
    }
    let seconds_total = start.elapsed().as_secs_f64();
    let report = Report { sgfs: right.results, pymc3_compatible: pymc3.results, seconds_total };
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}

/// Moons, scaled, half of them to fit and half to test.
fn fresh_data(seed: u64) -> Result<SplitData, Box<dyn Error>> {
    let (x, y) = make_moons(MOONS.0, MOONS.1, &mut rand::rngs::SmallRng::seed_from_u64(seed))?;
    let x = scale(x.view());
    let half = MOONS.0 / 2;
    Ok(SplitData {
        x_train: x.slice(s![..half, ..]).to_owned(),
        y_train: y.slice(s![..half]).to_owned(),
        x_test: x.slice(s![half.., ..]).to_owned(),
        y_test: y.slice(s![half..]).to_owned(),
    })
}

fn fit(
    name: &'static str,
    file: &'static str,
    settings: &Sgfs,
    data: &SplitData,
    observer: &dyn Observer,
    interrupt: &AtomicBool,
) -> Result<Fit, Box<dyn Error>> {
    let batches = Minibatch::new((data.x_train.clone(), data.y_train.clone()), BATCH_SIZE)?
        .model(|(x, y)| bnn(x, Some(y), LAYERS.to_vec()));
    let began = Instant::now();
    let run = settings.run_watched(&batches, observer, interrupt)?;
    let seconds = began.elapsed().as_secs_f64();
    let test = bnn(data.x_test.clone(), None, LAYERS.to_vec());
    let predicted = run.predictive(&test)?.at_most(PREDICTIVE_DRAWS).reduce("y", Mean::new())?;
    let predicted: Array1<f64> = predicted.into_dimensionality()?;
    let right = predicted.iter().zip(&data.y_test).filter(|&(&mean, &y)| (mean > 0.5) == (y > 0.5)).count();
    let results = Results {
        test_accuracy: right as f64 / data.y_test.len() as f64,
        seconds,
        draws: run.draws().chains() * run.draws().draws(),
        sd_last_thousand: sd_of_last(&run),
        findings: run.findings().iter().map(ToString::to_string).collect(),
    };
    Ok(Fit { name, file, run, predicted, results })
}

/// The standard deviation of each weight over the last draws of each chain, averaged over weights and chains.
fn sd_of_last(run: &StochasticRun<SgfsKernel>) -> f64 {
    let sds: Vec<f64> = run
        .chains()
        .iter()
        .flat_map(|chain| {
            let from = chain.len().saturating_sub(LAST);
            chain.draws.slice(s![from.., ..]).std_axis(Axis(0), 0.0).to_vec()
        })
        .collect();
    sds.iter().sum::<f64>() / sds.len() as f64
}

/// The points of the grid, row by row from the lower left corner, `[points, 2]`.
fn grid() -> Array2<f64> {
    let step = (GRID.1 - GRID.0) / (GRID_POINTS - 1) as f64;
    Array2::from_shape_fn((GRID_POINTS * GRID_POINTS, 2), |(i, axis)| {
        let at = if axis == 0 { i % GRID_POINTS } else { i / GRID_POINTS };
        GRID.0 + step * at as f64
    })
}

fn labels(share: &Array1<f64>) -> Array1<f64> {
    share.mapv(|p| f64::from(u8::from(p > 0.5)))
}

fn plot_data(data: &SplitData, out: &Path) -> Result<(), Box<dyn Error>> {
    let x = ndarray::concatenate(Axis(0), &[data.x_train.view(), data.x_test.view()])?;
    let y = ndarray::concatenate(Axis(0), &[data.y_train.view(), data.y_test.view()])?;
    let plot = Scatter::new(x.view(), y.view())?.axis_labels("X", "Y");
    Ok(Figure::new(plot).title("Toy binary classification data set").save(out.join("data.png"))?)
}

fn side_by_side(panels: Grid, title: &str, path: PathBuf) -> Result<(), Box<dyn Error>> {
    Ok(Figure::new(panels.axis_labels("X", "Y")).title(title).size(1400, 640).save(path)?)
}

fn plot_predictions(data: &SplitData, fits: [&Fit; 2], out: &Path) -> Result<(), Box<dyn Error>> {
    let mut panels = Grid::new(2);
    for fit in fits {
        panels = panels.panel(fit.name, Scatter::new(data.x_test.view(), labels(&fit.predicted).view())?);
    }
    side_by_side(panels, "Predicted labels in testing set", out.join("predicted.png"))
}

/// The mean and the standard deviation over draws of the probability of class 1, beside the standard deviation of labels
/// drawn with it, which is what the notebook shows.
fn plot_surfaces(data: &SplitData, fits: [&Fit; 2], out: &Path) -> Result<(), Box<dyn Error>> {
    let model = bnn(grid(), None, LAYERS.to_vec());
    let mut surfaces = Vec::new();
    for fit in fits {
        let predictive = || Ok::<_, InferError>(fit.run.predictive(&model)?.at_most(PREDICTIVE_DRAWS));
        let (mean, sd) = predictive()?.reduce("probability", (Mean::new(), Sd::new()))?;
        let of_labels = predictive()?.reduce("y", Sd::new())?;
        surfaces.push([mean, sd, of_labels]);
    }
    for (which, file, what) in [
        (0, "probability", "Posterior predictive mean probability of class 1"),
        (1, "uncertainty", "Standard deviation of the probability of class 1 over the posterior"),
        (2, "label_uncertainty", "Uncertainty (posterior predictive standard deviation of the label)"),
    ] {
        let largest = surfaces.iter().flat_map(|s| s[which].iter().copied()).fold(f64::MIN_POSITIVE, f64::max);
        let mut panels = Grid::new(2);
        for (fit, surfaces) in fits.iter().zip(&surfaces) {
            let values = surfaces[which].to_shape((GRID_POINTS, GRID_POINTS))?;
            let surface = match which {
                0 => Surface::decision(values.view(), GRID, GRID)?,
                _ => Surface::uncertainty(values.view(), GRID, GRID)?.limits(0.0, largest)?,
            };
            let surface = surface.points(data.x_test.view(), labels(&fit.predicted).view())?.bar_label(what);
            panels = panels.panel(fit.name, surface);
        }
        side_by_side(panels, what, out.join(format!("{file}.png")))?;
    }
    Ok(())
}

fn plot_traces(fit: &Fit, out: &Path) -> Result<(), Box<dyn Error>> {
    let rows: Vec<_> = fit.run.draws().sites().map(|(name, draws)| (name, draws.view())).collect();
    let title = format!("{}: all weights", fit.name);
    Ok(Figure::new(TracePlot::new(rows)?).title(title).save(out.join(format!("{}_trace.png", fit.file)))?)
}
