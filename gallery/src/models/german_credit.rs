//! German credit: logistic regression on 24 numeric features.

use ppl::prelude::*;

use crate::entry::{Entry, inference_gym};

model! {
    /// `bad ~ Bernoulli(logit = x weights)` with standardised features and a column of ones.
    ///
    /// Inference Gym target `GermanCreditNumericLogisticRegression`.
    pub fn german_credit(x: Array2<f64>, bad: Array1<f64>) {
        let weights = sample!("weights", Normal::new(0.0, 1.0).expand([x.ncols()]));
        observe!("bad", Bernoulli::logits(Var::from(&x).matmul(weights)), bad);
    }
}

/// Features with mean 0 and standard deviation 1, and a last column of ones.
fn standardised(raw: &Array2<f64>) -> Array2<f64> {
    let mean = raw.mean_axis(Axis(0)).unwrap_or_default();
    let mut x = (raw - &mean) / &raw.std_axis(Axis(0), 0.0);
    let _ = x.push_column(Array1::ones(raw.nrows()).view());
    x
}

pub(super) const GERMAN_CREDIT: Entry =
    inference_gym!("german_credit_numeric_logistic_regression", "logistic regression", |data| {
        Ok(Box::new(german_credit(standardised(&data.matrix("features_raw")?), data.vector("label")?)))
    });
