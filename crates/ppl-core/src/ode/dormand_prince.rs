//! Dormand and Prince's method of order 5 with steps that fit themselves to the solution.

use ppl_autodiff::{Mistake, Var, mistake, scan};

use super::{Solver, System, after, blend, choose};

/// Dormand and Prince's Runge-Kutta method of order 5(4): each step compares two solutions, and is accepted if they differ
/// by at most `absolute + relative |y|` in root mean square; the next step is as long as the error allows.
///
/// Whether a step is accepted is a choice among results on the tape, not a branch of the program: one tape serves all
/// points, with the price that every span between two times takes `attempts` attempts, needed or not (those after its end
/// have length 0). A span that is not finished by then gives NaN, which samplers treat as a point without density.
/// Derivatives go through the accepted steps with their lengths held fixed.
///
/// # Errors
/// Tolerances that are not positive, or no attempts, poison the trace.
///
/// # Source
/// Dormand and Prince (1980), "A family of embedded Runge-Kutta formulae"; step control of Hairer, Nørsett and Wanner
/// (1993), "Solving Ordinary Differential Equations I", II.4; a bounded number of steps as in diffrax.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::ode::{DormandPrince, solve};
/// // y' = y^2 from y(0): y(t) = y0 / (1 - y0 t), steeper and steeper towards t = 1 / y0.
/// let at = |y0| solve(DormandPrince::new(1e-8, 1e-8, 40), |_, y| vec![y[0].square()], 0.0, &[y0], &[0.9])[0].sum();
/// let (y, slope) = value_and_grad(at, 1.0)?;
/// assert!((y - 10.0).abs() < 1e-5);
/// assert!((slope.sum() - 100.0).abs() < 1e-3);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DormandPrince {
    relative: f64,
    absolute: f64,
    attempts: usize,
}

/// Stages: `NODES[i]` is the time of stage i + 1, `STAGES[i]` the weights of the slopes before it. The last stage is the
/// solution of order 5, whose slope is the first of the next step.
const NODES: [f64; 6] = [1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
const STAGES: [&[f64]; 6] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// The solution of order 5 less that of order 4.
const ERROR: [f64; 7] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339_200.0, 22.0 / 525.0, -1.0 / 40.0];
/// A new step is this much shorter than the error allows, and within these factors of the last.
const SAFETY: f64 = 0.9;
const SHRINK: f64 = 0.2;
const GROW: f64 = 5.0;
/// An error below this counts as this: a step may then grow as much as it can.
const LEAST_ERROR: f64 = 1e-10;

impl DormandPrince {
    /// By relative and absolute tolerance of a step, and attempts at a step between two times.
    #[track_caller]
    pub fn new(relative: f64, absolute: f64, attempts: usize) -> Self {
        for (argument, got) in [("relative", relative), ("absolute", absolute), ("attempts", attempts as f64)] {
            if got.is_nan() || got <= 0.0 {
                let (owner, wanted) = ("DormandPrince".to_owned(), "positive");
                mistake(Mistake::Argument { owner, argument, wanted, got });
            }
        }
        Self { relative, absolute, attempts }
    }

    /// The root mean square of the error in units of the tolerance, over all elements; it carries no derivative.
    fn error(&self, h: Var, before: &[Var], after: &[Var], slopes: &[Vec<Var>]) -> Var {
        let nothing: Vec<Var> = before.iter().map(|_| Var::from(0.0)).collect();
        let errors = blend(&nothing, h, &ERROR, slopes);
        let squares = errors.iter().zip(before.iter().zip(after)).map(|(error, (a, b))| {
            let size = a.detach().abs().max(b.detach().abs());
            (error.detach() / (self.absolute + self.relative * size)).square().sum()
        });
        let elements: usize = before.iter().map(|y| y.shape().size()).sum();
        (squares.sum::<Var>() / elements.max(1) as f64).sqrt()
    }
}

impl Solver for DormandPrince {
    fn rows(&self, system: &System<'_>, start_time: f64, start: &[Var], times: &[f64]) -> Var {
        let joined = system.join(start);
        // Of each attempt: the time to reach, how far that is, and whether it is the first to try.
        let (mut ends, mut spans, mut begins, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut from = start_time;
        for &to in times {
            let attempts = if to > from { self.attempts } else { 0 };
            for attempt in 0..attempts {
                ends.push(to);
                spans.push(to - from);
                begins.push(f64::from(u8::from(attempt == 0)));
            }
            counts.push(ends.len());
            from = to;
        }
        let Some(&longest) = spans.first() else {
            return after(joined, Var::zeros([0, joined.dim(0)]), &counts);
        };
        let first = system.join(&system.slope(start_time.into(), start));
        let inputs = [Var::from(&ends), Var::from(spans), Var::from(begins)];
        let init = [joined, first, longest.into(), 0.0.into()];
        let (_, [states]) = scan(ends.len(), init, inputs, |[y, first, length, rest], [end, span, begin]| {
            let (y, first) = (system.split(y), system.split(first));
            // What was not finished before is no solution.
            let lost = begin * rest.gt(0.0);
            let y: Vec<Var> = y.iter().map(|&y| lost.select(f64::NAN, y)).collect();
            let rest = begin.select(span, rest);
            let whole = length.ge(rest);
            let h = whole.select(rest, length);
            let t = end - rest;
            let mut slopes = vec![first.clone()];
            let mut new = y.clone();
            for (node, weights) in NODES.iter().zip(STAGES) {
                new = blend(&y, h, weights, &slopes);
                slopes.push(system.slope(t + *node * h, &new));
            }
            let error = self.error(h, &y, &new, &slopes);
            let accepted = error.le(1.0);
            // A NaN error shrinks the step as much as may be.
            let factor = (SAFETY * (-0.2 * error.max(LEAST_ERROR).ln()).exp()).max(SHRINK).min(GROW);
            let factor = error.lt(f64::INFINITY).select(factor, SHRINK);
            // The end of a span cuts its last step short, which says nothing about the next.
            let next = (h * factor).max((accepted * whole).select(length, 0.0));
            let length = rest.gt(0.0).select(next, length);
            let rest = accepted.select(whole.select(0.0, rest - h), rest);
            let y = system.join(&choose(accepted, &new, &y));
            let first = system.join(&choose(accepted, &slopes[STAGES.len()], &first));
            ([y, first, length, rest], [rest.le(0.0).select(y, f64::NAN)])
        });
        after(joined, states, &counts)
    }
}
