//! A Brownian motion seen with noise, its middle not at all; both scales are unknown.

use ppl::prelude::*;

use crate::entry::{Entry, Needs, inference_gym};

model! {
    /// `locs_t ~ Normal(locs_{t-1}, innovation_noise_scale)`, seen at some steps with noise.
    ///
    /// Inference Gym target `BrownianMotionUnknownScalesMissingMiddleObservations`.
    pub fn brownian_motion(seen: Vec<usize>, observed: Array1<f64>, steps: usize) {
        let innovation = sample!("innovation_noise_scale", LogNormal::new(0.0, 2.0));
        let noise = sample!("observation_noise_scale", LogNormal::new(0.0, 2.0));
        let locs = sample!("locs", GaussianRandomWalk::new(innovation, steps));
        observe!("observed", Normal::new(locs.gather(0, &seen), noise), observed);
    }
}

/// Steps of the path.
const STEPS: usize = 30;

pub(super) const BROWNIAN_MOTION: Entry = Entry {
    needs: Needs {
        acceptance: Some(0.99),
        length: 8,
        remark: "The reference is exact. Small scales make narrow necks that steps of one size do not reach, so some bias and some divergences are to be expected; the gym's published ground truth is itself off for this reason.",
        ..Needs::NOTHING
    },
    ..inference_gym!("brownian_motion_unknown_scales_missing_middle_observations", "time series", |data| {
        let (seen, observed) = data.present("observed_locs")?;
        Ok(Box::new(brownian_motion(seen, observed, STEPS)))
    })
};
