//! Laws that the diagnostics obey for any chains, and values known in closed form.

mod common;

use common::{Random, ar1};
use ndarray::{Array2, Axis, concatenate, s};
use ppl_diagnostics::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Units do not matter: `ess(a x + b) = ess(x)`, R-hat alike, and errors scale with `a`.
    #[test]
    fn affine_invariance(
        seed in any::<u64>(),
        chains in 1..5usize,
        draws in 4..90usize,
        phi in -0.8..0.95f64,
        scale in prop_oneof![Just(1e-20), Just(-3.0), Just(1e12), 0.1..10.0f64],
        offset in -2.0..2.0f64,
    ) {
        let x = ar1(seed, chains, draws, phi);
        let y = x.mapv(|v| scale * (v + offset));
        // Geyer's sum stops where a pair turns negative: rounding moves the result by parts in 1e12, and may in
        // principle, with probability of that order, stop it one pair earlier.
        let same = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-9 * b.abs();
        prop_assert!(same(ess_bulk(y.view()), ess_bulk(x.view())));
        prop_assert!(same(ess_mean(y.view()), ess_mean(x.view())));
        prop_assert!(same(ess_sd(y.view()), ess_sd(x.view())));
        prop_assert!(same(r_hat_split(y.view()), r_hat_split(x.view())));
        // The two draws next to the median are equally far from it but for rounding, and rounding decides whether
        // they share a rank: exact only where the change of unit is.
        let other_unit = x.mapv(|v| -v * 2f64.powi(-70));
        prop_assert_eq!(r_hat(other_unit.view()), r_hat(x.view()));
        prop_assert!(same(mcse_mean(y.view()), scale.abs() * mcse_mean(x.view())));
        prop_assert!(same(mcse_sd(y.view()), scale.abs() * mcse_sd(x.view())));
    }

    /// Chains are exchangeable, and figures of ranks do not see a monotone change of scale.
    #[test]
    fn order_of_chains_and_monotone_scale(seed in any::<u64>(), chains in 2..5usize, draws in 4..60usize) {
        let x = ar1(seed, chains, draws, 0.4);
        let reversed = x.slice(s![..;-1, ..]).to_owned();
        let same = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-9 * b.abs();
        prop_assert!(same(ess_bulk(reversed.view()), ess_bulk(x.view())));
        prop_assert!(same(ess_tail(reversed.view()), ess_tail(x.view())));
        prop_assert!(same(r_hat(reversed.view()), r_hat(x.view())));
        prop_assert!(same(ess_bulk(x.mapv(f64::exp).view()), ess_bulk(x.view())));
    }

    /// The figures stay in their ranges.
    #[test]
    fn ranges(seed in any::<u64>(), chains in 1..5usize, draws in 4..60usize, phi in -0.9..0.99f64) {
        let x = ar1(seed, chains, draws, phi);
        let cap = (x.len() as f64) * (x.len() as f64).log10();
        for ess in [ess_bulk(x.view()), ess_tail(x.view()), ess_mean(x.view()), ess_sd(x.view())] {
            prop_assert!(ess > 0.0 && ess <= cap * (1.0 + 1e-12), "{ess} {cap}");
        }
        // sqrt((n - 1)/n) with n draws in half a chain, reached when all half-chains have the same mean.
        let n = (draws / 2) as f64;
        prop_assert!(r_hat(x.view()) >= ((n - 1.0) / n).sqrt() * (1.0 - 1e-12));
        let ((low, high), (from, to)) = (hdi(x.view(), 0.5), eti(x.view(), 0.5));
        prop_assert!(low < high && from < to);
        let mut sorted: Vec<f64> = x.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let inside = sorted.iter().filter(|&&v| low <= v && v <= high).count();
        prop_assert_eq!(inside, x.len() / 2 + 1);
    }
}

#[test]
fn ess_of_an_autoregression_is_known_in_closed_form() {
    // tau = 1 + 2 sum phi^t = (1 + phi)/(1 - phi), so ESS = S (1 - phi)/(1 + phi), for the mean and, the margins being
    // normal, in bulk. The squares are AR(1)-correlated with phi^2.
    // `spread` is the estimates' relative standard deviation over 100 other seeds, all three below it (their mean is
    // 0.991 to 0.999 of the exact value); four of them are allowed, which fails a right program less than once in 1000.
    for (phi, seed, spread) in [(0.0, 1, 0.017), (0.5, 2, 0.031), (0.9, 3, 0.071), (-0.4, 4, 0.033)] {
        let x = ar1(seed, 4, 10_000, phi);
        let exact = |phi: f64| 40_000.0 * (1.0 - phi) / (1.0 + phi);
        for (what, got, want) in [
            ("mean", ess_mean(x.view()), exact(phi)),
            ("bulk", ess_bulk(x.view()), exact(phi)),
            ("sd", ess_sd(x.view()), exact(phi * phi)),
        ] {
            assert!((got / want - 1.0).abs() < 4.0 * spread, "{what} at phi = {phi}: {got}, want {want}");
        }
    }
}

#[test]
fn all_chains_are_pooled() {
    // Four independent chains are worth four times one. Over 100 other seeds the ratio is 4.08 with standard deviation
    // 0.34; three of those are allowed.
    let x = ar1(7, 4, 4_000, 0.6);
    let one = ess_mean(x.slice(s![..1, ..]));
    let four = ess_mean(x.view());
    assert!((four / one - 4.0).abs() < 1.0, "{one} {four}");
    // A chain given twice counts twice, for nothing shows that it is not new; only the between-chain variance changes,
    // by its divisor. Over 100 seeds the ratio is 2.0016 with standard deviation 0.0011.
    let twice = concatenate(Axis(0), &[x.view(), x.view()]).unwrap();
    let ratio = ess_mean(twice.view()) / four;
    assert!((ratio - 2.0).abs() < 0.006, "{ratio}");
}

#[test]
fn the_standard_error_of_the_mean_is_the_spread_of_means() {
    // 400 runs of an AR(1) with phi = 0.7: the means' standard deviation is known in closed form to
    // sqrt(tau / S) (1 - O(tau/n)), and the average reported error must match it. The average of 400 reported errors
    // has a relative standard error below 1 % at these lengths; 5 % are allowed for that and the estimator's bias.
    let (draws, phi) = (500usize, 0.7f64);
    let runs = 400;
    let reported: f64 = (0..runs).map(|seed| mcse_mean(ar1(seed, 4, draws, phi).view())).sum::<f64>() / runs as f64;
    let exact = ((1.0 + phi) / (1.0 - phi) / (4.0 * draws as f64)).sqrt();
    assert!((reported / exact - 1.0).abs() < 0.05, "{reported} {exact}");
}

#[test]
fn a_drifting_chain_fails() {
    // All chains drift alike by two standard deviations: only the split of each chain shows it.
    let noise = ar1(11, 4, 1000, 0.0);
    let drifting = Array2::from_shape_fn((4, 1000), |(c, t)| noise[[c, t]] + 2.0 * t as f64 / 1000.0);
    assert!(r_hat(noise.view()) < 1.01);
    assert!(r_hat(drifting.view()) > 1.1);
    assert!(r_hat(drifting.slice(s![..1, ..])) > 1.1);
    assert!(ess_bulk(drifting.view()) < 100.0);
}

#[test]
fn a_chain_of_another_scale_fails_by_folding() {
    let mut x = ar1(12, 4, 1000, 0.0);
    x.row_mut(3).mapv_inplace(|v| 3.0 * v);
    assert!(r_hat_split(x.view()) < 1.01, "locations agree");
    assert!(r_hat(x.view()) > 1.1, "scales do not");
}

#[test]
fn infinite_variance_does_not_hide_a_shifted_chain() {
    // Cauchy chains, one shifted by four quartile distances: the plain R-hat has no variance to compare with.
    let mut random = Random(13);
    let mut x = Array2::from_shape_simple_fn((4, 1000), || (std::f64::consts::PI * (random.uniform() - 0.5)).tan());
    x.row_mut(2).mapv_inplace(|v| v + 4.0);
    assert!(r_hat(x.view()) > 1.1);
}
