//! What the choice of coordinates of hierarchical sites buys: models of the gallery and others, sampled as written,
//! non-centred throughout and as a pilot chooses, as a table on standard output.
//!
//! `centring [--seeds 3] [--only NAME]`; the smallest bulk ESS of all parameters per 1000 gradients, those of the pilot
//! and of warm-up included.

use clap::Parser;
use ndarray::{Array1, Array2};
use ppl::core::Model;
use ppl::core::{observe, sample};
use ppl::infer::{Centring, Nuts};
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
    2.0 * (noise(3 * i) + noise(3 * i + 1) * 0.0 + noise(7 * i + 5) + noise(11 * i + 2) - 1.5)
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    println!(
        "| model | coordinates | ESS / 1000 gradients | gradients | of the pilot | divergences | R-hat | least BFMI | seconds |"
    );
    println!("| --- | --- | --: | --: | --: | --: | --: | --: | --: |");
    for (name, model) in models().iter().filter(|(name, _)| name.contains(&arguments.only)) {
        let mut means: Vec<(&str, ppl::diagnostics::Summary)> = Vec::new();
        for (label, centring) in [("as written", Centring::AsWritten), ("chosen", Centring::Automatic)] {
            if std::env::var("CHOSEN").is_ok() && label == "as written" {
                continue;
            }
            let (mut ess, mut gradients, mut divergences, mut r_hat) = (Vec::new(), 0, 0, 1.0f64);
            let begin = cpu_time::ProcessTime::now();
            for seed in 1..=arguments.seeds {
                let nuts = Nuts::new().seed(seed).threads(1).target_acceptance(arguments.acceptance);
                let posterior = nuts.centring(centring.clone()).run(model)?;
                let summary = posterior.summary();
                let least = summary.rows().iter().map(|r| r.ess_bulk).fold(f64::INFINITY, f64::min);
                ess.push(1e3 * least / posterior.gradients() as f64);
                gradients += posterior.gradients();
                divergences += posterior.stats().diverging.iter().filter(|&&d| d).count();
                r_hat = summary.rows().iter().map(|r| r.r_hat).fold(r_hat, f64::max);
                if seed == 1 {
                    means.push((label, summary));
                }
            }
            let each: Vec<String> = ess.iter().map(|e| format!("{e:.1}")).collect();
            let mean = ess.iter().sum::<f64>() / ess.len() as f64;
            println!(
                "| {name} | {label} | {mean:.1} ({}) | {} | {divergences} | {r_hat:.3} | {:.3} |",
                each.join(", "),
                gradients / arguments.seeds as usize,
                begin.elapsed().as_secs_f64() / arguments.seeds as f64,
            );
        }
        if means.len() < 2 {
            continue;
        }
        let worst =
            means[0].1.rows().iter().zip(means[1].1.rows()).map(|(a, b)| {
                ((a.mean - b.mean) / (a.mcse_mean.powi(2) + b.mcse_mean.powi(2)).sqrt(), a.label.clone())
            });
        let worst = worst.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        eprintln!("   largest difference of means, errors: {worst:?}");
    }
    Ok(())
}
