//! Loops over the coordinates of large models, each one pass; see [`crate::dynamics`] for how they are compiled.

use std::iter::Zip;
use std::slice::{Iter, IterMut};

use ppl_autodiff::random::{Noise, Widths};

use crate::dynamics::vector::{multiversion, total};

const LANES: usize = 8;

multiversion! {
    /// `gains = 2/(scale information + added + p max(prior, 0))`.
    fn diagonal_gains(scale: f64, information: &[f64], added: f64, p: f64, prior: &[f64], gains: &mut [f64]) {
        let n = gains.len();
        let (information, prior) = (&information[..n], &prior[..n]);
        for i in 0..n {
            gains[i] = 2.0 / (scale * information[i] + added + p * prior[i].max(0.0));
        }
    }
}

type Width = [f64; Noise::WIDTH];

/// What [`noisy_move`] does with the numbers of a width.
struct Move<'a> {
    root: f64,
    moved: Zip<Zip<IterMut<'a, Width>, Iter<'a, Width>>, Iter<'a, Width>>,
    squares: [f64; LANES],
    zeros: [f64; LANES],
}

impl Widths for Move<'_> {
    #[inline(always)]
    fn take(&mut self, z: &Width) {
        let Some(((moved, gains), x)) = self.moved.next() else { return };
        let mut next = [0.0; Noise::WIDTH];
        for i in 0..Noise::WIDTH {
            next[i] = gains[i].mul_add(self.root.mul_add(z[i], moved[i]), x[i]);
        }
        for first in (0..Noise::WIDTH).step_by(LANES) {
            for i in 0..LANES {
                self.squares[i] = moved[first + i].mul_add(moved[first + i], self.squares[i]);
                self.zeros[i] = next[first + i].mul_add(0.0, self.zeros[i]);
            }
        }
        *moved = next;
    }
}

/// As [`diagonal_move`], with the next numbers of some noise: memory is waited for while numbers are made, and products
/// are fused as theirs are.
pub(crate) fn noisy_move(root: f64, noise: &mut Noise, gains: &[f64], x: &[f64], moved: &mut [f64]) -> [f64; 2] {
    let (gains, gains_rest) = gains.as_chunks();
    let (x, x_rest) = x.as_chunks();
    let (moved, moved_rest) = moved.as_chunks_mut();
    let widths = moved.len();
    let moved = moved.iter_mut().zip(gains).zip(x);
    let mut whole = Move { root, moved, squares: [0.0; LANES], zeros: [0.0; LANES] };
    noise.hand(widths, &mut whole);
    let [squares, zeros] = [total(whole.squares), total(whole.zeros)];
    let mut z = [0.0; Noise::WIDTH];
    let z = &mut z[..moved_rest.len()];
    noise.fill_standard_normal(z);
    let [more, zero] = diagonal_move(root, z, gains_rest, x_rest, moved_rest);
    [squares + more, zeros + zero]
}

multiversion! {
    /// `moved = x + gains (moved + root z)`; returns |moved|^2 before, and 0 if what came out is finite.
    fn diagonal_move(root: f64, z: &[f64], gains: &[f64], x: &[f64], moved: &mut [f64]) -> [f64; 2] {
        let (mut squares, mut zeros) = ([0.0; LANES], [0.0; LANES]);
        let (lanes, rest) = moved.as_chunks_mut::<LANES>();
        let from = z.as_chunks::<LANES>().0.iter().zip(gains.as_chunks::<LANES>().0).zip(x.as_chunks::<LANES>().0);
        let at = LANES * lanes.len();
        for (moved, ((z, gains), x)) in lanes.iter_mut().zip(from) {
            for i in 0..LANES {
                squares[i] += moved[i] * moved[i];
                moved[i] = x[i] + gains[i] * (moved[i] + root * z[i]);
                zeros[i] += 0.0 * moved[i];
            }
        }
        for (((moved, z), gain), x) in rest.iter_mut().zip(&z[at..]).zip(&gains[at..]).zip(&x[at..]) {
            squares[0] += *moved * *moved;
            *moved = x + gain * (*moved + root * z);
            zeros[0] += 0.0 * *moved;
        }
        [total(squares), total(zeros)]
    }
}

multiversion! {
    /// From sums over n rows and sums of squares, `gradient = prior + scale sum` and `squares -= sum^2/n`, at least 0;
    /// returns |gradient|^2 and the sum of the squares as they were.
    fn of_moments(n: f64, scale: f64, prior: &[f64], sum: &[f64], squares: &mut [f64], gradient: &mut [f64]) -> [f64; 2] {
        let (mut lengths, mut sums, inverse) = ([0.0; LANES], [0.0; LANES], 1.0 / n);
        let (lanes, rest) = gradient.as_chunks_mut::<LANES>();
        let (square_lanes, square_rest) = squares.as_chunks_mut::<LANES>();
        let at = LANES * lanes.len();
        let from = prior.as_chunks::<LANES>().0.iter().zip(sum.as_chunks::<LANES>().0);
        for ((gradient, squares), (prior, sum)) in lanes.iter_mut().zip(square_lanes).zip(from) {
            for i in 0..LANES {
                gradient[i] = prior[i] + scale * sum[i];
                lengths[i] += gradient[i] * gradient[i];
                sums[i] += squares[i];
                squares[i] = (squares[i] - inverse * sum[i] * sum[i]).max(0.0);
            }
        }
        for (((gradient, square), prior), sum) in rest.iter_mut().zip(square_rest).zip(&prior[at..]).zip(&sum[at..]) {
            *gradient = prior + scale * sum;
            lengths[0] += *gradient * *gradient;
            sums[0] += *square;
            *square = (*square - inverse * sum * sum).max(0.0);
        }
        [total(lengths), total(sums)]
    }
}

multiversion! {
    /// `out = keep out + scale other`.
    fn mix(keep: f64, scale: f64, other: &[f64], out: &mut [f64]) {
        let n = out.len();
        let other = &other[..n];
        for i in 0..n {
            out[i] = keep * out[i] + scale * other[i];
        }
    }
}
