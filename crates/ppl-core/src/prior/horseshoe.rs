//! The horseshoe and its regularised form.

use ppl_autodiff::{Shape, Var};

use crate::dist::{Distribution, HalfCauchy, InverseGamma, Normal};
use crate::site::{deterministic, sample};

/// Coefficients of which most are almost 0 and few are large: `b = tau l z` with `tau ~ HalfCauchy(global_scale)` for all,
/// `l ~ HalfCauchy(1)` and `z ~ Normal(0, 1)` for each.
///
/// Sites: `{name}_global` (tau), `{name}_local` (l), `{name}_raw` (z), and `{name}`, the coefficients.
///
/// # Shapes
/// `shape` is that of the coefficients; `global_scale` is a number.
///
/// # Source
/// Carvalho, Polson and Scott (2010), Biometrika 97(2). For p0 coefficients out of d that are expected to matter, noise of
/// standard deviation s and n rows: `global_scale = p0 / (d - p0) s / sqrt(n)` (Piironen and Vehtari 2017).
///
/// ```
/// use ppl_core::model::{FnModel, ModelTrace};
/// use ppl_core::prior::horseshoe;
/// let model = FnModel::new("sparse", || horseshoe("b", [5], 0.1));
/// let trace = ModelTrace::unconstrained(&model, &[])?;
/// let names: Vec<&str> = trace.sites().iter().map(|s| s.name.as_str()).collect();
/// assert_eq!(names, ["b_global", "b_local", "b_raw", "b"]);
/// # Ok::<(), ppl_core::ModelError>(())
/// ```
#[track_caller]
pub fn horseshoe(name: &str, shape: impl Into<Shape>, global_scale: impl Into<Var>) -> Var {
    let (scales, raw) = parts(name, shape.into(), global_scale.into());
    deterministic(name, scales * raw)
}

/// A horseshoe whose large coefficients are held by a slab of width c: `b = tau l' z` with
/// `l'^2 = c^2 l^2 / (c^2 + tau^2 l^2)` and `c^2 ~ InverseGamma(slab_df / 2, slab_df slab_scale^2 / 2)`.
///
/// What is far from 0 is shrunk as by a Student t law with `slab_df` degrees of freedom and the scale `slab_scale`, which
/// keeps logistic regressions with separated classes proper and spares samplers the horseshoe's tails.
///
/// Sites: those of [`horseshoe`], and `{name}_slab` (c^2).
///
/// # Source
/// Piironen and Vehtari (2017), Electronic J. Statistics 11(2), section 2.3.
#[track_caller]
pub fn regularized_horseshoe(
    name: &str,
    shape: impl Into<Shape>,
    global_scale: impl Into<Var>,
    slab_scale: impl Into<Var>,
    slab_df: impl Into<Var>,
) -> Var {
    let (slab_scale, half_df) = (slab_scale.into(), 0.5 * slab_df.into());
    let slab = sample(&format!("{name}_slab"), move || InverseGamma::new(half_df, half_df * slab_scale.square()));
    let (scales, raw) = parts(name, shape.into(), global_scale.into());
    // 1 / (1 / c^2 + 1 / (tau l)^2) in logarithms: the half-Cauchy draws reach far.
    let ln_scale = -0.5 * (-slab.ln()).logaddexp(-2.0 * scales.ln());
    deterministic(name, ln_scale.exp() * raw)
}

/// The scales `tau l` and the standard normal numbers.
#[track_caller]
fn parts(name: &str, shape: Shape, global_scale: Var) -> (Var, Var) {
    let global = sample(&format!("{name}_global"), move || HalfCauchy::new(global_scale));
    let axes = shape.rank();
    let of = shape.clone();
    let local = sample(&format!("{name}_local"), move || HalfCauchy::new(1.0).expand(of).to_event(axes));
    let raw = sample(&format!("{name}_raw"), move || Normal::new(0.0, 1.0).expand(shape).to_event(axes));
    (global * local, raw)
}
