//! The diagonal metric that makes draws and scores of the scaled density look alike: least Fisher divergence.

use super::welford::WelfordDiagonal;

const LIMITS: (f64, f64) = (1e-20, 1e20);
/// Fewer coordinates do not tell noise from spread.
const LEAST_SHRUNK: usize = 10;

/// Running estimate of the diagonal M^-1 = sd(draws) / sd(gradients).
///
/// Among the maps x = mu + sigma y it minimises the mean of |y + d log p / d y|^2, which is zero for a normal law in
/// y. For a normal target with independent coordinates it is exact after two draws, where a variance needs hundreds.
///
/// # Source
/// Seyboldt, Carlson and Carpenter (2026), arXiv:2603.18845.
#[derive(Debug, Clone, PartialEq)]
pub struct FisherDiagonal {
    draws: WelfordDiagonal,
    gradients: WelfordDiagonal,
    /// Sums of products of draws and gradients, both from their means.
    products: Vec<f64>,
}

impl FisherDiagonal {
    /// No observations of `dim` coordinates.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { draws: WelfordDiagonal::new(dim), gradients: WelfordDiagonal::new(dim), products: vec![0.0; dim] }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.draws.clear();
        self.gradients.clear();
        self.products.fill(0.0);
    }

    /// Adds a draw with its gradient.
    pub fn add(&mut self, draw: &[f64], gradient: &[f64]) {
        // One distance from the old mean, one from the new: as in the variances.
        self.gradients.add(gradient);
        let places = draw.iter().zip(self.draws.mean()).zip(gradient.iter().zip(self.gradients.mean()));
        for (((x, old), (g, new)), product) in places.zip(&mut self.products) {
            *product += (x - old) * (g - new);
        }
        self.draws.add(draw);
    }

    /// Number of observations.
    #[must_use]
    pub fn count(&self) -> usize {
        self.draws.count()
    }

    /// The estimate of M^-1; zero or not finite where there is none.
    pub fn inverse_mass(&self) -> impl Iterator<Item = f64> {
        self.draws.variances().zip(self.gradients.variances()).map(|(draw, gradient)| {
            let ratio = (draw / gradient).sqrt();
            if ratio > 0.0 && ratio.is_finite() { ratio.clamp(LIMITS.0, LIMITS.1) } else { f64::NAN }
        })
    }

    /// The estimate with its noise taken out: logarithms move towards their mean by the share of their spread that chance
    /// explains. What chance explains is, for each coordinate, `(1 - r^2) / (n - 1)` with r the correlation of draws and
    /// gradients: nothing for a normal law, whose estimate is exact. Not a number where there is no estimate.
    ///
    /// With few draws of many coordinates the smallest of noisy scales would dictate the step size.
    ///
    /// # Source
    /// Efron and Morris (1973), JASA 68, empirical Bayes.
    #[must_use]
    pub fn shrunk(&self) -> Vec<f64> {
        let mut logs: Vec<f64> = self.inverse_mass().map(f64::ln).collect();
        let divisor = self.count() as f64 - 1.0;
        let known = logs.iter().filter(|x| x.is_finite()).count();
        if known >= LEAST_SHRUNK && divisor > 0.0 {
            let mean = logs.iter().filter(|x| x.is_finite()).sum::<f64>() / known as f64;
            let variances = self.draws.variances().zip(self.gradients.variances());
            let (mut spread, mut noise) = (0.0, 0.0);
            for ((log, product), (draw, gradient)) in logs.iter().zip(&self.products).zip(variances) {
                if log.is_finite() {
                    let covariance = product / divisor;
                    let explained = (covariance * covariance / (draw * gradient)).clamp(0.0, 1.0);
                    noise += (1.0 - explained) / divisor;
                    spread += (log - mean) * (log - mean);
                }
            }
            let weight = if spread > 0.0 { (1.0 - noise / spread).clamp(0.0, 1.0) } else { 1.0 };
            logs.iter_mut().for_each(|log| *log = mean + weight * (*log - mean));
        }
        logs.into_iter().map(f64::exp).collect()
    }

    /// The location that goes with the scales: mean(draws) + M^-1 mean(gradients).
    pub fn location(&self) -> impl Iterator<Item = f64> {
        let means = self.draws.mean().iter().zip(self.gradients.mean());
        self.inverse_mass().zip(means).map(|(scale, (draw, gradient))| draw + scale * gradient)
    }

    /// Means of draws and gradients.
    pub(super) fn means(&self) -> (&[f64], &[f64]) {
        (self.draws.mean(), self.gradients.mean())
    }

    /// A first guess from one gradient: M^-1 = 1 / |g|, and 1 where that is not finite.
    pub fn guess(gradient: &[f64]) -> impl Iterator<Item = f64> {
        gradient.iter().map(|g| {
            let inverse = 1.0 / g.abs();
            if inverse.is_finite() { inverse.clamp(LIMITS.0, LIMITS.1) } else { 1.0 }
        })
    }
}
