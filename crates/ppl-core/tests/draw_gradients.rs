//! Draws move with their parameters: pathwise derivatives of expectations against those of exact moments.
//!
//! Each comparison of a mean of 20,000 pathwise derivatives with its expectation may fail by chance for one key in 10^7.

mod dist_common;

use dist_common::evaluate;
use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var, gradient};
use ppl_core::dist::*;
use ppl_core::special::gamma_inc;

const DRAWS: usize = 20_000;
/// The normal quantile of 1 - 1e-7 (one-sided).
const QUANTILE: f64 = 5.2;

/// The mean of the derivatives of `f(draw)` by the parameter, at `at`, against the derivative `want` of the exact moment
/// by central differences.
fn check(what: &str, at: f64, f: impl Fn(Var) -> Var, moment: impl Fn(f64) -> f64) {
    let slopes = evaluate(&vec![at; DRAWS], || {
        let parameter = Var::input(0, [DRAWS]);
        vec![gradient(f(parameter).sum(), &[parameter])[0]]
    });
    let h = 1e-4 * at;
    let want = (moment(at - 2.0 * h) - 8.0 * moment(at - h) + 8.0 * moment(at + h) - moment(at + 2.0 * h)) / (12.0 * h);
    let n = DRAWS as f64;
    let mean = slopes[0].iter().sum::<f64>() / n;
    let variance = slopes[0].iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n;
    let z = (mean - want) / (variance / n).sqrt();
    // A derivative that is the same for all draws has no error to speak of.
    assert!(z.abs() < QUANTILE || (mean - want).abs() < 1e-9 * want.abs(), "{what} at {at}: {mean}, not {want}: {z}");
}

fn draws(d: &dyn Distribution) -> Var {
    d.draw(&Shape::from([DRAWS]))
}

#[test]
fn pathwise_derivatives_have_the_mean_of_exact_ones() {
    for a in [0.05, 0.7, 3.0, 40.0, 5000.0] {
        check("E x, Gamma", a, |a| draws(&Gamma::new(a, 2.0)), |a| a / 2.0);
        check("E x^2, Gamma", a, |a| draws(&Gamma::new(a, 1.0)).square(), |a| a * (a + 1.0));
        check("E x, Beta", a, |a| draws(&Beta::new(a, 2.5)), |a| a / (a + 2.5));
        check("E 1 - x, Beta", a, |b| 1.0 - draws(&Beta::new(1.2, b)), |b| b / (1.2 + b));
    }
    check("E x, InverseGamma", 9.0, |a| draws(&InverseGamma::new(a, 2.0)), |a| 2.0 / (a - 1.0));
    check("E x^2, StudentT", 20.0, |v| draws(&StudentT::new(v, 0.0, 1.0)).square(), |v| v / (v - 2.0));
    check("E x, Chi2", 3.0, |v| draws(&Chi2::new(v)), |v| v);
    check(
        "E x0, Dirichlet",
        0.8,
        |a| {
            let concentration = Var::from([1.0, 0.0, 0.0]) * a.expand_dims(-1) + Var::from([0.0, 2.0, 0.3]);
            draws(&Dirichlet::new(concentration)).index(-1, 0)
        },
        |a| a / (a + 2.3),
    );
}

/// `E cos x = I1(k) / I0(k)`, whose derivative is `1 - A / k - A^2`.
#[test]
fn von_mises_draws_turn_with_the_concentration() {
    let ratio = |k: f64| {
        let out = evaluate(&[k], || {
            let k = Var::input(0, ());
            vec![k.i1e() / k.i0e()]
        });
        out[0][0]
    };
    for k in [0.05, 0.8, 4.0, 60.0, 3e3] {
        check("E cos x, von Mises", k, |k| draws(&VonMises::new(0.0, k)).cos(), ratio);
    }
}

/// At every draw, `dP/da + dP/dx dx/da = 0`: the place in the law stays.
#[test]
fn gamma_draws_keep_their_probability() {
    for a in [1e-3, 0.4, 1.0, 3.9, 4.1, 80.0, 1e5] {
        let out = evaluate(&[a; 500], || {
            let a = Var::input(0, [500]);
            let z = Var::random(Law::LogGamma, [500], &[a]);
            let probability = gamma_inc(a, z.exp());
            let (moving, still) = (gradient(probability.sum(), &[a])[0], gamma_inc(a, z.exp().detach()));
            vec![moving, gradient(still.sum(), &[a])[0], z]
        });
        // Where x is subnormal, its logarithm has no digits to move.
        let normal = |((_, _), z): &((&f64, &f64), &f64)| **z > -600.0;
        for ((total, partial), z) in out[0].iter().zip(&out[1]).zip(&out[2]).filter(normal) {
            assert!(total.abs() <= 1e-10 * partial.abs() + 1e-13, "{a}: {total} of {partial} at ln x = {z}");
        }
    }
}
