//! Who switches to another well in Bangladesh: logistic regression on the distance to it.

use ppl::prelude::*;

use crate::entry::{Entry, posteriordb};

model! {
    /// `switched ~ Bernoulli(logit = alpha + beta_1 distance / 100 m)`, flat priors.
    ///
    /// posteriordb model `wells_dist100_model`.
    pub fn wells_dist100(distance: Array1<f64>, switched: Array1<f64>) {
        let alpha = sample!("alpha", Flat);
        let beta = sample!("beta", Flat.expand([1]));
        observe!("switched", Bernoulli::logits(alpha + beta * &(&distance / 100.0)), switched);
    }
}

pub(super) const WELLS: Entry = posteriordb!(
    "wells_data-wells_dist100_model",
    "logistic regression",
    data = "wells_data",
    stan = ["alpha", "beta"],
    |data| Ok(Box::new(wells_dist100(data.vector("dist")?, data.vector("switched")?)))
);
