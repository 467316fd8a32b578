//! Linear recurrences from a given start, such as the variances of GARCH or an exponential smoothing.

use ppl_autodiff::{Var, concat};

/// `x_t = decay_t x_{t-1} + input_t` for t = 1..T from `x_0 = start`: the values `x_1, .., x_T`.
///
/// # Shapes
/// `input: [.., T]`, which `decay` broadcasts to (a number, or one for each step); `start: [..]`. The result is
/// `[.., T]`.
///
/// # Errors
/// Shapes that do not broadcast poison the trace.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::recurrence::linear_recurrence;
/// // 1, then 2 * 1 + 1 = 3, 2 * 3 + 1 = 7, 2 * 7 + 1 = 15: the last is start * 8 + 7.
/// let last = |start| linear_recurrence(start, 2.0, [1.0, 1.0, 1.0]).index(-1, 2);
/// let (value, slope) = value_and_grad(last, 1.0)?;
/// assert_eq!((value, slope.sum()), (15.0, 8.0));
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[track_caller]
pub fn linear_recurrence(start: impl Into<Var>, decay: impl Into<Var>, input: impl Into<Var>) -> Var {
    let (start, decay, input) = (start.into(), decay.into(), input.into());
    let steps = input.dim(-1);
    if steps == 0 {
        return input;
    }
    let decay = decay.broadcast_to(input.shape());
    // The start enters the first step.
    let first = input.slice(-1, 0..1) + decay.slice(-1, 0..1) * start.expand_dims(-1);
    concat(&[first, input.slice(-1, 1..steps)], -1).linear_recurrence(decay, -1)
}
