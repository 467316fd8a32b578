//! What has rows: arrays, by their first axis, and tuples of arrays.

use ndarray::{Array, Array1, Array2, Array3, Axis, Ix2, Ix3, Ix4, stack};
use ppl_autodiff::{Number, Shape};

use super::BatchError;

/// An element of an array of data.
pub trait Element: Number + Send + Sync + 'static {}
impl<A: Number + Send + Sync + 'static> Element for A {}

/// The rows of one array as `f64`, row-major: what a batch copies from and what it is copied to.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// How many rows.
    pub rows: usize,
    /// The shape of one row.
    pub row_shape: Shape,
    /// The numbers.
    pub values: Vec<f64>,
}

impl Columns {
    /// Forgets the rows and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.values.clear();
    }

    /// Appends a row; `array` says where it belongs, for errors.
    fn push(&mut self, array: usize, shape: &[usize], row: impl Iterator<Item = f64>) -> Result<(), BatchError> {
        if self.rows == 0 && self.row_shape[..] != *shape {
            self.row_shape = Shape::from(shape);
        }
        if self.row_shape[..] != *shape {
            return Err(BatchError::RowShape { array, got: Shape::from(shape), wanted: self.row_shape.clone() });
        }
        self.values.extend(row);
        self.rows += 1;
        Ok(())
    }
}

/// Aligned rows of one array, or of several in a tuple.
pub trait Rows: Clone + Send + Sync + 'static {
    /// One row.
    type Row: Clone + Send + 'static;

    /// How many arrays there are.
    const ARRAYS: usize;

    /// All arrays, flat.
    fn columns(&self) -> Vec<Columns>;

    /// Some of the rows, in the given order.
    #[must_use]
    fn take_rows(&self, rows: &[usize]) -> Self;

    /// Arrays from rows.
    ///
    /// # Errors
    /// Rows of different shapes.
    fn gather(rows: Vec<Self::Row>) -> Result<Self, BatchError>;

    /// Appends a row to flat arrays, the first of which is array `first`.
    ///
    /// # Errors
    /// A row of another shape than those before.
    fn push(row: &Self::Row, first: usize, to: &mut [Columns]) -> Result<(), BatchError>;
}

fn flat<A: Number, D: ndarray::Dimension>(array: &Array<A, D>) -> Vec<Columns> {
    let (rows, row_shape) = array.shape().split_first().map_or((0, &[][..]), |(&n, rest)| (n, rest));
    vec![Columns { rows, row_shape: Shape::from(row_shape), values: array.iter().map(|x| x.to_f64()).collect() }]
}

impl<A: Element> Rows for Array1<A> {
    type Row = A;
    const ARRAYS: usize = 1;

    fn columns(&self) -> Vec<Columns> {
        flat(self)
    }
    fn take_rows(&self, rows: &[usize]) -> Self {
        self.select(Axis(0), rows)
    }
    fn gather(rows: Vec<A>) -> Result<Self, BatchError> {
        Ok(Array1::from(rows))
    }
    fn push(row: &A, first: usize, to: &mut [Columns]) -> Result<(), BatchError> {
        to[0].push(first, &[], std::iter::once(row.to_f64()))
    }
}

impl<A: Element> Rows for Vec<A> {
    type Row = A;
    const ARRAYS: usize = 1;

    fn columns(&self) -> Vec<Columns> {
        let values = self.iter().map(|x| x.to_f64()).collect();
        vec![Columns { rows: self.len(), row_shape: Shape::scalar(), values }]
    }
    fn take_rows(&self, rows: &[usize]) -> Self {
        rows.iter().map(|&i| self[i]).collect()
    }
    fn gather(rows: Vec<A>) -> Result<Self, BatchError> {
        Ok(rows)
    }
    fn push(row: &A, first: usize, to: &mut [Columns]) -> Result<(), BatchError> {
        to[0].push(first, &[], std::iter::once(row.to_f64()))
    }
}

macro_rules! arrays {
    ($($dim:ty, $row:ident;)*) => { $(
        impl<A: Element> Rows for Array<A, $dim> {
            type Row = $row<A>;
            const ARRAYS: usize = 1;

            fn columns(&self) -> Vec<Columns> {
                flat(self)
            }
            fn take_rows(&self, rows: &[usize]) -> Self {
                self.select(Axis(0), rows)
            }
            fn gather(rows: Vec<$row<A>>) -> Result<Self, BatchError> {
                let views: Vec<_> = rows.iter().map(|r| r.view()).collect();
                stack(Axis(0), &views).map_err(|_| {
                    let first = views.first().map(|r| Shape::from(r.shape())).unwrap_or_default();
                    let other = views.iter().map(|r| Shape::from(r.shape())).find(|s| *s != first);
                    BatchError::RowShape { array: 0, got: other.unwrap_or_default(), wanted: first }
                })
            }
            fn push(row: &$row<A>, first: usize, to: &mut [Columns]) -> Result<(), BatchError> {
                to[0].push(first, row.shape(), row.iter().map(|x| x.to_f64()))
            }
        }
    )* };
}
arrays! {
    Ix2, Array1;
    Ix3, Array2;
    Ix4, Array3;
}

macro_rules! tuples {
    ($($($r:ident $i:tt),+;)*) => { $(
        impl<$($r: Rows),+> Rows for ($($r,)+) {
            type Row = ($($r::Row,)+);
            const ARRAYS: usize = 0 $(+ $r::ARRAYS)+;

            fn columns(&self) -> Vec<Columns> {
                let mut all = Vec::with_capacity(Self::ARRAYS);
                $(all.extend(self.$i.columns());)+
                all
            }
            fn take_rows(&self, rows: &[usize]) -> Self {
                ($(self.$i.take_rows(rows),)+)
            }
            #[allow(non_snake_case)]
            fn gather(rows: Vec<Self::Row>) -> Result<Self, BatchError> {
                $(let mut $r = Vec::with_capacity(rows.len());)+
                for row in rows {
                    $($r.push(row.$i);)+
                }
                Ok(($(<$r as Rows>::gather($r)?,)+))
            }
            fn push(row: &Self::Row, first: usize, to: &mut [Columns]) -> Result<(), BatchError> {
                let mut at = 0;
                $(
                    $r::push(&row.$i, first + at, &mut to[at..])?;
                    at += $r::ARRAYS;
                )+
                let _ = at;
                Ok(())
            }
        }
    )* };
}
tuples! {
    R0 0;
    R0 0, R1 1;
    R0 0, R1 1, R2 2;
    R0 0, R1 1, R2 2, R3 3;
    R0 0, R1 1, R2 2, R3 3, R4 4;
    R0 0, R1 1, R2 2, R3 3, R4 4, R5 5;
}
