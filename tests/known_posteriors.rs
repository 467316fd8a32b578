//! Posteriors whose means, spreads and quantiles are known, in closed form, by quadrature or from reference draws.
//!
//! Every figure must lie within four Monte Carlo standard errors of the truth: 6.3e-5 of all figures would not if
//! their errors were normal, so that one of the some 240 here would fail by chance with about 1.5 % of all seeds. The
//! seeds are fixed: what passes once passes until the random numbers or the arithmetic change.

use ndarray::{ArrayView2, Ix2};
use ppl::diagnostics::{Warning, ess_mean, ess_quantile, ess_sd, mcse_mean, mcse_quantile, mcse_sd, quantile};
use ppl::infer::Concern;
use ppl::prelude::*;

/// Standard errors that a figure may be off.
const ERRORS: f64 = 4.0;

/// The 95 % point of the standard normal law.
const Z95: f64 = 1.644_853_626_951_472_7;

/// The exact value of a figure, or the figure of so many independent reference draws.
#[derive(Clone, Copy)]
enum Truth {
    Exact,
    Sampled(f64),
}

/// Gathers what is off, so that a failure shows all of it.
struct Check<'p> {
    posterior: &'p Posterior,
    truth: Truth,
    off: Vec<String>,
    worst: f64,
}

impl<'p> Check<'p> {
    fn new(posterior: &'p Posterior, truth: Truth) -> Self {
        Self { posterior, truth, off: Vec::new(), worst: 0.0 }
    }

    /// Draws, `(chain, draw)`, of a scalar site or of a component such as `theta[2]`.
    fn draws(&self, label: &str) -> ArrayView2<'p, f64> {
        let mut components = self.posterior.draws().components();
        components.find(|c| c.label() == label).unwrap().values
    }

    fn figure(&mut self, label: &str, what: &str, got: f64, want: f64, error: f64, size: f64) {
        // Reference draws of the same law know a figure as well as so many of ours would.
        let error = match self.truth {
            Truth::Exact => error,
            Truth::Sampled(reference) => error * (1.0 + size / reference).sqrt(),
        };
        let z = (got - want) / error;
        self.worst = self.worst.max(z.abs());
        // A NaN is off, too.
        if z.is_nan() || z.abs() >= ERRORS {
            self.off.push(format!("{label} {what}: {got:.4}, wanted {want:.4}, {z:.1} errors"));
        }
    }

    fn mean(&mut self, label: &str, x: ArrayView2<f64>, want: f64) {
        let got = x.mean().unwrap();
        self.figure(label, "mean", got, want, mcse_mean(x), ess_mean(x));
    }

    fn quantile(&mut self, label: &str, p: f64, want: f64) {
        let x = self.draws(label);
        let (error, size) = (mcse_quantile(x, p), ess_quantile(x, p));
        self.figure(label, &format!("{p} quantile"), quantile(x, p), want, error, size);
    }

    /// Mean, standard deviation, 5 % and 95 % quantile.
    fn law(&mut self, label: &str, [mean, sd, q05, q95]: [f64; 4]) {
        let x = self.draws(label);
        self.mean(label, x, mean);
        self.figure(label, "sd", x.std(1.0), sd, mcse_sd(x), ess_sd(x));
        self.quantile(label, 0.05, q05);
        self.quantile(label, 0.95, q95);
    }

    fn normal(&mut self, label: &str, mean: f64, sd: f64) {
        self.law(label, [mean, sd, mean - Z95 * sd, mean + Z95 * sd]);
    }

    fn done(self) {
        assert!(self.off.is_empty(), "{}", self.off.join("\n"));
        // Errors that are never large would mean standard errors that are too large.
        assert!(self.worst > 0.5, "nothing is more than {} off", self.worst);
    }
}

fn schools_data() -> (Array1<f64>, Array1<f64>) {
    (array![28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], array![15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
}

/// Mean, sd, 5 % and 95 % quantile from the 10,000 reference draws of posteriordb's `eight_schools-eight_schools_noncentered`
/// (version 1.0; Stan, 10 chains thinned to independence; its centred twin has the same draws). posteriordb is under the
/// BSD 3-Clause licence, Copyright (c) 2011-2024, Stan Developers and their Assignees.
const SCHOOLS: [(&str, [f64; 4]); 10] = [
    ("mu", [4.4105, 3.3093, -0.9362, 9.8321]),
    ("tau", [3.6021, 3.1985, 0.2567, 9.7322]),
    ("theta[0]", [6.1505, 5.6159, -1.6807, 16.3294]),
    ("theta[1]", [4.9396, 4.6456, -2.2180, 12.8168]),
    ("theta[2]", [3.9059, 5.2807, -4.9143, 11.8445]),
    ("theta[3]", [4.7960, 4.7709, -2.6703, 12.6390]),
    ("theta[4]", [3.6144, 4.6147, -4.2647, 10.6027]),
    ("theta[5]", [4.0511, 4.7962, -3.8652, 11.5161]),
    ("theta[6]", [6.3172, 5.0029, -0.8547, 15.3054]),
    ("theta[7]", [4.8840, 5.3177, -3.3172, 13.5496]),
];

model! {
    /// Eight schools, non-centred.
    fn schools_non_centred(y: Array1<f64>, sigma: Array1<f64>) {
        let mu = sample!("mu", Normal::new(0.0, 5.0));
        let tau = sample!("tau", HalfCauchy::new(5.0));
        let z = sample!("z", Normal::new(0.0, 1.0).expand([y.len()]));
        let theta = deterministic!("theta", mu + tau * z);
        observe!("y", Normal::new(theta, &sigma), y);
    }
}

model! {
    /// Eight schools, centred.
    fn schools_centred(y: Array1<f64>, sigma: Array1<f64>) {
        let mu = sample!("mu", Normal::new(0.0, 5.0));
        let tau = sample!("tau", HalfCauchy::new(5.0));
        let theta = sample!("theta", Normal::new(mu, tau).expand([y.len()]));
        observe!("y", Normal::new(theta, &sigma), y);
    }
}

#[test]
fn eight_schools_non_centred_has_the_reference_posterior() {
    let (y, sigma) = schools_data();
    let posterior =
        Nuts::new().draws(5000).target_acceptance(0.95).seed(1).run(&schools_non_centred(y, sigma)).unwrap();
    let mut check = Check::new(&posterior, Truth::Sampled(10_000.0));
    SCHOOLS.iter().for_each(|(label, law)| check.law(label, *law));
    check.done();
    let divergences = posterior.stats().divergences();
    // Where tau is large the likelihood is narrow in z: at an acceptance of 0.8 between 3 and 40 of 20,000 draws diverged in
    // 48 runs, 15 on average, as many as the longest steps of four chains make; fewer only where steps are smaller.
    assert!(divergences <= 20, "{divergences} divergences, more than 0.1 % of the draws");
}

/// In coordinates that a pilot chooses, the centred form is easier than the non-centred one: no divergence at the acceptance
/// of 0.8 in five seeds of 20,000 draws, and twice the effective draws.
#[test]
fn eight_schools_centred_has_the_reference_posterior() {
    let (y, sigma) = schools_data();
    let posterior = Nuts::new().draws(5000).seed(2).run(&schools_centred(y, sigma)).unwrap();
    let mut check = Check::new(&posterior, Truth::Sampled(10_000.0));
    SCHOOLS.iter().for_each(|(label, law)| check.law(label, *law));
    check.done();
    assert_eq!(posterior.stats().divergences(), 0);
    assert!(posterior.warnings().is_empty(), "{:?}", posterior.warnings());
}

/// As it is written it has a funnel, into whose neck only small steps reach (Betancourt 2017, "Diagnosing biased inference
/// with divergences"), and slowly: standard errors are large, and a warning says so.
#[test]
fn eight_schools_centred_as_written_has_the_reference_posterior() {
    let (y, sigma) = schools_data();
    let nuts = Nuts::new().warmup(2000).draws(8000).target_acceptance(0.999).seed(2).centring(Centring::AsWritten);
    let posterior = nuts.run(&schools_centred(y, sigma)).unwrap();
    let mut check = Check::new(&posterior, Truth::Sampled(10_000.0));
    SCHOOLS.iter().for_each(|(label, law)| check.law(label, *law));
    check.done();
    let warned = posterior.warnings();
    assert!(warned.iter().any(|w| matches!(w, Concern::Draws(Warning::LowBfmi { .. }))), "{warned:?}");
}

/// Covariances `s_i s_j 0.9^|i - j|` with scales from 0.1 to 100.
fn covariance() -> (Array1<f64>, Array2<f64>) {
    let scales = Array1::from_shape_fn(10, |i| 10f64.powf(i as f64 / 3.0 - 1.0));
    let entry = |(i, j): (usize, usize)| scales[i] * scales[j] * 0.9f64.powi(i.abs_diff(j) as i32);
    let covariance = Array2::from_shape_fn((10, 10), entry);
    (scales, covariance)
}

model! {
    /// A normal law in ten dimensions, as a factor: the law of the sites is taken out again.
    fn correlated(mean: Array1<f64>, covariance: Array2<f64>) {
        let x = sample!("x", Normal::new(0.0, 1.0).expand([mean.len()]));
        let whitened = Var::from(&covariance).cholesky().solve_lower((x - &mean).expand_dims(-1));
        factor!("normal", 0.5 * x.square().sum() - 0.5 * whitened.square().sum());
    }
}

#[test]
fn a_correlated_normal_law_is_recovered() {
    let (scales, covariance) = covariance();
    let mean = Array1::from_shape_fn(10, |i| scales[i] * (i as f64 - 4.5));
    let model = correlated(mean.clone(), covariance.clone());
    let posterior = Nuts::new().draws(3000).seed(3).run(&model).unwrap();
    let mut check = Check::new(&posterior, Truth::Exact);
    for i in 0..10 {
        check.normal(&format!("x[{i}]"), mean[i], scales[i]);
    }
    for i in 1..10 {
        let centred = |k: usize| &check.draws(&format!("x[{k}]")) - mean[k];
        let product = centred(i - 1) * centred(i);
        let label = format!("covariance of x[{}] and x[{i}]", i - 1);
        check.mean(&label, product.view(), covariance[[i - 1, i]]);
    }
    check.done();
}

model! {
    /// Neal's funnel, non-centred.
    fn funnel(dim: usize) {
        let v = sample!("v", Normal::new(0.0, 3.0));
        let z = sample!("z", Normal::new(0.0, 1.0).expand([dim]));
        deterministic!("x", (0.5 * v).exp() * z);
    }
}

#[test]
fn the_funnel_has_its_quantiles_at_the_mouth_and_in_the_neck() {
    let posterior = Nuts::new().draws(3000).seed(4).run(&funnel(9)).unwrap();
    let mut check = Check::new(&posterior, Truth::Exact);
    check.normal("v", 0.0, 3.0);
    for i in 0..9 {
        check.normal(&format!("z[{i}]"), 0.0, 1.0);
        // P(x <= q) is the mean of Phi(q e^{-v/2}) over v ~ N(0, 3): 0.95 at this q, by the trapezoidal rule on
        // [-30, 30] with 6001 and with 20001 points and bisection. The variance, e^{4.5}, is beyond any sample's reach.
        check.quantile(&format!("x[{i}]"), 0.95, 5.305_451_507_257);
        check.quantile(&format!("x[{i}]"), 0.05, -5.305_451_507_257);
    }
    check.done();
    assert_eq!(posterior.stats().divergences(), 0);
}

const NOISE: f64 = 0.7;
const SLOPE_SCALES: [f64; 3] = [5.0, 2.0, 1.0];

model! {
    /// Linear regression with known noise.
    fn linear(x: Array2<f64>, y: Array1<f64>) {
        let w = sample!("w", Normal::new(0.0, SLOPE_SCALES));
        observe!("y", Normal::new(Var::from(&x).matmul(w), NOISE), y);
    }
}

/// The inverse of a small positive definite matrix and its product with a vector, by Gauss-Jordan elimination.
fn solve(mut a: Array2<f64>, b: &Array1<f64>) -> (Array2<f64>, Array1<f64>) {
    let n = b.len();
    let mut inverse = Array2::eye(n);
    for k in 0..n {
        let pivot = a[[k, k]];
        for m in [&mut a, &mut inverse] {
            m.row_mut(k).mapv_inplace(|v| v / pivot);
        }
        for i in (0..n).filter(|&i| i != k) {
            let share = a[[i, k]];
            for m in [&mut a, &mut inverse] {
                let row = m.row(k).to_owned();
                m.row_mut(i).scaled_add(-share, &row);
            }
        }
    }
    let solution = inverse.dot(b);
    (inverse, solution)
}

#[test]
fn linear_regression_is_conjugate() {
    // Predictors 1, t and a noisy t: correlated, so that the posterior is, too.
    let n = 25;
    let x = Array2::from_shape_fn((n, 3), |(i, j)| {
        let t = i as f64 / 12.0 - 1.0;
        [1.0, t, t + 0.5 * (12.9898 * i as f64).sin()][j]
    });
    let noise = Array1::from_shape_fn(n, |i| NOISE * (78.233 * i as f64).sin());
    let y = x.dot(&array![1.5, -2.0, 0.5]) + &noise;

    // Precision X'X / noise^2 + diag(1 / scale^2), mean the covariance times X'y / noise^2.
    let mut precision = x.t().dot(&x) / NOISE.powi(2);
    for (j, scale) in SLOPE_SCALES.iter().enumerate() {
        precision[[j, j]] += scale.powi(-2);
    }
    let (covariance, mean) = solve(precision, &(x.t().dot(&y) / NOISE.powi(2)));

    let posterior = Nuts::new().draws(3000).seed(5).run(&linear(x, y)).unwrap();
    let mut check = Check::new(&posterior, Truth::Exact);
    for j in 0..3 {
        check.normal(&format!("w[{j}]"), mean[j], covariance[[j, j]].sqrt());
    }
    let centred = |k: usize| &check.draws(&format!("w[{k}]")) - mean[k];
    let product = centred(1) * centred(2);
    check.mean("covariance of the slopes", product.view(), covariance[[1, 2]]);
    check.done();
}

model! {
    /// Logistic regression on one predictor.
    fn logistic(x: Array1<f64>, y: Array1<f64>) {
        let a = sample!("a", Normal::new(0.0, 2.0));
        let b = sample!("b", Normal::new(0.0, 2.0));
        observe!("y", Bernoulli::logits(a + b * &x), y);
    }
}

/// Mean, sd, 5 % and 95 % quantile of a density given on a grid of equal steps: the trapezoidal rule (the density is
/// negligible at the ends), and a distribution function that is linear between points.
fn grid_law(points: &[f64], density: &[f64]) -> [f64; 4] {
    let step = points[1] - points[0];
    let total: f64 = density.iter().sum();
    assert!(density[0].max(density[density.len() - 1]) < 1e-9 * total, "the grid cuts the law");
    let moment = |f: &dyn Fn(f64) -> f64| -> f64 { points.iter().zip(density).map(|(x, d)| f(*x) * d / total).sum() };
    let mean = moment(&|x| x);
    let sd = moment(&|x| (x - mean).powi(2)).sqrt();
    let quantile = |p: f64| {
        let mut below = 0.0;
        for (i, pair) in density.windows(2).enumerate() {
            let cell = 0.5 * (pair[0] + pair[1]) / total;
            if below + cell >= p {
                return points[i] + step * (p - below) / cell;
            }
            below += cell;
        }
        f64::NAN
    };
    [mean, sd, quantile(0.05), quantile(0.95)]
}

#[test]
fn logistic_regression_agrees_with_quadrature() {
    let x = Array1::from_shape_fn(30, |i| (i as f64 - 14.5) / 7.0);
    // Ones grow frequent to the right; a few on either side keep the slope finite.
    let y = array![
        0., 0., 0., 1., 0., 0., 0., 0., 0., 1., 0., 0., 1., 0., 0., 1., 1., 0., 1., 1., 1., 0., 1., 1., 1., 1., 1., 1.,
        0., 1.
    ];
    let steps = 400;
    let a: Vec<f64> = (0..=steps).map(|i| -4.0 + 8.0 * i as f64 / steps as f64).collect();
    let b: Vec<f64> = (0..=steps).map(|i| -2.0 + 10.0 * i as f64 / steps as f64).collect();
    let log_density = |(i, j): (usize, usize)| {
        let (a, b) = (a[i], b[j]);
        let term = |(x, y): (&f64, &f64)| {
            let eta = a + b * x;
            y * eta - eta.max(0.0) - (-eta.abs()).exp().ln_1p()
        };
        x.iter().zip(&y).map(term).sum::<f64>() - (a * a + b * b) / 8.0
    };
    let density = Array2::from_shape_fn((steps + 1, steps + 1), log_density).mapv(f64::exp);

    let posterior = Nuts::new().draws(3000).seed(6).run(&logistic(x, y)).unwrap();
    let mut check = Check::new(&posterior, Truth::Exact);
    check.law("a", grid_law(&a, &density.sum_axis(Axis(1)).to_vec()));
    check.law("b", grid_law(&b, &density.sum_axis(Axis(0)).to_vec()));
    check.done();
}

/// Four errors must be able to fail: the same draws against a law that is off by a fifth of its spread.
#[test]
fn a_wrong_law_is_found_out() {
    let posterior = Nuts::new().draws(1000).seed(4).run(&funnel(1)).unwrap();
    let mut check = Check::new(&posterior, Truth::Exact);
    check.normal("v", 0.6, 3.0);
    check.normal("v", 0.0, 3.6);
    assert!(check.off.len() >= 4, "{:?}", check.off);
    let draws = posterior.get("v").unwrap().view();
    assert_eq!(draws.into_dimensionality::<Ix2>().unwrap().dim(), (4, 1000));
}
