//! What every sampler must do on every target of a catalogue: get the law right, in mean, variance and tails; give the same
//! bits for the same seed; stay frozen after warm-up; move reversibly, with energy errors of second order.
//!
//! A new sampler is a line of `samplers::all`, a new target one of `targets::all`. Each expectation errs with probability
//! 3e-6 (4.7 Monte Carlo standard errors); seeds are fixed, so a failure is a change of a sampler.

use ppl_infer::chain::{ChainDraws, Outcome};
use ppl_infer::dynamics::{Point, leapfrog};

#[path = "../common/mod.rs"]
mod common;
mod samplers;
mod targets;

use common::z_score;
use samplers::Sampler;
use targets::Known;

const ERRORS: f64 = 4.7;

/// Warm-up of the tests that are not about the law.
const SHORT: usize = 120;

/// Two chains after a short warm-up.
fn sample(sampler: &Sampler, known: &Known, seed: u64, draws: usize, threads: usize) -> Vec<ChainDraws> {
    complete(sampler, known, sampler.run_after(SHORT, 2, &*known.target, seed, draws, threads), draws)
}

fn complete(sampler: &Sampler, known: &Known, chains: Vec<ChainDraws>, draws: usize) -> Vec<ChainDraws> {
    for chain in &chains {
        assert!(matches!(chain.outcome, Outcome::Complete), "{} on {}: {:?}", sampler.name, known.name, chain.outcome);
        assert_eq!(chain.kernel, sampler.kernel);
        assert_eq!(chain.draws.dim(), (draws, known.target.dim()));
    }
    chains
}

/// Every pair of a sampler and a target, told in what order.
fn walk(check: impl Fn(&Sampler, &Known)) {
    let (samplers, targets) = (samplers::all(), targets::all());
    let mut pairs = 0;
    for sampler in &samplers {
        for known in &targets {
            check(sampler, known);
            pairs += 1;
        }
    }
    assert_eq!(pairs, samplers.len() * targets.len());
    assert!(samplers.len() >= 5 && targets.len() >= 10, "the catalogues are not what they were");
}

#[test]
fn expectations_are_right() {
    walk(|sampler, known| {
        let chains = complete(sampler, known, sampler.run(&*known.target, 1, known.draws, 2), known.draws);
        let values: Vec<Vec<Vec<f64>>> =
            chains.iter().map(|c| c.draws.outer_iter().map(|x| (known.constrain)(&x.to_vec())).collect()).collect();
        for wanted in &known.expectations {
            let of = |chain: &Vec<Vec<f64>>| chain.iter().map(|x| (wanted.of)(x)).collect::<Vec<f64>>();
            let quantities: Vec<Vec<f64>> = values.iter().map(of).collect();
            // What is the same in every draw has no error.
            if quantities.iter().flatten().all(|x| *x == wanted.value) {
                continue;
            }
            let z = z_score(&quantities, wanted.value);
            let (sampler, target, what) = (sampler.name, known.name, &wanted.name);
            assert!(z.abs() < ERRORS, "{sampler} on {target}: {what} is {z:.1} standard errors off");
        }
    });
}

/// The same seed gives the same bits, on one thread or two; another seed gives others.
#[test]
fn same_seed_same_bits() {
    walk(|sampler, known| {
        let one = sample(sampler, known, 3, 20, 1);
        for (a, b) in one.iter().zip(&sample(sampler, known, 3, 20, 2)) {
            assert_eq!((&a.draws, &a.stats, &a.params), (&b.draws, &b.stats, &b.params));
            assert_eq!((a.warmup_gradients, a.gradients), (b.warmup_gradients, b.gradients));
        }
        assert_ne!(one[0].draws, one[1].draws, "{} on {}: two chains are one", sampler.name, known.name);
        assert_ne!(one[0].draws, sample(sampler, known, 4, 20, 1)[0].draws);
    });
}

/// After warm-up every draw is made with the step size that warm-up left, and a longer run makes the same first draws:
/// nothing is learned from them.
#[test]
fn frozen_after_warmup() {
    walk(|sampler, known| {
        let (short, long) = (sample(sampler, known, 5, 10, 2), sample(sampler, known, 5, 40, 2));
        for (short, long) in short.iter().zip(&long) {
            let params = long.params.as_ref().unwrap();
            assert_eq!(short.params.as_ref(), Some(params));
            assert!(long.stats.iter().all(|s| s.step_size == params.step_size));
            assert_eq!(short.draws, long.draws.slice(ndarray::s![..10, ..]));
        }
    });
}

/// What chains have learned, saved and loaded, goes on without warm-up as if they had never stopped: the same parameters,
/// and with the same seed the draws of a longer run.
#[test]
fn goes_on_from_a_file() {
    walk(|sampler, known| {
        let (short, long) = (sample(sampler, known, 6, 10, 2), sample(sampler, known, 6, 30, 2));
        let saved = serde_json::to_string(&sampler.learned(&*known.target, &short)).unwrap();
        let learned = serde_json::from_str(&saved).unwrap();
        let more = sampler.go_on(&*known.target, 6, 20, &learned);
        for (more, long) in more.iter().zip(&long) {
            assert_eq!((&more.params, more.warmup_gradients), (&long.params, 1));
            assert_eq!(more.draws, long.draws.slice(ndarray::s![10.., ..]), "{} on {}", sampler.name, known.name);
        }
        assert_ne!(more[0].draws, sampler.go_on(&*known.target, 7, 20, &learned)[0].draws);
    });
}

/// Steps with the frozen parameters lead back the way they came, up to roundings, and their largest energy error is
/// divided by 4 where they are halved: from the last draw of a chain, with a momentum of its own making.
#[test]
fn steps_are_reversible_and_of_second_order() {
    walk(|sampler, known| {
        if !known.smooth {
            return;
        }
        let chain = &sample(sampler, known, 7, 5, 2)[0];
        let params = chain.params.as_ref().unwrap();
        let mut density = known.target.density();
        let start = {
            let mut point = Point::new(known.target.dim());
            point.position.copy_from_slice(&chain.draws.row(4).to_vec());
            let mut momenta = (0..).map(|i| (1.3 * f64::from(i)).sin() * 1.4);
            point.momentum.fill_with(|| momenta.next().unwrap_or_default());
            point.log_density = density.evaluate(&point.position, &mut point.gradient).unwrap();
            point.start(params.flow());
            point
        };
        let mut integrate = |mut from: Point, step: f64, steps: usize| {
            let (mut to, mut largest) = (from.clone(), 0.0f64);
            for _ in 0..steps {
                leapfrog(&mut *density, params.flow(), step, &from, &mut to).unwrap();
                std::mem::swap(&mut from, &mut to);
                largest = largest.max((from.energy - start.energy).abs());
            }
            (from, largest)
        };
        let step = params.step_size / 8.0;
        let (end, coarse) = integrate(start.clone(), step, 16);
        let (_, fine) = integrate(start.clone(), 0.5 * step, 32);
        let (back, _) = integrate(end, -step, 16);
        let (sampler, target) = (sampler.name, known.name);
        for (a, b) in back.momentum.iter().zip(&start.momentum) {
            assert!((a - b).abs() < 1e-7, "{sampler} on {target}: {a} for {b}");
        }
        // Where the drift is exact there is no error to compare.
        let ratio = coarse / fine;
        assert!(coarse < 1e-9 || (3.4..4.6).contains(&ratio), "{sampler} on {target}: {coarse:e} over {fine:e}");
    });
}
