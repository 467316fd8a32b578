//! A step of NUTS allocates nothing once its pool has grown.

use ppl_infer::dynamics::{Drift, Layout, Metric};
use ppl_infer::kernel::Kernel;
use ppl_infer::kernel::nuts::{NutsKernel, NutsParams};
use ppl_infer::random::ChainRng;

mod common;
#[path = "common/counting.rs"]
mod counting;
use common::densities;

#[test]
fn steps_do_not_allocate() {
    let known = densities::normal("normal", vec![0.0; 30], vec![1.0; 30]);
    let mut density = known.target.density();
    let dense = Metric::dense(ndarray::Array2::eye(30)).unwrap();
    let low_rank = Metric::low_rank(vec![1.0; 30], &ndarray::Array2::eye(30), vec![0.9; 30]).unwrap();
    let layout = Layout::new(30, vec![vec![0..10, 20..25], vec![12..15]]).unwrap();
    let blocks =
        Metric::blocks(layout, vec![1.0; 30], vec![ndarray::Array2::eye(15), ndarray::Array2::eye(3)]).unwrap();
    let rotation = || Drift::Rotation { center: vec![0.1; 30], frequency: 0.5 };
    for (metric, drift) in [
        (Metric::identity(30), Drift::Straight),
        (dense.clone(), Drift::Straight),
        (low_rank.clone(), Drift::Straight),
        (blocks.clone(), Drift::Straight),
        (Metric::identity(30), rotation()),
        (dense, rotation()),
        (low_rank, rotation()),
        (blocks, rotation()),
    ] {
        let mut kernel = NutsKernel::default();
        // Depth 6 or so: enough for many joins.
        let params = NutsParams { step_size: 0.05, jitter: 0.1, metric, drift };
        let mut state = kernel.init(&mut *density, &[0.1; 30]).unwrap();
        let mut steps = |from: u32, to: u32| {
            let before = counting::allocations();
            let mut leapfrogs = 0;
            for i in from..to {
                let random = ChainRng::new(0, 0).at(i);
                leapfrogs += kernel.step(&mut *density, &params, &random, &mut state).unwrap().n_steps;
            }
            (counting::allocations() - before, leapfrogs)
        };
        let (first, _) = steps(0, 100);
        let (later, leapfrogs) = steps(100, 200);
        assert!(first > 0 && leapfrogs > 3000, "{leapfrogs} leapfrog steps");
        // The test harness may allocate a few times beside us, on a busy machine more than twice.
        assert!(later <= 10, "{later} allocations in {leapfrogs} leapfrog steps");
    }
}
