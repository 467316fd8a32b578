//! Seeds that germinate on 21 plates (Crowder 1978): binomial regression with an effect for each plate.

use ppl::prelude::*;

use crate::entry::{Entry, posteriordb};

model! {
    /// `germinated_i ~ Binomial(seeds_i, logit = alpha0 + alpha1 x1_i + alpha2 x2_i + alpha12 x1_i x2_i + b_i)`, centred: as
    /// written a funnel where sigma is small.
    ///
    /// posteriordb model `seeds_stanified_model`.
    pub fn seeds(germinated: Array1<f64>, seeds: Array1<f64>, x1: Array1<f64>, x2: Array1<f64>) {
        let alpha0 = sample!("alpha0", Normal::new(0.0, 1.0));
        let alpha1 = sample!("alpha1", Normal::new(0.0, 1.0));
        let alpha12 = sample!("alpha12", Normal::new(0.0, 1.0));
        let alpha2 = sample!("alpha2", Normal::new(0.0, 1.0));
        let sigma = sample!("sigma", HalfCauchy::new(1.0));
        let b = sample!("b", Normal::new(0.0, sigma).expand([seeds.len()]));
        let logit = alpha0 + alpha1 * &x1 + alpha2 * &x2 + alpha12 * &(&x1 * &x2) + b;
        observe!("germinated", Binomial::logits(&seeds, logit), germinated);
    }
}

pub(super) const SEEDS: Entry = posteriordb!(
    "seeds_data-seeds_stanified_model",
    "hierarchical",
    data = "seeds_data",
    stan = ["alpha0", "alpha1", "alpha12", "alpha2", "b", "sigma"],
    |data| {
        let (germinated, seeds) = (data.vector("n")?, data.vector("N")?);
        Ok(Box::new(self::seeds(germinated, seeds, data.vector("x1")?, data.vector("x2")?)))
    }
);
