//! Distributions, one a file: parameters checked, support declared once, log-density and draws as operations.

mod asymmetric_laplace;
mod auto_regressive;
mod bernoulli;
mod beta;
mod beta_binomial;
mod binomial;
mod car;
mod categorical;
mod cauchy;
mod censored;
mod check;
mod chi2;
mod custom;
mod delta;
mod dirichlet;
mod dirichlet_multinomial;
mod discrete_uniform;
mod discrete_weibull;
mod ex_gaussian;
mod exponential;
mod flat;
mod gamma;
mod gamma_poisson;
mod gaussian_random_walk;
mod geometric;
mod gompertz;
mod graph;
mod gumbel;
mod half_cauchy;
mod half_normal;
mod half_student_t;
mod hurdle;
mod hurdle_poisson;
mod hyper_geometric;
mod icar;
mod improper;
mod inverse_gamma;
mod inverse_gaussian;
mod inverse_wishart;
mod kumaraswamy;
mod laplace;
mod levy;
mod lkj;
mod lkj_cholesky;
mod lkj_cov;
mod log_normal;
mod log_uniform;
mod logistic;
mod logit_normal;
mod low_rank_multivariate_normal;
mod markov_chain;
mod masked;
mod matrix_normal;
mod mixture;
mod moyal;
mod multinomial;
mod multivariate_normal;
mod multivariate_student_t;
mod negative_binomial;
mod normal;
mod ordered_logistic;
mod ordered_probit;
mod pareto;
mod poisson;
mod relaxed_bernoulli;
mod restricted;
mod rice;
mod search;
mod skew_normal;
mod stick_breaking_weights;
mod student_t;
mod transformed;
mod triangular;
mod truncated;
mod truncated_normal;
mod uniform;
mod von_mises;
mod weibull;
mod wishart;
mod wrap;
mod zero_inflated;
mod zero_sum_normal;

use ppl_autodiff::{Shape, Tensor, Var, stack};

pub use asymmetric_laplace::AsymmetricLaplace;
pub use auto_regressive::AutoRegressive;
pub use bernoulli::Bernoulli;
pub use beta::Beta;
pub use beta_binomial::BetaBinomial;
pub use binomial::Binomial;
pub use car::CAR;
pub use categorical::Categorical;
pub use cauchy::Cauchy;
pub use censored::{Censored, IntervalCensored};
pub use chi2::Chi2;
pub use custom::Custom;
pub use delta::Delta;
pub use dirichlet::Dirichlet;
pub use dirichlet_multinomial::DirichletMultinomial;
pub use discrete_uniform::DiscreteUniform;
pub use discrete_weibull::DiscreteWeibull;
pub use ex_gaussian::ExGaussian;
pub use exponential::Exponential;
pub use flat::{Flat, HalfFlat};
pub use gamma::Gamma;
pub use gamma_poisson::GammaPoisson;
pub use gaussian_random_walk::GaussianRandomWalk;
pub use geometric::Geometric;
pub use gompertz::Gompertz;
pub use gumbel::Gumbel;
pub use half_cauchy::HalfCauchy;
pub use half_normal::HalfNormal;
pub use half_student_t::HalfStudentT;
pub use hurdle::Hurdle;
pub use hurdle_poisson::HurdlePoisson;
pub use hyper_geometric::HyperGeometric;
pub use icar::ICAR;
pub use improper::Improper;
pub use inverse_gamma::InverseGamma;
pub use inverse_gaussian::InverseGaussian;
pub use inverse_wishart::InverseWishart;
pub use kumaraswamy::Kumaraswamy;
pub use laplace::Laplace;
pub use levy::Levy;
pub use lkj::LKJ;
pub use lkj_cholesky::LKJCholesky;
pub use lkj_cov::LKJCov;
pub use log_normal::LogNormal;
pub use log_uniform::LogUniform;
pub use logistic::Logistic;
pub use logit_normal::LogitNormal;
pub use low_rank_multivariate_normal::LowRankMultivariateNormal;
pub use markov_chain::MarkovChain;
pub use masked::Masked;
pub use matrix_normal::MatrixNormal;
pub use mixture::{Mixture, Stacked};
pub use moyal::Moyal;
pub use multinomial::Multinomial;
pub use multivariate_normal::MultivariateNormal;
pub use multivariate_student_t::MultivariateStudentT;
pub use negative_binomial::NegativeBinomial;
pub use normal::Normal;
pub use ordered_logistic::OrderedLogistic;
pub use ordered_probit::OrderedProbit;
pub use pareto::Pareto;
pub use poisson::Poisson;
pub use relaxed_bernoulli::RelaxedBernoulli;
pub use restricted::Restricted;
pub use rice::Rice;
pub use skew_normal::SkewNormal;
pub use stick_breaking_weights::StickBreakingWeights;
pub use student_t::StudentT;
pub use transformed::Transformed;
pub use triangular::Triangular;
pub use truncated::Truncated;
pub use truncated_normal::TruncatedNormal;
pub use uniform::Uniform;
pub use von_mises::VonMises;
pub use weibull::Weibull;
pub use wishart::Wishart;
pub use wrap::{Expanded, Independent};
pub use zero_inflated::ZeroInflated;
pub use zero_sum_normal::ZeroSumNormal;

use crate::support::Support;

/// A distribution whose parameters are [`Var`]s: numbers, arrays or latents.
///
/// Shapes are NumPyro's: a draw has the batch shape (one independent draw for each element that the parameters
/// broadcast to) followed by the event shape; `log_prob` has the batch shape.
///
/// A distribution of one's own is a type with this trait; [`Custom`] makes one of closures.
///
/// ```
/// use ppl_autodiff::ops::Law;
/// use ppl_autodiff::{Shape, Var, value_and_grad};
/// use ppl_core::{Distribution, Support};
/// /// The law of a logarithm of an exponential variable.
/// struct LogExponential {
///     rate: Var,
/// }
/// impl Distribution for LogExponential {
///     fn name(&self) -> &'static str {
///         "LogExponential"
///     }
///     fn support(&self) -> Support {
///         Support::Real
///     }
///     fn batch_shape(&self) -> Shape {
///         self.rate.shape()
///     }
///     fn log_prob(&self, value: Var) -> Var {
///         self.rate.ln() + value - self.rate * value.exp()
///     }
///     fn draw(&self, batch: &Shape) -> Var {
///         (Var::random(Law::Exponential, batch, &[]) / self.rate).ln()
///     }
/// }
/// let (log_prob, slope) = value_and_grad(|x| LogExponential { rate: 1.0.into() }.log_prob(x), 0.0)?;
/// assert_eq!((log_prob, slope.sum()), (-1.0, 0.0));
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
pub trait Distribution {
    /// The name, for errors.
    fn name(&self) -> &'static str;

    /// Where it has mass.
    fn support(&self) -> Support;

    /// The shape of independent copies.
    fn batch_shape(&self) -> Shape;

    /// The shape of one event; a scalar unless stated.
    fn event_shape(&self) -> Shape {
        Shape::scalar()
    }

    /// The log-density (or log-mass) of `value`, whose leading axes broadcast against the batch shape.
    fn log_prob(&self, value: Var) -> Var;

    /// The log-density of the value with these log-odds, for laws on the unit interval whose formula has use for what the
    /// value loses where it rounds to 0 or 1. A latent site is at its log-odds; without this (`None`) it takes
    /// [`log_prob`](Distribution::log_prob).
    fn log_prob_of_logit(&self, _logit: Var) -> Option<Var> {
        None
    }

    /// Independent draws, one for each element of `batch`, to which the batch shape broadcasts: `[batch.., event..]`.
    fn draw(&self, batch: &Shape) -> Var;

    /// The mean, where there is a closed form.
    fn mean(&self) -> Option<Var> {
        None
    }

    /// The variance, where there is a closed form.
    fn variance(&self) -> Option<Var> {
        None
    }

    /// The distribution function, the probability of draws up to `value`, where there is a closed form.
    fn cdf(&self, _value: Var) -> Option<Var> {
        None
    }

    /// The quantile function, the inverse of [`cdf`](Distribution::cdf), where there is a closed form.
    fn icdf(&self, _probability: Var) -> Option<Var> {
        None
    }

    /// The logarithm of [`cdf`](Distribution::cdf): with all digits in the lower tail where there is a form for it.
    fn log_cdf(&self, value: Var) -> Option<Var> {
        let p = self.cdf(value)?;
        let some = p.gt(0.0);
        Some(some.select(some.select(p, 1.0).ln(), f64::NEG_INFINITY))
    }

    /// The logarithm of the probability of draws above `value`: with all digits in the upper tail where there is a form
    /// for it.
    fn log_sf(&self, value: Var) -> Option<Var> {
        let p = self.cdf(value)?;
        let some = p.lt(1.0);
        Some(some.select((-some.select(p, 0.0)).ln_1p(), f64::NEG_INFINITY))
    }

    /// `ln P(low <= X <= high)`, from the smaller tail; a bound that is `None` is infinite.
    fn log_mass(&self, low: Option<Var>, high: Option<Var>) -> Option<Var> {
        // The largest value that is below.
        let before = |low: Var| if self.support().is_discrete() { -(-low).floor() - 1.0 } else { low };
        let (low, high) = match (low.map(before), high) {
            (None, None) => return Some(Var::from(0.0)),
            (None, Some(high)) => return self.log_cdf(high),
            (Some(low), None) => return self.log_sf(low),
            (Some(low), Some(high)) => (low, high),
        };
        let below = self.log_cdf(low)?;
        let right = below.gt(-std::f64::consts::LN_2);
        let large = right.select(self.log_sf(low)?, self.log_cdf(high)?);
        let small = right.select(self.log_sf(high)?, below);
        let (some, differs) = (large.gt(small), small.gt(f64::NEG_INFINITY));
        let gap = (some * differs).select(large - small, 1.0);
        let rest = differs.select(gap.log1mexp(), 0.0);
        Some(some.select(large + rest, f64::NEG_INFINITY))
    }

    /// The (differential) entropy `-E ln p`, where there is a closed form.
    fn entropy(&self) -> Option<Var> {
        None
    }

    /// Location m and scale s of the unconstrained coordinate u of a value, where its law is a location-scale family:
    /// that of `(u - m) / s` depends on neither. They broadcast to the coordinate's shape. Samplers choose
    /// [coordinates](crate::centring) of hierarchical sites by them.
    fn location_scale(&self) -> Option<(Var, Var)> {
        None
    }

    /// The same distribution with a larger batch shape: independent copies.
    #[track_caller]
    fn expand(self, batch: impl Into<Shape>) -> Expanded<Self>
    where
        Self: Sized,
    {
        Expanded::new(self, batch.into())
    }

    /// The same distribution with the last `axes` batch axes counted as part of one event.
    #[track_caller]
    fn to_event(self, axes: usize) -> Independent<Self>
    where
        Self: Sized,
    {
        Independent::new(self, axes)
    }
}

/// Laws whose Kullback-Leibler divergence has a closed form: `KL(p || q) = E_p ln(p / q)`.
///
/// ```
/// use ppl_autodiff::value_and_grad;
/// use ppl_core::dist::{KlDivergence, Normal};
/// let (kl, slope) = value_and_grad(|m| Normal::new(m, 1.0).kl_divergence(&Normal::new(0.0, 1.0)), 3.0)?;
/// assert_eq!((kl, slope.sum()), (4.5, 3.0));
/// # Ok::<(), ppl_autodiff::TraceError>(())
/// ```
pub trait KlDivergence<Q = Self> {
    /// `KL(self || q)`: 0 where the two are the same law, else positive.
    fn kl_divergence(&self, q: &Q) -> Var;
}

impl<D: Distribution + ?Sized> Distribution for Box<D> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn support(&self) -> Support {
        (**self).support()
    }
    fn batch_shape(&self) -> Shape {
        (**self).batch_shape()
    }
    fn event_shape(&self) -> Shape {
        (**self).event_shape()
    }
    fn log_prob(&self, value: Var) -> Var {
        (**self).log_prob(value)
    }
    fn log_prob_of_logit(&self, logit: Var) -> Option<Var> {
        (**self).log_prob_of_logit(logit)
    }
    fn draw(&self, batch: &Shape) -> Var {
        (**self).draw(batch)
    }
    fn mean(&self) -> Option<Var> {
        (**self).mean()
    }
    fn variance(&self) -> Option<Var> {
        (**self).variance()
    }
    fn cdf(&self, value: Var) -> Option<Var> {
        (**self).cdf(value)
    }
    fn icdf(&self, probability: Var) -> Option<Var> {
        (**self).icdf(probability)
    }
    fn log_cdf(&self, value: Var) -> Option<Var> {
        (**self).log_cdf(value)
    }
    fn log_sf(&self, value: Var) -> Option<Var> {
        (**self).log_sf(value)
    }
    fn log_mass(&self, low: Option<Var>, high: Option<Var>) -> Option<Var> {
        (**self).log_mass(low, high)
    }
    fn entropy(&self) -> Option<Var> {
        (**self).entropy()
    }
    fn location_scale(&self) -> Option<(Var, Var)> {
        (**self).location_scale()
    }
}

/// The common shape of scalar parameters. Where they do not fit, the trace is poisoned.
#[track_caller]
pub(crate) fn batch_of(name: &'static str, parameters: &[Var]) -> Shape {
    let shapes: Vec<Shape> = parameters.iter().map(|p| p.shape()).collect();
    let common = shapes.iter().try_fold(Shape::scalar(), |all, s| all.broadcast(s));
    common.unwrap_or_else(|| {
        let rule = "the parameters' shapes must broadcast";
        ppl_autodiff::mistake(ppl_autodiff::Mistake::Shapes { operation: name, shapes, rule });
        Shape::scalar()
    })
}

/// Element `k` of the last axis of `table`, or another number where `k` is no index of it (with `None` some element,
/// for indices that are known to be right): for few elements by a chain of choices, whose operands stay in the
/// first-level cache.
pub(crate) fn pick(k: Var, table: Var, otherwise: Option<f64>) -> Var {
    const FEW: usize = 16;
    let n = table.dim(-1);
    if n <= FEW && n > 0 {
        let (last, otherwise) = (table.index(-1, n - 1), otherwise.map(Var::from));
        let last = otherwise.map_or(last, |otherwise| k.eq(n as f64 - 1.0).select(last, otherwise));
        return (0..n - 1).rev().fold(last, |chosen, j| k.eq(j as f64).select(table.index(-1, j), chosen));
    }
    let numbers: Vec<f64> = (0..n).map(|j| j as f64).collect();
    let hit = k.expand_dims(-1).eq(numbers);
    hit.max_axis(-1).select(hit.select(table, 0.0).sum_axis(-1), otherwise.unwrap_or(1.0))
}

/// What tests, docs and benchmarks know about a distribution: its line in the catalogue.
pub struct Entry {
    /// The name of the type.
    pub name: &'static str,
    /// Its parametrisations.
    pub forms: &'static [Form],
}

/// One parametrisation of a distribution. Parameters are scalars, or arrays of one shape for a batch; what is a vector
/// or a matrix is put together from them.
pub struct Form {
    /// The name of the constructor.
    pub constructor: &'static str,
    /// The names of its arguments, which errors use.
    pub arguments: &'static [&'static str],
    /// Parameters that are fine, as `build` takes them.
    pub good: &'static [&'static [f64]],
    /// Parameters of which one is not.
    pub bad: &'static [&'static [f64]],
    /// The distribution with given parameters.
    pub build: fn(&[Var]) -> Box<dyn Distribution>,
}

/// Parameters side by side along a new last axis; a constant where all are.
fn vector(parts: &[Var]) -> Var {
    let number = |p: &Var| match p.rank() {
        0 => p.as_constant()?.as_scalar(),
        _ => None,
    };
    let numbers: Option<Vec<f64>> = parts.iter().map(number).collect();
    numbers.map_or_else(|| stack(parts, -1), Var::from)
}

/// Matrices from their elements, row by row; a constant where all elements are.
fn matrix(rows: usize, parts: &[Var]) -> Var {
    let vector = vector(parts);
    let columns = parts.len() / rows.max(1);
    let constant = vector.as_constant().map(|v| Tensor::new([rows, columns], v.data()));
    match constant.flatten() {
        Some(matrix) => Var::from(matrix),
        None => {
            let shape = vector.shape();
            vector.reshape(Shape::from(&shape[..shape.rank() - 1]).join(&[rows, columns]))
        }
    }
}

/// Every distribution that has a density, but for the improper ones and the point mass.
pub const CATALOGUE: &[Entry] = &[
    asymmetric_laplace::ENTRY,
    auto_regressive::ENTRY,
    bernoulli::ENTRY,
    beta::ENTRY,
    beta_binomial::ENTRY,
    binomial::ENTRY,
    car::ENTRY,
    categorical::ENTRY,
    cauchy::ENTRY,
    censored::ENTRY,
    chi2::ENTRY,
    dirichlet::ENTRY,
    dirichlet_multinomial::ENTRY,
    discrete_uniform::ENTRY,
    discrete_weibull::ENTRY,
    ex_gaussian::ENTRY,
    exponential::ENTRY,
    gamma::ENTRY,
    gamma_poisson::ENTRY,
    gaussian_random_walk::ENTRY,
    geometric::ENTRY,
    gompertz::ENTRY,
    gumbel::ENTRY,
    half_cauchy::ENTRY,
    half_normal::ENTRY,
    half_student_t::ENTRY,
    hurdle::ENTRY,
    hurdle_poisson::ENTRY,
    hyper_geometric::ENTRY,
    icar::ENTRY,
    inverse_gamma::ENTRY,
    inverse_gaussian::ENTRY,
    inverse_wishart::ENTRY,
    kumaraswamy::ENTRY,
    laplace::ENTRY,
    levy::ENTRY,
    lkj::ENTRY,
    lkj_cholesky::ENTRY,
    lkj_cov::ENTRY,
    log_normal::ENTRY,
    log_uniform::ENTRY,
    logistic::ENTRY,
    logit_normal::ENTRY,
    low_rank_multivariate_normal::ENTRY,
    matrix_normal::ENTRY,
    mixture::ENTRY,
    moyal::ENTRY,
    multinomial::ENTRY,
    multivariate_normal::ENTRY,
    multivariate_student_t::ENTRY,
    negative_binomial::ENTRY,
    normal::ENTRY,
    ordered_logistic::ENTRY,
    ordered_probit::ENTRY,
    pareto::ENTRY,
    poisson::ENTRY,
    relaxed_bernoulli::ENTRY,
    rice::ENTRY,
    skew_normal::ENTRY,
    stick_breaking_weights::ENTRY,
    student_t::ENTRY,
    triangular::ENTRY,
    truncated::ENTRY,
    truncated_normal::ENTRY,
    uniform::ENTRY,
    von_mises::ENTRY,
    weibull::ENTRY,
    wishart::ENTRY,
    zero_inflated::ENTRY,
    zero_sum_normal::ENTRY,
];
