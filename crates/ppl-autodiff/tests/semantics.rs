//! What operations give where numbers end: NaN, infinities, ties, poles; and how far functions may go.

mod common;

use std::f64::consts::LN_2;

use common::{assert_same, at, whole_numbers};
use ppl_autodiff::ops::{Binary, Op, Unary};
use ppl_autodiff::{Var, gradient, stack, trace};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// Name, function, argument, value, gradient.
type Row = (&'static str, fn(Var) -> Var, &'static [f64], &'static [f64], &'static [f64]);

fn first(x: Var) -> Var {
    x.index(0, 0)
}
fn second(x: Var) -> Var {
    x.index(0, 1)
}

#[allow(clippy::eq_op)] // x - x is what is meant
const POLICY: &[Row] = &[
    // The larger and the smaller: NaN wins, ties share.
    ("max", |x| first(x).max(second(x)), &[2.0, 2.0], &[2.0], &[0.5, 0.5]),
    ("max", |x| first(x).max(second(x)), &[INF, 2.0], &[INF], &[1.0, 0.0]),
    ("min", |x| first(x).min(second(x)), &[-INF, -INF], &[-INF], &[0.5, 0.5]),
    ("maximum", |x| x.maximum(), &[3.0, 1.0, 3.0], &[3.0], &[0.5, 0.0, 0.5]),
    ("minimum", |x| x.minimum(), &[1.0, 1.0, 1.0], &[1.0], &[1.0 / 3.0; 3]),
    ("maximum", |x| x.maximum(), &[-INF, -INF], &[-INF], &[0.5, 0.5]),
    ("maximum", |x| x.maximum(), &[1.0, NAN], &[NAN], &[NAN, NAN]),
    ("minimum", |x| x.minimum(), &[NAN, 1.0, -INF], &[NAN], &[NAN, NAN, NAN]),
    // logsumexp
    ("logsumexp", |x| x.logsumexp(), &[-INF, -INF], &[-INF], &[0.0, 0.0]),
    ("logsumexp", |x| x.logsumexp(), &[-INF, 0.0], &[0.0], &[0.0, 1.0]),
    ("logsumexp", |x| x.logsumexp(), &[INF, 0.0], &[INF], &[1.0, 0.0]),
    ("logsumexp", |x| x.logsumexp(), &[INF, 1.0, INF], &[INF], &[0.5, 0.0, 0.5]),
    ("logsumexp", |x| x.logsumexp(), &[NAN, 0.0], &[NAN], &[NAN, NAN]),
    ("logsumexp", |x| x.logsumexp(), &[1000.0, 1000.0], &[1000.0 + LN_2], &[0.5, 0.5]),
    ("logsumexp", |x| x.logsumexp(), &[-1000.0, -1000.0], &[-1000.0 + LN_2], &[0.5, 0.5]),
    ("logsumexp", |x| x.logsumexp(), &[7.0], &[7.0], &[1.0]),
    ("logaddexp", |x| first(x).logaddexp(second(x)), &[-INF, -INF], &[-INF], &[0.0, 0.0]),
    ("logaddexp", |x| first(x).logaddexp(second(x)), &[-INF, 3.0], &[3.0], &[0.0, 1.0]),
    // Selection keeps the values of the branch that is not taken out.
    ("select", |x| x.gt(1.0).select(x.ln(), 5.0), &[0.5, 1.0], &[5.0, 5.0], &[0.0, 0.0]),
    ("select", |x| x.gt(0.0).select(1.0, x / 0.0).sum(), &[2.0], &[1.0], &[NAN]),
    ("select", |x| x.ne(0.0).select(x, 9.0), &[NAN, 0.0], &[NAN, 9.0], &[1.0, 0.0]),
    // x ln y
    ("xlogy", |x| first(x).xlogy(second(x)), &[0.0, 0.0], &[0.0], &[0.0, 0.0]),
    ("xlogy", |x| first(x).xlogy(second(x)), &[0.0, -3.0], &[0.0], &[0.0, 0.0]),
    ("xlogy", |x| first(x).xlogy(second(x)), &[0.0, NAN], &[0.0], &[0.0, 0.0]),
    ("xlogy", |x| first(x).xlogy(second(x)), &[2.0, 1.0], &[0.0], &[0.0, 2.0]),
    ("xlogy", |x| first(x).xlogy(second(x)), &[1.0, 0.0], &[-INF], &[-INF, INF]),
    ("xlogy", |x| first(x).xlogy(second(x)), &[NAN, 2.0], &[NAN], &[LN_2, NAN]),
    // Kinks and bounds.
    ("abs", |x| x.abs(), &[0.0, -INF, NAN], &[0.0, INF, NAN], &[0.0, -1.0, NAN]),
    ("signum", |x| x.signum(), &[0.0, -INF, NAN], &[0.0, -1.0, NAN], &[0.0; 3]),
    ("floor", |x| x.floor(), &[-0.5, INF, NAN], &[-1.0, INF, NAN], &[0.0; 3]),
    (
        "clamp",
        |x| x.clamp(0.0, 1.0),
        &[0.0, 1.0, -INF, 2.0, NAN],
        &[0.0, 1.0, 0.0, 1.0, NAN],
        &[1.0, 1.0, 0.0, 0.0, 0.0],
    ),
    ("detach", |x| x.detach() * x, &[3.0], &[9.0], &[3.0]),
    // Powers: the special values of IEEE 754, the derivatives finite wherever they can be.
    ("pow", |x| first(x).pow(second(x)), &[0.0, 0.0], &[1.0], &[0.0, 0.0]),
    ("pow", |x| first(x).pow(second(x)), &[0.0, 2.0], &[0.0], &[0.0, 0.0]),
    ("pow", |x| first(x).pow(second(x)), &[2.0, 0.0], &[1.0], &[0.0, LN_2]),
    ("pow", |x| first(x).pow(second(x)), &[-2.0, 2.0], &[4.0], &[-4.0, NAN]),
    ("pow", |x| first(x).pow(second(x)), &[NAN, 0.0], &[1.0], &[0.0, NAN]),
    ("pow", |x| x.pow(0.0), &[0.0, -3.0, INF], &[1.0; 3], &[0.0; 3]),
    ("powi", |x| x.powi(-3), &[0.0, -2.0], &[INF, -0.125], &[-INF, -3.0 / 16.0]),
    ("powi", |x| x.powi(i32::MIN), &[1.0, 2.0], &[1.0, 0.0], &[-2147483648.0, 0.0]),
    ("powi", |x| x.powi(0), &[NAN, 2.0], &[1.0, 1.0], &[0.0, 0.0]),
    // Poles and branch points.
    ("recip", |x| x.recip(), &[0.0, INF], &[INF, 0.0], &[-INF, 0.0]),
    ("ln", |x| x.ln(), &[0.0, -1.0, INF], &[-INF, NAN, INF], &[INF, -1.0, 0.0]),
    ("sqrt", |x| x.sqrt(), &[0.0, -1.0, INF], &[0.0, NAN, INF], &[INF, NAN, 0.0]),
    ("norm", |x| x.norm(), &[0.0, 0.0], &[0.0], &[0.0, 0.0]),
    ("softplus", |x| x.softplus(), &[1000.0, -1000.0, INF, -INF], &[1000.0, 0.0, INF, 0.0], &[1.0, 0.0, 1.0, 0.0]),
    ("sigmoid", |x| x.sigmoid(), &[1000.0, -1000.0, NAN], &[1.0, 0.0, NAN], &[0.0, 0.0, NAN]),
    ("tanh", |x| x.tanh(), &[INF, -INF, NAN], &[1.0, -1.0, NAN], &[0.0, 0.0, NAN]),
    // Nothing is simplified that NaN or an infinity would show.
    ("x 0", |x| x * 0.0, &[INF, NAN, 2.0], &[NAN, NAN, 0.0], &[0.0; 3]),
    ("x - x", |x| x - x, &[INF, NAN, 2.0], &[NAN, NAN, 0.0], &[0.0; 3]),
    ("x / x", |x| x / x, &[0.0, INF], &[NAN, NAN], &[NAN, NAN]),
    ("0 · NaN", |x| x.matmul([0.0, 1.0]), &[NAN, 2.0], &[NAN], &[0.0, 1.0]),
    ("cumsum", |x| x.cumsum(0), &[1.0, INF, -INF], &[1.0, INF, NAN], &[3.0, 2.0, 1.0]),
    ("linear_recurrence", |x| x.linear_recurrence(0.5, 0), &[1.0, INF, 2.0], &[1.0, INF, INF], &[1.75, 1.5, 1.0]),
    ("linear_recurrence", |x| x.linear_recurrence([NAN, 2.0], 0), &[1.0, 3.0], &[1.0, 5.0], &[3.0, 1.0]),
    ("sum", |x| x.sum(), &[1.0, INF], &[INF], &[1.0, 1.0]),
    ("prod", |x| x.prod(), &[0.0, INF], &[NAN], &[INF, 0.0]),
];

#[test]
fn values_and_gradients_at_special_numbers() {
    for &(name, f, x, value, slope) in POLICY {
        let double = at::<f64>(&[x.len()], x, f);
        // Rounding errors of numbers near 1000 become relative errors of their exponentials.
        let single = at::<f32>(&[x.len()], x, f);
        for ((y, g), tolerance) in [(double, 1e-12), (single, 1e-4)] {
            assert_same(&format!("{name} at {x:?}"), &y, value, tolerance);
            let what = format!("derivative of {name} at {x:?}");
            assert_same(&what, &g, slope, tolerance);
        }
        // Long arrays take other loops than short ones; each row of a matrix is one case.
        let rows = 70;
        let many = x.repeat(rows);
        let (y, _) = at::<f64>(&[rows, x.len()], &many, |x| {
            let rows: Vec<Var> = (0..rows).map(|i| f(x.index(0, i))).collect();
            stack(&rows, 0)
        });
        assert_same(&format!("{name} in rows"), &y, &value.repeat(rows), 1e-12);
    }
}

/// Comparisons with NaN are false but for `ne`; NaN wins on either side of `max` and `min`.
#[test]
fn nan_on_either_side() {
    for &op in Binary::ALL {
        for (a, b) in [(NAN, 1.0), (1.0, NAN), (NAN, NAN)] {
            let (y, _) = at::<f64>(&[2], &[a, b], |x| first(x).apply2(op, second(x)));
            let want = match op {
                Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge | Binary::Eq => 0.0,
                Binary::Ne => 1.0,
                // IEEE 754: 1 to any power is 1.
                Binary::Pow if a == 1.0 => 1.0,
                _ => NAN,
            };
            assert_same(op.name(), &y, &[want], 0.0);
        }
    }
    for &op in Unary::ALL {
        assert!(op.value(NAN).is_nan() && op.value(f32::NAN).is_nan(), "{}", op.name());
    }
}

#[test]
fn factorisations_of_what_is_not_positive_definite_are_nan() {
    let cholesky = |a: &[f64]| at::<f64>(&[2, 2], a, Var::cholesky).0;
    assert_same("indefinite", &cholesky(&[1.0, 2.0, 2.0, 1.0]), &[NAN; 4], 0.0);
    assert_same("singular", &cholesky(&[1.0, 1.0, 1.0, 1.0]), &[NAN; 4], 0.0);
    assert_same("zero", &cholesky(&[0.0; 4]), &[NAN; 4], 0.0);
    assert_same("infinite", &cholesky(&[INF, 0.0, 0.0, 1.0]), &[NAN; 4], 0.0);
    // Only the lower triangle is read.
    assert_same("upper", &cholesky(&[4.0, NAN, 2.0, 5.0]), &[2.0, 0.0, 1.0, 2.0], 0.0);
    let (x, _) = at::<f64>(&[2, 2], &[2.0, NAN, 1.0, 4.0], |l| l.solve_lower(Var::from([2.0, 9.0]).expand_dims(1)));
    assert_same("upper of a factor", &x, &[1.0, 2.0], 0.0);
    // One bad matrix of a batch leaves the others alone.
    let (l, _) = at::<f64>(&[2, 1, 1], &[-1.0, 9.0], Var::cholesky);
    assert_same("batch", &l, &[NAN, 3.0], 0.0);
}

/// Nothing recurses along the tape: functions of a hundred thousand steps compile on a small stack.
#[test]
fn deep_functions_do_not_overflow_the_stack() {
    const STEPS: usize = 100_000;
    let (y, g) = at::<f64>(&[1], &[0.5], |x| (0..STEPS).fold(x, |y, i| if i % 2 == 0 { y + x } else { y * 0.5 }));
    // y -> (y + x) / 2 leads to x.
    assert_eq!((y, g), (vec![0.5], vec![1.0]));
    // Views of views of data.
    let (y, _) = at::<f64>(&[1], &[0.5], |x| {
        let ones = Var::from(vec![1.0; 4]);
        let view = (0..STEPS).fold(ones, |v, _| v.slice(0, 0..v.dim(0)));
        view.slice(0, 0..1) * x
    });
    assert_eq!(y, [0.5]);
}

/// The catalogue says which operations exist; the interpreter, against which programs are tested, knows them all.
#[test]
fn the_random_functions_contain_every_operation() {
    use common::functions::{Mode, build};
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..400 {
        let choices: Vec<u32> =
            whole_numbers(600, seed).chunks(4).map(|c| c.iter().fold(0, |h, &x| h * 7 + (x + 3.0) as u32)).collect();
        let mode = if seed % 2 == 0 { Mode::Exact } else { Mode::Smooth };
        let (_, traced) = trace(|| {
            let built = build(&choices, mode);
            let total: Var = built.outputs.iter().flatten().map(|y| y.sum()).sum();
            gradient(total, &built.inputs);
        })
        .unwrap();
        seen.extend(traced.tape().nodes().iter().map(|n| n.op.name()));
    }
    let missing: Vec<&str> = Op::STRUCTURAL
        .iter()
        .copied()
        .chain(Binary::ALL.iter().map(|op| op.name()))
        .filter(|name| !seen.contains(name))
        .collect();
    // Draws have tests of their own; the sums of exponentials and deviances are tested by value and against references.
    // So are general matrices, images and sorting.
    let matrices = ["log_abs_det", "det_sign", "inverse"];
    let others = ["windows", "overlay", "argsort", "take_along", "put_along", "random", "logaddexp", "deviance"];
    assert_eq!(missing, [&["logsumexp"][..], &matrices, &others].concat());
}
