//! What the data say about the coordinates of hierarchical sites, from draws and gradients.

use ppl_core::centring::Evidence;

/// A draw, in the order of the coordinates that have a choice.
pub(super) struct Draw {
    /// Coordinates as they are written.
    pub as_written: Vec<f64>,
    /// Their locations.
    pub location: Vec<f64>,
    /// Their scales.
    pub scale: Vec<f64>,
    /// The gradient of the log-density of all else but their laws.
    pub score: Vec<f64>,
    /// The curvature of that.
    pub precision: Vec<f64>,
}

impl Draw {
    pub fn new(count: usize) -> Self {
        let zeros = || vec![0.0; count];
        Self { as_written: zeros(), location: zeros(), scale: zeros(), score: zeros(), precision: zeros() }
    }

    /// The coordinate that is sampled, given evidence.
    pub fn standard(&self, i: usize, evidence: &Evidence) -> f64 {
        let (m, s) = (self.location[i], self.scale[i]);
        let weight = 1.0 + s * s * evidence.precision[i];
        (self.as_written[i] - (m + s * s * evidence.potential[i]) / weight) * weight.sqrt() / s
    }
}

fn mean(x: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = x.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    sum / count
}

/// Evidence from draws.
pub(super) fn evidence(draws: &[Draw], count: usize) -> Evidence {
    let mut found = Evidence { precision: vec![0.0; count], potential: vec![0.0; count] };
    let least: f64 = std::env::var("LEAST").map_or(0.05, |p| p.parse().unwrap());
    for i in 0..count {
        let precision = mean(draws.iter().map(|d| d.precision[i])).max(0.0);
        let potential = mean(draws.iter().map(|d| d.score[i] + precision * d.as_written[i]));
        let share = mean(draws.iter().map(|d| {
            let ratio = d.scale[i].powi(2) * precision;
            ratio / (1.0 + ratio)
        }));
        if share > least && precision.is_finite() && potential.is_finite() {
            found.precision[i] = precision;
            found.potential[i] = potential;
        }
    }
    found
}
