//! Variational inference for a Bayesian neural network on the half-moons: full batch, minibatches, and the settings of the
//! notebooks beside them.
//!
//! After T. Wiecki and M. Kochurov's PyMC notebook (`bayesian_neural_network_advi`) and T. Wiecki's blog post of 2016.
//! Fits the network with mean-field ADVI, reports ELBO, accuracy and the fits' own verdicts, and draws what the notebooks
//! draw. Run with `--help` for the options; `docs/variational.md` explains the numbers.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Parser;
use ppl::data::{SplitData, read_csv_split};
use ppl::infer::variational::{Progress, Record, Start, Tracker};
use ppl::prelude::*;
use ppl::viz::{Figure, LinePlot, Plot, Scatter, Surface, TracePlot};
use rand::SeedableRng;
use rand_distr::{Distribution as _, StandardNormal};
use serde::Serialize;

model! {
    /// Two-layer Bayesian neural network for binary labels: 2 => 5 => 5 => 1, 40 weights.
    fn bnn(x: Array2<f64>, y: Option<Array1<f64>>) {
        let w1 = sample!("w_in_1", Normal::new(0.0, 1.0).expand([x.ncols(), HIDDEN]));
        let w2 = sample!("w_1_2", Normal::new(0.0, 1.0).expand([HIDDEN, HIDDEN]));
        let w3 = sample!("w_2_out", Normal::new(0.0, 1.0).expand([HIDDEN]));
        let logits = Var::from(&x).matmul(w1).tanh().matmul(w2).tanh().matmul(w3);
        if y.is_none() {
            deterministic!("probability", logits.sigmoid());
        }
        observe!("out", Bernoulli::logits(logits), y);
    }
}

const HIDDEN: usize = 5;
const WEIGHTS: usize = 2 * HIDDEN + HIDDEN * HIDDEN + HIDDEN;
/// Steps and rows a batch, as in the notebooks.
const FULL_STEPS: u64 = 30_000;
const BATCH_STEPS: u64 = 40_000;
const BATCH: usize = 50;
/// The surfaces cover this square with this many points a side.
const GRID: (f64, f64) = (-3.0, 3.0);
const GRID_POINTS: usize = 100;
/// Draws for predictions and for the trace plot.
const PREDICTED: usize = 500;
const TRACED: usize = 5000;
/// Steps whose ELBO is averaged at the end of a run.
const LAST: usize = 1000;
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/moons/moons_flat.csv");

/// Variational inference for a Bayesian neural network on the half-moons.
#[derive(Parser)]
struct Options {
    /// A CSV file with columns x1,x2,y,split.
    #[arg(long, value_name = "FILE.csv", default_value = DATA)]
    data: PathBuf,
    /// The folder for pictures.
    #[arg(long, default_value = "out/bnn_advi")]
    out: PathBuf,
    /// The seed of the fits.
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

/// The results of one fit.
#[derive(Serialize)]
struct Results {
    /// Mean over the last thousand steps, of all data.
    elbo: f64,
    test_accuracy: f64,
    /// Of the optimisation.
    seconds: f64,
    steps: u64,
    converged: bool,
    k_hat: Option<f64>,
}

#[derive(Serialize)]
struct Report {
    full: Results,
    minibatch: Results,
    notebook_settings: Results,
    notebook_minibatch: Results,
}

/// Shows now and then where a fit is.
fn shown(name: &'static str, quiet: bool) -> impl Tracker {
    Record::new(10_000, move |now: &Progress<'_>| {
        if !quiet {
            eprintln!("{name}: step {} of {}, ELBO {:.1}", now.iteration, now.planned, now.mean_elbo(LAST));
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let data = read_csv_split(&options.data)?;
    let model = bnn(data.x_train.clone(), Some(data.y_train.clone()));
    let batches = Minibatch::new((data.x_train.clone(), data.y_train.clone()), BATCH.min(data.y_train.len()))?
        .model(|(x, y)| bnn(x, Some(y)));

    let advi = Advi::mean_field().seed(options.seed);
    let (never, quiet) = (AtomicBool::new(false), options.quiet);
    let fit = |advi: Advi, name| advi.steps(FULL_STEPS).fit_watched(&model, &mut [&mut shown(name, quiet)], &never);
    let fit_batches = |advi: Advi, name| {
        advi.steps(BATCH_STEPS).fit_batches_watched(&batches, &mut [&mut shown(name, quiet)], &never)
    };
    let full = fit(advi.clone(), "full")?;
    let minibatch = fit_batches(advi, "minibatch")?;

    // The notebooks' defaults, and their start: weights drawn from a standard normal law.
    let mut random = rand::rngs::SmallRng::seed_from_u64(options.seed);
    let start: Vec<f64> = (0..WEIGHTS).map(|_| StandardNormal.sample(&mut random)).collect();
    let notebook = Advi::pymc().start(Start::At(start)).seed(options.seed);
    let notebook_full = fit(notebook.clone(), "notebook settings")?;
    let notebook_minibatch = fit_batches(notebook, "notebook minibatch")?;

    let fits = [
        ("full", &full),
        ("minibatch", &minibatch),
        ("notebook settings", &notebook_full),
        ("notebook minibatch", &notebook_minibatch),
    ];
    let mut results = Vec::new();
    for (name, fit) in fits {
        let r = summarise(fit, &data)?;
        let (elbo, accuracy, seconds) = (r.elbo, 100.0 * r.test_accuracy, r.seconds);
        println!("{name}: ELBO {elbo:.1}, test accuracy {accuracy:.1}%, {seconds:.2} s\n{fit}\n");
        results.push(r);
    }
    check_predictions(&full, &data)?;

    if !options.no_plots {
        std::fs::create_dir_all(&options.out)?;
        plot(&full, &data, &fits, &options.out)?;
        println!("pictures in {}", options.out.display());
    }
    if let (Some(path), Ok([full, minibatch, notebook_settings, notebook_minibatch])) =
        (&options.json, <[Results; 4]>::try_from(results))
    {
        let report = Report { full, minibatch, notebook_settings, notebook_minibatch };
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}

fn summarise(fit: &VariationalFit<'_>, data: &SplitData) -> Result<Results, InferError> {
    let mean = fit.draws(PREDICTED)?.predictive(&bnn(data.x_test.clone(), None))?.reduce("out", Mean::new())?;
    Ok(Results {
        elbo: fit.mean_elbo(LAST),
        test_accuracy: accuracy(&mean, &data.y_test),
        seconds: fit.seconds(),
        steps: fit.steps(),
        converged: fit.converged(),
        k_hat: fit.k_hat(),
    })
}

/// The share of rows whose predicted label, the more frequent one among draws, is right.
fn accuracy(mean: &ArrayD<f64>, y: &Array1<f64>) -> f64 {
    let right = mean.iter().zip(y).filter(|&(&mean, &y)| (mean > 0.5) == (y > 0.5)).count();
    right as f64 / y.len() as f64
}

/// A posterior predictive check on the training rows: how many ones, and how many labels right, in replicated data and in
/// the data.
fn check_predictions(fit: &VariationalFit<'_>, data: &SplitData) -> Result<(), InferError> {
    let draws = fit.draws(PREDICTED)?.predict(&bnn(data.x_train.clone(), None))?;
    let Some(labels) = draws.get("out") else { return Ok(()) };
    let mut ones: Vec<f64> = labels.rows().into_iter().map(|row| row.sum()).collect();
    ones.sort_by(f64::total_cmp);
    let (low, high) = (ones[PREDICTED / 20], ones[PREDICTED - PREDICTED / 20 - 1]);
    println!(
        "posterior predictive check: {} ones in the data, {low} to {high} in 90% of replications",
        data.y_train.sum()
    );
    let centre = fit.at_mean()?.predict(&bnn(data.x_test.clone(), None))?;
    let at_mean = centre.get("probability").map_or(f64::NAN, |p| accuracy(p, &data.y_test));
    println!("test accuracy of one network, at the mean of the approximation: {:.1}%", 100.0 * at_mean);
    Ok(())
}

/// The points of the grid, row by row from the lower left corner, `[points, 2]`.
fn grid() -> Array2<f64> {
    let step = (GRID.1 - GRID.0) / (GRID_POINTS - 1) as f64;
    Array2::from_shape_fn((GRID_POINTS * GRID_POINTS, 2), |(i, axis)| {
        let at = if axis == 0 { i % GRID_POINTS } else { i / GRID_POINTS };
        GRID.0 + step * at as f64
    })
}

fn save(plot: impl Plot + 'static, title: &str, path: PathBuf) -> Result<(), Box<dyn Error>> {
    Ok(Figure::new(plot).title(title).save(path)?)
}

fn plot(
    fit: &VariationalFit<'_>,
    data: &SplitData,
    fits: &[(&str, &VariationalFit<'_>)],
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    let scatter = Scatter::new(data.x_train.view(), data.y_train.view())?;
    save(scatter, "Toy binary classification data set", out.join("data.png"))?;

    let mut elbo = LinePlot::new("iteration / 100", "ELBO").y_range(-400.0, -80.0)?;
    for (name, fit) in fits {
        let means: Array1<f64> = fit.history().chunks(100).map(|c| c.iter().sum::<f64>() / c.len() as f64).collect();
        elbo = elbo.line(*name, means.view())?;
    }
    save(elbo, "ELBO, means of 100 steps", out.join("elbo.png"))?;

    let traced = fit.draws(TRACED)?;
    let rows: Vec<_> = traced.draws().sites().map(|(name, draws)| (name, draws.view())).collect();
    save(TracePlot::new(rows)?, "Draws from the approximation", out.join("trace.png"))?;

    let posterior = fit.draws(PREDICTED)?;
    let test = posterior.predictive(&bnn(data.x_test.clone(), None))?.reduce("out", Mean::new())?;
    let predicted: Array1<f64> = test.iter().map(|&p| f64::from(u8::from(p > 0.5))).collect();
    let scatter = Scatter::new(data.x_test.view(), predicted.view())?;
    save(scatter, "Predicted labels of the test rows", out.join("predictions.png"))?;

    let model = bnn(grid(), None);
    let (mean, sd) = posterior.predictive(&model)?.reduce("probability", (Mean::new(), Sd::new()))?;
    let label = posterior.predictive(&model)?.reduce("out", Sd::new())?;
    for (values, decision, file, what) in [
        (&mean, true, "probability.png", "Probability of class 1"),
        (&sd, false, "uncertainty_probability.png", "Standard deviation of the probability"),
        (&label, false, "uncertainty_label.png", "Standard deviation of the label"),
    ] {
        let values = values.to_shape((GRID_POINTS, GRID_POINTS))?;
        let surface = match decision {
            true => Surface::decision(values.view(), GRID, GRID)?,
            false => Surface::uncertainty(values.view(), GRID, GRID)?,
        };
        let surface = surface.points(data.x_test.view(), predicted.view())?.bar_label(what);
        save(surface, what, out.join(file))?;
    }
    Ok(())
}
