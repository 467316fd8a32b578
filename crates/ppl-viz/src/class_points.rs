//! Points of two classes, as data and as dots.

use ndarray::{ArrayView1, ArrayView2};

use crate::axes::{Axes, LABEL};
use crate::canvas::{Align, Canvas, Text};
use crate::check::Check;
use crate::color::Color;
use crate::error::VizError;

/// Class 0 is blue, class 1 red, as at the ends of the diverging map.
const COLORS: [Color; 2] = [Color::rgb(44, 98, 176), Color::rgb(200, 52, 62)];

/// Points of the plane with a class of zero or one each.
#[derive(Clone, Debug)]
pub(crate) struct ClassPoints {
    points: Vec<(f64, f64)>,
    classes: Vec<bool>,
    pub x: (f64, f64),
    pub y: (f64, f64),
}

impl ClassPoints {
    pub(crate) fn new(
        check: Check,
        points: ArrayView2<'_, f64>,
        classes: ArrayView1<'_, f64>,
    ) -> Result<Self, VizError> {
        if points.ncols() != 2 {
            return Err(check.shape("points", "[n, 2]", points.shape()));
        }
        if classes.len() != points.nrows() {
            return Err(check.shape("classes", format!("[{}], one for each point", points.nrows()), classes.shape()));
        }
        let x = check.extent("first coordinate of points", points.column(0))?;
        let y = check.extent("second coordinate of points", points.column(1))?;
        let is_one = |(index, class): (usize, &f64)| match *class {
            0.0 => Ok(false),
            1.0 => Ok(true),
            value => Err(VizError::Class { plot: check.0, index, value }),
        };
        Ok(Self {
            points: points.rows().into_iter().map(|p| (p[0], p[1])).collect(),
            classes: classes.iter().enumerate().map(is_one).collect::<Result<_, _>>()?,
            x,
            y,
        })
    }

    /// Dots with a white rim, in the order of the data so that no class hides the other.
    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>, axes: &Axes) -> Result<(), VizError> {
        let area = axes.frame.width() * axes.frame.height();
        let radius = (0.18 * (area / self.points.len() as f64).sqrt()).clamp(1.8, 3.6);
        for (&(x, y), class) in self.points.iter().zip(&self.classes) {
            if (axes.x.0..=axes.x.1).contains(&x) && (axes.y.0..=axes.y.1).contains(&y) {
                dot(canvas, axes.at(x, y), radius, *class)?;
            }
        }
        Ok(())
    }
}

fn dot(canvas: &mut Canvas<'_>, at: (f64, f64), radius: f64, class: bool) -> Result<(), VizError> {
    canvas.disc(at, radius + 0.7, Color::WHITE)?;
    canvas.disc(at, radius, COLORS[usize::from(class)])
}

/// A row of dots and names that ends at `(right, y)`.
pub(crate) fn legend(canvas: &mut Canvas<'_>, (right, y): (f64, f64), names: &[String; 2]) -> Result<(), VizError> {
    let mut end = right;
    for (class, name) in [false, true].into_iter().zip(names).rev() {
        let text = Text::new(name, LABEL).align(Align::End);
        canvas.text((end, y), text, Color::INK)?;
        dot(canvas, (end - text.width() - 9.0, y), 4.0, class)?;
        end -= text.width() + 30.0;
    }
    Ok(())
}
