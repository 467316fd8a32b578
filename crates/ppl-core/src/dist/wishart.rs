//! The Wishart law of covariance matrices: sums of squares of normal vectors.

use std::f64::consts::{LN_2, PI};

use ppl_autodiff::ops::Law;
use ppl_autodiff::{Mistake, Shape, Var, mistake};

use super::{Distribution, Entry, Form, check, matrix};
use crate::support::Support;

/// Wishart distribution of symmetric positive definite d x d matrices, with n the concentration and V the scale matrix:
/// `p(X) = det(X)^((n - d - 1) / 2) exp(-tr(V^-1 X) / 2) / (2^(nd/2) det(V)^(n/2) Gamma_d(n / 2))`.
///
/// # Shapes
/// `concentration: [B..]` and `scale_matrix: [B.., d, d]`, whose leading axes broadcast to the batch shape; a draw has
/// shape `[B.., d, d]`, a `log_prob` has `[B..]`; the event is a matrix. The density is that of the lower triangle.
///
/// # Errors
/// A concentration that is not above d - 1, a scale that is not symmetric positive definite: at once where they are
/// numbers; as a point without density where they are latent. A value that is not positive definite has no density.
///
/// # Source
/// NumPyro `Wishart(concentration, scale_matrix)`, PyMC `Wishart(nu, V)`, Stan `wishart(nu, S)`. Draws: Bartlett (1933).
///
/// ```
/// use std::f64::consts::{LN_2, PI};
/// use ndarray::array;
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::Distribution;
/// use ppl_core::dist::Wishart;
/// // In one dimension it is Gamma(n / 2, 1 / (2 s)).
/// let (log_prob, _) = value_and_grad(|x| Wishart::new(3.0, &array![[1.0]]).log_prob(x), &array![[1.0]])?;
/// assert!((log_prob - (-1.5 * LN_2 - (PI.sqrt() / 2.0).ln() - 0.5)).abs() < 1e-14);
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Wishart(Parameters);

/// What the Wishart law and that of the inverse have in common.
#[derive(Clone, Debug)]
pub(super) struct Parameters {
    pub(super) concentration: Var,
    pub(super) scale: Var,
    /// The lower Cholesky factor of the scale.
    pub(super) factor: Var,
}

impl Parameters {
    #[track_caller]
    pub(super) fn new(name: &'static str, concentration: impl Into<Var>, scale: impl Into<Var>) -> Self {
        let scale = check::positive_definite(name, "scale_matrix", scale);
        let concentration = check::positive(name, "concentration", concentration);
        let least = Var::from(scale.dim(-1) as f64 - 1.0);
        let concentration = check::above(name, "concentration", least, concentration);
        Self { concentration, scale, factor: scale.cholesky() }
    }

    pub(super) fn dim(&self) -> usize {
        self.scale.dim(-1)
    }

    pub(super) fn batch_shape(&self, name: &'static str) -> Shape {
        let (concentration, scale) = (self.concentration.shape(), self.scale.shape());
        let own = Shape::from(&scale[..scale.rank() - 2]);
        concentration.broadcast(&own).unwrap_or_else(|| {
            let rule = "[B..] and [B.., d, d] with batch axes that broadcast";
            mistake(Mistake::Shapes { operation: name, shapes: vec![concentration, scale], rule });
            own
        })
    }

    /// The Cholesky factor of a value where that is inside, else the identity.
    pub(super) fn safe_factor(&self, inside: Var, value: Var) -> Var {
        let identity = Var::from(1.0).broadcast_to([self.dim()]).diag_embed();
        inside.expand_dims(-1).expand_dims(-1).select(value, identity).cholesky()
    }

    /// `nd/2 ln 2 + ln Gamma_d(n / 2)`; infinite where the concentration is too small.
    pub(super) fn ln_norm(&self) -> Var {
        let d = self.dim();
        let size = d as f64;
        let enough = self.concentration.gt(size - 1.0);
        let n = enough.select(self.concentration, size);
        let halves: Vec<f64> = (0..d).map(|j| 0.5 * j as f64).collect();
        let gammas = (0.5 * n.expand_dims(-1) - Var::from(halves)).lgamma().sum_axis(-1);
        let ln_norm = 0.5 * size * LN_2 * n + 0.25 * size * (size - 1.0) * PI.ln() + gammas;
        enough.select(ln_norm, f64::INFINITY)
    }

    /// The lower factor of a draw with the identity as scale.
    pub(super) fn bartlett(&self, batch: &Shape) -> Var {
        let d = self.dim();
        let halves: Vec<f64> = (0..d).map(|j| 0.5 * j as f64).collect();
        let shapes = 0.5 * self.concentration.expand_dims(-1) - Var::from(halves);
        let roots = (0.5 * (Var::random(Law::LogGamma, batch.join(&[d]), &[shapes]) + LN_2)).exp();
        let normal = Var::random(Law::Normal, batch.join(&[d, d]), &[]).tril();
        normal - normal.diag().diag_embed() + roots.diag_embed()
    }
}

/// `2 ln det` of a lower factor: the log-determinant of the matrix.
pub(super) fn log_det(factor: Var) -> Var {
    2.0 * factor.diag().ln().sum_axis(-1)
}

impl Wishart {
    /// By concentration (degrees of freedom) and scale matrix: the mean over the concentration.
    #[track_caller]
    pub fn new(concentration: impl Into<Var>, scale_matrix: impl Into<Var>) -> Self {
        Self(Parameters::new("Wishart", concentration, scale_matrix))
    }
}

impl Distribution for Wishart {
    fn name(&self) -> &'static str {
        "Wishart"
    }
    fn support(&self) -> Support {
        Support::PositiveDefinite
    }
    fn batch_shape(&self) -> Shape {
        self.0.batch_shape("Wishart")
    }
    fn event_shape(&self) -> Shape {
        Shape::from([self.0.dim(), self.0.dim()])
    }
    fn log_prob(&self, value: Var) -> Var {
        let inside = self.support().contains(value);
        let l = self.0.safe_factor(inside, value);
        let (n, d) = (self.0.concentration, self.0.dim() as f64);
        let trace = self.0.factor.solve_lower(l).square().sum_axis(-1).sum_axis(-1);
        let powers = 0.5 * (n - d - 1.0) * log_det(l) - 0.5 * n * log_det(self.0.factor);
        inside.select(powers - 0.5 * trace - self.0.ln_norm(), f64::NEG_INFINITY)
    }
    fn draw(&self, batch: &Shape) -> Var {
        let l = self.0.factor.matmul(self.0.bartlett(batch));
        l.matmul(l.t())
    }
    fn mean(&self) -> Option<Var> {
        Some(self.0.concentration.expand_dims(-1).expand_dims(-1) * self.0.scale)
    }
    /// The variance of each element.
    fn variance(&self) -> Option<Var> {
        let diagonal = self.0.scale.diag();
        let squares = self.0.scale.square() + diagonal.expand_dims(-1) * diagonal.expand_dims(-2);
        Some(self.0.concentration.expand_dims(-1).expand_dims(-1) * squares)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "Wishart",
    forms: &[Form {
        constructor: "new",
        arguments: &["concentration", "scale_matrix"],
        good: &[&[5.0, 1.0, 0.4, 0.8], &[7.5, 0.3, -0.2, 0.7]],
        bad: &[&[0.5, 1.0, 0.4, 0.8], &[f64::NAN, 1.0, 0.4, 0.8], &[5.0, 1.0, 1.4, 0.8]],
        build: |p| Box::new(Wishart::new(p[0], matrix(2, &[p[1], p[2], p[2], p[3]]))),
    }],
};
