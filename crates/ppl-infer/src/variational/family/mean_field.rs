//! Independent normal coordinates.

use ppl_autodiff::kernels::elementary;
use serde::{Deserialize, Serialize};

use super::{Family, HALF_LN_2PI};

/// How a free parameter makes a standard deviation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scale {
    /// `sigma = ln(1 + e^rho)`, as in PyMC and NumPyro: large scales move at the speed of the location.
    #[default]
    Softplus,
    /// `sigma = e^w`, as in Stan.
    Exp,
}

impl Scale {
    /// The parameter of a positive standard deviation.
    pub fn inverse(self, sigma: f64) -> f64 {
        match self {
            // ln(e^sigma - 1) = sigma + ln(1 - e^-sigma)
            Self::Softplus => sigma + (-(-sigma).exp_m1()).ln(),
            Self::Exp => sigma.ln(),
        }
    }
}

/// Independent normal coordinates, `x = mu + sigma noise`: 2 d parameters, locations first.
///
/// # Source
/// Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), JMLR 18(14).
#[derive(Clone, Debug)]
pub struct MeanField {
    scale: Scale,
    sigma: Vec<f64>,
    /// d sigma / d parameter.
    slope: Vec<f64>,
    sum_log_sigma: f64,
}

impl MeanField {
    /// Over d coordinates.
    pub fn new(dim: usize, scale: Scale) -> Self {
        Self { scale, sigma: vec![1.0; dim], slope: vec![1.0; dim], sum_log_sigma: 0.0 }
    }
}

/// The sum of logarithms: of products of a few, so that it costs one logarithm for many numbers.
fn sum_ln(x: &[f64]) -> f64 {
    const GROUP: usize = 8;
    let mut sum = 0.0;
    for group in x.chunks(GROUP) {
        let product: f64 = group.iter().product();
        // Eight numbers of reasonable size; where the product leaves the range, one by one.
        sum += if product.is_normal() { product.ln() } else { group.iter().map(|x| x.ln()).sum() };
    }
    sum
}

impl Family for MeanField {
    fn dim(&self) -> usize {
        self.sigma.len()
    }

    fn params(&self) -> usize {
        2 * self.sigma.len()
    }

    fn start(&self, location: &[f64], scale: f64, params: &mut [f64]) {
        let (mu, rho) = params.split_at_mut(self.sigma.len());
        mu.copy_from_slice(location);
        rho.fill(self.scale.inverse(scale));
    }

    fn update(&mut self, params: &[f64]) {
        let rho = &params[self.sigma.len()..];
        match self.scale {
            Scale::Softplus => {
                elementary::softplus(rho, &mut self.sigma);
                elementary::sigmoid(rho, &mut self.slope);
            }
            Scale::Exp => {
                elementary::exp(rho, &mut self.sigma);
                self.slope.copy_from_slice(&self.sigma);
            }
        }
        self.sum_log_sigma = sum_ln(&self.sigma);
    }

    fn keeps_draw(&self) -> bool {
        false
    }

    fn draw(&mut self, params: &[f64], noise: &[f64], x: &mut [f64]) {
        let n = self.sigma.len();
        let (mu, sigma, noise, x) = (&params[..n], &self.sigma[..n], &noise[..n], &mut x[..n]);
        for i in 0..n {
            x[i] = mu[i] + sigma[i] * noise[i];
        }
    }

    fn log_density(&mut self, _params: &[f64], noise: &[f64], _x: &[f64]) -> f64 {
        let squares: f64 = noise.iter().map(|z| z * z).sum();
        -self.sum_log_sigma - 0.5 * squares - HALF_LN_2PI * self.sigma.len() as f64
    }

    fn entropy(&self) -> Option<f64> {
        Some(self.sum_log_sigma + (0.5 + HALF_LN_2PI) * self.sigma.len() as f64)
    }

    fn pull_back(
        &mut self,
        _params: &[f64],
        noise: &[f64],
        _x: &[f64],
        adjoint: &[f64],
        weight: f64,
        gradient: &mut [f64],
    ) {
        let n = self.sigma.len();
        let (by_mu, by_rho) = gradient.split_at_mut(n);
        let (noise, adjoint, slope) = (&noise[..n], &adjoint[..n], &self.slope[..n]);
        for (g, a) in by_mu.iter_mut().zip(adjoint) {
            *g += weight * a;
        }
        for i in 0..n {
            by_rho[i] += weight * adjoint[i] * noise[i] * slope[i];
        }
    }

    fn pull_back_entropy(&mut self, _params: &[f64], _noise: &[f64], _x: &[f64], weight: f64, gradient: &mut [f64]) {
        let n = self.sigma.len();
        for ((g, slope), sigma) in gradient[n..].iter_mut().zip(&self.slope).zip(&self.sigma) {
            *g += weight * slope / sigma;
        }
    }

    fn score(&mut self, _params: &[f64], noise: &[f64], _x: &[f64], out: &mut [f64]) -> bool {
        for ((o, z), sigma) in out.iter_mut().zip(noise).zip(&self.sigma) {
            *o = -z / sigma;
        }
        true
    }

    fn has_moments(&self) -> bool {
        true
    }

    fn pull_back_moments(&mut self, by_mean: &[f64], by_sd: &[f64], gradient: &mut [f64]) {
        let (by_mu, by_rho) = gradient.split_at_mut(self.sigma.len());
        by_mu.iter_mut().zip(by_mean).for_each(|(g, a)| *g += a);
        for ((g, a), slope) in by_rho.iter_mut().zip(by_sd).zip(&self.slope) {
            *g += a * slope;
        }
    }

    fn spread(&self, _params: &[f64], out: &mut [f64]) -> bool {
        out.copy_from_slice(&self.sigma);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_logarithms_survive_extremes() {
        // 20 numbers of 1e-60: their products leave the range.
        assert!((sum_ln(&[1e-60; 20]) - 20.0 * 1e-60f64.ln()).abs() < 1e-9);
        assert!((sum_ln(&[0.5, 2.0, 4.0]) - 4f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn scales_have_inverses() {
        for scale in [Scale::Softplus, Scale::Exp] {
            for sigma in [1e-6, 0.1, 1.0, 50.0] {
                let mut family = MeanField::new(1, scale);
                family.update(&[0.0, scale.inverse(sigma)]);
                assert!((family.sigma[0] / sigma - 1.0).abs() < 1e-12, "{scale:?} {sigma}");
            }
        }
    }
}
