//! Steps of a fit allocate nothing: a run of many steps asks for memory as often as one of few.

use ndarray::Array1;
use ppl_autodiff::Var;
use ppl_core::dist::Normal;
use ppl_core::{Distribution, Minibatch, dense, model, observe, sample};
use ppl_infer::variational::Advi;
use ppl_infer::variational::optimiser::AdagradWindow;

#[path = "common/counting.rs"]
mod counting;

model! {
    fn line(x: Array1<f64>, y: Array1<f64>) {
        let a = sample!("a", Normal::new(0.0, 5.0).expand([3]));
        observe!("y", Normal::new(a.sum() + Var::from(&x), 1.0), y);
    }
}

model! {
    fn layer(x: Array1<f64>, y: Array1<f64>) {
        let w = sample!("w", Normal::new(0.0, 1.0).expand([1, 1]));
        let n = x.len();
        observe!("y", Normal::new(dense(Var::from(&x).reshape([n, 1]), w).squeeze(-1), 1.0), y);
    }
}

#[test]
fn steps_do_not_allocate() {
    let x = Array1::linspace(-1.0, 1.0, 64);
    let model = line(x.clone(), x.clone());
    let layered = layer(x.clone(), x.clone());
    let batches = Minibatch::new((x.clone(), x.clone()), 16).unwrap().model(|(x, y)| line(x, y));
    let layered_batches = Minibatch::new((x.clone(), x), 16).unwrap().model(|(x, y)| layer(x, y));
    for (advi, local) in [
        (Advi::mean_field(), false),
        (Advi::full_rank().draws_per_step(4).antithetic(true).clip(10.0), false),
        (Advi::mean_field().optimiser(AdagradWindow::default()), false),
        (Advi::mean_field().local_reparameterisation(true).draws_per_step(2), true),
    ] {
        // The same draws judge both.
        let count = |batched: bool, steps: u64| {
            let advi = advi.clone().steps(steps).average(0.5).check_draws(100);
            let before = counting::allocations();
            let fit = match (batched, local) {
                (true, true) => advi.fit_batches(&layered_batches),
                (true, false) => advi.fit_batches(&batches),
                (false, true) => advi.fit(&layered),
                (false, false) => advi.fit(&model),
            };
            let fit = fit.unwrap();
            drop(fit);
            counting::allocations() - before
        };
        for batched in [false, true] {
            let (few, many) = (count(batched, 200), count(batched, 4000));
            // Judging asks for memory some 200 times more or less, as its draws fall; one allocation an epoch of four
            // batches would be 950 more.
            assert!(many < few + 400, "{few} allocations in 200 steps, {many} in 4000");
        }
    }
}
