//! Transforms, their log-determinants and derivatives against values computed with 60 digits (mpmath), far out in the
//! tails included.

use ppl_autodiff::{Program, Tensor, Var, gradient, trace};
use ppl_core::transform::*;
use serde_json::Value;

/// Rounding errors allowed, in units of `2^-52` times the size of what is computed.
const UNITS: f64 = 64.0;

fn flatten(v: &Value, out: &mut Vec<f64>) -> Vec<usize> {
    let Value::Array(parts) = v else {
        out.push(v.as_f64().unwrap());
        return vec![];
    };
    let mut shape = vec![parts.len()];
    for (i, part) in parts.iter().enumerate() {
        let inner = flatten(part, out);
        if i == 0 {
            shape.extend(inner);
        }
    }
    shape
}

fn tensor(v: &Value) -> Tensor {
    let mut data = Vec::new();
    let shape = flatten(v, &mut data);
    Tensor::new(shape, data).unwrap()
}

fn build(case: &Value) -> Box<dyn Transform> {
    let parameter = |name: &str| Var::from(case["params"][name].as_f64().unwrap());
    match case["transform"].as_str().unwrap() {
        "tanh" => Box::new(Tanh),
        "simplex_alr_softmax" => Box::new(AdditiveLogRatio),
        "simplex_pymc" => Box::new(CenteredLogRatio),
        "zero_sum_householder" => Box::new(ZeroSumHouseholder),
        "lower_cholesky_softplus" => Box::new(LowerCholeskySoftplus),
        "circular" => Box::new(Circular),
        "exp" => Box::new(Exp),
        "interval" => Box::new(Interval::new(parameter("lower"), parameter("upper"))),
        "softplus" => Box::new(Softplus),
        "affine" => Box::new(Affine::new(parameter("loc"), parameter("scale"))),
        "ordered" => Box::new(Ordered),
        "positive_ordered" => Box::new(PositiveOrdered),
        "simplex_ilr" => Box::new(IsometricLogRatio),
        "zero_sum" => Box::new(ZeroSum),
        "unit_vector" => Box::new(UnitVector),
        "corr_matrix" => Box::new(CorrelationMatrix),
        "lower_cholesky_exp" => Box::new(LowerCholesky),
        "cov_matrix" => Box::new(CovarianceMatrix),
        "lower_bound" => Box::new(Lower::new(parameter("lower"))),
        "upper_bound" => Box::new(Upper::new(parameter("upper"))),
        "simplex_stick_breaking" => Box::new(StickBreaking),
        "cholesky_corr" => Box::new(CorrelationCholesky),
        name => panic!("no transform for {name}"),
    }
}

#[test]
fn values_log_determinants_and_derivatives_have_all_digits() {
    let file: Value = serde_json::from_str(include_str!("reference/transforms.json")).unwrap();
    let (mut checked, mut wrong, mut worst) = (0, Vec::new(), 0.0f64);
    for case in file["cases"].as_array().unwrap() {
        let at = tensor(&case["x"]);
        let (outputs, traced) = trace(|| {
            let transform = build(case);
            let x = Var::input(0, at.shape());
            let y = transform.forward(x);
            // The file's cotangent: (-1)^i (i + 1) / 7 over the elements, row by row.
            let n = y.shape().size();
            let weight = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 } * (i + 1) as f64 / 7.0;
            let weights = Tensor::new(y.shape(), (0..n).map(weight).collect::<Vec<_>>()).unwrap();
            let log_det = transform.log_det(x, y);
            let weighted = (y * Var::from(weights)).sum();
            let slope = gradient(log_det.sum(), &[x])[0];
            [y, log_det, slope, gradient(weighted, &[x])[0]]
        })
        .unwrap();
        checked += 1;
        let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
        let program = Program::<f64>::compile(traced.tape(), &slots);
        let mut got: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
        let mut places: Vec<&mut [f64]> = got.iter_mut().map(|v| &mut v[..]).collect();
        program.evaluate(&mut program.workspace(), &[at.data()], &mut places);
        // The derivatives of tanh, 1 - tanh^2, and of a softmax are right to 2^-52 but have no digits of their own where
        // they are as small.
        let rounded = ["tanh", "cholesky_corr", "corr_matrix", "simplex_ilr", "simplex_alr_softmax", "simplex_pymc"];
        let floor = if rounded.iter().any(|&name| case["transform"] == name) { 1.0 } else { 0.0 };
        let condition = case["cond_logdet"].as_f64().unwrap();
        let steepest = at.data().iter().fold(1.0f64, |m, x| m.max(x.abs()));
        for (name, got) in ["y", "logdet", "dlogdet", "vjp"].into_iter().zip(got) {
            let want = tensor(&case[name]);
            let largest = want.data().iter().fold(0.0f64, |m, w| m.max(w.abs()));
            for (i, (&g, &w)) in got.iter().zip(want.data()).enumerate() {
                // An element of y is the exponential of numbers of the size of x: it has as many units. Its log-determinant
                // has a condition number in the file; slopes are sums of terms of size 1.
                let size = match name {
                    "logdet" => condition,
                    "dlogdet" => largest.max(1.0),
                    "y" => w.abs() * steepest,
                    _ => w.abs().max(floor) * steepest,
                };
                let unit = f64::EPSILON * size + 1e-323;
                let units = (g - w).abs() / unit;
                if g != w {
                    worst = worst.max(units);
                }
                if g != w && (units.is_nan() || units > UNITS) {
                    let (transform, x) = (&case["transform"], &case["x"]);
                    wrong.push(format!("{transform} at {x}, {name}[{i}]: {g:e} instead of {w:e}, {units:.3e} units"));
                }
            }
        }
    }
    println!("{checked} points of transforms met; largest error {worst:.1} units");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(checked, 76);
}
