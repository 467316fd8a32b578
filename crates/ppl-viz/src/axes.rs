//! A frame with two linear axes: where data land on the page, ticks, labels, and lines clipped to the frame.

use crate::canvas::{Align, Canvas, Rect, Text};
use crate::color::Color;
use crate::error::VizError;
use crate::font::text_width;
use crate::ticks::{Ticks, ticks};

/// Sizes of type, in pixels.
pub(crate) const TICK: f64 = 12.5;
pub(crate) const LABEL: f64 = 14.0;
pub(crate) const TITLE: f64 = 16.0;

/// Length of a tick mark, and the gap between it and its number.
const MARK: f64 = 4.0;
const GAP: f64 = 4.0;
/// Width of axes and tick marks.
pub(crate) const HAIR: f64 = 0.8;

/// Texts around a frame; an empty one takes no room.
#[derive(Clone, Copy, Default)]
pub(crate) struct Captions<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
}

/// A frame on the page and the data intervals that its sides stand for.
pub(crate) struct Axes {
    pub frame: Rect,
    pub x: (f64, f64),
    pub y: (f64, f64),
}

impl Axes {
    /// The largest frame within an area that leaves room for numbers and captions.
    pub(crate) fn fit(area: Rect, x: (f64, f64), y: (f64, f64), captions: Captions<'_>) -> Result<Self, VizError> {
        let top = if captions.title.is_empty() { 10.0 } else { 12.0 + TITLE };
        let bottom = MARK + GAP + TICK + if captions.x.is_empty() { 6.0 } else { 14.0 + LABEL };
        let numbers = widest(&y_ticks(y, area.height() - top - bottom));
        let left = 8.0 + numbers + GAP + MARK + if captions.y.is_empty() { 0.0 } else { 8.0 + LABEL };
        Self::new(area.inset(left, top, 14.0, bottom), x, y)
    }

    /// A given frame.
    pub(crate) fn new(frame: Rect, x: (f64, f64), y: (f64, f64)) -> Result<Self, VizError> {
        if frame.width() < 8.0 || frame.height() < 8.0 {
            let reason = "no room is left between the margins";
            return Err(VizError::Size { width: frame.width(), height: frame.height(), reason });
        }
        Ok(Self { frame, x, y })
    }

    /// Where a point of the data lands.
    pub(crate) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let along = |v: f64, (low, high): (f64, f64)| (v - low) / (high - low);
        let (u, v) = (along(x, self.x), along(y, self.y));
        (self.frame.left + u * self.frame.width(), self.frame.bottom - v * self.frame.height())
    }

    /// All four sides.
    pub(crate) fn outline(&self, canvas: &mut Canvas<'_>) -> Result<(), VizError> {
        let Rect { left, top, right, bottom } = self.frame;
        let ring = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top), (right, top)];
        canvas.line(&ring, Color::INK, HAIR)
    }

    /// The lower side alone.
    pub(crate) fn floor(&self, canvas: &mut Canvas<'_>) -> Result<(), VizError> {
        let Rect { left, right, bottom, .. } = self.frame;
        canvas.line(&[(left, bottom), (right, bottom)], Color::INK, HAIR)
    }

    /// The left side and the lower side.
    pub(crate) fn corner(&self, canvas: &mut Canvas<'_>) -> Result<(), VizError> {
        let Rect { left, top, right, bottom } = self.frame;
        canvas.line(&[(left, top), (left, bottom), (right, bottom)], Color::INK, HAIR)
    }

    /// Marks below the frame, with their numbers if wanted.
    pub(crate) fn ticks_below(&self, canvas: &mut Canvas<'_>, numbers: bool) -> Result<(), VizError> {
        let bottom = self.frame.bottom;
        let ticks = x_ticks(self.x, self.frame.width());
        for (value, label) in ticks.values.iter().zip(&ticks.labels) {
            let x = self.at(*value, self.y.0).0;
            canvas.line(&[(x, bottom), (x, bottom + MARK)], Color::INK, HAIR)?;
            if numbers {
                canvas.text((x, bottom + MARK + GAP + TICK / 2.0), Text::new(label, TICK), Color::INK)?;
            }
        }
        Ok(())
    }

    /// Marks left of the frame, with their numbers if wanted.
    pub(crate) fn ticks_left(&self, canvas: &mut Canvas<'_>, numbers: bool) -> Result<(), VizError> {
        let left = self.frame.left;
        let ticks = y_ticks(self.y, self.frame.height());
        for (value, label) in ticks.values.iter().zip(&ticks.labels) {
            let y = self.at(self.x.0, *value).1;
            canvas.line(&[(left - MARK, y), (left, y)], Color::INK, HAIR)?;
            if numbers {
                canvas.text((left - MARK - GAP, y), Text::new(label, TICK).align(Align::End), Color::INK)?;
            }
        }
        Ok(())
    }

    /// Title above, labels below and at the left, as `fit` made room for them.
    pub(crate) fn captions(&self, canvas: &mut Canvas<'_>, captions: Captions<'_>) -> Result<(), VizError> {
        let (x, y) = self.frame.center();
        let Rect { left, top, bottom, .. } = self.frame;
        let across = self.frame.width() + 16.0;
        if !captions.title.is_empty() {
            let size = Self::fitting_size(captions.title, TITLE, across);
            canvas.text((x, top - 6.0 - TITLE / 2.0), Text::new(captions.title, size), Color::INK)?;
        }
        if !captions.x.is_empty() {
            let size = Self::fitting_size(captions.x, LABEL, across);
            let below = bottom + MARK + GAP + TICK + 8.0 + LABEL / 2.0;
            canvas.text((x, below), Text::new(captions.x, size), Color::INK)?;
        }
        if !captions.y.is_empty() {
            let size = Self::fitting_size(captions.y, LABEL, self.frame.height() + 16.0);
            let numbers = widest(&y_ticks(self.y, self.frame.height()));
            let beside = left - MARK - GAP - numbers - 6.0 - LABEL / 2.0;
            canvas.text((beside, y), Text::new(captions.y, size).upward(), Color::INK)?;
        }
        Ok(())
    }

    /// The size at which a text is no longer than some width; at least 6 pixels.
    pub(crate) fn fitting_size(text: &str, size: f64, width: f64) -> f64 {
        let natural = text_width(text, size);
        if natural > width { (size * width / natural).max(6.0) } else { size }
    }

    /// A line through points of the data, thinned where many share a column of pixels and clipped to the frame.
    pub(crate) fn line(
        &self,
        canvas: &mut Canvas<'_>,
        points: impl IntoIterator<Item = (f64, f64)>,
        color: Color,
        width: f64,
    ) -> Result<(), VizError> {
        let placed: Vec<_> = points.into_iter().map(|(x, y)| self.at(x, y)).collect();
        let mut piece: Vec<(f64, f64)> = Vec::new();
        for pair in thin(&placed).windows(2) {
            let Some((a, b)) = clip(self.frame, pair[0], pair[1]) else {
                continue;
            };
            if piece.last() != Some(&a) {
                canvas.line(&piece, color, width)?;
                piece.clear();
                piece.push(a);
            }
            piece.push(b);
        }
        canvas.line(&piece, color, width)
    }
}

/// The interval of the iterations `0..count`: up to the round number where there are many of them.
pub(crate) fn iterations(count: usize) -> (f64, f64) {
    (0.0, if count < 50 { count.max(2) - 1 } else { count } as f64)
}

fn x_ticks(x: (f64, f64), width: f64) -> Ticks {
    // As many as leave half a number's width between two of them.
    let mut wanted = (width / 45.0).clamp(2.0, 8.0);
    loop {
        let found = ticks(x.0, x.1, wanted);
        if wanted <= 2.0 || found.values.len() as f64 * (widest(&found) + 0.8 * TICK) <= width {
            return found;
        }
        wanted -= 1.0;
    }
}

fn y_ticks(y: (f64, f64), height: f64) -> Ticks {
    // At least three where there is room, else round steps may leave a single one.
    let most = (height / (1.5 * TICK)).max(2.0);
    let mut wanted = (height / 36.0).clamp(2.0, 7.0);
    loop {
        let found = ticks(y.0, y.1, wanted);
        wanted += 1.0;
        if found.values.len() >= 3 || wanted > most {
            return found;
        }
    }
}

fn widest(ticks: &Ticks) -> f64 {
    ticks.labels.iter().map(|label| text_width(label, TICK)).fold(0.0, f64::max)
}

/// At most four points to a quarter of a pixel's column: its first, lowest, highest and last.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::with_capacity(points.len().min(4096));
    for column in points.chunk_by(|a, b| (a.0 * 4.0).floor() == (b.0 * 4.0).floor()) {
        if column.len() <= 4 {
            kept.extend(column);
            continue;
        }
        let by_height = |i: &usize, j: &usize| column[*i].1.total_cmp(&column[*j].1);
        let low = (0..column.len()).min_by(by_height).unwrap_or(0);
        let high = (0..column.len()).max_by(by_height).unwrap_or(0);
        let mut indices = [0, low.min(high), low.max(high), column.len() - 1].to_vec();
        indices.dedup();
        kept.extend(indices.into_iter().map(|i| column[i]));
    }
    kept
}

/// The part of a segment inside of a rectangle (Liang and Barsky, 1984).
fn clip(r: Rect, a: (f64, f64), b: (f64, f64)) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for (step, room) in [(-dx, a.0 - r.left), (dx, r.right - a.0), (-dy, a.1 - r.top), (dy, r.bottom - a.1)] {
        if step == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if step < 0.0 {
            enter = enter.max(room / step);
        } else {
            leave = leave.min(room / step);
        }
    }
    let at = |t: f64| {
        if t == 0.0 {
            a
        } else if t == 1.0 {
            b
        } else {
            (a.0 + t * dx, a.1 + t * dy)
        }
    };
    (enter <= leave).then(|| (at(enter), at(leave)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Rect = Rect { left: 0.0, top: 0.0, right: 1.0, bottom: 1.0 };

    #[test]
    fn segments_are_cut_at_the_frame() {
        assert_eq!(clip(UNIT, (-1.0, 0.5), (2.0, 0.5)), Some(((0.0, 0.5), (1.0, 0.5))));
        assert_eq!(clip(UNIT, (0.25, 0.25), (0.75, 0.5)), Some(((0.25, 0.25), (0.75, 0.5))));
        assert_eq!(clip(UNIT, (-1.0, 0.0), (0.0, 3.0)), None);
        assert_eq!(clip(UNIT, (2.0, 0.0), (2.0, 1.0)), None);
    }

    #[test]
    fn thinning_keeps_ends_and_extremes() {
        let dense: Vec<_> = (0..1000).map(|i| (i as f64 * 1e-5, (i as f64 * 0.1).sin())).collect();
        let kept = thin(&dense);
        assert!(kept.len() <= 4);
        assert_eq!((kept.first(), kept.last()), (dense.first(), dense.last()));
        let top = |points: &[(f64, f64)]| points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
        assert_eq!(top(&kept), top(&dense));
    }

    #[test]
    fn data_land_where_the_axes_say() {
        let frame = Rect { left: 100.0, top: 50.0, right: 300.0, bottom: 150.0 };
        let axes = Axes::new(frame, (-1.0, 1.0), (0.0, 10.0)).unwrap();
        assert_eq!(axes.at(0.0, 2.5), (200.0, 125.0));
        assert!(matches!(
            Axes::new(frame.inset(100.0, 0.0, 95.0, 0.0), (0.0, 1.0), (0.0, 1.0)),
            Err(VizError::Size { .. })
        ));
    }
}
