//! The operators of `Var` with `Var`s, numbers and arrays on either side.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use std::panic::Location;

use ndarray::{ArrayBase, Data, Dimension};

use crate::ops::{Binary, Op, Unary};
use crate::trace;
use crate::var::Var;

macro_rules! operators {
    ($($trait:ident $method:ident $assign:ident $assign_method:ident;)*) => { $(
        impl $trait for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, other: Var) -> Var { self.binary(Binary::$trait, other) }
        }
        impl $trait<f64> for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, other: f64) -> Var { self.binary(Binary::$trait, Var::from(other)) }
        }
        impl $trait<Var> for f64 {
            type Output = Var;
            #[track_caller]
            fn $method(self, other: Var) -> Var { Var::from(self).binary(Binary::$trait, other) }
        }
        impl<S: Data<Elem = f64>, D: Dimension> $trait<&ArrayBase<S, D>> for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, other: &ArrayBase<S, D>) -> Var { self.binary(Binary::$trait, Var::from(other)) }
        }
        impl<S: Data<Elem = f64>, D: Dimension> $trait<Var> for &ArrayBase<S, D> {
            type Output = Var;
            #[track_caller]
            fn $method(self, other: Var) -> Var { Var::from(self).binary(Binary::$trait, other) }
        }
        impl<T: Into<Var>> $assign<T> for Var {
            #[track_caller]
            fn $assign_method(&mut self, other: T) { *self = self.binary(Binary::$trait, other.into()) }
        }
    )* };
}

operators! {
    Add add AddAssign add_assign;
    Sub sub SubAssign sub_assign;
    Mul mul MulAssign mul_assign;
    Div div DivAssign div_assign;
}

impl Neg for Var {
    type Output = Var;
    #[track_caller]
    fn neg(self) -> Var {
        trace::record(Op::Unary(Unary::Neg), &[self], Location::caller())
    }
}

impl Sum for Var {
    fn sum<I: Iterator<Item = Var>>(vars: I) -> Var {
        vars.reduce(|a, b| a + b).unwrap_or_else(|| Var::from(0.0))
    }
}
