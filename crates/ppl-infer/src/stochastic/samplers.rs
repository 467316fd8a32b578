//! The samplers of this crate by name: their defaults, and the choices that are theirs alone.

use super::fisher::Fisher;
use super::kernel::{
    CsgKernel, CsgPreconditioner, Gain, Preconditioner, PsgldKernel, SgfsKernel, SghmcKernel, SgldKernel, SgnhtKernel,
};
use super::schedule::Schedule;
use super::settings::StochasticGradient;

/// Stochastic gradient Fisher scoring; see [`SgfsKernel`].
pub type Sgfs = StochasticGradient<SgfsKernel>;
/// Constant stochastic gradients; see [`CsgKernel`].
pub type Csg = StochasticGradient<CsgKernel>;
/// Stochastic gradient Langevin dynamics; see [`SgldKernel`].
pub type Sgld = StochasticGradient<SgldKernel>;
/// Preconditioned Langevin dynamics; see [`PsgldKernel`].
pub type Psgld = StochasticGradient<PsgldKernel>;
/// Stochastic gradient Hamiltonian Monte Carlo; see [`SghmcKernel`].
pub type Sghmc = StochasticGradient<SghmcKernel>;
/// The stochastic gradient Nose-Hoover thermostat; see [`SgnhtKernel`].
pub type Sgnht = StochasticGradient<SgnhtKernel>;

impl Sgfs {
    /// [`SgfsKernel`] with a constant step of 0.01; four chains of 500 warm-up iterations and 1000 draws, seed 0.
    pub fn new() -> Self {
        Self::with(SgfsKernel::default(), Schedule::Constant(0.01)).warmup(500)
    }

    /// How much of the Fisher information is kept: all of it unless told otherwise.
    pub fn fisher(self, fisher: Fisher) -> Self {
        Self { kernel: self.kernel.fisher(fisher), ..self }
    }

    /// The factor of the Fisher information in the gain: the right one unless told otherwise.
    pub fn gain(self, gain: Gain) -> Self {
        Self { kernel: self.kernel.gain(gain), ..self }
    }

    /// The matrix B of the injected noise: the identity unless told otherwise.
    pub fn preconditioner(self, preconditioner: Preconditioner) -> Self {
        Self { kernel: self.kernel.preconditioner(preconditioner), ..self }
    }

    /// Whether the curvature of the prior is in the gain: yes unless told otherwise.
    pub fn prior_precision(self, prior_precision: bool) -> Self {
        Self { kernel: self.kernel.prior_precision(prior_precision), ..self }
    }

    /// Takes only the batches of every `every`th iteration into the information, once it rests on 20 of them: what makes
    /// large networks cost little more than their gradient. 1 unless told otherwise, and 10 with [`Fisher::Diagonal`].
    pub fn fisher_every(self, every: u64) -> Self {
        Self { kernel: self.kernel.fisher_every(every), ..self }
    }

    /// The algorithm as PyMC3 3.5 has it, with the step sizes of its notebook: the factor (n + N)/N, B = I for the first
    /// 50 floor(N/n) iterations and then proportional to the information, steps 0.1 halved every 100 iterations.
    ///
    /// It samples no posterior: the factor makes the draws overdispersed by far, and the schedule brings the chain to
    /// rest at a point. Use it to reproduce numbers. Two more slips of PyMC3 are not reproduced: the gradient of a
    /// hierarchical prior lacks the part of the parents there, and each step computes with the batch before.
    pub fn pymc3_compatible(self) -> Self {
        Self { kernel: SgfsKernel::pymc3(), step_size: Schedule::halving(0.1, 100), ..self }
    }
}

impl Csg {
    /// [`CsgKernel`] with the step 1 that its theory gives; four chains of 500 warm-up iterations and 1000 draws.
    pub fn new() -> Self {
        Self::with(CsgKernel::default(), Schedule::Constant(1.0)).warmup(500)
    }

    /// The form of the preconditioner: a full matrix unless told otherwise.
    pub fn preconditioner(self, preconditioner: CsgPreconditioner) -> Self {
        Self { kernel: self.kernel.preconditioner(preconditioner), ..self }
    }

    /// The algorithm as PyMC3 3.5 has it, which adds the noise of the batches a second time: about twice the variance.
    pub fn pymc3_compatible(self) -> Self {
        Self { kernel: self.kernel.doubled_noise(true), ..self }
    }
}

impl Sgld {
    /// [`SgldKernel`] with a constant step of 1e-4; four chains of 1000 warm-up iterations and 1000 draws.
    pub fn new() -> Self {
        Self::with(SgldKernel::default(), Schedule::Constant(1e-4))
    }
}

impl Psgld {
    /// [`PsgldKernel`] with a constant step of 1e-4; four chains of 1000 warm-up iterations and 1000 draws.
    pub fn new() -> Self {
        Self::with(PsgldKernel::default(), Schedule::Constant(1e-4))
    }

    /// The decay of the mean of squared gradients, in [0, 1).
    pub fn decay(self, decay: f64) -> Self {
        Self { kernel: self.kernel.decay(decay), ..self }
    }

    /// What is added to the root of the mean of squared gradients, positive.
    pub fn stabiliser(self, stabiliser: f64) -> Self {
        Self { kernel: self.kernel.stabiliser(stabiliser), ..self }
    }
}

impl Sghmc {
    /// [`SghmcKernel`] with friction 0.1 and a constant step of 1e-4; four chains of 1000 warm-up iterations and 1000
    /// draws.
    pub fn new() -> Self {
        Self::with(SghmcKernel::default(), Schedule::Constant(1e-4))
    }

    /// The friction, in (0, 1).
    pub fn friction(self, friction: f64) -> Self {
        Self { kernel: self.kernel.friction(friction), ..self }
    }

    /// What the noise of batches contributes, between 0 and the friction.
    pub fn noise_estimate(self, noise_estimate: f64) -> Self {
        Self { kernel: self.kernel.noise_estimate(noise_estimate), ..self }
    }
}

impl Sgnht {
    /// [`SgnhtKernel`] with diffusion 1 and a constant step of 1e-2; four chains of 1000 warm-up iterations and 1000
    /// draws.
    pub fn new() -> Self {
        Self::with(SgnhtKernel::default(), Schedule::Constant(1e-2))
    }

    /// The diffusion of the injected noise, positive.
    pub fn diffusion(self, diffusion: f64) -> Self {
        Self { kernel: self.kernel.diffusion(diffusion), ..self }
    }
}

/// `Default` is `new` for the kernels of this crate.
macro_rules! default_is_new {
    ($($name:ident)*) => {
        $(impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        })*
    };
}

default_is_new! { Sgfs Csg Sgld Psgld Sghmc Sgnht }
