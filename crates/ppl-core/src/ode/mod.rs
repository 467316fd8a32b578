//! Differential equations `dy/dt = f(t, y)`, solved on the tape, so that solutions are differentiated as they are computed.
//!
//! ```
//! use ppl_autodiff::{Var, value_and_grad};
//! use ppl_core::ode::{Rk4, solve};
//! // dy/dt = -k y from 1: y(2) = e^(-2 k), whose derivative in k is -2 e^(-2 k).
//! let decay = |k: Var| solve(Rk4::step(0.01), |_, y| vec![-k * y[0]], 0.0, &[1.0.into()], &[2.0])[0].sum();
//! let (y, slope) = value_and_grad(decay, 0.7)?;
//! assert!((y - (-1.4_f64).exp()).abs() < 1e-9);
//! assert!((slope.sum() + 2.0 * (-1.4_f64).exp()).abs() < 1e-8);
//! # Ok::<(), ppl_autodiff::TraceError>(())
//! ```

mod dormand_prince;
mod rk4;

pub use dormand_prince::DormandPrince;
pub use rk4::Rk4;

use ppl_autodiff::{Mistake, Shape, Var, mistake, stack};

/// A way to go from one time to the next.
pub trait Solver {
    /// What it carries from one span of time to the next, such as the size of steps that it found to do.
    type Memory: Default;

    /// The state at `to` from the state at `from`.
    fn advance<F: Fn(Var, &[Var]) -> Vec<Var>>(
        &self,
        slope: &F,
        from: f64,
        to: f64,
        state: Vec<Var>,
        memory: &mut Self::Memory,
    ) -> Vec<Var>;
}

/// The solution of `dy/dt = slope(t, y)` with `y(start_time) = start` at some later times.
///
/// The state is a list of components, numbers or arrays, as is the slope: components are worked on one by one, which for
/// systems of a few equations makes the fastest programs. Every operation of every step stands on the tape, so cost and
/// memory of tracing grow with their number.
///
/// # Shapes
/// Component i of the result has the shape of component i of `start` with the times as a new first axis.
///
/// # Errors
/// Times that do not increase, a slope of other length or shape than the state: they poison the trace.
///
/// # Source
/// "Discretise, then optimise": the gradient is that of the numerical solution, exact for it (Kidger 2021, "On neural
/// differential equations", 5.1.1).
#[track_caller]
pub fn solve<S: Solver, F: Fn(Var, &[Var]) -> Vec<Var>>(
    solver: S,
    slope: F,
    start_time: f64,
    start: &[Var],
    times: &[f64],
) -> Vec<Var> {
    let shapes: Vec<Shape> = start.iter().map(|y| y.shape()).collect();
    let checked = |t: Var, y: &[Var]| {
        let slope = slope(t, y);
        if slope.len() != shapes.len() || slope.iter().zip(&shapes).any(|(f, y)| !f.shape().broadcasts_to(y)) {
            let shapes: Vec<Shape> = slope.iter().map(|f| f.shape()).collect();
            let rule = "the slope has one component for each component of the state, of its shape";
            mistake(Mistake::Shapes { operation: "ode::solve", shapes, rule });
            return y.to_vec();
        }
        slope
    };
    let mut rows = Vec::with_capacity(times.len());
    let (mut from, mut state, mut memory) = (start_time, start.to_vec(), S::Memory::default());
    for &to in times {
        if to.is_nan() || to < from {
            let (owner, wanted) = ("ode::solve".to_owned(), "in increasing order");
            mistake(Mistake::Argument { owner, argument: "times", wanted, got: to });
            return start.iter().map(|&y| stack(&vec![y; times.len()], 0)).collect();
        }
        if to > from {
            state = solver.advance(&checked, from, to, state, &mut memory);
        }
        rows.push(state.clone());
        from = to;
    }
    (0..start.len()).map(|i| stack(&rows.iter().map(|row| row[i]).collect::<Vec<Var>>(), 0)).collect()
}

/// `state + h sum_i weight_i slope_i`, weights of 0 left out.
fn blend(state: &[Var], h: Var, weights: &[f64], slopes: &[Vec<Var>]) -> Vec<Var> {
    let blend = |i: usize| {
        let terms = weights.iter().zip(slopes).filter(|(w, _)| **w != 0.0);
        terms.map(|(&w, k)| w * k[i]).sum::<Var>()
    };
    state.iter().enumerate().map(|(i, &y)| y + h * blend(i)).collect()
}
