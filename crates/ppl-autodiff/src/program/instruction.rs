//! What a program does, one instruction after another, over places that are fixed when it is compiled.

use crate::kernels::elementwise::{BinaryKernel, SumKernel, UnaryKernel};
use crate::kernels::product::{ProductKernel, ProductSpec};
use crate::kernels::recurrence::recurrence;
use crate::kernels::{sample, triangular};
use crate::ops::{Law, Reduction};
use crate::program::fused::{Fused, Source, Total};
use crate::program::layout::{Loop, Store};
use crate::program::scan::Scan;
use crate::program::scatter::ScatterAdd;
use crate::program::short::Short;
use crate::program::strips::Strips;
use crate::program::whole::Whole;
use crate::random::Key;
use crate::real::Real;

/// The first element of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub store: Store,
    pub offset: usize,
}

/// The memory of one evaluation.
pub(crate) struct Memory<'a, 'o, T> {
    pub constants: *const T,
    pub arena: *mut T,
    /// Where each buffer starts in the arena.
    pub buffers: &'a [usize],
    pub inputs: &'a [&'a [T]],
    pub outputs: &'a mut [&'o mut [T]],
    /// The registers of fused programs.
    pub scratch: *mut T,
    pub key: &'a Key,
    /// How many threads may be used.
    pub threads: usize,
}

impl<T> Memory<'_, '_, T> {
    /// The address of a place. Reading constants and inputs through it is sound; nothing writes to them.
    #[inline]
    pub(super) fn at(&mut self, place: Place) -> *mut T {
        let base = match place.store {
            Store::Constants => self.constants.cast_mut(),
            Store::Buffer(id) => self.arena.wrapping_add(self.buffers[id as usize]),
            Store::Input(slot) => self.inputs[slot as usize].as_ptr().cast_mut(),
            Store::Output(slot) => self.outputs[slot as usize].as_mut_ptr(),
        };
        base.wrapping_add(place.offset)
    }
}

/// One elementwise operation of two arrays that are not both in the order of the result, as of an outer product: run by
/// run of the innermost loop, along which each of them is contiguous or one number.
pub(crate) struct Runs<T> {
    pub name: &'static str,
    pub kernel: BinaryKernel<T>,
    /// The steps in both operands and in the result.
    pub nest: Vec<Loop<3>>,
    pub operands: [Place; 2],
    pub result: Place,
}

/// Runs shorter than this are gathered into blocks.
pub(crate) const LEAST_RUN: usize = 32;

pub(crate) struct Product<T> {
    /// The loops over batch axes but the innermost, which the specification has.
    pub batch: Vec<Loop<3>>,
    pub spec: ProductSpec,
    pub method: crate::kernels::product::Method,
    pub kernel: ProductKernel<T>,
    pub a: Place,
    pub b: Place,
    /// What the result is multiplied by 1 minus the square of; it lies as the result does.
    pub slope: Option<Place>,
    pub result: Place,
}

/// A reduction: loops over what stays (steps in the operand and in the result) and over what goes.
pub(crate) struct Reduce<T> {
    pub op: Reduction,
    pub kept: Vec<Loop<2>>,
    pub reduced: Vec<Loop<1>>,
    pub sum: SumKernel<T>,
    pub accumulate: UnaryKernel<T>,
    pub from: Place,
    pub result: Place,
}

/// A linear recurrence along one axis: loops over the others with the steps in decay, input and result.
pub(crate) struct Recurrence {
    pub nest: Vec<Loop<3>>,
    pub length: usize,
    /// The steps along the axis.
    pub steps: [isize; 3],
    /// From the end.
    pub reverse: bool,
    pub operands: [Place; 2],
    pub result: Place,
}

pub(crate) enum Instruction<T> {
    Fused(Fused<T>),
    Runs(Runs<T>),
    Short(Short<T>),
    Product(Product<T>),
    Reduce(Reduce<T>),
    /// Element by element from one strided array to another.
    Copy {
        nest: Vec<Loop<2>>,
        from: Place,
        result: Place,
    },
    Fill {
        value: T,
        elements: usize,
        result: Place,
    },
    CumSum {
        nest: Vec<Loop<2>>,
        along: Loop<2>,
        reverse: bool,
        from: Place,
        result: Place,
    },
    Recurrence(Recurrence),
    /// Rows of `inner` elements, from `[outer, length, inner]` to `[outer, index.len(), inner]`.
    Gather {
        outer: usize,
        length: usize,
        inner: usize,
        index: std::sync::Arc<[usize]>,
        from: Place,
        result: Place,
    },
    ScatterAdd(ScatterAdd),
    /// Batch steps: in the operand and in the dense result.
    Cholesky {
        batch: Vec<Loop<2>>,
        n: usize,
        strides: [isize; 2],
        from: Place,
        result: Place,
    },
    /// In place on the dense result, which holds the right-hand sides.
    Solve {
        batch: Vec<Loop<2>>,
        transposed: bool,
        n: usize,
        m: usize,
        strides: [isize; 2],
        factor: Place,
        result: Place,
    },
    Whole(Whole),
    Scan(Scan<T>),
    Strips(Strips<T>),
    Random {
        law: Law,
        stream: u32,
        elements: usize,
        parameters: Vec<(Place, Vec<Loop<1>>)>,
        result: Place,
    },
}

impl<T> Instruction<T> {
    /// What it is called in explanations.
    pub fn name(&self) -> &'static str {
        match self {
            Instruction::Fused(Fused { stored: Some(_), total: Some(_), .. }) => "fused and sum",
            Instruction::Fused(Fused { total: Some((Total::Sum(..) | Total::Step, _)), .. }) => "fused sum",
            Instruction::Fused(Fused { total: Some((Total::Dot(..), _)), .. }) => "fused dot",
            Instruction::Fused(Fused { total: Some((Total::Count(..), _)), .. }) => "fused count",
            Instruction::Fused(_) => "fused",
            Instruction::Runs(_) => "runs",
            Instruction::Short(_) => "short",
            Instruction::Product(_) => "matmul",
            Instruction::Reduce(r) => r.op.name(),
            Instruction::Copy { .. } => "copy",
            Instruction::Fill { .. } => "fill",
            Instruction::CumSum { .. } => "cumsum",
            Instruction::Recurrence(_) => "linear_recurrence",
            Instruction::Gather { .. } => "gather",
            Instruction::ScatterAdd(_) => "scatter_add",
            Instruction::Cholesky { .. } => "cholesky",
            Instruction::Solve { .. } => "solve_lower",
            Instruction::Whole(whole) => whole.name(),
            Instruction::Scan(_) => "scan",
            Instruction::Strips(_) => "strips",
            Instruction::Random { .. } => "random",
        }
    }

    /// Where it writes, and all other places that it touches.
    pub fn places(&self) -> (Place, Vec<Place>) {
        match self {
            Instruction::Fused(f) => {
                let mut results = f.results();
                let nowhere = Place { store: Store::Constants, offset: 0 };
                let first = results.next().unwrap_or(nowhere);
                (first, results.chain(f.sources.iter().map(Source::place)).collect())
            }
            Instruction::Runs(r) => (r.result, r.operands.to_vec()),
            Instruction::Short(s) => {
                let loads = s.loads.iter().map(|&(from, ..)| from);
                let stores = s.stores.iter().map(|store| store.to);
                (s.slots, loads.chain(stores).collect())
            }
            Instruction::Product(p) => (p.result, [p.a, p.b].into_iter().chain(p.slope).collect()),
            Instruction::Reduce(r) => (r.result, vec![r.from]),
            Instruction::Copy { from, result, .. }
            | Instruction::CumSum { from, result, .. }
            | Instruction::Gather { from, result, .. }
            | Instruction::Cholesky { from, result, .. } => (*result, vec![*from]),
            Instruction::Fill { result, .. } => (*result, vec![]),
            Instruction::Recurrence(r) => (r.result, r.operands.to_vec()),
            Instruction::ScatterAdd(s) => (s.result, vec![s.from]),
            Instruction::Whole(whole) => whole.places(),
            Instruction::Solve { factor, result, .. } => (*result, vec![*factor, *result]),
            Instruction::Scan(scan) => scan.places(),
            Instruction::Strips(strips) => strips.places(),
            Instruction::Random { parameters, result, .. } => (*result, parameters.iter().map(|p| p.0).collect()),
        }
    }
}

impl<T> Instruction<T> {
    /// Results with operands in whose place they may be written: element by element, each read before it is written, and
    /// nothing else read from there.
    pub fn overwrites(&self) -> Vec<(Place, Place)> {
        match self {
            Instruction::Fused(fused) => fused.overwrites(),
            Instruction::Product(Product { slope: Some(y), result, a, b, .. })
                if y.offset == 0 && result.offset == 0 && [a, b].iter().all(|other| other.store != y.store) =>
            {
                vec![(*result, *y)]
            }
            _ => vec![],
        }
    }
}

impl<T: Real> Instruction<T> {
    /// Runs the instruction.
    ///
    /// # Safety
    /// All places must be those that the compiler planned, and the memory must have the sizes that it asked for.
    pub unsafe fn run(&self, memory: &mut Memory<'_, '_, T>) {
        // SAFETY: every arm stays within the arrays that its places, extents and strides describe.
        unsafe {
            match self {
                Instruction::Fused(fused) => fused.run(memory),
                Instruction::Runs(runs) => runs.run(memory),
                Instruction::Short(short) => short.run(memory),
                Instruction::Product(p) => {
                    let (a, b, c) = (memory.at(p.a), memory.at(p.b), memory.at(p.result));
                    let slope = p.slope.map(|place| memory.at(place));
                    each(&p.batch, [0; 3], &mut |[i, j, k]| {
                        let y = slope.map_or(std::ptr::null(), |y| y.offset(k).cast_const());
                        (p.kernel)(&p.spec, a.offset(i), b.offset(j), c.offset(k), y);
                    });
                }
                Instruction::Reduce(reduce) => reduce.run(memory.at(reduce.from), memory.at(reduce.result)),
                Instruction::Copy { nest, from, result } => copy(nest, memory.at(*from), memory.at(*result)),
                Instruction::Fill { value, elements, result } => {
                    std::slice::from_raw_parts_mut(memory.at(*result), *elements).fill(*value);
                }
                Instruction::CumSum { nest, along, reverse, from, result } => {
                    let (x, y) = (memory.at(*from), memory.at(*result));
                    each(nest, [0; 2], &mut |[i, j]| {
                        let mut sum = T::ZERO;
                        for step in 0..along.extent as isize {
                            let s = if *reverse { along.extent as isize - 1 - step } else { step };
                            sum += *x.offset(i + s * along.steps[0]);
                            *y.offset(j + s * along.steps[1]) = sum;
                        }
                    });
                }
                Instruction::Recurrence(recurrence) => recurrence.run(memory),
                Instruction::Gather { outer, length, inner, index, from, result } => {
                    let (x, mut y) = (memory.at(*from), memory.at(*result));
                    for block in 0..*outer {
                        if *inner == 1 {
                            // A call that copies takes longer than many elements.
                            let x = x.add(block * length);
                            index.iter().enumerate().for_each(|(e, &i)| *y.add(e) = *x.add(i));
                            y = y.add(index.len());
                            continue;
                        }
                        for &i in index.iter() {
                            x.add((block * length + i) * inner).copy_to_nonoverlapping(y, *inner);
                            y = y.add(*inner);
                        }
                    }
                }
                Instruction::ScatterAdd(scatter) => scatter.run(memory.at(scatter.from), memory.at(scatter.result)),
                Instruction::Cholesky { batch, n, strides, from, result } => {
                    let (a, l) = (memory.at(*from), memory.at(*result));
                    each(batch, [0; 2], &mut |[i, j]| {
                        triangular::cholesky(*n, a.offset(i), strides[0], strides[1], l.offset(j));
                    });
                }
                Instruction::Solve { batch, transposed, n, m, strides, factor, result } => {
                    let (l, x) = (memory.at(*factor), memory.at(*result));
                    each(batch, [0; 2], &mut |[i, j]| {
                        triangular::solve(*transposed, *n, *m, l.offset(i), strides[0], strides[1], x.offset(j));
                    });
                }
                Instruction::Whole(whole) => whole.run(memory),
                Instruction::Scan(scan) => scan.run(memory),
                Instruction::Strips(strips) => strips.run(memory),
                Instruction::Random { law, stream, elements, parameters, result } => {
                    let key = memory.key;
                    // A law has at most two parameters.
                    let mut sources: [(*mut T, &[Loop<1>]); 2] = [(std::ptr::null_mut(), &[]); 2];
                    for (source, (place, nest)) in sources.iter_mut().zip(parameters) {
                        *source = (memory.at(*place), &nest[..]);
                    }
                    let out = std::slice::from_raw_parts_mut(memory.at(*result), *elements);
                    sample::fill(*law, key, *stream, out, |i, e| {
                        let (base, nest) = sources[i];
                        (*base.offset(offset_of(nest, e))).to_f64()
                    });
                }
            }
        }
    }
}

/// Calls `f` with the offsets of every combination of the loops' indices, in order.
#[inline]
pub(crate) fn each<const N: usize>(nest: &[Loop<N>], base: [isize; N], f: &mut impl FnMut([isize; N])) {
    match nest {
        [] => f(base),
        [outer, rest @ ..] => {
            let mut at = base;
            for _ in 0..outer.extent {
                each(rest, at, f);
                for (at, step) in at.iter_mut().zip(outer.steps) {
                    *at += step;
                }
            }
        }
    }
}

/// The offset of element `e`, counted in the order of the loops.
fn offset_of(nest: &[Loop<1>], mut e: usize) -> isize {
    let mut offset = 0;
    for l in nest.iter().rev() {
        offset += (e % l.extent) as isize * l.steps[0];
        e /= l.extent;
    }
    offset
}

unsafe fn copy<T: Real>(nest: &[Loop<2>], from: *const T, to: *mut T) {
    let (outer, inner) = match nest {
        [outer @ .., inner] => (outer, inner.clone()),
        [] => (nest, Loop { extent: 1, steps: [1, 1] }),
    };
    // SAFETY: the loops stay within the two arrays, which do not overlap.
    unsafe {
        each(outer, [0; 2], &mut |[i, j]| {
            let (x, y) = (from.offset(i), to.offset(j));
            match inner.steps {
                [1, 1] => x.copy_to_nonoverlapping(y, inner.extent),
                [0, 1] => std::slice::from_raw_parts_mut(y, inner.extent).fill(*x),
                [s, t] => {
                    for k in 0..inner.extent as isize {
                        *y.offset(k * t) = *x.offset(k * s);
                    }
                }
            }
        });
    }
}

impl<T: Real> Runs<T> {
    unsafe fn run(&self, memory: &mut Memory<'_, '_, T>) {
        let Some((inner, outer)) = self.nest.split_last() else { return };
        let (a, b) = (memory.at(self.operands[0]), memory.at(self.operands[1]));
        let out = memory.at(self.result);
        let [m, n] = [inner.steps[0], inner.steps[1]].map(|step| if step == 0 { 1 } else { inner.extent });
        // SAFETY: the loops stay within the arrays, and the result is none of the operands.
        each(outer, [0; 3], &mut |[i, j, k]| unsafe {
            let (a, b) = (std::slice::from_raw_parts(a.offset(i), m), std::slice::from_raw_parts(b.offset(j), n));
            (self.kernel)(a, b, std::slice::from_raw_parts_mut(out.offset(k), inner.extent));
        });
    }
}

impl Recurrence {
    unsafe fn run<T: Real>(&self, memory: &mut Memory<'_, '_, T>) {
        if self.length == 0 {
            return;
        }
        let [d, x, y] = [self.operands[0], self.operands[1], self.result].map(|place| memory.at(place));
        let last = (self.length - 1) as isize;
        let (start, sign) = if self.reverse { (last, -1) } else { (0, 1) };
        let first = self.steps.map(|step| step * start);
        let steps = self.steps.map(|step| step * sign);
        // SAFETY: the loops stay within the arrays, and the result is none of the operands.
        each(&self.nest, first, &mut |[i, j, k]| unsafe {
            recurrence(self.length, steps, d.offset(i), x.offset(j), y.offset(k));
        });
    }
}

/// Loops have at least two turns and together no more than 2^63.
const MAX_LOOPS: usize = 64;

/// Copies elements `start..start + n` (in the order of the loops) to `to`.
pub(super) unsafe fn gather<T: Real>(nest: &[Loop<1>], from: *const T, start: usize, n: usize, to: *mut T) {
    let Some((inner, outer)) = nest.split_last() else { return };
    // Where the run of each pass begins, counted on rather than divided anew.
    let mut index = [0_usize; MAX_LOOPS];
    let (mut run_number, mut within) = (start / inner.extent, start % inner.extent);
    let mut base = 0;
    for (i, l) in index.iter_mut().zip(outer).rev() {
        *i = run_number % l.extent;
        base += *i as isize * l.steps[0];
        run_number /= l.extent;
    }
    let mut done = 0;
    // SAFETY: offsets come from indices within the loops; `to` has room for n elements.
    unsafe {
        while done < n {
            let run = (inner.extent - within).min(n - done);
            let x = from.offset(base + within as isize * inner.steps[0]);
            let y = to.add(done);
            match inner.steps[0] {
                0 => std::slice::from_raw_parts_mut(y, run).fill(*x),
                1 => x.copy_to_nonoverlapping(y, run),
                s => {
                    for k in 0..run {
                        *y.add(k) = *x.offset(k as isize * s);
                    }
                }
            }
            done += run;
            within = 0;
            for (i, l) in index.iter_mut().zip(outer).rev() {
                *i += 1;
                base += l.steps[0];
                if *i < l.extent {
                    break;
                }
                *i = 0;
                base -= l.extent as isize * l.steps[0];
            }
        }
    }
}

impl<T: Real> Reduce<T> {
    unsafe fn run(&self, from: *const T, to: *mut T) {
        let start = match self.op {
            Reduction::Max => T::NEG_INFINITY,
            Reduction::Min => T::INFINITY,
            _ => T::ZERO,
        };
        // SAFETY: the loops stay within the operand and the result.
        unsafe {
            // Rows that stay are added up whole where they, and not what is reduced, are contiguous.
            if let Some((inner, outer)) = self.kept.split_last()
                && inner.steps == [1, 1]
            {
                each(outer, [0; 2], &mut |[i, j]| {
                    let row = std::slice::from_raw_parts_mut(to.offset(j), inner.extent);
                    row.fill(start);
                    each(&self.reduced, [i], &mut |[k]| {
                        (self.accumulate)(std::slice::from_raw_parts(from.offset(k), inner.extent), row);
                    });
                });
                return;
            }
            let (outer, inner) = match &self.reduced[..] {
                [outer @ .., inner] => (outer, inner.clone()),
                [] => (&self.reduced[..], Loop { extent: 1, steps: [1] }),
            };
            each(&self.kept, [0; 2], &mut |[i, j]| {
                let mut total = start;
                each(outer, [i], &mut |[k]| {
                    let x = from.offset(k);
                    if self.op == Reduction::Sum && inner.steps[0] == 1 {
                        total += (self.sum)(std::slice::from_raw_parts(x, inner.extent));
                        return;
                    }
                    for e in 0..inner.extent as isize {
                        let value = *x.offset(e * inner.steps[0]);
                        total = match self.op {
                            Reduction::Max => total.max(value),
                            Reduction::Min => total.min(value),
                            _ => total + value,
                        };
                    }
                });
                *to.offset(j) = total;
            });
        }
    }
}
