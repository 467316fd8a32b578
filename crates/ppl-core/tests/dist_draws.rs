//! Draws and densities of every distribution of the catalogue agree: masses sum to 1, moments are as stated, draws pass
//! tests of fit.
//!
//! Draws come from a fixed key. Each comparison of draws with a law may fail by chance for one key in 10^7; there are
//! about 100 of them, so that the file as a whole has an error rate of about 10^-5.

mod dist_common;

use std::f64::consts::FRAC_PI_2;

use dist_common::{build, each, evaluate, is_continuous, some_points};
use ppl_autodiff::{Shape, Var, trace};
use ppl_core::Support;
use ppl_core::dist::*;

/// Draws of each distribution.
const DRAWS: usize = 4000;
/// The normal quantile of 1 - 1e-7 (one-sided).
const QUANTILE: f64 = 5.2;

/// Points and weights of quadrature over the unconstrained axis: the trapezoidal rule, for a single axis after
/// `u = sinh(pi/2 sinh t)` (Takahasi and Mori 1974), which reaches far into the tails.
fn axis(dimensions: usize, real: bool) -> Vec<(f64, f64)> {
    let uniform = |reach: f64, n: usize| {
        let h = 2.0 * reach / n as f64;
        (0..=n).map(move |i| (i as f64 * h - reach, h))
    };
    match dimensions {
        1 => {
            let reach = if real { 1e15f64 } else { 700.0 };
            let t = (reach.asinh() / FRAC_PI_2).asinh();
            uniform(t, 8000)
                .map(|(t, h)| {
                    let s = FRAC_PI_2 * t.sinh();
                    (s.sinh(), h * FRAC_PI_2 * t.cosh() * s.cosh())
                })
                .collect()
        }
        2 => uniform(40.0, 400).collect(),
        _ => uniform(12.0, 80).collect(),
    }
}

/// As `axis` for a density with a kink, from there to both sides: `u = kink +- exp(pi/2 sinh t)`.
fn axis_with_kink(kink: f64, real: bool) -> Vec<(f64, f64)> {
    const HALF: i32 = 4000;
    let reach = if real { 1e15f64 } else { 700.0 };
    let end = |distance: f64| (distance.ln() / FRAC_PI_2).asinh();
    let (low, high) = (end(1e-18), end(reach));
    let h = (high - low) / f64::from(HALF);
    let right: Vec<(f64, f64)> = (0..=HALF)
        .map(|i| {
            let t = low + h * f64::from(i);
            let distance = (FRAC_PI_2 * t.sinh()).exp();
            (distance, h * FRAC_PI_2 * t.cosh() * distance)
        })
        .collect();
    let left = right.iter().rev().map(|&(distance, weight)| (kink - distance, weight));
    left.chain(right.iter().map(|&(distance, weight)| (kink + distance, weight))).collect()
}

/// A law in unconstrained coordinates, on a grid: points `[n, dimensions]`, elements of the event, probabilities.
struct Grid {
    dimensions: usize,
    axis: Vec<(f64, f64)>,
    points: Vec<f64>,
    values: Vec<f64>,
    masses: Vec<f64>,
}

fn grid(form: &Form, parameters: &[f64]) -> Grid {
    let ((dimensions, real, kink), _) = trace(|| {
        let d = build(form, parameters);
        let transform = d.support().transform().unwrap();
        let real = matches!(d.support(), Support::Real);
        let kink = match d.name() {
            "Laplace" | "AsymmetricLaplace" => Some(parameters[0]),
            "Triangular" => Some(((parameters[1] - parameters[0]) / (parameters[2] - parameters[1])).ln()),
            _ => None,
        };
        (transform.unconstrained_shape(&d.event_shape()).size(), real, kink.filter(|u| u.is_finite()))
    })
    .unwrap();
    let axis = match kink {
        Some(kink) => axis_with_kink(kink, real),
        None => axis(dimensions, real),
    };
    let n = axis.len().pow(dimensions as u32);
    let place = |i: usize, j: usize| i / axis.len().pow(j as u32) % axis.len();
    let points: Vec<f64> = (0..n * dimensions).map(|at| axis[place(at / dimensions, at % dimensions)].0).collect();
    let mut out = evaluate(&points, || {
        let d = build(form, parameters);
        let transform = d.support().transform().unwrap();
        let batch = Shape::from([n]);
        let u = Var::input(0, batch.join(&transform.unconstrained_shape(&d.event_shape())));
        let x = transform.forward(u);
        let log_det = transform.log_det(u, x);
        let log_det = (transform.event_rank()..d.event_shape().rank()).fold(log_det, |sum, _| sum.sum_axis(-1));
        vec![d.log_prob(x) + log_det, x]
    });
    let values = out.remove(1);
    let mass = |(i, log): (usize, &f64)| {
        let weight: f64 = (0..dimensions).map(|j| axis[place(i, j)].1).product();
        log.exp() * weight
    };
    let masses = out[0].iter().enumerate().map(mass).collect();
    Grid { dimensions, axis, points, values, masses }
}

/// The outcomes of a discrete law, as far as they matter, and their masses.
fn masses(form: &Form, parameters: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (support, event) = trace(|| {
        let d = build(form, parameters);
        (matches!(d.support(), Support::Counts { .. }), d.event_shape())
    })
    .unwrap()
    .0;
    let high = evaluate(&[], || {
        let d = build(form, parameters);
        vec![match d.support() {
            Support::Boolean => Var::from(1.0),
            Support::IntegerInterval { high, .. } if high.as_constant().is_some_and(|h| h.data()[0].is_finite()) => {
                high
            }
            Support::Counts { total } => total,
            // The masses beyond are below 1e-11: tails are exponential or lighter.
            _ => match d.mean() {
                Some(mean) => mean + d.variance().unwrap().sqrt() * 40.0 + 60.0,
                None => d.icdf(Var::from(1.0 - 1e-12)).unwrap() + 1.0,
            },
        }]
    })[0][0] as usize;
    let outcomes: Vec<f64> = if support {
        let vectors = (0..(high + 1).pow(event[0] as u32)).map(|code| {
            let digit = |i: usize| code / (high + 1).pow(i as u32) % (high + 1);
            (0..event[0]).map(digit).collect::<Vec<usize>>()
        });
        vectors.filter(|v| v.iter().sum::<usize>() == high).flatten().map(|k| k as f64).collect()
    } else {
        (0..=high).map(|k| k as f64).collect()
    };
    let shape = Shape::from([outcomes.len() / event.size()]).join(&event);
    let log = evaluate(&[], || vec![build(form, parameters).log_prob(Var::from(&outcomes).reshape(&shape))]);
    (outcomes, log[0].iter().map(|l| l.exp()).collect())
}

/// `mean()` and `variance()`, if there are any, as arrays of the event.
fn moments(form: &Form, parameters: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let built = trace(|| {
        let d = build(form, parameters);
        d.mean().is_some() && d.variance().is_some()
    });
    built.unwrap().0.then(|| {
        let out = evaluate(&[], || {
            let d = build(form, parameters);
            vec![d.mean().unwrap(), d.variance().unwrap()]
        });
        (out[0].clone(), out[1].clone())
    })
}

/// Means and variances by weights; the values may be infinite where the mass is 0.
fn weighted(values: &[f64], masses: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let length = values.len() / masses.len();
    let sum = |f: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
        (0..length)
            .map(|j| {
                let terms = masses.iter().enumerate().filter(|(_, m)| **m > 0.0);
                terms.map(|(i, m)| m * f(j, values[i * length + j])).sum()
            })
            .collect()
    };
    let mean = sum(&|_, x| x);
    let variance = sum(&|j, x| (x - mean[j]).powi(2));
    (mean, variance)
}

/// Three coordinates of which some reach far and others are narrow; a test of their own looks at them.
fn escapes_the_grid(what: &str) -> bool {
    ["Wishart", "InverseWishart", "LKJCov"].iter().any(|name| what.starts_with(name))
}

/// Is an error above what is allowed, or not a number?
fn is_off(error: f64, allowed: f64) -> bool {
    error.is_nan() || error.abs() > allowed
}

/// The quadrature errs by less than 1e-9 (one axis) or 1e-6 (several).
#[test]
fn densities_integrate_to_one_and_have_the_stated_moments() {
    let (mut checked, mut wrong) = (0, Vec::new());
    each(|what, form, parameters| {
        if escapes_the_grid(what) {
            return;
        }
        let (values, masses, tolerance) = if is_continuous(form, parameters) {
            let grid = grid(form, parameters);
            let tolerance = if grid.dimensions == 1 { 1e-9 } else { 1e-6 };
            (grid.values, grid.masses, tolerance)
        } else {
            let (outcomes, masses) = masses(form, parameters);
            (outcomes, masses, 1e-9)
        };
        let total: f64 = masses.iter().sum();
        if is_off(total - 1.0, tolerance) {
            wrong.push(format!("{what}: total mass {total}"));
        }
        let Some((mean, variance)) = moments(form, parameters) else {
            return;
        };
        let (want_mean, want_variance) = weighted(&values, &masses);
        assert_eq!((mean.len(), variance.len()), (want_mean.len(), want_mean.len()));
        for j in 0..mean.len() {
            let scale = want_variance[j].sqrt() + want_mean[j].abs();
            let (got, want) = (mean[j], want_mean[j]);
            if is_off(got - want, 10.0 * tolerance * scale) {
                wrong.push(format!("{what}: mean {got}, not {want}"));
            }
            let (got, want) = (variance[j], want_variance[j]);
            // The tails of Student's t with few degrees of freedom end where the grid does.
            if is_off(got - want, 100.0 * tolerance * want) {
                wrong.push(format!("{what}: variance {got}, not {want}"));
            }
            checked += 1;
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 60, "{checked}");
}

/// `sum m f(x)` over a law on its grid or its outcomes, with `f(x)` as `evaluate` gives it for all elements of an event.
fn expectation(form: &Form, parameters: &[f64], f: impl FnOnce(Var) -> Var) -> f64 {
    let (values, masses) = match is_continuous(form, parameters) {
        true => {
            let grid = grid(form, parameters);
            (grid.values, grid.masses)
        }
        false => masses(form, parameters),
    };
    let out = evaluate(&values, || {
        let event = build(form, parameters).event_shape();
        vec![f(Var::input(0, Shape::from([masses.len()]).join(&event)))]
    });
    let terms = masses.iter().zip(&out[0]).filter(|(m, _)| **m > 0.0);
    terms.map(|(m, f)| m * f).sum()
}

/// Against quadrature, as the moments.
#[test]
fn entropies_are_minus_the_mean_log_density() {
    let mut checked = 0;
    each(|what, form, parameters| {
        let known = trace(|| build(form, parameters).entropy().is_some()).unwrap().0;
        if !known || escapes_the_grid(what) {
            return;
        }
        let got = evaluate(&[], || vec![build(form, parameters).entropy().unwrap()])[0][0];
        let want = -expectation(form, parameters, |x| build(form, parameters).log_prob(x));
        assert!((got - want).abs() < 1e-7 * want.abs().max(1.0), "{what}: {got}, not {want}");
        checked += 1;
    });
    assert!(checked >= 60, "{checked}");
}

/// Parameters as `build` takes them.
fn constants(p: &[f64]) -> Vec<Var> {
    p.iter().map(|&p| Var::from(p)).collect()
}

/// `KL(p || q)` against quadrature of `ln p - ln q`, both ways, and 0 of a law to itself.
#[test]
fn divergences_are_the_mean_of_log_ratios() {
    macro_rules! case {
        ($p:expr, $q:expr, $make:expr) => {{
            let (p, q): (&[f64], &[f64]) = (&$p, &$q);
            let form = Form { constructor: "", arguments: &[], good: &[], bad: &[], build: |p| Box::new($make(p)) };
            for (p, q) in [(p, q), (q, p), (p, p)] {
                let got = evaluate(&[], || vec![$make(&constants(p)).kl_divergence(&$make(&constants(q)))])[0][0];
                let ratio = |x: Var| $make(&constants(p)).log_prob(x) - $make(&constants(q)).log_prob(x);
                let want = expectation(&form, p, ratio);
                let name = $make(&constants(p)).name();
                assert!((got - want).abs() < 1e-7 * want.abs().max(1.0), "{name} {p:?} {q:?}: {got}, not {want}");
            }
        }};
    }
    // The names of laws are taken in this trace, numbers in traces within it.
    trace(|| {
        case!([0.3, 1.2], [-1.0, 2.5], |p: &[Var]| Normal::new(p[0], p[1]));
        case!([0.3, 0.4], [-0.2, 0.7], |p: &[Var]| LogNormal::new(p[0], p[1]));
        case!([1.2], [2.5], |p: &[Var]| HalfNormal::new(p[0]));
        case!([0.3], [1.7], |p: &[Var]| Exponential::new(p[0]));
        case!([0.3, 1.2], [-1.0, 2.5], |p: &[Var]| Laplace::new(p[0], p[1]));
        case!([2.3, 1.2], [5.0, 2.5], |p: &[Var]| Gamma::new(p[0], p[1]));
        case!([2.3, 1.2], [5.0, 2.5], |p: &[Var]| InverseGamma::new(p[0], p[1]));
        case!([2.3, 1.2], [5.0, 2.5], |p: &[Var]| Beta::new(p[0], p[1]));
        case!([2.3], [5.0], |p: &[Var]| Poisson::new(p[0]));
        case!([0.3], [0.8], |p: &[Var]| Bernoulli::new(p[0]));
        case!([-1.0], [2.0], |p: &[Var]| Bernoulli::logits(p[0]));
        case!([0.2, 0.5, 0.3], [0.6, 0.1, 0.3], |p: &[Var]| Categorical::new(ppl_autodiff::stack(p, 0)));
        case!([0.2, -0.5, 0.3], [0.6, 0.1, 1.3], |p: &[Var]| Categorical::logits(ppl_autodiff::stack(p, 0)));
        case!([2.0, 1.5, 3.0], [1.6, 4.0, 2.0], |p: &[Var]| Dirichlet::new(ppl_autodiff::stack(p, 0)));
        case!([0.5, 0.2, 1.3, 0.4, 0.9], [-0.3, 0.0, 1.0, -0.5, 1.2], |p: &[Var]| {
            let l = ppl_autodiff::stack(&[p[2], Var::from(0.0), p[3], p[4]], 0).reshape([2, 2]);
            MultivariateNormal::scale_tril(ppl_autodiff::stack(&p[..2], 0), l)
        });
        case!([0.5, 0.2, 1.3, 0.4, 0.9], [-0.3, 0.0, 1.0, -0.5, 1.2], |p: &[Var]| {
            let l = ppl_autodiff::stack(&[p[2], Var::from(0.0), p[3], p[4]], 0).reshape([2, 2]);
            MultivariateNormal::precision(ppl_autodiff::stack(&p[..2], 0), l.matmul(l.t()))
        });
    })
    .unwrap();
    // A uniform law against a wider and a narrower one.
    let out = evaluate(&[], || {
        let kl = |a: f64, b: f64, c: f64, d: f64| Uniform::new(a, b).kl_divergence(&Uniform::new(c, d));
        vec![kl(0.0, 1.0, -1.0, 3.0), kl(0.0, 1.0, 0.5, 3.0)]
    });
    assert_eq!((out[0][0], out[1][0]), (4f64.ln(), f64::INFINITY));
}

/// The largest distance between the empirical distribution function of `draws` and the one whose steps are `masses` at
/// sorted `points`, interpolated linearly.
fn distance(mut draws: Vec<f64>, points: &[f64], masses: &[f64]) -> f64 {
    let mut cumulative = Vec::with_capacity(points.len());
    let mut sum = 0.0;
    for m in masses {
        // Half of a trapezium's mass lies on each side of its point.
        cumulative.push(sum + 0.5 * m);
        sum += m;
    }
    draws.sort_by(f64::total_cmp);
    let n = draws.len() as f64;
    let mut largest = 0.0f64;
    for (i, x) in draws.iter().enumerate() {
        let after = points.partition_point(|p| p < x).clamp(1, points.len() - 1);
        let (low, high) = (points[after - 1], points[after]);
        let share = ((x - low) / (high - low)).clamp(0.0, 1.0);
        let f = cumulative[after - 1] + share * (cumulative[after] - cumulative[after - 1]);
        largest = largest.max(f - i as f64 / n).max((i + 1) as f64 / n - f);
    }
    largest
}

/// Kolmogorov and Smirnov's test for each unconstrained coordinate, and for each pair the mean of a bounded product,
/// which sees dependence.
#[test]
fn draws_of_continuous_laws_follow_the_density() {
    // P(distance > d) <= 2 exp(-2 n d^2). Massart (1990), Annals of Probability 18(3).
    let allowed = ((2e7f64).ln() / (2.0 * DRAWS as f64)).sqrt();
    each(|what, form, parameters| {
        if !is_continuous(form, parameters) || escapes_the_grid(what) {
            return;
        }
        let grid = grid(form, parameters);
        let draws = some_points(form, parameters, DRAWS);
        let inside = evaluate(&[], || {
            let d = build(form, parameters);
            vec![d.support().contains(d.draw(&Shape::from([DRAWS])))]
        });
        assert!(inside[0].iter().all(|&i| i == 1.0), "{what} leaves its support");
        let points: Vec<f64> = grid.axis.iter().map(|a| a.0).collect();
        for j in 0..grid.dimensions {
            let mut marginal = vec![0.0; points.len()];
            let stride = points.len().pow(j as u32);
            for (i, m) in grid.masses.iter().enumerate() {
                marginal[i / stride % points.len()] += m;
            }
            let d = distance(draws.iter().map(|u| u[j]).collect(), &points, &marginal);
            assert!(d < allowed, "{what}, coordinate {j}: distance {d}");
            for i in 0..j {
                let product = |u: &[f64]| u[i].tanh() * u[j].tanh();
                let want: f64 =
                    (grid.points.chunks(grid.dimensions).zip(&grid.masses)).map(|(u, m)| m * product(u)).sum();
                let got: Vec<f64> = draws.iter().map(|u| product(u)).collect();
                let mean = got.iter().sum::<f64>() / DRAWS as f64;
                let variance = got.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / DRAWS as f64;
                let z = (mean - want) / (variance / DRAWS as f64).sqrt();
                assert!(z.abs() < QUANTILE, "{what}, coordinates {i} and {j}: {z} standard errors");
            }
        }
    });
}

/// Pearson's chi-square test with cells of at least 10 expected draws.
#[test]
fn draws_of_discrete_laws_follow_the_masses() {
    each(|what, form, parameters| {
        if is_continuous(form, parameters) {
            return;
        }
        let (outcomes, masses) = masses(form, parameters);
        let mut counts = vec![0.0; masses.len()];
        for draw in some_points(form, parameters, DRAWS) {
            let place = outcomes.chunks(draw.len()).position(|outcome| *outcome == draw[..]);
            let k = place.unwrap_or_else(|| panic!("{what}: {draw:?}"));
            assert!(masses[k] > 0.0, "{what}: {draw:?} has probability 0");
            counts[k] += 1.0;
        }
        let (mut cells, mut open) = (Vec::new(), (0.0, 0.0));
        for (mass, count) in masses.iter().zip(&counts) {
            open = (open.0 + mass * DRAWS as f64, open.1 + count);
            if open.0 >= 10.0 {
                cells.push(std::mem::take(&mut open));
            }
        }
        if let Some(last) = cells.last_mut() {
            *last = (last.0 + open.0, last.1 + open.1);
        }
        let df = cells.len() as f64 - 1.0;
        if df == 0.0 {
            return;
        }
        let statistic: f64 = cells.iter().map(|(e, c)| (c - e).powi(2) / e).sum();
        // Wilson and Hilferty (1931).
        let spread = 2.0 / (9.0 * df);
        let allowed = df * (1.0 - spread + QUANTILE * spread.sqrt()).powi(3);
        assert!(statistic < allowed, "{what}: chi-square {statistic} with {df} degrees of freedom");
    });
}

/// Of Wishart draws the means and variances, which are stated; of inverse Wishart draws the means and those of their
/// inverses, `S / (n - d - 1)` and `n S^-1`: all within the standard errors of the draws. The density in one dimension is
/// that of a gamma law, the density of the inverse has the Jacobian `det(X)^-(d + 1)`.
#[test]
fn wishart_draws_have_their_moments_and_inverses() {
    let (n, s) = (20.0, [3.0, -0.8, -0.8, 2.0]);
    let invert = |m: &[f64]| {
        let det = m[0] * m[3] - m[1] * m[2];
        [m[3] / det, -m[1] / det, -m[2] / det, m[0] / det]
    };
    let square = |m: &[f64]| Var::from(m).reshape([2, 2]);
    let check = |draws: &[f64], want: &[f64]| {
        for (i, want) in want.iter().enumerate() {
            let column: Vec<f64> = draws.iter().skip(i).step_by(4).copied().collect();
            let mean = column.iter().sum::<f64>() / DRAWS as f64;
            let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / DRAWS as f64;
            let z = (mean - want) / (variance / DRAWS as f64).sqrt();
            assert!(z.abs() < QUANTILE, "element {i}: {z} standard errors");
        }
    };
    let out = evaluate(&[], || {
        let d = Wishart::new(n, square(&s));
        let draws = d.draw(&Shape::from([DRAWS]));
        let (mean, variance) = (d.mean().unwrap(), d.variance().unwrap());
        let one = Wishart::new(n, Var::from(1.5).reshape([1, 1])).log_prob(Var::from(7.0).reshape([1, 1]));
        vec![draws, mean, (draws - mean).square(), variance, one, Gamma::new(0.5 * n, 1.0 / 3.0).log_prob(7.0.into())]
    });
    check(&out[0], &out[1]);
    check(&out[2], &out[3]);
    assert!((out[4][0] - out[5][0]).abs() < 1e-13, "{} {}", out[4][0], out[5][0]);
    let draws = evaluate(&[], || vec![InverseWishart::new(n, square(&s)).draw(&Shape::from([DRAWS]))]).remove(0);
    let inverses: Vec<f64> = draws.chunks(4).flat_map(invert).collect();
    check(&draws, &s.map(|x| x / (n - 3.0)));
    check(&inverses, &invert(&s).map(|x| x * n));
    for (x, inverse) in draws.chunks(4).zip(inverses.chunks(4)).take(20) {
        let out = evaluate(&[], || {
            let direct = InverseWishart::new(n, square(&s)).log_prob(square(x));
            vec![direct, Wishart::new(n, square(&invert(&s))).log_prob(square(inverse))]
        });
        let det = x[0] * x[3] - x[1] * x[2];
        let want = out[1][0] - 3.0 * det.ln();
        assert!((out[0][0] - want).abs() < 1e-11 * want.abs().max(1.0), "{}, not {want}", out[0][0]);
    }
}
