//! Autoregression: each value a linear function of the last K, plus noise.

use ppl::prelude::*;

use crate::entry::{Entry, posteriordb};

model! {
    /// `y_t ~ Normal(alpha + sum_k beta_k y_{t-k}, sigma)`; the first K values are taken as given.
    ///
    /// posteriordb model `arK`.
    pub fn ar_k(y: Array1<f64>, order: usize) {
        let alpha = sample!("alpha", Normal::new(0.0, 10.0));
        let beta = sample!("beta", Normal::new(0.0, 10.0).expand([order]));
        let sigma = sample!("sigma", HalfCauchy::new(2.5));
        let n = y.len();
        // Column k has the values k + 1 steps back.
        let past = Array2::from_shape_fn((n - order, order), |(t, k)| y[order + t - 1 - k]);
        observe!("y", Normal::new(alpha + Var::from(past).matmul(beta), sigma), y.slice(s![order..]));
    }
}

pub(super) const AR_K: Entry =
    posteriordb!("arK-arK", "time series", data = "arK", stan = ["alpha", "beta", "sigma"], |data| {
        Ok(Box::new(ar_k(data.vector("y")?, data.count("K")?)))
    });
