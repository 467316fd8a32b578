//! Stochastic gradient samplers on compiled models, against NUTS on the same models with all data.

use ndarray::{Array1, Array2};
use ppl_autodiff::Var;
use ppl_autodiff::random::{Philox, Purpose};
use ppl_core::dist::{LogNormal, Normal};
use ppl_core::{Distribution, Minibatch, model, observe, sample};
use ppl_infer::stochastic::{Fisher, Schedule, Sgfs};
use ppl_infer::{Nuts, Posterior};

model! {
    /// Rows of groups whose means scatter around a common one; `group` has a 1 in the column of each row's group.
    fn hierarchy(group: Array2<f64>, y: Array1<f64>) {
        let mean = sample!("mean", Normal::new(0.0, 2.0));
        let spread = sample!("spread", LogNormal::new(0.0, 0.5));
        let of_group = sample!("of_group", Normal::new(mean, spread).expand([group.ncols()]));
        observe!("y", Normal::new(Var::from(&group).matmul(of_group), 1.0), y);
    }
}

const GROUPS: usize = 12;
const ROWS: usize = 30;

fn data() -> (Array2<f64>, Array1<f64>) {
    let mut random = Philox::new(4, Purpose::PriorPredictive, 0, 0);
    let means: Vec<f64> = (0..GROUPS).map(|_| 1.0 + 0.8 * random.standard_normal()).collect();
    let group = Array2::from_shape_fn((GROUPS * ROWS, GROUPS), |(i, j)| f64::from(u8::from(i % GROUPS == j)));
    let y = Array1::from_shape_fn(GROUPS * ROWS, |i| means[i % GROUPS] + random.standard_normal());
    (group, y)
}

/// Mean and standard deviation of a site of one number.
fn moments(posterior: &Posterior, site: &str) -> [f64; 2] {
    let draws = posterior.draws().flat(site).unwrap();
    [draws.mean().unwrap(), draws.std(0.0)]
}

/// The rows say nothing of the hyperparameters: all that these know comes through the joint prior's gradient. With each
/// site's term differentiated by that site alone, as in PyMC3, they would have the posteriors of their own priors. SGFS
/// has some thousands of effective draws: a standard error of 0.02 standard deviations; the rest of the tolerance is for
/// the bias of its steps where the posterior is not normal.
#[test]
fn hyperparameters_have_their_posterior() {
    let (group, y) = data();
    let nuts = Nuts::new().warmup(500).draws(2500).chains(2).seed(1).run(&hierarchy(group.clone(), y.clone())).unwrap();
    let batches = Minibatch::new((group, y), 36).unwrap().model(|(group, y)| hierarchy(group, y));
    for fisher in [Fisher::Full, Fisher::Sites] {
        let sgfs = Sgfs::new().fisher(fisher).step_size(Schedule::constant(0.02)).warmup(4000).thin(5).draws(8000);
        let run = sgfs.chains(2).seed(2).run(&batches).unwrap();
        for site in ["mean", "spread"] {
            let ([mean, sd], [got, got_sd]) = (moments(&nuts, site), moments(&run, site));
            println!("{fisher:?} {site}: {got:.3} +- {got_sd:.3}, NUTS {mean:.3} +- {sd:.3}");
            assert!((got - mean).abs() < 0.12 * sd, "{fisher:?} {site}: {got} against {mean} +- {sd}");
            assert!((got_sd / sd - 1.0).abs() < 0.12, "{fisher:?} {site}: {got_sd} against {sd}");
        }
        // The prior of the parents is wider by far than their posterior.
        assert!(moments(&run, "mean")[1] < 0.5 && moments(&run, "spread")[1] < 0.4);
    }
}
