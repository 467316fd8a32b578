//! Reverse-mode automatic differentiation on a tape that is compiled to programs.
//!
//! A function of [`Var`]s is run once under a recorder ([`trace`]); every operation appends a node to a tape.
//! [`gradient`] records the adjoint on the same tape, so that derivatives of derivatives exist, and
//! [`Program::compile`] lowers what is asked for to a reusable program over `f64` or `f32`.
//!
//! ```
//! use ppl_autodiff::{Var, value_and_grad};
//! use ndarray::array;
//!
//! // f(x) = sum x^2, so the gradient is 2 x.
//! let (value, gradient) = value_and_grad(|x: Var| x.square().sum(), &array![1.0, -3.0]).unwrap();
//! assert_eq!(value, 10.0);
//! assert_eq!(gradient, array![2.0, -6.0].into_dyn());
//! ```

pub mod check;
mod compositions;
mod conversions;
pub mod data_slots;
pub mod dynamic;
pub mod error;
pub mod function;
mod gradient;
mod images;
pub mod incomplete;
pub mod kernels;
mod numbers;
mod operators;
pub mod ops;
pub mod program;
pub mod random;
pub mod real;
mod scan;
pub mod shape;
mod sorting;
mod structure;
pub mod tape;
pub mod tensor;
mod trace;
mod var;

pub use error::{Mistake, TraceError};
pub use function::{Function, grad, hessian, hvp, value_and_grad};
pub use gradient::gradient;
pub use images::Padding;
pub use numbers::Number;
pub use program::{Program, Workspace};
pub use real::Real;
pub use scan::scan;
pub use shape::Shape;
pub use structure::{concat, stack};
pub use tensor::Tensor;
pub use trace::{Scope, Trace, Traced, attribute_to, mistake, placeholder, scope, trace};
pub use var::Var;
