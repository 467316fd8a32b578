//! The summary's text, its accessors, and the warnings.

mod common;

use common::ar1;
use ndarray::{Array2, Array3, ArrayD, s};
use ppl_diagnostics::*;

/// A well-mixed scalar, a slow one on another scale, and a constant.
fn small() -> Draws {
    let mu = ar1(1, 4, 500, 0.2);
    let slow = ar1(2, 4, 500, 0.95).mapv(|v| 1500.0 + 300.0 * v);
    let mut w = Array3::zeros((4, 500, 2));
    w.slice_mut(s![.., .., 0]).assign(&ar1(3, 4, 500, -0.3).mapv(|v| 0.001 * v));
    w.slice_mut(s![.., .., 1]).fill(1.0);
    Draws::new([("mu", mu.into_dyn()), ("slow", slow.into_dyn()), ("w", w.into_dyn())]).unwrap()
}

/// One site of 60 weights and one scalar.
fn large() -> Draws {
    let mut w = Array3::zeros((2, 100, 60));
    for k in 0..60 {
        w.slice_mut(s![.., .., k]).assign(&ar1(100 + k as u64, 2, 100, 0.5));
    }
    Draws::new([("w0", w.into_shape_with_order(vec![2, 100, 6, 10]).unwrap()), ("tau", ar1(9, 2, 100, 0.0).into_dyn())])
        .unwrap()
}

#[test]
fn a_small_summary_is_a_table() {
    assert_eq!(Summary::new(&small()).to_string(), include_str!("golden/small.txt"));
}

#[test]
fn a_large_summary_shows_ranges_and_the_worst() {
    let summary = Summary::new(&large());
    assert_eq!(summary.to_string(), include_str!("golden/large.txt"));
    let table = summary.table().to_string();
    assert_eq!(table.lines().count(), 2 + 1 + 61);
    assert!(table.lines().all(|line| !line.ends_with(' ')));
}

#[test]
fn accessors_leave_out_constants() {
    let summary = Summary::with_interval(&small(), Interval::highest_density(0.5).unwrap());
    let row = |label| summary.row(label).unwrap();
    let mut sizes = [row("mu").ess_bulk, row("slow").ess_bulk, row("w[0]").ess_bulk];
    sizes.sort_by(f64::total_cmp);
    assert_eq!(summary.ess_bulk_min(), Some(sizes[0]));
    assert_eq!(summary.ess_bulk_median(), Some(sizes[1]));
    assert_eq!(summary.ess_tail_min(), Some(row("slow").ess_tail));
    assert_eq!(summary.r_hat_max(), Some(row("slow").r_hat));
    assert!(row("w[1]").is_constant() && row("w[1]").r_hat.is_nan());
    assert_eq!(summary.worst(9).first().unwrap().label, "slow");
    assert_eq!(summary.worst(9).last().unwrap().label, "w[1]");
    let mu = small().components().next().unwrap().values.to_owned();
    assert_eq!((row("mu").lower, row("mu").upper), hdi(mu.view(), 0.5));
    assert!(summary.row("nu").is_none());
    assert_eq!((summary.chains(), summary.draws(), summary.interval().prob()), (4, 500, 0.5));
}

#[test]
fn healthy_chains_give_no_warning() {
    let draws = Draws::new([("mu", ar1(1, 4, 1000, 0.2).into_dyn())]).unwrap();
    assert_eq!(check(&draws, &healthy_stats(4, 1000), 10), []);
}

fn healthy_stats(chains: usize, draws: usize) -> SampleStats {
    let energies = ar1(5, chains, draws, 0.3);
    let draw = |c: usize, t: usize| DrawStats {
        log_density: -energies[[c, t]],
        acceptance_rate: 0.9,
        step_size: 0.2,
        tree_depth: 3,
        n_steps: 7,
        diverging: false,
        energy: energies[[c, t]],
    };
    SampleStats::from_chains(&(0..chains).map(|c| (0..draws).map(|t| draw(c, t)).collect()).collect::<Vec<Vec<_>>>())
}

#[test]
fn every_ill_has_its_warning() {
    let mut stats = healthy_stats(4, 500);
    for t in 0..30 {
        stats.diverging[[1, t]] = true;
        stats.tree_depth[[3, t]] = 10;
    }
    let slow_energy = ar1(6, 1, 500, 0.99);
    stats.energy.row_mut(2).assign(&slow_energy.row(0));

    let mut w = Array3::zeros((4, 500, 3));
    w.slice_mut(s![.., .., 0]).assign(&ar1(3, 4, 500, 0.0));
    w.slice_mut(s![.., .., 1]).fill(1.0);
    w.slice_mut(s![.., .., 2]).assign(&ar1(4, 4, 500, 0.0));
    w[[0, 0, 2]] = f64::NAN;
    let mut shifted = ar1(7, 4, 500, 0.0);
    shifted.row_mut(0).mapv_inplace(|v| v + 3.0);
    let draws = Draws::new([("w", w.into_dyn()), ("shifted", shifted.into_dyn())]).unwrap();

    let warnings = check(&draws, &stats, 10);
    let texts: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    assert_eq!(texts.join("\n\n") + "\n", include_str!("golden/warnings.txt"));

    assert_eq!(warnings[0], Warning::Divergences { count: 30, total: 2000 });
    assert_eq!(warnings[1], Warning::MaxTreeDepth { count: 30, total: 2000, max_tree_depth: 10 });
    let Warning::LowBfmi { chains } = &warnings[2] else { panic!("{:?}", warnings[2]) };
    assert_eq!(chains.as_slice(), [(2, bfmi(slow_energy.view())[0])]);
    assert_eq!(warnings[3], Warning::NonFinite { count: 1, first: vec!["w[2]".into()] });
    assert_eq!(warnings[4], Warning::Constant { count: 1, first: vec!["w[1]".into()] });
    let Warning::HighRHat { count: 1, components: 4, worst } = &warnings[5] else { panic!("{:?}", warnings[5]) };
    assert_eq!(worst[0].0, "shifted");
    let Warning::LowEss { kind: EssKind::Bulk, count: 1, wanted, .. } = &warnings[6] else {
        panic!("{:?}", warnings[6])
    };
    assert_eq!(*wanted, 400.0);
}

#[test]
fn runs_too_small_to_judge_say_so() {
    let check = |x: Array2<f64>| {
        let draws = Draws::new([("x", x.into_dyn())]).unwrap();
        assert!(Summary::new(&draws).to_string().contains("eti_97%")); // whatever is missing
        check_summary(&Summary::new(&draws))
    };
    assert_eq!(check(Array2::zeros((4, 0))), [Warning::TooFewDraws { draws: 0 }]);
    assert_eq!(check(ar1(1, 4, 3, 0.0)), [Warning::TooFewDraws { draws: 3 }]);
    assert_eq!(check(ar1(1, 1, 1000, 0.0)), [Warning::SingleChain]);
    let no_components = Draws::new([("x", ArrayD::zeros(vec![2, 10, 0]))]).unwrap();
    let summary = Summary::new(&no_components);
    assert_eq!((summary.ess_bulk_min(), summary.r_hat_max(), summary.rows().len()), (None, None, 0));
    assert_eq!(check_summary(&summary), []);
}

#[test]
fn sampler_statistics_are_cut_to_the_shortest_chain() {
    let whole = healthy_stats(2, 10);
    let draw = |c: usize, t: usize| DrawStats {
        log_density: whole.log_density[[c, t]],
        acceptance_rate: whole.acceptance_rate[[c, t]],
        step_size: whole.step_size[[c, t]],
        tree_depth: whole.tree_depth[[c, t]],
        n_steps: whole.n_steps[[c, t]],
        diverging: whole.diverging[[c, t]],
        energy: whole.energy[[c, t]],
    };
    let chains = [(0..10).map(|t| draw(0, t)).collect(), (0..6).map(|t| draw(1, t)).collect()];
    let cut = SampleStats::from_chains(&chains);
    assert_eq!(cut.energy, whole.energy.slice(s![.., ..6]));
    assert_eq!(cut.n_steps, whole.n_steps.slice(s![.., ..6]));
    assert_eq!(SampleStats::from_chains(&[]), SampleStats::default());
    assert_eq!(check_stats(&SampleStats::default(), 10), []);
}
