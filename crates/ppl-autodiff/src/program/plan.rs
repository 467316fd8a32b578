//! The memory plan: buffers that are never needed at the same time share their place in one arena.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::instruction::Instruction;
use super::layout::Store;

/// Places are multiples of this many elements, so that vectors do not straddle cache lines.
const ALIGN: usize = 16;

/// Where each buffer starts, and the length of the arena.
pub(crate) fn plan<T>(instructions: &[Instruction<T>], sizes: &[usize]) -> (Vec<usize>, usize) {
    let mut life: Vec<Option<(usize, usize)>> = vec![None; sizes.len()];
    for (at, instruction) in instructions.iter().enumerate() {
        let (written, read) = instruction.places();
        for place in read.into_iter().chain([written]) {
            if let Store::Buffer(id) = place.store {
                let span = life[id as usize].get_or_insert((at, at));
                span.1 = at;
            }
        }
    }
    let mut order: Vec<usize> = (0..sizes.len()).filter(|&b| life[b].is_some()).collect();
    order.sort_by_key(|&b| life[b]);
    let mut starts = vec![0; sizes.len()];
    let mut length = 0;
    let mut gaps = Gaps::new();
    // Living buffers by the instruction that needs them last: (last, start, end).
    let mut living: BinaryHeap<Reverse<(usize, usize, usize)>> = BinaryHeap::new();
    for b in order {
        let Some((first, last)) = life[b] else {
            continue;
        };
        while let Some(&Reverse((until, start, end))) = living.peek()
            && until < first
        {
            living.pop();
            gaps.give(start, end);
        }
        let size = sizes[b].next_multiple_of(ALIGN);
        if size == 0 {
            continue;
        }
        let start = gaps.take(size);
        starts[b] = start;
        living.push(Reverse((last, start, start + size)));
        length = length.max(start + size);
    }
    (starts, length)
}

/// The free parts of the arena, start to end; the last one has no end. No two touch.
struct Gaps(BTreeMap<usize, usize>);

impl Gaps {
    fn new() -> Self {
        Self(BTreeMap::from([(0, usize::MAX)]))
    }

    /// The start of the first gap in which `size` elements fit; they are taken.
    fn take(&mut self, size: usize) -> usize {
        let fits = self.0.iter().find(|&(s, e)| e - s >= size);
        let (start, end) = fits.map_or((0, usize::MAX), |(&s, &e)| (s, e));
        self.0.remove(&start);
        if start + size < end {
            self.0.insert(start + size, end);
        }
        start
    }

    /// Frees `start..end`, joined with the gaps that it touches.
    fn give(&mut self, mut start: usize, mut end: usize) {
        if let Some((&before, &until)) = self.0.range(..start).next_back()
            && until == start
        {
            start = before;
        }
        if let Some(after) = self.0.remove(&end) {
            end = after;
        }
        self.0.insert(start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::Gaps;

    #[test]
    fn gaps_are_taken_first_fit_and_join_when_they_touch() {
        let mut gaps = Gaps::new();
        assert_eq!([gaps.take(16), gaps.take(32), gaps.take(16)], [0, 16, 48]);
        gaps.give(0, 16);
        assert_eq!(gaps.take(32), 64); // 0..16 is too short
        gaps.give(16, 48);
        assert_eq!(gaps.take(48), 0); // 0..16 and 16..48 have become one
        gaps.give(48, 64);
        gaps.give(64, 96);
        gaps.give(0, 48);
        assert_eq!(gaps.0.len(), 1);
        assert_eq!(gaps.take(1000), 0);
    }
}
