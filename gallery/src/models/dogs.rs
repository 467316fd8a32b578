//! Dogs learn to avoid a shock: logistic regression on what happened to each dog before.

use ppl::prelude::*;

use crate::entry::{Entry, posteriordb};

model! {
    /// `shock_jt ~ Bernoulli(logit = beta_1 + beta_2 avoided_jt + beta_3 shocked_jt)` with the shocks that dog j avoided
    /// and received before trial t.
    ///
    /// posteriordb model `dogs`.
    pub fn dogs(shock: Array2<f64>) {
        let mut shocked = Array2::zeros(shock.raw_dim());
        for t in 1..shock.ncols() {
            let before = &shocked.column(t - 1) + &shock.column(t - 1);
            shocked.column_mut(t).assign(&before);
        }
        let avoided = Array2::from_shape_fn(shock.raw_dim(), |(j, t)| t as f64 - shocked[[j, t]]);
        let beta = sample!("beta", Normal::new(0.0, 100.0).expand([3]));
        let logit = beta.index(0, 0) + beta.index(0, 1) * &avoided + beta.index(0, 2) * &shocked;
        observe!("y", Bernoulli::logits(logit), shock);
    }
}

pub(super) const DOGS: Entry =
    posteriordb!("dogs-dogs", "logistic regression", data = "dogs", stan = ["beta"], |data| {
        Ok(Box::new(dogs(data.matrix("y")?)))
    });
