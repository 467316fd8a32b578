//! Drives of a basketball player: a hidden Markov chain of two states, summed out.

use ppl::core::Support;
use ppl::core::hmm::log_marginal;
use ppl::prelude::*;

use crate::entry::{Entry, Needs, posteriordb};

model! {
    /// A hidden state goes from j to k with probability `theta_jk`; u (1 / speed) and v (distance to the hoop) are
    /// exponential with the rates of the state.
    ///
    /// posteriordb model `hmm_drive_0`.
    pub fn hmm_drive_0(u: Array1<f64>, v: Array1<f64>, alpha: Array2<f64>) {
        let theta1 = sample!("theta1", Dirichlet::new(alpha.row(0)));
        let theta2 = sample!("theta2", Dirichlet::new(alpha.row(1)));
        let phi = sample!("phi", Restricted::new(Normal::new([0.0, 3.0], 1.0), Support::PositiveOrdered));
        let lambda = sample!("lambda", Restricted::new(Normal::new([0.0, 3.0], 1.0), Support::PositiveOrdered));
        // A row for each step, a column for each state.
        let column = |x: &Array1<f64>| Var::from(x).expand_dims(-1);
        let emission = Exponential::new(phi).log_prob(column(&u)) + Exponential::new(lambda).log_prob(column(&v));
        let transition = stack(&[theta1, theta2], 0).ln();
        factor!("path", log_marginal([0.0, 0.0], transition, emission));
    }
}

pub(super) const HMM_DRIVE_0: Entry = Entry {
    needs: Needs {
        minor_modes: true,
        remark: "There is a minor mode with lambda[2] around 4, phi around (2.1, 3.9) and a log-density of at best -1960 where the main mode has -1898: a mass of about e^-60. A chain that starts there may stay; the two posterior draws at which Stan's log-density is recorded lie in it, too.",
        ..Needs::NOTHING
    },
    ..posteriordb!(
        "bball_drive_event_0-hmm_drive_0",
        "hidden Markov model",
        data = "bball_drive_event_0",
        stan = ["theta1", "theta2", "phi", "lambda"],
        |data| Ok(Box::new(hmm_drive_0(data.vector("u")?, data.vector("v")?, data.matrix("alpha")?)))
    )
};
