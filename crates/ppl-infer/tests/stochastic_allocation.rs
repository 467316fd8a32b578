//! A step of a stochastic gradient sampler allocates nothing once its buffers are there: the batch bound, its gradients,
//! the move.

use ndarray::{Array1, Array2};
use ppl_autodiff::Var;
use ppl_core::dist::{Bernoulli, Normal};
use ppl_core::{Distribution, Minibatch, model, observe, sample};
use ppl_infer::batch::BatchTarget;
use ppl_infer::compiled_batch::CompiledBatchModel;
use ppl_infer::random::ChainRng;
use ppl_infer::stochastic::kernel::{
    CsgKernel, PsgldKernel, SgfsKernel, SghmcKernel, SgldKernel, SgnhtKernel, StochasticKernel,
};
use ppl_infer::stochastic::{ControlVariates, Fisher, Preconditioner, Step};

#[path = "common/counting.rs"]
mod counting;

model! {
    fn network(x: Array2<f64>, y: Array1<f64>) {
        let w = sample!("w", Normal::new(0.0, 1.0).expand([2, 5]));
        let v = sample!("v", Normal::new(0.0, 1.0).expand([5, 1]));
        let z = Var::from(&x).matmul(w).tanh().matmul(v);
        observe!("y", Bernoulli::logits(z.squeeze(-1)), y);
    }
}

fn allocations<K: StochasticKernel>(mut kernel: K, size: f64) {
    let x = Array2::from_shape_fn((200, 2), |(i, j)| ((i * (j + 2)) as f64).sin());
    let y = Array1::from_shape_fn(200, |i| f64::from(u8::from(x[[i, 0]] > x[[i, 1]])));
    let batches = Minibatch::new((x, y), 20).unwrap().model(|(x, y)| network(x, y));
    let compiled = CompiledBatchModel::new(&batches).unwrap();
    let mut density = compiled.density(0, 0).unwrap();
    density.bind(0).unwrap();
    let mut state = kernel.init(&mut *density, &[0.1; 15]).unwrap();
    let mut steps = |from: u64, to: u64| {
        let before = counting::allocations();
        for iteration in from..to {
            density.bind(iteration).unwrap();
            let random = ChainRng::new(0, 0).at(iteration as u32);
            kernel.step(&mut *density, &Step { iteration, size, exploring: false }, &random, &mut state).unwrap();
        }
        counting::allocations() - before
    };
    let first = steps(0, 150);
    // Two looks at the prior's curvature, six renewed references, ten epochs or more.
    let later = steps(150, 350);
    assert!(first > 0);
    // The test harness may allocate once or twice beside us.
    assert!(later <= 2, "{}: {later} allocations in 200 steps", K::NAME);
}

#[test]
fn steps_do_not_allocate() {
    allocations(SgfsKernel::default(), 1e-2);
    allocations(SgfsKernel::default().fisher(Fisher::Sites).preconditioner(Preconditioner::Scaled(2.0)), 1e-2);
    allocations(SgfsKernel::default().fisher(Fisher::Diagonal), 1e-2);
    allocations(SgfsKernel::pymc3(), 1e-3);
    allocations(CsgKernel::default(), 1.0);
    allocations(SgldKernel::default(), 1e-3);
    allocations(PsgldKernel::default(), 1e-4);
    allocations(SghmcKernel::default(), 1e-4);
    allocations(SgnhtKernel::default(), 1e-3);
    allocations(ControlVariates::new(SgldKernel::default(), 30), 1e-3);
}
