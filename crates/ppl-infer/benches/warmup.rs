//! Which metric adaptation by default? Gradients of warm-up and effective draws per gradient, on a few densities.
//!
//! `cargo bench -p ppl-infer --bench warmup`. Each line: 4 chains, medians over 5 seeds. "worst ess" is the least
//! over coordinates and their squares; ess/grad counts gradients while sampling, all/grad those of warm-up too.

use std::sync::atomic::AtomicBool;

use ppl_infer::adapt::MetricAdaptation::{self, FisherBlocks, FisherDiagonal, StanDense, StanDiagonal};
use ppl_infer::adapt::SiteGroups;
use ppl_infer::density::Target;
use ppl_infer::observe::Silent;
use ppl_infer::runner::Nuts;

#[path = "../tests/common/mod.rs"]
mod common;
use common::densities;
use common::least_effective_size;

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

fn measure(name: &str, target: &dyn Target, warmup: usize, metric: &MetricAdaptation, jitter: f64) {
    let mut columns: [Vec<f64>; 7] = Default::default();
    for seed in 0..5 {
        let settings =
            Nuts::new().warmup(warmup).draws(1000).metric(metric.clone()).seed(seed).step_size_jitter(jitter);
        let Ok(chains) = settings.sample_chains(target, &Silent, &AtomicBool::new(false)) else {
            return;
        };
        let count = chains.iter().map(|c| c.stats.len()).sum::<usize>() as f64;
        let means: Vec<f64> =
            (0..target.dim()).map(|j| chains.iter().map(|c| c.draws.column(j).sum()).sum::<f64>() / count).collect();
        let ess = least_effective_size(&chains, &means);
        let warm: usize = chains.iter().map(|c| c.warmup_gradients).sum();
        let all: usize = chains.iter().map(|c| c.gradients).sum();
        let stats = || chains.iter().flat_map(|c| &c.stats);
        let row = [
            warm as f64,
            (all - warm) as f64,
            ess,
            ess / (all - warm) as f64,
            ess / all as f64,
            stats().map(|s| s.acceptance_rate).sum::<f64>() / count,
            stats().filter(|s| s.diverging).count() as f64,
        ];
        columns.iter_mut().zip(row).for_each(|(c, x)| c.push(x));
    }
    let [warm, sampling, ess, per, total, acceptance, divergences] = columns.map(median);
    println!(
        "{name:24} {warmup:5} {:15} {jitter:4.1} {warm:9.0} {sampling:9.0} {ess:8.0} {per:9.4} {total:9.4} {acceptance:6.3} {divergences:5.0}",
        format!("{metric:?}").replace("(SiteGroups(All))", "")
    );
}

fn main() {
    println!(
        "{:24} {:>5} {:15} {:>4} {:>9} {:>9} {:>8} {:>9} {:>9} {:>6} {:>5}",
        "density",
        "warm",
        "metric",
        "jit",
        "warm grad",
        "samp grad",
        "min ess",
        "ess/grad",
        "all/grad",
        "accept",
        "div"
    );
    let normal = densities::normal("normal", vec![0.0; 100], vec![1.0; 100]);
    let scaled = densities::normal("scales 1e-2..1e2", vec![0.0; 100], densities::log_scales(100, 2.0));
    let correlated = densities::equicorrelated(10, 0.9);
    let student = densities::student_t(10, 5.0);
    let funnel = densities::funnel(5);
    let logistic = densities::logistic(20);
    let schools = densities::eight_schools();
    let cases: [(&str, &dyn Target); 7] = [
        ("normal, 100", &*normal.target),
        ("scales 1e-2..1e2, 100", &*scaled.target),
        ("correlated 0.9, 10", &*correlated.target),
        ("Student t(5), 10", &*student.target),
        ("funnel, centred, 5", &*funnel.target),
        ("logistic regression, 20", &*logistic),
        ("eight schools, 10", &*schools),
    ];
    for (name, target) in cases {
        for warmup in [300, 1000] {
            for metric in [StanDiagonal, FisherDiagonal] {
                for jitter in [0.0, 0.1] {
                    measure(name, target, warmup, &metric, jitter);
                }
            }
            for metric in [StanDense, FisherBlocks(SiteGroups::all())] {
                measure(name, target, warmup, &metric, 0.0);
            }
        }
    }
}
