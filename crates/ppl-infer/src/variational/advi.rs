//! The settings of a variational fit, checked.

use serde::{Deserialize, Serialize};

use super::family::{FamilyKind, Layer, Scale};
use super::objective::Estimator;
use super::optimiser::{Adam, Optimiser};
use super::schedule::Schedule;
use crate::runner::SettingsError;

/// Where the location of the approximation starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Start {
    /// Uniform in (-2, 2) in every unconstrained coordinate, until the density is finite: as chains of NUTS start.
    #[default]
    Random,
    /// At zero in every unconstrained coordinate.
    Zero,
    /// At a point, in unconstrained coordinates.
    At(Vec<f64>),
}

/// Automatic differentiation variational inference: fits a family of distributions over unconstrained space by stochastic
/// ascent of the evidence lower bound.
///
/// ```
/// use ppl_core::{dist::Normal, model, observe, sample};
/// use ppl_infer::variational::{Adam, Advi};
///
/// model! {
///     /// A normal mean with known spread.
///     fn location(y: Vec<f64>) {
///         let mean = sample!("mean", Normal::new(0.0, 10.0));
///         observe!("y", Normal::new(mean, 1.0), y);
///     }
/// }
/// let model = location(vec![1.0, 2.0, 3.0]);
/// let fit = Advi::mean_field().steps(5000).optimiser(Adam::new(0.02)).seed(1).fit(&model)?;
/// println!("{fit}");
/// // Conjugate: precision 3 + 1/100, mean 6 / 3.01. The family holds the posterior, so that k-hat is small.
/// let posterior = fit.draws(4000)?;
/// assert!(fit.converged() && (posterior.mean("mean")?.sum() - 6.0 / 3.01).abs() < 0.05);
/// # Ok::<(), ppl_infer::InferError>(())
/// ```
///
/// # Source
/// Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), JMLR 18(14).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Advi {
    pub(crate) family: FamilyKind,
    pub(crate) steps: u64,
    pub(crate) draws: usize,
    pub(crate) optimiser: Optimiser,
    pub(crate) schedule: Schedule,
    pub(crate) clip: Option<f64>,
    pub(crate) estimator: Estimator,
    pub(crate) antithetic: bool,
    #[serde(default)]
    pub(crate) local: bool,
    pub(crate) start: Start,
    pub(crate) starts: usize,
    pub(crate) scale: f64,
    pub(crate) average: f64,
    pub(crate) batch_loss: bool,
    pub(crate) checks: usize,
    pub(crate) seed: u64,
}

/// The rate of [`Adam`] unless told otherwise.
const RATE: f64 = 1e-2;

impl Advi {
    /// With a family and the defaults: 10,000 steps of one draw, Adam with rate 0.01 falling to a hundredth in the second
    /// half, a random start with standard deviations 0.1, the mean of the last fifth of the iterates, seed 0.
    pub fn new(family: FamilyKind) -> Self {
        Self {
            family,
            steps: 10_000,
            draws: 1,
            optimiser: Adam::new(RATE).into(),
            schedule: Schedule::default(),
            clip: None,
            estimator: Estimator::default(),
            antithetic: false,
            local: false,
            start: Start::default(),
            starts: 1,
            scale: 0.1,
            average: 0.2,
            batch_loss: false,
            checks: 2000,
            seed: 0,
        }
    }

    /// Independent normal coordinates.
    pub fn mean_field() -> Self {
        Self::new(FamilyKind::MeanField(Scale::default()))
    }

    /// A normal law with any covariance.
    pub fn full_rank() -> Self {
        Self::new(FamilyKind::FullRank)
    }

    /// A normal law whose covariance is a diagonal and some directions; the square root of d is a good number.
    pub fn low_rank(rank: usize) -> Self {
        Self::new(FamilyKind::LowRank(rank))
    }

    /// A block for each latent site: these sites with families of their own, the others mean-field.
    ///
    /// ```
    /// use ppl_infer::variational::{Advi, FamilyKind};
    /// let advi = Advi::sites([("slope", FamilyKind::FullRank)]);
    /// ```
    pub fn sites<S: Into<String>>(sites: impl IntoIterator<Item = (S, FamilyKind)>) -> Self {
        Self::new(FamilyKind::Sites(sites.into_iter().map(|(name, kind)| (name.into(), kind)).collect()))
    }

    /// A normalizing flow of some layers.
    pub fn flow(layer: Layer, layers: usize) -> Self {
        Self::new(FamilyKind::Flow(layer, layers))
    }

    /// What PyMC's `fit(method="advi")` does: a mean-field family that starts at zero with softplus(0) = 0.693, one draw a
    /// step, Adagrad over a window of 10 with rate 0.001, the last iterate, and with batches a loss divided by
    /// `total_size / batch_size`.
    ///
    /// Here to compare with: on many models it stops far from the optimum. See the book's chapter on variational
    /// inference.
    pub fn pymc() -> Self {
        let settings = Self::mean_field().optimiser(super::optimiser::AdagradWindow::default());
        let settings = settings.schedule(Schedule::Constant).start(Start::Zero).start_scale(2f64.ln()).average(0.0);
        settings.batch_loss(true)
    }

    /// Steps of the optimiser, at least 1.
    pub fn steps(self, steps: u64) -> Self {
        Self { steps, ..self }
    }

    /// Draws for each step's gradient, at least 1.
    pub fn draws_per_step(self, draws: usize) -> Self {
        Self { draws, ..self }
    }

    /// The optimiser.
    pub fn optimiser(self, optimiser: impl Into<Optimiser>) -> Self {
        Self { optimiser: optimiser.into(), ..self }
    }

    /// The course of the learning rate.
    pub fn schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// Scales gradients down to at most this Euclidean norm.
    pub fn clip(self, norm: f64) -> Self {
        Self { clip: Some(norm), ..self }
    }

    /// The estimate of the gradient that is followed.
    pub fn estimator(self, estimator: Estimator) -> Self {
        Self { estimator, ..self }
    }

    /// Takes draws in pairs of opposite noise, which cancels what is odd in the gradient's error; wants an even number of
    /// draws a step.
    pub fn antithetic(self, antithetic: bool) -> Self {
        Self { antithetic, ..self }
    }

    /// Draws the products of [`dense`](ppl_core::dense()) layers, row by row, in place of their weights: the variance of
    /// gradients falls, by a factor of up to the number of rows where the likelihood makes most of it.
    ///
    /// It takes the mean-field family, weights that are a latent site on the whole real line and stand in one layer alone,
    /// and a log-likelihood that is a sum over rows, which is checked. Weights that stand elsewhere too are drawn as ever:
    /// see [`VariationalFit::local_layers`](super::VariationalFit::local_layers). Several draws of a step are evaluated
    /// one after the other.
    ///
    /// # Source
    /// Kingma, Salimans and Welling (2015), Variational dropout and the local reparameterization trick. NeurIPS.
    pub fn local_reparameterisation(self, local: bool) -> Self {
        Self { local, ..self }
    }

    /// Where the location starts.
    pub fn start(self, start: Start) -> Self {
        Self { start, ..self }
    }

    /// Tries so many random starts, each for a twentieth of the steps, and goes on from the one with the largest ELBO:
    /// for models with several optima. At least 1.
    pub fn starts(self, starts: usize) -> Self {
        Self { starts, ..self }
    }

    /// The standard deviations at the start, positive.
    pub fn start_scale(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// The share of the iterates, from the end, whose mean is the result; 0 takes the last iterate.
    pub fn average(self, share: f64) -> Self {
        Self { average: share, ..self }
    }

    /// With batches: divides gradients by `total_size / batch_size` before the optimiser sees them, as PyMC does. The
    /// ELBO that is reported is that of all data either way.
    pub fn batch_loss(self, batch_loss: bool) -> Self {
        Self { batch_loss, ..self }
    }

    /// Fresh draws of the result by which it is judged, at least 100; up to 16 times as many where these tell too little.
    pub fn check_draws(self, draws: usize) -> Self {
        Self { checks: draws, ..self }
    }

    /// The seed: with the same settings it gives the same bits.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Whether a fit could begin.
    ///
    /// # Errors
    /// [`SettingsError`] for the first setting out of range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let word = u32::MAX as usize / 2;
        let steps = usize::try_from(self.steps).unwrap_or(usize::MAX);
        for (setting, got, least, most) in [
            ("steps", steps, 1, word),
            ("draws_per_step", self.draws, 1, 1 << 20),
            ("check_draws", self.checks, 100, word),
            ("starts", self.starts, 1, 1 << 20),
        ] {
            if got < least || got > most {
                return Err(SettingsError::Count { setting, got, least, most });
            }
        }
        let finite_positive = "more than 0 and finite";
        let rules = [
            ("learning rate", self.optimiser.rate(), finite_positive, self.optimiser.rate() > 0.0),
            ("start_scale", self.scale, finite_positive, self.scale > 0.0),
            ("clip", self.clip.unwrap_or(1.0), finite_positive, self.clip.unwrap_or(1.0) > 0.0),
            ("average", self.average, "at least 0 and at most 1", (0.0..=1.0).contains(&self.average)),
        ];
        for (setting, got, wanted, good) in rules {
            if !(good && got.is_finite()) {
                return Err(SettingsError::Number { setting, got, wanted });
            }
        }
        Ok(())
    }
}
