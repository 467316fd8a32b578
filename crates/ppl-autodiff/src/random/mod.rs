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

mod philox;

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
}
