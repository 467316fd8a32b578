//! The comparison itself: draws of a known law held against a reference of that law, right and wrong.

use ndarray::{ArrayD, IxDyn};
use ppl::diagnostics::{Draws, mcse_mean};
use ppl_gallery::compare::Statistic;
use ppl_gallery::data::predictors;
use ppl_gallery::{Data, Entry, GalleryError, compare, find};

/// The mean and the sd of a standard uniform law with its quantiles, as an exact reference, of a vector and a number.
const REFERENCE: &str = r#"{"origin": "exact", "parameters": {
    "x[1]": {"mean": 0.5, "sd": 0.28867513459481287, "q05": 0.05, "q50": 0.5, "q95": 0.95, "ess_bulk": 1e9, "ess_tail": 1e9},
    "x[2]": {"mean": 0.5, "sd": 0.28867513459481287},
    "y": {"mean": 0.0, "sd": 1.0}
}}"#;

fn entry() -> Entry {
    Entry { reference: REFERENCE, ..*find("dogs-dogs").unwrap() }
}

/// Four chains of 1000 numbers that fill the unit interval evenly in no order, for a vector of two.
fn uniform(shift: f64) -> Draws {
    let number = |i: &IxDyn| {
        let n = 1.0 + i[0] as f64 * 1000.0 + i[1] as f64 + 0.3 * i[2] as f64;
        (n * 0.754_877_666_246_692_7 + (n * n) * 0.569_840_290_998_053).fract() + shift
    };
    let x = ArrayD::from_shape_fn(IxDyn(&[4, 1000, 2]), |i| number(&i));
    Draws::new([("x", x)]).unwrap()
}

#[test]
fn draws_of_the_reference_agree_and_what_is_missing_is_named() {
    let comparison = compare(&entry(), &uniform(0.0)).unwrap();
    assert_eq!(comparison.missing, ["y"]);
    // Five figures of the first element, two of the second.
    assert_eq!(comparison.figures.len(), 7);
    assert_eq!(comparison.off(4.0).count(), 0, "{:?}", comparison.worst());
    assert!(comparison.r_hat < 1.01 && comparison.ess > 1000.0, "{comparison:?}");
}

#[test]
fn a_shift_is_as_many_errors_as_it_is() {
    let draws = uniform(0.1);
    let comparison = compare(&entry(), &draws).unwrap();
    let mean = comparison.figures.iter().find(|f| f.parameter == "x[1]" && f.statistic == Statistic::Mean).unwrap();
    let x = draws.components().next().unwrap().values;
    assert_eq!(mean.errors(), (x.mean().unwrap() - 0.5) / mcse_mean(x));
    // A mean of 4000 even draws has an error of 0.0046: 0.1 is about 22 of them.
    assert!((15.0..30.0).contains(&mean.errors()), "{mean}");
    // Means and quantiles are off, standard deviations are not.
    let off: Vec<Statistic> = comparison.off(4.0).map(|f| f.statistic).collect();
    assert_eq!(off.len(), 5, "{off:?}");
    assert!(!off.contains(&Statistic::Sd));
}

#[test]
fn draws_that_are_no_numbers_are_off() {
    let x = ArrayD::from_elem(IxDyn(&[4, 100, 2]), f64::NAN);
    let comparison = compare(&entry(), &Draws::new([("x", x)]).unwrap()).unwrap();
    assert_eq!(comparison.off(4.0).count(), comparison.figures.len());
}

#[test]
fn names_are_those_of_the_source_with_indices_from_zero() {
    let (stan, gym) = (find("arK-arK").unwrap(), find("convection_lorenz_bridge").unwrap());
    assert_eq!(stan.label("beta[3]"), "beta[2]");
    assert_eq!(stan.label("sigma"), "sigma");
    assert_eq!(gym.label("latents[3,0]"), "latents[3,0]");
}

#[test]
fn data_files_say_what_is_wrong_with_them() {
    let data =
        Data::parse(r#"{"n": 3, "v": [1, 2.5], "holes": [null, 4.0], "m": [[1, 2], [3]], "at": [0, 1]}"#).unwrap();
    assert_eq!(data.vector("v").unwrap().to_vec(), [1.0, 2.5]);
    assert_eq!((data.count("n").unwrap(), data.number("n").unwrap()), (3, 3.0));
    let (places, values) = data.present("holes").unwrap();
    assert_eq!((places, values.to_vec()), (vec![1], vec![4.0]));
    assert_eq!(data.indices("at", 0).unwrap(), [0, 1]);
    // Index 0 where indices count from 1; rows of unequal length; text; a field that is not there.
    let wrong =
        [data.indices("at", 1).err(), data.matrix("m").err(), data.vector("holes").err(), data.number("x").err()];
    for (error, name) in wrong.into_iter().zip(["at", "m", "holes", "x"]) {
        assert!(matches!(error, Some(GalleryError::Field { name: n, .. }) if n == name), "{name}: {error:?}");
    }
    assert!(matches!(Data::parse("[1"), Err(GalleryError::Json(_))));
}

#[test]
fn matrices_by_levels_are_put_together_again() {
    let text = r#"{"x": [{"levels": [[1, 2], [3, 4]], "index": [1, 0, 1]}, {"levels": [[5]], "index": [0, 0, 0]}],
                   "y": [{"levels": [[1]], "index": [1]}]}"#;
    let data = Data::parse(text).unwrap();
    assert_eq!(data.matrix_of_levels("x").unwrap(), ndarray::array![[3.0, 4.0, 5.0], [1.0, 2.0, 5.0], [3.0, 4.0, 5.0]]);
    assert!(data.matrix_of_levels("y").is_err(), "a level that is not there");
    let (a, b) = (ndarray::array![1.0, 2.0], ndarray::array![1.0]);
    assert!(matches!(predictors(&[&a, &b]), Err(GalleryError::Columns)));
}
