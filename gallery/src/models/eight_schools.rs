//! Eight schools (Rubin 1981): effects of coaching, centred and non-centred.

use ppl::prelude::*;

use crate::entry::{Entry, Needs, inference_gym, posteriordb};

model! {
    /// Centred: `theta_j ~ Normal(mu, tau)`, as written a funnel where tau is small (Betancourt 2017, "Diagnosing biased
    /// inference with divergences"); the posterior is that of the non-centred form.
    ///
    /// posteriordb model `eight_schools_centered`.
    pub fn eight_schools_centered(y: Array1<f64>, sigma: Array1<f64>) {
        let mu = sample!("mu", Normal::new(0.0, 5.0));
        let tau = sample!("tau", HalfCauchy::new(5.0));
        let theta = sample!("theta", Normal::new(mu, tau).expand([y.len()]));
        observe!("y", Normal::new(theta, &sigma), y);
    }

    /// Non-centred: `theta_j = mu + tau theta_trans_j` with a standard normal `theta_trans`.
    ///
    /// posteriordb model `eight_schools_noncentered`.
    pub fn eight_schools_noncentered(y: Array1<f64>, sigma: Array1<f64>) {
        let mu = sample!("mu", Normal::new(0.0, 5.0));
        let tau = sample!("tau", HalfCauchy::new(5.0));
        let theta_trans = sample!("theta_trans", Normal::new(0.0, 1.0).expand([y.len()]));
        let theta = deterministic!("theta", mu + tau * theta_trans);
        observe!("y", Normal::new(theta, &sigma), y);
    }

    /// Centred, with a prior on the logarithm of the spread.
    ///
    /// Inference Gym target `EightSchools`.
    pub fn eight_schools_log_scale(y: Array1<f64>, sigma: Array1<f64>) {
        let mean = sample!("avg_effect", Normal::new(0.0, 10.0));
        let log_spread = sample!("log_stddev", Normal::new(5.0, 1.0));
        let effects = sample!("school_effects", Normal::new(mean, log_spread.exp()).expand([y.len()]));
        observe!("y", Normal::new(effects, &sigma), y);
    }
}

pub(super) const CENTERED: Entry = posteriordb!(
    "eight_schools-eight_schools_centered",
    "hierarchical",
    data = "eight_schools",
    stan = ["theta", "mu", "tau"],
    |data| Ok(Box::new(eight_schools_centered(data.vector("y")?, data.vector("sigma")?)))
);

pub(super) const NONCENTERED: Entry = Entry {
    needs: Needs { acceptance: Some(0.95), ..Needs::NOTHING },
    ..posteriordb!(
        "eight_schools-eight_schools_noncentered",
        "hierarchical",
        data = "eight_schools",
        stan = ["theta_trans", "mu", "tau"],
        |data| Ok(Box::new(eight_schools_noncentered(data.vector("y")?, data.vector("sigma")?)))
    )
};

pub(super) const LOG_SCALE: Entry = inference_gym!("eight_schools", "hierarchical", |data| {
    let (effects, errors) = (data.vector("treatment_effects")?, data.vector("treatment_stddevs")?);
    Ok(Box::new(eight_schools_log_scale(effects, errors)))
});
