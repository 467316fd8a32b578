//! Rows of a CSV file one after the other, for data that do not fit in memory.

use std::path::{Path, PathBuf};

use super::DataError;

/// Why a row could not be read.
type RowError = Box<dyn std::error::Error + Send + Sync>;

/// The numbers in some columns of a CSV file with a header, row by row; the file is opened when the first row is asked
/// for, and never held as a whole.
///
/// ```
/// use ppl::data::CsvRows;
/// use ppl::prelude::*;
///
/// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/moons/moons_flat.csv");
/// let open = move || {
///     CsvRows::new(path, ["x1", "x2", "y"]).only("split", "train").map(|row| {
///         let row = row?;
///         Ok((array![row[0], row[1]], row[2]))
///     })
/// };
/// // Batches of 50 of the 500 rows; the file is read again from its beginning whenever it has ended.
/// let batches = Minibatch::<(Array2<f64>, Array1<f64>)>::reopen(500, 50, open)?;
/// # Ok::<(), ppl::core::BatchError>(())
/// ```
pub struct CsvRows {
    path: PathBuf,
    columns: Vec<String>,
    only: Option<(String, String)>,
    state: State,
}

enum State {
    New,
    Open { reader: Box<csv::Reader<std::fs::File>>, places: Vec<usize>, only: Option<(usize, String)> },
    Done,
}

impl CsvRows {
    /// The rows of a file: the numbers in `columns`, in that order.
    pub fn new<S: Into<String>>(path: impl AsRef<Path>, columns: impl IntoIterator<Item = S>) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self { path: path.as_ref().to_owned(), columns, only: None, state: State::New }
    }

    /// Only rows that have this text in a column.
    #[must_use]
    pub fn only(mut self, column: impl Into<String>, text: impl Into<String>) -> Self {
        self.only = Some((column.into(), text.into()));
        self
    }

    fn open(&self) -> Result<State, DataError> {
        let failed = |source| DataError::Csv { path: self.path.clone(), source };
        let mut reader = Box::new(csv::Reader::from_path(&self.path).map_err(failed)?);
        let header = reader.headers().map_err(failed)?.clone();
        let find = |column: &str| {
            let place = header.iter().position(|name| name.trim() == column);
            place.ok_or_else(|| DataError::MissingColumn { path: self.path.clone(), column: column.to_owned() })
        };
        let places = self.columns.iter().map(|c| find(c)).collect::<Result<_, _>>()?;
        let only = match &self.only {
            Some((column, text)) => Some((find(column)?, text.clone())),
            None => None,
        };
        Ok(State::Open { reader, places, only })
    }

    /// The next row, if there is one.
    fn row(&mut self) -> Result<Option<Vec<f64>>, DataError> {
        if let State::New = self.state {
            self.state = self.open()?;
        }
        let State::Open { reader, places, only } = &mut self.state else { return Ok(None) };
        let mut record = csv::StringRecord::new();
        loop {
            let more = reader.read_record(&mut record);
            if !more.map_err(|source| DataError::Csv { path: self.path.clone(), source })? {
                return Ok(None);
            }
            let field = |place: usize| record.get(place).unwrap_or_default().trim();
            if only.as_ref().is_some_and(|(place, text)| field(*place) != text) {
                continue;
            }
            let number = |(&place, column): (&usize, &String)| {
                let value = field(place).parse().ok().filter(|v: &f64| v.is_finite());
                value.ok_or_else(|| DataError::Field {
                    path: self.path.clone(),
                    line: record.position().map_or(0, csv::Position::line),
                    column: column.clone(),
                    wanted: "a finite number",
                    got: field(place).to_owned(),
                })
            };
            return places.iter().zip(&self.columns).map(number).collect::<Result<_, _>>().map(Some);
        }
    }
}

impl Iterator for CsvRows {
    type Item = Result<Vec<f64>, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.row().map_err(RowError::from).transpose();
        // After an error or the last row there is nothing more.
        if !matches!(row, Some(Ok(_))) {
            self.state = State::Done;
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moons() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/moons/moons_flat.csv")
    }

    #[test]
    fn rows_are_those_of_the_file() {
        let all = super::super::read_csv_split(moons()).unwrap();
        let rows: Vec<Vec<f64>> =
            CsvRows::new(moons(), ["y", "x2", "x1"]).only("split", "test").map(Result::unwrap).collect();
        assert_eq!(rows.len(), 500);
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(row[..], [all.y_test[i], all.x_test[[i, 1]], all.x_test[[i, 0]]]);
        }
    }

    #[test]
    fn what_is_wrong_comes_once_as_a_row() {
        let messages = |rows: CsvRows| -> Vec<String> { rows.map(|r| r.unwrap_err().to_string()).collect() };
        let missing = messages(CsvRows::new("no/such/file.csv", ["x"]));
        assert!(missing.len() == 1 && missing[0].starts_with("no/such/file.csv: "), "{missing:?}");
        let column = messages(CsvRows::new(moons(), ["x9"]));
        assert!(column.len() == 1 && column[0].ends_with("no column \"x9\" in the header"), "{column:?}");
        let text = messages(CsvRows::new(moons(), ["split"]));
        assert!(text.len() == 1 && text[0].contains("line 2, column \"split\": wanted a finite number"), "{text:?}");
    }
}
