//! The operations of the tape: each has its value, shape rule and adjoint in one file of this folder.

mod arithmetic;
mod bessel;
mod comparison;
mod exponential;
mod gamma;
mod gaussian;
mod hyperbolic;
mod index;
mod matrix;
mod product;
mod random;
mod recurrence;
mod reduce;
mod rounding;
mod scan;
mod sort;
mod trigonometric;
mod view;
mod window;

use std::sync::Arc;

use smallvec::SmallVec;

pub(crate) use exponential::{ln_1p_square, ln_1p_square_slope};
pub use random::Law;
pub use reduce::Reduction;
pub use scan::Body;
pub(crate) use view::inverse;
pub use window::Window;

use crate::error::Mistake;
use crate::kernels::elementwise::{BinaryKernel, UnaryKernel, binary_kernels, straight_line};
use crate::real::Real;
use crate::shape::Shape;
use crate::var::Var;

/// A list of axes, ascending.
pub type Axes = SmallVec<[usize; 4]>;
/// The adjoints of the operands; `None` where no derivative flows.
pub(crate) type Adjoints = SmallVec<[Option<Var>; 3]>;

/// One operation of the tape. Equal operations on equal operands give equal results.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Values that come with each evaluation: `size` numbers of a slot from an offset on.
    Input {
        /// Which slot.
        slot: u32,
        /// Where in the slot.
        offset: usize,
    },
    /// A constant of the tape's table.
    Constant(u32),
    /// The placeholder after a mistake; a poisoned trace is never compiled.
    Poison,
    /// A function of one number, element by element.
    Unary(Unary),
    /// A function of two numbers, element by element with broadcasting.
    Binary(Binary),
    /// `where`: the second operand where the first is not 0, else the third.
    Select,
    /// A reduction over axes, which stay with extent 1.
    Reduce {
        /// Which.
        op: Reduction,
        /// Over which axes.
        axes: Axes,
    },
    /// Running sums along an axis.
    CumSum {
        /// Along which axis.
        axis: usize,
        /// From the end.
        reverse: bool,
    },
    /// `y_t = d_t y_{t-1} + x_t` along an axis, of a decay d and an input x of one shape.
    Recurrence {
        /// Along which axis.
        axis: usize,
        /// From the end.
        reverse: bool,
    },
    /// Matrix product over the last two axes, batch axes broadcast.
    MatMul,
    /// Axis `i` of the result is axis `order[i]`.
    Transpose(Axes),
    /// The same row-major elements in another shape.
    Reshape(Shape),
    /// Repetition along axes of extent 1 and new leading axes.
    Broadcast(Shape),
    /// `length` elements along an axis from `start` in steps.
    Slice {
        /// Along which axis.
        axis: usize,
        /// The first element.
        start: usize,
        /// The step.
        step: usize,
        /// How many.
        length: usize,
    },
    /// Zeros, with the operand at `start` in steps: the adjoint of `Slice`.
    Pad {
        /// Along which axis.
        axis: usize,
        /// Where the first element goes.
        start: usize,
        /// The step.
        step: usize,
        /// The extent of the result along the axis.
        length: usize,
    },
    /// Arrays joined along an axis.
    Concat {
        /// Along which axis.
        axis: usize,
    },
    /// The elements at some indices along an axis.
    Gather {
        /// Along which axis.
        axis: usize,
        /// The indices.
        index: Arc<[usize]>,
    },
    /// Slices added at some indices of an axis: the adjoint of `Gather`.
    ScatterAdd {
        /// Along which axis.
        axis: usize,
        /// The indices.
        index: Arc<[usize]>,
        /// The extent of the result along the axis.
        length: usize,
    },
    /// The diagonal of square matrices.
    Diag,
    /// Square matrices with given diagonals.
    DiagEmbed,
    /// The lower Cholesky factor.
    Cholesky,
    /// Solution of a lower triangular system.
    SolveLower {
        /// With the transposed factor.
        transposed: bool,
    },
    /// `ln |det A|` of square matrices.
    LogAbsDet,
    /// The sign of the determinant of square matrices.
    DetSign,
    /// The inverse of square matrices.
    Inverse,
    /// All positions of a window on images: `[.., H, W]` to `[.., rows, columns, positions, positions]`.
    Windows(Window),
    /// The adjoint of `Windows`: elements are added where they came from, in images of a size.
    Overlay {
        /// The window.
        window: Window,
        /// Rows and columns of the images.
        size: [usize; 2],
    },
    /// The indices that sort the last axis.
    ArgSort,
    /// Elements of the last axis at indices that the second operand has.
    TakeAlong,
    /// The adjoint of `TakeAlong`: elements are added at those indices of an axis of some length.
    PutAlong {
        /// The extent of the last axis of the result.
        length: usize,
    },
    /// A recursion: a function of one step, applied along an axis.
    Scan {
        /// The step.
        body: Body,
        /// How many steps.
        length: usize,
        /// From the last to the first.
        reverse: bool,
    },
    /// Random numbers.
    Random {
        /// Their law.
        law: Law,
        /// How many.
        shape: Shape,
        /// What tells this node's numbers from others'.
        stream: u32,
    },
}

impl Op {
    /// The names of all kinds of operation that are not elementwise functions; see [`Unary::ALL`], [`Binary::ALL`].
    pub const STRUCTURAL: &[&str] = &[
        "select",
        "sum",
        "max_axis",
        "min_axis",
        "logsumexp",
        "cumsum",
        "linear_recurrence",
        "matmul",
        "transpose",
        "reshape",
        "broadcast_to",
        "slice",
        "pad",
        "concat",
        "gather",
        "scatter_add",
        "diag",
        "diag_embed",
        "cholesky",
        "solve_lower",
        "log_abs_det",
        "det_sign",
        "inverse",
        "windows",
        "overlay",
        "argsort",
        "take_along",
        "put_along",
        "scan",
        "random",
    ];

    /// The name, as errors and explanations print it.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input { .. } => "input",
            Op::Constant(_) => "constant",
            Op::Poison => "poison",
            Op::Unary(op) => op.name(),
            Op::Binary(op) => op.name(),
            Op::Select => "select",
            Op::Reduce { op, .. } => op.name(),
            Op::CumSum { .. } => "cumsum",
            Op::Recurrence { .. } => "linear_recurrence",
            Op::MatMul => "matmul",
            Op::Transpose(_) => "transpose",
            Op::Reshape(_) => "reshape",
            Op::Broadcast(_) => "broadcast_to",
            Op::Slice { .. } => "slice",
            Op::Pad { .. } => "pad",
            Op::Concat { .. } => "concat",
            Op::Gather { .. } => "gather",
            Op::ScatterAdd { .. } => "scatter_add",
            Op::Diag => "diag",
            Op::DiagEmbed => "diag_embed",
            Op::Cholesky => "cholesky",
            Op::SolveLower { .. } => "solve_lower",
            Op::LogAbsDet => "log_abs_det",
            Op::DetSign => "det_sign",
            Op::Inverse => "inverse",
            Op::Windows(_) => "windows",
            Op::Overlay { .. } => "overlay",
            Op::ArgSort => "argsort",
            Op::TakeAlong => "take_along",
            Op::PutAlong { .. } => "put_along",
            Op::Scan { .. } => "scan",
            Op::Random { .. } => "random",
        }
    }

    /// The shape of the result.
    pub(crate) fn shape(&self, x: &[&Shape]) -> Result<Shape, Mistake> {
        match self {
            // Leaves are recorded with their shape, never through this rule.
            Op::Input { .. } | Op::Constant(_) | Op::Poison => Ok(Shape::scalar()),
            Op::Unary(_) | Op::CumSum { .. } | Op::Recurrence { .. } => Ok(x[0].clone()),
            Op::Binary(_) | Op::Select => arithmetic::broadcast(self.name(), x),
            Op::Reduce { axes, .. } => Ok(axes.iter().fold(x[0].clone(), |s, &a| s.with(a, 1))),
            Op::MatMul => product::shape(x),
            Op::Transpose(order) => view::transpose_shape(x[0], order),
            Op::Reshape(target) => view::reshape_shape(x[0], target),
            Op::Broadcast(target) => view::broadcast_shape(x[0], target),
            Op::Slice { axis, length, .. } | Op::Pad { axis, length, .. } => Ok(x[0].with(*axis, *length)),
            Op::Concat { axis } => view::concat_shape(x, *axis),
            Op::Gather { axis, index } => Ok(x[0].with(*axis, index.len())),
            Op::ScatterAdd { axis, index, length } => index::scatter_shape(x[0], *axis, index.len(), *length),
            Op::Diag => matrix::diag_shape(x[0]),
            Op::DiagEmbed => matrix::diag_embed_shape(x[0]),
            Op::Cholesky => matrix::cholesky_shape(x[0]),
            Op::SolveLower { .. } => matrix::solve_shape(x[0], x[1]),
            Op::LogAbsDet | Op::DetSign => matrix::determinant_shape(x[0]),
            Op::Inverse => matrix::inverse_shape(x[0]),
            Op::Windows(window) => window::windows_shape(x[0], window),
            Op::Overlay { size, .. } => window::overlay_shape(x[0], *size),
            Op::ArgSort => Ok(x[0].clone()),
            Op::TakeAlong => sort::take_shape(x[0], x[1]),
            Op::PutAlong { length } => sort::put_shape(x[0], x[1], *length),
            Op::Scan { body, length, .. } => scan::shape(body, *length, x),
            Op::Random { law, shape, .. } => random::shape(*law, shape, x),
        }
    }

    /// The adjoints of the operands `x` of `y`, given the adjoint `g` of the result, in the shape of the result
    /// where operands broadcast (the sweep sums them to the operands' shapes).
    pub(crate) fn adjoint(&self, x: &[Var], y: Var, g: Var) -> Adjoints {
        let one = |v: Var| smallvec::smallvec![Some(v)];
        match self {
            Op::Input { .. } | Op::Constant(_) | Op::Poison => Adjoints::new(),
            Op::Random { law, .. } => random::adjoint(*law, x, y, g),
            Op::Unary(op) => smallvec::smallvec![op.adjoint(x[0], y, g)],
            Op::Binary(op) => {
                let (a, b) = op.adjoint(x[0], x[1], y, g);
                smallvec::smallvec![a, b]
            }
            Op::Select => comparison::select_adjoint(x, g),
            Op::Reduce { op, axes } => one(reduce::adjoint(*op, axes, x[0], y, g)),
            Op::CumSum { axis, reverse } => one(g.scan_sum(*axis as isize, !reverse)),
            Op::Recurrence { axis, reverse } => {
                let (decay, input) = recurrence::adjoint(*axis, *reverse, x[0], y, g);
                smallvec::smallvec![Some(decay), Some(input)]
            }
            Op::MatMul => product::adjoint(x[0], x[1], g),
            Op::Transpose(order) => one(view::transpose_adjoint(order, g)),
            Op::Reshape(_) => one(g.reshape(x[0].shape())),
            Op::Broadcast(_) => one(g.sum_to(&x[0].shape())),
            Op::Slice { axis, start, step, .. } => one(view::slice_adjoint(*axis, *start, *step, x[0], g)),
            Op::Pad { axis, start, step, .. } => one(view::pad_adjoint(*axis, *start, *step, x[0], g)),
            Op::Concat { axis } => view::concat_adjoint(*axis, x, g),
            Op::Gather { axis, index } => one(g.scatter_add(*axis as isize, index, x[0].dim(*axis as isize))),
            Op::ScatterAdd { axis, index, .. } => one(g.gather(*axis as isize, index)),
            Op::Diag => one(g.diag_embed()),
            Op::DiagEmbed => one(g.diag()),
            Op::Cholesky => one(matrix::cholesky_adjoint(y, g)),
            Op::SolveLower { transposed } => matrix::solve_adjoint(*transposed, x[0], y, g),
            Op::LogAbsDet => one(matrix::log_abs_det_adjoint(x[0], g)),
            Op::DetSign | Op::ArgSort => smallvec::smallvec![None],
            Op::Inverse => one(matrix::inverse_adjoint(y, g)),
            Op::Windows(window) => one(window::windows_adjoint(*window, x[0], g)),
            Op::Overlay { window, .. } => one(window::overlay_adjoint(*window, g)),
            Op::TakeAlong => smallvec::smallvec![Some(sort::take_adjoint(x[0], x[1], g)), None],
            Op::PutAlong { .. } => smallvec::smallvec![Some(sort::put_adjoint(x[1], g)), None],
            Op::Scan { body, length, reverse } => scan::adjoint(body, *length, *reverse, x, y, g),
        }
    }
}

/// A function of one number: value and derivative side by side.
pub(crate) trait Elementwise {
    const NAME: &'static str;
    fn value<T: Real>(x: T) -> T;
    /// The values over a block; functions with rare arguments off the straight line name their own loop.
    fn block<T: Real>(x: &[T], out: &mut [T])
    where
        Self: Sized,
    {
        straight_line::<T, Self>(x, out);
    }
    /// The adjoint of `x`, given `y = value(x)` and the adjoint `g` of `y`; `None` where the function is flat.
    fn adjoint(x: Var, y: Var, g: Var) -> Option<Var>;
}

/// A function of two numbers: value and derivatives side by side.
pub(crate) trait Elementwise2 {
    const NAME: &'static str;
    fn value<T: Real>(a: T, b: T) -> T;
    fn adjoint(a: Var, b: Var, y: Var, g: Var) -> (Option<Var>, Option<Var>);
}

macro_rules! unary_table {
    ($($name:ident => $file:ident;)*) => {
        /// The functions of one number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // their documentation stands at the methods of `Var`
        pub enum Unary { $($name),* }

        impl Unary {
            /// All of them: tests and tables walk this list.
            pub const ALL: &[Unary] = &[$(Unary::$name),*];

            /// The name.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$name => <$file::$name as Elementwise>::NAME),* }
            }

            /// The value at one number.
            pub fn value<T: Real>(self, x: T) -> T {
                match self { $(Unary::$name => $file::$name::value(x)),* }
            }

            fn adjoint(self, x: Var, y: Var, g: Var) -> Option<Var> {
                match self { $(Unary::$name => $file::$name::adjoint(x, y, g)),* }
            }

            pub(crate) fn kernel<T: Real>(self) -> UnaryKernel<T> {
                match self { $(Unary::$name => <$file::$name as Elementwise>::block::<T>),* }
            }
        }
    };
}

macro_rules! binary_table {
    ($($name:ident => $file:ident;)*) => {
        /// The functions of two numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // their documentation stands at the methods of `Var`
        pub enum Binary { $($name),* }

        impl Binary {
            /// All of them: tests and tables walk this list.
            pub const ALL: &[Binary] = &[$(Binary::$name),*];

            /// The name.
            pub fn name(self) -> &'static str {
                match self { $(Binary::$name => <$file::$name as Elementwise2>::NAME),* }
            }

            /// The value at two numbers.
            pub fn value<T: Real>(self, a: T, b: T) -> T {
                match self { $(Binary::$name => $file::$name::value(a, b)),* }
            }

            fn adjoint(self, a: Var, b: Var, y: Var, g: Var) -> (Option<Var>, Option<Var>) {
                match self { $(Binary::$name => $file::$name::adjoint(a, b, y, g)),* }
            }

            pub(crate) fn kernels<T: Real>(self) -> [BinaryKernel<T>; 3] {
                match self { $(Binary::$name => binary_kernels::<T, $file::$name>()),* }
            }
        }
    };
}

unary_table! {
    Neg => arithmetic;
    Square => arithmetic;
    Recip => arithmetic;
    Sqrt => arithmetic;
    Abs => rounding;
    Signum => rounding;
    Floor => rounding;
    Detach => rounding;
    Exp => exponential;
    ExpM1 => exponential;
    Ln => exponential;
    Ln1p => exponential;
    Ln1pSquare => exponential;
    Ln1pSquareSlope => exponential;
    Log1mExp => exponential;
    Tanh => hyperbolic;
    Sigmoid => hyperbolic;
    Softplus => hyperbolic;
    Sin => trigonometric;
    Cos => trigonometric;
    Atan => trigonometric;
    Erf => gaussian;
    Erfc => gaussian;
    Erfcx => gaussian;
    LogNdtr => gaussian;
    Ndtri => gaussian;
    Lgamma => gamma;
    Digamma => gamma;
    Trigamma => gamma;
    I0e => bessel;
    I1e => bessel;
}

binary_table! {
    Add => arithmetic;
    Sub => arithmetic;
    Mul => arithmetic;
    Div => arithmetic;
    Pow => exponential;
    LogAddExp => exponential;
    Deviance => gamma;
    Max => comparison;
    Min => comparison;
    Lt => comparison;
    Le => comparison;
    Gt => comparison;
    Ge => comparison;
    Eq => comparison;
    Ne => comparison;
}
