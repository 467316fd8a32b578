//! Normal noise in bulk, for those who take numbers by the hundred thousand.

use super::Philox;
use crate::kernels::sample;

/// Pairs of numbers that are made at once, one for each lane of a vector.
pub(crate) const PAIRS: usize = 8;

/// Standard normal numbers, by Box and Muller's transformation of the numbers of a SplitMix64 generator whose state and
/// increment are taken from a [`Philox`] stream.
///
/// The first word of a pair gives the distance of a point of the plane, the second its angle: its first 52 bits that with
/// an axis, at most an eighth of a turn, its last two which axis. A number costs half of what it does by
/// [`Philox::fill_standard_normal`], where ten rounds for two numbers are half of the work.
///
/// ```
/// use ppl_autodiff::random::{Noise, Philox, Purpose};
///
/// let mut stream = Philox::new(1, Purpose::StochasticGradient, 0, 42);
/// let noise = Noise::new(&mut stream);
/// let (mut whole, mut rest) = ([0.0; 48], [0.0; 16]);
/// noise.clone().fill_standard_normal(&mut whole);
/// // The same numbers in parts.
/// let mut noise = noise;
/// noise.fill_standard_normal(&mut [0.0; 2 * Noise::WIDTH]);
/// noise.fill_standard_normal(&mut rest);
/// assert_eq!(whole[32..], rest);
/// ```
///
/// # Source
/// Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators. OOPSLA '14.
#[derive(Clone, Debug)]
pub struct Noise {
    state: u64,
    /// Odd, and not too regular.
    increment: u64,
}

impl Noise {
    /// How many numbers are made at a time.
    pub const WIDTH: usize = 2 * PAIRS;

    /// The noise that begins with the next whole block of a stream.
    #[must_use]
    pub fn new(stream: &mut Philox) -> Self {
        let [state, increment] = stream.next_block();
        let increment = increment | 1;
        // Increments with long runs of equal bits mix badly.
        let regular = (increment ^ increment >> 1).count_ones() < 24;
        Self { state, increment: if regular { increment ^ 0xAAAA_AAAA_AAAA_AAAA } else { increment } }
    }

    /// Fills a slice with standard normal numbers. Any multiple of [`Noise::WIDTH`] of them may be taken first and the others
    /// later; what is left of a width that was begun is lost.
    pub fn fill_standard_normal(&mut self, out: &mut [f64]) {
        let widths = out.len().div_ceil(Self::WIDTH);
        self.hand(widths, &mut Fill(out.chunks_mut(Self::WIDTH)));
    }

    /// Hands so many widths of standard normal numbers, as they are made, to what uses them: so that it is compiled with
    /// the loop that makes them, and waits for memory while the next are made.
    pub fn hand<W: Widths>(&mut self, widths: usize, to: &mut W) {
        sample::noise(self.state, self.increment, widths, to);
        let words = (Self::WIDTH * widths) as u64;
        self.state = self.state.wrapping_add(self.increment.wrapping_mul(words));
    }
}

/// What takes numbers by whole widths, in order.
///
/// ```
/// use ppl_autodiff::random::{Noise, Philox, Purpose, Widths};
///
/// struct Squares(f64);
///
/// impl Widths for Squares {
///     #[inline(always)]
///     fn take(&mut self, numbers: &[f64; Noise::WIDTH]) {
///         self.0 += numbers.iter().map(|z| z * z).sum::<f64>();
///     }
/// }
///
/// let mut squares = Squares(0.0);
/// Noise::new(&mut Philox::new(1, Purpose::StochasticGradient, 0, 42)).hand(1000, &mut squares);
/// // A mean of 16,000 squares is 1 up to 0.011, five times of which it exceeds once in two million.
/// assert!((squares.0 / 16_000.0 - 1.0).abs() < 0.056);
/// ```
pub trait Widths {
    /// Takes the numbers of the next width; to be inlined wherever it is called.
    fn take(&mut self, numbers: &[f64; Noise::WIDTH]);
}

struct Fill<'o>(std::slice::ChunksMut<'o, f64>);

impl Widths for Fill<'_> {
    #[inline(always)]
    fn take(&mut self, numbers: &[f64; Noise::WIDTH]) {
        let Some(out) = self.0.next() else { return };
        match <&mut [f64; Noise::WIDTH]>::try_from(&mut *out) {
            Ok(out) => *out = *numbers,
            Err(_) => out.iter_mut().zip(numbers).for_each(|(out, z)| *out = *z),
        }
    }
}
