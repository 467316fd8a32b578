//! Item response theory: 100 students answer 20 questions.

use ppl::prelude::*;

use crate::entry::{Entry, Needs, posteriordb};

model! {
    /// `correct_ij ~ Bernoulli(logit = a_i (theta_j - b_i))`: ability theta of student j, difficulty b and discrimination a
    /// of question i.
    ///
    /// posteriordb model `irt_2pl`.
    pub fn irt_2pl(correct: Array2<f64>) {
        let (questions, students) = correct.dim();
        let sigma_theta = sample!("sigma_theta", HalfCauchy::new(2.0));
        let theta = sample!("theta", Normal::new(0.0, sigma_theta).expand([students]));
        let sigma_a = sample!("sigma_a", HalfCauchy::new(2.0));
        let a = sample!("a", LogNormal::new(0.0, sigma_a).expand([questions]));
        let mu_b = sample!("mu_b", Normal::new(0.0, 5.0));
        let sigma_b = sample!("sigma_b", HalfCauchy::new(2.0));
        let b = sample!("b", Normal::new(mu_b, sigma_b).expand([questions]));
        observe!("y", Bernoulli::logits(a.expand_dims(-1) * (theta - b.expand_dims(-1))), correct);
    }
}

pub(super) const IRT_2PL: Entry = Entry {
    needs: Needs { acceptance: Some(0.9), length: 2, ..Needs::NOTHING },
    ..posteriordb!(
        "irt_2pl-irt_2pl",
        "hierarchical",
        data = "irt_2pl",
        stan = ["sigma_theta", "theta", "sigma_a", "a", "mu_b", "sigma_b", "b"],
        |data| Ok(Box::new(irt_2pl(data.matrix("y")?)))
    )
};
