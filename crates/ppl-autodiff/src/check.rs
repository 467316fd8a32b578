//! A gradient checker for plain functions: directional and coordinate-wise differences at several step sizes.

use thiserror::Error;

use crate::error::TraceError;
use crate::function::Function;
use crate::random::{Philox, Purpose};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::var::Var;

/// Why a gradient check failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The function could not be traced.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The value or the gradient is not finite at the point.
    #[error("value {value} or gradient {gradient:?} is not finite at {x:?}")]
    NotFinite {
        /// The point.
        x: Vec<f64>,
        /// The value there.
        value: f64,
        /// The gradient there.
        gradient: Vec<f64>,
    },
    /// A derivative that differences do not confirm at any step size.
    #[error(
        "derivative in direction {direction}: {got:e} by the adjoint, {want:e} by differences at {x:?}; \
         a tolerance of {passes:e} would have passed"
    )]
    Derivative {
        /// `"coordinate i"` or `"random"`.
        direction: String,
        /// By the adjoint.
        got: f64,
        /// By the step size that comes nearest.
        want: f64,
        /// The smallest relative tolerance that would have passed.
        passes: f64,
        /// The point.
        x: Vec<f64>,
    },
}

/// Steps relative to the size of a coordinate; the best of them counts, since truncation and rounding errors cross
/// somewhere between.
const STEPS: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-5];
/// Coordinates that are checked one by one; beyond that many, random directions do the rest.
const COORDINATES: usize = 16;
const DIRECTIONS: u32 = 4;

/// Compares the gradient of `f` at `x` with fourth-order central differences, along single coordinates and random
/// directions, at several step sizes. The tolerance is relative to the larger of the derivative, the value and 1.
///
/// ```
/// use ppl_autodiff::{Var, check::check_gradient};
/// use ndarray::array;
/// check_gradient(|x: Var| (x.tanh() * x).sum(), &array![0.3, -1.2], 1e-8).unwrap();
/// ```
///
/// # Errors
/// [`CheckError::Derivative`] with the tolerance that would have passed, or why nothing could be compared.
pub fn check_gradient(f: impl Fn(Var) -> Var, x: impl Into<Tensor>, tolerance: f64) -> Result<(), CheckError> {
    let x = x.into();
    let mut compiled = Function::new(Shape::from(x.shape()), &f)?;
    let at = x.data().to_vec();
    let n = at.len();
    let mut gradient = vec![0.0; n];
    let value = compiled.value_and_gradient(&at, &mut gradient);
    if !value.is_finite() || gradient.iter().any(|g| !g.is_finite()) {
        return Err(CheckError::NotFinite { x: at, value, gradient });
    }
    let mut unused = vec![0.0; n];
    let mut along = |direction: &[f64], t: f64| {
        let moved: Vec<f64> = at.iter().zip(direction).map(|(x, d)| x + t * d).collect();
        compiled.value_and_gradient(&moved, &mut unused)
    };
    let mut compare = |name: String, direction: &[f64]| {
        let got: f64 = gradient.iter().zip(direction).map(|(g, d)| g * d).sum();
        let (mut best, mut want) = (f64::INFINITY, f64::NAN);
        for h in STEPS {
            let first = along(direction, h) - along(direction, -h);
            let second = along(direction, 2.0 * h) - along(direction, -2.0 * h);
            let difference = (8.0 * first - second) / (12.0 * h);
            let error = (got - difference).abs() / got.abs().max(value.abs()).max(1.0);
            if error < best {
                (best, want) = (error, difference);
            }
        }
        if best <= tolerance {
            return Ok(());
        }
        Err(CheckError::Derivative { direction: name, got, want, passes: best, x: at.clone() })
    };
    let mut direction = vec![0.0; n];
    for i in 0..n.min(COORDINATES) {
        direction[i] = at[i].abs().max(1.0);
        compare(format!("coordinate {i}"), &direction)?;
        direction[i] = 0.0;
    }
    for k in 0..DIRECTIONS {
        let mut stream = Philox::new(0, Purpose::Init, 0, k);
        stream.fill_standard_normal(&mut direction);
        let norm = direction.iter().map(|d| d * d).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        direction.iter_mut().for_each(|d| *d /= norm);
        compare("random".to_owned(), &direction)?;
    }
    Ok(())
}
