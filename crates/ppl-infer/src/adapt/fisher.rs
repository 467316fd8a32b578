//! The diagonal metric that makes draws and scores of the scaled density look alike: least Fisher divergence.

use super::welford::WelfordDiagonal;

const LIMITS: (f64, f64) = (1e-20, 1e20);

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
}

impl FisherDiagonal {
    /// No observations of `dim` coordinates.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { draws: WelfordDiagonal::new(dim), gradients: WelfordDiagonal::new(dim) }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.draws.clear();
        self.gradients.clear();
    }

    /// Adds a draw with its gradient.
    pub fn add(&mut self, draw: &[f64], gradient: &[f64]) {
        self.draws.add(draw);
        self.gradients.add(gradient);
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
