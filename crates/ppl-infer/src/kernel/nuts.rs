//! NUTS: a trajectory doubles, forwards or backwards, until it would turn; the draw is a multinomial over its points.

use ppl_autodiff::random::{Philox, Purpose};

use crate::density::{DensityError, LogDensity};
use crate::dynamics::{Drift, Flow, Metric, leapfrog};
use crate::random::ChainRng;

use super::tree::{Pool, Tree, Weight, Weights};
use super::{GradientState, Kernel};

/// What the user chooses and nothing tunes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NutsConfig {
    /// At most this many doublings: at most 2^max_depth - 1 leapfrog steps.
    pub max_depth: usize,
    /// A step whose energy exceeds the start's by more is a divergence.
    pub max_energy_error: f64,
}

impl Default for NutsConfig {
    /// Depth 10 and energy error 1000, as in Stan.
    fn default() -> Self {
        Self { max_depth: 10, max_energy_error: 1000.0 }
    }
}

/// What warm-up tunes.
#[derive(Debug, Clone, PartialEq)]
pub struct NutsParams {
    /// The size of a leapfrog step.
    pub step_size: f64,
    /// Each transition multiplies the step size by a number uniform in `[1 - jitter, 1 + jitter]`.
    pub jitter: f64,
    /// The inverse mass matrix.
    pub metric: Metric,
    /// How positions move between kicks.
    pub drift: Drift,
}

impl NutsParams {
    /// Metric and drift, as an integrator wants them.
    #[must_use]
    pub fn flow(&self) -> Flow<'_> {
        Flow { metric: &self.metric, drift: &self.drift }
    }
}

/// A step that left the energy surface.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    /// The position from which the step started.
    pub start: Vec<f64>,
    /// H - H0 after the step; infinite where the density was not finite.
    pub energy_error: f64,
}

/// What one transition did.
#[derive(Debug, Clone, PartialEq)]
pub struct NutsInfo {
    /// The mean of min(1, e^D) over all leapfrog steps, D = H0 - H.
    pub acceptance: f64,
    /// The mean of 2 min(1, e^D) / (1 + e^D): errors of either sign count.
    pub symmetric_acceptance: f64,
    /// Number of completed doublings.
    pub depth: usize,
    /// Number of leapfrog steps, one gradient each.
    pub n_steps: usize,
    /// The energy H of the draw with the momentum it was reached with.
    pub energy: f64,
    /// The log-density of the draw.
    pub log_density: f64,
    /// The place of the draw in the trajectory, in steps from its start; 0 where the chain stayed.
    pub index: i64,
    /// The divergence that ended the trajectory, if one did: the only thing that a step may allocate.
    pub divergence: Option<Divergence>,
}

impl NutsInfo {
    /// Whether the trajectory ended in a divergence.
    #[must_use]
    pub fn diverging(&self) -> bool {
        self.divergence.is_some()
    }
}

/// Multinomial NUTS with biased progressive sampling of the trajectory and uniform sampling within each new half.
///
/// # Source
/// Hoffman and Gelman (2014), JMLR 15; Betancourt (2017), arXiv:1701.02434, as in Stan since 2.21 with the U-turn
/// tests across the halves of a trajectory.
///
/// ```
/// use ppl_infer::density::{DensityError, LogDensity};
/// use ppl_infer::dynamics::{Drift, Metric};
/// use ppl_infer::kernel::Kernel;
/// use ppl_infer::kernel::nuts::{NutsKernel, NutsParams};
/// use ppl_infer::random::ChainRng;
///
/// struct Normal;
/// impl LogDensity for Normal {
///     fn dim(&self) -> usize {
///         1
///     }
///     fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
///         gradient[0] = -x[0];
///         Ok(-0.5 * x[0] * x[0])
///     }
/// }
///
/// let mut kernel = NutsKernel::default();
/// let params = NutsParams { step_size: 0.9, jitter: 0.0, metric: Metric::identity(1), drift: Drift::Straight };
/// let mut state = kernel.init(&mut Normal, &[0.5])?;
/// let info = kernel.step(&mut Normal, &params, &ChainRng::new(0, 0), &mut state)?;
/// assert_eq!(info.log_density, -0.5 * state.position[0].powi(2));
/// # Ok::<(), DensityError>(())
/// ```
#[derive(Debug, Default)]
pub struct NutsKernel {
    config: NutsConfig,
    pool: Pool,
    /// Completed subtrees of the half being built: one for each binary digit of its number of points, the whole half in the
    /// end. They are joined where they lie.
    pending: Vec<Tree>,
}

/// What moves the points of one transition.
struct Motion<'a> {
    density: &'a mut dyn LogDensity,
    flow: Flow<'a>,
    /// Signed step size.
    step: f64,
    initial_energy: f64,
}

/// What became of a half.
enum Growth {
    /// It is the one tree that is pending.
    Complete,
    Turning,
    Diverging(Divergence),
}

/// Statistics over every leapfrog step of a transition, those of discarded halves too.
#[derive(Default)]
struct Tally {
    acceptance: f64,
    symmetric: f64,
    n_steps: usize,
}

impl Tally {
    /// Counts a step and returns its weight.
    fn add(&mut self, log_weight: f64) -> Weight {
        // 2 min(1, w) / (1 + w) is the same for w and 1 / w: take the one below 1.
        let w = (-log_weight.abs()).exp();
        self.acceptance += if log_weight > 0.0 { 1.0 } else { w };
        self.symmetric += 2.0 * w / (1.0 + w);
        self.n_steps += 1;
        Weight::of_log(log_weight, w)
    }
}

impl NutsKernel {
    /// A kernel with the user's choices.
    #[must_use]
    pub fn new(config: NutsConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// At most this many doublings from here on.
    pub(crate) fn set_max_depth(&mut self, max_depth: usize) {
        self.config.max_depth = max_depth;
    }

    /// Builds 2^depth points beyond the last point of `trajectory`, joining equal halves as they complete.
    fn grow(
        &mut self,
        motion: &mut Motion<'_>,
        trajectory: &Tree,
        depth: usize,
        choices: &mut Philox,
        tally: &mut Tally,
    ) -> Result<Growth, DensityError> {
        self.pending.clear();
        let mut end = trajectory.last;
        let mut n = 0usize;
        loop {
            let leaf = self.pool.leaf();
            self.pending.push(leaf);
            let (from, to) = self.pool.pair(end, leaf.last);
            leapfrog(motion.density, motion.flow, motion.step, from, to)?;
            let energy_error = to.energy - motion.initial_energy;
            let weight = tally.add(-energy_error);
            if energy_error > self.config.max_energy_error {
                return Ok(Growth::Diverging(Divergence { start: from.position.clone(), energy_error }));
            }
            end = leaf.last;
            if let Some(leaf) = self.pending.last_mut() {
                leaf.weight = weight;
            }
            for _ in 0..n.trailing_ones() {
                let [.., first, second] = &mut self.pending[..] else { break };
                if !self.pool.join(first, second, |weights| choices.uniform() < weights.share) {
                    return Ok(Growth::Turning);
                }
                self.pending.pop();
            }
            n += 1;
            if n == 1 << depth {
                return Ok(Growth::Complete);
            }
        }
    }
}

impl Kernel for NutsKernel {
    type State = GradientState;
    type Params = NutsParams;
    type Info = NutsInfo;
    const NAME: &'static str = "NUTS";

    fn init(&mut self, density: &mut dyn LogDensity, position: &[f64]) -> Result<GradientState, DensityError> {
        GradientState::at(density, position)
    }

    fn step(
        &mut self,
        density: &mut dyn LogDensity,
        params: &NutsParams,
        random: &ChainRng,
        state: &mut GradientState,
    ) -> Result<NutsInfo, DensityError> {
        let step_size = params.step_size * jitter_factor(params.jitter, random);
        let mut choices = random.stream(Purpose::Tree);
        self.pool.reset(state.position.len());
        let mut trajectory = self.pool.leaf();
        let start = self.pool.point_mut(trajectory.first);
        start.position.copy_from_slice(&state.position);
        start.gradient.copy_from_slice(&state.gradient);
        start.log_density = state.log_density;
        random.stream(Purpose::Momentum).fill_standard_normal(&mut start.momentum);
        start.start(params.flow());

        let mut motion = Motion { density, flow: params.flow(), step: step_size, initial_energy: start.energy };
        let mut tally = Tally::default();
        let mut divergence = None;
        let mut depth = 0;
        while depth < self.config.max_depth {
            let forward = choices.uniform() < 0.5;
            if forward != (motion.step > 0.0) {
                motion.step = -motion.step;
                trajectory = trajectory.reversed();
            }
            match self.grow(&mut motion, &trajectory, depth, &mut choices, &mut tally)? {
                Growth::Complete => {}
                Growth::Turning => break,
                Growth::Diverging(found) => {
                    divergence = Some(found);
                    break;
                }
            }
            let [half] = &self.pending[..] else { break };
            depth += 1;
            // Biased progressive: the new half competes with the old trajectory alone, not with their sum.
            let choose = |weights: &Weights| weights.odds == 1.0 || choices.uniform() < weights.odds;
            if !self.pool.join(&mut trajectory, half, choose) {
                break;
            }
        }

        let draw = self.pool.point(trajectory.proposal);
        state.position.copy_from_slice(&draw.position);
        state.gradient.copy_from_slice(&draw.gradient);
        state.log_density = draw.log_density;
        let per_step = 1.0 / tally.n_steps.max(1) as f64;
        Ok(NutsInfo {
            acceptance: tally.acceptance * per_step,
            symmetric_acceptance: tally.symmetric * per_step,
            depth,
            n_steps: tally.n_steps,
            energy: draw.energy,
            log_density: draw.log_density,
            index: draw.index,
            divergence,
        })
    }
}

/// Uniform in `[1 - jitter, 1 + jitter]`.
fn jitter_factor(jitter: f64, random: &ChainRng) -> f64 {
    if jitter == 0.0 {
        return 1.0;
    }
    1.0 + jitter * (2.0 * random.stream(Purpose::Jitter).uniform() - 1.0)
}
