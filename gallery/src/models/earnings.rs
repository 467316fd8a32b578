//! Heights and earnings of men and women: linear regressions with flat priors, badly conditioned because the height in
//! inches is not centred.

use ppl::prelude::*;

use crate::data::predictors;
use crate::entry::{Entry, Needs, posteriordb};

model! {
    /// `y ~ Normal(x beta, sigma)` with flat priors of beta and sigma.
    ///
    /// posteriordb models `earn_height`, `logearn_height`, `logearn_interaction`, which differ in y and x.
    pub fn earnings(x: Array2<f64>, y: Array1<f64>) {
        let beta = sample!("beta", Flat.expand([x.ncols()]));
        let sigma = sample!("sigma", HalfFlat);
        observe!("y", Normal::new(Var::from(&x).matmul(beta), sigma), y);
    }
}

/// Earnings by height.
pub(super) const EARN_HEIGHT: Entry = Entry {
    needs: Needs { length: 2, ..Needs::NOTHING },
    ..posteriordb!("earnings-earn_height", "linear regression", data = "earnings", stan = ["beta", "sigma"], |data| Ok(
        Box::new(earnings(predictors(&[&data.vector("height")?])?, data.vector("earn")?))
    ))
};

/// Logarithm of earnings by height.
pub(super) const LOGEARN_HEIGHT: Entry = Entry {
    needs: Needs { length: 2, ..Needs::NOTHING },
    ..posteriordb!(
        "earnings-logearn_height",
        "linear regression",
        data = "earnings",
        stan = ["beta", "sigma"],
        |data| { Ok(Box::new(earnings(predictors(&[&data.vector("height")?])?, data.vector("earn")?.ln()))) }
    )
};

/// Logarithm of earnings by height, sex and their product.
pub(super) const LOGEARN_INTERACTION: Entry = Entry {
    needs: Needs { length: 2, ..Needs::NOTHING },
    ..posteriordb!(
        "earnings-logearn_interaction",
        "linear regression",
        data = "earnings",
        stan = ["beta", "sigma"],
        |data| {
            let (height, male) = (data.vector("height")?, data.vector("male")?);
            Ok(Box::new(earnings(predictors(&[&height, &male, &(&height * &male)])?, data.vector("earn")?.ln())))
        }
    )
};
