//! The memory plan: buffers that are never needed at the same time share their place in one arena.

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
    // Free gaps and living buffers, as (start, end); first fit from the front.
    let mut living: Vec<(usize, usize, usize)> = Vec::new();
    for b in order {
        let Some((first, last)) = life[b] else {
            continue;
        };
        living.retain(|&(_, _, until)| until >= first);
        living.sort_unstable();
        let size = sizes[b].next_multiple_of(ALIGN);
        let mut start = 0;
        for &(s, e, _) in &living {
            if start + size <= s {
                break;
            }
            start = start.max(e);
        }
        starts[b] = start;
        living.push((start, start + size, last));
        length = length.max(start + size);
    }
    (starts, length)
}
