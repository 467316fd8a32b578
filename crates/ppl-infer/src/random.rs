//! The random numbers of one chain at one iteration: an address, from which streams are asked for by purpose.

use ppl_autodiff::random::{Philox, Purpose};

/// Which chain of which run, at which iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainRng {
    seed: u64,
    chain: u32,
    iteration: u32,
}

impl ChainRng {
    /// The numbers of a chain, at iteration 0.
    #[must_use]
    pub fn new(seed: u64, chain: u32) -> Self {
        Self { seed, chain, iteration: 0 }
    }

    /// The numbers of the same chain at another iteration.
    #[must_use]
    pub fn at(self, iteration: u32) -> Self {
        Self { iteration, ..self }
    }

    /// The stream of a purpose at this iteration, at its start.
    #[must_use]
    pub fn stream(&self, purpose: Purpose) -> Philox {
        Philox::new(self.seed, purpose, self.chain, self.iteration)
    }
}
