//! Linear regression with vague priors and correlated coefficients.

use ppl::prelude::*;

use crate::entry::{Entry, Needs, posteriordb};

model! {
    /// `y ~ Normal(x beta, sigma)` without intercept.
    ///
    /// posteriordb model `blr`.
    pub fn blr(x: Array2<f64>, y: Array1<f64>) {
        let beta = sample!("beta", Normal::new(0.0, 10.0).expand([x.ncols()]));
        let sigma = sample!("sigma", HalfNormal::new(10.0));
        observe!("y", Normal::new(Var::from(&x).matmul(beta), sigma), y);
    }
}

pub(super) const BLR: Entry = Entry {
    needs: Needs { length: 2, ..Needs::NOTHING },
    ..posteriordb!("sblrc-blr", "linear regression", data = "sblrc", stan = ["beta", "sigma"], |data| {
        Ok(Box::new(blr(data.matrix("X")?, data.vector("y")?)))
    })
};
