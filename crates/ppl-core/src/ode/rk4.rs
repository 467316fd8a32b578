//! The classical Runge-Kutta method in steps of fixed size.

use ppl_autodiff::{Mistake, Var, mistake, scan, stack};

use super::{Solver, System, after, blend};

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

/// Steps that are traced side by side: what a step of the scan costs beside its arithmetic is shared by so many.
const UNROLLED: usize = 8;

impl Solver for Rk4 {
    fn rows(&self, system: &System<'_>, start_time: f64, start: &[Var], times: &[f64]) -> Var {
        let start = system.join(start);
        let (mut at, mut lengths, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        let mut from = start_time;
        for &to in times {
            // A span that is a multiple of the step but for rounding takes that many.
            let steps = ((to - from) / self.step - 1e-9).ceil();
            let h = (to - from) / steps;
            for step in 0..steps as usize {
                at.push(from + h * step as f64);
                lengths.push(h);
            }
            counts.push(at.len());
            from = to;
        }
        if at.is_empty() {
            return after(start, Var::zeros([0, start.dim(0)]), &counts);
        }
        // Filled up to whole blocks with steps that go nowhere.
        let (block, steps) = (UNROLLED.min(at.len()), at.len());
        let blocks = steps.div_ceil(block);
        at.resize(blocks * block, from);
        lengths.resize(blocks * block, 0.0);
        let rows = |v: Vec<f64>| Var::from(v).reshape([blocks, block]);
        let (_, [states]) = scan(blocks, [start], [rows(at), rows(lengths)], |[y], [t, h]| {
            let mut y = system.split(y);
            let mut states = Vec::with_capacity(block);
            for step in 0..block {
                y = Self::advance(system, t.index(0, step), h.index(0, step), &y);
                states.push(system.join(&y));
            }
            ([states[block - 1]], [stack(&states, 0)])
        });
        let states = states.reshape([blocks * block, start.dim(0)]);
        after(start, states, &counts)
    }
}

impl Rk4 {
    fn advance(system: &System<'_>, t: Var, h: Var, y: &[Var]) -> Vec<Var> {
        let half = 0.5 * h;
        let shifted = |by: Var, k: &Vec<Var>| blend(y, by, &[1.0], std::slice::from_ref(k));
        let k1 = system.slope(t, y);
        let k2 = system.slope(t + half, &shifted(half, &k1));
        let k3 = system.slope(t + half, &shifted(half, &k2));
        let k4 = system.slope(t + h, &shifted(h, &k3));
        blend(y, h / 6.0, &[1.0, 2.0, 2.0, 1.0], &[k1, k2, k3, k4])
    }
}
