//! The memory plan: buffers that are never needed at the same time share their place in one arena, and a result takes the
//! place of an operand that nobody needs afterwards where its instruction can do that.

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
    // Which buffer's place each takes over, and the other way.
    let (mut heir_of, mut heir): (Vec<Option<usize>>, Vec<Option<usize>>) =
        (vec![None; sizes.len()], vec![None; sizes.len()]);
    for (at, instruction) in instructions.iter().enumerate() {
        for (new, old) in instruction.overwrites() {
            let (Store::Buffer(new), Store::Buffer(old)) = (new.store, old.store) else { continue };
            let (new, old) = (new as usize, old as usize);
            let alone = heir_of[new].is_none() && heir[old].is_none() && sizes[new] == sizes[old];
            if alone && life[new].is_some_and(|(first, _)| first == at) && life[old].is_some_and(|(_, last)| last == at)
            {
                (heir_of[new], heir[old]) = (Some(old), Some(new));
            }
        }
    }
    let mut order: Vec<usize> = (0..sizes.len()).filter(|&b| life[b].is_some()).collect();
    order.sort_by_key(|&b| life[b]);
    let mut starts = vec![0; sizes.len()];
    let mut length = 0;
    let mut gaps = Gaps::new();
    // Living buffers by the instruction that needs them last: (last, start, end, whether the place becomes free).
    let mut living: BinaryHeap<Reverse<(usize, usize, usize, bool)>> = BinaryHeap::new();
    for b in order {
        let Some((first, last)) = life[b] else {
            continue;
        };
        while let Some(&Reverse((until, start, end, is_free))) = living.peek()
            && until < first
        {
            living.pop();
            if is_free {
                gaps.give(start, end);
            }
        }
        let size = sizes[b].next_multiple_of(ALIGN);
        if size == 0 {
            continue;
        }
        let start = heir_of[b].map_or_else(|| gaps.take(size), |old| starts[old]);
        starts[b] = start;
        living.push(Reverse((last, start, start + size, heir[b].is_none())));
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
    use crate::{Program, Var, trace};

    /// The arena of the product x x' that a chain changes before its columns are summed, and the sums.
    fn changed(x: &[f64; 64], chain: impl Fn(Var) -> Var) -> (usize, Vec<f64>) {
        let (y, traced) = trace(|| {
            let x = Var::input(0, [64, 1]);
            chain(x.matmul(x.t())).sum_axis(0)
        })
        .unwrap();
        let program = Program::<f64>::compile(traced.tape(), &[&[y]]);
        let mut out = vec![0.0; 64];
        program.evaluate(&mut program.workspace(), &[x], &mut [&mut out]);
        (program.arena, out)
    }

    #[test]
    fn a_result_takes_the_place_of_what_is_not_needed_afterwards() {
        const ARRAY: usize = 64 * 64;
        let x: [f64; 64] = std::array::from_fn(|i| (i as f64).sin());
        let check = |sums: &[f64], f: &dyn Fn(f64) -> f64| {
            for (got, a) in sums.iter().zip(x) {
                let want: f64 = x.iter().map(|b| f(a * b)).sum();
                assert!((got - want).abs() < 1e-12 * want.abs(), "{got} {want}");
            }
        };
        let (arena, sums) = changed(&x, |y| (y * 2.0).exp() + 1.0);
        assert!((ARRAY..ARRAY + 128).contains(&arena), "{arena}");
        check(&sums, &|y| (2.0 * y).exp() + 1.0);
        // What the last step reads cannot be written at the same time.
        let (arena, sums) = changed(&x, |y| (y * 2.0).exp() + y);
        assert!(arena >= 2 * ARRAY, "{arena}");
        check(&sums, &|y| (2.0 * y).exp() + y);
    }

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
