//! Summer temperatures in Kilpisjarvi by year: the year is not centred, so intercept and slope are almost one direction.

use ppl::prelude::*;

use crate::entry::{Entry, Needs, posteriordb};

/// The normal priors of the intercept and of the slope: mean and standard deviation.
#[derive(Clone, Copy, Debug)]
pub struct Priors {
    /// Of the intercept.
    pub alpha: (f64, f64),
    /// Of the slope.
    pub beta: (f64, f64),
}

model! {
    /// `y ~ Normal(alpha + beta x, sigma)`, sigma flat.
    ///
    /// posteriordb model `kilpisjarvi`.
    pub fn kilpisjarvi(x: Array1<f64>, y: Array1<f64>, priors: Priors) {
        let alpha = sample!("alpha", Normal::new(priors.alpha.0, priors.alpha.1));
        let beta = sample!("beta", Normal::new(priors.beta.0, priors.beta.1));
        let sigma = sample!("sigma", HalfFlat);
        observe!("y", Normal::new(alpha + beta * &x, sigma), y);
    }
}

pub(super) const KILPISJARVI: Entry = Entry {
    needs: Needs { length: 4, ..Needs::NOTHING },
    ..posteriordb!(
        "kilpisjarvi_mod-kilpisjarvi",
        "linear regression",
        data = "kilpisjarvi_mod",
        stan = ["alpha", "beta", "sigma"],
        |data| {
            let priors = Priors {
                alpha: (data.number("pmualpha")?, data.number("psalpha")?),
                beta: (data.number("pmubeta")?, data.number("psbeta")?),
            };
            Ok(Box::new(kilpisjarvi(data.vector("x")?, data.vector("y")?, priors)))
        }
    )
};
