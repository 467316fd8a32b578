//! Every family: its derivatives against differences, its density against its draws, and fits that only it gets right.

use ndarray::Array1;
use ppl_autodiff::Var;
use ppl_autodiff::random::{Philox, Purpose};
use ppl_core::dist::Normal;
use ppl_core::{Distribution, model, observe, sample};
use ppl_infer::variational::family::Family;
use ppl_infer::variational::{Advi, Estimator, FamilyKind, Layer, Scale};

mod common;
use common::densities::{self, Function};

fn catalogue() -> Vec<FamilyKind> {
    vec![
        FamilyKind::MeanField(Scale::Softplus),
        FamilyKind::MeanField(Scale::Exp),
        FamilyKind::FullRank,
        FamilyKind::LowRank(2),
        FamilyKind::Blocks(vec![(3, FamilyKind::FullRank), (1, FamilyKind::MeanField(Scale::Softplus))]),
        FamilyKind::Flow(Layer::Planar, 3),
        FamilyKind::Flow(Layer::InverseAutoregressive, 2),
    ]
}

const DIM: usize = 4;

/// A family away from its start, and some noise.
fn family(kind: &FamilyKind, seed: u64) -> (Box<dyn Family>, Vec<f64>, Vec<f64>) {
    let family = kind.build(DIM).unwrap();
    let mut params = vec![0.0; family.params()];
    family.start(&[0.3, -0.2, 0.1, 0.5], 0.8, &mut params);
    let mut random = Philox::new(seed, Purpose::Variational, 0, 0);
    params.iter_mut().for_each(|p| *p += 0.2 * random.standard_normal());
    let mut noise = vec![0.0; family.noise()];
    random.fill_standard_normal(&mut noise);
    (family, params, noise)
}

/// The draw and log q there.
fn evaluate(family: &mut dyn Family, params: &[f64], noise: &[f64]) -> (Vec<f64>, f64) {
    let mut x = vec![0.0; DIM];
    family.update(params);
    family.draw(params, noise, &mut x);
    let log_q = family.log_density(params, noise, &x);
    (x, log_q)
}

/// Central differences of a third-order accurate step: 1e-8 of rounding and truncation, times the size of the numbers.
#[test]
fn derivatives_are_those_of_draws_and_entropies() {
    const STEP: f64 = 1e-5;
    for kind in catalogue() {
        let (mut family, params, noise) = family(&kind, 4);
        let adjoint = [0.7, -1.1, 0.4, 0.9];
        let (x, _) = evaluate(&mut *family, &params, &noise);
        let (mut by_draw, mut by_entropy) = (vec![0.0; params.len()], vec![0.0; params.len()]);
        family.pull_back(&params, &noise, &x, &adjoint, 1.5, &mut by_draw);
        family.pull_back_entropy(&params, &noise, &x, 2.0, &mut by_entropy);
        let closed = family.entropy().is_some();
        let mut at = |i: usize, step: f64| {
            let mut moved = params.clone();
            moved[i] += step;
            let (x, log_q) = evaluate(&mut *family, &moved, &noise);
            let along: f64 = x.iter().zip(adjoint).map(|(x, a)| x * a).sum();
            (1.5 * along, 2.0 * family.entropy().unwrap_or(-log_q))
        };
        for i in 0..params.len() {
            let (up, down) = (at(i, STEP), at(i, -STEP));
            let want = [(up.0 - down.0) / (2.0 * STEP), (up.1 - down.1) / (2.0 * STEP)];
            assert!(
                (by_draw[i] - want[0]).abs() < 1e-7 * (1.0 + want[0].abs()),
                "{kind:?} {i}: {} {want:?}",
                by_draw[i]
            );
            let got = by_entropy[i];
            assert!((got - want[1]).abs() < 1e-7 * (1.0 + want[1].abs()), "{kind:?} {i} {closed}: {got} {want:?}");
        }
    }
}

/// log q by the change of variables, ln N(noise) - ln |det dx/dnoise| with the Jacobian by differences, where there is as
/// much noise as there are coordinates.
#[test]
fn densities_are_those_of_the_draws() {
    const STEP: f64 = 1e-5;
    for kind in catalogue().iter().filter(|k| !matches!(k, FamilyKind::LowRank(_))) {
        let (mut family, params, noise) = family(kind, 5);
        let (_, log_q) = evaluate(&mut *family, &params, &noise);
        let mut jacobian = vec![vec![0.0; DIM]; DIM];
        for j in 0..DIM {
            let mut moved = |step: f64| {
                let mut noise = noise.clone();
                noise[j] += step;
                evaluate(&mut *family, &params, &noise).0
            };
            let (up, down) = (moved(STEP), moved(-STEP));
            (0..DIM).for_each(|i| jacobian[i][j] = (up[i] - down[i]) / (2.0 * STEP));
        }
        let squares: f64 = noise.iter().map(|z| z * z).sum();
        let want = -0.5 * squares - 0.5 * DIM as f64 * (2.0 * std::f64::consts::PI).ln() - determinant(jacobian).ln();
        assert!((log_q - want).abs() < 1e-7, "{kind:?}: {log_q} {want}");
    }
}

/// The absolute determinant, by elimination.
fn determinant(mut a: Vec<Vec<f64>>) -> f64 {
    let n = a.len();
    let mut product = 1.0;
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
        a.swap(k, pivot);
        product *= a[k][k];
        let row = a[k].clone();
        for below in &mut a[k + 1..] {
            let factor = below[k] / row[k];
            below.iter_mut().zip(&row).for_each(|(b, r)| *b -= factor * r);
        }
    }
    product.abs()
}

/// The entropy is the mean of -log q over draws: five standard errors of 20,000. The score is the slope of log q: its mean
/// outer product with x - mean is minus the identity (Stein), here along the diagonal.
#[test]
fn entropies_and_scores() {
    for kind in catalogue() {
        let (mut family, params, mut noise) = family(&kind, 6);
        let Some(entropy) = ({
            family.update(&params);
            family.entropy()
        }) else {
            continue;
        };
        let mut centre = vec![0.0; DIM];
        family.centre(&params, &mut centre);
        let n = 20_000;
        let mut score = vec![0.0; DIM];
        let (mut sum, mut squares, mut stein) = (0.0, 0.0, vec![0.0; DIM]);
        for i in 0..n {
            Philox::new(9, Purpose::Variational, 0, i).fill_standard_normal(&mut noise);
            let (x, log_q) = evaluate(&mut *family, &params, &noise);
            sum -= log_q / f64::from(n);
            squares += log_q * log_q / f64::from(n);
            assert!(family.score(&params, &noise, &x, &mut score));
            (0..DIM).for_each(|j| stein[j] += score[j] * (x[j] - centre[j]) / f64::from(n));
        }
        let error = ((squares - sum * sum) / f64::from(n)).sqrt();
        assert!((sum - entropy).abs() < 5.0 * error, "{kind:?}: {sum} {entropy} {error}");
        // (x - mean) score has a standard deviation of 2 to 4: five standard errors are up to 0.14.
        assert!(stein.iter().all(|s| (s + 1.0).abs() < 0.14), "{kind:?}: {stein:?}");
    }
}

/// Equal correlations are one direction: a low-rank law with one holds them, and its ELBO is the log of the mass,
/// `d/2 ln 2 pi + ln det / 2` for a density without its constant.
#[test]
fn low_rank_holds_equal_correlations() {
    let (d, rho) = (8, 0.7);
    let known = densities::equicorrelated(d, rho);
    let fit =
        Advi::low_rank(1).steps(10_000).estimator(Estimator::StickingTheLanding).fit_target(&*known.target).unwrap();
    let log_det = (d as f64 - 1.0) * (1.0 - rho).ln() + (1.0 + (d as f64 - 1.0) * rho).ln();
    let want = 0.5 * d as f64 * (2.0 * std::f64::consts::PI).ln() + 0.5 * log_det;
    let elbo = fit.elbo().unwrap();
    assert!((elbo.mean - want).abs() < 0.002, "{elbo} {want}");
    assert!(fit.converged() && fit.k_hat().unwrap() < 0.7, "{fit}");
    let mean_field = Advi::mean_field().steps(10_000).fit_target(&*known.target).unwrap();
    assert!(mean_field.elbo().unwrap().mean < want - 0.9, "{mean_field}");
}

/// Intercept and slope of uncentred data are correlated, a third site stands alone.
#[test]
fn blocks_by_site() {
    model! {
        fn line(x: Array1<f64>, y: Array1<f64>) {
            let line = sample!("line", Normal::new(0.0, 10.0).expand([2, 1]));
            sample!("other", Normal::new(1.0, 2.0));
            let ones = Array1::<f64>::ones(x.len());
            let columns = ppl_autodiff::stack(&[Var::from(&ones), Var::from(&x)], 1);
            observe!("y", Normal::new(columns.matmul(line).squeeze(-1), 1.0), y);
        }
    }
    let x = Array1::linspace(3.0, 5.0, 20);
    let model = line(x.clone(), x.mapv(|x| 2.0 - 0.5 * x));
    let fit = |advi: Advi| {
        let fit = advi.steps(15_000).estimator(Estimator::StickingTheLanding).fit(&model).unwrap();
        (fit.elbo().unwrap().mean, fit.to_string())
    };
    let (blocks, said) = fit(Advi::sites([("line", FamilyKind::FullRank)]));
    let (full, _) = fit(Advi::full_rank());
    let (narrow, _) = fit(Advi::mean_field());
    assert!((blocks - full).abs() < 0.01 && narrow < full - 0.5, "{blocks} {full} {narrow}\n{said}");
    assert!(said.starts_with("block approximation of `line`"), "{said}");

    let error = Advi::sites([("lines", FamilyKind::FullRank)]).fit(&model).unwrap_err().to_string();
    assert_eq!(error, "there is no latent site `lines` for a block of its own; there are [\"line\", \"other\"]");
}

/// A banana, `x ~ N(0, 1), y ~ N(x^2, 0.3)`, of known mass 1: flows bend, normal laws cannot.
#[test]
fn flows_bend() {
    let target = Function::new(2, |x, g| {
        let off = (x[1] - x[0] * x[0]) / 0.09;
        g[0] = -x[0] + 2.0 * x[0] * off;
        g[1] = -off;
        let constant = -(2.0 * std::f64::consts::PI).ln() - 0.3f64.ln();
        Ok(constant - 0.5 * x[0] * x[0] - 0.5 * 0.09 * off * off)
    });
    let elbo = |advi: Advi| advi.steps(15_000).draws_per_step(4).fit_target(&target).unwrap().elbo().unwrap().mean;
    let full = elbo(Advi::full_rank());
    for (layer, layers, least) in [(Layer::InverseAutoregressive, 2, -0.3), (Layer::Planar, 8, -0.5)] {
        let flow = elbo(Advi::flow(layer, layers));
        assert!(flow > least && flow < 0.05 && full < -0.6, "{layer:?}: {flow} {full}");
    }
}
