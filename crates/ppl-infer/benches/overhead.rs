//! What the sampler itself costs per leapfrog step, beside the gradient: `cargo bench -p ppl-infer --bench overhead`.

use std::hint::black_box;
use std::time::Instant;

use ppl_infer::density::{DensityError, LogDensity};
use ppl_infer::dynamics::{Drift, Metric};
use ppl_infer::kernel::Kernel;
use ppl_infer::kernel::nuts::{NutsKernel, NutsParams};
use ppl_infer::random::ChainRng;

/// A standard normal law: one pass.
struct Normal(usize);

impl LogDensity for Normal {
    fn dim(&self) -> usize {
        self.0
    }
    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, DensityError> {
        let mut squares = [0.0; 8];
        for (g, x) in gradient.chunks_mut(8).zip(x.chunks(8)) {
            for ((g, x), square) in g.iter_mut().zip(x).zip(&mut squares) {
                *g = -x;
                *square += x * x;
            }
        }
        Ok(-0.5 * squares.iter().sum::<f64>())
    }
}

/// The least of some timings of two things in turn, in seconds: neighbours on the machine disturb both alike.
fn least(mut f: impl FnMut(), mut g: impl FnMut()) -> (f64, f64) {
    let timed = |f: &mut dyn FnMut()| {
        let begin = Instant::now();
        f();
        begin.elapsed().as_secs_f64()
    };
    (0..25).fold((f64::INFINITY, f64::INFINITY), |(a, b), _| (timed(&mut f).min(a), timed(&mut g).min(b)))
}

fn main() {
    println!("{:>6} {:>9} {:>10} {:>12} {:>14}", "dim", "metric", "steps/draw", "gradient ns", "sampler ns/step");
    let cases = [(1, false), (10, false), (100, false), (763, false), (10_000, false), (10, true), (100, true)];
    for (dim, dense) in cases {
        let mut density = Normal(dim);
        let (x, mut g) = (vec![0.3; dim], vec![0.0; dim]);
        let metric = if dense { Metric::dense(ndarray::Array2::eye(dim)).ok() } else { Some(Metric::identity(dim)) };
        let Some(metric) = metric else { continue };
        let params = NutsParams { step_size: 0.1, jitter: 0.0, metric, drift: Drift::Straight };
        let mut kernel = NutsKernel::default();
        let Ok(mut state) = kernel.init(&mut density, &x) else {
            continue;
        };
        let (mut iteration, mut steps) = (0, 0);
        let calls = 4_000_000 / (dim + 100);
        let draws = 2 + calls as u32 / 100;
        let (gradients, seconds) = least(
            || {
                for _ in 0..calls {
                    black_box(Normal(dim).evaluate(black_box(&x), &mut g)).ok();
                }
            },
            || {
                steps = 0;
                for _ in 0..draws {
                    iteration += 1;
                    let random = ChainRng::new(0, 0).at(iteration % draws);
                    steps += kernel.step(&mut density, &params, &random, &mut state).map_or(0, |info| info.n_steps);
                }
            },
        );
        let (gradient, per_step) = (gradients / calls as f64, seconds / steps as f64);
        let metric = if dense { "dense" } else { "diagonal" };
        let mean_steps = steps as f64 / f64::from(draws);
        println!("{dim:6} {metric:>9} {mean_steps:10.1} {:12.1} {:14.1}", gradient * 1e9, (per_step - gradient) * 1e9);
    }
}
