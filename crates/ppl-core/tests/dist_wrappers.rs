//! Wrappers and distributions of one's own: each against another way to write the same law.

mod dist_common;

use dist_common::evaluate;
use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var, gradient, stack, trace};
use ppl_core::dist::*;
use ppl_core::model::{FnModel, ModelTrace};
use ppl_core::transform::{Affine, Compose, Exp, Ordered};
use ppl_core::{Support, observe, sample};

/// The same values within rounding.
fn assert_same(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!(g == w || (g - w).abs() <= 1e-13 * w.abs().max(1.0), "{g}, not {w}");
    }
}

const POINTS: [f64; 5] = [-1.0, 0.0, 0.3, 1.7, 20.0];

#[test]
fn a_transformed_normal_is_a_log_normal() {
    let out = evaluate(&[0.4, 1.3], || {
        let (loc, scale) = (Var::input(0, ()), Var::input(0, ()));
        let by_hand = || {
            let parts = Compose::new(vec![Box::new(Affine::new(loc, scale)), Box::new(Exp)]);
            Transformed::new(Normal::new(0.0, 1.0), parts, Support::Positive)
        };
        let (a, b) = (by_hand().log_prob(POINTS.into()), LogNormal::new(loc, scale).log_prob(POINTS.into()));
        let slopes = |log_prob: Var| gradient(log_prob.slice(-1, 2..5).sum(), &[loc, scale]);
        let draws = by_hand().draw(&Shape::from([2000]));
        [vec![a, b], slopes(a), slopes(b), vec![(draws.ln() - loc).square().mean() / scale.square()]].concat()
    });
    assert_same(&out[0], &out[1]);
    assert_eq!(out[0][..2], [f64::NEG_INFINITY; 2]);
    assert_same(&out[2], &out[4]);
    assert_same(&out[3], &out[5]);
    // The mean of 2000 squares of standard normal draws: its standard deviation is sqrt(2 / 2000); 5 of them.
    assert!((out[6][0] - 1.0).abs() < 0.16, "{}", out[6][0]);
}

#[test]
fn a_transform_of_vectors_takes_batch_axes() {
    let out = evaluate(&[], || {
        let d = Transformed::new(Normal::new(0.0, [1.0; 3]), Ordered, Support::Ordered);
        assert_eq!((d.batch_shape(), d.event_shape()), (Shape::scalar(), Shape::from([3])));
        let draw = d.draw(&Shape::from([4]));
        assert_eq!(draw.shape(), Shape::from([4, 3]));
        let log_prob = d.log_prob(draw);
        assert_eq!(log_prob.shape(), Shape::from([4]));
        // By hand: steps are exponentials of normal variables.
        let first = Normal::new(0.0, 1.0).log_prob(draw.index(-1, 0));
        let steps = draw.slice(-1, 1..3) - draw.slice(-1, 0..2);
        let outside = d.log_prob([0.0, 2.0, 1.0].into());
        vec![log_prob, first + LogNormal::new(0.0, 1.0).log_prob(steps).sum_axis(-1), outside]
    });
    assert_same(&out[0], &out[1]);
    assert_eq!(out[2], [f64::NEG_INFINITY]);
}

#[test]
fn masked_terms_do_not_count() {
    let out = evaluate(&[0.5], || {
        let loc = Var::input(0, ());
        let d = Masked::new(Normal::new(loc, 1.0), [1.0, 0.0, 1.0]);
        assert_eq!(d.batch_shape(), Shape::from([3]));
        let log_prob = d.log_prob([1.0, 1e200, 2.0].into());
        vec![log_prob, Normal::new(loc, 1.0).log_prob([1.0, 2.0].into()), gradient(log_prob.sum(), &[loc])[0]]
    });
    assert_same(&out[0], &[out[1][0], 0.0, out[1][1]]);
    // (1 - 0.5) + (2 - 0.5).
    assert_eq!(out[2], [2.0]);
}

#[test]
fn mixtures_of_lists_and_of_one_family_agree() {
    let out = evaluate(&[], || {
        let family = Mixture::new([0.2, 0.5, 0.3], Normal::new([-1.0, 0.0, 2.0], [0.5, 1.0, 2.0]));
        let normal = |loc: f64, scale: f64| -> Box<dyn Distribution> { Box::new(Normal::new(loc, scale)) };
        let list = Mixture::of([0.2, 0.5, 0.3], vec![normal(-1.0, 0.5), normal(0.0, 1.0), normal(2.0, 2.0)]);
        let [a, b] = [family.log_prob(POINTS.into()), list.log_prob(POINTS.into())];
        vec![a, b, family.mean().unwrap(), list.mean().unwrap(), family.variance().unwrap(), list.variance().unwrap()]
    });
    assert_same(&out[0], &out[1]);
    // 0.2 * -1 + 0.3 * 2 = 0.4; 0.2 (0.25 + 1) + 0.5 * 1 + 0.3 (4 + 4) - 0.16 = 2.99.
    assert_same(&[out[2][0], out[3][0], out[4][0], out[5][0]], &[0.4, 0.4, 2.99, 2.99]);
    let mixed: fn() -> Vec<Box<dyn Distribution>> =
        || vec![Box::new(Normal::new(0.0, 1.0)), Box::new(Gamma::new(1.0, 1.0))];
    assert!(trace(|| Mixture::of([0.5, 0.5], mixed()).batch_shape()).is_err());
    assert!(trace(|| Mixture::new([0.5, 0.5], Normal::new(0.0, 1.0)).batch_shape()).is_err());
}

/// Events with axes: a mixture of two vectors.
#[test]
fn mixtures_of_vectors() {
    let out = evaluate(&[], || {
        let identity = ndarray::Array2::<f64>::eye(2);
        let components = MultivariateNormal::scale_tril(ndarray::array![[0.0, 0.0], [3.0, -3.0]], &identity);
        let mixture = Mixture::new([0.25, 0.75], components);
        assert_eq!((mixture.batch_shape(), mixture.event_shape()), (Shape::scalar(), Shape::from([2])));
        let draws = mixture.draw(&Shape::from([4000]));
        assert_eq!(draws.shape(), Shape::from([4000, 2]));
        let at = mixture.log_prob(Var::from([1.0, 0.5]));
        let density =
            |loc: [f64; 2]| MultivariateNormal::scale_tril(loc, &identity).log_prob(Var::from([1.0, 0.5])).exp();
        let by_hand = (0.25 * density([0.0, 0.0]) + 0.75 * density([3.0, -3.0])).ln();
        vec![at, by_hand, mixture.mean().unwrap(), draws.mean_axis(0), mixture.variance().unwrap()]
    });
    assert_same(&out[0], &out[1]);
    assert_same(&out[2], &[2.25, -2.25]);
    // 1 + 0.25 * 0.75 * 9 = 2.6875.
    assert_same(&out[4], &[2.6875, 2.6875]);
    for (got, want) in out[3].iter().zip(&out[2]) {
        assert!((got - want).abs() < 5.0 * (2.6875f64 / 4000.0).sqrt(), "{got}, not {want}");
    }
}

fn my_exponential(rate: Var) -> impl Distribution {
    let log_prob = move |x: Var| rate.ln() - rate * x;
    let draw = move |shape: &Shape| Var::random(Law::Exponential, shape, &[]) / rate;
    Custom::new("MyExponential", Support::Positive, rate.shape(), log_prob, draw)
}

/// The same density over unconstrained space as with the built-in law.
#[test]
fn a_distribution_from_closures_works_in_a_model() {
    fn mine() {
        let x = sample("x", || my_exponential([0.5, 2.0].into()));
        observe("y", || my_exponential(x.sum()), [0.3, 0.4]);
    }
    fn theirs() {
        let x = sample("x", || Exponential::new([0.5, 2.0]));
        observe("y", || Exponential::new(x.sum()), [0.3, 0.4]);
    }
    let density = |model: &FnModel<fn()>| {
        let trace = ModelTrace::unconstrained(model, &[]).unwrap();
        let (terms, trace) = trace.terms().unwrap();
        let (log_density, trace) = trace.extend(|_| terms.log_density()).unwrap();
        let program = ppl_autodiff::Program::<f64>::compile(trace.traced().tape(), &[&[log_density]]);
        let mut out = [0.0];
        program.evaluate(&mut program.workspace(), &[&[0.2, -0.7]], &mut [&mut out]);
        out[0]
    };
    let (mine, theirs) = (density(&FnModel::new("mine", mine)), density(&FnModel::new("theirs", theirs)));
    assert!((mine - theirs).abs() < 1e-14, "{mine}, not {theirs}");
    let out = evaluate(&[], || {
        let d = my_exponential(Var::from(2.0));
        vec![d.log_prob(Var::from(-1.0)), d.draw(&Shape::from([3])), Var::from(f64::from(d.batch_shape().rank() as u8))]
    });
    assert_eq!((out[0][0], out[1].len(), out[2][0]), (f64::NEG_INFINITY, 3, 0.0));
}

#[test]
fn an_improper_prior_is_flat_and_has_no_draws() {
    let out = evaluate(&[], || {
        let d = Improper::new(Support::Ordered, [4, 3]);
        assert_eq!((d.batch_shape(), d.event_shape()), (Shape::from([4]), Shape::from([3])));
        vec![d.log_prob([0.0, 1.0, 2.0].into()), d.log_prob([0.0, 3.0, 2.0].into())]
    });
    assert_eq!((out[0][0], out[1][0]), (0.0, f64::NEG_INFINITY));
    let error = trace(|| Improper::new(Support::Real, ()).draw(&Shape::scalar())).err().unwrap();
    assert!(error.to_string().contains("Improper"), "{error}");
}

/// A gate that is always or never open.
#[test]
fn gates_at_their_ends() {
    for (gate, zero, two) in [(0.0, -2.0, -2.0 + 2.0f64.ln()), (1.0, 0.0, f64::NEG_INFINITY)] {
        let out = evaluate(&[gate], || {
            let gate = Var::input(0, ());
            let at = |k: f64| ZeroInflated::new(gate, Poisson::new(2.0)).log_prob(k.into());
            let hurdle = HurdlePoisson::new(gate, 2.0).log_prob(0.0.into());
            vec![at(0.0), at(2.0), gradient(at(0.0), &[gate])[0], hurdle]
        });
        assert_same(&[out[0][0], out[1][0]], &[zero, two]);
        assert!(out[2][0].is_finite() && out[3][0] == gate.ln(), "{out:?}");
    }
}

/// By Woodbury's identity and by the whole covariance, value and slopes, with one variance of 1e-6.
#[test]
fn low_rank_and_dense_covariances_agree() {
    let w = [0.8, -0.5, 0.3, 1.2, -0.9];
    let x = [0.2, 0.4, -0.1, 0.1, 0.6];
    let out = evaluate(&[0.3, 0.5, 0.2, 1e-6, 0.9], || {
        let diagonal = Var::input(0, [5]);
        let w = Var::from(w).expand_dims(-1);
        let low = LowRankMultivariateNormal::new([0.1; 5], w, diagonal).log_prob(x.into());
        let dense = MultivariateNormal::covariance([0.1; 5], w.matmul(w.t()) + diagonal.diag_embed());
        let dense = dense.log_prob(x.into());
        vec![low, dense, gradient(low, &[diagonal])[0], gradient(dense, &[diagonal])[0]]
    });
    for (got, want) in out[0].iter().chain(&out[2]).zip(out[1].iter().chain(&out[3])) {
        assert!((got - want).abs() < 1e-8 * want.abs().max(1.0), "{got}, not {want}");
    }
}

/// The forms for small and large means, counts and concentrations against the plain one by logits, whose terms reach 1e9
/// and so lose up to 9 digits.
#[test]
fn the_regimes_of_the_negative_binomial_agree() {
    let decades = [0.01, 0.5, 3.0, 11.0, 200.0, 1e4, 1e6];
    for mean in decades {
        for concentration in decades {
            for k in [0.0, 1.0, 9.0, 10.0, 11.0, 250.0, 1.2e4, 1e6] {
                let out = evaluate(&[mean, concentration], || {
                    let (m, c) = (Var::input(0, ()), Var::input(0, ()));
                    let a = NegativeBinomial::new(m, c).log_prob(k.into());
                    let b = NegativeBinomial::logits(c, (m / c).ln()).log_prob(k.into());
                    vec![a, b, gradient(a, &[m])[0], k / m - (k + c) / (c + m)]
                });
                let size = (k + concentration + mean) * 20.0 * f64::EPSILON * 10.0;
                let (got, want) = (out[0][0], out[1][0]);
                assert!((got - want).abs() < size.max(1e-12 * want.abs()), "{mean} {concentration} {k}: {got}, {want}");
                let (got, want) = (out[2][0], out[3][0]);
                let terms = k / mean + 1.0;
                assert!((got - want).abs() < 1e-12 * terms, "{mean} {concentration} {k}: slope {got}, {want}");
            }
        }
    }
}

/// The density of a 3 x 3 factor of a covariance is that of its correlations and standard deviations, less the logarithm
/// of the Jacobian by differentiation of `diag(s) C`; draws have the standard deviations and mean correlations of the law.
#[test]
fn covariances_have_the_density_of_correlations_and_scales() {
    let (scales, below) = ([0.7, 1.9, 1.2], [0.3, -0.5, 0.2]);
    let at = [&scales[..], &below].concat();
    let out = evaluate(&at, || {
        let x = Var::input(0, [6]);
        let (s, c) = (x.slice(0, 0..3), x.slice(0, 3..6));
        let c = |i: usize| c.index(0, i);
        let rest = |squares: Var| (1.0 - squares).sqrt();
        let zero = Var::from(0.0);
        let rows = [
            [Var::from(1.0), zero, zero],
            [c(0), rest(c(0).square()), zero],
            [c(1), c(2), rest(c(1).square() + c(2).square())],
        ];
        let factor = ppl_autodiff::stack(&rows.concat(), 0).reshape([3, 3]);
        let l = factor * s.expand_dims(-1);
        let flat = l.reshape([9]);
        let d = LKJCov::new(3, 1.7, Gamma::new(3.0, [1.0, 2.0, 0.5]));
        let parts = LKJCholesky::new(3, 1.7).log_prob(factor) + Gamma::new(3.0, [1.0, 2.0, 0.5]).log_prob(s).sum();
        let mut out = vec![d.log_prob(l), parts];
        out.extend([0, 3, 4, 6, 7, 8].map(|i| gradient(flat.index(0, i), &[x])[0]));
        let draws = d.draw(&Shape::from([4000]));
        let covariance = draws.matmul(draws.t());
        out.extend([covariance.diag().sqrt().mean_axis(0), covariance.index(-1, 0).index(-1, 2).mean()]);
        out
    });
    let want = out[1][0] - ln_det(out[2..8].to_vec());
    assert!((out[0][0] - want).abs() < 1e-12, "{}, not {want}", out[0][0]);
    // Means 3, 3/2 and 6 with standard deviations 3^(1/2) times as large as 1, 1/2 and 2; five standard errors.
    for ((got, mean), rate) in out[8].iter().zip([3.0, 1.5, 6.0]).zip([1.0, 2.0, 0.5]) {
        assert!((got - mean).abs() < 5.0 * 3f64.sqrt() / rate / 4000f64.sqrt(), "{got}, not {mean}");
    }
    // E s1 s3 r with variance E s1^2 E s3^2 E r^2 = 12 * 48 / (2 * 1.7 + 2), 13.8 at most; five standard errors.
    assert!(out[9][0].abs() < 5.0 * 10.4 / 4000f64.sqrt(), "{}", out[9][0]);
}

/// `ln |det|` by elimination.
fn ln_det(mut a: Vec<Vec<f64>>) -> f64 {
    let (n, mut sum) = (a.len(), 0.0);
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
        a.swap(k, pivot);
        sum += a[k][k].abs().ln();
        let top = a[k].clone();
        for row in &mut a[k + 1..] {
            let factor = row[k] / top[k];
            row.iter_mut().zip(&top).for_each(|(x, t)| *x -= factor * t);
        }
    }
    sum
}

/// Wrappers around any law: beyond a bound as a tail, between bounds as an interval, one-sided ones as both-sided ones far
/// out; a hurdle of a Poisson law is the law of its own.
#[test]
fn wrappers_agree_with_each_other() {
    let k: Vec<f64> = (0..12).map(f64::from).collect();
    let x = [0.2, 0.9, 1.5, 3.0];
    let out = evaluate(&[2.0, 0.3], || {
        let (rate, gate) = (Var::input(0, ()), Var::input(0, ()));
        let hurdle = Hurdle::new(gate, Poisson::new(rate)).log_prob(Var::from(&k));
        let special = HurdlePoisson::new(gate, rate).log_prob(Var::from(&k));
        let normal = || Normal::new(0.3, 1.1);
        let cut = Truncated::new(normal(), 0.1, 4.0).log_prob(Var::from(x));
        let own = TruncatedNormal::new(0.3, 1.1, 0.1, 4.0).log_prob(Var::from(x));
        let seen = Censored::new(Gamma::new(rate, 1.0), 0.9, 3.0).log_prob(Var::from(x));
        let gamma = Gamma::new(rate, 1.0);
        let interval = |low: f64, high: f64| IntervalCensored::new(gamma.clone(), low, high).log_prob(1.0.into());
        let inf = f64::INFINITY;
        let rows = IntervalCensored::new(gamma.clone(), [-inf, 3.0, -inf, 0.9], [0.9, inf, inf, 3.0]);
        let rows = rows.log_prob(Var::from([0.0; 4]));
        let slopes = gradient(hurdle.sum() + seen.slice(0, 1..4).sum(), &[rate, gate]);
        let others = gradient(special.sum() + seen.slice(0, 1..4).sum(), &[rate, gate]);
        vec![
            hurdle,
            special,
            cut,
            own,
            seen,
            interval(0.0, 0.9),
            interval(3.0, 1e300),
            gamma.log_prob(1.5.into()),
            rows,
            interval(0.9, 3.0),
            slopes[0],
            others[0],
            slopes[1],
            others[1],
        ]
    });
    assert_same(&out[0], &out[1]);
    assert_same(&out[2], &out[3]);
    assert_same(&out[4], &[f64::NEG_INFINITY, out[5][0], out[7][0], out[6][0]]);
    assert_same(&out[8], &[out[5][0], out[6][0], 0.0, out[9][0]]);
    assert_same(&out[10], &out[11]);
    assert_same(&out[12], &out[13]);
}

/// Zero-truncated counts, and draws that move with their parameters: E x of a normal law from 1 on is `l + s h` with the
/// hazard `h = phi(a) / (1 - Phi(a))`, whose derivative by the location is `1 - h (h - a)`.
#[test]
fn truncated_draws_are_right_and_differentiable() {
    let n = 4000;
    let out = evaluate(&vec![0.2; n], || {
        let loc = Var::input(0, [n]);
        let draws = Truncated::left(Normal::new(loc, 1.0), 1.0).draw(&Shape::from([n]));
        let counts = Truncated::left(Poisson::new(0.8), 1.0).draw(&Shape::from([n]));
        vec![draws, gradient(draws.sum(), &[loc])[0], counts]
    });
    let statistics = |v: &[f64]| {
        let mean = v.iter().sum::<f64>() / n as f64;
        (mean, (v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64 / n as f64).sqrt())
    };
    // phi(0.8) / Phi(-0.8).
    let hazard = 0.289_691_552_761_482_73 / 0.211_855_398_583_396_66;
    let rate: f64 = 0.8;
    for (got, want) in out.iter().zip([0.2 + hazard, 1.0 - hazard * (hazard - 0.8), rate / -(-rate).exp_m1()]) {
        let (mean, error) = statistics(got);
        assert!((mean - want).abs() < 5.2 * error, "{mean}, not {want}");
    }
    assert!(out[0].iter().all(|&x| x >= 1.0) && out[2].iter().all(|&k| k >= 1.0 && k.fract() == 0.0));
}

/// A law without distribution function cannot be cut; a mixed law cannot be latent.
#[test]
fn wrappers_say_what_they_need() {
    let error =
        trace(|| Truncated::left(Wishart::new(3.0, ndarray::Array2::<f64>::eye(2)), 0.0).batch_shape()).err().unwrap();
    assert!(error.to_string().contains("Truncated"), "{error}");
    let error = trace(|| Censored::left(VonMises::new(0.0, 1.0), 0.0).batch_shape()).err().unwrap();
    assert!(error.to_string().contains("`base` must be a law of numbers"), "{error}");
    let latent = FnModel::new("latent", || sample("x", || Censored::left(Normal::new(0.0, 1.0), 0.0)));
    let error = ModelTrace::unconstrained(&latent, &[]).err().unwrap();
    assert!(error.to_string().contains("Censored") && error.to_string().contains('x'), "{error}");
    let error =
        trace(|| CAR::new(0.0, 0.5, 1.0, &ndarray::array![[0.0, 1.0], [2.0, 0.0]]).batch_shape()).err().unwrap();
    assert!(error.to_string().contains("symmetric"), "{error}");
    let apart = ndarray::array![[0., 1., 0., 0.], [1., 0., 0., 0.], [0., 0., 0., 1.], [0., 0., 1., 0.]];
    let error = trace(|| ICAR::new(1.0, &apart).batch_shape()).err().unwrap();
    assert!(error.to_string().contains("connected"), "{error}");
}

#[test]
fn a_markov_chain_of_normal_steps_is_a_random_walk_and_an_autoregression() {
    let path = [0.3, -0.2, 1.1, 0.4, -2.0];
    let out = evaluate(&[0.7, 0.4, -0.2], || {
        let [scale, rho, constant] = [0, 1, 2].map(|_| Var::input(0, ()));
        let walk = MarkovChain::new(Normal::new(0.0, scale), |x| Normal::new(x, scale), 5);
        let chain = MarkovChain::new(Normal::new(0.0, 1.5), |x| Normal::new(constant + rho * x, scale), 5);
        let regression = AutoRegressive::new(constant, rho.expand_dims(0), scale, 1.5, 5);
        let a = [walk.log_prob(path.into()), chain.log_prob(path.into())];
        let b = [GaussianRandomWalk::new(scale, 5).log_prob(path.into()), regression.log_prob(path.into())];
        let slopes = |x: &[Var; 2]| gradient(x[0] + x[1], &[scale, rho, constant]);
        let draws = walk.draw(&Shape::from([4000]));
        let last = draws.index(-1, 4) / scale;
        [a.to_vec(), b.to_vec(), slopes(&a), slopes(&b), vec![last.square().mean()]].concat()
    });
    for i in [0, 1] {
        assert_same(&out[i], &out[i + 2]);
    }
    for i in [4, 5, 6] {
        assert_same(&out[i], &out[i + 3]);
    }
    // Five steps of variance 1; the mean of 4000 squares has standard deviation 5 sqrt(2 / 4000): 5 of them.
    assert!((out[10][0] - 5.0).abs() < 0.56, "{}", out[10][0]);
}

#[test]
fn a_markov_chain_has_states_of_any_shape_and_batches() {
    let out = evaluate(&[], || {
        let turn = |x: Var| Normal::new(0.5 * x, 1.0).to_event(1);
        let chain = MarkovChain::new(Normal::new([0.0; 3], 1.0).to_event(1), turn, 4);
        assert_eq!((chain.batch_shape(), chain.event_shape()), (Shape::scalar(), Shape::from([4, 3])));
        let draws = chain.draw(&Shape::from([2]));
        assert_eq!(draws.shape(), Shape::from([2, 4, 3]));
        let both = chain.log_prob(draws);
        let by_hand = |i: usize| {
            let x = draws.index(0, i);
            let step = |t: usize| turn(x.index(0, t - 1)).log_prob(x.index(0, t));
            Normal::new(0.0, 1.0).log_prob(x.index(0, 0)).sum() + step(1) + step(2) + step(3)
        };
        let one = MarkovChain::new(Normal::new(0.0, 1.0), |x| Normal::new(x, 1.0), 1).log_prob([0.4].into());
        vec![both, stack(&[by_hand(0), by_hand(1)], 0), one, Normal::new(0.0, 1.0).log_prob(0.4.into())]
    });
    assert_same(&out[0], &out[1]);
    assert_same(&out[2], &out[3]);
}

#[test]
fn a_restricted_law_is_the_law_inside_and_nothing_outside() {
    let out = evaluate(&[], || {
        let law = Restricted::new(Normal::new([0.0, 3.0], 1.0), Support::PositiveOrdered);
        assert_eq!((law.batch_shape(), law.event_shape()), (Shape::scalar(), Shape::from([2])));
        let inside = law.log_prob([0.5, 2.0].into());
        let free = Normal::new([0.0, 3.0], 1.0).log_prob([0.5, 2.0].into()).sum();
        let outside = law.log_prob(Var::from(&ndarray::array![[2.0, 0.5], [-0.5, 2.0]]));
        vec![inside, free, outside]
    });
    assert_same(&out[0], &out[1]);
    assert_eq!(out[2], [f64::NEG_INFINITY; 2]);
}

#[test]
fn a_restricted_law_keeps_batches_and_has_no_draws() {
    let shapes = trace(|| {
        let law = Restricted::new(Normal::new(0.0, 1.0).expand([4, 3]), Support::Ordered);
        let scalar = Restricted::new(Normal::new(0.0, 1.0).expand([2]), Support::Positive);
        (law.batch_shape(), law.event_shape(), scalar.batch_shape(), scalar.event_shape())
    });
    let shapes = shapes.unwrap().0;
    assert_eq!(shapes, ([4].into(), [3].into(), [2].into(), Shape::scalar()));
    assert!(trace(|| Restricted::new(Normal::new(0.0, [1.0, 1.0]), Support::Ordered).draw(&Shape::scalar())).is_err());
    assert!(trace(|| Restricted::new(Normal::new(0.0, 1.0), Support::Ordered)).is_err());
}
