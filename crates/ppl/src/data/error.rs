//! What can be wrong with a data set or its file.

use std::path::PathBuf;

/// Why data could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be opened, or a line is not CSV with as many fields as the header.
    #[error("{}: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the reader said, with the line.
        source: ::csv::Error,
    },
    /// The header lacks a column.
    #[error("{}: no column \"{column}\" in the header", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column that was looked for.
        column: String,
    },
    /// A field does not hold what its column should.
    #[error("{}, line {line}, column \"{column}\": wanted {wanted}, got \"{got}\"", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Line of the file, the header being line 1.
        line: u64,
        /// Name of the column.
        column: String,
        /// What the column should hold.
        wanted: &'static str,
        /// What is there.
        got: String,
    },
    /// One of the two parts has no row at all.
    #[error("{}: no row with split \"{split}\"", path.display())]
    EmptySplit {
        /// The file.
        path: PathBuf,
        /// The part without rows: train or test.
        split: &'static str,
    },
    /// Groups differ in size, so that they do not form an array.
    #[error("{}: group {group} has {got} {split} rows, wanted {wanted} as in the first group", path.display())]
    UnequalGroups {
        /// The file.
        path: PathBuf,
        /// The group that differs.
        group: u64,
        /// The part in which it differs: train or test.
        split: &'static str,
        /// Rows of the first group.
        wanted: usize,
        /// Rows of this one.
        got: usize,
    },
    /// A standard deviation is negative or not finite.
    #[error("{function}: noise is {noise}, wanted a finite number of at least 0")]
    Noise {
        /// The function called.
        function: &'static str,
        /// The number given.
        noise: f64,
    },
    /// A size that leaves some part of the data empty.
    #[error("{function}: {argument} is {got}, wanted at least {least}")]
    TooFew {
        /// The function called.
        function: &'static str,
        /// The argument.
        argument: &'static str,
        /// Its least value.
        least: usize,
        /// Its value.
        got: usize,
    },
    /// Points that do not lie in a plane.
    #[error("{function}: x has {got} columns, wanted 2")]
    NotPlanar {
        /// The function called.
        function: &'static str,
        /// Number of columns given.
        got: usize,
    },
}
