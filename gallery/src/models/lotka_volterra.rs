//! Pelts of lynx and hare over twenty years: predator and prey, a differential equation with unknown rates.

use ppl::core::ode::{Rk4, solve};
use ppl::prelude::*;

use crate::entry::{Entry, Needs, posteriordb};

model! {
    /// Prey u and predators v: `du/dt = (theta_1 - theta_2 v) u`, `dv/dt = (-theta_3 + theta_4 u) v`; what is counted is
    /// log-normal around them.
    ///
    /// posteriordb model `lotka_volterra`.
    pub fn lotka_volterra(times: Vec<f64>, first: Array1<f64>, counts: Array2<f64>) {
        let theta = sample!("theta", TruncatedNormal::left([1.0, 0.05, 1.0, 0.05], [0.5, 0.05, 0.5, 0.05], 0.0));
        let z_init = sample!("z_init", LogNormal::new(10.0_f64.ln(), 1.0).expand([2]));
        let sigma = sample!("sigma", LogNormal::new(-1.0, 1.0).expand([2]));
        let [growth, hunted, starving, fed] = [0, 1, 2, 3].map(|i| theta.index(0, i));
        let slope = |_: Var, z: &[Var]| {
            let (prey, predators) = (z[0], z[1]);
            vec![(growth - hunted * predators) * prey, (fed * prey - starving) * predators]
        };
        // Half the step changes gradients by 1e-6 of their size.
        let z = solve(Rk4::step(0.05), slope, 0.0, &[z_init.index(0, 0), z_init.index(0, 1)], &times);
        observe!("first", LogNormal::new(z_init.ln(), sigma), first);
        observe!("counts", LogNormal::new(stack(&z, -1).ln(), sigma), counts);
    }
}

pub(super) const LOTKA_VOLTERRA: Entry = Entry {
    needs: Needs {
        minor_modes: true,
        remark: "Minor modes, where noise of twice the size takes the place of the cycles, have log-densities lower by 28 and 40; a chain that starts there (2 of the first 12) stays.",
        ..Needs::NOTHING
    },
    ..posteriordb!(
        "hudson_lynx_hare-lotka_volterra",
        "differential equation",
        data = "hudson_lynx_hare",
        stan = ["theta", "z_init", "sigma"],
        |data| {
            let times = data.vector("ts")?.to_vec();
            Ok(Box::new(lotka_volterra(times, data.vector("y_init")?, data.matrix("y")?)))
        }
    )
};
