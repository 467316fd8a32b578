//! Matrix products over the last two axes, with broadcasting over batch axes.

use smallvec::smallvec;

use crate::error::Mistake;
use crate::ops::Adjoints;
use crate::shape::Shape;
use crate::var::Var;

pub(super) fn shape(x: &[&Shape]) -> Result<Shape, Mistake> {
    let (a, b) = (x[0], x[1]);
    let wrong = || Mistake::Shapes {
        operation: "matmul",
        shapes: vec![a.clone(), b.clone()],
        rule: "[.., m, k] x [.., k, n] with batch axes that broadcast",
    };
    if a.rank() < 2 || b.rank() < 2 || a[a.rank() - 1] != b[b.rank() - 2] {
        return Err(wrong());
    }
    let batch = |s: &Shape| Shape::from(&s[..s.rank() - 2]);
    let common = batch(a).broadcast(&batch(b)).ok_or_else(wrong)?;
    Ok(common.join(&[a[a.rank() - 2], b[b.rank() - 1]]))
}

/// `C = A B`: `dA = G B'`, `dB = A' G`; the sweep sums over broadcast batch axes.
pub(super) fn adjoint(a: Var, b: Var, g: Var) -> Adjoints {
    smallvec![Some(g.matmul(b.t())), Some(a.t().matmul(g))]
}
