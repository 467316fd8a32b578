//! Schedules: what the learning rate is multiplied with as a run goes on.

use serde::{Deserialize, Serialize};

/// The course of the learning rate over a run, as a factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Schedule {
    /// 1 throughout.
    Constant,
    /// Half a cosine from 1 to `floor`: `floor + (1 - floor) (1 + cos(pi t)) / 2` with t the part of the run that is
    /// done.
    Cosine {
        /// The last factor.
        floor: f64,
    },
    /// `floor^t` with t the part of the run that is done.
    Exponential {
        /// The last factor, positive.
        floor: f64,
    },
    /// 1 for the first half of the run, then half a cosine to a hundredth: fast first, exact last.
    #[default]
    HalfCosine,
    /// `(1 + iteration / delay)^-power`, which does not depend on the length of the run (Robbins and Monro 1951: power in
    /// (1/2, 1]).
    Polynomial {
        /// Iterations until the decay sets in.
        delay: f64,
        /// The exponent.
        power: f64,
    },
}

/// The last factor of [`Schedule::HalfCosine`].
const FLOOR: f64 = 0.01;

impl Schedule {
    /// The factor at an iteration, counted from 0, of a run of `steps`.
    pub fn factor(&self, iteration: u64, steps: u64) -> f64 {
        let done = (iteration as f64 / steps.max(1) as f64).min(1.0);
        let cosine = |t: f64, floor: f64| floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * t).cos());
        match *self {
            Self::Constant => 1.0,
            Self::Cosine { floor } => cosine(done, floor),
            Self::Exponential { floor } => floor.powf(done),
            Self::HalfCosine => cosine((2.0 * done - 1.0).max(0.0), FLOOR),
            Self::Polynomial { delay, power } => (1.0 + iteration as f64 / delay).powf(-power),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn ends_and_middles() {
        for (schedule, first, middle, last) in [
            (Schedule::Constant, 1.0, 1.0, 1.0),
            (Schedule::Cosine { floor: 0.2 }, 1.0, 0.6, 0.2),
            (Schedule::Exponential { floor: 0.04 }, 1.0, 0.2, 0.04),
            (Schedule::HalfCosine, 1.0, 1.0, 0.01),
            // (1 + 50/25)^-1 and (1 + 100/25)^-1.
            (Schedule::Polynomial { delay: 25.0, power: 1.0 }, 1.0, 1.0 / 3.0, 0.2),
        ] {
            let got = [0, 50, 100].map(|i| schedule.factor(i, 100));
            for (got, want) in got.iter().zip([first, middle, last]) {
                assert!((got - want).abs() < 1e-12, "{schedule:?}: {got} {want}");
            }
        }
    }
}
