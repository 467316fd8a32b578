//! Values and gradients of operations against JAX 0.10.2 in double precision (`tests/reference/adjoints.json`).

use ndarray::{ArrayD, IxDyn};
use ppl_autodiff::{Padding, Program, Tensor, Var, concat, gradient, hvp, stack, trace, value_and_grad};
use serde_json::Value;

/// Sums in another order than JAX's: a few hundred rounding errors at most.
const TOLERANCE: f64 = 1e-11;

fn shape_of(value: &Value) -> Vec<usize> {
    match value.as_array() {
        Some(rows) => {
            let mut shape = vec![rows.len()];
            shape.extend(rows.first().map(shape_of).unwrap_or_default());
            shape
        }
        None => vec![],
    }
}

fn numbers(value: &Value, out: &mut Vec<f64>) {
    match value.as_array() {
        Some(rows) => rows.iter().for_each(|row| numbers(row, out)),
        None => out.push(value.as_f64().or_else(|| value.as_bool().map(f64::from)).unwrap()),
    }
}

fn array(value: &Value) -> ArrayD<f64> {
    let mut data = Vec::new();
    numbers(value, &mut data);
    ArrayD::from_shape_vec(IxDyn(&shape_of(value)), data).unwrap()
}

fn indices(value: &Value) -> Vec<usize> {
    array(value).iter().map(|&i| i as usize).collect()
}

fn pair(value: &Value) -> [usize; 2] {
    indices(value).try_into().unwrap()
}

/// A reduction as the reference names it: along an axis or all, with or without the axis.
fn reduced(op: &str, attrs: &Value, x: Var) -> Var {
    let axis = attrs["axis"].as_i64().map(|a| a as isize);
    let kept = |y: Var, axis: isize| match attrs["keepdims"].as_bool() {
        Some(true) => y.expand_dims(axis),
        _ => y,
    };
    match (op, axis) {
        ("sum", None) => x.sum(),
        ("max", None) => x.maximum(),
        ("logsumexp", None) => x.logsumexp(),
        ("mean", None) => x.mean(),
        ("prod", None) => x.prod(),
        ("sum", Some(a)) => kept(x.sum_axis(a), a),
        ("max", Some(a)) => kept(x.max_axis(a), a),
        ("logsumexp", Some(a)) => kept(x.logsumexp_axis(a), a),
        ("mean", Some(a)) => kept(x.mean_axis(a), a),
        ("prod", Some(a)) => kept(x.prod_axis(a), a),
        _ => panic!("unknown reduction {op}"),
    }
}

fn apply(op: &str, attrs: &Value, x: &[Var]) -> Var {
    let axis = attrs["axis"].as_i64().unwrap_or(0) as isize;
    match op {
        "matmul" | "dot" => x[0].matmul(x[1]),
        "add_broadcast" => x[0] + x[1],
        "mul_broadcast" => x[0] * x[1],
        "div_broadcast" => x[0] / x[1],
        "pow" => x[0].pow(x[1]),
        "sum" | "max" | "logsumexp" | "mean" | "prod" => reduced(op, attrs, x[0]),
        "logsumexp_extreme" => x[0].logsumexp(),
        "softmax" => x[0].softmax(axis),
        "log_softmax" => x[0].log_softmax(axis),
        "cumsum" => x[0].cumsum(axis),
        "cumsum_reverse" => x[0].flip(axis).cumsum(axis).flip(axis),
        "cumprod" => x[0].cumprod(axis),
        "cumlogsumexp" => x[0].cumlogsumexp(axis),
        "gather_rows" => {
            let index = array(&attrs["indices"]);
            let mut shape = index.shape().to_vec();
            shape.push(x[0].dim(1));
            x[0].gather(0, &indices(&attrs["indices"])).reshape(shape)
        }
        "scatter_add_rows" => {
            let rows = x[0].dim(0);
            x[0] + x[1].scatter_add(0, &indices(&attrs["indices"]), rows)
        }
        "scatter_set_rows" => {
            let (index, rows) = (indices(&attrs["indices"]), x[0].dim(0));
            let kept: Vec<[f64; 1]> = (0..rows).map(|i| [f64::from(!index.contains(&i))]).collect();
            let kept = Var::from(kept.concat()).expand_dims(1);
            x[0] * kept + x[1].scatter_add(0, &index, rows)
        }
        "take_along_axis" => x[0].take_along_axis(axis, &array(&attrs["indices"])),
        "concatenate" => concat(x, axis),
        "stack" => stack(x, axis),
        "slice" => {
            let (start, step) = (indices(&attrs["start"]), indices(&attrs["step"]));
            (0..x[0].rank()).fold(x[0], |x, a| {
                let end = x.dim(a as isize);
                x.slice_step(a as isize, start[a]..end, step[a])
            })
        }
        "transpose" => x[0].transpose(&indices(&attrs["perm"])),
        "reshape" => x[0].reshape(indices(&attrs["shape"])),
        "where" => Var::from(array(&attrs["cond"])).select(x[0], x[1]),
        "clip" => x[0].clamp(attrs["lo"].as_f64().unwrap(), attrs["hi"].as_f64().unwrap()),
        "cholesky" => x[0].cholesky(),
        "solve_triangular" => {
            let (lower, transposed) = (attrs["lower"] == true, attrs["trans"] == 1);
            // An upper factor is the transpose of a lower one.
            let l = if lower { x[0] } else { x[0].t() };
            match lower == transposed {
                true => l.solve_lower_transposed(x[1]),
                false => l.solve_lower(x[1]),
            }
        }
        "logdet_from_cholesky" => x[0].log_det(),
        "inverse" => x[0].inverse_spd(),
        "solve" => x[0].solve_spd(x[1]),
        "sort" => x[0].sort(0),
        "slogdet" => x[0].slogdet().1,
        "conv2d" => {
            let pairs: Vec<[usize; 2]> = indices(&attrs["padding"]).chunks(2).map(|p| [p[0], p[1]]).collect();
            let padding = Padding::Explicit([pairs[0], pairs[1]]);
            x[0].conv2d(x[1], pair(&attrs["stride"]), padding) + x[2].expand_dims(-1).expand_dims(-1)
        }
        "max_pool2d" => x[0].max_pool2d(pair(&attrs["window"]), pair(&attrs["stride"])),
        "avg_pool2d" => x[0].avg_pool2d(pair(&attrs["window"]), pair(&attrs["stride"])),
        "outer" => x[0].outer(x[1]),
        "trace" => x[0].diag().sum(),
        "diagonal" => x[0].diag(),
        "tril" => x[0].tril(),
        "relu" => x[0].gt(0.0).select(x[0], 0.0),
        "abs" => x[0].abs(),
        "sqrt" => x[0].sqrt(),
        "norm" => x[0].norm(),
        _ => panic!("no operation for the case {op}"),
    }
}

fn assert_close(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let scale = want.iter().fold(0.0f64, |m, w| m.max(w.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= TOLERANCE * scale, "{what}[{i}]: {g} but {w} wanted");
    }
}

/// The mean of a matrix and its transpose: the gradient as a function of symmetric matrices.
fn symmetric(g: &ArrayD<f64>) -> ArrayD<f64> {
    let mut swapped = g.clone();
    let rank = g.ndim();
    swapped.swap_axes(rank - 2, rank - 1);
    (g + &swapped) * 0.5
}

#[test]
fn values_and_gradients_are_those_of_jax() {
    let reference: Value = serde_json::from_str(include_str!("reference/adjoints.json")).unwrap();
    let mut checked = 0;
    for case in reference["cases"].as_array().unwrap() {
        let (op, attrs) = (case["op"].as_str().unwrap(), &case["attrs"]);
        if op == "hvp" {
            continue;
        }
        let inputs: Vec<ArrayD<f64>> = case["inputs"].as_array().unwrap().iter().map(array).collect();
        let (want, cotangent) = (array(&case["output"]), array(&case["cotangent"]));
        let (outputs, traced) = trace(|| {
            let x: Vec<Var> = inputs.iter().enumerate().map(|(slot, x)| Var::input(slot, x.shape())).collect();
            let y = apply(op, attrs, &x);
            assert_eq!(&y.shape()[..], want.shape(), "{op} {attrs}");
            let g = gradient((y * &cotangent).sum(), &x);
            [vec![y], g].concat()
        })
        .unwrap();
        let slots: Vec<&[Var]> = outputs.chunks(1).collect();
        let program = Program::<f64>::compile(traced.tape(), &slots);
        let mut values: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
        let data: Vec<Vec<f64>> = inputs.iter().map(|x| x.iter().copied().collect()).collect();
        let data: Vec<&[f64]> = data.iter().map(|x| &x[..]).collect();
        let mut out: Vec<&mut [f64]> = values.iter_mut().map(|v| &mut v[..]).collect();
        program.evaluate(&mut program.workspace(), &data, &mut out);

        let what = format!("{op} {attrs}");
        assert_close(&what, &values[0], want.as_slice().unwrap());
        for (i, want) in case["grads"].as_array().unwrap().iter().enumerate() {
            let mut want = array(want);
            match (op, i) {
                // The factor is that of (A + A') / 2, so its gradient is symmetric; JAX's solve and inverse are of A.
                ("inverse" | "solve", 0) => want = symmetric(&want),
                // Zero is the derivative at the kink here; JAX takes the sign as 1 there.
                ("abs", 0) => want[1] = 0.0,
                _ => {}
            }
            let what = format!("gradient {i} of {what}");
            let want: Vec<f64> = want.iter().copied().collect();
            assert_close(&what, &values[i + 1], &want);
        }
        checked += 1;
    }
    // With the Hessian-vector product, which is tested below, all cases of the file.
    assert_eq!(checked, 66);
    assert_eq!(reference["n_cases"], 67);
}

#[test]
fn the_hessian_vector_product_is_that_of_jax() {
    let reference: Value = serde_json::from_str(include_str!("reference/adjoints.json")).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    let case = cases.iter().find(|c| c["op"] == "hvp").unwrap();
    let f = |x: Var| {
        let (a, b, c) = (x.index(0, 0), x.index(0, 1), x.index(0, 2));
        -a.square() / 2.0 - ((b - a.square() / 2.0) / 0.4).square() / 2.0 + (c * a).exp().ln_1p() + x.logsumexp()
            - c.exp().lgamma()
    };
    let (x, v) = (array(&case["inputs"][0]), array(&case["inputs"][1]));
    let (value, g) = value_and_grad(f, Tensor::from(&x)).unwrap();
    assert_close("value", &[value], &[case["output"].as_f64().unwrap()]);
    assert_close("gradient", g.as_slice().unwrap(), array(&case["grads"][0]).as_slice().unwrap());
    let product = hvp(f, &x, &v).unwrap();
    assert_close("hvp", product.as_slice().unwrap(), array(&case["hvp"]).as_slice().unwrap());
}

/// ln(1 + x^2) with 2 x / (1 + x^2) and 2 (1 - x^2) / (1 + x^2)^2, where squares overflow, vanish, and neither.
#[test]
fn ln_1p_square_is_exact_everywhere() {
    let x = [0.0, 1e-200, -1e-9, 0.5, -3.0, 1e9, -1e17, 2e17, 1e200];
    let (outputs, traced) = trace(|| {
        let v = Var::input(0, [x.len()]);
        let y = v.ln_1p_square();
        let slope = gradient(y.sum(), &[v])[0];
        (y, slope, gradient(slope.sum(), &[v])[0])
    })
    .unwrap();
    let program = Program::<f64>::compile(traced.tape(), &[&[outputs.0], &[outputs.1], &[outputs.2]]);
    let [mut y, mut slope, mut second] = [[0.0; 9]; 3];
    program.evaluate(&mut program.workspace(), &[&x], &mut [&mut y, &mut slope, &mut second]);
    let far = |x: f64| 2.0 * x.ln();
    let values = [0.0, 0.0, 1e-18, 1.25f64.ln(), 10f64.ln(), far(1e9), far(1e17), far(2e17), 200.0 * 2.0 * 10f64.ln()];
    let slopes = [0.0, 2e-200, -2e-9, 0.8, -0.6, 2e-9, -2e-17, 1e-17, 2e-200];
    for i in 0..x.len() {
        // Two roundings, and those of the numbers to compare with.
        assert!((y[i] - values[i]).abs() <= 4e-16 * values[i].abs(), "{}: {} {}", x[i], y[i], values[i]);
        assert!((slope[i] - slopes[i]).abs() <= 4e-16 * slopes[i].abs(), "{}: {} {}", x[i], slope[i], slopes[i]);
        let square = x[i] * x[i];
        let wanted = if square < 1e30 { 2.0 * (1.0 - square) / (1.0 + square) / (1.0 + square) } else { -2.0 / square };
        assert!(
            (second[i] - wanted).abs() <= 1e-15 * wanted.abs().max(slopes[i].powi(2)),
            "{}: {} {wanted}",
            x[i],
            second[i]
        );
    }
}

/// What the reference has no case of, by hand.
#[test]
fn compositions_have_the_values_of_their_definitions() {
    let x = ndarray::array![[1.0, 0.0, -2.0], [3.0, 0.5, 4.0]];
    let check = |f: fn(Var) -> Var, want: &[f64], slopes: &[f64]| {
        let (outputs, traced) = trace(|| {
            let v = Var::input(0, [2, 3]);
            let y = f(v);
            (y, gradient(y.sum(), &[v])[0])
        })
        .unwrap();
        let program = Program::<f64>::compile(traced.tape(), &[&[outputs.0], &[outputs.1]]);
        let (mut y, mut g) = (vec![0.0; want.len()], vec![0.0; 6]);
        program.evaluate(&mut program.workspace(), &[x.as_slice().unwrap()], &mut [&mut y, &mut g]);
        assert_close("value", &y, want);
        assert_close("gradient", &g, slopes);
    };
    // A product of which one factor is 0 changes with that factor alone.
    check(|x| x.prod_axis(1), &[0.0, 6.0], &[0.0, -2.0, 0.0, 2.0, 12.0, 1.5]);
    check(|x| x.prod(), &[0.0], &[0.0, -12.0, 0.0, 0.0, 0.0, 0.0]);
    // d (a + ab + abc) at (1, 0, -2) and (3, 1/2, 4).
    check(|x| x.cumprod(1), &[1.0, 0.0, 0.0, 3.0, 1.5, 6.0], &[1.0, -1.0, 0.0, 3.5, 15.0, 1.5]);
    // Row means -1/3 and 5/2; the variance's derivatives are 2 (x - mean) / 3.
    let (a, b) = (-1.0 / 3.0, 2.5);
    let v = [(1.0f64 - a).powi(2) + (0.0 - a).powi(2) + (-2.0 - a).powi(2), 0.25 + 4.0 + 2.25].map(|s| s / 3.0);
    let slopes = [1.0 - a, -a, -2.0 - a, 3.0 - b, 0.5 - b, 4.0 - b].map(|d| 2.0 * d / 3.0);
    check(|x| x.variance_axis(1), &v, &slopes);
    let sd = v.map(f64::sqrt);
    let of_sd: Vec<f64> = slopes.iter().enumerate().map(|(i, d)| d / (2.0 * sd[i / 3])).collect();
    check(|x| x.std_axis(-1), &sd, &of_sd);
    check(|x| x.triu(), &[1.0, 0.0, -2.0, 0.0, 0.5, 4.0], &[1.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    check(|x| x.flip(1).slice(1, 0..1), &[-2.0, 4.0], &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    // ln(e^1 + e^3), with weights 1 / (1 + e^2) and the rest.
    let w = 1.0 / (1.0 + 2f64.exp());
    check(
        |x| x.index(0, 0).logaddexp(x.index(0, 1)).slice(0, 0..1),
        &[(1f64.exp() + 3f64.exp()).ln()],
        &[w, 0.0, 0.0, 1.0 - w, 0.0, 0.0],
    );
    // The second row twice and the first: what is looked up gathers derivatives.
    let rows: Vec<f64> = [1, 1, 0].iter().flat_map(|&row| [[1.0, 0.0, -2.0], [3.0, 0.5, 4.0]][row]).collect();
    check(|x| x.lookup(Var::from([1.0, 1.0, 0.0]).expand_dims(1)).squeeze(1), &rows, &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    // The norm of a zero vector has derivative 0 rather than none.
    check(|x| (x * 0.0).norm() + (x * 0.0).std(), &[0.0], &[0.0; 6]);
    check(
        |x| x.gather(1, &[0, 2]).matmul(Var::eye(2)) * Var::one_hot(&[1u8, 0], 2),
        &[0.0, -2.0, 3.0, 0.0],
        &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0],
    );
}
