//! Priors of several sites: the coefficients are what their formulas say, whatever the point.

use ppl_autodiff::{Program, Var};
use ppl_core::model::{FnModel, ModelTrace};
use ppl_core::prior::{horseshoe, r2d2, regularized_horseshoe};

/// The values of all sites, in order, at an unconstrained point.
fn sites(model: &FnModel<fn()>, point: &[f64]) -> Vec<Vec<f64>> {
    let trace = ModelTrace::unconstrained(model, &[]).unwrap();
    let (values, trace) = trace.extend(|sites| sites.iter().map(|s| s.value).collect::<Vec<Var>>()).unwrap();
    let slots: Vec<&[Var]> = values.iter().map(std::slice::from_ref).collect();
    let program = Program::<f64>::compile(trace.traced().tape(), &slots);
    let mut out: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
    let mut places: Vec<&mut [f64]> = out.iter_mut().map(|v| &mut v[..]).collect();
    program.evaluate(&mut program.workspace(), &[point], &mut places);
    out
}

fn assert_close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= 1e-13 * w.abs().max(1e-300), "{got:?}, not {want:?}");
    }
}

#[test]
fn a_horseshoe_is_the_product_of_its_parts() {
    let model: FnModel<fn()> = FnModel::new("sparse", || {
        horseshoe("b", [3], 0.1);
    });
    let out = sites(&model, &[-2.0, 0.3, 5.0, -1.0, 0.7, -1.1, 2.0]);
    let (tau, local, raw) = ((-2f64).exp(), [0.3f64, 5.0, -1.0].map(f64::exp), [0.7, -1.1, 2.0]);
    let want: Vec<f64> = local.iter().zip(raw).map(|(l, z)| tau * l * z).collect();
    assert_close(&out[3], &want);
}

/// Between a horseshoe and a ridge: small scales stay, large ones end at the slab, however large.
#[test]
fn a_slab_holds_what_is_large() {
    let model: FnModel<fn()> = FnModel::new("sparse", || {
        regularized_horseshoe("b", [3], 0.1, 2.0, 4.0);
    });
    let c2 = 0.4f64.exp();
    let out = sites(&model, &[0.4, -2.0, -20.0, 1.0, 500.0, 0.7, -1.1, 2.0]);
    let scale = |u: f64| {
        let square = (2.0 * (u - 2.0)).exp();
        if square.is_finite() { (c2 * square / (c2 + square)).sqrt() } else { c2.sqrt() }
    };
    assert_close(&out[4], &[0.7 * scale(-20.0), -1.1 * scale(1.0), 2.0 * scale(500.0)]);
}

/// The variance that coefficients explain beside that of the noise is `R^2 / (1 - R^2)`, shared out.
#[test]
fn r2d2_shares_out_what_is_explained() {
    let model: FnModel<fn()> = FnModel::new("regression", || {
        r2d2("b", 3, 1.5, 0.5, 4.0, 0.5);
    });
    let out = sites(&model, &[0.8, 0.3, -0.4, 1.0, 1.0, 1.0]);
    let r2 = 1.0 / (1.0 + (-0.8f64).exp());
    let variance: f64 = out[3].iter().map(|b| b * b).sum();
    assert!((variance - 1.5f64.powi(2) * r2 / (1.0 - r2)).abs() < 1e-13, "{variance}");
    let ratio = out[3][0] / out[3][1];
    assert!((ratio * ratio - out[1][0] / out[1][1]).abs() < 1e-13, "{ratio}");
}
