//! Random streams: the same (seed, purpose, chain, index) gives the same numbers, whatever the thread count.
//!
//! A Philox block is a function of 128 counter bits and 64 key bits, so a stream is a place and not a history:
//!
//! | bits | hold |
//! |---|---|
//! | key, 2 words | SplitMix64 of the seed (a bijection: distinct seeds, distinct keys) |
//! | counter word 0 | the block within the stream: 2^32 blocks of four 32-bit words |
//! | counter word 1 | index: the iteration, the attempt, the draw, the epoch |
//! | counter word 2 | chain |
//! | counter word 3 | [`Purpose`] |
//!
//! Whoever needs numbers asks for the stream of its purpose and index; nobody has to hand a generator along, and any
//! draw can be made again alone.

mod noise;
mod philox;

pub(crate) use noise::PAIRS;
pub use noise::{Noise, Widths};
pub(crate) use philox::{Blocks, LANES};
pub use philox::{Philox, philox4x32, splitmix64};

/// What a stream of random numbers is for: one word of its counter. The numbers are part of the format of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum Purpose {
    /// Starting points of chains; the index is the attempt.
    Init = 0,
    /// Momenta; the index is the iteration.
    Momentum = 1,
    /// Directions and choices of a trajectory; the index is the iteration.
    Tree = 2,
    /// Step-size jitter; the index is the iteration.
    Jitter = 3,
    /// Order of minibatches; the index is the epoch.
    Minibatch = 4,
    /// Noise of a variational family; the index is the step.
    Variational = 5,
    /// Prior predictive draws; the index is the draw.
    PriorPredictive = 6,
    /// Posterior predictive draws; the index is the draw.
    PosteriorPredictive = 7,
    /// Momenta of the search for a first step size; the index is the iteration.
    StepSize = 8,
    /// Noise of a stochastic gradient sampler; the index is the iteration.
    StochasticGradient = 9,
    /// Directions in which a stochastic gradient sampler looks at the curvature of the prior; the index is the iteration.
    Curvature = 10,
}

/// What a program's random draws are a function of, beside the node that makes them: the seed of the run, the
/// purpose, the chain and the draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    seed: u64,
    purpose: Purpose,
}

impl Default for Key {
    fn default() -> Self {
        Self::new(0, Purpose::PriorPredictive, 0, 0)
    }
}

impl Key {
    /// The key of one draw of one chain.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, chain: u32, draw: u32) -> Self {
        let place = u64::from(chain) << 32 | u64::from(draw);
        Self { seed: splitmix64(splitmix64(seed).wrapping_add(splitmix64(place))), purpose }
    }

    /// The stream of one element of one random node: it does not depend on its neighbours.
    #[inline]
    #[must_use]
    pub fn element(&self, node: u32, element: u32) -> Philox {
        Philox::new(self.seed, self.purpose, node, element)
    }

    /// The blocks of a node's numbers, for laws of which every draw takes a fixed number of words.
    #[inline(always)]
    pub(crate) fn blocks(&self, node: u32) -> Blocks {
        Blocks::new(splitmix64(self.seed), [u32::MAX, 0, node, self.purpose as u32], 1)
    }
}
