//! Philox4x32-10: ten rounds of multiply and xor turn a counter into four random words.

#![allow(clippy::needless_range_loop, reason = "loops over the lanes of a vector read better by index")]

use std::convert::Infallible;

use rand_core::{Rng, TryRng, utils};
use rand_distr::{Distribution, StandardNormal};

use super::Purpose;
use crate::kernels::dispatch::multiversion;
use crate::kernels::sample;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;
/// Blocks that are made at once, one for each lane of a vector: one register of AVX-512, two of AVX2.
pub(crate) const LANES: usize = 8;
const WORDS: usize = 4 * LANES;

/// The Philox4x32-10 bijection of a 128-bit counter under a 64-bit key.
///
/// # Source
/// Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3. SC '11.
#[inline]
#[must_use]
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..ROUNDS {
        let a = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    c
}

/// Consecutive blocks: a counter of which one word runs.
#[derive(Clone, Copy)]
pub(crate) struct Blocks {
    key: [u32; 2],
    counter: [u32; 4],
    running: usize,
}

impl Blocks {
    /// Blocks under a mixed seed; the word `running` of the counter is the number of the block.
    #[inline(always)]
    pub(crate) fn new(key: u64, counter: [u32; 4], running: usize) -> Self {
        Self { key: [key as u32, (key >> 32) as u32], counter, running }
    }

    /// The two numbers of one block.
    #[inline(always)]
    pub(crate) fn one(&self, block: u32) -> [u64; 2] {
        let mut counter = self.counter;
        counter[self.running] = block;
        let w = philox4x32(counter, self.key);
        [u64::from(w[0]) | u64::from(w[1]) << 32, u64::from(w[2]) | u64::from(w[3]) << 32]
    }

    /// The first and the second numbers of `LANES` blocks from `block` on: [`philox4x32`] with each word in the lower
    /// half of a lane, so that its multiplications are those that vectors have.
    #[inline(always)]
    pub(crate) fn lanes(&self, block: u32) -> [[u64; LANES]; 2] {
        const LOW: u64 = u32::MAX as u64;
        let mut c = self.counter.map(|word| [u64::from(word); LANES]);
        for l in 0..LANES {
            c[self.running][l] = u64::from(block.wrapping_add(l as u32));
        }
        let mut key = self.key;
        for _ in 0..ROUNDS {
            let keys = key.map(u64::from);
            let mut products = [[0; LANES]; 2];
            for l in 0..LANES {
                products[0][l] = u64::from(MULTIPLIERS[0]) * c[0][l];
            }
            for l in 0..LANES {
                products[1][l] = u64::from(MULTIPLIERS[1]) * c[2][l];
            }
            for l in 0..LANES {
                c[0][l] = (products[1][l] >> 32) ^ c[1][l] ^ keys[0];
            }
            for l in 0..LANES {
                c[2][l] = (products[0][l] >> 32) ^ c[3][l] ^ keys[1];
            }
            for l in 0..LANES {
                c[1][l] = products[1][l] & LOW;
            }
            for l in 0..LANES {
                c[3][l] = products[0][l] & LOW;
            }
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let mut out = [[0; LANES]; 2];
        for l in 0..LANES {
            out[0][l] = c[0][l] | c[1][l] << 32;
        }
        for l in 0..LANES {
            out[1][l] = c[2][l] | c[3][l] << 32;
        }
        out
    }
}

/// The first output of SplitMix64 seeded with `seed`: a bijection of 64 bits that spreads small seeds.
///
/// # Source
/// Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators. OOPSLA '14.
#[inline]
#[must_use]
pub fn splitmix64(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A stream of random numbers, positioned in O(1); the layout of the counter is in the [module](super).
///
/// A stream holds 2^34 words and then starts again. A `u64` takes the next two words that start at an even place.
///
/// ```
/// use ppl_autodiff::random::{Philox, Purpose};
///
/// let mut stream = Philox::new(1, Purpose::Momentum, 0, 42);
/// let first = stream.uniform();
/// stream.uniform();
/// stream.set_position(0);
/// assert_eq!(stream.uniform(), first);
/// ```
#[derive(Clone, Debug)]
pub struct Philox {
    key: [u32; 2],
    stream: [u32; 3],
    /// The block that the next refill starts with.
    block: u32,
    words: [u32; WORDS],
    next: usize,
}

impl Philox {
    /// The stream of `(seed, purpose, chain, index)`, at its start.
    #[inline]
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, chain: u32, index: u32) -> Self {
        let key = splitmix64(seed);
        Self {
            key: [key as u32, (key >> 32) as u32],
            stream: [index, chain, purpose as u32],
            block: 0,
            words: [0; WORDS],
            next: WORDS,
        }
    }

    /// How many 32-bit words were taken.
    #[must_use]
    pub fn position(&self) -> u64 {
        (4 * u64::from(self.block) + self.next as u64).wrapping_sub(WORDS as u64) % (1 << 34)
    }

    /// Goes to a place in the stream, counted in 32-bit words modulo 2^34.
    pub fn set_position(&mut self, words: u64) {
        self.block = (words / WORDS as u64 * LANES as u64) as u32;
        self.next = WORDS;
        let rest = (words % WORDS as u64) as usize;
        if rest > 0 {
            self.refill();
            self.next = rest;
        }
    }

    /// The two numbers of the next whole block.
    pub(super) fn next_block(&mut self) -> [u64; 2] {
        let block = self.position().div_ceil(4) as u32;
        self.block = block.wrapping_add(1);
        self.next = WORDS;
        self.blocks().one(block)
    }

    /// A number in `[0, 1)`: the upper 53 bits of a `u64` times 2^-53.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * 2f64.powi(-53)
    }

    /// A number in `(0, 1)`, for logarithms: 52 bits and a half, times 2^-52, so that neither end is reached.
    #[inline]
    pub fn uniform_open(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) * 2f64.powi(-52)
    }

    /// A standard normal number, by the ziggurat of `rand_distr`.
    ///
    /// It takes one `u64` about 99 times in 100 and more otherwise: numbers of one stream are made in order. Where
    /// each element must be reachable alone, give it its own index.
    #[inline]
    pub fn standard_normal(&mut self) -> f64 {
        StandardNormal.sample(self)
    }

    /// Fills a slice with standard normal numbers: from the next whole block on, two of each block by Box and Muller's
    /// transformation, on all lanes of a vector at once.
    ///
    /// Any even number of them may be taken first and the others later. They are other numbers than those of
    /// [`Philox::standard_normal`], which cost more and may be asked for one at a time.
    pub fn fill_standard_normal(&mut self, out: &mut [f64]) {
        let first = self.position().div_ceil(4) as u32;
        sample::standard_normal(&self.blocks(), first, out);
        self.block = first.wrapping_add(out.len().div_ceil(2) as u32);
        self.next = WORDS;
    }

    fn refill(&mut self) {
        words(&self.blocks(), self.block, &mut self.words);
        self.block = self.block.wrapping_add(LANES as u32);
        self.next = 0;
    }

    fn blocks(&self) -> Blocks {
        let [index, chain, purpose] = self.stream;
        Blocks { key: self.key, counter: [0, index, chain, purpose], running: 0 }
    }
}

multiversion! {
    /// The words of some blocks from `block` on.
    fn words(blocks: &Blocks, block: u32, out: &mut [u32; WORDS]) {
        let numbers = blocks.lanes(block);
        for (l, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let [a, b] = [numbers[0][l], numbers[1][l]];
            *out = [a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32];
        }
    }
}

impl TryRng for Philox {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if self.next >= WORDS {
            self.refill();
        }
        let word = self.words[self.next];
        self.next += 1;
        Ok(word)
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.next = (self.next + 1) & !1;
        if self.next >= WORDS {
            self.refill();
        }
        let (low, high) = (self.words[self.next], self.words[self.next + 1]);
        self.next += 2;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        utils::fill_bytes_via_next_word(dst, || self.try_next_u64())
    }
}
