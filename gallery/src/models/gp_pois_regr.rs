//! Counts whose log-rate is a Gaussian process.

use ppl::core::gp::exponentiated_quadratic;
use ppl::prelude::*;

use crate::entry::{Entry, Needs, posteriordb};

model! {
    /// `count_n ~ Poisson(exp(f_n))`, f a Gaussian process over x written as `L f_tilde` with the Cholesky factor L of its
    /// covariance.
    ///
    /// posteriordb model `gp_pois_regr`.
    pub fn gp_pois_regr(x: Array1<f64>, count: Array1<f64>) {
        let rho = sample!("rho", Gamma::new(25.0, 4.0));
        let alpha = sample!("alpha", HalfNormal::new(2.0));
        let f_tilde = sample!("f_tilde", Normal::new(0.0, 1.0).expand([x.len()]));
        let covariance = exponentiated_quadratic(&x, &x, alpha, rho) + 1e-10 * Var::eye(x.len());
        let f = deterministic!("f", covariance.cholesky().matmul(f_tilde));
        observe!("count", Poisson::log_rate(f), count);
    }
}

pub(super) const GP_POIS_REGR: Entry = Entry {
    needs: Needs {
        acceptance: Some(0.99),
        length: 4,
        remark: "The covariance has a condition number of up to 1e11, which makes long ridges of f_tilde; Stan's reference draws took an adapt_delta of 0.99, too.",
        ..Needs::NOTHING
    },
    ..posteriordb!(
        "gp_pois_regr-gp_pois_regr",
        "Gaussian process",
        data = "gp_pois_regr",
        stan = ["rho", "alpha", "f_tilde"],
        |data| Ok(Box::new(gp_pois_regr(data.vector("x")?, data.vector("k")?)))
    )
};
