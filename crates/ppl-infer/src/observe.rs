//! Watching chains run: what an observer is told, and the one that says nothing.

/// The part of a run that an iteration belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The parameters are being tuned; draws are thrown away.
    Warmup,
    /// Draws are kept.
    Sampling,
}

/// What a run is going to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Number of chains.
    pub chains: usize,
    /// Warm-up iterations of each chain.
    pub warmup: usize,
    /// Draws of each chain.
    pub draws: usize,
}

/// One iteration, just done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Which chain.
    pub chain: usize,
    /// Which phase.
    pub phase: Phase,
    /// Which iteration, from 0, counted through both phases.
    pub iteration: usize,
    /// Iterations of the chain altogether, as far as is known: fewer than planned once warm-up ended by itself.
    pub iterations: usize,
    /// The step size it used, without jitter.
    pub step_size: f64,
    /// Leapfrog steps of this iteration.
    pub n_steps: usize,
    /// Whether it ended in a divergence.
    pub diverging: bool,
    /// Gradients of the chain so far: leapfrog steps, and the evaluations that found the starting point.
    pub gradients: usize,
    /// Divergences of the chain so far in this phase.
    pub divergences: usize,
}

/// How a chain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With all its draws.
    Complete,
    /// Early, because it was asked to.
    Interrupted,
    /// Early, because of an error.
    Failed,
}

/// Told about a run from the threads that run it; the calls of one chain come in order.
///
/// `iterated` is called once an iteration, between gradients: what it costs, the sampler pays.
pub trait Observer: Sync {
    /// The run begins.
    fn started(&self, plan: &Plan) {
        let _ = plan;
    }

    /// A chain did an iteration.
    fn iterated(&self, event: &Event) {
        let _ = event;
    }

    /// A chain ended.
    fn chain_ended(&self, chain: usize, ending: Ending) {
        let _ = (chain, ending);
    }

    /// All chains ended.
    fn ended(&self) {}
}

/// The observer that says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Silent;

impl Observer for Silent {}
