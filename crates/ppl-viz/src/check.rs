//! The checks that every plot makes of its data.

use crate::error::VizError;

/// The plot on whose behalf data are checked; named in errors.
#[derive(Clone, Copy)]
pub(crate) struct Check(pub &'static str);

impl Check {
    /// All finite and at least one: gives the smallest and the largest.
    pub(crate) fn extent<'a>(
        self,
        what: impl Into<String>,
        values: impl IntoIterator<Item = &'a f64>,
    ) -> Result<(f64, f64), VizError> {
        let (plot, what) = (self.0, what.into());
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (index, &value) in values.into_iter().enumerate() {
            if !value.is_finite() {
                return Err(VizError::NotFinite { plot, what, index, value });
            }
            low = low.min(value);
            high = high.max(value);
        }
        if low > high { Err(VizError::Empty { plot, what }) } else { Ok((low, high)) }
    }

    /// Finite ends, the lower one first, and a length that is a number too.
    pub(crate) fn range(self, what: &'static str, (low, high): (f64, f64)) -> Result<(f64, f64), VizError> {
        if low < high && (high - low).is_finite() {
            Ok((low, high))
        } else {
            Err(VizError::Range { plot: self.0, what, low, high })
        }
    }

    pub(crate) fn shape(self, what: impl Into<String>, wanted: impl Into<String>, got: &[usize]) -> VizError {
        VizError::Shape { plot: self.0, what: what.into(), wanted: wanted.into(), got: got.to_vec() }
    }
}

/// The interval with a margin of a fraction of its length; one of no length is opened around its value.
pub(crate) fn widen((low, high): (f64, f64), fraction: f64) -> (f64, f64) {
    let margin = if high > low { (high - low) * fraction } else { (low.abs() * 0.05).max(0.5) };
    (low - margin, high + margin)
}

/// The smallest interval that holds both.
pub(crate) fn union(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0.min(b.0), a.1.max(b.1))
}
