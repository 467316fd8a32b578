//! Special functions and their derivatives against values computed with 60 digits (mpmath).

use ppl_autodiff::{Program, Var, gradient, trace};
use ppl_core::special::*;
use serde_json::Value;

/// Rounding errors allowed, in units of `2^-52` times the condition number of the value.
const UNITS: f64 = 64.0;

fn number(v: &Value) -> f64 {
    v.as_f64().unwrap_or_else(|| v.as_str().unwrap().parse().unwrap())
}

fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(number).collect()
}

fn apply(name: &str, x: &[Var]) -> Var {
    match name {
        "lgamma" => x[0].lgamma(),
        "digamma" => x[0].digamma(),
        "trigamma" => x[0].trigamma(),
        "erf" => x[0].erf(),
        "erfc" => x[0].erfc(),
        "erfcx" => x[0].erfcx(),
        "log_ndtr" => x[0].log_ndtr(),
        "ndtri" => x[0].ndtri(),
        "i0e" => x[0].i0e(),
        "i1e" => x[0].i1e(),
        "log1mexp" => x[0].log1mexp(),
        "logaddexp" => x[0].logaddexp(x[1]),
        "softplus" => x[0].softplus(),
        "sigmoid" => x[0].sigmoid(),
        "log1p" => x[0].ln_1p(),
        "expm1" => x[0].exp_m1(),
        "lbeta" => lbeta(x[0], x[1]),
        "stirling_correction" => stirling(x[0]),
        "lgamma_delta" => lgamma_delta(x[0], x[1]),
        "bd0" => poisson_deviance(x[0], x[1]),
        "log_i0" => ln_i0(x[0]),
        "ndtr" => ndtr(x[0]),
        "log_ndtr_diff" => log_ndtr_diff(x[0], x[1]),
        "logit" => logit(x[0]),
        "log_sigmoid" => log_sigmoid(x[0]),
        "softplus_inverse" => softplus_inverse(x[0]),
        "logsubexp" => logsubexp(x[0], x[1]),
        "lmvgamma_d3" => lmvgamma(x[0], 3),
        "xlogy" => xlogy(x[0], x[1]),
        "xlog1py" => xlog1py(x[0], x[1]),
        "gammainc_P" => gamma_inc(x[0], x[1]),
        "gammainc_Q" => gamma_inc_c(x[0], x[1]),
        "betainc" => beta_inc(x[0], x[1], x[2]),
        _ => panic!("no function for {name}"),
    }
}

/// The value of a function of numbers and its derivatives.
fn evaluate(x: &[f64], f: impl Fn(&[Var]) -> Var) -> Vec<f64> {
    let (outputs, traced) = trace(|| {
        let x: Vec<Var> = x.iter().map(|_| Var::input(0, ())).collect();
        let y = f(&x);
        [vec![y], gradient(y, &x)].concat()
    })
    .unwrap();
    let slots: Vec<&[Var]> = outputs.iter().map(std::slice::from_ref).collect();
    let program = Program::<f64>::compile(traced.tape(), &slots);
    let mut got = vec![[0.0]; slots.len()];
    let mut places: Vec<&mut [f64]> = got.iter_mut().map(|g| &mut g[..]).collect();
    program.evaluate(&mut program.workspace(), &[x], &mut places);
    got.concat()
}

/// Values to 64 units of `2^-52 * condition`. A derivative by x has the relative condition of the value, plus what that
/// allows a difference of values, `condition / |x|`.
#[test]
fn values_and_derivatives_have_all_digits() {
    let file: Value =
        serde_json::from_str(include_str!("../../ppl-autodiff/tests/reference/special_functions.json")).unwrap();
    let (mut met, mut worst, mut wrong) = (0, (0.0, String::new()), Vec::new());
    for case in file["cases"].as_array().unwrap() {
        let name = case["f"].as_str().unwrap();
        let (x, want, slopes) = (numbers(&case["x"]), number(&case["y"]), numbers(&case["dy"]));
        let condition = number(&case["cond"]).min(1e300);
        let got = evaluate(&x, |x| apply(name, x));
        let relative = (condition / want.abs()).clamp(1.0, 2e3);
        let sizes = x.iter().zip(&slopes).map(|(x, s)| s.abs() * relative + (condition / x.abs()).min(1e300));
        let sizes = std::iter::once(condition).chain(sizes);
        for (i, ((got, want), size)) in
            got.iter().zip(std::iter::once(want).chain(slopes.clone())).zip(sizes).enumerate()
        {
            if *got == want {
                continue;
            }
            let units = (got - want).abs() / (f64::EPSILON * size + 1e-300 / UNITS);
            if units > worst.0 {
                worst = (units, format!("{name}({x:?}), place {i}"));
            }
            if units.is_nan() || units > UNITS {
                wrong.push(format!("{name}({x:?})[{i}] = {got:e}, not {want:e}: {units:.3e} units"));
            }
        }
        met += 1;
    }
    println!(
        "{met} points of special functions met; largest error {:.2} units of 2^-52 condition: {}",
        worst.0, worst.1
    );
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(met, 281);
}
