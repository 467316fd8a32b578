//! The yield of mesquite bushes by their measures: linear regressions with flat priors.

use ppl::prelude::*;

use crate::data::predictors;
use crate::entry::{Entry, posteriordb};

model! {
    /// `y ~ Normal(x beta, sigma)` with flat priors of beta and sigma.
    ///
    /// posteriordb models `mesquite`, `logmesquite`, `logmesquite_logvolume`, which differ in y and x.
    pub fn mesquite(x: Array2<f64>, y: Array1<f64>) {
        let beta = sample!("beta", Flat.expand([x.ncols()]));
        let sigma = sample!("sigma", HalfFlat);
        observe!("y", Normal::new(Var::from(&x).matmul(beta), sigma), y);
    }
}

/// What is measured of a bush, but for its group.
const MEASURES: [&str; 5] = ["diam1", "diam2", "canopy_height", "total_height", "density"];

/// Weight by all measures.
pub(super) const MESQUITE: Entry = posteriordb!("mesquite-mesquite", "linear regression", data = "mesquite", |data| {
    let [a, b, c, d, e] = MEASURES.map(|name| data.vector(name));
    let x = predictors(&[&a?, &b?, &c?, &d?, &e?, &data.vector("group")?])?;
    Ok(Box::new(mesquite(x, data.vector("weight")?)))
});

/// Logarithm of the weight by the logarithms of all measures.
pub(super) const LOGMESQUITE: Entry =
    posteriordb!("mesquite-logmesquite", "linear regression", data = "mesquite", |data| {
        let [a, b, c, d, e] = MEASURES.map(|name| data.vector(name));
        let x = predictors(&[&a?.ln(), &b?.ln(), &c?.ln(), &d?.ln(), &e?.ln(), &data.vector("group")?])?;
        Ok(Box::new(mesquite(x, data.vector("weight")?.ln())))
    });

/// Logarithm of the weight by the logarithm of the canopy's volume.
pub(super) const LOGMESQUITE_LOGVOLUME: Entry =
    posteriordb!("mesquite-logmesquite_logvolume", "linear regression", data = "mesquite", |data| {
        let volume = data.vector("diam1")? * data.vector("diam2")? * data.vector("canopy_height")?;
        Ok(Box::new(mesquite(predictors(&[&volume.ln()])?, data.vector("weight")?.ln())))
    });
