//! Comparisons (1 where true, else 0), the larger and the smaller of two, and selection.

use smallvec::smallvec;

use crate::ops::{Adjoints, Elementwise2};
use crate::real::Real;
use crate::var::Var;

macro_rules! comparisons {
    ($($name:ident $text:literal $operator:tt;)*) => { $(
        pub(super) struct $name;

        impl Elementwise2 for $name {
            const NAME: &'static str = $text;
            #[inline(always)]
            fn value<T: Real>(a: T, b: T) -> T {
                T::select(a $operator b, T::ONE, T::ZERO)
            }
            fn adjoint(_: Var, _: Var, _: Var, _: Var) -> (Option<Var>, Option<Var>) {
                (None, None)
            }
        }
    )* };
}

comparisons! {
    Lt "lt" <;
    Le "le" <=;
    Gt "gt" >;
    Ge "ge" >=;
    Eq "eq" ==;
    Ne "ne" !=;
}

/// 1 where the first wins, 1/2 at a tie, 0 where it loses.
fn share(wins: Var, ties: Var, g: Var) -> (Option<Var>, Option<Var>) {
    let first = wins + ties * 0.5;
    (Some(g * first), Some(g * (1.0 - first)))
}

pub(super) struct Max;

impl Elementwise2 for Max {
    const NAME: &'static str = "max";
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        a.max(b)
    }
    fn adjoint(a: Var, b: Var, _: Var, g: Var) -> (Option<Var>, Option<Var>) {
        share(a.gt(b), a.eq(b), g)
    }
}

pub(super) struct Min;

impl Elementwise2 for Min {
    const NAME: &'static str = "min";
    #[inline(always)]
    fn value<T: Real>(a: T, b: T) -> T {
        a.min(b)
    }
    fn adjoint(a: Var, b: Var, _: Var, g: Var) -> (Option<Var>, Option<Var>) {
        share(a.lt(b), a.eq(b), g)
    }
}

/// The derivative goes to the branch that was taken.
pub(super) fn select_adjoint(x: &[Var], g: Var) -> Adjoints {
    let condition = x[0];
    smallvec![None, Some(condition.select(g, 0.0)), Some(condition.select(0.0, g))]
}
