//! Same seed, same bits: whatever the number of threads, and as far as promised whatever else the model holds.

use ppl::prelude::*;

model! {
    /// Some groups' means; data may be left out.
    fn groups(y: Option<Array2<f64>>, shape: [usize; 2]) {
        let spread = sample!("spread", HalfNormal::new(2.0));
        let centre = sample!("centre", Normal::new(0.0, 5.0));
        let z = sample!("z", Normal::new(0.0, 1.0).expand([shape[0], 1]));
        let mean = deterministic!("mean", centre + spread * z);
        observe!("y", Normal::new(mean, 1.0).expand(shape), y);
    }
}

model! {
    /// As `groups`, with sites in between that the others do not depend on.
    fn groups_and_more(y: Option<Array2<f64>>, shape: [usize; 2]) {
        sample!("unrelated", Normal::new(0.0, 1.0).expand([7]));
        let spread = sample!("spread", HalfNormal::new(2.0));
        let centre = sample!("centre", Normal::new(0.0, 5.0));
        sample!("another", HalfNormal::new(1.0));
        let z = sample!("z", Normal::new(0.0, 1.0).expand([shape[0], 1]));
        let mean = deterministic!("mean", centre + spread * z);
        observe!("y", Normal::new(mean, 1.0).expand(shape), y);
    }
}

model! {
    /// Reads a value, so that it runs at every evaluation.
    fn dynamic(y: Option<f64>) {
        let x = sample!("x", Normal::new(0.0, 1.0));
        let scale = if x.value() > 0.0 { 2.0 } else { 1.0 };
        observe!("y", Normal::new(x, scale), y);
    }
}

model! {
    /// So many rows that one gradient is worth more than one thread.
    fn regression(x: Array2<f64>, y: Array1<f64>) {
        let weights = sample!("weights", Normal::new(0.0, 1.0).expand([x.ncols()]));
        observe!("y", Bernoulli::logits(Var::from(&x).matmul(weights)), y);
    }
}

const SHAPE: [usize; 2] = [4, 6];

fn data() -> Option<Array2<f64>> {
    Some(Array2::from_shape_fn(SHAPE, |(i, j)| i as f64 + (j as f64).sin()))
}

fn nuts() -> Nuts {
    Nuts::new().warmup(200).draws(150).chains(4).seed(11)
}

/// Runs `f` with so many threads in rayon's current pool.
fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(f)
}

/// The bits of all draws, with sites and shapes.
fn bits(draws: &Draws) -> Vec<(String, Vec<usize>, Vec<u64>)> {
    let site = |(name, a): (&str, &ArrayD<f64>)| {
        let values = a.iter().map(|x| x.to_bits()).collect();
        (name.to_owned(), a.shape().to_vec(), values)
    };
    draws.sites().map(site).collect()
}

#[test]
fn draws_do_not_depend_on_the_number_of_threads() {
    let runs = |model: &dyn Model| {
        let pooled = nuts().run(model).unwrap();
        let mut all: Vec<Posterior> = [1, 2, 4].map(|n| nuts().threads(n).run(model).unwrap()).into();
        all.push(with_threads(3, || nuts().run(model).unwrap()));
        for run in &all {
            assert_eq!(bits(pooled.draws()), bits(run.draws()));
            assert_eq!(pooled.stats(), run.stats());
            assert_eq!(pooled.gradients(), run.gradients());
        }
    };
    runs(&groups(data(), SHAPE));
    runs(&dynamic(Some(0.3)));
}

#[test]
fn predictions_do_not_depend_on_the_number_of_threads() {
    let check = |train: &dyn Model, test: &dyn Model| {
        let posterior = nuts().run(train).unwrap();
        let all = |threads| {
            with_threads(threads, || {
                let predictive = || posterior.predictive(test).unwrap();
                let reduced = predictive().reduce("y", (Mean::new(), Sd::new(), Quantile::new(0.9))).unwrap();
                let prior_bits = bits(&prior_predictive(test, 100, 3).unwrap());
                (bits(&posterior.predict(test).unwrap()), prior_bits, reduced)
            })
        };
        let one = all(1);
        for threads in [2, 4, 7] {
            assert_eq!(one, all(threads), "{threads} threads");
        }
    };
    // 600 draws are no multiple of what is evaluated side by side with 7 threads.
    check(&groups(data(), SHAPE), &groups(None, SHAPE));
    check(&dynamic(Some(0.3)), &dynamic(None));
}

#[test]
fn another_seed_gives_other_draws() {
    let model = groups(data(), SHAPE);
    let (a, b) = (nuts().run(&model).unwrap(), nuts().seed(12).run(&model).unwrap());
    let (x, y) = (a.get("centre").unwrap(), b.get("centre").unwrap());
    assert!(x.iter().zip(y).all(|(x, y)| x != y));
    // Predictions: by default with the posterior's seed, else with another.
    let test = groups(None, SHAPE);
    let again = a.predictive(&test).unwrap().seed(a.seed()).draws().unwrap();
    assert_eq!(bits(&a.predict(&test).unwrap()), bits(&again));
    let other = a.predictive(&test).unwrap().seed(12).draws().unwrap();
    let differ = |site: &str| {
        let (x, y) = (again.get(site).unwrap(), other.get(site).unwrap());
        x.iter().zip(y).filter(|(x, y)| x != y).count()
    };
    assert_eq!((differ("y"), differ("mean")), (600 * 24, 0));
}

/// No two chains, draws or elements share a number, which would show as equal noise.
#[test]
fn all_noise_is_different() {
    let posterior = nuts().run(&groups(data(), SHAPE)).unwrap();
    let predicted = posterior.predict(&groups(None, SHAPE)).unwrap();
    let noise = predicted.get("y").unwrap() - predicted.get("mean").unwrap();
    let mut seen: Vec<f64> = noise.iter().copied().collect();
    seen.sort_by(f64::total_cmp);
    // Equal noise could differ by rounding, as it is had by subtraction. Of 14,400 independent normal numbers 1e8 pairs
    // can be made, and any two are this close with probability 8e-15 * 0.28.
    let close = seen.windows(2).filter(|w| w[1] - w[0] < 4e-15).count();
    assert_eq!(close, 0);
}

#[test]
fn further_chains_and_draws_leave_the_first_ones_alone() {
    let model = groups(data(), SHAPE);
    let test = groups(None, SHAPE);
    let (few, many) = (nuts().chains(2).run(&model).unwrap(), nuts().draws(300).run(&model).unwrap());
    let (few_predicted, many_predicted) = (few.predict(&test).unwrap(), many.predict(&test).unwrap());
    for (few, many) in [(few.draws(), many.draws()), (&few_predicted, &many_predicted)] {
        for (site, array) in few.sites() {
            let first = many.get(site).unwrap();
            let first = first.slice_each_axis(|axis| match axis.axis.index() {
                0 => (..2).into(),
                1 => (..150).into(),
                _ => (..).into(),
            });
            assert_eq!(array, first, "{site}");
        }
    }
}

#[test]
fn another_site_leaves_the_draws_of_the_others_alone() {
    let posterior = nuts().run(&groups(data(), SHAPE)).unwrap();
    let (plain, more) = (groups(None, SHAPE), groups_and_more(None, SHAPE));
    let pairs = [
        (posterior.predict(&plain).unwrap(), posterior.predict(&more).unwrap()),
        (prior_predictive(&plain, 50, 5).unwrap(), prior_predictive(&more, 50, 5).unwrap()),
    ];
    for (plain, more) in &pairs {
        for (site, array) in plain.sites() {
            assert_eq!(array, more.get(site).unwrap(), "{site}");
        }
        assert_eq!(more.get("unrelated").unwrap().shape()[2..], [7]);
        assert_eq!(more.sites().len(), plain.sites().len() + 2);
    }
    // Asking for one site only gives the same numbers as asking for all.
    let one = posterior.predictive(&plain).unwrap().sites(&["y"]).unwrap();
    assert_eq!(one.draws().unwrap().get("y"), pairs[0].0.get("y"));
}

/// One chain on several threads: they share its gradients.
#[test]
fn gradients_on_several_threads_give_the_same_draws() {
    let (rows, columns) = (30_000, 20);
    let x = Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 31 + j * 17) % 101) as f64 / 50.0 - 1.0);
    let y = Array1::from_shape_fn(rows, |i| f64::from(u8::from(i % 3 == 0)));
    let model = regression(x, y);
    let compiled = ppl::infer::compiled::CompiledModel::new(&model).unwrap();
    assert!(compiled.program().unwrap().explain().contains("strips"), "nothing to share");
    let run = |threads: usize| {
        let nuts = Nuts::new().warmup(20).draws(10).chains(1).seed(2).threads(threads);
        bits(nuts.run(&model).unwrap().draws())
    };
    let one = run(1);
    for threads in [2, 3] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}
