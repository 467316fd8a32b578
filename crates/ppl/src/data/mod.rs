//! Data sets: the two moons, alone and in groups, and readers of their files.

mod csv;
mod error;
mod moons;
mod stream;

use ndarray::{Array1, Array2, Array3};

pub use self::csv::{read_csv_split, read_grouped_csv};
pub use self::error::DataError;
pub use self::moons::{hierarchical_moons, make_moons, rotate, scale};
pub use self::stream::CsvRows;

/// Predictors and 0/1 labels, one part to fit and one to test.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitData {
    /// Predictors to fit, `[rows, 2]`.
    pub x_train: Array2<f64>,
    /// Labels to fit, `[rows]`.
    pub y_train: Array1<f64>,
    /// Predictors to test on, `[rows, 2]`.
    pub x_test: Array2<f64>,
    /// Labels to test on, `[rows]`.
    pub y_test: Array1<f64>,
}

/// Predictors and 0/1 labels in groups of equal size, one part to fit and one to test.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupedData {
    /// Predictors to fit, `[groups, rows, 2]`.
    pub x_train: Array3<f64>,
    /// Labels to fit, `[groups, rows]`.
    pub y_train: Array2<f64>,
    /// Predictors to test on, `[groups, rows, 2]`.
    pub x_test: Array3<f64>,
    /// Labels to test on, `[groups, rows]`.
    pub y_test: Array2<f64>,
}
