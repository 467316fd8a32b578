//! Distribution and quantile functions of every distribution that has them, against its density and each other.

mod dist_common;

use dist_common::{build, each, evaluate, is_continuous};
use ppl_autodiff::{Shape, Var, gradient};
use ppl_core::Support;
use ppl_core::dist::{Delta, Distribution, Flat, Form, HalfFlat};

const PROBABILITIES: [f64; 9] = [1e-6, 0.003, 0.1, 0.3, 0.5, 0.62, 0.9, 0.99, 0.999];

/// What `f` makes of each of `x`, if anything.
fn map(form: &Form, parameters: &[f64], x: &[f64], f: fn(&dyn Distribution, Var) -> Option<Var>) -> Option<Vec<f64>> {
    let mut known = true;
    let out = evaluate(x, || {
        let x = Var::input(0, [x.len()]);
        let y = f(&*build(form, parameters), x);
        known = y.is_some();
        vec![y.unwrap_or(x)]
    });
    known.then(|| out[0].clone())
}

/// Points in the body of a law: its quantiles, or else draws.
fn points(form: &Form, parameters: &[f64]) -> Vec<f64> {
    map(form, parameters, &PROBABILITIES, |d, p| d.icdf(p)).unwrap_or_else(|| {
        let draws = evaluate(&[], || vec![build(form, parameters).draw(&Shape::from([8]))]);
        draws[0].clone()
    })
}

/// The derivative of the distribution function is the density: to 1e-7, since near 1 the function has few digits to
/// offer but its derivative all, and a difference of two terms (as in an exponentially modified normal) loses some.
#[test]
fn distribution_functions_have_the_density_as_slope() {
    let mut checked = 0;
    each(|what, form, parameters| {
        if !is_continuous(form, parameters) {
            return;
        }
        let x = points(form, parameters);
        let slope = |d: &dyn Distribution, x: Var| Some(gradient(d.cdf(x)?.sum(), &[x])[0]);
        let Some(slopes) = map(form, parameters, &x, slope) else {
            return;
        };
        let density = map(form, parameters, &x, |d, x| Some(d.log_prob(x).exp())).unwrap();
        for ((x, got), want) in x.iter().zip(&slopes).zip(&density) {
            assert!((got - want).abs() <= 1e-7 * want, "{what}: slope {got} at {x}, density {want}");
        }
        checked += 1;
    });
    assert!(checked >= 50, "{checked}");
}

/// From one integer to the next the distribution function rises by the mass, from below 0 by that at 0; in logarithms too.
/// To 1e-12 of what is there to rise.
#[test]
fn distribution_functions_of_counts_rise_by_the_masses() {
    let mut checked = 0;
    each(|what, form, parameters| {
        if is_continuous(form, parameters) {
            return;
        }
        let k: Vec<f64> = (-1..60).map(f64::from).collect();
        let Some(cdf) = map(form, parameters, &k, |d, k| d.cdf(k)) else {
            return;
        };
        let log_cdf = map(form, parameters, &k, |d, k| d.log_cdf(k)).unwrap();
        let log_sf = map(form, parameters, &k, |d, k| d.log_sf(k)).unwrap();
        let masses = map(form, parameters, &k, |d, k| Some(d.log_prob(k).exp())).unwrap();
        let between = map(form, parameters, &k, |d, k| d.cdf(k + 0.5)).unwrap();
        assert_eq!(cdf[0], 0.0, "{what}");
        for i in 1..k.len() {
            let (rise, mass) = (cdf[i] - cdf[i - 1], masses[i]);
            assert!((rise - mass).abs() <= 1e-12 * cdf[i], "{what}: {rise} at {}, mass {mass}", k[i]);
            assert!((log_cdf[i].exp() - cdf[i]).abs() <= 1e-12 * cdf[i], "{what}: {} at {}", log_cdf[i], k[i]);
            assert!((log_sf[i].exp() - (1.0 - cdf[i])).abs() <= 1e-12, "{what}: {} at {}", log_sf[i], k[i]);
            assert!((between[i] - cdf[i]).abs() <= 1e-15, "{what} between {} and the next", k[i]);
        }
        checked += 1;
    });
    assert!(checked >= 20, "{checked}");
}

/// The logarithms of both tails are those of the distribution function, where that has digits, and have the slopes
/// `+-p / tail` everywhere: 1e-8, as above.
#[test]
fn logarithms_of_tails_agree_with_distribution_functions() {
    let mut checked = 0;
    each(|what, form, parameters| {
        if !is_continuous(form, parameters) {
            return;
        }
        let x = points(form, parameters);
        let Some(cdf) = map(form, parameters, &x, |d, x| d.cdf(x)) else {
            return;
        };
        type Log = fn(&dyn Distribution, Var) -> Option<Var>;
        let tails: [(Log, f64); 2] = [(|d, x| d.log_cdf(x), 1.0), (|d, x| d.log_sf(x), -1.0)];
        let density = map(form, parameters, &x, |d, x| Some(d.log_prob(x))).unwrap();
        for (log, sign) in tails {
            let value = map(form, parameters, &x, log).unwrap();
            let mut known = vec![];
            for (i, v) in value.iter().enumerate() {
                let plain = if sign > 0.0 { cdf[i] } else { 1.0 - cdf[i] };
                assert!((v.exp() - plain).abs() < 1e-11 * plain + 1e-14, "{what} at {}: {v} of {plain}", x[i]);
                known.push(sign * (density[i] - v).exp());
            }
            let slopes = match sign > 0.0 {
                true => map(form, parameters, &x, |d, x| Some(gradient(d.log_cdf(x)?.sum(), &[x])[0])),
                false => map(form, parameters, &x, |d, x| Some(gradient(d.log_sf(x)?.sum(), &[x])[0])),
            };
            for ((got, want), x) in slopes.unwrap().iter().zip(&known).zip(&x) {
                assert!((got - want).abs() <= 1e-7 * want.abs(), "{what} at {x}: slope {got}, not {want}");
            }
        }
        checked += 1;
    });
    assert!(checked >= 60, "{checked}");
}

/// 0 and 1 at the ends, also beyond them.
#[test]
fn distribution_functions_go_from_0_to_1() {
    each(|what, form, parameters| {
        let Some(out) = map(form, parameters, &[-1e300, 1e300], |d, x| d.cdf(x)) else {
            return;
        };
        assert!(out[0].abs() < 1e-12 && (out[1] - 1.0).abs() < 1e-12, "{what}: {out:?}");
    });
}

/// To 1e-9 of the smaller tail, and 64 times what a rounding of the quantile makes of it: near a bound far from 0 that
/// is more.
#[test]
fn quantiles_are_the_inverse_of_distribution_functions() {
    let mut checked = 0;
    each(|what, form, parameters| {
        let Some(x) = map(form, parameters, &PROBABILITIES, |d, p| d.icdf(p)) else {
            return;
        };
        if !is_continuous(form, parameters) {
            // The smallest integer that reaches the probability.
            let at = map(form, parameters, &x, |d, x| d.cdf(x)).unwrap();
            let before = map(form, parameters, &x, |d, x| d.cdf(x - 1.0)).unwrap();
            for (i, p) in PROBABILITIES.into_iter().enumerate() {
                assert!(before[i] < p + 1e-12 && p <= at[i] + 1e-12, "{what}: {} for {p}", x[i]);
            }
            return;
        }
        let Some(back) = map(form, parameters, &x, |d, x| d.cdf(x)) else {
            return;
        };
        let density = map(form, parameters, &x, |d, x| Some(d.log_prob(x).exp())).unwrap();
        for (i, want) in PROBABILITIES.into_iter().enumerate() {
            let rounding = 64.0 * f64::EPSILON * x[i].abs() * density[i];
            let (got, allowed) = (back[i], 1e-9 * want.min(1.0 - want) + rounding);
            assert!((got - want).abs() <= allowed, "{what}: {got} instead of {want}");
        }
        checked += 1;
    });
    assert!(checked >= 40, "{checked}");
}

/// Between two quantiles lies their difference of mass: Simpson's rule with 4000 steps, which at a kink of the density
/// errs by less than 1e-6.
#[test]
fn quantiles_enclose_the_mass_of_the_density() {
    const STEPS: usize = 4000;
    let probabilities = [0.1, 0.3, 0.5, 0.7, 0.9];
    let mut checked = 0;
    each(|what, form, parameters| {
        if !is_continuous(form, parameters) {
            return;
        }
        let Some(ends) = map(form, parameters, &probabilities, |d, p| d.icdf(p)) else {
            return;
        };
        for (i, pair) in ends.windows(2).enumerate() {
            let h = (pair[1] - pair[0]) / STEPS as f64;
            let x: Vec<f64> = (0..=STEPS).map(|j| pair[0] + j as f64 * h).collect();
            let density = map(form, parameters, &x, |d, x| Some(d.log_prob(x).exp())).unwrap();
            let weight = |j: usize| if j == 0 || j == STEPS { 1.0 } else { 2.0 + 2.0 * (j % 2) as f64 };
            let mass: f64 = density.iter().enumerate().map(|(j, p)| weight(j) * p * h / 3.0).sum();
            let want = probabilities[i + 1] - probabilities[i];
            assert!((mass - want).abs() < 1e-6, "{what}: {mass} between quantiles, not {want}");
        }
        checked += 1;
    });
    assert!(checked >= 45, "{checked}");
}

/// Far out in a tail quantiles and draws still lie within the bounds and are told apart. Reference: the mean excess of
/// the normal law beyond a is `1/a - 2/a^3 + ..`, here 0.024_98 at a = 40 (Mills' ratio).
#[test]
fn truncated_tails_are_drawn_exactly() {
    use ppl_core::dist::TruncatedNormal;
    let n = 4000;
    let out = evaluate(&[], || vec![TruncatedNormal::left(0.0, 1.0, 40.0).draw(&Shape::from([n]))]);
    assert!(out[0].iter().all(|&x| x > 40.0));
    let mean = out[0].iter().map(|x| x - 40.0).sum::<f64>() / n as f64;
    // An exponential law with mean 1/40 in the limit: the standard error is 0.0004; 5.2 of them.
    assert!((mean - 0.024_97).abs() < 5.2 * 0.0004, "{mean}");
}

#[test]
fn laws_without_density_or_mass_are_what_they_say() {
    let inf = f64::INFINITY;
    let out = evaluate(&[1.5, 2.0, -1.0, inf], || {
        let x = Var::input(0, [4]);
        let flat = Flat.log_prob(x);
        let delta = Delta::new(2.0);
        assert!(delta.support().transform().is_none());
        assert!(matches!(HalfFlat.support(), Support::Positive));
        let slope = gradient(HalfFlat.log_prob(x).max(-9.0).sum(), &[x])[0];
        vec![
            flat,
            HalfFlat.log_prob(x),
            delta.log_prob(x),
            delta.draw(&Shape::from([2])),
            delta.support().contains(x),
            delta.cdf(x).unwrap_or(x),
            slope,
            Flat.draw(&Shape::from([1])),
        ]
    });
    assert_eq!(out[0], [0.0, 0.0, 0.0, -inf]);
    assert_eq!(out[1], [0.0, 0.0, -inf, -inf]);
    assert_eq!(out[2], [-inf, 0.0, -inf, -inf]);
    assert_eq!(out[3], [2.0, 2.0]);
    assert_eq!(out[4], [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(out[5], [0.0, 1.0, 0.0, 1.0]);
    assert_eq!(out[6], [0.0; 4]);
    assert!(out[7][0].is_nan());
}
