//! Data files: JSON objects of numbers, vectors and matrices (lists of rows), read by name.

use ndarray::{Array1, Array2};
use serde_json::{Map, Value};

use crate::error::GalleryError;

/// The data of one posterior.
#[derive(Clone, Debug)]
pub struct Data {
    fields: Map<String, Value>,
}

impl Data {
    /// From the text of a data file.
    ///
    /// # Errors
    /// Text that is not a JSON object.
    pub fn parse(text: &str) -> Result<Self, GalleryError> {
        Ok(Self { fields: serde_json::from_str(text)? })
    }

    fn field(&self, name: &'static str) -> Result<&Value, GalleryError> {
        self.fields.get(name).ok_or(GalleryError::Field { name, wanted: "a value" })
    }

    fn list(&self, name: &'static str) -> Result<&[Value], GalleryError> {
        self.field(name)?.as_array().map(Vec::as_slice).ok_or(GalleryError::Field { name, wanted: "a list" })
    }

    /// A number.
    ///
    /// # Errors
    /// No such field, or not a number.
    pub fn number(&self, name: &'static str) -> Result<f64, GalleryError> {
        self.field(name)?.as_f64().ok_or(GalleryError::Field { name, wanted: "a number" })
    }

    /// A count.
    ///
    /// # Errors
    /// No such field, or not a non-negative integer.
    pub fn count(&self, name: &'static str) -> Result<usize, GalleryError> {
        let count = self.field(name)?.as_u64().and_then(|n| usize::try_from(n).ok());
        count.ok_or(GalleryError::Field { name, wanted: "a non-negative integer" })
    }

    /// A vector of numbers.
    ///
    /// # Errors
    /// No such field, or an element that is not a number.
    pub fn vector(&self, name: &'static str) -> Result<Array1<f64>, GalleryError> {
        numbers(self.list(name)?, name).map(Array1::from)
    }

    /// A vector in which values may be missing: the places of those that are there, from 0, and their values.
    ///
    /// # Errors
    /// No such field, or an element that is neither a number nor null.
    pub fn present(&self, name: &'static str) -> Result<(Vec<usize>, Array1<f64>), GalleryError> {
        let there = self.list(name)?.iter().enumerate().filter(|(_, v)| !v.is_null());
        let (places, values): (Vec<usize>, Vec<&Value>) = there.unzip();
        let values: Option<Vec<f64>> = values.into_iter().map(Value::as_f64).collect();
        let values = values.ok_or(GalleryError::Field { name, wanted: "numbers or null" })?;
        Ok((places, Array1::from(values)))
    }

    /// A vector of indices that begin at `first`, as indices from 0.
    ///
    /// # Errors
    /// No such field, or an element that is not an integer from `first` on.
    pub fn indices(&self, name: &'static str, first: usize) -> Result<Vec<usize>, GalleryError> {
        let index = |v: &Value| usize::try_from(v.as_u64()?).ok()?.checked_sub(first);
        let indices: Option<Vec<usize>> = self.list(name)?.iter().map(index).collect();
        indices.ok_or(GalleryError::Field { name, wanted: "indices" })
    }

    /// A matrix from its rows.
    ///
    /// # Errors
    /// No such field, or rows that are not lists of numbers of one length.
    pub fn matrix(&self, name: &'static str) -> Result<Array2<f64>, GalleryError> {
        let wanted = GalleryError::Field { name, wanted: "a list of rows of one length" };
        let mut all = Vec::new();
        let rows = self.list(name)?;
        for row in rows {
            all.extend(numbers(row.as_array().ok_or(wanted.clone())?, name)?);
        }
        let columns = all.len().checked_div(rows.len()).unwrap_or(0);
        Array2::from_shape_vec((rows.len(), columns), all).map_err(|_| wanted)
    }

    /// A matrix whose columns repeat few values: blocks of columns, each with its distinct rows (`levels`) and, for each
    /// row of the matrix, which of them it is (`index`).
    ///
    /// # Errors
    /// No such field, or blocks that are not of this form or of unequal height.
    pub fn matrix_of_levels(&self, name: &'static str) -> Result<Array2<f64>, GalleryError> {
        let wanted = GalleryError::Field { name, wanted: "blocks of columns with `levels` and `index`" };
        let blocks: Result<Vec<Array2<f64>>, GalleryError> = self
            .list(name)?
            .iter()
            .map(|block| {
                let block = Data { fields: block.as_object().ok_or(wanted.clone())?.clone() };
                let (levels, index) = (block.matrix("levels")?, block.indices("index", 0)?);
                if index.iter().any(|&i| i >= levels.nrows()) {
                    return Err(wanted.clone());
                }
                Ok(levels.select(ndarray::Axis(0), &index))
            })
            .collect();
        let blocks = blocks?;
        let views: Vec<_> = blocks.iter().map(|b| b.view()).collect();
        ndarray::concatenate(ndarray::Axis(1), &views).map_err(|_| wanted)
    }
}

fn numbers(list: &[Value], name: &'static str) -> Result<Vec<f64>, GalleryError> {
    let numbers: Option<Vec<f64>> = list.iter().map(Value::as_f64).collect();
    numbers.ok_or(GalleryError::Field { name, wanted: "numbers" })
}

/// A matrix whose columns are the given vectors after a column of ones: the predictors of a regression with intercept.
///
/// # Errors
/// Vectors of unequal length.
pub fn predictors(columns: &[&Array1<f64>]) -> Result<Array2<f64>, GalleryError> {
    let ones = Array1::ones(columns.first().map_or(0, |c| c.len()));
    let views: Vec<_> = std::iter::once(ones.view()).chain(columns.iter().map(|c| c.view())).collect();
    ndarray::stack(ndarray::Axis(1), &views).map_err(|_| GalleryError::Columns)
}

/// 1 where a value is `level`, else 0.
pub fn indicator(values: &Array1<f64>, level: f64) -> Array1<f64> {
    values.mapv(|v| f64::from(u8::from(v == level)))
}
