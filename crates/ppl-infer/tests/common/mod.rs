//! Densities with known moments, and the effective sample size that tests and benchmarks judge draws by.
#![allow(dead_code, missing_docs, reason = "each test program uses a part")]

pub mod batches;
pub mod densities;

use ppl_infer::chain::ChainDraws;

/// Effective sample size of a quantity, `chains[c][i]`: Geyer's initial monotone sequence over the autocovariances
/// averaged over chains, with the variance between chains (Vehtari et al. 2021, section 3, unsplit), at most n log10 n.
pub fn effective_size(chains: &[Vec<f64>]) -> f64 {
    let (m, n) = (chains.len() as f64, chains[0].len());
    let means: Vec<f64> = chains.iter().map(|c| c.iter().sum::<f64>() / n as f64).collect();
    let covariance = |lag: usize| {
        let of = |(c, mean): (&Vec<f64>, &f64)| {
            (0..n - lag).map(|i| (c[i] - mean) * (c[i + lag] - mean)).sum::<f64>() / n as f64
        };
        chains.iter().zip(&means).map(of).sum::<f64>() / m
    };
    let grand = means.iter().sum::<f64>() / m;
    let between = if m > 1.0 { means.iter().map(|x| (x - grand).powi(2)).sum::<f64>() / (m - 1.0) } else { 0.0 };
    let c0 = covariance(0);
    let within = c0 * n as f64 / (n as f64 - 1.0);
    let total = c0 + between;
    let correlation = |lag| 1.0 - (within - covariance(lag) * n as f64 / (n as f64 - 1.0)) / total;
    let (mut tau, mut least) = (-1.0, f64::INFINITY);
    for k in 0..n / 2 - 1 {
        let pair = if k == 0 { 1.0 + correlation(1) } else { correlation(2 * k) + correlation(2 * k + 1) };
        if pair <= 0.0 {
            break;
        }
        least = pair.min(least);
        tau += 2.0 * least;
    }
    let size = m * n as f64;
    (size / tau).min(size * size.log10())
}

/// Splits a function of the draws by chain.
pub fn values(chains: &[ChainDraws], f: impl Fn(&[f64]) -> f64) -> Vec<Vec<f64>> {
    chains.iter().map(|c| c.draws.outer_iter().map(|row| f(row.as_slice().unwrap())).collect()).collect()
}

/// (mean - wanted) in units of its Monte Carlo standard error.
pub fn z_score(chains: &[Vec<f64>], wanted: f64) -> f64 {
    let all: Vec<f64> = chains.iter().flatten().copied().collect();
    let n = all.len() as f64;
    let mean = all.iter().sum::<f64>() / n;
    let sd = (all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    (mean - wanted) * effective_size(chains).sqrt() / sd
}

/// The least effective size over coordinates of the draws and of their squared distances from `means`.
pub fn least_effective_size(chains: &[ChainDraws], means: &[f64]) -> f64 {
    (0..means.len())
        .flat_map(|j| {
            let plain = effective_size(&values(chains, |x| x[j]));
            let square = effective_size(&values(chains, |x| (x[j] - means[j]).powi(2)));
            [plain, square]
        })
        .fold(f64::INFINITY, f64::min)
}
