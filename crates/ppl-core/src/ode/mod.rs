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

use ppl_autodiff::{Mistake, Shape, Var, concat, mistake, stack};

/// A way to solve.
pub trait Solver {
    /// The states at `times`, which increase from `start_time` on, as rows of a matrix: components one after the other.
    fn rows(&self, system: &System<'_>, start_time: f64, start: &[Var], times: &[f64]) -> Var;
}

/// The slope of a state, which is a list of components.
pub struct System<'f> {
    slope: &'f dyn Fn(Var, &[Var]) -> Vec<Var>,
    shapes: Vec<Shape>,
}

/// The solution of `dy/dt = slope(t, y)` with `y(start_time) = start` at some later times.
///
/// The state is a list of components, numbers or arrays, as is the slope. A step of the solver, or a few, is traced once
/// ([`scan`](ppl_autodiff::scan())), however many there are.
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
    let system = System { slope: &slope, shapes: start.iter().map(|y| y.shape()).collect() };
    let increase = times.iter().try_fold(start_time, |last, &t| (t >= last).then_some(t)).is_some();
    if start.is_empty() || !increase {
        let (owner, wanted) = ("ode::solve".to_owned(), "in increasing order, of a state with components");
        let got = times.first().copied().unwrap_or(start_time);
        mistake(Mistake::Argument { owner, argument: "times", wanted, got });
        return start.iter().map(|&y| stack(&vec![y; times.len().max(1)], 0)).collect();
    }
    let rows = solver.rows(&system, start_time, start, times);
    let mut at = 0;
    let component = |shape: &Shape| {
        let first = at;
        at += shape.size();
        rows.slice(1, first..at).reshape(Shape::from(times.len()).join(shape))
    };
    system.shapes.iter().map(component).collect()
}

impl System<'_> {
    /// The slope at a time and a state, each component in the shape of the state's.
    fn slope(&self, t: Var, y: &[Var]) -> Vec<Var> {
        let slope = (self.slope)(t, y);
        if slope.len() != y.len() || slope.iter().zip(&self.shapes).any(|(f, y)| !f.shape().broadcasts_to(y)) {
            let shapes: Vec<Shape> = slope.iter().map(|f| f.shape()).collect();
            let rule = "the slope has one component for each component of the state, of its shape";
            mistake(Mistake::Shapes { operation: "ode::solve", shapes, rule });
            return y.to_vec();
        }
        slope.iter().zip(&self.shapes).map(|(f, shape)| f.broadcast_to(shape.clone())).collect()
    }

    /// The components one after the other.
    fn join(&self, parts: &[Var]) -> Var {
        let flat: Vec<Var> = parts.iter().zip(&self.shapes).map(|(part, shape)| part.reshape([shape.size()])).collect();
        concat(&flat, 0)
    }

    fn split(&self, joined: Var) -> Vec<Var> {
        let mut at = 0;
        let part = |shape: &Shape| {
            let first = at;
            at += shape.size();
            joined.slice(0, first..at).reshape(shape.clone())
        };
        self.shapes.iter().map(part).collect()
    }
}

/// `y + h sum_i weight_i slope_i`, weights of 0 left out. Components are worked on one by one: operations on numbers make
/// one instruction.
fn blend(y: &[Var], h: Var, weights: &[f64], slopes: &[Vec<Var>]) -> Vec<Var> {
    let component = |(i, &y): (usize, &Var)| {
        let terms = weights.iter().zip(slopes).filter(|(w, _)| **w != 0.0);
        y + h * terms.map(|(&w, k)| w * k[i]).sum::<Var>()
    };
    y.iter().enumerate().map(component).collect()
}

/// `condition ? a : b`, component by component.
fn choose(condition: Var, a: &[Var], b: &[Var]) -> Vec<Var> {
    a.iter().zip(b).map(|(&a, &b)| condition.select(a, b)).collect()
}

/// The rows of the states after some of the steps, where 0 is the start.
fn after(start: Var, steps: Var, counts: &[usize]) -> Var {
    concat(&[start.expand_dims(0), steps], 0).gather(0, counts)
}
