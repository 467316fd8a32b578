//! The price of diamonds: linear regression on 24 highly correlated predictors.

use ppl::prelude::*;

use crate::entry::{Entry, posteriordb};

model! {
    /// `log price ~ Normal(intercept + (x - mean of x) b, sigma)`; the first column of `x`, all ones, is left out.
    ///
    /// posteriordb model `diamonds`, as brms writes it.
    pub fn diamonds(x: Array2<f64>, y: Array1<f64>) {
        let x = x.slice(s![.., 1..]);
        let centred = &x - &x.mean_axis(Axis(0)).unwrap_or_default();
        let b = sample!("b", Normal::new(0.0, 1.0).expand([x.ncols()]));
        let intercept = sample!("Intercept", StudentT::new(3.0, 8.0, 10.0));
        let sigma = sample!("sigma", HalfStudentT::new(3.0, 10.0));
        observe!("y", Normal::new(intercept + Var::from(centred).matmul(b), sigma), y);
    }
}

pub(super) const DIAMONDS: Entry = posteriordb!(
    "diamonds-diamonds",
    "linear regression",
    data = "diamonds",
    stan = ["b", "Intercept", "sigma"],
    |data| Ok(Box::new(diamonds(data.matrix_of_levels("X")?, data.vector("Y")?)))
);
