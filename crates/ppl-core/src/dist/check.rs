//! Checks of parameters: at once where they are numbers; latent ones make their density not finite instead.

use ppl_autodiff::{Mistake, Var, mistake};

/// A real number.
#[track_caller]
pub(super) fn real(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "finite", value, f64::is_finite)
}

/// A positive number.
#[track_caller]
pub(super) fn positive(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "positive and finite", value, |v| v > 0.0 && v.is_finite())
}

/// A probability.
#[track_caller]
pub(super) fn probability(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "between 0 and 1", value, |v| (0.0..=1.0).contains(&v))
}

#[track_caller]
fn check(
    owner: &'static str,
    argument: &'static str,
    wanted: &'static str,
    value: impl Into<Var>,
    fits: impl Fn(f64) -> bool,
) -> Var {
    let value = value.into();
    if let Some(constant) = value.as_constant()
        && let Some(&got) = constant.data().iter().find(|&&v| !fits(v))
    {
        mistake(Mistake::Argument { owner: owner.to_owned(), argument, wanted, got });
    }
    value
}
