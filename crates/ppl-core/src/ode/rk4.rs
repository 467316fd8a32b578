//! The classical Runge-Kutta method in steps of fixed size.

use ppl_autodiff::{Mistake, Var, mistake};

use super::{Solver, blend};

/// The classical fourth-order Runge-Kutta method: steps of one size, the error of order `step^4`.
///
/// Right where the solution is as rough everywhere and the step is known to be small enough: halve it, and if nothing
/// changes that matters, it is. Each step takes four slopes.
///
/// # Errors
/// A step that is not positive poisons the trace.
///
/// # Source
/// Hairer, Nørsett and Wanner (1993), "Solving Ordinary Differential Equations I", II.1.
#[derive(Clone, Copy, Debug)]
pub struct Rk4 {
    step: f64,
}

impl Rk4 {
    /// Steps of at most `step`, all equal between two times that are asked for.
    #[track_caller]
    pub fn step(step: f64) -> Self {
        if step.is_nan() || step <= 0.0 {
            let (owner, wanted) = ("Rk4".to_owned(), "positive");
            mistake(Mistake::Argument { owner, argument: "step", wanted, got: step });
            return Self { step: f64::INFINITY };
        }
        Self { step }
    }
}

impl Solver for Rk4 {
    type Memory = ();

    fn advance<F: Fn(Var, &[Var]) -> Vec<Var>>(
        &self,
        slope: &F,
        from: f64,
        to: f64,
        mut state: Vec<Var>,
        (): &mut (),
    ) -> Vec<Var> {
        // A span that is a multiple of the step but for rounding takes that many.
        let steps = ((to - from) / self.step - 1e-9).ceil().max(1.0);
        let h = (to - from) / steps;
        for step in 0..steps as usize {
            let t = from + h * step as f64;
            let half = Var::from(t + 0.5 * h);
            let shifted = |by: f64, k: &Vec<Var>| blend(&state, by.into(), &[1.0], std::slice::from_ref(k));
            let k1 = slope(t.into(), &state);
            let k2 = slope(half, &shifted(0.5 * h, &k1));
            let k3 = slope(half, &shifted(0.5 * h, &k2));
            let k4 = slope((t + h).into(), &shifted(h, &k3));
            state = blend(&state, (h / 6.0).into(), &[1.0, 2.0, 2.0, 1.0], &[k1, k2, k3, k4]);
        }
        state
    }
}
