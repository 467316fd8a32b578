//! Targets: closures as densities, normal laws, and what else the tests sample.

use ppl_autodiff::random::{Philox, Purpose};
use ppl_infer::density::{DensityError, LogDensity, Target, TargetSite};

type Evaluation = Result<f64, DensityError>;

/// A function of (point, gradient to write) as a target.
pub struct Function<F> {
    dim: usize,
    f: F,
}

impl<F: Fn(&[f64], &mut [f64]) -> Evaluation + Sync> Function<F> {
    pub fn new(dim: usize, f: F) -> Self {
        Self { dim, f }
    }

    /// The target as a single density.
    pub fn evaluator(&self) -> Evaluator<'_, F> {
        Evaluator(self)
    }
}

pub struct Evaluator<'a, F>(&'a Function<F>);

impl<F: Fn(&[f64], &mut [f64]) -> Evaluation + Sync> LogDensity for Evaluator<'_, F> {
    fn dim(&self) -> usize {
        self.0.dim
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Evaluation {
        (self.0.f)(x, gradient)
    }
}

impl<F: Fn(&[f64], &mut [f64]) -> Evaluation + Sync> Target for Function<F> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn density(&self) -> Box<dyn LogDensity + '_> {
        Box::new(Evaluator(self))
    }
}

/// A target whose coordinates have names.
pub struct Named<'t> {
    pub target: &'t dyn Target,
    pub sites: Vec<(&'static str, usize)>,
}

impl Target for Named<'_> {
    fn dim(&self) -> usize {
        self.target.dim()
    }
    fn density(&self) -> Box<dyn LogDensity + '_> {
        self.target.density()
    }
    fn sites(&self) -> Vec<TargetSite> {
        let site = |&(name, n): &(&str, usize)| TargetSite { name: name.to_owned(), shape: vec![n], coordinates: n };
        self.sites.iter().map(site).collect()
    }
}

/// A target with the means and variances of its coordinates.
pub struct Known {
    pub name: &'static str,
    pub target: Box<dyn Target>,
    pub means: Vec<f64>,
    pub variances: Vec<f64>,
}

/// Independent normal coordinates.
pub fn normal(name: &'static str, means: Vec<f64>, scales: Vec<f64>) -> Known {
    let variances: Vec<f64> = scales.iter().map(|s| s * s).collect();
    let (m, v) = (means.clone(), variances.clone());
    let target = Function::new(means.len(), move |x, g| {
        let mut log_density = 0.0;
        for i in 0..x.len() {
            g[i] = (m[i] - x[i]) / v[i];
            log_density += 0.5 * (x[i] - m[i]) * g[i];
        }
        Ok(log_density)
    });
    Known { name, target: Box::new(target), means, variances }
}

/// Scales 10^-k to 10^k, evenly in the logarithm.
pub fn log_scales(dim: usize, k: f64) -> Vec<f64> {
    (0..dim).map(|i| 10f64.powf(k * (2.0 * i as f64 / (dim as f64 - 1.0) - 1.0))).collect()
}

/// d coordinates of variance 1, each two with correlation rho. The precision matrix is (I - c 11') / (1 - rho) with
/// c = rho / (1 + (d - 1) rho).
pub fn equicorrelated(dim: usize, rho: f64) -> Known {
    let target = Function::new(dim, move |x, g| {
        let c = rho / (1.0 + (x.len() as f64 - 1.0) * rho) * x.iter().sum::<f64>();
        let mut log_density = 0.0;
        for (g, x) in g.iter_mut().zip(x) {
            *g = -(x - c) / (1.0 - rho);
            log_density += 0.5 * x * *g;
        }
        Ok(log_density)
    });
    Known { name: "equicorrelated", target: Box::new(target), means: vec![0.0; dim], variances: vec![1.0; dim] }
}

/// Groups of normal coordinates, each a list of places with a correlation that any two of them have; every coordinate has
/// a scale. Nothing hangs together between the groups.
pub fn grouped(scales: Vec<f64>, groups: Vec<(Vec<usize>, f64)>) -> Known {
    let variances = scales.iter().map(|s| s * s).collect();
    let dim = scales.len();
    let target = Function::new(dim, move |x, g| {
        let mut log_density = 0.0;
        for (places, rho) in &groups {
            let sum: f64 = places.iter().map(|&i| x[i] / scales[i]).sum();
            let c = rho / (1.0 + (places.len() as f64 - 1.0) * rho) * sum;
            for &i in places {
                let y = x[i] / scales[i];
                let slope = -(y - c) / (1.0 - rho);
                log_density += 0.5 * y * slope;
                g[i] = slope / scales[i];
            }
        }
        Ok(log_density)
    });
    Known { name: "groups", target: Box::new(target), means: vec![0.0; dim], variances }
}

/// Independent Student t with df degrees of freedom: variance df / (df - 2).
pub fn student_t(dim: usize, df: f64) -> Known {
    let target = Function::new(dim, move |x, g| {
        let mut log_density = 0.0;
        for (g, x) in g.iter_mut().zip(x) {
            log_density -= 0.5 * (df + 1.0) * (x * x / df).ln_1p();
            *g = -(df + 1.0) * x / (df + x * x);
        }
        Ok(log_density)
    });
    let variances = vec![df / (df - 2.0); dim];
    Known { name: "Student t", target: Box::new(target), means: vec![0.0; dim], variances }
}

/// Neal's funnel, centred: v ~ N(0, 3), x_i ~ N(0, e^{v/2}).
pub fn funnel(dim: usize) -> Known {
    let target = Function::new(dim, |x, g| {
        let (v, rest) = (x[0], &x[1..]);
        let precision = (-v).exp();
        let squares: f64 = rest.iter().map(|x| x * x).sum();
        g[0] = -v / 9.0 - 0.5 * rest.len() as f64 + 0.5 * precision * squares;
        for (g, x) in g[1..].iter_mut().zip(rest) {
            *g = -precision * x;
        }
        Ok(-v * v / 18.0 - 0.5 * rest.len() as f64 * v - 0.5 * precision * squares)
    });
    let mut variances = vec![(4.5f64).exp(); dim];
    variances[0] = 9.0;
    Known { name: "funnel, centred", target: Box::new(target), means: vec![0.0; dim], variances }
}

/// Posterior of a logistic regression with standard normal weights, 200 made rows of correlated, unequally scaled
/// predictors.
pub fn logistic(dim: usize) -> Box<dyn Target> {
    let mut random = Philox::new(5, Purpose::PriorPredictive, 0, 0);
    let rows: Vec<(Vec<f64>, f64)> = (0..200)
        .map(|_| {
            let common = random.standard_normal();
            let mut row: Vec<f64> = (0..dim).map(|_| 0.6 * common + 0.8 * random.standard_normal()).collect();
            let eta: f64 = row.iter().enumerate().map(|(j, x)| x * (j as f64).sin()).sum();
            row.iter_mut().enumerate().for_each(|(j, x)| *x *= 3f64.powf(j as f64 / dim as f64 * 4.0 - 2.0));
            (row, f64::from(random.uniform() < 1.0 / (1.0 + (-eta).exp())))
        })
        .collect();
    Box::new(Function::new(dim, move |w, g| {
        let mut log_density = -0.5 * w.iter().map(|w| w * w / 100.0).sum::<f64>();
        g.iter_mut().zip(w).for_each(|(g, w)| *g = -w / 100.0);
        for (row, y) in &rows {
            let eta: f64 = row.iter().zip(w).map(|(x, w)| x * w).sum();
            log_density += y * eta - (eta.max(0.0) + (-eta.abs()).exp().ln_1p());
            let residual = y - 1.0 / (1.0 + (-eta).exp());
            g.iter_mut().zip(row).for_each(|(g, x)| *g += residual * x);
        }
        Ok(log_density)
    }))
}

/// Rubin's eight schools, non-centred: mu ~ N(0, 5), tau ~ half-Cauchy(5) by its logarithm, eta_i ~ N(0, 1).
pub fn eight_schools() -> Box<dyn Target> {
    const Y: [f64; 8] = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0];
    const S: [f64; 8] = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0];
    Box::new(Function::new(10, |x, g| {
        let (mu, log_tau) = (x[0], x[1]);
        let tau = log_tau.exp();
        let mut log_density = -mu * mu / 50.0 - (tau * tau / 25.0).ln_1p() + log_tau;
        g[0] = -mu / 25.0;
        g[1] = 1.0 - 2.0 * tau * tau / (25.0 + tau * tau);
        for i in 0..8 {
            let eta = x[2 + i];
            let residual = (Y[i] - mu - tau * eta) / (S[i] * S[i]);
            log_density -= 0.5 * eta * eta + 0.5 * (Y[i] - mu - tau * eta) * residual;
            g[0] += residual;
            g[1] += residual * tau * eta;
            g[2 + i] = -eta + residual * tau;
        }
        Ok(log_density)
    }))
}
