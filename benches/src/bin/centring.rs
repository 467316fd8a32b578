//! What the choice of coordinates of hierarchical sites buys: models of the gallery and others, sampled as written,
//! non-centred throughout and as a pilot chooses, as a table on standard output.
//!
//! `centring [--seeds 3] [--only NAME]`; gradients of the pilot and of warm-up count.

use clap::Parser;
use cpu_time::ProcessTime;
use ppl::core::{observe, sample};
use ppl::prelude::*;

/// Coordinates of hierarchical sites, compared.
#[derive(Parser)]
struct Arguments {
    /// Seeds, from 1.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Only models whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// The mean acceptance that step sizes aim at.
    #[arg(long, default_value_t = 0.8)]
    acceptance: f64,
}

model! {
    /// A funnel without data (Neal 2003).
    fn funnel() {
        let log_scale = sample!("log_scale", Normal::new(0.0, 3.0));
        sample!("x", Normal::new(0.0, (0.5 * log_scale).exp()).expand([9]));
    }

    /// Groups of a normal mean.
    fn groups(group: Vec<usize>, y: Array1<f64>, count: usize) {
        let mean = sample!("mean", Normal::new(0.0, 10.0));
        let spread = sample!("spread", HalfNormal::new(5.0));
        let noise = sample!("noise", HalfNormal::new(5.0));
        let level = sample!("level", Normal::new(mean, spread).expand([count]));
        observe!("y", Normal::new(level.gather(0, &group), noise), y);
    }

    /// Houses in counties, an intercept and a slope for each.
    fn slopes(group: Vec<usize>, x: Array1<f64>, y: Array1<f64>, count: usize) {
        let mean = sample!("mean", Normal::new(0.0, 10.0).expand([2]));
        let spread = sample!("spread", HalfNormal::new(1.0).expand([2]));
        let noise = sample!("noise", HalfNormal::new(1.0));
        let effects = sample!("effects", Normal::new(mean, spread).expand([count, 2]));
        let of = |k: usize| effects.index(-1, k).gather(0, &group);
        observe!("y", Normal::new(of(0) + of(1) * &x, noise), y);
    }

    /// Regression with a horseshoe prior.
    fn horseshoe(x: Array2<f64>, y: Array1<f64>) {
        let all = sample!("all", HalfCauchy::new(0.1));
        let each = sample!("each", HalfCauchy::new(all).expand([x.ncols()]));
        let weights = sample!("weights", Normal::new(0.0, each));
        let noise = sample!("noise", HalfNormal::new(2.0));
        observe!("y", Normal::new(Var::from(&x).matmul(weights), noise), y);
    }

    /// Rates of counts, log-normal between groups.
    fn rates(exposure: Array1<f64>, counts: Array1<f64>) {
        let level = sample!("level", Normal::new(0.0, 3.0));
        let spread = sample!("spread", HalfNormal::new(2.0));
        let rate = sample!("rate", LogNormal::new(level, spread).expand([counts.len()]));
        observe!("counts", Poisson::new(rate * &exposure), counts);
    }

    /// Three levels: schools in districts.
    fn nested(school: Vec<usize>, district: Vec<usize>, y: Array1<f64>, districts: usize) {
        let mean = sample!("mean", Normal::new(0.0, 10.0));
        let [between, within, noise] =
            ["between", "within", "noise"].map(|name| sample(name, || HalfNormal::new(3.0)));
        let of_district = sample!("district", Normal::new(mean, between).expand([districts]));
        let of_school = sample!("school", StudentT::new(5.0, of_district.gather(0, &district), within));
        observe!("y", Normal::new(of_school.gather(0, &school), noise), y);
    }

    /// A random walk whose steps are sites of their own.
    fn walk(y: Array1<f64>) {
        let step = sample!("step", HalfNormal::new(1.0));
        let noise = sample!("noise", HalfNormal::new(1.0));
        let mut x = Var::from(0.0);
        for (t, &y) in y.iter().enumerate() {
            x = sample(&format!("x{t}"), || Normal::new(x, step));
            observe(&format!("y{t}"), || Normal::new(x, noise), y);
        }
    }
}

/// Numbers between 0 and 1 that look random, the same everywhere.
fn noise(i: usize) -> f64 {
    (i as f64 * 0.754_877_666).fract()
}

/// About normal, with variance 1.
fn bell(i: usize) -> f64 {
    2.0 * (noise(3 * i) + noise(7 * i + 5) + noise(11 * i + 2) - 1.5)
}

fn grouped(sizes: &[usize], spread: f64, error: f64) -> Box<dyn Model> {
    let group: Vec<usize> = sizes.iter().enumerate().flat_map(|(g, &n)| vec![g; n]).collect();
    let y = group.iter().enumerate().map(|(i, &g)| 3.0 + spread * bell(g + 1000) + error * bell(i)).collect();
    Box::new(groups(group, y, sizes.len()))
}

fn models() -> Vec<(&'static str, Box<dyn Model>)> {
    let mut all: Vec<(&'static str, Box<dyn Model>)> = Vec::new();
    for name in [
        "eight_schools-eight_schools_centered",
        "eight_schools",
        "seeds_data-seeds_stanified_model",
        "rats_data-rats_model",
        "irt_2pl-irt_2pl",
    ] {
        let entry = ppl_gallery::find(name).expect("a posterior of the gallery");
        all.push((name, entry.model().expect("its data")));
    }
    all.push(("funnel", Box::new(funnel())));
    all.push(("groups: 20 of 100, noise small", grouped(&[100; 20], 2.0, 1.0)));
    all.push(("groups: 20 of 2, noise large", grouped(&[2; 20], 0.5, 3.0)));
    all.push(("groups: 20 of 1, of two scales", grouped(&[1; 20], 1.0, 1.0)));
    all.push(("groups: 20 of 5, noise as spread", grouped(&[5; 20], 1.0, 1.0)));
    let sizes: Vec<usize> = (0..30).map(|g| if g % 3 == 0 { 200 } else { 1 }).collect();
    all.push(("groups: 10 of 200, 20 of 1", grouped(&sizes, 1.0, 2.0)));
    let far: Vec<usize> = (0..15).flat_map(|g| vec![g; 4]).collect();
    let y = far.iter().enumerate().map(|(i, &g)| 1e3 + 50.0 * bell(g + 50) + 80.0 * bell(i)).collect();
    all.push(("groups: in other units", Box::new(groups(far, y, 15))));
    let data = ppl_gallery::find("radon_mn-radon_variable_intercept_noncentered");
    let data = data.and_then(|entry| ppl_gallery::Data::parse(entry.data).ok()).expect("data of radon");
    let (group, y) = (data.indices("county_idx", 1).expect("counties"), data.vector("log_radon").expect("radon"));
    let (x, count) = (data.vector("floor_measure").expect("floors"), data.count("J").expect("their number"));
    all.push(("radon, intercepts", Box::new(groups(group.clone(), y.clone(), count))));
    all.push(("radon, slopes", Box::new(slopes(group, x, y, count))));
    let x = Array2::from_shape_fn((60, 20), |(i, j)| bell(20 * i + j));
    let y = Array1::from_shape_fn(60, |i| 2.0 * x[[i, 0]] - x[[i, 7]] + bell(i + 7000));
    all.push(("horseshoe", Box::new(horseshoe(x, y))));
    let exposure = Array1::from_shape_fn(25, |i| [0.5, 3.0, 40.0][i % 3]);
    let counts = Array1::from_shape_fn(25, |i| (exposure[i] * (0.3 + 0.8 * bell(i)).exp()).round());
    all.push(("rates", Box::new(rates(exposure, counts))));
    let district: Vec<usize> = (0..24).map(|s| s / 4).collect();
    let school: Vec<usize> = (0..24).flat_map(|s| vec![s; 1 + 3 * (s % 4)]).collect();
    let y = school.iter().enumerate().map(|(i, &s)| bell(s / 4 + 70) + 0.7 * bell(s + 300) + 1.5 * bell(i)).collect();
    all.push(("nested", Box::new(nested(school, district, y, 6))));
    let mut x = 0.0;
    let y = Array1::from_shape_fn(40, |t| {
        x += 0.3 * bell(t + 4000);
        x + 0.5 * bell(t + 9000)
    });
    all.push(("walk", Box::new(walk(y))));
    all
}

/// What runs with some coordinates gave, over seeds.
struct Outcome {
    /// The smallest bulk ESS for 1000 gradients, the geometric mean of seeds.
    ess: f64,
    /// Of the seed where it is least.
    least: f64,
    gradients: usize,
    pilot: usize,
    divergences: usize,
    r_hat: f64,
    seconds: f64,
}

fn outcome(model: &dyn Model, nuts: &Nuts, seeds: u64) -> Result<Outcome, InferError> {
    let mut all =
        Outcome { ess: 1.0, least: f64::INFINITY, gradients: 0, pilot: 0, divergences: 0, r_hat: 1.0, seconds: 0.0 };
    let begin = ProcessTime::now();
    for seed in 1..=seeds {
        let posterior = nuts.clone().seed(seed).run(model)?;
        let summary = posterior.summary();
        let least = summary.rows().iter().map(|row| row.ess_bulk).fold(f64::INFINITY, f64::min);
        let ess = 1e3 * least / posterior.gradients() as f64;
        all.ess *= ess.powf(1.0 / seeds as f64);
        all.least = all.least.min(ess);
        all.gradients += posterior.gradients() / seeds as usize;
        all.pilot += posterior.pilot_gradients() / seeds as usize;
        all.divergences += posterior.stats().divergences();
        all.r_hat = summary.rows().iter().map(|row| row.r_hat).fold(all.r_hat, f64::max);
    }
    all.seconds = begin.elapsed().as_secs_f64() / seeds as f64;
    Ok(all)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    println!(
        "| model | coordinates | ESS / 1000 gradients | worst seed | gradients | of the pilot | divergences | R-hat | s |"
    );
    println!("| --- | --- | --: | --: | --: | --: | --: | --: | --: |");
    for (name, model) in models().iter().filter(|(name, _)| name.contains(&arguments.only)) {
        let nuts = Nuts::new().threads(1).target_acceptance(arguments.acceptance);
        let chosen = nuts.clone().seed(1).draws(1).chains(1).run(model)?;
        let sites = chosen.centring().iter().map(|c| c.site.clone());
        let forms = [
            ("as written", Centring::AsWritten),
            ("non-centred", Centring::non_centred(sites)),
            ("chosen", Centring::Automatic),
        ];
        for (label, centring) in forms {
            let o = outcome(model, &nuts.clone().centring(centring), arguments.seeds)?;
            println!(
                "| {name} | {label} | {:.1} | {:.1} | {} | {} | {} | {:.3} | {:.3} |",
                o.ess, o.least, o.gradients, o.pilot, o.divergences, o.r_hat, o.seconds
            );
        }
    }
    Ok(())
}
