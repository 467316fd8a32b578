//! The weight of 30 rats over five weeks: a line for each rat.

use ppl::prelude::*;

use crate::entry::{Entry, posteriordb};

model! {
    /// `weight ~ Normal(alpha[rat] + beta[rat] day, sigma_y)` with the day counted from the middle one.
    ///
    /// posteriordb model `rats_model`.
    pub fn rats(rat: Vec<usize>, day: Array1<f64>, weight: Array1<f64>, middle: f64, count: usize) {
        let mu_alpha = sample!("mu_alpha", Normal::new(0.0, 100.0));
        let mu_beta = sample!("mu_beta", Normal::new(0.0, 100.0));
        let sigma_y = sample!("sigma_y", HalfFlat);
        let sigma_alpha = sample!("sigma_alpha", HalfFlat);
        let sigma_beta = sample!("sigma_beta", HalfFlat);
        let alpha = sample!("alpha", Normal::new(mu_alpha, sigma_alpha).expand([count]));
        let beta = sample!("beta", Normal::new(mu_beta, sigma_beta).expand([count]));
        deterministic!("alpha0", mu_alpha - middle * mu_beta);
        let expected = alpha.gather(0, &rat) + beta.gather(0, &rat) * &(&day - middle);
        observe!("weight", Normal::new(expected, sigma_y), weight);
    }
}

pub(super) const RATS: Entry = posteriordb!(
    "rats_data-rats_model",
    "hierarchical",
    data = "rats_data",
    stan = ["alpha", "beta", "mu_alpha", "mu_beta", "sigma_y", "sigma_alpha", "sigma_beta"],
    |data| {
        let (rat, day) = (data.indices("rat", 1)?, data.vector("x")?);
        Ok(Box::new(rats(rat, day, data.vector("y")?, data.number("xbar")?, data.count("N")?)))
    }
);
