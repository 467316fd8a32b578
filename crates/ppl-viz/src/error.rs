//! What can go wrong between numbers and a picture.

use std::path::PathBuf;

/// Why a plot could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VizError {
    /// There is nothing to draw.
    #[error("{plot}: {what} is empty")]
    Empty {
        /// The plot that was asked for.
        plot: &'static str,
        /// The argument without elements.
        what: String,
    },
    /// A number is NaN or infinite.
    #[error("{plot}: {what} is {value} at flat index {index}, wanted finite numbers")]
    NotFinite {
        /// The plot that was asked for.
        plot: &'static str,
        /// The argument with the number.
        what: String,
        /// Position of the first such number, in row-major order.
        index: usize,
        /// The number itself.
        value: f64,
    },
    /// Two arguments do not fit each other, or one has a shape that no plot of this kind has.
    #[error("{plot}: {what} has shape {got:?}, wanted {wanted}")]
    Shape {
        /// The plot that was asked for.
        plot: &'static str,
        /// The argument that does not fit.
        what: String,
        /// The shape wanted, in words.
        wanted: String,
        /// The shape given.
        got: Vec<usize>,
    },
    /// A class label is neither 0 nor 1.
    #[error("{plot}: class {index} is {value}, wanted 0 or 1")]
    Class {
        /// The plot that was asked for.
        plot: &'static str,
        /// Position of the first such label.
        index: usize,
        /// The label itself.
        value: f64,
    },
    /// An interval is not `low < high` with finite ends.
    #[error("{plot}: {what} is [{low}, {high}], wanted finite low < high")]
    Range {
        /// The plot that was asked for.
        plot: &'static str,
        /// The interval.
        what: &'static str,
        /// Its lower end.
        low: f64,
        /// Its upper end.
        high: f64,
    },
    /// A picture without area, or too large to hold in memory, or too small for what it should show.
    #[error("a figure of {width} x {height} pixels cannot be drawn: {reason}")]
    Size {
        /// Width in pixels.
        width: f64,
        /// Height in pixels.
        height: f64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file's name says neither SVG nor PNG.
    #[error("{}: unknown picture format, wanted a name in .svg or .png", path.display())]
    UnknownExtension {
        /// The file that was asked for.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file that was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A plotting backend refused a primitive.
    #[error("the drawing backend failed: {message}")]
    Backend {
        /// What the backend said.
        message: String,
    },
}
