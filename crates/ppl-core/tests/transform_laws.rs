//! What must hold for every transform of the catalogue: it lands in the support and comes back, and its log-determinant
//! is that of the Jacobian which differentiation gives.

use std::collections::BTreeSet;

use ppl_autodiff::check::check_gradient;
use ppl_autodiff::{Program, Shape, Var, gradient, trace};
use ppl_core::Support;
use ppl_core::transform::{CATALOGUE, CorrelationCholesky, Entry, StickBreaking, Transform};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

fn evaluate(inputs: &[f64], f: impl FnOnce() -> Vec<Var>) -> Vec<Vec<f64>> {
    let (outputs, traced) = trace(f).unwrap();
    let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
    let program = Program::<f64>::compile(traced.tape(), &slots);
    let mut got: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
    let mut places: Vec<&mut [f64]> = got.iter_mut().map(|v| &mut v[..]).collect();
    program.evaluate(&mut program.workspace(), &[inputs], &mut places);
    got
}

fn unconstrained(entry: &Entry, shape: &[usize]) -> Shape {
    let of = |t: Box<dyn Transform>| t.unconstrained_shape(&Shape::from(shape));
    trace(|| of((entry.build)())).unwrap().0
}

/// Every transform at random points of every one of its shapes; the same points each time.
fn each(reach: f64, check: impl Fn(&Entry, &[usize], &[f64])) {
    for entry in CATALOGUE {
        for &shape in entry.shapes {
            let size = unconstrained(entry, shape).size();
            let config = Config { cases: 20, rng_seed: RngSeed::Fixed(1), ..Config::default() };
            let points = prop::collection::vec(-reach..reach, size);
            TestRunner::new(config)
                .run(&points, |x| {
                    check(entry, shape, &x);
                    Ok(())
                })
                .unwrap_or_else(|error| panic!("{} {shape:?}: {error}", entry.name));
        }
    }
}

#[test]
fn the_catalogue_has_every_file() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/transform");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().replace('_', ""))
        .filter(|name| name != "mod")
        .collect();
    let names: BTreeSet<String> = CATALOGUE.iter().map(|e| e.name.to_lowercase()).collect();
    assert_eq!(names, files);
}

/// Whether the length of the argument, or whole turns, are lost: then `inverse` picks one of many arguments.
fn many_to_one(entry: &Entry) -> bool {
    ["UnitVector", "Circular"].contains(&entry.name)
}

/// There and back, to 1e-9 relative to numbers of size 1: near a boundary the result keeps few digits of what it came
/// from (at 6, `1 - tanh` is 1e-5), so the points stay within 6.
#[test]
fn points_land_in_the_support_and_come_back() {
    each(6.0, |entry, shape, at| {
        // A matrix keeps half of the digits of its factor.
        let reach = if entry.name.ends_with("Matrix") { 0.5 } else { 1.0 };
        let at = &at.iter().map(|x| x * reach).collect::<Vec<f64>>()[..];
        let out = evaluate(at, || {
            let transform = (entry.build)();
            let x = Var::input(0, unconstrained(entry, shape));
            let y = transform.forward(x);
            assert_eq!(y.shape(), Shape::from(shape));
            let batch = shape.len() - transform.event_rank();
            let log_det = transform.log_det(x, y);
            assert_eq!(log_det.shape(), Shape::from(&shape[..batch]), "{}", entry.name);
            let back = transform.inverse(y);
            vec![back, (entry.image)().contains(y), y, transform.forward(back)]
        });
        assert!(out[1].iter().all(|&inside| inside == 1.0), "{}", entry.name);
        if many_to_one(entry) {
            for (got, want) in out[3].iter().zip(&out[2]) {
                assert!((got - want).abs() < 1e-15, "{}: {got}, not {want}", entry.name);
            }
            return;
        }
        for (got, want) in out[0].iter().zip(at) {
            assert!((got - want).abs() < 1e-9, "{}: {got}, not {want}", entry.name);
        }
    });
}

/// Which elements of a result of `shape` are free: the coordinates in which the determinant is meant.
fn free(image: &Support, shape: &[usize]) -> Vec<usize> {
    let last = shape.last().copied().unwrap_or(1);
    let all = 0..shape.iter().product();
    match image {
        Support::Simplex => all.filter(|i| i % last + 1 < last).collect(),
        Support::ZeroSum => all.filter(|i| i % last + 1 < last).collect(),
        Support::Correlation | Support::CorrelationCholesky => all.filter(|i| i % last < i / last % last).collect(),
        Support::PositiveDefinite | Support::LowerCholesky => all.filter(|i| i % last <= i / last % last).collect(),
        _ => all.collect(),
    }
}

/// `ln |det|` by elimination with pivots.
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

/// Against the Jacobian, a row for each free element of the result; elimination loses some digits.
#[test]
fn log_determinants_are_those_of_the_jacobian() {
    each(3.0, |entry, shape, at| {
        if many_to_one(entry) {
            return;
        }
        let out = evaluate(at, || {
            let transform = (entry.build)();
            let x = Var::input(0, unconstrained(entry, shape));
            let y = transform.forward(x);
            let flat = y.reshape([y.shape().size()]);
            let mut out = vec![transform.log_det(x, y).sum()];
            for i in free(&(entry.image)(), shape) {
                out.push(gradient(flat.index(0, i), &[x])[0]);
            }
            out
        });
        // In an orthonormal basis of the plane of sum 0 volumes are sqrt(n) times those of the first n - 1 elements.
        let flat = entry.name.starts_with("ZeroSum");
        let slant = if flat { 0.5 * (shape[shape.len() - 1] as f64).ln() } else { 0.0 };
        let events: usize = shape[..shape.len() - usize::from(flat)].iter().product();
        let want = ln_det(out[1..].to_vec()) + slant * events as f64;
        let got = out[0][0];
        assert!((got - want).abs() < 1e-10 * want.abs().max(1.0), "{}: {got}, not {want}", entry.name);
    });
}

/// Second derivatives too: the slope of the log-determinant, against differences.
#[test]
fn values_and_log_determinants_have_the_gradients_of_differences() {
    each(3.0, |entry, shape, at| {
        let f = |x: Var| {
            let transform = (entry.build)();
            let x = x.reshape(unconstrained(entry, shape));
            let y = transform.forward(x);
            let weights: Vec<f64> = (0..y.shape().size()).map(|i| (i as f64).sin() + 0.4).collect();
            let weights = Var::from(weights).reshape(y.shape());
            (y * weights).sum() + transform.log_det(x, y).sum()
        };
        if let Err(error) = check_gradient(f, at, 1e-9) {
            panic!("{} {shape:?}: {error}", entry.name);
        }
    });
}

/// Every continuous support has its transform, of the right rank and onto itself.
#[test]
fn supports_and_transforms_agree() {
    let checked = trace(|| {
        for entry in CATALOGUE {
            let image = (entry.image)();
            let chosen = image.transform().unwrap();
            assert_eq!(chosen.event_rank(), (entry.build)().event_rank(), "{}", entry.name);
            assert_eq!(chosen.event_rank(), image.event_rank(), "{}", entry.name);
            let twin = |e: &Entry| (e.build)().name() == chosen.name() && (e.image)().name() == image.name();
            // The support of angles cuts the circle: an interval of another image.
            assert!(CATALOGUE.iter().any(twin) || entry.name == "Circular", "{}", image.name());
        }
        assert_eq!(Support::UnitInterval.transform().unwrap().name(), "interval");
        assert!(Support::RealVector.transform().is_some());
        assert!(Support::Boolean.transform().is_none());
        assert!(Support::NonNegativeInteger.transform().is_none());
    });
    checked.unwrap();
}

/// What is not in a support is not taken for a member.
#[test]
fn supports_know_their_members() {
    let nan = f64::NAN;
    let cases: Vec<(Support, Vec<f64>, &[usize], f64)> = vec![
        (Support::Real, vec![f64::INFINITY], &[], 0.0),
        (Support::Real, vec![nan], &[], 0.0),
        (Support::Positive, vec![0.0], &[], 1.0),
        (Support::Positive, vec![-1e-300], &[], 0.0),
        (Support::RealVector, vec![1.0, nan], &[2], 0.0),
        (Support::Simplex, vec![0.25, 0.75], &[2], 1.0),
        (Support::Simplex, vec![0.25, 0.7], &[2], 0.0),
        (Support::Simplex, vec![-0.25, 1.25], &[2], 0.0),
        (Support::Simplex, vec![nan, 0.5], &[2], 0.0),
        (Support::CorrelationCholesky, vec![1.0, 0.0, 0.6, 0.8], &[2, 2], 1.0),
        (Support::CorrelationCholesky, vec![1.0, 0.0, 0.6, -0.8], &[2, 2], 0.0),
        (Support::CorrelationCholesky, vec![0.8, 0.6, 0.6, 0.8], &[2, 2], 0.0),
        (Support::CorrelationCholesky, vec![1.0, 0.0, nan, 0.8], &[2, 2], 0.0),
        (Support::RealMatrix, vec![1.0, 2.0], &[1, 2], 1.0),
        (Support::RealMatrix, vec![1.0, nan], &[1, 2], 0.0),
        (Support::Ordered, vec![-1.0, 0.0, 2.0], &[3], 1.0),
        (Support::Ordered, vec![-1.0, 2.0, 0.0], &[3], 0.0),
        (Support::Ordered, vec![-1.0, nan], &[2], 0.0),
        (Support::Ordered, vec![nan], &[1], 0.0),
        (Support::Ordered, vec![3.0], &[1], 1.0),
        (Support::PositiveOrdered, vec![1.0, 2.0], &[2], 1.0),
        (Support::PositiveOrdered, vec![-1.0, 2.0], &[2], 0.0),
        (Support::PositiveOrdered, vec![2.0, 1.0], &[2], 0.0),
        (Support::ZeroSum, vec![-1.0, 3.0, -2.0], &[3], 1.0),
        (Support::ZeroSum, vec![-1.0, 3.0, -1.0], &[3], 0.0),
        (Support::ZeroSum, vec![nan, 0.0], &[2], 0.0),
        (Support::UnitVector, vec![0.6, -0.8], &[2], 1.0),
        (Support::UnitVector, vec![0.6, 0.6], &[2], 0.0),
        (Support::Correlation, vec![1.0, 0.5, 0.5, 1.0], &[2, 2], 1.0),
        (Support::Correlation, vec![2.0, 0.5, 0.5, 1.0], &[2, 2], 0.0),
        (Support::Correlation, vec![1.0, 1.5, 1.5, 1.0], &[2, 2], 0.0),
        (Support::PositiveDefinite, vec![2.0, 0.5, 0.5, 1.0], &[2, 2], 1.0),
        (Support::PositiveDefinite, vec![2.0, 0.5, 0.6, 1.0], &[2, 2], 0.0),
        (Support::PositiveDefinite, vec![-2.0, 0.5, 0.5, 1.0], &[2, 2], 0.0),
        (Support::LowerCholesky, vec![2.0, 0.0, -1.0, 0.1], &[2, 2], 1.0),
        (Support::LowerCholesky, vec![2.0, 0.0, -1.0, 0.0], &[2, 2], 0.0),
        (Support::LowerCholesky, vec![2.0, 1.0, -1.0, 0.1], &[2, 2], 0.0),
        (Support::Boolean, vec![1.0], &[], 1.0),
        (Support::Boolean, vec![0.5], &[], 0.0),
        (Support::NonNegativeInteger, vec![3.0], &[], 1.0),
        (Support::NonNegativeInteger, vec![3.5], &[], 0.0),
        (Support::NonNegativeInteger, vec![f64::INFINITY], &[], 0.0),
    ];
    for (support, value, shape, want) in cases {
        let got = evaluate(&value, || vec![support.contains(Var::input(0, shape))]);
        assert_eq!(got[0], [want], "{} and {value:?}", support.name());
    }
    for (value, want) in
        [([2.0, 0.0, 1.0], 1.0), ([2.0, 0.0, 2.0], 0.0), ([1.5, 0.5, 1.0], 0.0), ([nan, 1.0, 2.0], 0.0)]
    {
        let got = evaluate(&value, || vec![Support::Counts { total: Var::from(3.0) }.contains(Var::input(0, [3]))]);
        assert_eq!(got[0], [want], "counts and {value:?}");
    }
}

#[test]
fn small_and_wrong_shapes() {
    // One piece is the whole stick; one row is the number 1.
    let out = evaluate(&[], || {
        let whole = StickBreaking.forward(Var::zeros([0]));
        let one = CorrelationCholesky.forward(Var::zeros([0]));
        let back = CorrelationCholesky.inverse(one);
        vec![whole, one, back, StickBreaking.inverse(whole)]
    });
    assert_eq!(out[..2], [[1.0], [1.0]]);
    assert!(out[2].is_empty() && out[3].is_empty());
    // No triangle has four elements.
    assert!(trace(|| CorrelationCholesky.forward(Var::zeros([4]))).is_err());
}
