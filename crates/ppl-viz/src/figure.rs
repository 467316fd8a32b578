//! A plot on paper: size, title, and the files it is written to.

use std::path::Path;

use plotters::prelude::SVGBackend;
use plotters_backend::DrawingBackend;

use crate::axes::{Axes, TITLE};
use crate::canvas::{Canvas, Rect, Text, backend};
use crate::color::Color;
use crate::error::VizError;
use crate::png;
use crate::raster::Raster;

/// Backend units to a pixel: plotters' coordinates are integers, and lines want fractions.
const UNITS: f64 = 20.0;

/// The longest side of a picture in pixels.
const LONGEST: f64 = 16_384.0;

/// What a figure shows. Implement it to draw a plot of your own.
pub trait Plot {
    /// The width and height in pixels at which it looks best.
    fn size(&self) -> (u32, u32);

    /// Draw it into an area of the canvas.
    ///
    /// # Errors
    /// [`VizError::Size`] if the area is too small, and what the canvas says.
    fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> Result<(), VizError>;
}

/// One plot with a title, ready to be written as SVG or PNG.
///
/// ```no_run
/// # use ndarray::array;
/// # use ppl_viz::{Figure, LinePlot};
/// let plot = LinePlot::new("iteration", "ELBO").line("ADVI", array![-900.0, -300.0, -150.0, -140.0].view())?;
/// Figure::new(plot).title("Convergence").size(900, 450).save("elbo.png")?;
/// # Ok::<(), ppl_viz::VizError>(())
/// ```
pub struct Figure {
    plot: Box<dyn Plot>,
    title: Option<String>,
    size: (u32, u32),
    pixel_ratio: f64,
}

impl Figure {
    /// A figure of the plot's own size, without a title.
    #[must_use]
    pub fn new(plot: impl Plot + 'static) -> Self {
        let size = plot.size();
        Self { plot: Box::new(plot), title: None, size, pixel_ratio: 1.0 }
    }

    /// A line of text over the whole figure.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn size(self, width: u32, height: u32) -> Self {
        Self { size: (width, height), ..self }
    }

    /// How many pixels of a PNG are one pixel of the layout: 2 for print and for dense screens. SVG needs none of it.
    #[must_use]
    pub fn pixel_ratio(self, ratio: f64) -> Self {
        Self { pixel_ratio: ratio, ..self }
    }

    /// Write a file, its format told by its name: `.svg` or `.png`.
    ///
    /// # Errors
    /// [`VizError::UnknownExtension`], [`VizError::Size`] and [`VizError::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), VizError> {
        let path = path.as_ref();
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let bytes = match extension.as_deref() {
            Some("svg") => self.to_svg()?.into_bytes(),
            Some("png") => self.to_png()?,
            _ => {
                return Err(VizError::UnknownExtension { path: path.to_owned() });
            }
        };
        std::fs::write(path, bytes).map_err(|source| VizError::Io { path: path.to_owned(), source })
    }

    /// The text of an SVG file.
    ///
    /// # Errors
    /// [`VizError::Size`].
    pub fn to_svg(&self) -> Result<String, VizError> {
        let (width, height) = self.checked_size(1.0)?;
        let (wide, high) = (width * UNITS as u32, height * UNITS as u32);
        let mut svg = String::new();
        let mut device = SVGBackend::with_string(&mut svg, (wide, high));
        self.draw_on(&mut device)?;
        device.present().map_err(backend)?;
        drop(device);
        // The backend knows one size only; the picture is shown at a fraction of its coordinates.
        let fine = format!("<svg width=\"{wide}\" height=\"{high}\"");
        let shown = format!("<svg width=\"{width}\" height=\"{height}\" stroke-linejoin=\"round\"");
        Ok(svg.replacen(&fine, &shown, 1))
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// [`VizError::Size`].
    pub fn to_png(&self) -> Result<Vec<u8>, VizError> {
        let (columns, rows) = self.checked_size(self.pixel_ratio)?;
        let mut device = Raster::new(columns, rows, UNITS / self.pixel_ratio);
        self.draw_on(&mut device)?;
        Ok(png::encode(columns, rows, &device.into_rgb()))
    }

    /// Draw on any plotters backend, scaled to its width.
    ///
    /// # Errors
    /// [`VizError::Size`], and [`VizError::Backend`] with what the backend says.
    pub fn draw_on<B: DrawingBackend>(&self, device: &mut B) -> Result<(), VizError> {
        let (width, height) = self.checked_size(1.0)?;
        let units = f64::from(device.get_size().0) / f64::from(width);
        let page = Rect { left: 0.0, top: 0.0, right: f64::from(width), bottom: f64::from(height) };
        let mut canvas = Canvas::new(device, units);
        canvas.rect(page, Color::WHITE)?;
        let mut area = page;
        if let Some(title) = &self.title {
            let text = Text::new(title, Axes::fitting_size(title, TITLE, page.width() - 20.0));
            canvas.text((page.center().0, 20.0), text, Color::INK)?;
            area.top += 34.0;
        }
        self.plot.draw(&mut canvas, area)
    }

    /// Width and height in device pixels.
    fn checked_size(&self, ratio: f64) -> Result<(u32, u32), VizError> {
        let (width, height) = (f64::from(self.size.0) * ratio, f64::from(self.size.1) * ratio);
        let fits = |side: f64| (1.0..=LONGEST).contains(&side);
        if fits(width) && fits(height) {
            Ok((width.round() as u32, height.round() as u32))
        } else {
            let reason = "wanted sides between 1 and 16384 pixels, after the pixel ratio";
            Err(VizError::Size { width, height, reason })
        }
    }
}
