//! Normal noise in bulk, for those who take numbers by the hundred thousand.

use super::Philox;
use crate::kernels::sample;

/// Pairs of numbers that are made at once, one for each lane of a vector.
pub(crate) const PAIRS: usize = 8;

/// Standard normal numbers, by Box and Muller's transformation of the numbers of a SplitMix64 generator whose state and
/// increment are taken from a [`Philox`] stream.
///
/// A number costs half of what it does by [`Philox::fill_standard_normal`], where ten rounds for two numbers are half of
/// the work.
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
        sample::noise(self.state, self.increment, out);
        let words = 2 * PAIRS * out.len().div_ceil(Self::WIDTH);
        self.state = self.state.wrapping_add(self.increment.wrapping_mul(words as u64));
    }
}
