//! What `Draws` accepts, refuses and gives back.

use indexmap::IndexMap;
use ndarray::{Array4, ArrayD, Axis, s};
use ppl_diagnostics::{Draws, DrawsError};

/// Two chains of five draws of a scalar and a 2 x 3 matrix; every value tells its place.
fn example() -> Draws {
    let mu = ArrayD::from_shape_fn(vec![2, 5], |i| (100 * i[0] + i[1]) as f64);
    let w = ArrayD::from_shape_fn(vec![2, 5, 2, 3], |i| (1000 * i[0] + 100 * i[1] + 10 * i[2] + i[3]) as f64);
    Draws::new([("mu", mu), ("w", w)]).unwrap()
}

#[test]
fn components_are_labelled_in_row_major_order() {
    let draws = example();
    let labels: Vec<String> = draws.components().map(|c| c.label()).collect();
    assert_eq!(labels, ["mu", "w[0,0]", "w[0,1]", "w[0,2]", "w[1,0]", "w[1,1]", "w[1,2]"]);
    let last = draws.components().last().unwrap();
    assert_eq!((last.site, last.index.as_slice()), ("w", &[1, 2][..]));
    assert_eq!(last.values.dim(), (2, 5));
    assert_eq!(last.values[[1, 3]], 1312.0);
    assert_eq!(draws.components().next().unwrap().values[[1, 4]], 104.0);
}

#[test]
fn flat_merges_chains_and_draws() {
    let draws = example();
    let flat = draws.flat("w").unwrap();
    assert_eq!(flat.shape(), [10, 2, 3]);
    assert_eq!(flat[[7, 1, 0]], 1210.0);
    assert!(draws.flat("v").is_none() && draws.get("v").is_none());
    assert_eq!(draws.sites().map(|(name, _)| name).collect::<Vec<_>>(), ["mu", "w"]);
}

#[test]
fn a_foreign_memory_layout_is_straightened() {
    let fortran = Array4::from_shape_fn((3, 2, 5, 2), |(k, j, t, c)| (1000 * c + 100 * t + 10 * j + k) as f64)
        .permuted_axes([3, 2, 1, 0]);
    let draws = Draws::new([("w", fortran.into_dyn())]).unwrap();
    assert_eq!(draws.get("w"), example().get("w"));
    assert_eq!(draws.flat("w"), example().flat("w"));
}

#[test]
fn slices_and_thinning_act_on_every_chain() {
    let draws = example();
    let middle = draws.slice(1..4).unwrap();
    assert_eq!((middle.chains(), middle.draws()), (2, 3));
    assert_eq!(middle.get("w").unwrap(), &draws.get("w").unwrap().slice_axis(Axis(1), (1..4).into()));
    assert_eq!(middle.flat("mu").unwrap().as_slice().unwrap(), [1., 2., 3., 101., 102., 103.]);

    let thinned = draws.thin(2).unwrap();
    assert_eq!(thinned.flat("mu").unwrap().as_slice().unwrap(), [0., 2., 4., 100., 102., 104.]);
    assert_eq!(draws.thin(usize::MAX).unwrap().flat("mu").unwrap().as_slice().unwrap(), [0., 100.]);
    assert_eq!(draws.thin(1).unwrap(), draws);

    let none = draws.slice(2..2).unwrap();
    assert_eq!((none.draws(), none.thin(3).unwrap().draws(), none.components().count()), (0, 0, 7));
    assert_eq!(draws.slice(3..6).unwrap_err(), DrawsError::DrawRange { start: 3, end: 6, draws: 5 });
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = draws.slice(3..2).unwrap_err();
    assert_eq!(backwards, DrawsError::DrawRange { start: 3, end: 2, draws: 5 });
    assert_eq!(draws.thin(0).unwrap_err(), DrawsError::ThinByZero);
}

#[test]
fn runs_join_as_later_draws_or_as_more_chains() {
    let draws = example();
    assert_eq!(draws.slice(0..2).unwrap().then(&draws.slice(2..5).unwrap()).unwrap(), draws);
    let more = draws.with_chains(&draws).unwrap();
    assert_eq!((more.chains(), more.draws()), (4, 5));
    assert_eq!(more.get("w").unwrap().slice(s![2.., .., .., ..]), draws.get("w").unwrap().slice(s![.., .., .., ..]));

    let wanted = vec![2, 5, 2, 3];
    assert_eq!(
        draws.with_chains(&draws.slice(0..4).unwrap()).unwrap_err(),
        DrawsError::UnequalShapes { site: "mu".into(), wanted: vec![2, 5], got: vec![2, 4] }
    );
    let other = Draws::new([("mu", draws.get("mu").unwrap().clone()), ("w", ArrayD::zeros(vec![2, 5, 3]))]).unwrap();
    assert_eq!(
        draws.then(&other).unwrap_err(),
        DrawsError::UnequalShapes { site: "w".into(), wanted, got: vec![2, 5, 3] }
    );
    let only_mu = Draws::new([("mu", draws.get("mu").unwrap().clone())]).unwrap();
    let missing = DrawsError::MissingSite { site: "w".into() };
    assert_eq!(draws.then(&only_mu).unwrap_err(), missing);
    assert_eq!(only_mu.then(&draws).unwrap_err(), missing);
}

#[test]
fn chains_of_unequal_length_are_cut_and_it_is_said() {
    let whole = example();
    let chain = |c: usize, draws: usize| -> IndexMap<String, ArrayD<f64>> {
        let cut = |array: &ArrayD<f64>| array.index_axis(Axis(0), c).slice_axis(Axis(0), (0..draws).into()).to_owned();
        whole.sites().map(|(name, array)| (name.to_string(), cut(array))).collect()
    };
    let (draws, truncation) = Draws::from_chains([chain(0, 5), chain(1, 5)]).unwrap();
    assert_eq!((draws, truncation), (whole.clone(), None));

    let (draws, truncation) = Draws::from_chains([chain(0, 5), chain(1, 3)]).unwrap();
    assert_eq!(draws, whole.slice(0..3).unwrap());
    let truncation = truncation.unwrap();
    assert_eq!((truncation.kept, truncation.lengths.as_slice()), (3, &[5, 3][..]));
    assert_eq!(truncation.to_string(), "chains of [5, 3] draws were cut to the first 3 of each");

    assert_eq!(Draws::from_chains([]).unwrap_err(), DrawsError::NoChains);
    let mut odd = chain(1, 5);
    odd.insert("v".into(), ArrayD::zeros(vec![5]));
    let missing = DrawsError::MissingSite { site: "v".into() };
    assert_eq!(Draws::from_chains([chain(0, 5), odd.clone()]).unwrap_err(), missing);
    assert_eq!(Draws::from_chains([odd, chain(0, 5)]).unwrap_err(), missing);
}

#[test]
fn bad_arrays_are_refused_with_the_facts() {
    let array = |shape: &[usize]| ArrayD::<f64>::zeros(shape.to_vec());
    let refused = |sites: Vec<(&str, ArrayD<f64>)>| Draws::new(sites).unwrap_err();
    assert_eq!(refused(vec![]), DrawsError::NoSites);
    assert_eq!(refused(vec![("a", array(&[0, 5]))]), DrawsError::NoChains);
    assert_eq!(refused(vec![("a", array(&[5]))]), DrawsError::MissingAxes { site: "a".into(), axes: 1 });
    assert_eq!(
        refused(vec![("a", array(&[2, 5])), ("b", array(&[2, 6, 3]))]),
        DrawsError::UnequalSites { site: "b".into(), wanted: (2, 5), got: (2, 6) }
    );
    assert_eq!(
        refused(vec![("a", array(&[2, 5])), ("a", array(&[2, 5]))]),
        DrawsError::DuplicateSite { site: "a".into() }
    );
    assert_eq!(
        refused(vec![("a", array(&[2, 5])), ("b", array(&[2, 6]))]).to_string(),
        "site `b` has (chains, draws) = (2, 6), but the sites before it have (2, 5)"
    );
    // A site without components is a site all the same.
    let empty = Draws::new([("a", array(&[2, 5, 0]))]).unwrap();
    assert_eq!((empty.components().count(), empty.flat("a").unwrap().shape()), (0, &[10, 0][..]));
}
