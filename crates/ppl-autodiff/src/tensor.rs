//! Constant arrays on a tape: row-major values, shared and immutable.

use std::sync::Arc;

use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

use crate::numbers::Number;
use crate::shape::Shape;

/// An immutable row-major array of `f64` that is cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Arc<[f64]>,
}

impl Tensor {
    /// An array of `shape` from its row-major values; `None` when their number does not fit.
    pub fn new(shape: impl Into<Shape>, data: impl Into<Arc<[f64]>>) -> Option<Self> {
        let (shape, data) = (shape.into(), data.into());
        (shape.size() == data.len()).then_some(Self { shape, data })
    }

    /// An array of `shape` filled with one number.
    pub fn full(shape: impl Into<Shape>, value: f64) -> Self {
        let shape = shape.into();
        let data = vec![value; shape.size()].into();
        Self { shape, data }
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The values, row-major.
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    /// The value of a one-element array.
    pub fn as_scalar(&self) -> Option<f64> {
        (self.data.len() == 1).then(|| self.data[0])
    }

    /// The one value that all elements have, if they do.
    pub(crate) fn uniform(&self) -> Option<f64> {
        let (&first, rest) = self.data.split_first()?;
        rest.iter().all(|x| x.to_bits() == first.to_bits()).then_some(first)
    }

    /// A copy as `ndarray`'s array.
    pub fn to_array(&self) -> ArrayD<f64> {
        // The shape fits by construction, so the fallback is never taken.
        ArrayD::from_shape_vec(IxDyn(&self.shape), self.data.to_vec()).unwrap_or_default()
    }
}

impl From<f64> for Tensor {
    fn from(value: f64) -> Self {
        Self { shape: Shape::scalar(), data: Arc::new([value]) }
    }
}

impl<A: Number, S: Data<Elem = A>, D: Dimension> From<&ArrayBase<S, D>> for Tensor {
    fn from(array: &ArrayBase<S, D>) -> Self {
        Self { shape: Shape::from(array.shape()), data: array.iter().map(|x| x.to_f64()).collect() }
    }
}

impl<A: Number, S: Data<Elem = A>, D: Dimension> From<ArrayBase<S, D>> for Tensor {
    fn from(array: ArrayBase<S, D>) -> Self {
        Self::from(&array)
    }
}

impl<A: Number> From<&[A]> for Tensor {
    fn from(values: &[A]) -> Self {
        Self { shape: Shape::from(values.len()), data: values.iter().map(|x| x.to_f64()).collect() }
    }
}

impl<A: Number> From<&Vec<A>> for Tensor {
    fn from(values: &Vec<A>) -> Self {
        Self::from(&values[..])
    }
}

impl<A: Number> From<Vec<A>> for Tensor {
    fn from(values: Vec<A>) -> Self {
        Self::from(&values[..])
    }
}

impl<A: Number, const N: usize> From<[A; N]> for Tensor {
    fn from(values: [A; N]) -> Self {
        Self::from(&values[..])
    }
}

impl From<&Tensor> for Tensor {
    fn from(tensor: &Tensor) -> Self {
        tensor.clone()
    }
}
