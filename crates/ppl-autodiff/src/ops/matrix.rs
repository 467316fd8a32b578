//! Square matrices: diagonals, the Cholesky factor, triangular systems.

use smallvec::smallvec;

use crate::error::Mistake;
use crate::ops::Adjoints;
use crate::shape::Shape;
use crate::var::Var;

fn square(operation: &'static str, x: &Shape) -> Result<usize, Mistake> {
    match x[..] {
        [.., rows, columns] if rows == columns => Ok(rows),
        _ => Err(Mistake::Shapes { operation, shapes: vec![x.clone()], rule: "square matrices [.., n, n] are needed" }),
    }
}

pub(super) fn diag_shape(x: &Shape) -> Result<Shape, Mistake> {
    square("diag", x)?;
    Ok(Shape::from(&x[..x.rank() - 1]))
}

pub(super) fn diag_embed_shape(x: &Shape) -> Result<Shape, Mistake> {
    match x.last() {
        Some(&n) => Ok(x.join(&[n])),
        None => Err(Mistake::Axis { operation: "diag_embed", axis: -1, shape: x.clone() }),
    }
}

pub(super) fn cholesky_shape(x: &Shape) -> Result<Shape, Mistake> {
    square("cholesky", x)?;
    Ok(x.clone())
}

pub(super) fn solve_shape(l: &Shape, b: &Shape) -> Result<Shape, Mistake> {
    let n = square("solve_lower", l)?;
    let misfit = || Mistake::Shapes {
        operation: "solve_lower",
        shapes: vec![l.clone(), b.clone()],
        rule: "[.., n, n] and [.., n, m] with batch axes that broadcast",
    };
    let [.., rows, columns] = b[..] else {
        return Err(misfit());
    };
    if rows != n {
        return Err(misfit());
    }
    let batch = Shape::from(&l[..l.rank() - 2]).broadcast(&Shape::from(&b[..b.rank() - 2])).ok_or_else(misfit)?;
    Ok(batch.join(&[n, columns]))
}

/// With `P = Phi(L' G)` (lower triangle, diagonal halved), the gradient of `chol((A + A') / 2)` is
/// `L^-T (P + P') L^-1 / 2`. Murray (2016), arXiv:1602.07527.
pub(super) fn cholesky_adjoint(l: Var, g: Var) -> Var {
    let product = l.t().matmul(g.tril()).tril();
    let p = product - product.diag().diag_embed() * 0.5;
    let symmetric = p + p.t();
    let left = l.solve_lower_transposed(symmetric);
    l.solve_lower_transposed(left.t()) * 0.5
}

/// `X = L^-1 B`: `dB = L^-T G`, `dL = -tril(dB X')`. `X = L^-T B`: `dB = L^-1 G`, `dL = -tril(X dB')`.
pub(super) fn solve_adjoint(transposed: bool, l: Var, x: Var, g: Var) -> Adjoints {
    let db = if transposed { l.solve_lower(g) } else { l.solve_lower_transposed(g) };
    let outer = if transposed { x.matmul(db.t()) } else { db.matmul(x.t()) };
    smallvec![Some(-outer.tril()), Some(db)]
}

pub(super) fn determinant_shape(x: &Shape) -> Result<Shape, Mistake> {
    square("slogdet", x)?;
    Ok(Shape::from(&x[..x.rank() - 2]))
}

pub(super) fn inverse_shape(x: &Shape) -> Result<Shape, Mistake> {
    square("inverse", x)?;
    Ok(x.clone())
}

/// `d ln |det A| = tr(A^-1 dA)`.
#[track_caller]
pub(super) fn log_abs_det_adjoint(x: Var, g: Var) -> Var {
    g.expand_dims(-1).expand_dims(-1) * x.inverse().t()
}

/// `d A^-1 = -A^-1 dA A^-1`.
pub(super) fn inverse_adjoint(y: Var, g: Var) -> Var {
    -y.t().matmul(g).matmul(y.t())
}
