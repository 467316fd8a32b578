//! The conditional autoregression: values on a map that resemble their neighbours'.

use ndarray::array;
use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::graph::Graph;
use super::{Distribution, Entry, Form, check, vector};
use crate::special::LN_SQRT_2PI;
use crate::support::Support;

/// Normal distribution of values at the n nodes of a graph with weights W between neighbours and D their sums: mean `loc`
/// and precision `t (D - a W)`, a the correlation and t the conditional precision. Given the others, a node has the mean
/// of its neighbours, times a, and the precision `t D_i`.
///
/// The determinant comes from the eigenvalues of the graph, computed once, the square from the edges: an evaluation costs
/// as much as there are neighbours.
///
/// # Shapes
/// `loc: [B.., n]` (or a number), `correlation: [B..]`, `conditional_precision: [B..]`; a draw has shape `[B.., n]`, a
/// `log_prob` has `[B..]`; the event is a vector.
///
/// # Errors
/// A correlation that is not strictly between -1 and 1, a precision that is not positive and finite, a location that is
/// not finite: at once where they are numbers; as a point without density where they are latent. An adjacency that is not
/// a symmetric matrix of data with weights from 0 on, or with a node without neighbours: at once.
///
/// # Source
/// NumPyro `CAR(loc, correlation, conditional_precision, adj_matrix)`; PyMC `CAR(mu, W, alpha, tau)`, whose density lacks
/// a constant. Jin, Carlin and Banerjee (2005), Biometrics 61(4).
/// Stan users write it out.
///
/// ```
/// use std::f64::consts::PI;
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::CAR;
/// let pair = array![[0.0, 1.0], [1.0, 0.0]];
/// // Without correlation the nodes are two standard normal variables.
/// let (log_prob, _) = value_and_grad(|x| CAR::new(0.0, 0.0, 1.0, &pair).log_prob(x), &array![1.0, 0.0])?;
/// assert!((log_prob + 0.5 + (2.0 * std::f64::consts::PI).ln()).abs() < 1e-15);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CAR {
    loc: Var,
    correlation: Var,
    precision: Var,
    graph: Graph,
}

const NAME: &str = "CAR";

impl CAR {
    /// By location, correlation, conditional precision and the matrix of weights between neighbours.
    #[track_caller]
    pub fn new(
        loc: impl Into<Var>,
        correlation: impl Into<Var>,
        conditional_precision: impl Into<Var>,
        adjacency: impl Into<Var>,
    ) -> Self {
        let graph = Graph::new(NAME, adjacency);
        let loc = check::real(NAME, "loc", loc);
        let loc = if loc.rank() == 0 { loc.broadcast_to([graph.nodes]) } else { loc };
        if loc.dim(-1) != graph.nodes {
            let rule = "a location [.., n] for n nodes";
            mistake(Mistake::Shapes { operation: NAME, shapes: vec![loc.shape(), Shape::from(graph.nodes)], rule });
        }
        Self {
            loc,
            correlation: check::signed_unit(NAME, "correlation", correlation),
            precision: check::positive(NAME, "conditional_precision", conditional_precision),
            graph,
        }
    }
}

impl Distribution for CAR {
    fn name(&self) -> &'static str {
        NAME
    }
    fn support(&self) -> Support {
        Support::RealVector
    }
    fn batch_shape(&self) -> Shape {
        let loc = self.loc.shape();
        let own = Shape::from(&loc[..loc.rank() - 1]);
        let shapes = [self.correlation.shape(), self.precision.shape()];
        shapes.iter().try_fold(own.clone(), |all, s| all.broadcast(s)).unwrap_or_else(|| {
            let rule = "[B.., n], [B..] and [B..] with batch axes that broadcast";
            let [a, b] = shapes.clone();
            mistake(Mistake::Shapes { operation: NAME, shapes: vec![loc, a, b], rule });
            own
        })
    }
    fn event_shape(&self) -> Shape {
        Shape::from(self.graph.nodes)
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let x = inside.expand_dims(-1).select(value, self.loc) - self.loc;
        let n = self.graph.nodes as f64;
        let (from, to, weights) = self.graph.edges(x);
        let own = (x.square() * Var::from(self.graph.degrees.clone())).sum_axis(-1);
        let square = own - 2.0 * self.correlation * (from * to * weights).sum_axis(-1);
        let eigenvalues = Var::from(self.graph.eigenvalues());
        let ln_det = (-(self.correlation.expand_dims(-1) * eigenvalues)).ln_1p().sum_axis(-1);
        let ln_degrees: f64 = self.graph.degrees.iter().map(|d| d.ln()).sum();
        let constant = 0.5 * (n * self.precision.ln() + ln_det + ln_degrees) - n * LN_SQRT_2PI;
        inside.select(constant - 0.5 * self.precision * square, f64::NEG_INFINITY)
    }
    /// By the Cholesky factor of the precision.
    fn draw(&self, batch: &Shape) -> Var {
        let graph = &self.graph;
        let degrees = Var::from(graph.degrees.clone()).diag_embed();
        let wide = |v: Var| v.expand_dims(-1).expand_dims(-1);
        let precision = wide(self.precision) * (degrees - wide(self.correlation) * graph.square(graph.matrix()));
        let z = Var::random(Law::Normal, batch.join(&[graph.nodes]), &[]).expand_dims(-1);
        self.loc + precision.cholesky().solve_lower_transposed(z).squeeze(-1)
    }
    fn mean(&self) -> Option<Var> {
        Some(self.loc.broadcast_to(self.batch_shape().join(&[self.graph.nodes])))
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: NAME,
    forms: &[Form {
        constructor: "new",
        arguments: &["loc", "loc", "correlation", "conditional_precision"],
        good: &[&[0.1, -0.3, 0.8, 2.0], &[0.0, 0.0, -0.4, 0.5]],
        bad: &[&[0.0, 0.0, 1.0, 1.0], &[0.0, 0.0, -1.5, 1.0], &[0.0, f64::NAN, 0.0, 1.0], &[0.0, 0.0, 0.0, 0.0]],
        build: |p| Box::new(CAR::new(vector(&p[..2]), p[2], p[3], &array![[0.0, 1.5], [1.5, 0.0]])),
    }],
};
