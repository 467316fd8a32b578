//! Plots of posteriors and predictions: traces, surfaces, small multiples.
//!
//! A plot is built from plain `ndarray` data and checked at once; a [`Figure`] turns it into an SVG or a PNG file
//! without any font or library of the system.
//!
//! | to see | use |
//! |---|---|
//! | a probability or an uncertainty over the plane | [`Surface`] |
//! | data of two classes | [`Scatter`] |
//! | many of these, with one colour bar | [`Grid`] |
//! | marginal densities and draws of a posterior | [`TracePlot`] |
//! | whether the ranks of a calibration are uniform | [`CalibrationPlot`] |
//! | a loss or an evidence bound while it is optimised | [`LinePlot`] |
//!
//! ```
//! use ndarray::Array2;
//! use ppl_viz::{Figure, Surface};
//!
//! let probability = Array2::from_shape_fn((50, 50), |(i, j)| (i + j) as f64 / 98.0);
//! let surface = Surface::decision(probability.view(), (-3.0, 3.0), (-3.0, 3.0))?.axis_labels("X", "Y");
//! let svg = Figure::new(surface).title("Posterior predictive mean").to_svg()?;
//! assert!(svg.contains("Posterior predictive mean"));
//! # Ok::<(), ppl_viz::VizError>(())
//! ```

#![warn(missing_docs)]

mod axes;
mod calibration_plot;
mod canvas;
mod check;
mod class_points;
mod color;
mod color_bar;
mod colormap;
mod contour;
mod density;
mod error;
mod figure;
mod font;
mod grid;
mod line;
mod png;
mod raster;
mod scatter;
mod surface;
mod ticks;
mod trace_plot;

pub use calibration_plot::CalibrationPlot;
pub use canvas::{Align, Canvas, Rect, Text};
pub use color::Color;
pub use colormap::Colormap;
pub use error::VizError;
pub use figure::{Figure, Plot};
pub use grid::{Grid, Panel};
pub use line::LinePlot;
pub use scatter::Scatter;
pub use surface::Surface;
pub use trace_plot::TracePlot;
