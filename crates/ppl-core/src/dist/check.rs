//! Checks of parameters: at once where they are numbers; latent ones make their density not finite instead.

use ppl_autodiff::{Mistake, Shape, Var, mistake};

/// A real number.
#[track_caller]
pub(super) fn real(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "finite", value, f64::is_finite)
}

/// A number or an infinity.
#[track_caller]
pub(super) fn number(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "a number", value, |v| !v.is_nan())
}

/// A positive number.
#[track_caller]
pub(super) fn positive(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "positive and finite", value, |v| v > 0.0 && v.is_finite())
}

/// A number that is not negative.
#[track_caller]
pub(super) fn non_negative(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "at least 0 and finite", value, |v| v >= 0.0 && v.is_finite())
}

/// A number of things.
#[track_caller]
pub(super) fn count(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "an integer from 0 on", value, |v| v >= 0.0 && v.is_finite() && v.fract() == 0.0)
}

/// An integer.
#[track_caller]
pub(super) fn integer(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "an integer", value, |v| v.is_finite() && v.fract() == 0.0)
}

/// Numbers that increase along the last axis.
#[track_caller]
pub(super) fn increasing(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    let value = vector(owner, real(owner, argument, value));
    if let Some(constant) = value.as_constant() {
        let rows = constant.data().chunks(value.dim(-1).max(1));
        let mut pairs = rows.flat_map(|row| row.iter().zip(&row[1..]));
        if let Some((_, &got)) = pairs.find(|(a, b)| b <= a) {
            fail(owner, argument, "increasing", got);
        }
    }
    value
}

/// A probability.
#[track_caller]
pub(super) fn probability(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "between 0 and 1", value, |v| (0.0..=1.0).contains(&v))
}

/// A probability that is neither 0 nor 1.
#[track_caller]
pub(super) fn open_unit(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "between 0 and 1, both excluded", value, |v| v > 0.0 && v < 1.0)
}

/// A correlation that is neither -1 nor 1.
#[track_caller]
pub(super) fn signed_unit(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    check(owner, argument, "between -1 and 1, both excluded", value, |v| v > -1.0 && v < 1.0)
}

/// Probabilities that sum to 1 along the last axis, up to the rounding of numbers typed with a few digits.
#[track_caller]
pub(super) fn probabilities(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    const SLACK: f64 = 1e-6;
    let value = vector(owner, probability(owner, argument, value));
    if let Some(constant) = value.as_constant() {
        let length = constant.shape().last().copied().unwrap_or(1).max(1);
        let mut sums = constant.data().chunks(length).map(|p| p.iter().sum());
        if let Some(got) = sums.find(|sum: &f64| (sum - 1.0).abs() > SLACK) {
            fail(owner, argument, "probabilities with sum 1", got);
        }
    }
    value
}

/// The upper end of an interval.
#[track_caller]
pub(super) fn above(owner: &'static str, argument: &'static str, low: Var, value: impl Into<Var>) -> Var {
    let value = real(owner, argument, value);
    if let (Some(low), Some(high)) = (low.as_constant(), value.as_constant()) {
        let (low, high) = (low.data(), high.data());
        let count = low.len().max(high.len());
        let mut pairs = low.iter().cycle().zip(high.iter().cycle()).take(count);
        // Equal shapes or a number against an array; what else broadcasts is left to the density.
        if [low.len(), high.len()].iter().all(|&n| n == 1 || n == count)
            && let Some((_, &got)) = pairs.find(|(low, high)| high <= low)
        {
            fail(owner, argument, "above the lower end", got);
        }
    }
    value
}

/// A number within an interval, ends included; checked at once where all three are scalars.
#[track_caller]
pub(super) fn within(owner: &'static str, argument: &'static str, low: Var, high: Var, value: impl Into<Var>) -> Var {
    let value = real(owner, argument, value);
    let number = |v: Var| v.as_constant().and_then(|v| v.as_scalar());
    if let (Some(low), Some(got), Some(high)) = (number(low), number(value), number(high))
        && !(low..=high).contains(&got)
    {
        fail(owner, argument, "between the ends", got);
    }
    value
}

/// The lower factor of a positive definite matrix: square, finite, the diagonal positive. What is above is not read.
#[track_caller]
pub(super) fn factor(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    let value = square(owner, value);
    if let Some(constant) = value.as_constant() {
        let n = value.dim(-1).max(1);
        for matrix in constant.data().chunks(n * n) {
            for (i, row) in matrix.chunks(n).enumerate() {
                if let Some(&got) = row[..i].iter().find(|v| !v.is_finite()) {
                    fail(owner, argument, "finite", got);
                }
                if !(row[i] > 0.0 && row[i].is_finite()) {
                    fail(owner, argument, "positive on its diagonal", row[i]);
                }
            }
        }
    }
    value
}

/// A symmetric positive definite matrix.
#[track_caller]
pub(super) fn positive_definite(owner: &'static str, argument: &'static str, value: impl Into<Var>) -> Var {
    let value = square(owner, value);
    if let Some(constant) = value.as_constant() {
        let n = value.dim(-1).max(1);
        for matrix in constant.data().chunks(n * n) {
            if let Some(got) = asymmetry(matrix, n) {
                fail(owner, argument, "symmetric", got);
            } else if let Some(got) = bad_pivot(matrix, n) {
                fail(owner, argument, "positive definite", got);
            }
        }
    }
    value
}

/// An entry above the diagonal that differs from the one below by more than rounding.
fn asymmetry(matrix: &[f64], n: usize) -> Option<f64> {
    let largest = matrix.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i * n + j, j * n + i)));
    let differs = |difference: f64| difference.is_nan() || difference.abs() > 1e-8 * largest;
    pairs.filter(|&(low, up)| differs(matrix[low] - matrix[up])).map(|(_, up)| matrix[up]).next()
}

/// The first pivot of the Cholesky factorisation that is not positive.
fn bad_pivot(matrix: &[f64], n: usize) -> Option<f64> {
    let mut l = matrix.to_vec();
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = l[i * n + j] - dot;
            if i == j && !(rest > 0.0 && rest.is_finite()) {
                return Some(rest);
            }
            l[i * n + j] = if i == j { rest.sqrt() } else { rest / l[j * n + j] };
        }
    }
    None
}

/// An array with at least one axis.
#[track_caller]
pub(super) fn vector(owner: &'static str, value: Var) -> Var {
    if value.rank() == 0 {
        shapes(owner, value, "a vector [.., n] is needed");
        return value.expand_dims(0);
    }
    value
}

#[track_caller]
fn square(owner: &'static str, value: impl Into<Var>) -> Var {
    let value = value.into();
    match value.shape()[..] {
        [.., rows, columns] if rows == columns => value,
        _ => {
            shapes(owner, value, "square matrices [.., n, n] are needed");
            Var::from(1.0).reshape([1, 1])
        }
    }
}

#[track_caller]
fn shapes(operation: &'static str, value: Var, rule: &'static str) {
    let shapes: Vec<Shape> = vec![value.shape()];
    mistake(Mistake::Shapes { operation, shapes, rule });
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
        fail(owner, argument, wanted, got);
    }
    value
}

#[track_caller]
pub(super) fn fail(owner: &'static str, argument: &'static str, wanted: &'static str, got: f64) {
    mistake(Mistake::Argument { owner: owner.to_owned(), argument, wanted, got });
}
