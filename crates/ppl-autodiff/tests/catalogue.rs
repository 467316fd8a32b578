//! Every operation of the tape: gradients against differences, second derivatives, programs in both number types,
//! and the list itself, so that a new operation cannot be forgotten.

use std::collections::BTreeSet;

use ndarray::{Array, ArrayD, Dimension, IxDyn};
use ppl_autodiff::check::check_gradient;
use ppl_autodiff::ops::{Binary, Op, Reduction, Unary};
use ppl_autodiff::{Padding, Program, Var, concat, gradient, scan, stack, trace};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// An operation as a function of one array whose elements come from `domain`.
struct Case {
    names: &'static [&'static str],
    shape: Vec<usize>,
    domain: (f64, f64),
    f: Box<dyn Fn(Var) -> Var>,
}

fn case(names: &'static [&'static str], shape: &[usize], domain: (f64, f64), f: impl Fn(Var) -> Var + 'static) -> Case {
    Case { names, shape: shape.to_vec(), domain, f: Box::new(f) }
}

/// A fixed weight for each element, so that no derivative cancels in the sum.
fn weigh(y: Var) -> Var {
    let shape = y.shape();
    let n = shape.size();
    let weights = Array::from_shape_fn(IxDyn(&shape), |i| {
        let at = i.slice().iter().zip(shape.strides()).map(|(&i, s)| i as isize * s).sum::<isize>();
        ((at + 1) as f64 * 0.7).sin() + 1.5 + at as f64 / n as f64
    });
    (y * &weights).sum()
}

fn unary_domain(op: Unary) -> (f64, f64) {
    match op {
        Unary::Sqrt | Unary::Ln | Unary::Recip => (0.2, 4.0),
        Unary::Ln1p => (-0.8, 3.0),
        Unary::Log1mExp => (0.2, 4.0),
        Unary::Ndtri => (0.06, 0.94),
        // Their derivatives jump in curvature at 0.
        Unary::I0e | Unary::I1e => (0.3, 12.0),
        Unary::Erfcx => (-1.5, 6.0),
        Unary::Lgamma | Unary::Digamma | Unary::Trigamma => (0.3, 9.0),
        _ => (-2.3, 2.4),
    }
}

fn unary(op: Unary) -> fn(Var) -> Var {
    match op {
        Unary::Neg => |x| -x,
        Unary::Square => Var::square,
        Unary::Recip => Var::recip,
        Unary::Sqrt => Var::sqrt,
        Unary::Abs => Var::abs,
        Unary::Signum => Var::signum,
        Unary::Floor => Var::floor,
        // Its derivative is not that of its value, which is the point: it has a test of its own.
        Unary::Detach => |x| x.detach() * 0.0 + x,
        Unary::Exp => Var::exp,
        Unary::ExpM1 => Var::exp_m1,
        Unary::Ln => Var::ln,
        Unary::Ln1p => Var::ln_1p,
        Unary::Ln1pSquare => Var::ln_1p_square,
        Unary::Ln1pSquareSlope => |x| x.apply(Unary::Ln1pSquareSlope),
        Unary::Log1mExp => Var::log1mexp,
        Unary::Tanh => Var::tanh,
        Unary::Sigmoid => Var::sigmoid,
        Unary::Softplus => Var::softplus,
        Unary::Sin => Var::sin,
        Unary::Cos => Var::cos,
        Unary::Atan => Var::atan,
        Unary::Erf => Var::erf,
        Unary::Erfc => Var::erfc,
        Unary::Erfcx => Var::erfcx,
        Unary::LogNdtr => Var::log_ndtr,
        Unary::Ndtri => Var::ndtri,
        Unary::Lgamma => Var::lgamma,
        Unary::Digamma => Var::digamma,
        Unary::Trigamma => Var::trigamma,
        Unary::I0e => Var::i0e,
        Unary::I1e => Var::i1e,
    }
}

fn binary(op: Binary) -> fn(Var, Var) -> Var {
    match op {
        Binary::Add => |a, b| a + b,
        Binary::Sub => |a, b| a - b,
        Binary::Mul => |a, b| a * b,
        Binary::Div => |a, b| a / b,
        Binary::Pow => |a, b| a.pow(b),
        Binary::LogAddExp => |a, b| a.logaddexp(b),
        Binary::Deviance => |a, b| a.deviance(b),
        Binary::Max => |a, b| a.max(b),
        Binary::Min => |a, b| a.min(b),
        Binary::Lt => |a, b| a.lt(b),
        Binary::Le => |a, b| a.le(b),
        Binary::Gt => |a, b| a.gt(b),
        Binary::Ge => |a, b| a.ge(b),
        Binary::Eq => |a, b| a.eq(b),
        Binary::Ne => |a, b| a.ne(b),
    }
}

/// Symmetric positive definite from any square array.
fn positive(x: Var) -> Var {
    let n = x.dim(-1);
    let eye = ndarray::Array2::<f64>::eye(n) * (n as f64);
    x.matmul(x.t()) + &eye
}

fn cases(rows: usize, columns: usize) -> Vec<Case> {
    let (r, c) = (rows, columns);
    let mut cases = Vec::new();
    for &op in Unary::ALL {
        let name: &'static [&'static str] = Box::leak(Box::new([op.name()]));
        cases.push(case(name, &[r, c], unary_domain(op), unary(op)));
    }
    for &op in Binary::ALL {
        let name: &'static [&'static str] = Box::leak(Box::new([op.name()]));
        let f = binary(op);
        // One matrix against its first row and column, and both ways round: broadcasting on either side.
        cases.push(case(name, &[r + 1, c], (0.4, 2.6), move |x| {
            let (body, row) = (x.slice(0, 0..r), x.slice(0, r..r + 1) + 0.07);
            let column = body.slice(1, 0..1) * 0.9 + 0.03;
            f(body, row) + f(column, body) * 0.5 + f(row, column)
        }));
    }
    for &op in Reduction::ALL {
        let name: &'static [&'static str] = Box::leak(Box::new([op.name()]));
        let f = move |x: Var, axes: &[isize]| match op {
            Reduction::Sum => x.sum_axes(axes),
            Reduction::Max => x.max_axes(axes),
            Reduction::Min => x.min_axes(axes),
            Reduction::LogSumExp => x.logsumexp_axes(axes),
        };
        cases.push(case(name, &[r, c, 2], (-2.0, 2.0), move |x| {
            weigh(f(x, &[0])) + weigh(f(x, &[1])) + weigh(f(x, &[-1, 0])) + f(x, &[0, 1, 2]).sum()
        }));
    }
    cases.push(case(&["matmul"], &[2, r, c], (-2.0, 2.0), |x| x.matmul(x.t()).tanh()));
    cases.push(case(&["matmul"], &[r, c], (-2.0, 2.0), move |x| {
        let vector = x.index(0, 0);
        weigh(x.matmul(vector)) + weigh(x.t().matmul(x.matmul(x.t()))) + vector.matmul(vector)
    }));
    // Batch axes that broadcast on either side, tall and narrow.
    cases.push(case(&["matmul", "broadcast_to"], &[3, 20, 2], (-1.0, 1.0), |x| {
        let w = x.slice(1, 0..2).slice(0, 0..1);
        x.matmul(w).tanh().matmul(w.squeeze(0))
    }));
    cases.push(case(&["select"], &[r, c], (-2.0, 2.0), |x| x.gt(0.3).select(x.exp(), x * x)));
    cases.push(case(&["scan"], &[r, c], (-1.5, 1.5), |x| {
        let (last, [all]) = scan(x.dim(0), [x.index(0, 0)], [x], |[s], [row]| {
            let next = (s * row).sin() + row * x.sum() * 0.1;
            ([next], [next.exp() * s])
        });
        all + last[0]
    }));
    cases.push(case(&["cumsum"], &[r, c], (-2.0, 2.0), |x| x.cumsum(0) * x.cumsum(-1)));
    cases.push(case(&["linear_recurrence"], &[r, c], (-1.2, 1.2), |x| {
        let decay = x.slice(0, 0..1).sin();
        x.linear_recurrence(decay, 0) * x.linear_recurrence(x, -1) + x.linear_recurrence(0.9, 1)
    }));
    cases.push(case(&["transpose", "reshape"], &[r, 2, c], (-2.0, 2.0), move |x| {
        x.transpose(&[2, 0, 1]).tanh().reshape([c * r, 2]) * x.reshape([r * c, 2])
    }));
    cases.push(case(&["broadcast_to"], &[r, 1, c], (-2.0, 2.0), move |x| x.broadcast_to([2, r, 3, c]).square()));
    cases.push(case(&["slice", "pad"], &[r + 2, c], (-2.0, 2.0), move |x| {
        weigh(x.slice(0, 1..r + 2)) + weigh(x.slice_step(0, 0..r + 2, 2).square()) + x.index(0, 1).sum()
    }));
    cases.push(case(&["concat"], &[r, c], (-2.0, 2.0), |x| concat(&[x, x.exp(), x * 2.0], -1)));
    cases.push(case(&["concat"], &[r, c], (-2.0, 2.0), |x| stack(&[x, x.sin()], 1).squeeze_if_one()));
    cases.push(case(&["gather", "scatter_add"], &[r + 1, c], (-2.0, 2.0), move |x| {
        weigh(x.gather(0, &[0, r, 0]).square()) + weigh(x.scatter_add(0, &vec![1usize; r + 1], 3).exp())
    }));
    cases.push(case(&["diag", "diag_embed"], &[2, c, c], (-2.0, 2.0), |x| x.diag().exp().diag_embed().matmul(x)));
    cases.push(case(&["cholesky"], &[2, c, c], (-1.0, 1.0), |x| positive(x).cholesky()));
    cases.push(case(&["solve_lower"], &[2, c, c], (-1.0, 1.0), |x| {
        let l = positive(x).cholesky();
        weigh(l.solve_lower(x)) + weigh(l.solve_lower_transposed(x.slice(0, 0..1))) + positive(x).log_det().sum()
    }));
    // Neither symmetric nor positive definite, and not near a singular one.
    cases.push(case(&["log_abs_det", "det_sign", "inverse"], &[2, c, c], (-0.3, 0.3), |x| {
        let a = x + &(ndarray::Array2::<f64>::eye(x.dim(-1)) * -1.5);
        let (sign, log) = a.slogdet();
        weigh(a.inverse()) + (sign * log).sum()
    }));
    cases.push(case(&["windows", "overlay"], &[2, 1, r + 2, c + 3], (-2.0, 2.0), |x| {
        let kernel = x.slice(0, 0..1).slice(2, 0..2).slice(3, 1..3);
        let strided = x.conv2d(kernel, [2, 1], Padding::Explicit([[1, 0], [2, 1]]));
        weigh(x.conv2d(kernel * 0.5, [1, 1], Padding::Same))
            + weigh(strided.tanh())
            + weigh(x.avg_pool2d([2, 2], [1, 2]))
    }));
    cases.push(case(&["argsort", "take_along", "put_along"], &[r, c, 2], (-2.0, 2.0), |x| {
        weigh(x.sort(0).exp()) + weigh(x.sort(-1).square() * x) + x.argsort(1).sum()
    }));
    // Draws are not differentiable; their laws are tested where they are drawn.
    cases.push(case(&["random"], &[r, c], (0.5, 2.0), |x| x * 2.0));
    cases
}

trait SqueezeIfOne {
    fn squeeze_if_one(self) -> Var;
}

impl SqueezeIfOne for Var {
    fn squeeze_if_one(self) -> Var {
        if self.dim(-1) == 1 { self.squeeze(-1) } else { self }
    }
}

#[test]
fn every_operation_has_a_case() {
    let covered: BTreeSet<&str> = cases(2, 2).iter().flat_map(|c| c.names.iter().copied()).collect();
    let all: BTreeSet<&str> = Op::STRUCTURAL
        .iter()
        .copied()
        .chain(Unary::ALL.iter().map(|op| op.name()))
        .chain(Binary::ALL.iter().map(|op| op.name()))
        .collect();
    assert_eq!(covered, all);
}

/// Where the function is smooth: kinks (abs, max, floor, ...) may lie between the points of a difference.
fn is_smooth(case: &Case) -> bool {
    !case.names.iter().any(|n| {
        ["abs", "signum", "floor", "max", "min", "lt", "le", "gt", "ge", "eq", "ne", "select", "max_axis", "min_axis"]
            .contains(n)
    })
}

fn points(case: &Case, unit: &[f64]) -> ArrayD<f64> {
    let (low, high) = case.domain;
    let mut values = unit.iter().cycle();
    let mut k = 0.0;
    ArrayD::from_shape_simple_fn(IxDyn(&case.shape), || {
        // Golden-ratio shifts keep the elements apart where the numbers repeat, so that maxima are unique.
        k += 0.618_033_988_749_895;
        let u = (values.next().unwrap() + k).fract();
        low + (high - low) * u
    })
}

proptest! {
    #![proptest_config(Config { cases: 12, rng_seed: RngSeed::Fixed(31), failure_persistence: None, ..Config::default() })]

    /// First and second derivatives against fourth-order differences. The tolerance is the rounding error of a
    /// difference at the best step (about 1e-11) with room for third derivatives of gamma functions.
    #[test]
    fn gradients_agree_with_differences(rows in 1..5usize, columns in 1..5usize,
                                        unit in prop::collection::vec(0.0..1.0f64, 40)) {
        for case in cases(rows, columns) {
            let x = points(&case, &unit);
            let tolerance = if is_smooth(&case) { 2e-8 } else { 1e-6 };
            if let Err(e) = check_gradient(|x| weigh((case.f)(x)), &x, tolerance) {
                // A kink within the largest step is no mistake: the smaller steps decide.
                prop_assert!(false, "{:?} of shape {:?}: {e}", case.names, case.shape);
            }
            if is_smooth(&case) {
                let twice = |x: Var| weigh(gradient(weigh((case.f)(x)), &[x])[0]);
                let checked = check_gradient(twice, &x, 2e-6);
                prop_assert!(checked.is_ok(), "second derivative of {:?}: {}", case.names, checked.unwrap_err());
            }
        }
    }

    /// The same program in f32 agrees with f64 to single precision, and with itself bit for bit on a second run.
    #[test]
    fn f32_agrees_with_f64(rows in 1..5usize, columns in 1..5usize, unit in prop::collection::vec(0.0..1.0f64, 40)) {
        for case in cases(rows, columns).iter().filter(|c| is_smooth(c)) {
            let x = points(case, &unit);
            let ((y, g), traced) = trace(|| {
                let v = Var::input(0, x.shape());
                let y = weigh((case.f)(v));
                (y, gradient(y, &[v])[0])
            }).unwrap();
            let double = Program::<f64>::compile(traced.tape(), &[&[y], &[g]]);
            let single = Program::<f32>::compile(traced.tape(), &[&[y], &[g]]);
            let x64: Vec<f64> = x.iter().map(|&v| f64::from(v as f32)).collect();
            let x32: Vec<f32> = x.iter().map(|&v| v as f32).collect();
            let (mut v64, mut g64) = ([0.0], vec![0.0; x64.len()]);
            let (mut v32, mut g32) = ([0.0], vec![0.0; x64.len()]);
            double.evaluate(&mut double.workspace(), &[&x64], &mut [&mut v64, &mut g64]);
            single.evaluate(&mut single.workspace(), &[&x32], &mut [&mut v32, &mut g32]);
            let scale = g64.iter().fold(v64[0].abs().max(1.0), |m, g| m.max(g.abs()));
            for (a, b) in v64.iter().chain(&g64).zip(v32.iter().chain(&g32)) {
                prop_assert!((a - f64::from(*b)).abs() <= 2e-5 * scale, "{:?}: {a} and {b}", case.names);
            }
            let mut again = vec![0.0; x64.len()];
            double.evaluate(&mut double.workspace(), &[&x64], &mut [&mut v64, &mut again]);
            prop_assert_eq!(&g64, &again);
        }
    }
}

/// `special_functions.json`: values and derivatives with 60 digits. 64 units of `2^-52 * condition` are allowed, where the
/// condition of a value stands in the file and that of a derivative is at least its size.
#[test]
fn special_functions_and_their_derivatives_have_all_digits() {
    type F = fn(&[Var]) -> Var;
    let functions: &[(&str, F)] = &[
        ("erfcx", |x| x[0].erfcx()),
        ("log_ndtr", |x| x[0].log_ndtr()),
        ("ndtri", |x| x[0].ndtri()),
        ("i0e", |x| x[0].i0e()),
        ("i1e", |x| x[0].i1e()),
        ("log1mexp", |x| x[0].log1mexp()),
        ("logaddexp", |x| x[0].logaddexp(x[1])),
    ];
    let file: serde_json::Value = serde_json::from_str(include_str!("reference/special_functions.json")).unwrap();
    let number = |v: &serde_json::Value| v.as_f64().unwrap_or_else(|| v.as_str().unwrap().parse().unwrap());
    let numbers = |v: &serde_json::Value| v.as_array().unwrap().iter().map(number).collect::<Vec<f64>>();
    let mut met = 0;
    for case in file["cases"].as_array().unwrap() {
        let Some((name, f)) = functions.iter().find(|(name, _)| case["f"] == *name) else {
            continue;
        };
        let (x, want, slopes) = (numbers(&case["x"]), number(&case["y"]), numbers(&case["dy"]));
        let (outputs, traced) = trace(|| {
            let x: Vec<Var> = x.iter().map(|_| Var::input(0, ())).collect();
            let y = f(&x);
            let slopes = gradient(y, &x);
            [&[y], &slopes[..]].concat()
        })
        .unwrap();
        let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
        let program = Program::<f64>::compile(traced.tape(), &slots);
        let mut got = vec![[0.0]; slots.len()];
        let mut places: Vec<&mut [f64]> = got.iter_mut().map(|g| &mut g[..]).collect();
        program.evaluate(&mut program.workspace(), &[&x], &mut places);
        // The file has 0 for what 60 digits next to 1 cannot tell from it.
        let unit = f64::EPSILON * number(&case["cond"]).min(1e300) + 1e-305;
        let units = (got[0][0] - want).abs() / unit;
        assert!(got[0][0] == want || units <= 64.0, "{name}({x:?}) = {}, not {want}: {units} units", got[0][0]);
        for ((got, &want), &x_i) in got[1..].iter().zip(&slopes).zip(&x) {
            let near = want.abs() * (1.0 + x_i * x_i) + f64::MIN_POSITIVE / f64::EPSILON;
            let units = (got[0] - want).abs() / (f64::EPSILON * near);
            assert!(got[0] == want || units <= 64.0, "d{name}({x:?}) = {}, not {want}: {units} units", got[0]);
        }
        met += 1;
    }
    assert_eq!(met, 71);
}
