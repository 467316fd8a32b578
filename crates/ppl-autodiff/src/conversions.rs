//! What turns into a `Var` by itself: numbers and arrays, as constants.

use ndarray::{ArrayBase, Data, Dimension};

use crate::numbers::Number;
use crate::tensor::Tensor;
use crate::var::Var;

impl<A: Number> From<A> for Var {
    #[track_caller]
    fn from(number: A) -> Self {
        Var::constant(number.to_f64())
    }
}

impl From<Tensor> for Var {
    #[track_caller]
    fn from(tensor: Tensor) -> Self {
        Var::constant(tensor)
    }
}

impl From<&Tensor> for Var {
    #[track_caller]
    fn from(tensor: &Tensor) -> Self {
        Var::constant(tensor)
    }
}

impl<A: Number, S: Data<Elem = A>, D: Dimension> From<&ArrayBase<S, D>> for Var {
    #[track_caller]
    fn from(array: &ArrayBase<S, D>) -> Self {
        Var::constant(array)
    }
}

impl<A: Number, S: Data<Elem = A>, D: Dimension> From<ArrayBase<S, D>> for Var {
    #[track_caller]
    fn from(array: ArrayBase<S, D>) -> Self {
        Var::constant(array)
    }
}

impl<A: Number> From<&[A]> for Var {
    #[track_caller]
    fn from(values: &[A]) -> Self {
        Var::constant(values)
    }
}

impl<A: Number> From<&Vec<A>> for Var {
    #[track_caller]
    fn from(values: &Vec<A>) -> Self {
        Var::constant(values)
    }
}

impl<A: Number> From<Vec<A>> for Var {
    #[track_caller]
    fn from(values: Vec<A>) -> Self {
        Var::constant(values)
    }
}

impl<A: Number, const N: usize> From<[A; N]> for Var {
    #[track_caller]
    fn from(values: [A; N]) -> Self {
        Var::constant(values)
    }
}
