//! Elements added at indices, those of one place together: added where they go one after the other, each sum would wait
//! for the one before to have gone through memory.

use super::instruction::Place;
use crate::real::Real;

/// From `[outer, index.len(), inner]` to `[outer, length, inner]`.
pub(crate) struct ScatterAdd {
    pub outer: usize,
    pub length: usize,
    pub inner: usize,
    pub from: Place,
    pub result: Place,
    groups: Vec<Group>,
    /// The elements, group by group; none where they lie that way.
    order: Option<Vec<usize>>,
    count: usize,
}

/// The elements that go to one place: a range of the order.
struct Group {
    to: usize,
    start: usize,
    end: usize,
}

impl ScatterAdd {
    pub fn new([outer, length, inner]: [usize; 3], index: &[usize], from: Place, result: Place) -> Self {
        let mut order: Vec<usize> = (0..index.len()).collect();
        order.sort_by_key(|&e| index[e]);
        let mut groups: Vec<Group> = Vec::new();
        for (at, &e) in order.iter().enumerate() {
            match groups.last_mut() {
                Some(group) if group.to == index[e] => group.end = at + 1,
                _ => groups.push(Group { to: index[e], start: at, end: at + 1 }),
            }
        }
        let order = Some(order).filter(|order| !order.is_sorted());
        Self { outer, length, inner, from, result, groups, order, count: index.len() }
    }

    /// Runs it.
    ///
    /// # Safety
    /// `x` and `y` must have the elements that the extents say, and not overlap.
    pub unsafe fn run<T: Real>(&self, x: *const T, y: *mut T) {
        let Self { outer, length, inner, count, .. } = *self;
        // SAFETY: indices lie within the length, the order within the count.
        unsafe {
            std::slice::from_raw_parts_mut(y, outer * length * inner).fill(T::ZERO);
            for block in 0..outer {
                let (x, y) = (x.add(block * count * inner), y.add(block * length * inner));
                for group in &self.groups {
                    let y = y.add(group.to * inner);
                    match (&self.order, inner) {
                        (None, 1) => *y = total(group.end - group.start, |k| *x.add(group.start + k)),
                        (Some(order), 1) => {
                            let order = order.get_unchecked(group.start..group.end);
                            *y = total(order.len(), |k| *x.add(*order.get_unchecked(k)));
                        }
                        (order, _) => {
                            for at in group.start..group.end {
                                let row = x.add(order.as_ref().map_or(at, |order| order[at]) * inner);
                                (0..inner).for_each(|e| *y.add(e) += *row.add(e));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The sum of `x(k)` for k below n, in four sums that do not wait for each other.
#[inline(always)]
fn total<T: Real>(n: usize, x: impl Fn(usize) -> T) -> T {
    let mut sums = [T::ZERO; 4];
    let whole = n - n % 4;
    for k in (0..whole).step_by(4) {
        for (l, sum) in sums.iter_mut().enumerate() {
            *sum += x(k + l);
        }
    }
    let [a, b, c, d] = sums;
    (whole..n).fold((a + b) + (c + d), |sum, k| sum + x(k))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::layout::Store;

    /// Groups of none to nine elements, in order and not, of numbers and of rows, in several blocks.
    #[test]
    fn every_element_arrives() {
        let sorted: Vec<usize> = (0..10).flat_map(|to| std::iter::repeat_n(to, to)).collect();
        let shuffled: Vec<usize> = (0..sorted.len()).map(|e| sorted[e * 7 % sorted.len()]).collect();
        let place = Place { store: Store::Constants, offset: 0 };
        for index in [sorted, shuffled] {
            for [outer, length, inner] in [[1, 10, 1], [2, 12, 1], [1, 10, 3], [3, 11, 2]] {
                let x: Vec<f64> = (0..outer * index.len() * inner).map(|e| e as f64).collect();
                let mut want = vec![0.0; outer * length * inner];
                for (e, x) in x.iter().enumerate() {
                    let (block, at, within) = (e / inner / index.len(), e / inner % index.len(), e % inner);
                    want[(block * length + index[at]) * inner + within] += x;
                }
                let mut got = vec![f64::NAN; want.len()];
                let scatter = ScatterAdd::new([outer, length, inner], &index, place, place);
                // SAFETY: the arrays have the extents.
                unsafe { scatter.run(x.as_ptr(), got.as_mut_ptr()) };
                assert_eq!(got, want, "{outer} {length} {inner}");
            }
        }
    }
}
