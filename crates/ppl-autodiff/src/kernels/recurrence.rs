//! Linear recurrences: one multiplication and addition a step, each waiting for the one before.

use super::dispatch::multiversion;
use crate::real::Real;

multiversion! {
    /// `y_t = d_t y_{t-1} + x_t` for n steps from `y_0 = x_0`, with the steps in memory of d, x and y.
    ///
    /// # Safety
    /// Each must have n elements at its step, and y overlap with neither d nor x.
    pub(crate) unsafe fn recurrence<T: Real>(n: usize, steps: [isize; 3], d: *const T, x: *const T, y: *mut T) {
        let mut last = T::ZERO;
        for t in 0..n as isize {
            // SAFETY: t < n.
            unsafe {
                let input = *x.offset(t * steps[1]);
                last = if t == 0 { input } else { (*d.offset(t * steps[0])).mul_add(last, input) };
                *y.offset(t * steps[2]) = last;
            }
        }
    }
}
