//! The intrinsic conditional autoregression: values on a map of which only differences between neighbours count.

use ndarray::array;
use ppl_autodiff::ops::Law;
use ppl_autodiff::{Shape, Var};

use super::graph::Graph;
use super::{Distribution, Entry, Form, check};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Normal distribution of values at the n nodes of a connected graph, on the vectors with sum 0, with the precision
/// `(D - W) / scale^2`, W the weights between neighbours and D their sums:
/// `ln p(x) = -sum_{edges} w (x_i - x_j)^2 / (2 scale^2) - (n - 1) ln scale + constant`, a density over the plane of sum 0.
///
/// The limit of [`CAR`](super::CAR) at correlation 1, which says nothing of the level; the sum of 0 makes it proper, so that
/// there are draws, and the constant makes graphs comparable.
///
/// # Shapes
/// `scale: [B..]`; a draw has shape `[B.., n]`, a `log_prob` has `[B..]`; the event is a vector.
///
/// # Errors
/// A scale that is not positive and finite: at once where it is a number; as a point without density where it is latent.
/// An adjacency that is not a symmetric matrix of data with weights from 0 on, or whose graph is not connected: at once.
/// A value whose sum is not 0 has no density.
///
/// # Source
/// PyMC `ICAR(W, sigma)` with a soft constraint on the sum; Stan users write the pairwise differences. Besag, York and
/// Mollie (1991), Annals of the Institute of Statistical Mathematics 43(1).
/// NumPyro has none.
///
/// ```
/// use ndarray::array;
/// use ppl_core::Distribution;
/// use ppl_core::dist::ICAR;
/// let shape = ppl_autodiff::trace(|| ICAR::new(1.0, &array![[0.0, 1.0], [1.0, 0.0]]).event_shape())?.0;
/// assert_eq!(shape, [2].into());
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ICAR {
    scale: Var,
    graph: Graph,
}

const NAME: &str = "ICAR";

impl ICAR {
    /// By the standard deviation of a difference along an edge of weight 1 alone and the matrix of weights between
    /// neighbours.
    #[track_caller]
    pub fn new(scale: impl Into<Var>, adjacency: impl Into<Var>) -> Self {
        let graph = Graph::new(NAME, adjacency);
        // A connected graph has the eigenvalue 1 once.
        let whole = graph.eigenvalues().iter().filter(|&&l| l > 1.0 - 1e-10).count();
        if whole > 1 {
            check::fail(NAME, "adjacency", "that of a connected graph (one part)", whole as f64);
        }
        Self { scale: check::positive(NAME, "scale", scale), graph }
    }

    /// Laplace's matrix with 1/n added to each element: the sum of the values has an eigenvalue of its own, 1.
    fn full(&self) -> Var {
        let n = self.graph.nodes;
        let mut matrix = self.graph.matrix();
        for (at, w) in matrix.iter_mut().enumerate() {
            *w = if at / n == at % n { self.graph.degrees[at / n] } else { -*w } + 1.0 / n as f64;
        }
        self.graph.square(matrix)
    }
}

impl Distribution for ICAR {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::ZeroSum
    }
    fn batch_shape(&self) -> Shape {
        self.scale.shape()
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.graph.nodes)
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let x = inside.expand_dims(-1).select(value, 0.0);
        let (from, to, weights) = self.graph.edges(x);
        let differences = (weights * ((from - to) / self.scale.expand_dims(-1)).square()).sum_axis(-1);
        let free = self.graph.nodes as f64 - 1.0;
        let ln_det = self.full().cholesky().diag().ln().sum();
        let constant = ln_det - free * (self.scale.ln() + LN_SQRT_2PI);
        inside.select(constant - 0.5 * differences, f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let z = Var::random(Law::Normal, batch.join(&[self.graph.nodes]), &[]).expand_dims(-1);
        let x = self.full().cholesky().solve_lower_transposed(z).squeeze(-1);
        (x - x.sum_axes(&[-1]) / self.graph.nodes as f64) * self.scale.expand_dims(-1)
    }
    fn mean(&self) -> Option<Var> {
        Some(Var::zeros(self.batch_shape().join(&[self.graph.nodes])))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["scale"],
        good: &[&[1.5], &[0.4]],
        bad: &[&[0.0], &[-1.0], &[f64::NAN], &[f64::INFINITY]],
        build: |p| Box::new(ICAR::new(p[0], &array![[0.0, 1.0, 0.0], [1.0, 0.0, 2.0], [0.0, 2.0, 0.0]])),
    }],
};
