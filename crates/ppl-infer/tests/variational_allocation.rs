//! Steps of a fit allocate nothing: a run of many steps asks for memory as often as one of few.

use ndarray::Array1;
use ppl_autodiff::Var;
use ppl_core::dist::Normal;
use ppl_core::{Distribution, Minibatch, model, observe, sample};
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

#[test]
fn steps_do_not_allocate() {
    let x = Array1::linspace(-1.0, 1.0, 64);
    let model = line(x.clone(), x.clone());
    let batches = Minibatch::new((x.clone(), x), 16).unwrap().model(|(x, y)| line(x, y));
    for advi in [
        Advi::mean_field(),
        Advi::full_rank().draws_per_step(4).antithetic(true).clip(10.0),
        Advi::mean_field().optimiser(AdagradWindow::default()),
    ] {
        // The same draws judge both.
        let count = |batched: bool, steps: u64| {
            let advi = advi.clone().steps(steps).average(0.5).check_draws(100);
            let before = counting::allocations();
            let fit = if batched { advi.fit_batches(&batches) } else { advi.fit(&model) }.unwrap();
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
