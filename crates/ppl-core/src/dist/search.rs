//! Draws and quantiles by search: the inverse of a distribution function that has none in closed form.

use ppl_autodiff::{Mistake, Shape, Var, mistake, scan};

use super::Distribution;
use crate::support::Support;
use crate::transform::Transform;

/// Halvings of the unconstrained axis from -700 to 700: what is left is below 1e-9, and a Newton step takes it.
const HALVINGS: usize = 42;

/// The bounds of a support, where it is an interval of numbers or of integers.
pub(super) fn bounds(support: &Support) -> Option<(Option<Var>, Option<Var>)> {
    Some(match *support {
        Support::Real => (None, None),
        Support::Positive | Support::NonNegativeInteger => (Some(Var::from(0.0)), None),
        Support::UnitInterval | Support::Boolean => (Some(Var::from(0.0)), Some(Var::from(1.0))),
        Support::Interval { low, high } | Support::IntegerInterval { low, high } | Support::Mixed { low, high } => {
            (Some(low), Some(high))
        }
        Support::LowerBound { low } => (Some(low), None),
        Support::UpperBound { high } => (None, Some(high)),
        Support::Circular => (Some(Var::from(-std::f64::consts::PI)), Some(Var::from(std::f64::consts::PI))),
        _ => return None,
    })
}

/// The larger of two lower bounds, the smaller of two upper ones.
pub(super) fn narrower(a: Option<Var>, b: Option<Var>, choose: fn(Var, Var) -> Var) -> Option<Var> {
    match (a, b) {
        (Some(a), Some(b)) => Some(choose(a, b)),
        (a, b) => a.or(b),
    }
}

/// The part of a support between bounds; `None` where it has no order.
pub(super) fn between(support: &Support, low: Option<Var>, high: Option<Var>) -> Option<Support> {
    let (own_low, own_high) = bounds(support)?;
    let low = narrower(own_low, low, |a, b| a.max(b));
    let high = narrower(own_high, high, |a, b| a.min(b));
    let infinite = Var::from(f64::INFINITY);
    Some(match (low, high) {
        _ if support.is_discrete() => {
            Support::IntegerInterval { low: low.unwrap_or(-infinite), high: high.unwrap_or(infinite) }
        }
        (None, None) => *support,
        (Some(low), None) => Support::LowerBound { low },
        (None, Some(high)) => Support::UpperBound { high },
        (Some(low), Some(high)) => Support::Interval { low, high },
    })
}

/// The value of `base` between the bounds, both included, that has the share `u` of the mass between them to its left.
/// It moves with the parameters as an implicit function does. A base without distribution function is a mistake.
#[track_caller]
pub(super) fn quantile(
    owner: &'static str,
    base: &dyn Distribution,
    low: Option<Var>,
    high: Option<Var>,
    u: Var,
) -> Var {
    let support = base.support();
    let Some((Some(total), part)) = between(&support, low, high).map(|s| (base.log_mass(low, high), s)) else {
        missing(owner);
        return u;
    };
    let share = |x: Var| base.log_mass(low, Some(x)).map_or(x, |mass| (mass - total).exp());
    let (below, above) = bounds(&part).unwrap_or((None, None));
    let place: Box<dyn Fn(Var) -> Var> = match (below, above, support.is_discrete()) {
        // From the lowest integer by jumps that grow.
        (Some(low), _, true) => {
            let from = low;
            Box::new(move |v: Var| from + (0.05 * (v + 700.0)).exp_m1().floor())
        }
        (None, _, true) => {
            missing(owner);
            return u;
        }
        (None, None, false) => Box::new(|v: Var| 0.5 * (v.exp() - (-v).exp())),
        (Some(low), None, false) => Box::new(move |v: Var| low + v.exp()),
        (None, Some(high), false) => Box::new(move |v: Var| high - (-v).exp()),
        (Some(low), Some(high), false) => {
            let transform = crate::transform::Interval::new(low, high);
            Box::new(move |v: Var| transform.forward(v))
        }
    };
    // A scan, so that one halving is traced and compiled for all. Its states have the shape of the result.
    let shape = share(place(u)).shape();
    let wanted = u.broadcast_to(u.shape().broadcast(&shape).unwrap_or(shape));
    let ends = [wanted * 0.0 - 700.0, wanted * 0.0 + 700.0];
    let ([_, right], []) = scan(HALVINGS, ends, [], |[left, right], []| {
        let middle = 0.5 * (left + right);
        let reached = share(place(middle)).ge(wanted);
        ([reached.select(left, middle), reached.select(middle, right)], [])
    });
    let x = place(right).detach();
    if support.is_discrete() {
        return above.map_or(x, |high| x.min(high.detach()));
    }
    let density = (base.log_prob(x) - total).exp().detach();
    let sure = density.gt(0.0) * density.lt(f64::INFINITY);
    let moved = x + sure.select((u - share(x)) / sure.select(density, 1.0), 0.0);
    let moved = below.map_or(moved, |low| moved.max(low));
    above.map_or(moved, |high| moved.min(high))
}

/// The quantile function of a continuous law that has a distribution function: by halving on the unconstrained axis and one
/// step of Newton's method, which takes what is left and carries the derivatives by probability and parameters.
#[track_caller]
pub(super) fn inverse_cdf(base: &dyn Distribution, probability: Var) -> Var {
    let (none, all) = (probability.le(0.0), probability.ge(1.0));
    let (low, high) = bounds(&base.support()).unwrap_or((None, None));
    let inner = (none + all).select(0.5, probability);
    let x = quantile(base.name(), base, None, None, inner);
    let x = none.select(low.unwrap_or(Var::from(f64::NEG_INFINITY)), x);
    all.select(high.unwrap_or(Var::from(f64::INFINITY)), x)
}

/// The base has no distribution function.
#[track_caller]
pub(super) fn missing(owner: &'static str) {
    let wanted = "a law of numbers with a distribution function (`cdf`)";
    mistake(Mistake::Argument { owner: owner.to_owned(), argument: "base", wanted, got: f64::NAN });
}

/// A base must have scalar events.
#[track_caller]
pub(super) fn check_scalar(owner: &'static str, base: &dyn Distribution) {
    if base.event_shape().rank() > 0 {
        let rule = "the base must have scalar events";
        mistake(Mistake::Shapes { operation: owner, shapes: vec![base.event_shape()], rule });
    }
}

/// The batch shape of a base with bounds.
pub(super) fn batch_with(owner: &'static str, base: &dyn Distribution, bounds: &[Option<Var>]) -> Shape {
    let shapes = std::iter::once(base.batch_shape()).chain(bounds.iter().flatten().map(|b| b.shape()));
    let shapes: Vec<Shape> = shapes.collect();
    let common = shapes.iter().try_fold(Shape::scalar(), |all, s| all.broadcast(s));
    common.unwrap_or_else(|| {
        let rule = "the base and its bounds must have batch shapes that broadcast";
        mistake(Mistake::Shapes { operation: owner, shapes, rule });
        base.batch_shape()
    })
}
