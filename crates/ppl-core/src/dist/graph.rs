//! Graphs of neighbours, as conditional autoregressions need them.

use ppl_autodiff::{Mistake, Tensor, Var, mistake};

use super::check;

/// Weights between neighbours: symmetric, none negative, none of a node with itself.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    pub nodes: usize,
    /// Both ends of each edge and its weight.
    from: Vec<usize>,
    to: Vec<usize>,
    weights: Vec<f64>,
    /// The sum of a node's weights.
    pub degrees: Vec<f64>,
}

impl Graph {
    /// From a matrix of data `[n, n]`.
    #[track_caller]
    pub(super) fn new(owner: &'static str, adjacency: impl Into<Var>) -> Self {
        const ARGUMENT: &str = "adjacency";
        let value = adjacency.into();
        let shape = value.shape();
        let Some(matrix) = value.as_constant().filter(|_| shape.rank() == 2 && shape[0] == shape[1] && shape[0] > 0)
        else {
            let rule = "the adjacency must be a square matrix of data [n, n]";
            mistake(Mistake::Shapes { operation: owner, shapes: vec![shape], rule });
            return Self { nodes: 1, from: vec![], to: vec![], weights: vec![], degrees: vec![1.0] };
        };
        let (n, data) = (shape[0], matrix.data());
        let (mut from, mut to, mut weights, mut degrees) = (vec![], vec![], vec![], vec![0.0; n]);
        for i in 0..n {
            for j in 0..n {
                let w = data[i * n + j];
                if !(w >= 0.0 && w.is_finite()) || (i == j && w != 0.0) {
                    check::fail(owner, ARGUMENT, "weights from 0 on, 0 on the diagonal", w);
                } else if w != data[j * n + i] {
                    check::fail(owner, ARGUMENT, "symmetric", w);
                }
                degrees[i] += w;
                if j < i && w != 0.0 {
                    from.push(i);
                    to.push(j);
                    weights.push(w);
                }
            }
            if degrees[i] == 0.0 {
                check::fail(owner, ARGUMENT, "without nodes that have no neighbour", 0.0);
                degrees[i] = 1.0;
            }
        }
        Self { nodes: n, from, to, weights, degrees }
    }

    /// The values `[.., n]` at both ends of each edge, and the weights.
    pub(super) fn edges(&self, x: Var) -> (Var, Var, Var) {
        (x.gather(-1, &self.from), x.gather(-1, &self.to), Var::from(self.weights.clone()))
    }

    /// The matrix of weights, and with degrees on the diagonal if asked for: `scale D - W` has the entries of Laplace's
    /// matrix.
    pub(super) fn matrix(&self) -> Vec<f64> {
        let mut matrix = vec![0.0; self.nodes * self.nodes];
        for ((&i, &j), &w) in self.from.iter().zip(&self.to).zip(&self.weights) {
            matrix[i * self.nodes + j] = w;
            matrix[j * self.nodes + i] = w;
        }
        matrix
    }

    /// As an array `[n, n]`.
    pub(super) fn square(&self, data: Vec<f64>) -> Var {
        Tensor::new([self.nodes, self.nodes], data).map_or_else(|| Var::from(0.0), Var::from)
    }

    /// The eigenvalues of `D^-1/2 W D^-1/2`, between -1 and 1.
    pub(super) fn eigenvalues(&self) -> Vec<f64> {
        let n = self.nodes;
        let mut a = self.matrix();
        for i in 0..n {
            for j in 0..n {
                a[i * n + j] /= (self.degrees[i] * self.degrees[j]).sqrt();
            }
        }
        jacobi(a, n)
    }
}

/// The eigenvalues of a symmetric matrix by Jacobi's cyclic rotations: Golub and Van Loan (2013), section 8.5.
fn jacobi(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    const SWEEPS: usize = 30;
    for _ in 0..SWEEPS {
        let off: f64 = (0..n * n).filter(|at| at / n != at % n).map(|at| a[at] * a[at]).sum();
        if off < 1e-34 * n as f64 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    (0..n).map(|i| a[i * n + i]).collect()
}
