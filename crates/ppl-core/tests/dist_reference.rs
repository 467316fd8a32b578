//! Log-densities and their derivatives against values computed with 60 digits (mpmath), extreme points included.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ppl_autodiff::{Program, Tensor, Var, gradient, trace};
use ppl_core::Distribution;
use ppl_core::dist::*;
use serde_json::Value;

/// A backward-stable evaluation errs by about 10 units of `2^-52 * condition`; this many are allowed.
const UNITS: f64 = 64.0;

fn number(v: &Value) -> f64 {
    match v {
        Value::String(s) => s.parse().unwrap(),
        v => v.as_f64().unwrap(),
    }
}

fn flatten(v: &Value, out: &mut Vec<Option<f64>>) -> Vec<usize> {
    match v {
        Value::Array(parts) => {
            let shapes: Vec<_> = parts.iter().map(|p| flatten(p, out)).collect();
            let mut shape = vec![parts.len()];
            shape.extend_from_slice(&shapes[0]);
            shape
        }
        Value::Null => {
            out.push(None);
            vec![]
        }
        v => {
            out.push(Some(number(v)));
            vec![]
        }
    }
}

fn tensor(v: &Value) -> Tensor {
    let mut data = Vec::new();
    let shape = flatten(v, &mut data);
    let data: Vec<f64> = data.into_iter().map(Option::unwrap).collect();
    Tensor::new(shape, data).unwrap()
}

/// The distribution of a case.
fn build(case: &Value, p: impl Fn(&str) -> Var) -> Box<dyn Distribution> {
    let total = || tensor(&case["value"]).data().iter().sum::<f64>();
    let length = || case["value"].as_array().unwrap().len();
    match case["dist"].as_str().unwrap() {
        "TruncatedGamma" => Box::new(Truncated::new(Gamma::new(p("concentration"), p("rate")), p("low"), p("high"))),
        "CensoredNormal" => {
            let normal = Normal::new(p("loc"), p("scale"));
            match case["params"]["lower"].is_null() {
                true => Box::new(Censored::right(normal, p("upper"))),
                false => Box::new(Censored::new(normal, p("lower"), p("upper"))),
            }
        }
        "IntervalCensoredNormal" => {
            Box::new(IntervalCensored::new(Normal::new(p("loc"), p("scale")), p("low"), p("high")))
        }
        "Geometric1" => Box::new(Geometric::trials(p("probs"))),
        "OrderedProbit" => Box::new(OrderedProbit::scaled(p("eta"), p("cutpoints"), p("sigma"))),
        "DiscreteWeibull" => Box::new(DiscreteWeibull::new(p("q"), p("beta"))),
        "CAR" => Box::new(CAR::new(p("loc"), p("correlation"), p("conditional_precision"), p("adj_matrix"))),
        "StickBreakingWeights" => Box::new(StickBreakingWeights::new(p("alpha"), length())),
        "TruncatedNormal" => Box::new(TruncatedNormal::new(p("loc"), p("scale"), p("low"), p("high"))),
        "LeftTruncatedNormal" => Box::new(TruncatedNormal::left(p("loc"), p("scale"), p("low"))),
        "HalfStudentT" => Box::new(HalfStudentT::new(p("df"), p("scale"))),
        "Laplace" => Box::new(Laplace::new(p("loc"), p("scale"))),
        "AsymmetricLaplace" => Box::new(AsymmetricLaplace::new(p("loc"), p("scale"), p("asymmetry"))),
        "Logistic" => Box::new(Logistic::new(p("loc"), p("scale"))),
        "Gumbel" => Box::new(Gumbel::new(p("loc"), p("scale"))),
        "Weibull" => Box::new(Weibull::new(p("scale"), p("concentration"))),
        "Chi2" => Box::new(Chi2::new(p("df"))),
        "Kumaraswamy" => Box::new(Kumaraswamy::new(p("concentration1"), p("concentration0"))),
        "Pareto" => Box::new(Pareto::new(p("scale"), p("alpha"))),
        "LogUniform" => Box::new(LogUniform::new(p("low"), p("high"))),
        "VonMises" => Box::new(VonMises::new(p("loc"), p("concentration"))),
        "SkewNormal" => Box::new(SkewNormal::new(p("mu"), p("sigma"), p("alpha"))),
        "ExGaussian" => Box::new(ExGaussian::new(p("mu"), p("sigma"), p("nu"))),
        "Wald" => Box::new(InverseGaussian::new(p("mu"), p("lam"))),
        "Triangular" => Box::new(Triangular::new(p("lower"), p("c"), p("upper"))),
        "LogitNormal" => Box::new(LogitNormal::new(p("mu"), p("sigma"))),
        "Rice" => Box::new(Rice::new(p("nu"), p("sigma"))),
        "Moyal" => Box::new(Moyal::new(p("mu"), p("sigma"))),
        "Levy" => Box::new(Levy::new(p("loc"), p("scale"))),
        "Gompertz" => Box::new(Gompertz::new(p("concentration"), p("rate"))),
        "Normal" => Box::new(Normal::new(p("loc"), p("scale"))),
        "HalfNormal" => Box::new(HalfNormal::new(p("scale"))),
        "LogNormal" => Box::new(LogNormal::new(p("loc"), p("scale"))),
        "Cauchy" => Box::new(Cauchy::new(p("loc"), p("scale"))),
        "HalfCauchy" => Box::new(HalfCauchy::new(p("scale"))),
        "StudentT" => Box::new(StudentT::new(p("df"), p("loc"), p("scale"))),
        "Exponential" => Box::new(Exponential::new(p("rate"))),
        "Gamma" => Box::new(Gamma::new(p("concentration"), p("rate"))),
        "InverseGamma" => Box::new(InverseGamma::new(p("concentration"), p("rate"))),
        "Beta" => Box::new(Beta::new(p("concentration1"), p("concentration0"))),
        "Uniform" => Box::new(Uniform::new(p("low"), p("high"))),
        "Bernoulli_probs" => Box::new(Bernoulli::new(p("probs"))),
        "Bernoulli_logits" => Box::new(Bernoulli::logits(p("logits"))),
        "Binomial_probs" => Box::new(Binomial::new(p("total_count"), p("probs"))),
        "Binomial_logits" => Box::new(Binomial::logits(p("total_count"), p("logits"))),
        "Categorical_probs" => Box::new(Categorical::new(p("probs"))),
        "Categorical_logits" => Box::new(Categorical::logits(p("logits"))),
        "Poisson" => Box::new(Poisson::new(p("rate"))),
        "Poisson_log" => Box::new(Poisson::log_rate(p("log_rate"))),
        "MultivariateNormal_scale_tril" => Box::new(MultivariateNormal::scale_tril(p("loc"), p("scale_tril"))),
        "MultivariateNormal_covariance" => Box::new(MultivariateNormal::covariance(p("loc"), p("covariance_matrix"))),
        "MultivariateNormal_precision" => Box::new(MultivariateNormal::precision(p("loc"), p("precision_matrix"))),
        "Dirichlet" => Box::new(Dirichlet::new(p("concentration"))),
        "BetaBinomial" => Box::new(BetaBinomial::new(p("total_count"), p("concentration1"), p("concentration0"))),
        "NegativeBinomial2" => Box::new(NegativeBinomial::new(p("mean"), p("concentration"))),
        "NegativeBinomial_logits" => Box::new(NegativeBinomial::logits(p("total_count"), p("logits"))),
        "GammaPoisson" => Box::new(GammaPoisson::new(p("concentration"), p("rate"))),
        "Geometric0" => Box::new(Geometric::new(p("probs"))),
        "DiscreteUniform" => Box::new(DiscreteUniform::new(p("low"), p("high"))),
        "OrderedLogistic" => Box::new(OrderedLogistic::new(p("predictor"), p("cutpoints"))),
        "HyperGeometric" => Box::new(HyperGeometric::new(p("N"), p("k"), p("n"))),
        "ZeroInflatedPoisson" => Box::new(ZeroInflated::new(p("gate"), Poisson::new(p("rate")))),
        "ZeroInflatedPoisson_logits" => Box::new(ZeroInflated::logits(p("gate_logits"), Poisson::new(p("rate")))),
        "ZeroInflatedNegativeBinomial2" => {
            Box::new(ZeroInflated::new(p("gate"), NegativeBinomial::new(p("mean"), p("concentration"))))
        }
        "ZeroInflatedBinomial" => Box::new(ZeroInflated::new(p("gate"), Binomial::new(p("total_count"), p("probs")))),
        "HurdlePoisson" => Box::new(HurdlePoisson::new(p("gate"), p("rate"))),
        "Multinomial_probs" => Box::new(Multinomial::new(total(), p("probs"))),
        "Multinomial_logits" => Box::new(Multinomial::logits(total(), p("logits"))),
        "DirichletMultinomial" => Box::new(DirichletMultinomial::new(total(), p("concentration"))),
        "MultivariateStudentT" => Box::new(MultivariateStudentT::new(p("df"), p("loc"), p("scale_tril"))),
        "LowRankMultivariateNormal" => {
            Box::new(LowRankMultivariateNormal::new(p("loc"), p("cov_factor"), p("cov_diag")))
        }
        "MatrixNormal" => Box::new(MatrixNormal::new(p("loc"), p("scale_tril_row"), p("scale_tril_column"))),
        "ZeroSumNormal" => Box::new(ZeroSumNormal::new(p("scale"), length())),
        "GaussianRandomWalk" => Box::new(GaussianRandomWalk::new(p("scale"), length())),
        "GaussianRandomWalk_drift" => {
            Box::new(GaussianRandomWalk::drifting(p("mu"), p("sigma"), p("init_mu"), p("init_sigma"), length()))
        }
        "AR" => Box::new(AutoRegressive::new(p("constant"), p("rho"), p("sigma"), p("init_sigma"), length())),
        "LKJ" => Box::new(LKJ::new(length(), p("concentration"))),
        "NormalMixture" => Box::new(Mixture::logits(p("logits"), Normal::new(p("loc"), p("scale")))),
        "Wishart" => Box::new(Wishart::new(p("concentration"), p("scale_matrix"))),
        "InverseWishart" => Box::new(InverseWishart::new(p("concentration"), p("scale_matrix"))),
        "LKJCholesky" => Box::new(LKJCholesky::new(length(), p("concentration"))),
        name => panic!("no distribution for {name}"),
    }
}

/// A log-density and its derivatives by name.
type Evaluated = (f64, Vec<(String, Vec<f64>)>);

/// The log-density and the derivatives by what has any: `("dvalue", ..)` or `(parameter, ..)`. The program gets what is
/// differentiated as inputs, or, with `constant`, everything as numbers.
fn evaluate(case: &Value, constant: bool) -> Evaluated {
    let inputs: RefCell<Vec<f64>> = RefCell::default();
    let (outputs, traced) = trace(|| {
        let wanted: RefCell<Vec<(String, Var)>> = RefCell::default();
        let enter = |name: &str, value: &Value, differentiable: bool| {
            let value = tensor(value);
            if constant || !differentiable {
                return Var::from(value);
            }
            inputs.borrow_mut().extend(value.data());
            let var = Var::input(0, value.shape());
            wanted.borrow_mut().push((name.to_owned(), var));
            var
        };
        let parameter = |name: &str| enter(name, &case["params"][name], !case["dparams"][name].is_null());
        let distribution = build(case, parameter);
        let x = enter("dvalue", &case["value"], !case["dvalue"].is_null());
        let log_prob = distribution.log_prob(x);
        let wanted = wanted.into_inner();
        let vars: Vec<Var> = wanted.iter().map(|(_, v)| *v).collect();
        let derivatives = gradient(log_prob, &vars);
        let names = wanted.into_iter().map(|(n, _)| n);
        (log_prob, names.zip(derivatives).collect::<Vec<_>>())
    })
    .unwrap();
    let (log_prob, derivatives) = outputs;
    let vars: Vec<Var> = derivatives.iter().map(|(_, v)| *v).collect();
    let program = Program::<f64>::compile(traced.tape(), &[&[log_prob], &vars]);
    let (mut value, mut flat) = ([0.0], vec![0.0; program.output_lengths()[1]]);
    program.evaluate(&mut program.workspace(), &[&inputs.into_inner()], &mut [&mut value, &mut flat]);
    let mut rest = &flat[..];
    let lengths = |name: &str| {
        let source = if name == "dvalue" { &case["value"] } else { &case["params"][name] };
        tensor(source).data().len()
    };
    let parts = derivatives.into_iter().map(|(name, _)| {
        let (head, tail) = rest.split_at(lengths(&name));
        rest = tail;
        (name, head.to_vec())
    });
    let parts: Vec<_> = parts.collect();
    (value[0], parts)
}

/// The largest error in units, and what is wrong with it; `None` if all is well.
fn compare(got: &[f64], want: &Value, condition: &Value, worst: &mut f64) -> Option<String> {
    let (mut wants, mut conditions) = (Vec::new(), Vec::new());
    flatten(want, &mut wants);
    flatten(condition, &mut conditions);
    let wants: Vec<f64> = wants.into_iter().map(Option::unwrap).collect();
    let largest = wants.iter().fold(0.0f64, |m, w| m.max(w.abs()));
    assert_eq!(got.len(), wants.len());
    for (i, (&g, &w)) in got.iter().zip(&wants).enumerate() {
        if g == w {
            continue;
        }
        // Where the file has no condition number it prescribes 1e-12 relative.
        let unit = match conditions.get(i).copied().flatten() {
            Some(c) => f64::EPSILON * c + 1e-300 / UNITS,
            None => 1e-12 / UNITS * (w.abs() + largest),
        };
        let units = (g - w).abs() / unit;
        *worst = worst.max(units);
        if units.is_nan() || units > UNITS {
            return Some(format!("[{i}] {g:e} instead of {w:e}, {units:.3e} units"));
        }
    }
    None
}

/// A covariance enters through its lower triangle: the file's entry-wise derivative is symmetric, ours may be shared
/// between mirror entries in another way.
fn symmetric(case: &Value, name: &str, flat: Vec<f64>) -> Vec<f64> {
    let matrix = name == "dvalue" && ["LKJ", "Wishart", "InverseWishart"].iter().any(|&d| case["dist"] == d);
    if !matrix && !matches!(name, "covariance_matrix" | "precision_matrix" | "scale_matrix") {
        return flat;
    }
    let n = flat.len().isqrt();
    let mirror = |i: usize| (i % n) * n + i / n;
    (0..n * n).map(|i| 0.5 * (flat[i] + flat[mirror(i)])).collect()
}

#[test]
fn log_densities_and_derivatives_have_all_digits() {
    let file: Value = serde_json::from_str(include_str!("reference/distributions.json")).unwrap();
    let (mut checked, mut hard, mut wrong, mut worst) = (0, 0, Vec::new(), BTreeMap::<String, f64>::new());
    for case in file["cases"].as_array().unwrap() {
        let (log_prob, derivatives) = evaluate(case, false);
        checked += 1;
        hard += usize::from(!case["hard"].is_null());
        let worst = worst.entry(case["dist"].to_string()).or_default();
        let mut complain = |what: &str, problem: Option<String>| {
            if let Some(problem) = problem {
                let (dist, params, value) = (&case["dist"], &case["params"], &case["value"]);
                wrong.push(format!("{dist} {params} at {value}, {what}: {problem}"));
            }
        };
        complain("log_prob", compare(&[log_prob], &case["logp"], &case["cond_logp"], worst));
        let (as_constant, _) = evaluate(case, true);
        let problem = compare(&[as_constant], &case["logp"], &case["cond_logp"], worst);
        complain("log_prob of constants", problem);
        for (name, flat) in derivatives {
            let (want, condition) = match name.as_str() {
                "dvalue" => (&case["dvalue"], &case["cond_dvalue"]),
                name => (&case["dparams"][name], &case["cond_dparams"][name]),
            };
            if case["dist"] == "StickBreakingWeights" && name == "dvalue" {
                // Along the simplex: the file's formula takes what is left from the first weights, ours from the last.
                let (last, mut wants) = (flat[flat.len() - 1], vec![]);
                flatten(want, &mut wants);
                let flat: Vec<f64> = flat.iter().map(|g| g - last + wants[wants.len() - 1].unwrap()).collect();
                complain(&name, compare(&flat, want, condition, worst));
                continue;
            }
            complain(&name, compare(&symmetric(case, &name, flat), want, condition, worst));
        }
    }
    let (name, largest) = worst.iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    println!("{checked} points of distributions met, {hard} of them hard; largest error {largest:.1} units: {name}");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((checked, hard), (304, 37));
}
