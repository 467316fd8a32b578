//! Party identification in the National Election Study of three years: linear regression on nine predictors.

use crate::data::{Data, indicator};
use crate::error::GalleryError;
use ppl::prelude::*;

use crate::data::predictors;
use crate::entry::{Entry, posteriordb};

model! {
    /// `party ~ Normal(x beta, sigma)` with flat priors of beta and sigma.
    ///
    /// posteriordb model `nes`.
    pub fn nes(x: Array2<f64>, party: Array1<f64>) {
        let beta = sample!("beta", Flat.expand([x.ncols()]));
        let sigma = sample!("sigma", HalfFlat);
        observe!("party", Normal::new(Var::from(&x).matmul(beta), sigma), party);
    }
}

fn build(data: &Data) -> Result<Box<dyn Model>, GalleryError> {
    let age = data.vector("age_discrete")?;
    let x = predictors(&[
        &data.vector("real_ideo")?,
        &data.vector("race_adj")?,
        &indicator(&age, 2.0),
        &indicator(&age, 3.0),
        &indicator(&age, 4.0),
        &data.vector("educ1")?,
        &data.vector("gender")?,
        &data.vector("income")?,
    ])?;
    Ok(Box::new(nes(x, data.vector("partyid7")?)))
}

pub(super) const NES_1972: Entry = posteriordb!("nes1972-nes", "linear regression", data = "nes1972", build);
pub(super) const NES_1984: Entry = posteriordb!("nes1984-nes", "linear regression", data = "nes1984", build);
pub(super) const NES_2000: Entry = posteriordb!("nes2000-nes", "linear regression", data = "nes2000", build);
