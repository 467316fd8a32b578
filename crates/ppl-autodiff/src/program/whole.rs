//! Instructions over whole rows, matrices and images, which no chain can be part of.

use super::instruction::{Memory, Place, each};
use super::layout::Loop;
use crate::kernels::window::WindowSpec;
use crate::kernels::{lu, sort};
use crate::real::Real;

pub(crate) enum Whole {
    /// Windows of images (`forth`) or their adjoint: the loops over images have steps among images and windows.
    Windows {
        forth: bool,
        spec: WindowSpec,
        images: Vec<Loop<2>>,
        image: Place,
        windows: Place,
        /// The number of elements of all images, which lie dense.
        elements: usize,
    },
    /// The order of each of some rows.
    ArgSort { rows: usize, length: usize, from: Place, result: Place },
    /// Elements of rows at indices (`forth`) or added at them: rows of `length` and of `count` elements.
    Along { forth: bool, rows: usize, length: usize, count: usize, from: Place, index: Place, result: Place },
    /// Determinant or inverse of dense `n x n` matrices.
    Eliminate { wanted: lu::Wanted, matrices: usize, n: usize, from: Place, memory: Place, result: Place },
}

impl Whole {
    /// What it is called in explanations.
    pub fn name(&self) -> &'static str {
        match self {
            Whole::Windows { forth: true, .. } => "windows",
            Whole::Windows { forth: false, .. } => "overlay",
            Whole::ArgSort { .. } => "argsort",
            Whole::Along { forth: true, .. } => "take_along",
            Whole::Along { forth: false, .. } => "put_along",
            Whole::Eliminate { wanted: lu::Wanted::LogAbsDet, .. } => "log_abs_det",
            Whole::Eliminate { wanted: lu::Wanted::DetSign, .. } => "det_sign",
            Whole::Eliminate { wanted: lu::Wanted::Inverse, .. } => "inverse",
        }
    }

    /// Where it writes, and all other places that it touches.
    pub fn places(&self) -> (Place, Vec<Place>) {
        match self {
            Whole::Windows { forth: true, image, windows, .. } => (*windows, vec![*image]),
            Whole::Windows { forth: false, image, windows, .. } => (*image, vec![*windows]),
            Whole::ArgSort { from, result, .. } => (*result, vec![*from]),
            Whole::Along { from, index, result, .. } => (*result, vec![*from, *index]),
            Whole::Eliminate { from, memory, result, .. } => (*result, vec![*from, *memory]),
        }
    }

    /// Runs the instruction.
    ///
    /// # Safety
    /// As for [`Instruction::run`](super::instruction::Instruction::run).
    pub unsafe fn run<T: Real>(&self, memory: &mut Memory<'_, '_, T>) {
        // SAFETY: every arm stays within the arrays that its places, extents and strides describe.
        unsafe {
            match self {
                Whole::Windows { forth, spec, images, image, windows, elements } => {
                    let (x, y) = (memory.at(*image), memory.at(*windows));
                    if !forth {
                        std::slice::from_raw_parts_mut(x, *elements).fill(T::ZERO);
                    }
                    each(images, [0; 2], &mut |[i, j]| match forth {
                        true => spec.gather(x.offset(i), y.offset(j)),
                        false => spec.scatter(y.offset(j), x.offset(i)),
                    });
                }
                Whole::ArgSort { rows, length, from, result } => {
                    let x = std::slice::from_raw_parts(memory.at(*from), rows * length);
                    let y = std::slice::from_raw_parts_mut(memory.at(*result), rows * length);
                    for (x, y) in x.chunks_exact((*length).max(1)).zip(y.chunks_exact_mut((*length).max(1))) {
                        sort::argsort(x, y);
                    }
                }
                Whole::Along { forth, rows, length, count, from, index, result } => {
                    let (read, written) = if *forth { (length, count) } else { (count, length) };
                    let x = std::slice::from_raw_parts(memory.at(*from), rows * read);
                    let order = std::slice::from_raw_parts(memory.at(*index), rows * count);
                    let y = std::slice::from_raw_parts_mut(memory.at(*result), rows * written);
                    for row in 0..*rows {
                        let x = &x[row * read..(row + 1) * read];
                        let order = &order[row * count..(row + 1) * count];
                        let y = &mut y[row * written..(row + 1) * written];
                        if *forth { sort::take(x, order, y) } else { sort::put(x, order, y) }
                    }
                }
                Whole::Eliminate { wanted, matrices, n, from, memory: work, result } => {
                    let size = n * n;
                    let written = if *wanted == lu::Wanted::Inverse { size } else { 1 };
                    let a = std::slice::from_raw_parts(memory.at(*from), matrices * size);
                    let work = std::slice::from_raw_parts_mut(memory.at(*work), size);
                    let out = std::slice::from_raw_parts_mut(memory.at(*result), matrices * written);
                    for matrix in 0..*matrices {
                        let a = &a[matrix * size..(matrix + 1) * size];
                        lu::run(*wanted, *n, a, work, &mut out[matrix * written..(matrix + 1) * written]);
                    }
                }
            }
        }
    }
}
