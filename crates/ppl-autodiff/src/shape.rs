//! Shapes of arrays and NumPy's broadcasting rule.

use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

/// The extents of an array, outermost axis first; the empty shape is a scalar.
///
/// ```
/// use ppl_autodiff::Shape;
/// let shape = Shape::from([3, 1]).broadcast(&Shape::from([4])).unwrap();
/// assert_eq!(shape, Shape::from([3, 4]));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(SmallVec<[usize; 4]>);

impl Shape {
    /// The shape of a scalar.
    pub fn scalar() -> Self {
        Self::default()
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements: the product of the extents, 1 for a scalar; `usize::MAX` where it is larger.
    pub fn size(&self) -> usize {
        // A zero anywhere counts before what overflows.
        if self.0.contains(&0) {
            return 0;
        }
        self.0.iter().fold(1, |size, &n| size.saturating_mul(n))
    }

    /// Whether an array of this shape can exist in memory.
    pub(crate) fn is_possible(&self) -> bool {
        self.size() <= isize::MAX as usize / size_of::<f64>() && self.0.iter().all(|&n| n <= isize::MAX as usize)
    }

    /// The position of an axis counted from the front (`0..rank`) or from the back (`-rank..0`).
    pub fn axis(&self, axis: isize) -> Option<usize> {
        let rank = self.rank() as isize;
        let position = if axis < 0 { axis + rank } else { axis };
        (0..rank).contains(&position).then_some(position as usize)
    }

    /// The common shape of two operands: axes align from the right, extents are equal or 1.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let (long, short) = if self.rank() >= other.rank() { (self, other) } else { (other, self) };
        let mut out = long.clone();
        let skip = long.rank() - short.rank();
        for (o, &s) in out.0[skip..].iter_mut().zip(short.iter()) {
            *o = match (*o, s) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                _ => return None,
            };
        }
        Some(out)
    }

    /// Whether an array of this shape broadcasts to `target` without enlarging it.
    pub fn broadcasts_to(&self, target: &Shape) -> bool {
        self.broadcast(target).as_ref() == Some(target)
    }

    /// This shape followed by `tail`.
    pub fn join(&self, tail: &[usize]) -> Shape {
        let mut out = self.clone();
        out.0.extend_from_slice(tail);
        out
    }

    /// Row-major strides in elements.
    pub fn strides(&self) -> Strides {
        let mut strides: Strides = SmallVec::from_elem(0, self.rank());
        let mut step = 1;
        for (stride, &extent) in strides.iter_mut().zip(self.iter()).rev() {
            *stride = step;
            step = step.saturating_mul(extent as isize);
        }
        strides
    }

    /// The index, along each axis, of the element at a row-major position.
    pub fn index(&self, mut position: usize) -> Vec<usize> {
        let mut index = vec![0; self.rank()];
        for (i, &extent) in index.iter_mut().zip(self.iter()).rev() {
            *i = position % extent.max(1);
            position /= extent.max(1);
        }
        index
    }

    /// The same shape with the extent of one axis changed.
    pub(crate) fn with(&self, axis: usize, extent: usize) -> Shape {
        let mut out = self.clone();
        out.0[axis] = extent;
        out
    }

    pub(crate) fn insert(&mut self, axis: usize, extent: usize) {
        self.0.insert(axis, extent);
    }

    pub(crate) fn remove(&mut self, axis: usize) -> usize {
        self.0.remove(axis)
    }
}

/// Steps in elements along each axis; zero along an axis that is broadcast.
pub type Strides = SmallVec<[isize; 4]>;

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(extents: [usize; N]) -> Self {
        Self(SmallVec::from_slice(&extents))
    }
}

impl From<&[usize]> for Shape {
    fn from(extents: &[usize]) -> Self {
        Self(SmallVec::from_slice(extents))
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl From<Vec<usize>> for Shape {
    fn from(extents: Vec<usize>) -> Self {
        Self(SmallVec::from_vec(extents))
    }
}

impl From<usize> for Shape {
    fn from(extent: usize) -> Self {
        Self::from([extent])
    }
}

impl From<()> for Shape {
    fn from((): ()) -> Self {
        Self::scalar()
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(extents: I) -> Self {
        Self(extents.into_iter().collect())
    }
}

/// As in Python: `[]`, `[3]`, `[3, 4]`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0[..])
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let s = |x: &[usize]| Shape::from(x);
        assert_eq!(s(&[3, 1]).broadcast(&s(&[4])), Some(s(&[3, 4])));
        assert_eq!(s(&[]).broadcast(&s(&[2, 2])), Some(s(&[2, 2])));
        assert_eq!(s(&[3]).broadcast(&s(&[4])), None);
        assert_eq!(s(&[0]).broadcast(&s(&[1])), Some(s(&[0])));
        assert!(!s(&[50, 1]).broadcasts_to(&s(&[50])));
    }

    #[test]
    fn axes_count_from_both_ends() {
        let s = Shape::from([2, 3, 4]);
        assert_eq!((s.axis(-1), s.axis(0), s.axis(3), s.axis(-4)), (Some(2), Some(0), None, None));
        assert_eq!(&s.strides()[..], &[12, 4, 1]);
    }
}
