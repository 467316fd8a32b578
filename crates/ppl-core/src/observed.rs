//! What may stand as the observed value of a site: numbers, arrays, `Var`s, or nothing.

use ndarray::{ArrayBase, Data, Dimension};
use ppl_autodiff::{Number, Tensor, Var};

/// The observed value of a site; `None` means that it is to be drawn.
pub trait IntoObserved {
    /// The value on the tape, if there is one.
    fn into_observed(self) -> Option<Var>;
}

impl IntoObserved for Var {
    fn into_observed(self) -> Option<Var> {
        Some(self)
    }
}

impl<T: IntoObserved> IntoObserved for Option<T> {
    #[track_caller]
    fn into_observed(self) -> Option<Var> {
        self.and_then(IntoObserved::into_observed)
    }
}

impl<'a, T> IntoObserved for &'a Option<T>
where
    &'a T: IntoObserved,
{
    #[track_caller]
    fn into_observed(self) -> Option<Var> {
        self.as_ref().and_then(IntoObserved::into_observed)
    }
}

macro_rules! observed {
    ($(($($generics:tt)*) $t:ty;)*) => { $(
        impl<$($generics)*> IntoObserved for $t {
            #[track_caller]
            fn into_observed(self) -> Option<Var> {
                Some(Var::from(self))
            }
        }
    )* };
}

observed! {
    (A: Number, S: Data<Elem = A>, D: Dimension) ArrayBase<S, D>;
    (A: Number, S: Data<Elem = A>, D: Dimension) &ArrayBase<S, D>;
    (A: Number) Vec<A>;
    (A: Number) &Vec<A>;
    (A: Number) &[A];
    (A: Number, const N: usize) [A; N];
    () Tensor;
    () &Tensor;
    () f64;
    () f32;
    () bool;
    () u8;
    () u16;
    () u32;
    () u64;
    () usize;
    () i8;
    () i16;
    () i32;
    () i64;
    () isize;
}
