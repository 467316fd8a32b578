//! A mixture of two normal laws whose locations are ordered.

use ppl::core::Support;
use ppl::prelude::*;

use crate::entry::{Entry, posteriordb};

model! {
    /// `y_n ~ theta Normal(mu_1, sigma_1) + (1 - theta) Normal(mu_2, sigma_2)` with `mu_1 < mu_2`.
    ///
    /// posteriordb model `low_dim_gauss_mix`.
    pub fn low_dim_gauss_mix(y: Array1<f64>) {
        let mu = sample!("mu", Restricted::new(Normal::new(0.0, 2.0).expand([2]), Support::Ordered));
        let sigma = sample!("sigma", HalfNormal::new(2.0).expand([2]));
        let theta = sample!("theta", Beta::new(5.0, 5.0));
        observe!("y", Mixture::new(stack(&[theta, 1.0 - theta], 0), Normal::new(mu, sigma)), y);
    }
}

pub(super) const LOW_DIM_GAUSS_MIX: Entry = posteriordb!(
    "low_dim_gauss_mix-low_dim_gauss_mix",
    "mixture",
    data = "low_dim_gauss_mix",
    stan = ["mu", "sigma", "theta"],
    |data| Ok(Box::new(low_dim_gauss_mix(data.vector("y")?)))
);
