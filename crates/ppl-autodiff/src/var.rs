//! `Var`: a number or an array on the tape being recorded, with the operations of NumPy.

use std::marker::PhantomData;
use std::panic::Location;

use ndarray::ArrayD;
use smallvec::SmallVec;

use crate::error::Mistake;
use crate::ops::{Axes, Binary, Law, Op, Reduction, Unary};
use crate::shape::Shape;
use crate::tape::{BadData, NodeId};
use crate::tensor::Tensor;
use crate::trace;

/// A number or an array on the tape being recorded.
///
/// It is a small handle (`Copy`, no lifetime, no type parameter) that is valid while the function that made it is
/// traced, and only on that thread. Operators and methods broadcast as NumPy's do. A wrong shape poisons the trace:
/// nothing panics, and whoever asked for the trace gets the first mistake with its source line.
///
/// ```compile_fail,E0277
/// // The trace is a thread's own, so a `Var` cannot leave it.
/// ppl_autodiff::trace(|| {
///     let x = ppl_autodiff::Var::input(0, [2]);
///     std::thread::scope(|scope| scope.spawn(move || x.exp().node()).join());
/// });
/// ```
#[derive(Clone, Copy)]
pub struct Var {
    trace: u32,
    node: NodeId,
    not_send: PhantomData<*const ()>,
}

impl std::fmt::Debug for Var {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match trace::known_shape(*self) {
            Some(shape) => write!(f, "Var(#{}, {shape})", self.node),
            None => write!(f, "Var(#{}, of no living trace)", self.node),
        }
    }
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {
        $($(#[$doc])*
        #[track_caller]
        pub fn $name(self) -> Var { self.unary(Unary::$op) })*
    };
}

macro_rules! binary_methods {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {
        $($(#[$doc])*
        #[track_caller]
        pub fn $name(self, other: impl Into<Var>) -> Var { self.binary(Binary::$op, other.into()) })*
    };
}

macro_rules! reductions {
    ($($(#[$doc:meta])* $all:ident, $axis:ident, $axes:ident => $op:ident;)*) => {
        $($(#[$doc])*
        ///
        /// Over all elements, giving a scalar.
        #[track_caller]
        pub fn $all(self) -> Var { self.reduce_all(Reduction::$op) }

        $(#[$doc])*
        ///
        /// Over one axis (counted from the back when negative), which is dropped.
        #[track_caller]
        pub fn $axis(self, axis: isize) -> Var { self.reduce(Reduction::$op, &[axis], false) }

        $(#[$doc])*
        ///
        /// Over several axes, which stay with extent 1.
        #[track_caller]
        pub fn $axes(self, axes: &[isize]) -> Var { self.reduce(Reduction::$op, axes, true) })*
    };
}

impl Var {
    pub(crate) fn new(trace: u32, node: NodeId) -> Self {
        Self { trace, node, not_send: PhantomData }
    }

    pub(crate) fn trace(self) -> u32 {
        self.trace
    }

    /// The position of this value on its tape.
    pub fn node(self) -> NodeId {
        self.node
    }

    /// An input of `shape` in an input slot, after the inputs which that slot has already. Slot 0 holds what is
    /// differentiated by convention; the values come with each evaluation of the program.
    #[track_caller]
    pub fn input(slot: usize, shape: impl Into<Shape>) -> Var {
        trace::input(slot, shape.into(), Location::caller())
    }

    /// A constant.
    #[track_caller]
    pub fn constant(value: impl Into<Tensor>) -> Var {
        trace::constant(value.into(), Location::caller())
    }

    /// An array of zeros.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Var {
        Var::from(0.0).broadcast_to(shape)
    }

    /// Independent random numbers: a fresh stream of the trace, drawn anew for each key a program is run with.
    /// `parameters` must broadcast to `shape`.
    #[track_caller]
    pub fn random(law: Law, shape: impl Into<Shape>, parameters: &[Var]) -> Var {
        let op = Op::Random { law, shape: shape.into(), stream: trace::next_stream() };
        trace::record(op, parameters, Location::caller())
    }

    /// The shape.
    #[track_caller]
    pub fn shape(self) -> Shape {
        trace::shape_of(self, Location::caller())
    }

    /// The extent of one axis, counted from the back when negative.
    #[track_caller]
    pub fn dim(self, axis: isize) -> usize {
        let shape = self.shape();
        match shape.axis(axis) {
            Some(axis) => shape[axis],
            None => {
                trace::mistake(Mistake::Axis { operation: "dim", axis, shape });
                1
            }
        }
    }

    /// The number of axes.
    #[track_caller]
    pub fn rank(self) -> usize {
        self.shape().rank()
    }

    /// The value of a scalar at the point being traced.
    ///
    /// Reading makes the trace *dynamic*: the function runs at every evaluation and the path it took selects a
    /// compiled program. What is read counts as a constant: no derivative flows through it. NaN where there is no
    /// value (a poisoned trace, outside a trace).
    #[track_caller]
    pub fn value(self) -> f64 {
        let Some(value) = trace::read(self, Location::caller()) else {
            return f64::NAN;
        };
        if let Some(number) = value.as_scalar() {
            return number;
        }
        trace::mistake(Mistake::Shapes {
            operation: "value",
            shapes: vec![value.shape().clone()],
            rule: "only a scalar can be read as a number; use `array`",
        });
        f64::NAN
    }

    /// The values at the point being traced, as [`Var::value`] for arrays.
    #[track_caller]
    pub fn array(self) -> ArrayD<f64> {
        match trace::read(self, Location::caller()) {
            Some(value) => value.to_array(),
            None => ArrayD::from_elem(ndarray::IxDyn(&self.shape()), f64::NAN),
        }
    }

    /// The value, if it depends on data alone (no input, no random number): known whatever the point.
    pub fn as_constant(self) -> Option<Tensor> {
        trace::constant_of(self)
    }

    /// The data array that holds NaN or an infinity and reaches this value other than through a selection, if there
    /// is one.
    pub fn bad_data(self) -> Option<BadData> {
        trace::bad_data_of(self)
    }

    /// Whether this value belongs to the trace being recorded.
    pub fn is_own(self) -> bool {
        trace::is_own(self)
    }

    #[track_caller]
    fn unary(self, op: Unary) -> Var {
        trace::record(Op::Unary(op), &[self], Location::caller())
    }

    #[track_caller]
    pub(crate) fn binary(self, op: Binary, other: Var) -> Var {
        trace::record(Op::Binary(op), &[self, other], Location::caller())
    }

    /// A function of one number from the table of operations, element by element.
    #[track_caller]
    pub fn apply(self, op: Unary) -> Var {
        self.unary(op)
    }

    /// A function of two numbers from the table of operations, element by element with broadcasting.
    #[track_caller]
    pub fn apply2(self, op: Binary, other: impl Into<Var>) -> Var {
        self.binary(op, other.into())
    }

    unary_methods! {
        /// `e^x`.
        exp => Exp;
        /// `e^x - 1`, exact near 0.
        exp_m1 => ExpM1;
        /// The natural logarithm; NaN below 0.
        ln => Ln;
        /// `ln(1 + x)`, exact near 0.
        ln_1p => Ln1p;
        /// `ln(1 + x^2)`, exact near 0 and where the square would overflow.
        ln_1p_square => Ln1pSquare;
        /// `ln(1 - e^-x)` for x > 0, exact near 0 and far from it.
        log1mexp => Log1mExp;
        /// The square root.
        sqrt => Sqrt;
        /// `x * x`.
        square => Square;
        /// `1 / x`.
        recip => Recip;
        /// The hyperbolic tangent.
        tanh => Tanh;
        /// The logistic function `1 / (1 + e^-x)`.
        sigmoid => Sigmoid;
        /// `ln(1 + e^x)`, the smooth hinge; never overflows.
        softplus => Softplus;
        /// The sine (radians).
        sin => Sin;
        /// The cosine (radians).
        cos => Cos;
        /// The angle between -pi/2 and pi/2 whose tangent this is.
        atan => Atan;
        /// The error function.
        erf => Erf;
        /// The complementary error function `1 - erf(x)`.
        erfc => Erfc;
        /// The scaled complementary error function `e^(x^2) erfc(x)`, which does not underflow.
        erfcx => Erfcx;
        /// `ln Phi(x)`, Phi the standard normal distribution function; exact in both tails.
        log_ndtr => LogNdtr;
        /// The standard normal quantile function: the inverse of Phi, on (0, 1).
        ndtri => Ndtri;
        /// `ln |Gamma(x)|`.
        lgamma => Lgamma;
        /// The derivative of `lgamma`.
        digamma => Digamma;
        /// The derivative of `digamma`.
        trigamma => Trigamma;
        /// `e^-|x| I0(x)`, the modified Bessel function of order 0.
        i0e => I0e;
        /// `e^-|x| I1(x)`, the modified Bessel function of order 1.
        i1e => I1e;
        /// The absolute value; derivative 0 at 0.
        abs => Abs;
        /// -1, 0 or 1; derivative 0.
        signum => Signum;
        /// The largest integer not above; derivative 0.
        floor => Floor;
        /// The same value, through which no derivative flows.
        detach => Detach;
    }

    binary_methods! {
        /// `self^other`. The derivative by the exponent is 0 where the base is 0.
        pow => Pow;
        /// `ln(e^self + e^other)` without overflow; -inf where both are.
        logaddexp => LogAddExp;
        /// `x ln(x / m) + m - x` for positive x and m, half of a Poisson deviance, with all digits where the two are near
        /// each other.
        deviance => Deviance;
        /// The larger of two; at a tie each side gets half of the derivative. NaN if either is.
        max => Max;
        /// The smaller of two; at a tie each side gets half of the derivative. NaN if either is.
        min => Min;
        /// 1 where `self < other`, else 0.
        lt => Lt;
        /// 1 where `self <= other`, else 0.
        le => Le;
        /// 1 where `self > other`, else 0.
        gt => Gt;
        /// 1 where `self >= other`, else 0.
        ge => Ge;
        /// 1 where the two are equal, else 0.
        eq => Eq;
        /// 1 where the two differ, else 0.
        ne => Ne;
    }

    reductions! {
        /// The sum.
        sum, sum_axis, sum_axes => Sum;
        /// The largest element; ties share the derivative evenly.
        maximum, max_axis, max_axes => Max;
        /// The smallest element; ties share the derivative evenly.
        minimum, min_axis, min_axes => Min;
        /// `ln sum e^x`, without overflow; -inf where all elements are.
        logsumexp, logsumexp_axis, logsumexp_axes => LogSumExp;
    }

    #[track_caller]
    fn reduce_all(self, op: Reduction) -> Var {
        let axes: SmallVec<[isize; 4]> = (0..self.rank() as isize).collect();
        self.reduce(op, &axes, false)
    }

    #[track_caller]
    pub(crate) fn reduce(self, op: Reduction, axes: &[isize], keep: bool) -> Var {
        let location = Location::caller();
        let shape = self.shape();
        let mut reduced = Axes::new();
        for &axis in axes {
            match shape.axis(axis) {
                Some(axis) => reduced.push(axis),
                None => {
                    return trace::poisoned(
                        Mistake::Axis { operation: op.name(), axis, shape },
                        Shape::scalar(),
                        location,
                    );
                }
            }
        }
        reduced.sort_unstable();
        reduced.dedup();
        let out = if reduced.is_empty() {
            self
        } else {
            trace::record(Op::Reduce { op, axes: reduced.clone() }, &[self], location)
        };
        if keep {
            return out;
        }
        let rest: Shape = (0..shape.rank()).filter(|a| !reduced.contains(a)).map(|a| shape[a]).collect();
        trace::record(Op::Reshape(rest), &[out], location)
    }

    /// The mean of all elements.
    #[track_caller]
    pub fn mean(self) -> Var {
        let n = self.shape().size();
        self.sum() / n as f64
    }

    /// The mean over one axis, which is dropped.
    #[track_caller]
    pub fn mean_axis(self, axis: isize) -> Var {
        let n = self.dim(axis);
        self.sum_axis(axis) / n as f64
    }

    /// `e^x / sum e^x` along an axis.
    #[track_caller]
    pub fn softmax(self, axis: isize) -> Var {
        self.log_softmax(axis).exp()
    }

    /// `x - ln sum e^x` along an axis.
    #[track_caller]
    pub fn log_softmax(self, axis: isize) -> Var {
        self - self.logsumexp_axes(&[axis])
    }

    /// Running sums along an axis.
    #[track_caller]
    pub fn cumsum(self, axis: isize) -> Var {
        self.scan_sum(axis, false)
    }

    #[track_caller]
    pub(crate) fn scan_sum(self, axis: isize, reverse: bool) -> Var {
        let location = Location::caller();
        match self.shape().axis(axis) {
            Some(axis) => trace::record(Op::CumSum { axis, reverse }, &[self], location),
            None => self.no_axis("cumsum", axis, location),
        }
    }

    /// `y_t = decay_t y_{t-1} + x_t` along an axis, from `y_0 = x_0`: one multiplication and addition a step. The decay
    /// broadcasts to `self`.
    ///
    /// ```
    /// use ppl_autodiff::{Var, value_and_grad};
    /// // 1, then d + 1, then d (d + 1) + 1 = d^2 + d + 1, whose slope is 2 d + 1.
    /// let last = |d| Var::from([1.0, 1.0, 1.0]).linear_recurrence(d, 0).index(0, 2);
    /// let (value, slope) = value_and_grad(last, 2.0)?;
    /// assert_eq!((value, slope.sum()), (7.0, 5.0));
    /// # Ok::<(), ppl_autodiff::TraceError>(())
    /// ```
    #[track_caller]
    pub fn linear_recurrence(self, decay: impl Into<Var>, axis: isize) -> Var {
        self.recurrence(decay.into(), axis, false)
    }

    #[track_caller]
    pub(crate) fn recurrence(self, decay: Var, axis: isize, reverse: bool) -> Var {
        let location = Location::caller();
        let decay = decay.broadcast_to(self.shape());
        match self.shape().axis(axis) {
            Some(axis) => trace::record(Op::Recurrence { axis, reverse }, &[decay, self], location),
            None => self.no_axis("linear_recurrence", axis, location),
        }
    }

    #[track_caller]
    pub(crate) fn no_axis(self, operation: &'static str, axis: isize, location: &'static Location<'static>) -> Var {
        let shape = self.shape();
        trace::poisoned(Mistake::Axis { operation, axis, shape: shape.clone() }, shape, location)
    }

    /// `x` raised to an integer.
    #[track_caller]
    pub fn powi(self, n: i32) -> Var {
        match n {
            0 => Var::from(1.0).broadcast_to(self.shape()),
            1 => self,
            2 => self.square(),
            -1 => self.recip(),
            i32::MIN => self.powi(n / 2).square(),
            // The power of the reciprocal goes to 0 where the power would overflow, and takes no NaN back.
            _ if n < 0 => self.recip().powi(-n),
            _ if n % 2 == 0 => self.powi(n / 2).square(),
            _ => self.powi(n - 1) * self,
        }
    }

    /// Between `low` and `high`; the derivative is 1 inside and at the bounds, 0 outside.
    #[track_caller]
    pub fn clamp(self, low: impl Into<Var>, high: impl Into<Var>) -> Var {
        let (low, high) = (low.into(), high.into());
        let inside = self.ge(low) * self.le(high);
        inside.select(self, self.detach().max(low).min(high))
    }

    /// Where `self` is not 0 the first, else the second. Neither branch's non-finite *value* reaches the other, but
    /// a branch whose derivative is not finite where it is unused must have its argument made safe first.
    #[track_caller]
    pub fn select(self, then: impl Into<Var>, otherwise: impl Into<Var>) -> Var {
        trace::record(Op::Select, &[self, then.into(), otherwise.into()], Location::caller())
    }

    /// `x ln y`, which is 0 where x is 0 whatever y is (and so are its derivatives).
    #[track_caller]
    pub fn xlogy(self, y: impl Into<Var>) -> Var {
        let y = y.into();
        let used = self.ne(0.0);
        used.select(self * used.select(y, 1.0).ln(), 0.0)
    }
}
