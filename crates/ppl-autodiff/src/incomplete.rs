//! Incomplete gamma and beta integrals relative to their integrand at the end, by quadrature.
//!
//! A tail `F(x)` of a gamma or beta law is its logarithmic density `x f(x)` times a number of moderate size, the integral
//! of `e^h(u)` over u from 0 on, where `h(0) = 0` and h falls ever faster or ever slower. As Gauss and Legendre's rule with
//! nodes that follow the fall it is a composition of operations: it has all derivatives by all arguments, and nothing
//! under- or overflows in the tails.

use crate::shape::Shape;
use crate::var::Var;

/// Where `e^h` ends: below `e^-38` it counts no more.
const CUT: f64 = 38.0;

/// Concentrations below this are led up in steps: there the integral has one scale.
const SMALL: f64 = 4.0;

/// Nodes and weights of Gauss and Legendre's rule with 32 points on (-1, 1), the positive half. DLMF 3.5(v).
const LEGENDRE: [(f64, f64); 16] = [
    (0.048_307_665_687_738_32, 0.096_540_088_514_727_8),
    (0.144_471_961_582_796_5, 0.095_638_720_079_274_86),
    (0.239_287_362_252_137_06, 0.093_844_399_080_804_57),
    (0.331_868_602_282_127_67, 0.091_173_878_695_763_89),
    (0.421_351_276_130_635_33, 0.087_652_093_004_403_81),
    (0.506_899_908_932_229_4, 0.083_311_924_226_946_75),
    (0.587_715_757_240_762_3, 0.078_193_895_787_070_31),
    (0.663_044_266_930_215_2, 0.072_345_794_108_848_5),
    (0.732_182_118_740_289_7, 0.065_822_222_776_361_85),
    (0.794_483_795_967_942_4, 0.058_684_093_478_535_544),
    (0.849_367_613_732_57, 0.050_998_059_262_376_175),
    (0.896_321_155_766_052_1, 0.042_835_898_022_226_68),
    (0.934_906_075_937_739_7, 0.034_273_862_913_021_43),
    (0.964_762_255_587_506_4, 0.025_392_065_309_262_06),
    (0.985_611_511_545_268_4, 0.016_274_394_730_905_67),
    (0.997_263_861_849_481_6, 0.007_018_610_009_470_096),
];

/// The nodes on (0, 1) and their weights.
fn rule() -> (Var, Var) {
    let nodes = LEGENDRE.iter().rev().map(|&(t, _)| 0.5 - 0.5 * t).chain(LEGENDRE.iter().map(|&(t, _)| 0.5 + 0.5 * t));
    let weights = LEGENDRE.iter().rev().chain(&LEGENDRE).map(|&(_, w)| 0.5 * w);
    (Var::from(nodes.collect::<Vec<f64>>()), Var::from(weights.collect::<Vec<f64>>()))
}

/// An integral and its derivative by the concentration, as values.
#[derive(Clone, Copy)]
struct Integral {
    value: Var,
    slope: Var,
}

/// The integral of `e^h`, whose exponent starts with the slope `-fall` and the curvature `-bend`. `h` and `dh` are h and
/// its slope at an array of points; `sign` is that of u in `dh/da`.
fn integral(fall: Var, bend: Var, sign: f64, h: impl Fn(Var) -> Var, dh: impl Fn(Var) -> Var) -> Integral {
    let (fall, bend) = (fall.detach().max(0.0), bend.detach());
    // The end by Newton's method from where the parabola at 0 ends; it approaches from above, h being concave.
    let mut end = 2.0 * CUT / (fall + (fall.square() + 2.0 * CUT * bend).sqrt());
    for _ in 0..4 {
        end = end - (h(end) + CUT) / dh(end);
    }
    let end = end.detach().expand_dims(-1);
    let (nodes, weights) = rule();
    let u = end * nodes;
    let density = h(u).exp() * (end * weights);
    Integral { value: density.sum_axis(-1), slope: sign * (u * density).sum_axis(-1) }
}

/// Parameters of the integral over the nodes' axis or not, as the argument's rank asks for.
fn beside(parameter: Var, rank: usize, u: Var) -> Var {
    if u.rank() > rank { parameter.expand_dims(-1) } else { parameter }
}

/// The steps from `a + SMALL` back to a: `J(a) = (1 + factor(i) J(a + i + 1)) / (a + i)`. The slope holds for factors
/// without a.
fn lead_down(a: Var, high: Integral, factor: impl Fn(f64) -> Var) -> Integral {
    (0..SMALL as u32).rev().map(f64::from).fold(high, |above, i| {
        let value = (1.0 + factor(i) * above.value) / (a + i);
        Integral { value, slope: (factor(i) * above.slope - value) / (a + i) }
    })
}

fn choose(condition: Var, a: Integral, b: Integral) -> Integral {
    Integral { value: condition.select(a.value, b.value), slope: condition.select(a.slope, b.slope) }
}

/// The common shape, so that all values have one rank.
fn common(parts: &[Var]) -> Shape {
    let all = parts.iter().try_fold(Shape::scalar(), |all, p| all.broadcast(&p.shape()));
    all.unwrap_or_else(|| (parts.iter().copied().fold(Var::from(0.0), |a, b| a + b)).shape())
}

/// `P(a, x) / (x dP/dx)` for `0 <= x <= max(a, 1)`: `t = x e^-u` in the integral of `t^(a - 1) e^-t`.
fn gamma_lower(a: Var, x: Var) -> Integral {
    let small = a.lt(SMALL);
    let raised = small.select(a + SMALL, a);
    let shape = common(&[a, x]);
    let (top, at, rank) = (raised.broadcast_to(&shape), x.broadcast_to(&shape), shape.rank());
    let h = |u: Var| -(beside(top, rank, u) * u) - beside(at, rank, u) * (-u).exp_m1();
    let dh = |u: Var| at * (-u).exp() - top;
    let high = integral(top - at, at, -1.0, h, dh);
    choose(small, lead_down(a, high, |_| x), high)
}

/// `Q(a, x) / (x dP/dx)` for `x >= max(a, 1)`: `t = x e^u`.
fn gamma_upper(a: Var, x: Var) -> Integral {
    let shape = common(&[a, x]);
    let (top, at, rank) = (a.broadcast_to(&shape), x.broadcast_to(&shape), shape.rank());
    let h = |u: Var| beside(top, rank, u) * u - beside(at, rank, u) * u.exp_m1();
    let dh = |u: Var| top - at * u.exp();
    integral(at - top, at, 1.0, h, dh)
}

/// The lower tail of a gamma law over its density: `P(a, x) / (x dP/dx)` with `dP/dx = x^(a-1) e^-x / Gamma(a)`, for
/// `0 <= x <= max(a, 1)`; elsewhere digits are lost. The regularised function is this times that kernel.
///
/// The relative error is about `2^-52` times what changes of the arguments by `2^-52` make.
///
/// ```
/// # use ppl_autodiff::{Var, trace};
/// // P(1, x) = 1 - e^-x.
/// let (ratio, _) = trace(|| ppl_autodiff::incomplete::gamma_lower_ratio(1.0.into(), 0.5.into()).value())?;
/// assert!((ratio * 0.5 * (-0.5f64).exp() + (-0.5f64).exp_m1()).abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
pub fn gamma_lower_ratio(a: Var, x: Var) -> Var {
    gamma_lower(a, x).value
}

/// The upper tail of a gamma law over its density: `Q(a, x) / (x dP/dx)` for `x >= max(a, 1)`. See
/// [`gamma_lower_ratio`].
pub fn gamma_upper_ratio(a: Var, x: Var) -> Var {
    gamma_upper(a, x).value
}

/// The lower tail of a beta law over its density: `I_x(a, b) / (x (1 - x) dI/dx)` with
/// `dI/dx = x^(a-1) (1 - x)^(b-1) / B(a, b)`, for `0 <= x <= (a + 1) / (a + b + 2)`, with `rest = 1 - x`. The upper tail is
/// the lower one with a and b, x and `rest` exchanged.
///
/// With `t / (1 - t) = x / (1 - x) e^-u` in the integral the exponent is `-a u - (a + b) ln(1 - x + x e^-u)`.
pub fn beta_lower_ratio(a: Var, b: Var, x: Var) -> Var {
    let small = a.lt(SMALL);
    let raised = small.select(a + SMALL, a);
    let shape = common(&[a, b, x]);
    let (top, sum) = (raised.broadcast_to(&shape), (raised + b).broadcast_to(&shape));
    let (at, rank) = (x.broadcast_to(&shape), shape.rank());
    let h = |u: Var| {
        let inner = beside(at, rank, u) * (-u).exp_m1();
        -(beside(top, rank, u) * u) - beside(sum, rank, u) * inner.ln_1p()
    };
    let dh = |u: Var| sum * at * (-u).exp() / (1.0 + at * (-u).exp_m1()) - top;
    let high = integral(top - sum * at, sum * at * (1.0 - at), -1.0, h, dh);
    let low = lead_down(a, high, |i| (a + b + i) * x);
    choose(small, low, high).value
}

/// The derivative of `z = ln x` by a, x a draw from `Gamma(a, 1)` that keeps its probability: `-(dP/da) / (dP/dz)`.
/// Figurnov, Mohamed and Mnih (2018), "Implicit reparameterization gradients".
pub(crate) fn log_gamma_draw_slope(a: Var, z: Var) -> Var {
    let (a, z) = (a.detach(), z.detach());
    let x = z.exp();
    let lower = x.le(a.max(1.0));
    let below = gamma_lower(a, lower.select(x, 0.0));
    let above = gamma_upper(a, lower.select(a.max(1.0) + 1.0, x));
    let score = z - a.digamma();
    lower.select(-(below.value * score + below.slope), above.value * score + above.slope)
}

/// The derivative of a draw from von Mises' law around 0 by the concentration k: `-(dF/dk) / f`, from the side of the
/// density that lies beyond `cos t = I1(k) / I0(k)`, where nothing cancels.
pub(crate) fn von_mises_draw_slope(k: Var, t: Var) -> Var {
    use std::f64::consts::PI;
    let (k, angle) = (k.detach(), t.detach().abs());
    let mean = k.i1e() / k.i0e();
    let inner = angle.cos().gt(mean);
    // From 0 to the angle, or from the angle to where the density is e^-38 of that at the angle.
    let depth = 2.0 * (0.5 * angle).sin().square() + CUT / k.max(1e-300);
    let end = inner.select(0.0, (0.5 * PI * PI * depth.min(4.0)).sqrt().min(PI));
    let (nodes, weights) = rule();
    let (angle, width) = (angle.expand_dims(-1), (end - angle).expand_dims(-1));
    let at = angle + width * nodes;
    let exponent = -2.0 * k.expand_dims(-1) * (0.5 * (at + angle)).sin() * (0.5 * (at - angle)).sin();
    let sum = ((at.cos() - mean.expand_dims(-1)) * exponent.exp() * weights).sum_axis(-1);
    t.detach().signum() * sum * width.squeeze(-1)
}
