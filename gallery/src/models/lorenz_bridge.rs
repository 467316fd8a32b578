//! Convection: the Lorenz system with noise, of which one coordinate is seen, its middle not at all.

use ppl::core::dist::Distribution;
use ppl::prelude::*;

use crate::entry::{Entry, Needs, inference_gym};

model! {
    /// Euler steps of the Lorenz system, `h` long, with noise of variance `h innovation^2`; x is seen at some steps.
    ///
    /// Inference Gym target `ConvectionLorenzBridge`.
    pub fn lorenz_bridge(seen: Vec<usize>, observed: Array1<f64>, h: f64, innovation: f64, noise: f64) {
        let first = Normal::new(0.0, 1.0).expand([3]).to_event(1);
        let next = move |state: Var| {
            let [x, y, z] = [0, 1, 2].map(|i| state.index(-1, i));
            let drift = [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z];
            Normal::new(state + h * stack(&drift, -1), h.sqrt() * innovation).to_event(1)
        };
        let latents = sample!("latents", MarkovChain::new(first, next, STEPS));
        observe!("observed", Normal::new(latents.index(-1, 0).gather(0, &seen), noise), observed);
    }
}

/// Steps of the path.
const STEPS: usize = 30;

pub(super) const LORENZ_BRIDGE: Entry = Entry {
    needs: Needs {
        acceptance: Some(0.9),
        length: 2,
        minor_modes: true,
        remark: "Far-off minor modes have log-densities lower by 200 and more; a chain that starts there stays. The drift is \
                 quadratic in the state, so curvature grows towards large states: the step that has an acceptance of 0.8 on \
                 average, 0.45, is now and then unstable there (energy errors of 1e3 to 1e5 in one step; 28 of 24000 draws, at \
                 0.9 none of 72000).",
    },
    ..inference_gym!("convection_lorenz_bridge", "state space", |data| {
        let (seen, observed) = data.present("observed_values")?;
        let (h, innovation) = (data.number("step_size")?, data.number("innovation_scale")?);
        Ok(Box::new(lorenz_bridge(seen, observed, h, innovation, data.number("observation_scale")?)))
    })
};
