//! Factorisations of small symmetric matrices, row-major.

/// The lower Cholesky factor of a symmetric matrix, if it is positive definite: `a = L L'`.
pub(crate) fn cholesky(a: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = l[i * n..i * n + j].iter().zip(&l[j * n..j * n + j]).map(|(x, y)| x * y).sum();
            let rest = a[i * n + j] - dot;
            if i == j {
                if !(rest > 0.0 && rest.is_finite()) {
                    return None;
                }
                l[i * n + i] = rest.sqrt();
            } else {
                l[i * n + j] = rest / l[j * n + j];
            }
        }
    }
    Some(l)
}

/// Solves `L x = b` in place.
pub(crate) fn solve_lower(l: &[f64], b: &mut [f64]) {
    let n = b.len();
    for i in 0..n {
        let dot: f64 = l[i * n..i * n + i].iter().zip(&*b).map(|(x, y)| x * y).sum();
        b[i] = (b[i] - dot) / l[i * n + i];
    }
}

/// Solves `L' x = b` in place.
pub(crate) fn solve_upper(l: &[f64], b: &mut [f64]) {
    let n = b.len();
    for i in (0..n).rev() {
        let solved = b[i] / l[i * n + i];
        b[i] = solved;
        for (b, l) in b[..i].iter_mut().zip(&l[i * n..i * n + i]) {
            *b -= l * solved;
        }
    }
}

/// The inverse of `L L'`.
pub(crate) fn inverse(l: &[f64], n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n * n];
    let mut column = vec![0.0; n];
    for j in 0..n {
        column.fill(0.0);
        column[j] = 1.0;
        solve_lower(l, &mut column);
        solve_upper(l, &mut column);
        for (i, x) in column.iter().enumerate() {
            out[i * n + j] = *x;
        }
    }
    // Symmetric up to rounding: exactly, for a second factorisation.
    for i in 0..n {
        for j in 0..i {
            let mean = 0.5 * (out[i * n + j] + out[j * n + i]);
            out[i * n + j] = mean;
            out[j * n + i] = mean;
        }
    }
    out
}

/// Relative step of a central difference of gradients: the cube root of the rounding unit balances its two errors.
const STEP: f64 = 6e-6;

/// A gradient that may fail.
pub(crate) type Slope<'f, E> = dyn FnMut(&[f64], &mut [f64]) -> Result<(), E> + 'f;

/// The symmetrised matrix of second derivatives by central differences of a gradient.
pub(crate) fn second_derivatives<E>(x: &[f64], gradient: &mut Slope<'_, E>) -> Result<Vec<f64>, E> {
    let n = x.len();
    let (mut out, mut at) = (vec![0.0; n * n], x.to_vec());
    let (mut above, mut below) = (vec![0.0; n], vec![0.0; n]);
    for i in 0..n {
        let step = STEP * x[i].abs().max(1.0);
        let (high, low) = (x[i] + step, x[i] - step);
        at[i] = high;
        gradient(&at, &mut above)?;
        at[i] = low;
        gradient(&at, &mut below)?;
        at[i] = x[i];
        for j in 0..n {
            let slope = 0.5 * (above[j] - below[j]) / (high - low);
            out[i * n + j] += slope;
            out[j * n + i] += slope;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_of_a_known_matrix() {
        // [[4, 2], [2, 3]]: determinant 8, inverse [[3, -2], [-2, 4]] / 8.
        let l = cholesky(&[4.0, 2.0, 2.0, 3.0], 2).unwrap();
        assert_eq!(l, [2.0, 0.0, 1.0, 2f64.sqrt()]);
        let got = inverse(&l, 2);
        for (g, w) in got.iter().zip([0.375, -0.25, -0.25, 0.5]) {
            assert!((g - w).abs() < 1e-15, "{got:?}");
        }
        assert_eq!(cholesky(&[1.0, 2.0, 2.0, 1.0], 2), None, "indefinite");
    }

    #[test]
    fn second_derivatives_of_a_cubic() {
        // f = x^2 y + y^3: [[2y, 2x], [2x, 6y]] at (2, 3) is [[6, 4], [4, 18]].
        let mut gradient = |x: &[f64], g: &mut [f64]| {
            g[0] = 2.0 * x[0] * x[1];
            g[1] = x[0] * x[0] + 3.0 * x[1] * x[1];
            Ok::<(), ()>(())
        };
        let got = second_derivatives(&[2.0, 3.0], &mut gradient).unwrap();
        for (g, w) in got.iter().zip([6.0, 4.0, 4.0, 18.0]) {
            assert!((g - w).abs() < 1e-8, "{got:?}");
        }
    }
}
