//! The laws of random nodes: distribution, moments, and what a draw is a function of.
//!
//! Seeds are fixed, so a test passes or fails for good; each would reject a right sampler with the probability that it
//! states.

use ppl_autodiff::ops::Law;
use ppl_autodiff::random::{Key, Purpose};
use ppl_autodiff::{Program, Real, Tensor, Var, scope, trace};

const N: usize = 20_000;

fn key(draw: u32) -> Key {
    Key::new(2024, Purpose::PriorPredictive, 0, draw)
}

/// Draws with the given parameters, which broadcast to `n` elements.
fn draw<T: Real>(law: Law, n: usize, parameters: &[Tensor], key: Key) -> Vec<T> {
    let (y, traced) = trace(|| {
        let parameters: Vec<Var> = parameters.iter().map(Var::from).collect();
        Var::random(law, n, &parameters)
    })
    .unwrap();
    let program = Program::<T>::compile(traced.tape(), &[&[y]]);
    let mut out = vec![T::ZERO; n];
    program.run(&mut program.workspace(), &[], &mut [&mut out], &key);
    out
}

fn parameters(values: &[f64]) -> Vec<Tensor> {
    values.iter().map(|&v| Tensor::from(v)).collect()
}

/// Kolmogorov's statistic `sqrt(n) sup |F_n - F|`; a right sampler exceeds 1.95 once in 1000.
fn kolmogorov(mut x: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    x.sort_by(f64::total_cmp);
    let n = x.len() as f64;
    let gap = |(i, &x): (usize, &f64)| {
        let f = cdf(x);
        (f - i as f64 / n).abs().max((f - (i + 1) as f64 / n).abs())
    };
    x.iter().enumerate().map(gap).fold(0.0, f64::max) * n.sqrt()
}

/// Mean and variance within 4 standard errors (6e-5 each), given the fourth central moment.
fn check_moments(what: &str, x: &[f64], mean: f64, variance: f64, fourth: f64) {
    let n = x.len() as f64;
    let m = x.iter().sum::<f64>() / n;
    let v = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    assert!((m - mean).abs() < 4.0 * (variance / n).sqrt(), "{what}: mean {m}, not {mean}");
    let sd = ((fourth - variance * variance) / n).sqrt();
    assert!((v - variance).abs() < 4.0 * sd, "{what}: variance {v}, not {variance}");
}

#[test]
fn continuous_laws_have_their_distribution_functions() {
    let normal = |x: f64| 0.5 * (-x / 2f64.sqrt()).k_erfc();
    let exponential = |x: f64| -(-x).exp_m1();
    for k in 0..3 {
        assert!(kolmogorov(draw(Law::Uniform, N, &[], key(k)), |x| x) < 1.95);
        assert!(kolmogorov(draw(Law::Normal, N, &[], key(k)), normal) < 1.95);
        assert!(kolmogorov(draw(Law::Exponential, N, &[], key(k)), exponential) < 1.95);
        // Single precision has the same draws, rounded.
        let single: Vec<f32> = draw(Law::Normal, N, &[], key(k));
        let double: Vec<f64> = draw(Law::Normal, N, &[], key(k));
        assert!(single.iter().zip(&double).all(|(a, &b)| *a == b as f32));
    }
    // ln Gamma(a): closed forms for a = 1/2, 1 and 3.
    type Cdf = fn(f64) -> f64;
    let gamma: [(f64, Cdf); 3] =
        [(0.5, |x| x.sqrt().k_erf()), (1.0, |x| -(-x).exp_m1()), (3.0, |x| 1.0 - (-x).exp() * (1.0 + x + x * x / 2.0))];
    for (a, cdf) in gamma {
        let x = draw(Law::LogGamma, N, &parameters(&[a]), key(1));
        let statistic = kolmogorov(x, |y: f64| cdf(y.exp()));
        assert!(statistic < 1.95, "LogGamma({a}): {statistic}");
    }
}

#[test]
fn continuous_laws_have_their_moments() {
    let x = draw(Law::Uniform, N, &[], key(9));
    check_moments("uniform", &x, 0.5, 1.0 / 12.0, 1.0 / 80.0);
    check_moments("normal", &draw(Law::Normal, N, &[], key(9)), 0.0, 1.0, 3.0);
    check_moments("exponential", &draw(Law::Exponential, N, &[], key(9)), 1.0, 1.0, 9.0);
    // The cumulants of ln Gamma(a) are polygamma functions: psi, psi', and psi''' = 6 sum (a + k)^-4, so the fourth
    // central moment is psi''' + 3 psi'^2. At a = 1/1000 draws are near -1000 and none underflows.
    for a in [0.001, 0.3, 1.0, 2.5, 40.0] {
        let x: Vec<f64> = draw(Law::LogGamma, N, &parameters(&[a]), key(10));
        let tail = 1e4 + a;
        let third = 6.0 * (0..10_000).map(|k| (a + f64::from(k)).powi(-4)).sum::<f64>() + 2.0 * tail.powi(-3);
        let variance = a.k_trigamma();
        check_moments("log gamma", &x, a.k_digamma(), variance, third + 3.0 * variance * variance);
        assert!(x.iter().all(|x| x.is_finite()));
    }
}

/// Pearson's statistic against a probability function, cells with fewer than 10 expected draws pooled; compared with
/// the 99.9 % point of the chi-square law by Wilson and Hilferty (1931).
fn check_counts(what: &str, x: &[f64], probability: impl Fn(f64) -> f64, largest: usize) {
    let mut counts = vec![0usize; largest + 1];
    for &x in x {
        assert!(x >= 0.0 && x.fract() == 0.0, "{what}: {x}");
        counts[(x as usize).min(largest)] += 1;
    }
    let n = x.len() as f64;
    let (mut statistic, mut cells) = (0.0, 0.0);
    let (mut want, mut got, mut seen) = (0.0, 0.0, 0.0);
    for (k, &count) in counts.iter().enumerate() {
        let p = if k == largest { 1.0 - seen } else { probability(k as f64) };
        seen += p;
        want += p * n;
        got += count as f64;
        let rest = (1.0 - seen) * n;
        if want >= 10.0 && (rest >= 10.0 || k == largest) {
            statistic += (got - want) * (got - want) / want;
            cells += 1.0;
            (want, got) = (0.0, 0.0);
        }
    }
    if want >= 1.0 {
        statistic += (got - want) * (got - want) / want;
        cells += 1.0;
    }
    let degrees: f64 = cells - 1.0;
    let w = 2.0 / (9.0 * degrees);
    let critical = degrees * (1.0 - w + 3.09 * w.sqrt()).powi(3);
    assert!(cells > 2.0 && statistic < critical, "{what}: {statistic} of {critical}, {cells} cells");
}

#[test]
fn discrete_laws_have_their_probabilities() {
    for rate in [0.3f64, 4.0, 11.9, 50.0, 1000.0] {
        let x: Vec<f64> = draw(Law::Poisson, N, &parameters(&[rate]), key(3));
        let p = |k: f64| (k * rate.ln() - rate - (k + 1.0).k_lgamma()).exp();
        check_counts(&format!("Poisson({rate})"), &x, p, (rate + 8.0 * rate.sqrt() + 5.0) as usize);
        check_moments("Poisson", &x, rate, rate, rate * (1.0 + 3.0 * rate));
    }
    for (n, p) in [(1.0, 0.3), (10.0, 0.3), (100.0, 0.5), (1000.0, 0.02), (500.0, 0.93)] {
        let x: Vec<f64> = draw(Law::Binomial, N, &parameters(&[n, p]), key(4));
        let v: f64 = n * p * (1.0 - p);
        check_moments("Binomial", &x, n * p, v, v * (1.0 + 3.0 * (n - 2.0) * p * (1.0 - p)));
        let choose = |k: f64| (n + 1.0f64).k_lgamma() - (k + 1.0).k_lgamma() - (n - k + 1.0).k_lgamma();
        let probability = |k: f64| (choose(k) + k * p.ln() + (n - k) * (1.0 - p).ln()).exp();
        if n > 1.0 {
            check_counts(&format!("Binomial({n}, {p})"), &x, probability, n as usize);
        }
    }
}

#[test]
fn degenerate_parameters_give_the_one_possible_number() {
    let of = |law, p: &[f64]| draw::<f64>(law, 3, &parameters(p), key(0));
    assert_eq!(of(Law::Poisson, &[0.0]), [0.0; 3]);
    assert_eq!(of(Law::Binomial, &[0.0, 0.4]), [0.0; 3]);
    assert_eq!(of(Law::Binomial, &[7.0, 0.0]), [0.0; 3]);
    assert_eq!(of(Law::Binomial, &[7.0, 1.0]), [7.0; 3]);
}

#[test]
fn parameters_outside_a_laws_range_give_nan() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let wrong = [
        (Law::LogGamma, vec![0.0]),
        (Law::LogGamma, vec![-0.5]),
        (Law::LogGamma, vec![-1.5]),
        (Law::LogGamma, vec![inf]),
        (Law::LogGamma, vec![nan]),
        (Law::Poisson, vec![-1.0]),
        (Law::Poisson, vec![inf]),
        (Law::Poisson, vec![nan]),
        (Law::Binomial, vec![-1.0, 0.5]),
        (Law::Binomial, vec![1.5, 0.5]),
        (Law::Binomial, vec![nan, 0.5]),
        (Law::Binomial, vec![inf, 0.5]),
        (Law::Binomial, vec![1e300, 0.5]),
        (Law::Binomial, vec![3.0, -0.1]),
        (Law::Binomial, vec![3.0, 1.1]),
        (Law::Binomial, vec![3.0, nan]),
    ];
    for (law, p) in wrong {
        let x: Vec<f64> = draw(law, 4, &parameters(&p), key(0));
        assert!(x.iter().all(|x| x.is_nan()), "{law:?} {p:?}: {x:?}");
    }
}

#[test]
fn the_same_key_gives_the_same_numbers_and_another_key_others() {
    for &law in Law::ALL {
        let p = parameters(&[40.0, 0.4][..law.parameters()]);
        let of = |key| draw::<f64>(law, 64, &p, key);
        let base = of(key(0));
        assert_eq!(base, of(key(0)), "{law:?}");
        for other in [
            key(1),
            Key::new(2024, Purpose::PriorPredictive, 1, 0),
            Key::new(2025, Purpose::PriorPredictive, 0, 0),
            Key::new(2024, Purpose::PosteriorPredictive, 0, 0),
        ] {
            let other = of(other);
            // Discrete draws may agree here and there: with these parameters about one in ten.
            let equal = base.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!(equal < if law.parameters() > 0 { 24 } else { 1 }, "{law:?}: {equal} equal");
        }
    }
}

#[test]
fn an_elements_draw_does_not_depend_on_its_neighbours() {
    for &law in Law::ALL {
        // The same element of a longer array.
        let p = parameters(&[7.0, 0.4][..law.parameters()]);
        let (short, long) = (draw::<f64>(law, 5, &p, key(2)), draw::<f64>(law, 64, &p, key(2)));
        assert_eq!(short, long[..5], "{law:?}");
        if law.parameters() == 0 {
            continue;
        }
        // Neighbours with other parameters, which reject more or less often, or NaN.
        let others = [0.2, 7.0, 500.0, f64::NAN, 7.0];
        let mut p = p;
        p[0] = Tensor::from(others.map(|x| if law == Law::Binomial { x * 10.0 } else { x }));
        let mixed = draw::<f64>(law, 5, &p, key(2));
        let mut alone = p.clone();
        for (e, mixed) in mixed.iter().enumerate() {
            alone[0] = Tensor::from(p[0].data()[e]);
            let same = draw::<f64>(law, 5, &alone, key(2))[e];
            assert!(same == *mixed || (same.is_nan() && mixed.is_nan()), "{law:?} {e}");
        }
    }
}

/// Streams belong to sites by name: a model with one more site draws the others as before, and two nodes of one site
/// differ.
#[test]
fn streams_belong_to_sites() {
    let of = |sites: &[&str]| {
        let (draws, traced) = trace(|| -> Vec<Var> {
            let normal = || Var::random(Law::Normal, [4], &[]);
            sites.iter().map(|site| scope(site, normal)).collect()
        })
        .unwrap();
        let program = Program::<f64>::compile(traced.tape(), &[&draws]);
        let mut out = vec![0.0; 4 * sites.len()];
        program.evaluate(&mut program.workspace(), &[], &mut [&mut out]);
        out.chunks(4).map(<[f64]>::to_vec).collect::<Vec<_>>()
    };
    let (short, long) = (of(&["a", "b", "b"]), of(&["new", "b", "a", "b"]));
    assert_eq!(short[0], long[2]);
    assert_eq!(short[1..3], [long[1].clone(), long[3].clone()]);
    assert_ne!(short[1], short[2]);
    assert_ne!(short[0], short[1]);
}

/// No derivative flows through a draw, whatever its parameters.
#[test]
fn draws_are_constants_for_derivatives() {
    let (_, g) = ppl_autodiff::value_and_grad(
        |x: Var| (Var::random(Law::Poisson, [3], &[x.exp()]) * x).sum(),
        &ndarray::array![3.0, 4.0, 2.0],
    )
    .unwrap();
    let x = [3.0f64, 4.0, 2.0].map(f64::exp);
    let want = draw::<f64>(Law::Poisson, 3, &[Tensor::from(x)], Key::default());
    assert_eq!(g.as_slice().unwrap(), want);
}
