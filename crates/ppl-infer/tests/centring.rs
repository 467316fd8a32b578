//! Coordinates of hierarchical sites, as a pilot chooses them: what is found, what it buys, what stays as it is, how
//! runs go on.

use std::sync::atomic::AtomicBool;

use ppl_autodiff::Var;
use ppl_core::dist::{HalfCauchy, HalfNormal, LogNormal, Normal, StudentT};
use ppl_core::{Distribution, deterministic, model, observe, sample};
use ppl_infer::adapt::{Adapted, WarmStartError};
use ppl_infer::centring::{CentringError, SiteCentring};
use ppl_infer::compiled::CompiledModel;
use ppl_infer::runner::SettingsError;
use ppl_infer::variational::Pathfinder;
use ppl_infer::{Centring, InferError, Nuts, Posterior};

model! {
    /// Eight schools, centred.
    fn schools(y: Vec<f64>, error: Vec<f64>) {
        let mu = sample!("mu", Normal::new(0.0, 5.0));
        let tau = sample!("tau", HalfCauchy::new(5.0));
        let theta = sample!("theta", Normal::new(mu, tau).expand([error.len()]));
        observe!("y", Normal::new(theta, &error), y);
    }

    /// Groups of a normal mean, centred.
    fn groups(group: Vec<usize>, y: Vec<f64>, count: usize) {
        let mean = sample!("mean", Normal::new(0.0, 10.0));
        let spread = sample!("spread", HalfNormal::new(5.0));
        let noise = sample!("noise", HalfNormal::new(5.0));
        let level = sample!("level", Normal::new(mean, spread).expand([count]));
        observe!("y", Normal::new(level.gather(0, &group), noise), y);
    }

    /// Neal's funnel.
    fn funnel() {
        let v = sample!("v", Normal::new(0.0, 3.0));
        sample!("x", Normal::new(0.0, (0.5 * v).exp()).expand([9]));
    }

    /// Three levels, other laws, and a site without a latent parent.
    fn levels(y: Vec<f64>) {
        let spread = sample!("spread", LogNormal::new(0.0, 0.5));
        let above = sample!("above", StudentT::new(4.0, 1.0, spread).expand([3]));
        let below = sample!("below", Normal::new(above.gather(0, &[0, 0, 1, 1, 2, 2]), 0.5 * spread));
        let alone = sample!("alone", Normal::new(0.0, 1.0));
        deterministic!("sum", below.sum() + alone);
        observe!("y", Normal::new(below + alone, 1.0), y);
    }

    fn flat(y: Vec<f64>) {
        let mean = sample!("mean", Normal::new(0.0, 10.0));
        let noise = sample!("noise", HalfNormal::new(2.0));
        observe!("y", Normal::new(mean, noise), y);
    }

    /// Reads a value, so that it has no program of its own.
    fn reading(y: Vec<f64>) {
        let mean = sample!("mean", Normal::new(0.0, 10.0));
        let level = sample!("level", Normal::new(mean, 1.0));
        if mean.value() > 0.0 {
            observe!("y", Normal::new(level, 1.0), y);
        } else {
            observe!("y", Normal::new(level, 2.0), y);
        }
    }
}

const ERRORS: [f64; 8] = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0];
const EFFECTS: [f64; 8] = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0];

fn eight_schools() -> impl ppl_core::Model {
    schools(EFFECTS.to_vec(), ERRORS.to_vec())
}

/// `count` groups of `each` values, with levels about 1 apart and noise of about `noise`.
fn some_groups(count: usize, each: usize, noise: f64) -> impl ppl_core::Model {
    let group: Vec<usize> = (0..count * each).map(|i| i / each).collect();
    let number = |i: usize| 3.4 * (0.618_034 * i as f64).fract() - 1.7;
    let y = group.iter().enumerate().map(|(i, &g)| number(g + 100) + noise * number(i)).collect();
    groups(group, y, count)
}

fn short() -> Nuts {
    Nuts::new().warmup(300).draws(200).chains(2).seed(3)
}

fn bits(posterior: &Posterior, site: &str) -> Vec<u64> {
    posterior.get(site).unwrap().iter().map(|x| x.to_bits()).collect()
}

/// The smallest bulk ESS for 1000 gradients, the pilot's among them.
fn ess(posterior: &Posterior) -> f64 {
    let least = posterior.summary().rows().iter().map(|row| row.ess_bulk).fold(f64::INFINITY, f64::min);
    1e3 * least / posterior.gradients() as f64
}

/// Known standard errors are known precisions: to 1e-6, which differences of scores can tell.
#[test]
fn a_normal_likelihood_is_found() {
    let posterior = short().run(&eight_schools()).unwrap();
    let [SiteCentring { site, precision, potential }] = posterior.centring() else { panic!("one site") };
    assert_eq!(site, "theta");
    for i in 0..8 {
        let wanted = ERRORS[i].powi(-2);
        assert!((precision[i] - wanted).abs() < 1e-6 * wanted, "{} {wanted}", precision[i]);
        assert!((potential[i] - wanted * EFFECTS[i]).abs() < 1e-6, "{} {}", potential[i], wanted * EFFECTS[i]);
    }
    assert!(posterior.pilot_gradients() > 0);
    let chains: usize = posterior.chains().iter().map(|c| c.gradients).sum();
    assert_eq!(posterior.gradients(), posterior.pilot_gradients() + chains);
}

/// As written, these give 0.1 to 5 effective draws for 1000 gradients, and divergences. At seeds 1 to 10 they get 23 to 1350
/// times as many, without a divergence.
#[test]
fn funnels_are_gone() {
    let run = |model: &dyn ppl_core::Model, centring| Nuts::new().seed(1).centring(centring).run(model).unwrap();
    let models: [Box<dyn ppl_core::Model>; 3] =
        [Box::new(eight_schools()), Box::new(funnel()), Box::new(some_groups(20, 2, 4.0))];
    for model in models {
        let (chosen, as_written) = (run(&*model, Centring::Automatic), run(&*model, Centring::AsWritten));
        let (after, before) = (ess(&chosen), ess(&as_written));
        assert!(after > 15.0 * before && after > 50.0, "{}: {after} after, {before} before", model.name());
        assert_eq!(chosen.stats().divergences(), 0);
        assert!(chosen.warnings().is_empty(), "{:?}", chosen.warnings());
    }
}

/// The law of the funnel is known: v is normal with standard deviation 3, x / e^{v/2} standard normal. Means and
/// second moments within four standard errors: twenty figures err with probability 0.1 %, the seed is fixed.
#[test]
fn the_law_stays() {
    let posterior = Nuts::new().draws(3000).seed(5).run(&funnel()).unwrap();
    let (v, x) = (posterior.get("v").unwrap(), posterior.get("x").unwrap());
    let check = |numbers: Vec<f64>, wanted: f64, what: &str| {
        let n = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / n;
        let chains = ndarray::Array2::from_shape_vec((4, numbers.len() / 4), numbers).unwrap();
        let z = (mean - wanted) / ppl_diagnostics::mcse_mean(chains.view());
        assert!(z.abs() < 4.0, "{what}: {mean}, wanted {wanted}: {z} standard errors");
    };
    check(v.iter().copied().collect(), 0.0, "v");
    check(v.iter().map(|v| v * v).collect(), 9.0, "v squared");
    for i in 0..9 {
        let x = x.index_axis(ndarray::Axis(2), i);
        let z = || x.iter().zip(v).map(|(x, v)| x * (-0.5 * v).exp());
        check(z().collect(), 0.0, "x");
        check(z().map(|z| z * z).collect(), 1.0, "x squared");
    }
}

/// Where data say nearly all of each group, and where there is nothing to choose, the bits are those of the model as
/// written.
#[test]
fn what_stays_as_written() {
    let as_written = short().centring(Centring::AsWritten);
    let rich = some_groups(10, 400, 0.5);
    let chosen = short().run(&rich).unwrap();
    assert!(chosen.centring().is_empty(), "{:?}", chosen.centring());
    assert_eq!(bits(&chosen, "level"), bits(&as_written.run(&rich).unwrap(), "level"));
    for model in [&flat(vec![1.0, 2.0, 4.0]) as &dyn ppl_core::Model, &reading(vec![1.0, 2.0])] {
        let chosen = short().run(model).unwrap();
        assert_eq!((chosen.centring(), chosen.pilot_gradients()), (&[][..], 0));
        assert_eq!(bits(&chosen, "mean"), bits(&as_written.run(model).unwrap(), "mean"));
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let model = levels(vec![1.0, 2.0, 0.0, -1.0, 3.0, 2.5]);
    let [one, four] = [1, 4].map(|threads| short().threads(threads).run(&model).unwrap());
    assert_eq!(one.centring(), four.centring());
    let names: Vec<&str> = one.centring().iter().map(|c| &c.site[..]).collect();
    assert_eq!(names, ["above", "below"]);
    assert_eq!(bits(&one, "sum"), bits(&four, "sum"));
}

/// Through a file, without another pilot.
#[test]
fn a_warm_start_goes_on_with_the_same_bits() {
    let model = eight_schools();
    let first = short().run(&model).unwrap();
    let saved = serde_json::to_string(first.adapted().unwrap()).unwrap();
    let adapted: Adapted = serde_json::from_str(&saved).unwrap();
    let more = short().warmup(0).warm_start(&adapted).run(&model).unwrap();
    let longer = short().draws(400).run(&model).unwrap();
    assert_eq!((more.centring(), more.pilot_gradients()), (first.centring(), 0));
    for chain in 0..2 {
        let later = longer.get("theta").unwrap().slice(ndarray::s![chain, 200.., ..]).to_owned();
        let more = more.get("theta").unwrap().slice(ndarray::s![chain, .., ..]).to_owned();
        assert_eq!(more, later);
    }
    let error = short().warm_start(&adapted).centring(Centring::AsWritten).run(&model).unwrap_err();
    let InferError::Settings(SettingsError::WarmStart(WarmStartError::Centring { site })) = &error else {
        panic!("{error}");
    };
    assert_eq!(site, "theta");
    // Chains over the model as written are not where the earlier ones were.
    let compiled = CompiledModel::new(&model).unwrap();
    let silent = ppl_infer::observe::Silent;
    let chains = short().warm_start(&adapted).sample_chains(&compiled, &silent, &AtomicBool::new(false));
    assert!(matches!(chains, Err(SettingsError::WarmStart(WarmStartError::Centring { .. }))));
    // What was learned as written goes on as written.
    let as_written = short().centring(Centring::AsWritten).run(&model).unwrap();
    let more = short().warm_start(as_written.adapted().unwrap()).run(&model).unwrap();
    assert!(more.centring().is_empty());
    // Other sites are refused as ever.
    let error = short().warm_start(&adapted).run(&flat(vec![1.0])).unwrap_err();
    assert!(matches!(error, InferError::Settings(SettingsError::WarmStart(WarmStartError::NewSite { .. }))), "{error}");
}

/// Starts are points as the model is written: with steps too small to move, the draws are there.
#[test]
fn starts_are_as_written() {
    let model = eight_schools();
    let adapted = short().run(&model).unwrap().adapted().unwrap().clone();
    // mu = 3, tau = e, theta.
    let theta = [4.0, -2.0, 1.0, 7.0, 0.0, 3.0, 12.0, 5.0];
    let row = [&[3.0, 1.0][..], &theta].concat();
    let starts = ndarray::Array2::from_shape_fn((2, 10), |(_, j)| row[j]);
    let mut chains = adapted.chains().to_vec();
    chains.iter_mut().for_each(|chain| chain.step_size = 1e-9);
    let still = {
        // A frozen run needs a step size that does not move; the coordinates are those that were learned.
        let mut value = serde_json::to_value(&adapted).unwrap();
        value["chains"] = serde_json::to_value(chains).unwrap();
        serde_json::from_value::<Adapted>(value).unwrap()
    };
    let posterior = short().warmup(0).draws(2).max_depth(1).warm_start(&still).starts(starts).run(&model).unwrap();
    assert!(!posterior.centring().is_empty());
    for chain in 0..2 {
        for (got, wanted) in posterior.get("theta").unwrap().slice(ndarray::s![chain, 0, ..]).iter().zip(theta) {
            assert!((got - wanted).abs() < 1e-6, "{got}, wanted {wanted}");
        }
    }
    let fit = Pathfinder::new().seed(1).fit(&model).unwrap();
    let posterior = short().starts(fit.starts(2)).run(&model).unwrap();
    assert!((posterior.mean("mu").unwrap().sum() - 4.4).abs() < 2.0);
}

#[test]
fn sites_without_a_choice_are_refused() {
    let refused = |site: &str| {
        let error = short().centring(Centring::non_centred([site])).run(&eight_schools()).unwrap_err();
        let InferError::Settings(SettingsError::Centring(error)) = error else { panic!("{error}") };
        assert_eq!(error, CentringError::NoChoice { site: site.to_owned(), choices: vec!["theta".to_owned()] });
        assert!(error.to_string().contains(&format!("`{site}`")), "{error}");
    };
    ["mu", "tau", "y", "thetas"].into_iter().for_each(refused);
    let one = |precision: Vec<f64>, potential: Vec<f64>| {
        let centring = vec![SiteCentring { site: "theta".to_owned(), precision, potential }];
        let error = CompiledModel::centred(&eight_schools(), centring).map(|_| ()).unwrap_err();
        let InferError::Settings(SettingsError::Centring(error)) = error else { panic!("{error}") };
        error
    };
    let length = CentringError::Length { site: "theta".to_owned(), got: 7, wanted: 8 };
    assert_eq!(one(vec![1.0; 8], vec![0.0; 7]), length);
    for (precision, potential) in [(-1.0, 0.0), (f64::INFINITY, 0.0), (1.0, f64::NAN)] {
        let error = one(vec![precision; 8], vec![potential; 8]);
        assert!(matches!(error, CentringError::Number { .. }), "{error}");
    }
    let reading = short().centring(Centring::non_centred(["level"])).run(&reading(vec![1.0])).unwrap_err();
    let InferError::Settings(SettingsError::Centring(error)) = reading else { panic!("{reading}") };
    assert_eq!(error, CentringError::NoChoice { site: "level".to_owned(), choices: Vec::new() });
}

/// A density that is finite nowhere is reported with its sites, pilot or not.
#[test]
fn a_model_without_a_start_says_where() {
    model! {
        fn nowhere() {
            let scale = sample!("scale", HalfNormal::new(1.0));
            let x = sample!("x", Normal::new(0.0, scale));
            observe!("y", Normal::new(Var::from(1e308) * x.exp() * 1e308, 1.0), 1.0);
        }
    }
    let error = short().run(&nowhere()).unwrap_err();
    let InferError::NoStart { table, .. } = &error else { panic!("{error}") };
    assert_eq!(table.0.iter().map(|row| &row.site[..]).collect::<Vec<_>>(), ["scale", "x", "y"]);
}
