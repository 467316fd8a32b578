//! The R2D2 prior: how much is explained, and by which coefficients.

use ppl_autodiff::Var;

use crate::dist::{Beta, Dirichlet, Distribution, Normal};
use crate::site::{deterministic, sample};

/// Coefficients of standardised columns by the share of variance that they explain together:
/// `R^2 ~ Beta::mean_precision(mean_r2, precision)`, shares `phi ~ Dirichlet(concentration, ..)` and
/// `b_k ~ Normal(0, s sqrt(phi_k R^2 / (1 - R^2)))`, s the standard deviation of the noise.
///
/// A concentration below 1 gives most of what is explained to few coefficients.
///
/// Sites: `{name}_r2`, `{name}_shares` (phi), `{name}_raw` (standard normal numbers), and `{name}`, the coefficients.
///
/// # Shapes
/// `count` coefficients, a vector; `noise_scale` and the other parameters are numbers.
///
/// # Source
/// Zhang, Naughton, Bondell and Reich (2022), JASA 117(538); PyMC-extras `R2D2M2CP`.
///
/// ```
/// use ppl_core::dist::HalfNormal;
/// use ppl_core::model::{FnModel, ModelTrace};
/// use ppl_core::prior::r2d2;
/// use ppl_core::sample;
/// let model = FnModel::new("regression", || {
///     let noise = sample("noise", || HalfNormal::new(1.0));
///     r2d2("b", 4, noise, 0.5, 4.0, 0.5);
/// });
/// assert_eq!(ModelTrace::unconstrained(&model, &[])?.sites().len(), 5);
/// # Ok::<(), ppl_core::ModelError>(())
/// ```
#[track_caller]
pub fn r2d2(
    name: &str,
    count: usize,
    noise_scale: impl Into<Var>,
    mean_r2: impl Into<Var>,
    precision: impl Into<Var>,
    concentration: impl Into<Var>,
) -> Var {
    let (noise_scale, concentration) = (noise_scale.into(), concentration.into());
    let (mean_r2, precision) = (mean_r2.into(), precision.into());
    let r2 = sample(&format!("{name}_r2"), move || Beta::mean_precision(mean_r2, precision));
    let shares = sample(&format!("{name}_shares"), move || Dirichlet::new(concentration.broadcast_to([count])));
    let raw = sample(&format!("{name}_raw"), move || Normal::new(0.0, 1.0).expand([count]).to_event(1));
    let total = noise_scale * (r2 / (1.0 - r2)).sqrt();
    deterministic(name, total * shares.sqrt() * raw)
}
