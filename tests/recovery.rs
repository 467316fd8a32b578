//! Known parameters are recovered: over simulations from the prior, central intervals of 50 and of 80 % cover the truth as
//! often as they say, for NUTS exactly, for approximations within the tolerance that each deserves.
//!
//! Of 80 simulations a count is refused with probability 1e-4 where the method keeps its tolerance; with the 84 counts of
//! this file, right methods fail for one seed in 120.

use ppl::infer::calibration::{CalibrationResult, Simulation};
use ppl::infer::stochastic::StochasticKernel;
use ppl::infer::variational::{Dadvi, Laplace, Layer, Pathfinder};
use ppl::prelude::*;
use ppl::viz::{CalibrationPlot, Figure};

model! {
    /// Slope and level hang together: a normal posterior with correlation -0.9.
    fn line(y: Option<Vec<f64>>) {
        let slope = sample!("slope", Normal::new(0.0, 1.0));
        let level = sample!("level", Normal::new(0.0, 3.0));
        let x = Var::from(&array![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        observe!("y", Normal::new(level + slope * x, 0.7), y);
    }
    /// A skewed posterior.
    fn rate(y: Option<Vec<f64>>) {
        let rate = sample!("rate", Gamma::new(2.0, 1.0));
        observe!("y", Exponential::new(rate).expand([5]), y);
    }
    /// A hierarchy, non-centred.
    fn groups(y: Option<Vec<f64>>) {
        let mean = sample!("mean", Normal::new(0.0, 1.0));
        let spread = sample!("spread", HalfNormal::new(1.0));
        let z = sample!("z", Normal::new(0.0, 1.0).expand([4]));
        observe!("y", Normal::new(mean + spread * z, 0.5), y);
    }
}

/// Draws of each posterior, and the chain's draws that each of NUTS' is taken from.
const DRAWS: usize = 19;
const THIN: usize = 4;
/// With what probability a right count is refused.
const ERROR: f64 = 1e-4;

/// What draws from a model's posterior, nearly independently, with a seed.
type Method = fn(&dyn Model, u64) -> Result<Draws, InferError>;

fn nuts(model: &dyn Model, seed: u64) -> Result<Draws, InferError> {
    let posterior = Nuts::new().warmup(350).chains(1).draws(THIN * DRAWS).seed(seed).run(model)?;
    Ok(posterior.draws().thin(THIN)?)
}

fn laplace(model: &dyn Model, seed: u64) -> Result<Draws, InferError> {
    Ok(Laplace::new().seed(seed).fit(model)?.draws(DRAWS)?.draws().clone())
}

fn dadvi(model: &dyn Model, seed: u64) -> Result<Draws, InferError> {
    Ok(Dadvi::new().seed(seed).fit(model)?.fit.draws(DRAWS)?.draws().clone())
}

fn pathfinder(model: &dyn Model, seed: u64) -> Result<Draws, InferError> {
    Ok(Pathfinder::new().seed(seed).fit(model)?.draws(DRAWS)?.draws().clone())
}

fn advi(family: Advi, model: &dyn Model, seed: u64) -> Result<Draws, InferError> {
    let settings = family.steps(3000).optimiser(Adam::new(2e-2)).check_draws(100).seed(seed);
    Ok(settings.fit(model)?.draws(DRAWS)?.draws().clone())
}

fn full_rank(model: &dyn Model, seed: u64) -> Result<Draws, InferError> {
    advi(Advi::full_rank(), model, seed)
}

fn low_rank(model: &dyn Model, seed: u64) -> Result<Draws, InferError> {
    advi(Advi::low_rank(1), model, seed)
}

fn mean_field(model: &dyn Model, seed: u64) -> Result<Draws, InferError> {
    advi(Advi::mean_field(), model, seed)
}

fn flow(model: &dyn Model, seed: u64) -> Result<Draws, InferError> {
    advi(Advi::flow(Layer::Planar, 4), model, seed)
}

fn simulate<M: Model>(
    simulations: usize,
    model: impl Fn(Option<Vec<f64>>) -> M + Sync,
    method: Method,
) -> CalibrationResult {
    let calibration = Calibration::new().simulations(simulations).draws(DRAWS).seed(7);
    let fit = |simulation: &Simulation<'_>, seed| method(&model(Some(simulation.values("y")?)), seed);
    calibration.run(&model(None), fit).unwrap()
}

/// The parameters and probabilities whose intervals cover too rarely or too often for a tolerance.
fn off(result: &CalibrationResult, tolerance: f64) -> Vec<String> {
    let mut off = Vec::new();
    for parameter in result.parameters() {
        for prob in [0.5, 0.8] {
            let coverage = result.coverage(&parameter.name, prob).unwrap();
            if !coverage.agrees(tolerance, ERROR) {
                off.push(format!("{}: {coverage}", parameter.name));
            }
        }
    }
    off
}

#[test]
fn nuts_recovers_parameters() {
    let of_line = simulate(80, line, nuts);
    let results = [of_line.clone(), simulate(80, rate, nuts), simulate(80, groups, nuts)];
    for result in &results {
        assert_eq!(off(result, 0.0), [""; 0]);
        for parameter in result.parameters() {
            // 4 standard errors of a mean of 80; 19 draws make scores a tenth wider than normal ones.
            assert!(parameter.mean_z().abs() < 0.5, "{}: {}", parameter.name, parameter.mean_z());
        }
    }
    // The posterior precision of slope and level is [[1 + 91 / 0.49, 21 / 0.49], [21 / 0.49, 1/9 + 6 / 0.49]]: variances
    // 0.0263 and 0.397, of which the priors had 1 and 9. The variance of 80 truths has an error of a sixth.
    for (parameter, left) in of_line.parameters().iter().zip([0.0263, 0.397 / 9.0]) {
        assert!((1.0 - parameter.contraction()).ln() - f64::ln(left) < 0.7, "{}", parameter.contraction());
        assert!((1.0 - parameter.contraction()).ln() - f64::ln(left) > -0.7, "{}", parameter.contraction());
    }
}

/// Normal laws are exact for the line and near a rate, which is skewed; a full-rank one is too narrow for the spread of a
/// hierarchy.
#[test]
fn approximations_recover_parameters_within_their_tolerance() {
    for (name, method, of_rate) in [
        ("Laplace", laplace as Method, 0.1),
        ("DADVI", dadvi, 0.05),
        ("Pathfinder", pathfinder, 0.05),
        ("full rank", full_rank, 0.05),
    ] {
        assert_eq!(off(&simulate(80, line, method), 0.0), [""; 0], "{name}");
        assert_eq!(off(&simulate(80, rate, method), of_rate), [""; 0], "{name}");
    }
    assert_eq!(off(&simulate(80, groups, full_rank), 0.3), [""; 0]);
    assert_eq!(off(&simulate(80, rate, mean_field), 0.05), [""; 0]);
}

/// Rows enough to be seen in batches.
const ROWS: usize = 100;
const BATCH: usize = 25;

model! {
    fn rows(x: Array1<f64>, y: Option<Array1<f64>>) {
        let slope = sample!("slope", Normal::new(0.0, 1.0));
        let level = sample!("level", Normal::new(0.0, 3.0));
        observe!("y", Normal::new(level + slope * &x, 0.7), y);
    }
}

/// Draws of a stochastic gradient sampler, so many iterations apart, of simulated rows.
fn in_batches<K: StochasticKernel>(settings: StochasticGradient<K>, thin: usize) -> CalibrationResult {
    let x = Array1::from_shape_fn(ROWS, |i| 1.5 * (i as f64 * 0.7).sin());
    let settings = settings.chains(1).threads(1).thin(thin).draws(DRAWS);
    let calibration = Calibration::new().simulations(80).draws(DRAWS).seed(7);
    let result = calibration.run(&rows(x.clone(), None), |simulation, seed| {
        let y = Array1::from(simulation.values("y")?);
        let batches = Minibatch::new((x.clone(), y), BATCH).unwrap().model(|(x, y)| rows(x, Some(y)));
        Ok(settings.clone().seed(seed).run(&batches)?.draws().clone())
    });
    result.unwrap()
}

/// Their bias goes with the step size: at these steps it is a few per cent of a variance. Were the energy of a start far from
/// the mode not let off before the thermostat learns, its intervals of 80 % would cover 45 % of the time.
#[test]
fn stochastic_gradients_recover_parameters() {
    let results = [
        ("SGLD", in_batches(Sgld::new(), 200)),
        ("pSGLD", in_batches(Psgld::new(), 200)),
        ("SGHMC", in_batches(Sghmc::new(), 100)),
        ("SGNHT", in_batches(Sgnht::new(), 100)),
        ("SGFS", in_batches(Sgfs::new(), 200)),
        ("CSG", in_batches(Csg::new(), 20)),
    ];
    for (name, result) in results {
        assert_eq!(off(&result, 0.05), [""; 0], "{name}");
    }
}

/// A mean-field law is too narrow for coordinates that hang together: with correlation -0.89 it has 0.45 of their standard
/// deviations, so that its intervals of 80 % cover 44 % of the time.
#[test]
fn narrow_intervals_are_found_out() {
    let result = simulate(80, line, mean_field);
    assert!(!result.ok());
    assert!(off(&result, 0.1).iter().any(|o| o.contains("80 %")), "{:?}", off(&result, 0.1));
}

#[test]
#[ignore = "prints the table of docs/calibration.md; takes minutes"]
fn print_the_table() {
    let methods: [(&str, Method); 8] = [
        ("NUTS", nuts),
        ("Pathfinder", pathfinder),
        ("DADVI", dadvi),
        ("Laplace", laplace),
        ("ADVI, full rank", full_rank),
        ("ADVI, low rank (1)", low_rank),
        ("ADVI, planar flow", flow),
        ("ADVI, mean field", mean_field),
    ];
    for (name, method) in methods {
        let results = [simulate(200, line, method), simulate(200, rate, method), simulate(200, groups, method)];
        let cells = results.iter().map(|result| {
            let worst = |prob: f64| {
                let rates = result.parameters().iter().filter_map(|p| result.coverage(&p.name, prob)).map(|c| c.rate());
                rates.max_by(|a, b| (a - prob).abs().total_cmp(&(b - prob).abs())).unwrap_or(f64::NAN)
            };
            let band = if result.ok() { "inside" } else { "**outside**" };
            format!("{:.0} / {:.0}, {band}", 100.0 * worst(0.5), 100.0 * worst(0.8))
        });
        println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}

#[test]
#[ignore = "draws the picture of docs/calibration.md; look at it before committing"]
fn draw_the_picture() {
    let calibration = Calibration::new().simulations(200).draws(99).thin(THIN).seed(7);
    let by_nuts = calibration.nuts(&Nuts::new(), &line(None), |s| Ok(line(Some(s.values("y")?)))).unwrap();
    let by_advi = calibration.run(&line(None), |simulation, seed| {
        let model = line(Some(simulation.values("y")?));
        let settings = Advi::mean_field().steps(3000).optimiser(Adam::new(2e-2)).check_draws(100).seed(seed);
        Ok(settings.fit(&model)?.draws(99)?.draws().clone())
    });
    let mut plot = CalibrationPlot::new(99);
    for (method, result) in [("NUTS", by_nuts), ("mean-field ADVI", by_advi.unwrap())] {
        let curve = result.curve("slope").unwrap();
        let ranks = &result.parameters().iter().find(|p| p.name == "slope").unwrap().ranks;
        let band = (&curve.lower[..], &curve.upper[..]);
        plot = plot.parameter(format!("slope, {method}"), ranks, &curve.at, &curve.difference, band).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/images/calibration.png");
    Figure::new(plot).save(path).unwrap();
}
