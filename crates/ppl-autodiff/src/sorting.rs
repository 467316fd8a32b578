//! Methods of `Var` whose data movement depends on values: sorting.

use std::panic::Location;

use crate::ops::Op;
use crate::trace;
use crate::var::Var;

impl Var {
    /// The elements along an axis in ascending order, NaN last. The derivative goes back to where each came from.
    #[track_caller]
    pub fn sort(self, axis: isize) -> Var {
        let location = Location::caller();
        self.along_last("sort", axis, location, |x| {
            let order = trace::record(Op::ArgSort, &[x], location);
            trace::record(Op::TakeAlong, &[x, order], location)
        })
    }

    /// The indices along an axis that would sort it, equal elements in the order in which they stand. No derivative.
    #[track_caller]
    pub fn argsort(self, axis: isize) -> Var {
        let location = Location::caller();
        self.along_last("argsort", axis, location, |x| trace::record(Op::ArgSort, &[x], location))
    }

    fn along_last(
        self,
        operation: &'static str,
        axis: isize,
        location: &'static Location<'static>,
        f: impl Fn(Var) -> Var,
    ) -> Var {
        let rank = self.rank();
        match self.shape().axis(axis) {
            None => self.no_axis(operation, axis, location),
            Some(axis) if axis + 1 == rank => f(self),
            Some(axis) => {
                let mut order: crate::ops::Axes = (0..rank).collect();
                order.swap(axis, rank - 1);
                let swap = |x: Var| trace::record(Op::Transpose(order.clone()), &[x], location);
                swap(f(swap(self)))
            }
        }
    }
}
