//! A population of peregrines: Poisson regression on a cubic of the year.

use ppl::prelude::*;

use crate::entry::{Entry, posteriordb};

model! {
    /// `count_i ~ Poisson(exp(alpha + beta1 year_i + beta2 year_i^2 + beta3 year_i^3))`, uniform priors.
    ///
    /// posteriordb model `GLM_Poisson_model`.
    pub fn glm_poisson(year: Array1<f64>, count: Array1<f64>) {
        let alpha = sample!("alpha", Uniform::new(-20.0, 20.0));
        let beta1 = sample!("beta1", Uniform::new(-10.0, 10.0));
        let beta2 = sample!("beta2", Uniform::new(-10.0, 10.0));
        let beta3 = sample!("beta3", Uniform::new(-10.0, 10.0));
        let year = Var::from(&year);
        let log_rate = alpha + beta1 * year + beta2 * year.powi(2) + beta3 * year.powi(3);
        observe!("count", Poisson::log_rate(log_rate), count);
    }
}

pub(super) const GLM_POISSON: Entry = posteriordb!(
    "GLM_Poisson_Data-GLM_Poisson_model",
    "Poisson regression",
    data = "GLM_Poisson_Data",
    stan = ["alpha", "beta1", "beta2", "beta3"],
    |data| Ok(Box::new(glm_poisson(data.vector("year")?, data.vector("C")?)))
);
