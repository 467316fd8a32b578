//! Where values lie: views with strides, so that transposes, broadcasts, slices and most reshapes cost nothing.

use smallvec::SmallVec;

use crate::shape::{Shape, Strides};

/// What a value's elements are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Store {
    Constants,
    /// A buffer of the workspace, by number; the plan gives it a place.
    Buffer(u32),
    Input(u32),
    Output(u32),
}

/// A strided array in some store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub store: Store,
    pub offset: usize,
    pub shape: Shape,
    pub strides: Strides,
}

impl View {
    /// A dense row-major array.
    pub fn dense(store: Store, offset: usize, shape: Shape) -> Self {
        let strides = shape.strides();
        Self { store, offset, shape, strides }
    }

    /// A dense array whose axes lie in memory in the given order, outermost first.
    pub fn ordered(store: Store, shape: Shape, order: &[usize]) -> Self {
        let mut strides: Strides = SmallVec::from_elem(0, shape.rank());
        let mut step = 1;
        for &axis in order.iter().rev() {
            strides[axis] = step;
            step *= shape[axis] as isize;
        }
        Self { store, offset: 0, shape, strides }
    }

    pub fn is_row_major(&self) -> bool {
        let want = self.shape.strides();
        self.shape.size() == 0 || self.shape.iter().zip(&self.strides).zip(&want).all(|((&n, s), w)| n == 1 || s == w)
    }

    /// Whether the elements lie as those of another array of this shape do, from their first ones on.
    pub fn lies_as(&self, other: &View) -> bool {
        let mut steps = self.shape.iter().zip(self.strides.iter().zip(&other.strides));
        self.shape == other.shape && steps.all(|(&n, (a, b))| n == 1 || a == b)
    }

    /// All elements are one and the same.
    pub fn is_scalar(&self) -> bool {
        self.shape.iter().zip(&self.strides).all(|(&n, &s)| n == 1 || s == 0)
    }

    /// The axes in the order of their strides, largest first; broadcast axes and axes of extent 1 stay in place.
    pub fn order(&self) -> SmallVec<[usize; 4]> {
        let mut order: SmallVec<[usize; 4]> = (0..self.shape.rank()).collect();
        // Extents of 1 have meaningless strides: sort the others among the positions that they hold.
        let real: SmallVec<[usize; 4]> =
            order.iter().copied().filter(|&a| self.shape[a] > 1 && self.strides[a] != 0).collect();
        let mut sorted = real.clone();
        sorted.sort_by_key(|&a| std::cmp::Reverse(self.strides[a]));
        for (&place, &axis) in real.iter().zip(&sorted) {
            order[place] = axis;
        }
        order
    }

    /// Whether no element is repeated and none is missing between the first and the last.
    pub fn is_dense(&self) -> bool {
        let dense = View::ordered(self.store, self.shape.clone(), &self.order());
        let same = |axis: usize| self.shape[axis] == 1 || dense.strides[axis] == self.strides[axis];
        (0..self.shape.rank()).all(same)
    }

    pub fn transpose(&self, order: &[usize]) -> Self {
        let shape = order.iter().map(|&a| self.shape[a]).collect();
        let strides = order.iter().map(|&a| self.strides[a]).collect();
        Self { store: self.store, offset: self.offset, shape, strides }
    }

    pub fn broadcast(&self, shape: &Shape) -> Self {
        let skip = shape.rank() - self.shape.rank();
        let strides = (0..shape.rank())
            .map(|a| if a < skip || (self.shape[a - skip] == 1 && shape[a] != 1) { 0 } else { self.strides[a - skip] })
            .collect();
        Self { store: self.store, offset: self.offset, shape: shape.clone(), strides }
    }

    pub fn slice(&self, axis: usize, start: usize, step: usize, length: usize) -> Self {
        let mut view = self.clone();
        view.offset = (view.offset as isize + start as isize * view.strides[axis]) as usize;
        view.strides[axis] *= step as isize;
        view.shape = view.shape.with(axis, length);
        view
    }

    /// The diagonal of the last two axes.
    pub fn diagonal(&self) -> Self {
        let mut view = self.clone();
        let last = view.strides.len() - 1;
        view.strides[last - 1] += view.strides[last];
        view.strides.truncate(last);
        view.shape.remove(last);
        view
    }

    /// The same elements, row-major, in another shape, if strides can say it.
    pub fn reshape(&self, target: &Shape) -> Option<Self> {
        let mut strides: Strides = SmallVec::from_elem(0, target.rank());
        let done = |strides| Self { store: self.store, offset: self.offset, shape: target.clone(), strides };
        if target.size() == 0 {
            return Some(done(strides));
        }
        // Runs of old axes that together have the elements of a run of new axes.
        let old: SmallVec<[(usize, isize); 4]> =
            self.shape.iter().copied().zip(self.strides.iter().copied()).filter(|&(n, _)| n != 1).collect();
        let (mut i, mut j) = (0, 0);
        while i < old.len() {
            let (mut i_end, mut j_end) = (i + 1, j);
            let mut have = old[i].0;
            let mut want = 1;
            while have != want {
                if want < have {
                    want *= target[j_end];
                    j_end += 1;
                } else {
                    have *= old[i_end].0;
                    i_end += 1;
                }
            }
            // Inside a run the old axes must step as one.
            if old[i..i_end].windows(2).any(|pair| pair[0].1 != pair[1].1 * pair[1].0 as isize) {
                return None;
            }
            let mut step = old[i_end - 1].1;
            for axis in (j..j_end).rev() {
                strides[axis] = step;
                step *= target[axis] as isize;
            }
            (i, j) = (i_end, j_end);
        }
        Some(done(strides))
    }
}

/// One loop of a nest: an extent and the step of each array in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Loop<const N: usize> {
    pub extent: usize,
    pub steps: [isize; N],
}

/// The loops over some axes, outermost first, with neighbours that step as one merged.
pub(crate) fn loops<const N: usize>(shape: &Shape, order: &[usize], strides: [&Strides; N]) -> Vec<Loop<N>> {
    let mut nest: Vec<Loop<N>> = Vec::new();
    for &axis in order {
        let extent = shape[axis];
        if extent == 1 {
            continue;
        }
        let steps = strides.map(|s| s[axis]);
        match nest.last_mut() {
            Some(outer) if (0..N).all(|i| outer.steps[i] == steps[i] * extent as isize) => {
                outer.extent *= extent;
                outer.steps = steps;
            }
            _ => nest.push(Loop { extent, steps }),
        }
    }
    nest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshape_keeps_views_where_strides_can_say_it() {
        let v = View::dense(Store::Constants, 0, Shape::from([6, 4]));
        assert_eq!(&v.reshape(&Shape::from([2, 3, 4])).unwrap().strides[..], &[12, 4, 1]);
        let t = v.transpose(&[1, 0]);
        assert_eq!(&t.reshape(&Shape::from([4, 2, 3])).unwrap().strides[..], &[1, 12, 4]);
        assert!(t.reshape(&Shape::from([24])).is_none());
        assert_eq!(&t.reshape(&Shape::from([1, 4, 1, 6])).unwrap().strides[1..2], &[1]);
    }

    #[test]
    fn loops_merge_where_all_arrays_step_as_one() {
        let shape = Shape::from([3, 4, 5]);
        let dense = shape.strides();
        let row: Strides = SmallVec::from_slice(&[0, 0, 1]);
        assert_eq!(loops(&shape, &[0, 1, 2], [&dense]).len(), 1);
        assert_eq!(loops(&shape, &[0, 1, 2], [&dense, &row]).len(), 2);
    }
}
