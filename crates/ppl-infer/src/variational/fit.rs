//! A fit: the approximation that a run found, what it is worth, and draws from it.

use std::fmt;
use std::sync::atomic::AtomicBool;

use ndarray::Array2;
use ppl_autodiff::random::{Philox, Purpose};
use ppl_core::{BatchModel, Model};

use super::advi::Advi;
use super::error::VariationalError;
use super::family::Family;
use super::local::{Local, LocalLayers};
use super::objective::Density;
use super::problem::Problem;
use super::run::{Ended, Failure, State, scout, stream};
use super::tracker::{Tracker, mean_of_last};
use super::verdict::{Check, Estimate, Verdict, judge, rise};
use crate::batch::BatchTarget;
use crate::density::Target;
use crate::error::InferError;
use crate::posterior::{Concern, Posterior};
use crate::runner::SettingsError;

/// An approximation of a posterior that a run of [`Advi`] found.
///
/// `Display` says what it is and whether to trust it.
pub struct VariationalFit<'m> {
    problem: Problem<'m>,
    state: State,
    ended: Ended,
    local: Option<LocalLayers>,
    seconds: f64,
    verdict: Verdict,
}

/// Steps whose estimates of the ELBO are averaged for `Display`.
const SHOWN: usize = 1000;

impl Advi {
    /// Fits a model with all its data.
    ///
    /// # Errors
    /// A mistake in the model, with site and source line; a setting out of range; an objective that is not finite, with
    /// the iteration and the density of each site.
    pub fn fit<'m>(&self, model: &'m dyn Model) -> Result<VariationalFit<'m>, InferError> {
        self.fit_watched(model, &mut [], &AtomicBool::new(false))
    }

    /// As [`Advi::fit`], showing the fit to trackers, until `interrupt` is set: then what there is becomes the result.
    ///
    /// # Errors
    /// As [`Advi::fit`].
    pub fn fit_watched<'m>(
        &self,
        model: &'m dyn Model,
        trackers: &mut [&mut dyn Tracker],
        interrupt: &AtomicBool,
    ) -> Result<VariationalFit<'m>, InferError> {
        self.check()?;
        self.begin(Problem::model(model)?, trackers, interrupt)
    }

    /// Fits a model whose data come in batches: a step sees one batch, the ELBO stays that of all data.
    ///
    /// ```
    /// use ndarray::Array1;
    /// use ppl_core::{Minibatch, dist::Normal, model, observe, sample};
    /// use ppl_infer::Advi;
    ///
    /// model! {
    ///     fn location(y: Array1<f64>) {
    ///         let mean = sample!("mean", Normal::new(0.0, 10.0));
    ///         observe!("y", Normal::new(mean, 1.0), y);
    ///     }
    /// }
    /// let y = Array1::linspace(0.0, 4.0, 500);
    /// let batches = Minibatch::new(y, 50)?.model(location);
    /// let fit = Advi::mean_field().steps(4000).fit_batches(&batches)?;
    /// // Standard deviation 1 / sqrt(500) = 0.045 around 2.
    /// assert!((fit.location()?[0] - 2.0).abs() < 0.02);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A model over batches gives estimates of a density. What needs the density itself, like NUTS, does not take it:
    ///
    /// ```compile_fail,E0277
    /// use ndarray::Array1;
    /// use ppl_core::{Minibatch, dist::Normal, model, observe, sample};
    /// use ppl_infer::Nuts;
    ///
    /// model! {
    ///     fn location(y: Array1<f64>) {
    ///         let mean = sample!("mean", Normal::new(0.0, 10.0));
    ///         observe!("y", Normal::new(mean, 1.0), y);
    ///     }
    /// }
    /// let batches = Minibatch::new(Array1::linspace(0.0, 4.0, 500), 50).unwrap().model(location);
    /// Nuts::new().run(&batches).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Advi::fit`]; a stream that ended or failed.
    pub fn fit_batches<'m>(&self, batches: &'m dyn BatchModel) -> Result<VariationalFit<'m>, InferError> {
        self.fit_batches_watched(batches, &mut [], &AtomicBool::new(false))
    }

    /// As [`Advi::fit_batches`], with trackers, until `interrupt` is set.
    ///
    /// # Errors
    /// As [`Advi::fit_batches`].
    pub fn fit_batches_watched<'m>(
        &self,
        batches: &'m dyn BatchModel,
        trackers: &mut [&mut dyn Tracker],
        interrupt: &AtomicBool,
    ) -> Result<VariationalFit<'m>, InferError> {
        self.check()?;
        self.begin(Problem::batches(batches)?, trackers, interrupt)
    }

    /// Fits a log-density of one's own, given with its gradient: draws have one site, `x`.
    ///
    /// # Errors
    /// As [`Advi::fit`].
    pub fn fit_target<'m>(&self, target: &'m dyn Target) -> Result<VariationalFit<'m>, InferError> {
        self.check()?;
        self.begin(Problem::target(target), &mut [], &AtomicBool::new(false))
    }

    /// Fits a log-density of one's own that is seen in batches.
    ///
    /// # Errors
    /// As [`Advi::fit_batches`].
    pub fn fit_batch_target<'m>(&self, target: &'m dyn BatchTarget) -> Result<VariationalFit<'m>, InferError> {
        self.check()?;
        self.begin(Problem::batch_target(target), &mut [], &AtomicBool::new(false))
    }

    fn begin<'m>(
        &self,
        problem: Problem<'m>,
        trackers: &mut [&mut dyn Tracker],
        interrupt: &AtomicBool,
    ) -> Result<VariationalFit<'m>, InferError> {
        let begin = std::time::Instant::now();
        let settings = Self { family: self.family.resolve(&problem.sites())?, ..self.clone() };
        // One density for everything: a stream of batches can be read once.
        let (state, ended, local) = {
            let mut density = problem.density(self.seed)?;
            let mut family = settings.family.build(density.dim())?;
            let name = problem.name();
            let mut local = settings.local.then(|| Local::new(&problem, &mut density, &*family)).transpose()?;
            let begun = scout(&settings, name, &mut *family, &mut density, local.as_mut(), interrupt);
            let mut state = begun.map_err(|f| problem.explain(f))?;
            let ended = state.run(name, &mut *family, &mut density, local.as_mut(), trackers, interrupt);
            (state, ended.map_err(|f| problem.explain(f))?, local.map(|l| l.about))
        };
        let mut fit = VariationalFit::unrun(problem, state);
        fit.local = local;
        fit.ended = ended;
        fit.seconds = begin.elapsed().as_secs_f64();
        fit.judged()
    }
}

impl State {
    /// Takes a saved fit of a model up where it was: what was planned is still to be done, see
    /// [`VariationalFit::resume`].
    ///
    /// # Errors
    /// A mistake in the model; a state of another model.
    pub fn on<'m>(self, model: &'m dyn Model) -> Result<VariationalFit<'m>, InferError> {
        VariationalFit::unrun(Problem::model(model)?, self).judged()
    }

    /// As [`State::on`], for a model whose data come in batches.
    ///
    /// # Errors
    /// As [`State::on`].
    pub fn on_batches<'m>(self, batches: &'m dyn BatchModel) -> Result<VariationalFit<'m>, InferError> {
        VariationalFit::unrun(Problem::batches(batches)?, self).judged()
    }

    /// As [`State::on`], for a log-density of one's own.
    ///
    /// # Errors
    /// As [`State::on`].
    pub fn on_target<'m>(self, target: &'m dyn Target) -> Result<VariationalFit<'m>, InferError> {
        VariationalFit::unrun(Problem::target(target), self).judged()
    }
}

impl<'m> VariationalFit<'m> {
    fn unrun(problem: Problem<'m>, state: State) -> Self {
        let verdict = Verdict::new(None, None, None);
        Self { problem, state, ended: Ended::Interrupted, local: None, seconds: 0.0, verdict }
    }

    /// The family with its parameters, ready for draws.
    fn family(&self) -> Result<Box<dyn Family>, InferError> {
        let mut family = self.state.settings.family.build(self.problem.dim())?;
        let (got, wanted) = (self.state.params.len(), family.params());
        if got != wanted {
            return Err(VariationalError::State { what: "parameters", got, wanted }.into());
        }
        family.update(self.state.result());
        Ok(family)
    }

    /// Runs until the plan is done, and judges the result.
    fn go_on(mut self, trackers: &mut [&mut dyn Tracker], interrupt: &AtomicBool) -> Result<Self, InferError> {
        let begin = std::time::Instant::now();
        let mut family = self.family()?;
        let ended = {
            let mut density = self.problem.density(self.state.settings.seed)?;
            let name = self.problem.name();
            let local =
                self.state.settings.local.then(|| Local::new(&self.problem, &mut density, &*family)).transpose()?;
            let mut local = local;
            let ended = self.state.run(name, &mut *family, &mut density, local.as_mut(), trackers, interrupt);
            self.local = local.map(|l| l.about);
            ended
        };
        self.ended = ended.map_err(|failure| self.problem.explain(failure))?;
        self.seconds += begin.elapsed().as_secs_f64();
        self.judged()
    }

    fn judged(mut self) -> Result<Self, InferError> {
        let mut family = self.family()?;
        let mut spread = vec![0.0; family.dim()];
        let drift = if family.spread(self.state.result(), &mut spread) { self.drift(&spread) } else { None };
        let watched = (self.state.windows[0].count + self.state.windows[1].count) as usize;
        let rise = rise(&self.state.elbo, watched);
        let settings = &self.state.settings;
        let check = judge(&self.problem, &mut *family, self.state.result(), settings.seed, settings.checks)?;
        let mut verdict = Verdict::new(rise, drift, check.as_ref().map(Check::gain));
        verdict.elbo = check.as_ref().map(Check::elbo);
        verdict.k_hat = check.as_ref().map(Check::k_hat);
        self.verdict = verdict;
        Ok(self)
    }

    /// The largest distance between the halves of the watched end of the run, in standard deviations.
    fn drift(&self, spread: &[f64]) -> Option<f64> {
        let [first, second] = &self.state.windows;
        if first.count == 0 || second.count == 0 {
            return None;
        }
        let distance = |((a, b), sd): ((&f64, &f64), &f64)| (a - b).abs() / sd;
        Some(first.values.iter().zip(&second.values).zip(spread).map(distance).fold(0.0, f64::max))
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        self.problem.name()
    }

    /// Whether the parameters are at an optimum of the ELBO; see [`Verdict`].
    pub fn converged(&self) -> bool {
        self.verdict.converged
    }

    /// What speaks for and against the fit.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The shape of the Pareto tail of `p / q`: at most 0.5 good, above 0.7 far from the posterior. None where the
    /// density over all data is not to be had.
    pub fn k_hat(&self) -> Option<f64> {
        self.verdict.k_hat
    }

    /// The ELBO of the result from fresh draws, over all data.
    pub fn elbo(&self) -> Option<Estimate> {
        self.verdict.elbo
    }

    /// The estimate of the ELBO of every step, all steps that had one.
    pub fn history(&self) -> &[f64] {
        &self.state.elbo
    }

    /// The mean of the last `n` of these estimates.
    pub fn mean_elbo(&self, n: usize) -> f64 {
        mean_of_last(&self.state.elbo, n)
    }

    /// How the run ended.
    pub fn ended(&self) -> Ended {
        self.ended
    }

    /// With [`Advi::local_reparameterisation`]: of which layers the last run drew products, and of which not.
    pub fn local_layers(&self) -> Option<&LocalLayers> {
        self.local.as_ref()
    }

    /// Seconds of all runs, judging left out.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.state.iteration
    }

    /// What is needed to go on later, for `serde`.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The parameters of the result.
    pub fn params(&self) -> &[f64] {
        self.state.result()
    }

    /// The centre of the approximation, in unconstrained coordinates.
    ///
    /// # Errors
    /// A saved state that does not belong to the model.
    pub fn location(&self) -> Result<Vec<f64>, InferError> {
        let mut family = self.family()?;
        let mut centre = vec![0.0; family.dim()];
        family.centre(self.state.result(), &mut centre);
        Ok(centre)
    }

    /// Draws from the approximation, with all that a [`Posterior`] can do.
    ///
    /// # Errors
    /// A number of draws that is 0 or too large; a function that fails on a path that only some draws take.
    pub fn draws(&self, draws: usize) -> Result<Posterior, InferError> {
        let mut family = self.family()?;
        let dim = family.dim();
        check_draws(draws, dim)?;
        let mut noise = vec![0.0; family.noise()];
        let mut points = Array2::zeros((draws, dim));
        let mut x = vec![0.0; dim];
        for (draw, mut row) in points.outer_iter_mut().enumerate() {
            let seed = self.state.settings.seed;
            Philox::new(seed, Purpose::Variational, stream::DRAWS, draw as u32).fill_standard_normal(&mut noise);
            family.draw(self.state.result(), &noise, &mut x);
            row.assign(&ndarray::aview1(&x));
        }
        self.posterior(points)
    }

    /// The centre of the approximation as a posterior of one draw: predictions from it are the model's expressions at the
    /// mean, in unconstrained space.
    ///
    /// # Errors
    /// As [`VariationalFit::draws`].
    pub fn at_mean(&self) -> Result<Posterior, InferError> {
        let centre = self.location()?;
        let point = Array2::from_shape_vec((1, centre.len()), centre).unwrap_or_default();
        self.posterior(point)
    }

    fn posterior(&self, points: Array2<f64>) -> Result<Posterior, InferError> {
        let mut concerns = Vec::new();
        if !self.converged() {
            concerns.push(Concern::NotConverged { reasons: self.verdict.reasons() });
        }
        if let Some(k_hat) = self.k_hat()
            && k_hat > 0.7
        {
            concerns.push(Concern::FarFromPosterior { k_hat });
        }
        Posterior::independent(self.problem.recorded(), self.state.settings.seed, points, concerns)
    }

    /// Goes on for some more steps, with a cycle of the schedule of its own.
    ///
    /// # Errors
    /// As [`Advi::fit`].
    pub fn refine(self, steps: u64) -> Result<Self, InferError> {
        self.refine_watched(steps, &mut [], &AtomicBool::new(false))
    }

    /// As [`VariationalFit::refine`], with trackers, until `interrupt` is set.
    ///
    /// # Errors
    /// As [`Advi::fit`].
    pub fn refine_watched(
        mut self,
        steps: u64,
        trackers: &mut [&mut dyn Tracker],
        interrupt: &AtomicBool,
    ) -> Result<Self, InferError> {
        self.state.settings.clone().steps(steps).check()?;
        self.state.extend(steps);
        self.go_on(trackers, interrupt)
    }

    /// Does what an interrupted run left undone, to the same bits as if it had not been interrupted.
    ///
    /// # Errors
    /// As [`Advi::fit`].
    pub fn resume(self) -> Result<Self, InferError> {
        self.go_on(&mut [], &AtomicBool::new(false))
    }

    /// As [`VariationalFit::resume`], with trackers, until `interrupt` is set.
    ///
    /// # Errors
    /// As [`Advi::fit`].
    pub fn resume_watched(self, trackers: &mut [&mut dyn Tracker], interrupt: &AtomicBool) -> Result<Self, InferError> {
        self.go_on(trackers, interrupt)
    }
}

/// That draws can be stored.
pub(crate) fn check_draws(draws: usize, dim: usize) -> Result<(), SettingsError> {
    let (least, most) = (1, u32::MAX as usize / 2);
    if draws < least || draws > most {
        return Err(SettingsError::Count { setting: "draws", got: draws, least, most });
    }
    let bytes = draws.checked_mul(dim).and_then(|n| n.checked_mul(size_of::<f64>()));
    if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
        return Err(SettingsError::TooManyDraws { draws, dim });
    }
    Ok(())
}

impl fmt::Display for VariationalFit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { settings, iteration, skipped, .. } = &self.state;
        let (family, optimiser) = (settings.family.name(), settings.optimiser.name());
        write!(f, "{family} approximation of `{}`: {iteration} steps of {optimiser}", self.model())?;
        match self.ended {
            Ended::Complete => {}
            Ended::Interrupted => write!(f, " of {} planned", self.state.planned)?,
            Ended::Stopped => write!(f, ", stopped by a tracker")?,
        }
        if *skipped > 0 {
            write!(f, ", {skipped} of them skipped for a density that was not finite")?;
        }
        if !self.state.elbo.is_empty() {
            let shown = SHOWN.min(self.state.elbo.len());
            write!(f, ", ELBO {:.2} over the last {shown}", self.mean_elbo(shown))?;
        }
        if let Some(local) = &self.local {
            write!(f, "\n{local}")?;
        }
        write!(f, "\n{}", self.verdict)
    }
}

impl fmt::Debug for VariationalFit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VariationalFit").field("model", &self.model()).field("verdict", &self.verdict).finish()
    }
}

impl Problem<'_> {
    /// What went wrong in a run, with the sites.
    pub(crate) fn explain(&self, failure: Failure) -> InferError {
        match failure {
            Failure::Error(error) => error.into(),
            Failure::NotFinite { iteration, in_a_row, point } => match self.table(&point) {
                Ok(table) => {
                    let model = self.name().to_owned();
                    VariationalError::NotFinite { model, iteration, in_a_row, table }.into()
                }
                Err(error) => error.into(),
            },
        }
    }

    /// The density, with what its making can fail with.
    pub(crate) fn density(&self, seed: u64) -> Result<Density<'_>, InferError> {
        self.open(seed).map_err(|error| VariationalError::Density { iteration: 0, error }.into())
    }
}
