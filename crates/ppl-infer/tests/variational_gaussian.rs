//! Fits of normal laws, where everything is known: mean, covariance, and an ELBO that is the log of the normalising
//! constant when the family holds the law.

use ppl_infer::density::Target;
use ppl_infer::variational::{Advi, Estimator, FamilyKind, VariationalFit};

mod common;
use common::densities::{self, Function};

const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

/// A normal law over three coordinates with mean (1, -2, 0.5) and covariance L L', normalised to total mass e^2.
const FACTOR: [[f64; 3]; 3] = [[0.8, 0.0, 0.0], [0.5, 0.6, 0.0], [-0.9, 0.4, 1.5]];
const MEAN: [f64; 3] = [1.0, -2.0, 0.5];

fn normal() -> Box<dyn Target> {
    Box::new(Function::new(3, |x, g| {
        // z = L^-1 (x - mean), g = -L'^-1 z.
        let mut z = [0.0; 3];
        for i in 0..3 {
            let rest: f64 = (0..i).map(|j| FACTOR[i][j] * z[j]).sum();
            z[i] = (x[i] - MEAN[i] - rest) / FACTOR[i][i];
        }
        let mut s = z;
        for i in (0..3).rev() {
            let rest: f64 = FACTOR.iter().zip(s).skip(i + 1).map(|(row, s)| row[i] * s).sum();
            s[i] = (z[i] - rest) / FACTOR[i][i];
            g[i] = -s[i];
        }
        let log_det: f64 = (0..3).map(|i| FACTOR[i][i].ln()).sum();
        Ok(2.0 - 0.5 * z.iter().map(|z| z * z).sum::<f64>() - log_det - 3.0 * HALF_LN_2PI)
    }))
}

fn covariance(i: usize, j: usize) -> f64 {
    (0..3).map(|k| FACTOR[i][k] * FACTOR[j][k]).sum()
}

/// Sticking the landing the gradient's variance vanishes at the optimum, so that the fit is exact up to the last learning
/// rate, not up to Monte Carlo error.
#[test]
fn full_rank_is_exact() {
    let target = normal();
    let fit = Advi::full_rank().steps(8000).estimator(Estimator::StickingTheLanding).fit_target(&*target).unwrap();
    let params = fit.params();
    let mut row = 3;
    for i in 0..3 {
        assert!((params[i] - MEAN[i]).abs() < 1e-4, "{params:?}");
        for want in &FACTOR[i][..=i] {
            assert!((params[row] - want).abs() < 1e-4, "{params:?}");
            row += 1;
        }
    }
    let elbo = fit.elbo().unwrap();
    assert!((elbo.mean - 2.0).abs() < 1e-4 && elbo.error < 1e-4, "{elbo}");
    assert!(fit.converged(), "{fit}");
    // The ratios are constant up to that precision: no tail to speak of.
    let said = fit.to_string();
    assert!(said.starts_with("full-rank approximation of `target`: 8000 steps of Adam"), "{said}");
}

/// The optimum of a mean-field family has variances 1 / precision and the ELBO is short by half the log of
/// `prod(1 / variance of the family) / det(precision)`, as the variances of the family are smaller.
#[test]
fn mean_field_has_the_known_optimum() {
    let target = normal();
    let fit = Advi::mean_field().steps(20_000).seed(2).fit_target(&*target).unwrap();
    // Precision = L'^-1 L^-1; its diagonal from the columns of L^-1.
    let [a, b, c] = [FACTOR[0][0], FACTOR[1][1], FACTOR[2][2]];
    let inverse = [
        [1.0 / a, 0.0, 0.0],
        [-FACTOR[1][0] / (a * b), 1.0 / b, 0.0],
        [(FACTOR[1][0] * FACTOR[2][1] - FACTOR[2][0] * b) / (a * b * c), -FACTOR[2][1] / (b * c), 1.0 / c],
    ];
    let precision = |i: usize| -> f64 { (0..3).map(|k| inverse[k][i] * inverse[k][i]).sum() };
    let mut family = FamilyKind::MeanField(Default::default()).build(3).unwrap();
    family.update(fit.params());
    let mut sd = [0.0; 3];
    assert!(family.spread(fit.params(), &mut sd));
    for i in 0..3 {
        let want = precision(i).powf(-0.5);
        // Averaged iterates: within 3 % of a standard deviation.
        assert!((sd[i] / want - 1.0).abs() < 0.03, "{i}: {sd:?} {want}");
        assert!((fit.params()[i] - MEAN[i]).abs() < 0.03 * want, "{:?}", fit.params());
    }
    let log_det: f64 = (0..3).map(|i| FACTOR[i][i].ln()).sum();
    let want = 2.0 - 0.5 * (0..3).map(|i| precision(i).ln()).sum::<f64>() - log_det;
    let elbo = fit.elbo().unwrap();
    assert!((elbo.mean - want).abs() < 5.0 * elbo.error + 0.003, "{elbo} {want}");
    assert!((fit.mean_elbo(1000) - want).abs() < 0.5 && fit.converged(), "{fit}");
}

/// 4000 independent draws: five standard errors of a mean are 0.08 standard deviations, of a covariance 0.08 to 0.11 in
/// units of the product of the standard deviations.
#[test]
fn draws_have_the_moments_of_the_approximation() {
    let target = normal();
    let fit = Advi::full_rank().steps(8000).estimator(Estimator::StickingTheLanding).fit_target(&*target).unwrap();
    let posterior = fit.draws(4000).unwrap();
    let draws = posterior.get("x").unwrap();
    assert_eq!(draws.shape(), [1, 4000, 3]);
    let mean = posterior.mean("x").unwrap();
    for i in 0..3 {
        assert!((mean[i] - MEAN[i]).abs() < 0.08 * covariance(i, i).sqrt());
        for j in 0..3 {
            let products = (0..4000).map(|k| (draws[[0, k, i]] - mean[i]) * (draws[[0, k, j]] - mean[j]));
            let size = (covariance(i, i) * covariance(j, j)).sqrt();
            let got = products.sum::<f64>() / 3999.0;
            assert!((got - covariance(i, j)).abs() < 0.12 * size, "{i} {j}: {got}");
        }
    }
    // Converged, and the family holds the law: nothing speaks against the draws. The same draws again are the same.
    assert!(posterior.warnings().is_empty(), "{:?}", posterior.warnings());
    assert_eq!(fit.draws(10).unwrap().get("x").unwrap().as_slice(), draws.as_slice().map(|d| &d[..30]));
    let centre = fit.at_mean().unwrap();
    let centre = centre.get("x").unwrap();
    assert_eq!(centre.shape(), [1, 1, 3]);
    assert_eq!(centre.as_slice().unwrap(), &fit.params()[..3]);
}

fn fit_funnel(family: Advi) -> (f64, String) {
    let target = densities::funnel(10).target;
    let fit: VariationalFit = family.steps(10_000).fit_target(&*target).unwrap();
    let posterior = fit.draws(100).unwrap();
    let concerns = posterior.warnings().iter().map(ToString::to_string).collect();
    (fit.k_hat().unwrap(), concerns)
}

/// No normal law is close to the centred funnel, and the fit says so.
#[test]
fn k_hat_flags_the_funnel() {
    for advi in [Advi::mean_field().seed(1), Advi::mean_field().seed(2), Advi::full_rank().seed(3)] {
        let (k_hat, concerns) = fit_funnel(advi);
        // 0.77 to 1.25 over thirty seeds; from 64,000 draws 0.85 to 1.05.
        assert!(k_hat > 0.7, "{k_hat}");
        assert!(concerns.contains("far from the posterior"), "{concerns}");
    }
}

/// A rate that is too low for the way to go: not converged, and the reasons are told.
#[test]
fn a_fit_that_did_not_arrive_says_so() {
    let target = normal();
    let fit = Advi::pymc().steps(300).fit_target(&*target).unwrap();
    assert!(!fit.converged(), "{fit}");
    assert!(fit.to_string().contains("not converged: the gradient is not zero"), "{fit}");
    let concerns = fit.draws(50).unwrap().warnings();
    assert!(concerns[0].to_string().starts_with("The approximation has not converged"), "{}", concerns[0]);
    // And goes on from there.
    let before = fit.elbo().unwrap().mean;
    let fit = fit.refine(30_000).unwrap();
    assert_eq!((fit.steps(), fit.history().len()), (30_300, 30_300));
    assert!(fit.elbo().unwrap().mean > before + 1.0 && fit.converged(), "{fit}");
}
