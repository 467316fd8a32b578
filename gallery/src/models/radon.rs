//! Radon in the houses of Minnesota: intercepts that differ by county.

use crate::entry::inference_gym;
use ppl::prelude::*;

use crate::entry::{Entry, Needs, posteriordb};

model! {
    /// `log_radon ~ Normal(alpha[county], sigma_y)`, non-centred.
    ///
    /// posteriordb model `radon_partially_pooled_noncentered`.
    pub fn radon_partially_pooled(county: Vec<usize>, log_radon: Array1<f64>, counties: usize) {
        let alpha_raw = sample!("alpha_raw", Normal::new(0.0, 1.0).expand([counties]));
        let mu_alpha = sample!("mu_alpha", Normal::new(0.0, 10.0));
        let sigma_alpha = sample!("sigma_alpha", HalfNormal::new(1.0));
        let sigma_y = sample!("sigma_y", HalfNormal::new(1.0));
        let alpha = deterministic!("alpha", mu_alpha + sigma_alpha * alpha_raw);
        observe!("log_radon", Normal::new(alpha.gather(0, &county), sigma_y), log_radon);
    }

    /// `log_radon ~ Normal(alpha[county] + beta floor, sigma_y)`, non-centred.
    ///
    /// posteriordb model `radon_variable_intercept_noncentered`.
    pub fn radon_variable_intercept(
        county: Vec<usize>,
        floor: Array1<f64>,
        log_radon: Array1<f64>,
        counties: usize,
    ) {
        let alpha_raw = sample!("alpha_raw", Normal::new(0.0, 1.0).expand([counties]));
        let beta = sample!("beta", Normal::new(0.0, 10.0));
        let mu_alpha = sample!("mu_alpha", Normal::new(0.0, 10.0));
        let sigma_alpha = sample!("sigma_alpha", HalfNormal::new(1.0));
        let sigma_y = sample!("sigma_y", HalfNormal::new(1.0));
        let alpha = deterministic!("alpha", mu_alpha + sigma_alpha * alpha_raw);
        observe!("log_radon", Normal::new(alpha.gather(0, &county) + beta * &floor, sigma_y), log_radon);
    }

    /// County effects, and three predictors `x`: the county's log-uranium, the floor, the county's mean floor.
    ///
    /// Inference Gym target `RadonContextualEffectsMinnesota`.
    pub fn radon_contextual_effects(
        county: Vec<usize>,
        x: Array2<f64>,
        log_radon: Array1<f64>,
        counties: usize,
    ) {
        let mean = sample!("county_effect_mean", Normal::new(0.0, 1.0));
        let scale = sample!("county_effect_scale", Uniform::new(0.0, 100.0));
        let county_effect = sample!("county_effect", Normal::new(mean, scale).expand([counties]));
        let weight = sample!("weight", Normal::new(0.0, 1.0).expand([x.ncols()]));
        let log_radon_scale = sample!("log_radon_scale", Uniform::new(0.0, 100.0));
        let expected = Var::from(&x).matmul(weight) + county_effect.gather(0, &county);
        observe!("log_radon", Normal::new(expected, log_radon_scale), log_radon);
    }
}

pub(super) const PARTIALLY_POOLED: Entry = Entry {
    needs: Needs { length: 2, ..Needs::NOTHING },
    ..posteriordb!(
        "radon_mn-radon_partially_pooled_noncentered",
        "hierarchical",
        data = "radon_mn",
        stan = ["alpha_raw", "mu_alpha", "sigma_alpha", "sigma_y"],
        |data| {
            let county = data.indices("county_idx", 1)?;
            Ok(Box::new(radon_partially_pooled(county, data.vector("log_radon")?, data.count("J")?)))
        }
    )
};

pub(super) const VARIABLE_INTERCEPT: Entry = Entry {
    needs: Needs { length: 2, ..Needs::NOTHING },
    ..posteriordb!(
        "radon_mn-radon_variable_intercept_noncentered",
        "hierarchical",
        data = "radon_mn",
        stan = ["alpha_raw", "beta", "mu_alpha", "sigma_alpha", "sigma_y"],
        |data| {
            let (county, floor) = (data.indices("county_idx", 1)?, data.vector("floor_measure")?);
            Ok(Box::new(radon_variable_intercept(county, floor, data.vector("log_radon")?, data.count("J")?)))
        }
    )
};

pub(super) const CONTEXTUAL_EFFECTS: Entry =
    inference_gym!("radon_contextual_effects_minnesota", "hierarchical", |data| {
        let columns = [data.vector("log_uranium")?, data.vector("floor")?, data.vector("floor_by_county")?];
        let x = Array2::from_shape_fn((columns[0].len(), 3), |(n, j)| columns[j][n]);
        let (county, counties) = (data.indices("county", 0)?, data.count("num_counties")?);
        Ok(Box::new(radon_contextual_effects(county, x, data.vector("log_radon")?, counties)))
    });
