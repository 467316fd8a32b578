//! Local reparameterisation: of a dense layer the products are drawn, row by row, and not the weights.
//!
//! With independent normal weights of mean m and standard deviation s the product of a row x with a column of them is
//! normal with mean `x m` and variance `x^2 s^2`. Drawn for every row anew, the errors that rows make in the gradient no
//! longer add up with one sign, and the variance of a gradient of n rows falls by a factor that approaches n.
//!
//! The evidence lower bound is a sum of expectations: that of the likelihood is estimated with products, those of the
//! prior and of the entropy as ever, with the weights drawn (or in closed form, for the entropy). So the prior may be any.

use std::fmt;
use std::ops::Range;

use ppl_autodiff::ops::Op;
use ppl_autodiff::random::{Philox, Purpose};
use ppl_autodiff::tape::Node;
use ppl_autodiff::{Program, Var, Workspace, gradient};
use ppl_core::dense::{LocalTrace, NotLocal};
use ppl_core::{Kind, ModelError};

use super::error::VariationalError;
use super::family::Family;
use super::objective::Density;
use super::problem::Problem;
use crate::error::InferError;

/// Which layers of a fit are drawn by their products.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalLayers {
    /// The sites of their weights.
    pub sites: Vec<String>,
    /// Sites in dense layers whose weights are drawn as ever, and why.
    pub left: Vec<(String, NotLocal)>,
}

impl fmt::Display for LocalLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.sites.iter().map(|s| format!("`{s}`")).collect();
        write!(f, "products of {} drawn row by row", names.join(", "))?;
        self.left.iter().try_for_each(|(site, why)| write!(f, "; not of `{site}`: {why}"))
    }
}

/// Where the numbers of one layer are.
#[derive(Clone, Debug)]
struct Layer {
    /// Its weights among the coordinates.
    weights: Range<usize>,
    /// Its means, standard deviations and noise in slot 0 of the program.
    mean: Range<usize>,
    sd: Range<usize>,
    noise: Range<usize>,
    rows: usize,
}

/// The density as a function of coordinates and of the laws of layers, with memory for one evaluation.
pub(crate) struct Local {
    program: Program<f64>,
    workspace: Workspace<f64>,
    /// The coordinates of each site: where they are in slot 0.
    sites: Vec<Range<usize>>,
    layers: Vec<Layer>,
    slot: Vec<f64>,
    by_layers: Vec<f64>,
    mean: Vec<f64>,
    sd: Vec<f64>,
    zeros: Vec<f64>,
    /// Derivatives by the means and the standard deviations of all coordinates.
    by_mean: Vec<f64>,
    by_sd: Vec<f64>,
    pub about: LocalLayers,
}

/// The place of an input in slot 0.
fn place(trace: &ppl_core::ModelTrace, x: Var) -> Range<usize> {
    match trace.traced().tape().nodes().get(x.node() as usize) {
        Some(Node { op: Op::Input { offset, .. }, shape, .. }) => *offset..offset + shape.size(),
        _ => 0..0,
    }
}

/// How far a log-density may be from a sum over rows, relative to its size.
const TOLERANCE: f64 = 1e-8;

impl Local {
    /// For a problem and a family over its coordinates.
    pub fn new(problem: &Problem<'_>, density: &mut Density<'_>, family: &dyn Family) -> Result<Self, InferError> {
        let refuse = |why| VariationalError::NotLocal { model: problem.name().to_owned(), why };
        if !family.has_moments() {
            return Err(refuse(WhyNot::Family).into());
        }
        let Some(traced) = problem.local_trace() else { return Err(refuse(WhyNot::NoModel).into()) };
        let mut local = Self::compile(traced?, family.dim())?;
        if local.layers.is_empty() {
            return Err(refuse(WhyNot::NoLayer { left: local.about.left }).into());
        }
        density.bind(0).map_err(|error| VariationalError::Density { iteration: 0, error })?;
        let whole_rows = local.layers.windows(2).all(|l| l[0].rows == l[1].rows);
        if !whole_rows || !local.is_sum_over_rows(density.bound()) {
            return Err(refuse(WhyNot::NotASum).into());
        }
        Ok(local)
    }

    fn compile(traced: LocalTrace, dim: usize) -> Result<Self, ModelError> {
        let LocalTrace { trace, layers, left } = traced;
        let (terms, trace) = trace.terms()?;
        let ((density, slopes, by_layers), trace) = trace.extend(|sites| {
            let density = terms.log_density();
            let x = sites.iter().filter_map(|s| s.unconstrained.map(|(x, _)| x));
            let all: Vec<Var> = x.chain(layers.iter().flat_map(|l| [l.mean, l.sd])).collect();
            let mut slopes = gradient(density, &all);
            let by_layers = slopes.split_off(all.len() - 2 * layers.len());
            (density, slopes, by_layers)
        })?;
        let tape = trace.traced().tape();
        let program = Program::compile(tape, &[&[density], &slopes, &by_layers]);
        let slot = vec![0.0; tape.slots().first().copied().unwrap_or(0)];
        let (mut at, mut coordinates, mut sites) = (0, Vec::new(), Vec::new());
        for site in trace.sites() {
            let inputs = site.unconstrained.map_or(0..0, |(x, _)| place(&trace, x));
            coordinates.push(at..at + inputs.len());
            at += inputs.len();
            if site.kind == Kind::Latent {
                sites.push(inputs);
            }
        }
        let found = layers.iter().filter_map(|l| {
            let [mean, sd, noise] = [l.mean, l.sd, l.noise].map(|x| place(&trace, x));
            Some(Layer { weights: coordinates.get(l.site)?.clone(), mean, sd, noise, rows: l.rows })
        });
        let found: Vec<Layer> = found.collect();
        let names = layers.iter().filter_map(|l| Some(trace.sites().get(l.site)?.name.clone())).collect();
        let [mean, sd, zeros, by_mean, by_sd] = [(); 5].map(|()| vec![0.0; dim]);
        Ok(Self {
            workspace: program.workspace(),
            by_layers: vec![0.0; program.output_lengths().get(2).copied().unwrap_or(0)],
            program,
            sites,
            layers: found,
            slot,
            mean,
            sd,
            zeros,
            by_mean,
            by_sd,
            about: LocalLayers { sites: names, left },
        })
    }

    /// What of the family an evaluation takes; before draws are made.
    pub fn take_family(&mut self, family: &mut dyn Family, params: &[f64]) {
        family.draw(params, &self.zeros, &mut self.mean);
        family.spread(params, &mut self.sd);
        for layer in &self.layers {
            self.slot[layer.mean.clone()].copy_from_slice(&self.mean[layer.weights.clone()]);
            self.slot[layer.sd.clone()].copy_from_slice(&self.sd[layer.weights.clone()]);
        }
    }

    /// Draws the noise of all layers, or takes the opposite of what is there.
    pub fn draw_noise(&mut self, random: Option<&mut Philox>) {
        match random {
            Some(random) => {
                self.layers.iter().for_each(|l| random.fill_standard_normal(&mut self.slot[l.noise.clone()]));
            }
            None => self.layers.iter().for_each(|l| self.slot[l.noise.clone()].iter_mut().for_each(|z| *z = -*z)),
        }
    }

    /// The log-density at coordinates, with its gradient; what it is by the moments of the coordinates is kept.
    pub fn evaluate(&mut self, x: &[f64], batch: &[Vec<f64>], slope: &mut [f64]) -> f64 {
        let mut at = 0;
        for site in &self.sites {
            self.slot[site.clone()].copy_from_slice(&x[at..at + site.len()]);
            at += site.len();
        }
        let inputs: smallvec::SmallVec<[&[f64]; 8]> =
            std::iter::once(&self.slot[..]).chain(batch.iter().map(|a| &a[..])).collect();
        let mut value = [0.0];
        self.program.evaluate(&mut self.workspace, &inputs, &mut [&mut value, slope, &mut self.by_layers]);
        let mut at = 0;
        for layer in &self.layers {
            let n = layer.weights.len();
            self.by_mean[layer.weights.clone()].copy_from_slice(&self.by_layers[at..at + n]);
            self.by_sd[layer.weights.clone()].copy_from_slice(&self.by_layers[at + n..at + 2 * n]);
            at += 2 * n;
        }
        // A sum is finite where all its terms are.
        value[0] + 0.0 * self.by_layers.iter().sum::<f64>()
    }

    /// Adds the derivatives of the last evaluation by the laws of the layers.
    pub fn pull_back(&self, family: &mut dyn Family, gradient: &mut [f64]) {
        family.pull_back_moments(&self.by_mean, &self.by_sd, gradient);
    }

    /// Whether the noise of some rows and that of the others act independently: of a sum over rows the changes add up.
    /// Rows are put on either side by chance, so that two that act together are seen apart with probability one half.
    fn is_sum_over_rows(&mut self, batch: &[Vec<f64>]) -> bool {
        let mut random = Philox::new(0, Purpose::Variational, u32::MAX, 0);
        let x: Vec<f64> = self.zeros.iter().map(|_| 0.5 * random.standard_normal()).collect();
        for layer in &self.layers {
            self.slot[layer.mean.clone()].copy_from_slice(&x[layer.weights.clone()]);
            self.slot[layer.sd.clone()].fill(0.5);
        }
        let rows = self.layers.first().map_or(0, |l| l.rows);
        let first: Vec<bool> = (0..rows).map(|_| random.uniform() < 0.5).collect();
        let noise = self.slot.iter().map(|_| [random.standard_normal(), random.standard_normal()]).collect::<Vec<_>>();
        let mut slope = vec![0.0; x.len()];
        let value = |moved: [bool; 2]| {
            for layer in &self.layers {
                let width = layer.noise.len() / rows.max(1);
                for (i, at) in layer.noise.clone().enumerate() {
                    let side = usize::from(first.get(i / width.max(1)).copied().unwrap_or(false));
                    self.slot[at] = noise[at][usize::from(moved[side])];
                }
            }
            let slot = self.slot.clone();
            let value = self.evaluate(&x, batch, &mut slope);
            self.slot = slot;
            value
        };
        let [none, one, other, both] = [[false, false], [true, false], [false, true], [true, true]].map(value);
        let size = [none, one, other, both].iter().map(|v| v.abs()).sum::<f64>();
        // Where the density is not finite nothing can be told.
        !size.is_finite() || (none + both - one - other).abs() <= TOLERANCE * (1.0 + size)
    }
}

/// Why there is no local reparameterisation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyNot {
    /// A family whose coordinates are not independent normals.
    Family,
    /// A log-density of one's own, or a function that reads values.
    NoModel,
    /// No dense layer whose weights are a site on the whole real line and stand in that layer alone.
    NoLayer {
        /// Those that there are, and why they do not fit.
        left: Vec<(String, NotLocal)>,
    },
    /// A log-likelihood that is not a sum over the rows of the layers.
    NotASum,
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Family => write!(f, "it wants the mean-field family"),
            Self::NoModel => write!(f, "it wants a model whose function reads no values"),
            Self::NoLayer { left } => {
                write!(f, "no site is the unconstrained matrix of weights of a `dense` layer")?;
                left.iter().try_for_each(|(site, why)| write!(f, "; `{site}`: {why}"))
            }
            Self::NotASum => write!(f, "the log-likelihood is not a sum over the rows of the dense layers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};
    use ppl_core::dist::{Bernoulli, HalfNormal, Normal};
    use ppl_core::{Distribution, Minibatch, Model, dense, model, observe, sample};

    use super::super::family::{FamilyKind, MeanField, Scale};
    use super::super::objective::{Estimator, Objective};
    use super::super::{Adam, Advi};
    use super::*;

    const ROWS: usize = 60;
    const NOISE: f64 = 0.5;

    model! {
        fn regression(x: Array2<f64>, y: Array1<f64>) {
            let w = sample!("w", Normal::new(0.0, 1.0).expand([x.ncols(), 1]));
            observe!("y", Normal::new(dense(Var::from(&x), w).squeeze(-1), NOISE), y);
        }

        fn network(x: Array2<f64>, y: Array1<f64>) {
            let w0 = sample!("w0", Normal::new(0.0, 1.0).expand([x.ncols(), 4]));
            let b = sample!("b", Normal::new(0.0, 1.0).expand([4]));
            let w1 = sample!("w1", Normal::new(0.0, 1.0).expand([4, 1]));
            let z = (dense(Var::from(&x), w0) + b).tanh();
            observe!("y", Bernoulli::logits(dense(z, w1).squeeze(-1)), y);
        }

        fn positive(x: Array2<f64>, y: Array1<f64>) {
            let w = sample!("w", HalfNormal::new(1.0).expand([x.ncols(), 1]));
            observe!("y", Normal::new(dense(Var::from(&x), w).squeeze(-1), NOISE), y);
        }

        fn shared(x: Array2<f64>, y: Array1<f64>) {
            let n = x.ncols();
            let w = sample!("w", Normal::new(0.0, 1.0).expand([n, n]));
            let v = sample!("v", Normal::new(0.0, 1.0).expand([n, 1]));
            let u = sample!("u", Normal::new(0.0, 1.0).expand([n, 1]));
            let z = dense(dense(Var::from(&x), w).tanh(), w);
            let y_hat = dense(z, v).squeeze(-1) + dense(Var::from(&x), u).squeeze(-1) + u.sum();
            observe!("y", Normal::new(y_hat, NOISE), y);
        }

        /// Every row relative to the mean over rows.
        fn centred(x: Array2<f64>, y: Array1<f64>) {
            let w = sample!("w", Normal::new(0.0, 1.0).expand([x.ncols(), 1]));
            let z = dense(Var::from(&x), w).squeeze(-1);
            observe!("y", Normal::new(z - z.mean(), NOISE), y);
        }
    }

    fn data() -> (Array2<f64>, Array1<f64>) {
        let x = Array2::from_shape_fn((ROWS, 3), |(i, j)| ((i * (2 * j + 3)) as f64 * 0.7).sin() + 0.3);
        let y = x.outer_iter().map(|x| x[0] - 0.5 * x[1]).collect();
        (x, y)
    }

    /// Means and variances of `repeats` gradients of one draw, with products drawn and with weights drawn.
    fn moments(model: &dyn Model, params: &[f64], repeats: u32, estimator: Estimator) -> [Vec<[f64; 2]>; 2] {
        let problem = Problem::model(model).unwrap();
        let mut density = problem.density(0).unwrap();
        let mut family = MeanField::new(problem.dim(), Scale::Exp);
        family.update(params);
        let mut local = Local::new(&problem, &mut density, &family).unwrap();
        [true, false].map(|by_products| {
            let mut objective = Objective::new(&family, estimator, false);
            let (mut gradient, mut sums) = (vec![0.0; params.len()], vec![[0.0; 2]; params.len()]);
            for i in 0..repeats {
                let random = &mut Philox::new(1, Purpose::Variational, u32::from(by_products), i);
                if by_products {
                    objective.estimate_local(&mut local, &[], &mut family, params, random, 1, &mut gradient).unwrap();
                } else {
                    let evaluate = &mut |x: &[f64], v: &mut [f64], g: &mut [f64]| density.evaluate_points(x, v, g);
                    objective.estimate_with(evaluate, &mut family, params, random, 1, &mut gradient).unwrap();
                }
                sums.iter_mut().zip(&gradient).for_each(|([s, q], g)| (*s, *q) = (*s + g, *q + g * g));
            }
            let n = f64::from(repeats);
            sums.into_iter().map(|[s, q]| [s / n, (q - s * s / n) / (n - 1.0)]).collect()
        })
    }

    /// Against the exact gradient and the exact variances of a linear model. 4.5 standard errors of twelve means: one
    /// failure in 12,000; variances of 4000 numbers have a standard error of about 2.5 per cent.
    #[test]
    fn gradients_of_a_regression_have_the_exact_mean_and_variance() {
        const REPEATS: u32 = 4000;
        let (x, y) = data();
        let (mu, sigma) = ([0.4, -0.2, 0.3], [0.3f64, 0.5, 0.2]);
        let params: Vec<f64> = mu.into_iter().chain(sigma.map(f64::ln)).collect();
        let precision = 1.0 / (NOISE * NOISE);
        let a = x.t().dot(&x) * precision;
        let b = x.t().dot(&y) * precision;
        let model = regression(x.clone(), y);
        let [local, ordinary] = moments(&model, &params, REPEATS, Estimator::Reparameterised);
        for j in 0..3 {
            let by_mu = b[j] - (0..3).map(|k| a[[j, k]] * mu[k]).sum::<f64>() - mu[j];
            let by_log_sigma = 1.0 - sigma[j] * sigma[j] * (a[[j, j]] + 1.0);
            for (at, want) in [(j, by_mu), (3 + j, by_log_sigma)] {
                for [mean, variance] in [local[at], ordinary[at]] {
                    let error = (variance / f64::from(REPEATS)).sqrt();
                    assert!((mean - want).abs() < 4.5 * error, "parameter {at}: {mean} +- {error} but {want} wanted");
                }
            }
            // By the location: products of rows are independent, those of one draw of the weights are not. The prior's
            // part has the variance of the weight in both, in the second with the likelihood's.
            let of_rows = |r: usize| (0..3).map(|k| (x[[r, k]] * sigma[k]).powi(2)).sum::<f64>();
            let want = (0..ROWS).map(|r| (precision * x[[r, j]]).powi(2) * of_rows(r)).sum::<f64>() + sigma[j].powi(2);
            assert!((local[j][1] / want - 1.0).abs() < 0.12, "{} but {want} wanted", local[j][1]);
            let unit = |k: usize| f64::from(u8::from(k == j));
            let want: f64 = (0..3).map(|k| ((a[[j, k]] + unit(k)) * sigma[k]).powi(2)).sum();
            assert!((ordinary[j][1] / want - 1.0).abs() < 0.12, "{} but {want} wanted", ordinary[j][1]);
            assert!(local[j][1] < 0.2 * ordinary[j][1], "{} against {}", local[j][1], ordinary[j][1]);
        }
    }

    /// Two layers with biases between them: means of 4000 gradients of each kind agree within 4.5 standard errors of their
    /// difference (40 parameters: one failure in 3700), and the sum of their variances is less.
    #[test]
    fn gradients_of_a_network_are_unbiased_and_less_noisy() {
        const REPEATS: u32 = 4000;
        let (x, y) = data();
        let model = network(x, y.mapv(|y| f64::from(u8::from(y > 0.0))));
        let d = 3 * 4 + 4 + 4;
        let params: Vec<f64> = (0..d).map(|i| (1.0 + i as f64).sin()).chain([0.3f64.ln()].repeat(d)).collect();
        for estimator in [Estimator::Reparameterised, Estimator::StickingTheLanding] {
            let [local, ordinary] = moments(&model, &params, REPEATS, estimator);
            for (i, ([m, v], [n, w])) in local.iter().zip(&ordinary).enumerate() {
                let error = ((v + w) / f64::from(REPEATS)).sqrt();
                assert!((m - n).abs() < 4.5 * error, "parameter {i}: {m} and {n}, +- {error}");
            }
            let total = |of: &[[f64; 2]]| of.iter().map(|[_, v]| v).sum::<f64>();
            let ratio = total(&local) / total(&ordinary);
            // 0.154 with the entropy in closed form, 0.393 sticking the landing, whose own share no product lowers.
            assert!(ratio < 0.45, "{estimator:?}: {ratio}");
        }
    }

    #[test]
    fn fits_arrive_where_they_should() {
        let (x, y) = data();
        let precision = 1.0 / (NOISE * NOISE);
        let mut a = x.t().dot(&x) * precision;
        a.diag_mut().mapv_inplace(|d| d + 1.0);
        let b = x.t().dot(&y) * precision;
        let model = regression(x.clone(), y.clone());
        let advi = Advi::mean_field().steps(3000).optimiser(Adam::new(0.02)).local_reparameterisation(true);
        let batches = Minibatch::new((x, y), 20).unwrap().model(|(x, y)| regression(x, y));
        for fit in [advi.fit(&model).unwrap(), advi.fit_batches(&batches).unwrap()] {
            assert!(fit.to_string().contains("products of `w` drawn row by row"), "{fit}");
            // A mean-field law has the posterior's mean: (X'X/s^2 + 1) m = X'y/s^2.
            let m = fit.location().unwrap();
            for j in 0..3 {
                let got: f64 = (0..3).map(|k| a[[j, k]] * m[k]).sum();
                assert!((got - b[j]).abs() < 0.02 * a[[j, j]], "{m:?}");
            }
        }
        // Stopped and gone on with: the same bits.
        let whole = advi.clone().steps(400).fit(&model).unwrap();
        let mut stop = |now: &super::super::Progress<'_>| {
            if now.iteration == 200 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
        };
        let never = std::sync::atomic::AtomicBool::new(false);
        let part = advi.steps(400).fit_watched(&model, &mut [&mut stop], &never).unwrap();
        assert_eq!(part.steps(), 200);
        assert_eq!(part.resume().unwrap().params(), whole.params());
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let (x, y) = data();
        let advi = Advi::mean_field().steps(10).check_draws(100).local_reparameterisation(true);
        let said = |advi: &Advi, model: &dyn Model| advi.fit(model).map(|_| ()).unwrap_err().to_string();
        let full = Advi { family: FamilyKind::FullRank, ..advi.clone() };
        assert!(said(&full, &regression(x.clone(), y.clone())).contains("it wants the mean-field family"));
        assert!(said(&advi, &positive(x.clone(), y.clone())).contains("no site is the unconstrained matrix"));
        assert!(said(&advi, &centred(x.clone(), y.clone())).contains("is not a sum over the rows"));
        // Of three layers one is left.
        let model = shared(x, y);
        let fit = advi.fit(&model).unwrap();
        let local = fit.local_layers().unwrap();
        assert_eq!(local.sites, ["v"]);
        let left = [("w".to_owned(), NotLocal::Twice), ("u".to_owned(), NotLocal::Used { by: "y".to_owned() })];
        assert_eq!(local.left, left);
    }
}
