//! Sweeps: chains over equally many elements run strip by strip, all of them on one strip before the next, so that what
//! one leaves to another stays in the cache. A long vector would otherwise go to memory and back between any two chains.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::instruction::{BLOCK, Fused, Instruction, Memory, Place, Source};
use super::layout::Store;
use super::lower::Lowered;
use crate::ops::Reduction;
use crate::real::Real;

/// Elements that a sweep handles at a time. 1000 numbers of each of a dozen arrays fit into the second-level cache, and
/// setting a chain up costs little beside them.
const STRIP: usize = 4 * BLOCK;
/// Shorter arrays stay in the cache as they are.
const SHORTEST: usize = 4 * STRIP;
/// How many instructions may wait for a sweep while others are looked through that could join it.
const WAITING: usize = 64;

/// Chains over equally many elements, in order.
pub(crate) struct Sweep<T> {
    pub parts: Vec<Fused<T>>,
}

impl<T: Real> Sweep<T> {
    /// Runs all parts, strip by strip.
    ///
    /// # Safety
    /// As for [`Instruction::run`].
    pub unsafe fn run(&self, memory: &mut Memory<'_, '_, T>) {
        let elements = self.parts.first().map_or(0, |part| part.elements);
        for start in (0..elements).step_by(STRIP) {
            for part in &self.parts {
                // SAFETY: the caller's promise.
                unsafe { part.run(memory, start..elements.min(start + STRIP)) };
            }
        }
    }
}

/// Stores that instructions write and read; constants and inputs are never written.
#[derive(Default)]
struct Touched {
    written: HashSet<Store>,
    read: HashSet<Store>,
}

impl Touched {
    fn add<T>(&mut self, instruction: &Instruction<T>) {
        let (writes, reads) = instruction.effects();
        self.written.extend(writes.iter().map(|p| p.store));
        self.read.extend(reads.iter().map(|p| p.store));
    }

    /// Whether an instruction has to run after these.
    fn holds_up<T>(&self, instruction: &Instruction<T>) -> bool {
        let (writes, reads) = instruction.effects();
        // The elements of an output are written once each.
        let again = |p: &Place| matches!(p.store, Store::Buffer(_)) && self.written.contains(&p.store);
        reads.iter().any(|p| self.written.contains(&p.store))
            || writes.iter().any(|p| self.read.contains(&p.store) || again(p))
    }
}

/// Gathers the chains of a program into sweeps, in an order that keeps what depends on what.
pub(crate) fn group<T: Real>(lowered: &mut Lowered<T>) {
    let mut touches = vec![0; lowered.buffers.len()];
    for instruction in &lowered.instructions {
        let (writes, reads) = instruction.effects();
        let stores: HashSet<Store> = writes.iter().chain(&reads).map(|p| p.store).collect();
        for store in stores {
            if let Store::Buffer(id) = store {
                touches[id as usize] += 1;
            }
        }
    }
    let mut queue: VecDeque<Instruction<T>> = std::mem::take(&mut lowered.instructions).into();
    while let Some(instruction) = queue.pop_front() {
        let fused = match chain(instruction) {
            Ok(fused) => fused,
            Err(other) => {
                lowered.instructions.push(other);
                continue;
            }
        };
        let mut parts = Parts::new(fused);
        let mut waiting: Vec<Instruction<T>> = Vec::new();
        let mut held = Touched::default();
        while waiting.len() < WAITING
            && let Some(next) = queue.pop_front()
        {
            if held.holds_up(&next) {
                held.add(&next);
                waiting.push(next);
                continue;
            }
            match parts.take(next) {
                None => {}
                Some(next) if parts.touched.holds_up(&next) => {
                    held.add(&next);
                    waiting.push(next);
                }
                Some(next) => lowered.instructions.push(next),
            }
        }
        waiting.into_iter().rev().for_each(|i| queue.push_front(i));
        lowered.instructions.push(parts.finish(&touches, &mut lowered.buffers));
    }
}

/// A chain that is worth a sweep; the sum of a vector is one without steps.
fn chain<T: Real>(instruction: Instruction<T>) -> Result<Fused<T>, Instruction<T>> {
    match instruction {
        Instruction::Fused(fused) if fused.elements >= SHORTEST => Ok(fused),
        Instruction::Reduce(r)
            if r.op == Reduction::Sum
                && r.kept.is_empty()
                && matches!(&r.reduced[..], [all] if all.steps == [1] && all.extent >= SHORTEST) =>
        {
            Ok(Fused {
                elements: r.reduced[0].extent,
                sources: vec![Source::Dense(r.from)],
                registers: 0,
                steps: Vec::new(),
                sum: Some(r.sum),
                result: r.result,
                is_local: false,
            })
        }
        other => Err(other),
    }
}

/// The parts of a sweep that is being gathered.
struct Parts<T> {
    parts: Vec<Fused<T>>,
    touched: Touched,
}

impl<T: Real> Parts<T> {
    fn new(first: Fused<T>) -> Self {
        let mut parts = Self { parts: Vec::new(), touched: Touched::default() };
        parts.push(first);
        parts
    }

    fn push(&mut self, fused: Fused<T>) {
        self.touched.written.insert(fused.result.store);
        self.touched.read.extend(fused.sources.iter().map(|s| s.place().store));
        self.parts.push(fused);
    }

    /// Takes an instruction if it may run strip by strip with the parts, after them; else gives it back.
    fn take(&mut self, instruction: Instruction<T>) -> Option<Instruction<T>> {
        let elements = self.parts[0].elements;
        let fits = |fused: &Fused<T>| {
            let same_strip = |place: Place| {
                // Each writer of the store must have written just these elements.
                self.parts
                    .iter()
                    .filter(|p| p.result.store == place.store)
                    .all(|p| p.sum.is_none() && p.result == place)
            };
            let reads = fused.sources.iter().all(|source| match source {
                Source::Dense(place) => same_strip(*place),
                other => !self.touched.written.contains(&other.place().store),
            });
            let written =
                matches!(fused.result.store, Store::Buffer(_)) && self.touched.written.contains(&fused.result.store);
            fused.elements == elements && reads && !written && !self.touched.read.contains(&fused.result.store)
        };
        match instruction {
            Instruction::Fused(fused) if fits(&fused) => self.push(fused),
            Instruction::Reduce(_) => match chain(instruction) {
                Ok(fused) if fits(&fused) => self.push(fused),
                Ok(fused) => return Some(Instruction::Fused(fused)),
                Err(other) => return Some(other),
            },
            other => return Some(other),
        }
        None
    }

    /// The instruction. What only the parts use needs no more memory than a strip, shared by what is not needed at the
    /// same time. `touches` counts the instructions that touch each buffer.
    fn finish(mut self, touches: &[usize], buffers: &mut Vec<usize>) -> Instruction<T> {
        if let [_] = self.parts[..] {
            return self.parts.pop().map_or_else(|| unreachable!("there is one"), Instruction::Fused);
        }
        // For each buffer: how many parts touch it, the last of them, and whether as a whole.
        let mut uses: HashMap<u32, (usize, usize, bool)> = HashMap::new();
        for (at, part) in self.parts.iter().enumerate() {
            let mut seen: HashSet<u32> = HashSet::new();
            let sources = part.sources.iter().map(|s| (s.place(), matches!(s, Source::Dense(_))));
            for (place, dense) in sources.chain([(part.result, part.sum.is_none())]) {
                if let Store::Buffer(id) = place.store {
                    let entry = uses.entry(id).or_insert((0, at, true));
                    entry.0 += usize::from(seen.insert(id));
                    entry.1 = at;
                    entry.2 &= dense && place.offset == 0 && buffers[id as usize] == part.elements;
                }
            }
        }
        let is_local = |id: u32| uses.get(&id).is_some_and(|&(count, _, whole)| whole && count == touches[id as usize]);
        let mut strip_of: BTreeMap<u32, u32> = BTreeMap::new();
        let mut free: Vec<u32> = Vec::new();
        for (at, part) in self.parts.iter_mut().enumerate() {
            for source in &mut part.sources {
                if let Source::Dense(place) = source
                    && let Store::Buffer(id) = place.store
                    && let Some(&strip) = strip_of.get(&id)
                {
                    *source = Source::Local(Place { store: Store::Buffer(strip), offset: 0 });
                }
            }
            if let Store::Buffer(id) = part.result.store
                && is_local(id)
            {
                let strip = free.pop().unwrap_or_else(|| {
                    buffers.push(STRIP);
                    (buffers.len() - 1) as u32
                });
                strip_of.insert(id, strip);
                part.is_local = true;
                part.result.store = Store::Buffer(strip);
            }
            strip_of.retain(|id, strip| {
                let ended = uses[id].1 == at;
                if ended {
                    free.push(*strip);
                }
                !ended
            });
        }
        Instruction::Sweep(Sweep { parts: self.parts })
    }
}

#[cfg(test)]
mod tests {
    use super::SHORTEST;
    use crate::{Program, Var, gradient, trace};

    /// Value, gradient and running use of a sum, of a vector of n numbers; what the program does.
    fn run(n: usize) -> (Vec<f64>, String) {
        let x: Vec<f64> = (0..n).map(|i| 0.1 + (i % 77) as f64 / 16.0).collect();
        let (outputs, traced) = trace(|| {
            let (x, p) = (Var::input(0, [n]), Var::input(1, ()));
            let (a, b) = ((x * p).exp(), (x + p).ln());
            let y = (a * b - a / (b.square() + 1.0)).sum();
            let slopes = gradient(y, &[x, p]);
            // Waits for the sum.
            let shifted = (x - y / n as f64).square();
            [vec![y, shifted], slopes].concat()
        })
        .unwrap();
        let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
        let program = Program::<f64>::compile(traced.tape(), &slots);
        let mut out = vec![vec![0.0], vec![0.0; n], vec![0.0; n], vec![0.0]];
        let mut slices: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut o[..]).collect();
        program.evaluate(&mut program.workspace(), &[&x, &[0.3]], &mut slices);
        (out.concat(), program.explain())
    }

    #[test]
    fn a_long_vector_gives_what_its_parts_give() {
        // 77 numbers over and over: sums grow with their number, elements are the same.
        let (few, many) = (77, 77 * (SHORTEST / 77 + 3));
        let ((short, plain), (long, swept)) = (run(few), run(many));
        assert!(!plain.contains("sweep") && swept.contains("sweep"), "{swept}");
        let times = (many / few) as f64;
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
        assert!(close(long[0], short[0] * times) && close(long[2 * many + 1], short[2 * few + 1] * times));
        for i in 0..many {
            assert!(close(long[1 + i], short[1 + i % few]), "shifted {i}");
            assert!(close(long[1 + many + i], short[1 + few + i % few]), "slope {i}");
        }
    }

    #[test]
    fn what_only_the_sweep_needs_takes_a_strip() {
        let arena = |explanation: &str| -> usize {
            let rest = explanation.split_once("; ").map(|(_, rest)| rest.split(' ').next().unwrap());
            rest.unwrap().parse().unwrap()
        };
        let n = 77 * (SHORTEST / 77 + 3);
        // Less than one of the arrays between the chains would take.
        assert!(arena(&run(50 * n).1) < 8 * 50 * n);
    }
}
