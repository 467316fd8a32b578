//! Derivatives of plain functions: `value_and_grad`, `grad`, `hvp`, `hessian`, and compiled functions to call often.

use std::panic::Location;

use ndarray::{ArrayD, IxDyn};

use crate::error::{Mistake, TraceError};
use crate::gradient::gradient;
use crate::program::{Program, Workspace};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::trace::{Trace, attribute_to, mistake, trace, with_tape};
use crate::var::Var;

/// A scalar function of one array with its gradient, compiled for one shape.
///
/// ```
/// use ppl_autodiff::{Function, Var};
/// let mut f = Function::new([2], |x: Var| x.square().sum())?;
/// let mut gradient = [0.0; 2];
/// assert_eq!(f.value_and_gradient(&[1.0, 2.0], &mut gradient), 5.0);
/// assert_eq!(gradient, [2.0, 4.0]);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
pub struct Function {
    program: Program<f64>,
    workspace: Workspace<f64>,
}

impl Function {
    /// Traces and compiles `f`, whose result is summed if it is not a scalar. What `f` reads of its argument's value
    /// (see [`Var::value`]) is read at zero and stays: for functions that branch use [`value_and_grad`].
    ///
    /// # Errors
    /// The first mistake in `f`.
    #[track_caller]
    pub fn new(shape: impl Into<Shape>, f: impl FnOnce(Var) -> Var) -> Result<Self, TraceError> {
        let shape = shape.into();
        let location = Location::caller();
        let ((y, g), traced) = trace(|| {
            let x = Var::input(0, shape);
            let y = total(f, x, location);
            (y, gradient(y, &[x])[0])
        })?;
        let program = Program::compile(traced.tape(), &[&[y], &[g]]);
        let workspace = program.workspace();
        Ok(Self { program, workspace })
    }

    /// The value at `x`; writes the gradient.
    ///
    /// # Panics
    /// When a slice has another length than the shape that the function was compiled for.
    pub fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut value = [0.0];
        self.program.evaluate(&mut self.workspace, &[x], &mut [&mut value, gradient]);
        value[0]
    }
}

/// The sum of `f(x)`. A function that asks for inputs beside its argument is mistaken: nobody would fill them.
pub(crate) fn total(f: impl FnOnce(Var) -> Var, x: Var, location: &'static Location<'static>) -> Var {
    let inputs = || with_tape(|tape| tape.slots().iter().sum::<usize>());
    let before = inputs();
    let y = f(x);
    attribute_to(location, || {
        let after = inputs();
        if after != before {
            mistake(Mistake::Argument {
                owner: "a function of one array".to_owned(),
                argument: "inputs",
                wanted: "the elements of its argument alone",
                got: after.unwrap_or(0) as f64,
            });
        }
        y.sum()
    })
}

/// Traces `f` at `x`, so that what it reads is right there, and returns what `want` makes of argument and value.
#[track_caller]
fn at<const N: usize>(
    x: &Tensor,
    f: impl FnOnce(Var) -> Var,
    want: impl FnOnce(Var, Var) -> [Var; N],
) -> Result<[ArrayD<f64>; N], TraceError> {
    let location = Location::caller();
    let (outputs, traced) = Trace::default().point(&[x.data()]).run(|| {
        let input = Var::input(0, x.shape());
        let y = total(f, input, location);
        want(input, y).map(|v| (v, v.shape()))
    })?;
    let program = Program::<f64>::compile_nodes(traced.tape(), &outputs.each_ref().map(|(v, _)| v.node()), &[1; N]);
    let mut values: Vec<Vec<f64>> = program.output_lengths().iter().map(|&n| vec![0.0; n]).collect();
    let mut slots: Vec<&mut [f64]> = values.iter_mut().map(|v| &mut v[..]).collect();
    program.evaluate(&mut program.workspace(), &[x.data()], &mut slots);
    let mut values = values.into_iter();
    Ok(outputs.map(|(_, shape)| {
        let data = values.next().unwrap_or_default();
        ArrayD::from_shape_vec(IxDyn(&shape), data).unwrap_or_default()
    }))
}

/// A direction has the shape of the point: broadcasting would hide a mistake.
#[track_caller]
fn check_direction(x: Var, v: &Tensor) {
    if x.shape() != *v.shape() {
        mistake(Mistake::Shapes {
            operation: "hvp",
            shapes: vec![x.shape(), v.shape().clone()],
            rule: "the vector must have the shape of the point",
        });
    }
}

fn scalar(array: &ArrayD<f64>) -> f64 {
    array.iter().sum()
}

/// The value of a function at `x` and its gradient, in the shape of `x`. A result that is not a scalar is summed.
///
/// # Errors
/// The first mistake in `f`.
#[track_caller]
pub fn value_and_grad(f: impl FnOnce(Var) -> Var, x: impl Into<Tensor>) -> Result<(f64, ArrayD<f64>), TraceError> {
    let [y, g] = at(&x.into(), f, |x, y| [y, gradient(y, &[x])[0]])?;
    Ok((scalar(&y), g))
}

/// The gradient of a function at `x`.
///
/// # Errors
/// The first mistake in `f`.
#[track_caller]
pub fn grad(f: impl FnOnce(Var) -> Var, x: impl Into<Tensor>) -> Result<ArrayD<f64>, TraceError> {
    Ok(value_and_grad(f, x)?.1)
}

/// The product of the Hessian at `x` with a vector: the gradient of the directional derivative.
///
/// # Errors
/// The first mistake in `f`, or a vector of another shape than `x`.
#[track_caller]
pub fn hvp(f: impl FnOnce(Var) -> Var, x: impl Into<Tensor>, v: impl Into<Tensor>) -> Result<ArrayD<f64>, TraceError> {
    let v = v.into();
    let location = Location::caller();
    let [h] = at(&x.into(), f, |x, y| {
        attribute_to(location, || check_direction(x, &v));
        let slope = (gradient(y, &[x])[0] * Var::constant(v)).sum();
        [gradient(slope, &[x])[0]]
    })?;
    Ok(h)
}

/// The Hessian at `x`, `n x n` for the n elements of `x` in row-major order.
///
/// # Errors
/// The first mistake in `f`.
#[track_caller]
pub fn hessian(f: impl FnOnce(Var) -> Var, x: impl Into<Tensor>) -> Result<ndarray::Array2<f64>, TraceError> {
    let x = x.into();
    let n = x.data().len();
    let location = Location::caller();
    let (rows, traced) = Trace::default().point(&[x.data()]).run(|| {
        let input = Var::input(0, x.shape());
        let direction = Var::input(1, x.shape());
        let y = total(f, input, location);
        let slope = (gradient(y, &[input])[0] * direction).sum();
        gradient(slope, &[input])[0]
    })?;
    let program = Program::<f64>::compile(traced.tape(), &[&[rows]]);
    let mut workspace = program.workspace();
    let mut hessian = ndarray::Array2::zeros((n, n));
    let mut direction = vec![0.0; n];
    for (i, mut row) in hessian.outer_iter_mut().enumerate() {
        direction[i] = 1.0;
        if let Some(row) = row.as_slice_mut() {
            program.evaluate(&mut workspace, &[x.data(), &direction], &mut [row]);
        }
        direction[i] = 0.0;
    }
    Ok(hessian)
}
