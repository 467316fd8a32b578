//! Linear recurrences along an axis.

use crate::structure::concat;
use crate::var::Var;

/// The adjoints of decay d and input x of `y_t = d_t y_{t-1} + x_t`, `y_0 = x_0`: the adjoint of x is the recurrence the
/// other way, `l_t = g_t + d_{t+1} l_{t+1}`, and that of d_t is `l_t y_{t-1}`.
pub(super) fn adjoint(axis: usize, reverse: bool, decay: Var, y: Var, g: Var) -> (Var, Var) {
    let axis = axis as isize;
    let steps = y.dim(axis);
    if steps == 0 {
        return (g, g);
    }
    // In the order of time the neighbour before or after; at the end something that does not count.
    let neighbour = |v: Var, after: bool, end: Var| {
        if after == reverse {
            concat(&[end, v.slice(axis, 0..steps - 1)], axis)
        } else {
            concat(&[v.slice(axis, 1..steps), end], axis)
        }
    };
    let nothing = Var::zeros(y.slice(axis, 0..1).shape());
    let input = g.recurrence(neighbour(decay, true, nothing), axis, !reverse);
    (input * neighbour(y, false, nothing), input)
}
