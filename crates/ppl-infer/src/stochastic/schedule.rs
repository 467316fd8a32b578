//! Step sizes: a function of the iteration, so that a run can be resumed anywhere.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

use crate::runner::SettingsError;

/// The step of one iteration, as its schedule says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Which iteration, from 0; the t of formulas that count from 1 is `iteration + 1`.
    pub iteration: u64,
    /// The step size.
    pub size: f64,
    /// Whether this iteration only looks for another region: nothing is added to the noise of the batches, and no draw
    /// is kept. Only cyclical schedules explore.
    pub exploring: bool,
}

/// The step size as a function of the iteration t = 0, 1, ...
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Schedule {
    /// The same at every iteration.
    Constant(f64),
    /// `first 2^(-t/decay)`.
    ///
    /// The sum of these steps is finite: a chain comes to rest, wherever it is, long before it has seen the posterior.
    Exponential {
        /// At t = 0.
        first: f64,
        /// Iterations until it is halved.
        decay: f64,
    },
    /// `first 2^-floor((t + 1)/every)`: [`Schedule::Exponential`] as PyMC3 has it.
    Halving {
        /// At t = 0.
        first: f64,
        /// Iterations between halvings.
        every: u64,
    },
    /// `max(scale (offset + t)^-power, floor)`; with power in (1/2, 1] and no floor the bias of SGLD goes to 0.
    Polynomial {
        /// a.
        scale: f64,
        /// b, more than 0.
        offset: f64,
        /// c, 0 or more.
        power: f64,
        /// The least step, 0 for none.
        floor: f64,
    },
    /// `first/2 (cos(pi r) + 1)` with r = (t mod length)/length: a cycle of large steps that explores and small steps
    /// that draw.
    ///
    /// # Source
    /// Zhang, Li, Zhang, Chen and Wilson (2020), Cyclical stochastic gradient MCMC. ICLR.
    Cyclical {
        /// At the beginning of a cycle.
        first: f64,
        /// Iterations of a cycle.
        length: u64,
        /// The share of a cycle that explores, in [0, 1).
        exploration: f64,
    },
}

impl Schedule {
    /// [`Schedule::Constant`].
    #[must_use]
    pub fn constant(size: f64) -> Self {
        Self::Constant(size)
    }

    /// [`Schedule::Exponential`].
    #[must_use]
    pub fn exponential(first: f64, decay: f64) -> Self {
        Self::Exponential { first, decay }
    }

    /// [`Schedule::Halving`].
    #[must_use]
    pub fn halving(first: f64, every: u64) -> Self {
        Self::Halving { first, every }
    }

    /// [`Schedule::Polynomial`] without a floor.
    #[must_use]
    pub fn polynomial(scale: f64, offset: f64, power: f64) -> Self {
        Self::Polynomial { scale, offset, power, floor: 0.0 }
    }

    /// A polynomial schedule that never goes below `floor`; others are as they were.
    #[must_use]
    pub fn with_floor(self, floor: f64) -> Self {
        match self {
            Self::Polynomial { scale, offset, power, .. } => Self::Polynomial { scale, offset, power, floor },
            other => other,
        }
    }

    /// [`Schedule::Cyclical`] of which four fifths explore.
    #[must_use]
    pub fn cyclical(first: f64, length: u64) -> Self {
        Self::Cyclical { first, length, exploration: 0.8 }
    }

    /// The step of an iteration.
    ///
    /// ```
    /// use ppl_infer::stochastic::Schedule;
    ///
    /// assert_eq!(Schedule::exponential(0.1, 100.0).at(200).size, 0.025);
    /// assert_eq!(Schedule::polynomial(1.0, 1.0, 0.5).with_floor(0.2).at(99).size, 0.2);
    /// let cyclical = Schedule::cyclical(0.1, 50);
    /// assert!(cyclical.at(50).exploring && !cyclical.at(99).exploring);
    /// ```
    #[must_use]
    pub fn at(&self, iteration: u64) -> Step {
        let t = iteration as f64;
        let mut exploring = false;
        let size = match *self {
            Self::Constant(size) => size,
            Self::Exponential { first, decay } => first * (-t / decay).exp2(),
            Self::Halving { first, every } => {
                let halvings = (iteration + 1) / every.max(1);
                first * 0.5f64.powi(halvings.min(1100) as i32)
            }
            Self::Polynomial { scale, offset, power, floor } => (scale * (offset + t).powf(-power)).max(floor),
            Self::Cyclical { first, length, exploration } => {
                let length = length.max(1);
                let ratio = (iteration % length) as f64 / length as f64;
                exploring = ratio < exploration;
                0.5 * first * ((PI * ratio).cos() + 1.0)
            }
        };
        Step { iteration, size, exploring }
    }

    /// Whether the schedule makes sense.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let positive = |setting, got: f64| {
            let fits = got > 0.0 && got < f64::INFINITY;
            if fits { Ok(()) } else { Err(SettingsError::Number { setting, got, wanted: "positive and finite" }) }
        };
        let count = |setting, got: u64| {
            let fits = got > 0;
            if fits { Ok(()) } else { Err(SettingsError::Number { setting, got: 0.0, wanted: "at least 1" }) }
        };
        match *self {
            Self::Constant(size) => positive("step_size", size),
            Self::Exponential { first, decay } => {
                positive("step_size: first", first)?;
                positive("step_size: decay", decay)
            }
            Self::Halving { first, every } => {
                positive("step_size: first", first)?;
                count("step_size: every", every)
            }
            Self::Polynomial { scale, offset, power, floor } => {
                positive("step_size: scale", scale)?;
                positive("step_size: offset", offset)?;
                for (setting, got) in [("step_size: power", power), ("step_size: floor", floor)] {
                    if !(0.0..f64::INFINITY).contains(&got) {
                        return Err(SettingsError::Number { setting, got, wanted: "at least 0 and finite" });
                    }
                }
                Ok(())
            }
            Self::Cyclical { first, length, exploration } => {
                positive("step_size: first", first)?;
                count("step_size: length", length)?;
                let (setting, got) = ("step_size: exploration", exploration);
                // At least the last iteration of a cycle must draw.
                if !(got >= 0.0 && got <= 1.0 - 1.0 / length as f64) {
                    let wanted = "at least 0, and less than 1 by an iteration of the cycle";
                    return Err(SettingsError::Number { setting, got, wanted });
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PyMC3 counts t from 1 and divides integers: with a decay of 100 the first halving is at t = 100.
    #[test]
    fn halving_counts_as_pymc3_does() {
        let schedule = Schedule::halving(0.1, 100);
        let sizes: Vec<f64> = [1, 99, 100, 199, 200, 4999].map(|t| schedule.at(t - 1).size).to_vec();
        let mut last = 0.1;
        (0..49).for_each(|_| last /= 2.0);
        assert_eq!(sizes, [0.1, 0.1, 0.05, 0.05, 0.025, last]);
        assert_eq!(schedule.at(u64::MAX - 1).size, 0.0);
    }

    #[test]
    fn cycles_restart_and_draw_at_their_ends() {
        let schedule = Schedule::cyclical(0.2, 10);
        let steps: Vec<Step> = (0..20).map(|t| schedule.at(t)).collect();
        assert_eq!((steps[0].size, steps[10].size), (0.2, 0.2));
        assert!((steps[5].size - 0.1).abs() < 1e-15);
        assert!(steps.windows(2).take(9).all(|s| s[1].size < s[0].size));
        let drawing: Vec<usize> = (0..20).filter(|&t| !steps[t].exploring).collect();
        assert_eq!(drawing, [8, 9, 18, 19]);
    }

    #[test]
    fn senseless_schedules_are_refused() {
        let bad = [
            Schedule::constant(0.0),
            Schedule::constant(f64::NAN),
            Schedule::exponential(0.1, -1.0),
            Schedule::halving(0.1, 0),
            Schedule::polynomial(1.0, 0.0, 0.5),
            Schedule::polynomial(1.0, 1.0, -0.5),
            Schedule::polynomial(1.0, 1.0, 0.5).with_floor(f64::INFINITY),
            Schedule::Cyclical { first: 0.1, length: 10, exploration: 0.95 },
        ];
        for schedule in bad {
            assert!(matches!(schedule.check(), Err(SettingsError::Number { .. })), "{schedule:?}");
        }
        assert!(Schedule::polynomial(1.0, 1.0, 0.55).with_floor(1e-4).check().is_ok());
    }
}
