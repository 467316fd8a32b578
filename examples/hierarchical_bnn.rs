//! Hierarchical Bayesian neural networks on 18 rotated half-moon data sets: separate networks against one hierarchy.
//!
//! After T. Wiecki's notebook, in A. Kara's NumPyro version (probml/pyprobml, `bnn_hierarchical_numpyro`). Fits 18
//! separate networks and the hierarchical one with NUTS, reports accuracies, and draws the decision and uncertainty
//! surfaces. Run with `--help` for the options.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Parser;
use ppl::data::{GroupedData, hierarchical_moons, read_grouped_csv};
use ppl::infer::observe::{Ending, Event, Observer, Plan, Silent};
use ppl::infer::progress::Progress;
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

    /// One network per category; every weight scatters around a group mean, one scale per layer.
    fn hierarchical_bnn(x: Array3<f64>, y: Option<Array2<f64>>, layers: Vec<usize>) {
        let mut sizes = layers;
        sizes.push(1);
        let groups: Vec<_> = sizes
            .windows(2)
            .enumerate()
            .map(|(i, d)| {
                let mean = sample!("w{i}_c", Normal::new(0.0, 1.0).expand([d[0], d[1]]));
                (mean, sample!("w{i}_c_std", HalfNormal::new(1.0)))
            })
            .collect();
        let logits = plate!("category", x.len_of(Axis(0)), dim = -3, {
            let mut z = Var::from(&x);
            for (k, (mean, std)) in groups.iter().enumerate() {
                let w = *std * sample!("w{k}_all", Normal::new(0.0, 1.0).expand(mean.shape())) + *mean;
                z = z.matmul(w);
                if k + 1 < groups.len() {
                    z = z.tanh();
                }
            }
            z.squeeze(-1)
        });
        if y.is_none() {
            deterministic!("probability", logits.sigmoid());
        }
        observe!("y", Bernoulli::logits(logits), y);
    }
}

const LAYERS: [usize; 3] = [2, 5, 5];
/// Groups and rows a group of the notebook's data.
const GROUPS: (usize, usize) = (18, 100);
const NOISE: f64 = 0.3;
/// The surfaces cover this square with this many points a side.
const GRID: (f64, f64) = (-3.0, 3.0);
const GRID_POINTS: usize = 100;
/// Categories in a panel of small multiples: as in the notebook, 16 of the 18.
const SHOWN: usize = 16;

/// Hierarchical Bayesian neural networks on rotated half-moons.
#[derive(Parser)]
struct Options {
    /// A CSV file with columns group,x1,x2,y,split instead of freshly made data.
    #[arg(long, value_name = "FILE.csv")]
    data: Option<PathBuf>,
    /// The folder for pictures.
    #[arg(long, default_value = "out/hierarchical_bnn")]
    out: PathBuf,
    /// Chains of the hierarchical network and of each separate one.
    #[arg(long, default_value_t = 1)]
    chains: usize,
    /// Warm-up iterations.
    #[arg(long, default_value_t = 1000)]
    warmup: usize,
    /// Draws of each chain.
    #[arg(long, default_value_t = 500)]
    draws: usize,
    /// The seed of the data (where they are made) and of the chains.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The acceptance statistic that the hierarchical network's step size is tuned to: high, as there are necks where
    /// scales are large.
    #[arg(long, default_value_t = 0.9)]
    target_acceptance: f64,
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
    train_accuracy: f64,
    test_accuracy: f64,
    /// Of sampling, warm-up included.
    seconds: f64,
    /// Gradient evaluations of all chains, warm-up included.
    gradients: usize,
    /// Of these, those until the end of warm-up.
    warmup_gradients: usize,
    divergences: usize,
    /// Their mean over chains.
    step_size: f64,
    ess_bulk_min: Option<f64>,
    ess_bulk_median: Option<f64>,
}

#[derive(Serialize)]
struct Report {
    flat: Results,
    hierarchical: Results,
    seconds_total: f64,
    /// From the start of the program to the first transition of a chain.
    seconds_to_first_draw: f64,
    /// A hash over the bits of all draws.
    fingerprint: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let options = Options::parse();
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = interrupt.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?;
    let data = match &options.data {
        Some(path) => read_grouped_csv(path)?,
        None => hierarchical_moons(GROUPS.0, GROUPS.1, NOISE, &mut rand::rngs::SmallRng::seed_from_u64(options.seed))?,
    };
    let nuts = Nuts::new().warmup(options.warmup).draws(options.draws).chains(options.chains).seed(options.seed);
    let first_draw = OnceLock::new();
    let watch = |quiet: bool| Watch {
        inner: if quiet { Box::new(Silent) } else { Box::new(Progress::new()) },
        start,
        first_draw: &first_draw,
    };
    let layers = LAYERS.to_vec();

    eprintln!("{} separate networks", data.x_train.len_of(Axis(0)));
    let began = Instant::now();
    let models: Vec<_> = data
        .x_train
        .outer_iter()
        .zip(data.y_train.outer_iter())
        .map(|(x, y)| bnn(x.to_owned(), Some(y.to_owned()), layers.clone()))
        .collect();
    let flat: Vec<Posterior> =
        nuts.run_many_watched(&models, &watch(options.quiet), &interrupt).into_iter().collect::<Result<_, _>>()?;
    let flat_seconds = began.elapsed().as_secs_f64();
    let predict_flat = |x: &Array3<f64>| -> Result<Array2<f64>, InferError> {
        let means = flat.iter().zip(x.outer_iter()).map(|(posterior, x)| {
            let mean = posterior.predictive(&bnn(x.to_owned(), None, layers.clone()))?.reduce("y", Mean::new())?;
            Ok(mean.into_iter().collect::<Vec<f64>>())
        });
        Ok(rows(means.collect::<Result<Vec<_>, InferError>>()?))
    };
    let flat_results = Results {
        train_accuracy: accuracy(&predict_flat(&data.x_train)?, &data.y_train),
        test_accuracy: accuracy(&predict_flat(&data.x_test)?, &data.y_test),
        ..results(&flat, flat_seconds)
    };

    eprintln!("the hierarchical network");
    let began = Instant::now();
    let model = hierarchical_bnn(data.x_train.clone(), Some(data.y_train.clone()), layers.clone());
    // An interrupt ends one stage and keeps its draws; a second one would end the next.
    interrupt.store(false, Ordering::Relaxed);
    let nuts = nuts.target_acceptance(options.target_acceptance);
    let posterior = nuts.run_watched(&model, &watch(options.quiet), &interrupt)?;
    let seconds = began.elapsed().as_secs_f64();
    let predict = |x: &Array3<f64>| {
        posterior.predictive(&hierarchical_bnn(x.clone(), None, layers.clone()))?.reduce("y", Mean::new())
    };
    let hierarchical_results = Results {
        train_accuracy: accuracy(&predict(&data.x_train)?, &data.y_train),
        test_accuracy: accuracy(&predict(&data.x_test)?, &data.y_test),
        ..results(std::slice::from_ref(&posterior), seconds)
    };
    println!("{}", posterior.summary());
    for concern in posterior.warnings() {
        eprintln!("{concern}\n");
    }

    if !options.no_plots {
        std::fs::create_dir_all(&options.out)?;
        plot_data(&data, &options.out)?;
        plot_flat(&data, &flat, &layers, &options.out)?;
        plot_hierarchical(&data, &posterior, &layers, &options.out)?;
        println!("pictures in {}", options.out.display());
    }
    let report = Report {
        seconds_total: start.elapsed().as_secs_f64(),
        seconds_to_first_draw: first_draw.get().copied().unwrap_or(f64::NAN),
        fingerprint: format!("{:016x}", fingerprint(flat.iter().chain([&posterior]))),
        flat: flat_results,
        hierarchical: hierarchical_results,
    };
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    for (name, r) in [("flat", &report.flat), ("hierarchical", &report.hierarchical)] {
        let (train, test) = (100.0 * r.train_accuracy, 100.0 * r.test_accuracy);
        println!("{name}: train accuracy {train:.2}%, test accuracy {test:.2}%");
    }
    Ok(())
}

/// Passes on what it is told, and notes when the first transition was done.
struct Watch<'a> {
    inner: Box<dyn Observer>,
    start: Instant,
    first_draw: &'a OnceLock<f64>,
}

impl Observer for Watch<'_> {
    fn started(&self, plan: &Plan) {
        self.inner.started(plan);
    }
    fn iterated(&self, event: &Event) {
        self.first_draw.get_or_init(|| self.start.elapsed().as_secs_f64());
        self.inner.iterated(event);
    }
    fn chain_ended(&self, chain: usize, ending: Ending) {
        self.inner.chain_ended(chain, ending);
    }
    fn ended(&self) {
        self.inner.ended();
    }
}

/// The share of rows whose predicted label, the more frequent one among draws, is right.
fn accuracy(mean: &Array<f64, impl ndarray::Dimension>, y: &Array2<f64>) -> f64 {
    let right = mean.iter().zip(y).filter(|&(&mean, &y)| (mean > 0.5) == (y > 0.5)).count();
    right as f64 / y.len() as f64
}

/// All but the accuracies.
fn results(posteriors: &[Posterior], seconds: f64) -> Results {
    let mut bulk: Vec<f64> = posteriors
        .iter()
        .flat_map(|p| p.summary().rows().iter().map(|row| row.ess_bulk).collect::<Vec<_>>())
        .filter(|ess| ess.is_finite())
        .collect();
    bulk.sort_by(f64::total_cmp);
    let chains = || posteriors.iter().flat_map(Posterior::chains);
    Results {
        train_accuracy: f64::NAN,
        test_accuracy: f64::NAN,
        seconds,
        gradients: posteriors.iter().map(Posterior::gradients).sum(),
        warmup_gradients: chains().map(|chain| chain.warmup_gradients).sum(),
        step_size: chains().filter_map(|chain| chain.step_size).sum::<f64>() / chains().count().max(1) as f64,
        divergences: posteriors.iter().map(|p| p.stats().divergences()).sum(),
        ess_bulk_min: bulk.first().copied(),
        ess_bulk_median: bulk.get(bulk.len() / 2).copied(),
    }
}

/// FNV-1a over the bits of all draws, in order.
fn fingerprint<'p>(posteriors: impl Iterator<Item = &'p Posterior>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for posterior in posteriors {
        for (_, draws) in posterior.draws().sites() {
            for byte in draws.iter().flat_map(|x| x.to_bits().to_le_bytes()) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    hash
}

fn rows(rows: Vec<Vec<f64>>) -> Array2<f64> {
    let width = rows.first().map_or(0, Vec::len);
    Array2::from_shape_fn((rows.len(), width), |(i, j)| rows[i][j])
}

/// The points of the grid, row by row from the lower left corner, `[points, 2]`.
fn grid() -> Array2<f64> {
    let step = (GRID.1 - GRID.0) / (GRID_POINTS - 1) as f64;
    Array2::from_shape_fn((GRID_POINTS * GRID_POINTS, 2), |(i, axis)| {
        let at = if axis == 0 { i % GRID_POINTS } else { i / GRID_POINTS };
        GRID.0 + step * at as f64
    })
}

fn small_multiples(plot: Grid, title: &str, path: PathBuf) -> Result<(), Box<dyn Error>> {
    Ok(Figure::new(plot).title(title).size(1500, 1200).save(path)?)
}

fn plot_data(data: &GroupedData, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut panels = Grid::new(4).axis_labels("x1", "x2");
    for (i, (x, y)) in data.x_train.outer_iter().zip(data.y_train.outer_iter()).take(SHOWN).enumerate() {
        panels = panels.panel(format!("Category {}", i + 1), Scatter::new(x, y)?);
    }
    small_multiples(panels, "Training data", out.join("data.png"))
}

/// Two pictures of small multiples, probability and uncertainty, from one `[GRID_POINTS^2]` pair for each category.
fn plot_surfaces(
    data: &GroupedData,
    surfaces: &[[Array1<f64>; 2]],
    name: &str,
    title: &str,
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    let largest = surfaces.iter().flat_map(|[_, sd]| sd.iter().copied()).fold(0.0, f64::max);
    for (which, file, what) in
        [(0, "probability", "probability of class 1"), (1, "uncertainty", "standard deviation of the probability")]
    {
        let mut panels = Grid::new(4).axis_labels("x1", "x2");
        for (i, surface) in surfaces.iter().enumerate() {
            let values = surface[which].to_shape((GRID_POINTS, GRID_POINTS))?;
            let (x, y) = (data.x_train.index_axis(Axis(0), i), data.y_train.index_axis(Axis(0), i));
            let surface = match which {
                0 => Surface::decision(values.view(), GRID, GRID)?,
                _ => Surface::uncertainty(values.view(), GRID, GRID)?.limits(0.0, largest)?,
            };
            panels = panels.panel(format!("Category {}", i + 1), surface.points(x, y)?.bar_label(what));
        }
        small_multiples(panels, &format!("{title}: {what}"), out.join(format!("{name}_{file}.png")))?;
    }
    Ok(())
}

fn plot_flat(data: &GroupedData, posteriors: &[Posterior], layers: &[usize], out: &Path) -> Result<(), Box<dyn Error>> {
    let surfaces = posteriors.iter().take(SHOWN).map(|posterior| -> Result<_, Box<dyn Error>> {
        let model = bnn(grid(), None, layers.to_vec());
        let (mean, sd) = posterior.predictive(&model)?.reduce("probability", (Mean::new(), Sd::new()))?;
        Ok([mean.into_dimensionality()?, sd.into_dimensionality()?])
    });
    let surfaces = surfaces.collect::<Result<Vec<_>, _>>()?;
    plot_surfaces(data, &surfaces, "flat", "Separate networks", out)?;
    plot_traces(&posteriors[0], "Separate network of category 1", out.join("flat_trace.png"))
}

fn plot_hierarchical(
    data: &GroupedData,
    posterior: &Posterior,
    layers: &[usize],
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    let points = grid();
    let groups = data.x_train.len_of(Axis(0));
    let x = Array3::from_shape_fn((groups, points.nrows(), 2), |(_, i, j)| points[[i, j]]);
    let model = hierarchical_bnn(x, None, layers.to_vec());
    let (mean, sd) = posterior.predictive(&model)?.reduce("probability", (Mean::new(), Sd::new()))?;
    let surfaces = (0..groups.min(SHOWN)).map(|i| -> Result<_, Box<dyn Error>> {
        let one = |surface: &ArrayD<f64>| surface.index_axis(Axis(0), i).to_owned().into_dimensionality();
        Ok([one(&mean)?, one(&sd)?])
    });
    let surfaces = surfaces.collect::<Result<Vec<_>, _>>()?;
    plot_surfaces(data, &surfaces, "hierarchical", "Hierarchical network", out)?;
    plot_traces(posterior, "Hierarchical network", out.join("hierarchical_trace.png"))
}

fn plot_traces(posterior: &Posterior, title: &str, path: PathBuf) -> Result<(), Box<dyn Error>> {
    let rows: Vec<_> = posterior.draws().sites().map(|(name, draws)| (name, draws.view())).collect();
    let plot = TracePlot::new(rows)?.divergences(posterior.stats().diverging.view());
    Ok(Figure::new(plot).title(title).save(path)?)
}
