//! Simulation-based calibration: parameters drawn from the prior, data drawn given them, and the rank of each parameter
//! among draws from the posterior of those data. Ranks of a correct method are uniform.

use std::fmt;

use ndarray::{ArrayD, ArrayView1, Axis};
use ppl_autodiff::random::{Philox, Purpose};
use ppl_core::Model;
use ppl_diagnostics::{Draws, EcdfBand};
use rayon::prelude::*;

use crate::error::InferError;
use crate::predictive::prior_predictive;
use crate::recovery::Coverage;
use crate::runner::{Nuts, SettingsError};

/// Points at which a distribution function is compared with its band, where that many divide the ranks.
const POINTS: usize = 20;

/// How to calibrate.
///
/// ```
/// use ppl_core::{Distribution, dist::{HalfNormal, Normal}, model, observe, sample};
/// use ppl_infer::{Nuts, calibration::Calibration};
///
/// model! {
///     /// Mean and spread of a few numbers.
///     fn location(y: Option<Vec<f64>>) {
///         let mean = sample!("mean", Normal::new(0.0, 1.0));
///         let spread = sample!("spread", HalfNormal::new(1.0));
///         observe!("y", Normal::new(mean, spread).expand([5]), y);
///     }
/// }
/// let result = Calibration::new().simulations(40).draws(19)
///     .nuts(&Nuts::new().warmup(300), &location(None), |simulated| Ok(location(Some(simulated.values("y")?))))?;
/// assert!(result.ok(), "{result}");
/// # Ok::<(), ppl_infer::InferError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Calibration {
    simulations: usize,
    draws: usize,
    thin: usize,
    prob: f64,
    seed: u64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { simulations: 200, draws: 99, thin: 5, prob: 0.99, seed: 0 }
    }
}

/// One simulation from the prior: the value of every site, with and without data.
#[derive(Debug, Clone)]
pub struct Simulation<'a> {
    /// Which one, from 0.
    pub index: usize,
    model: &'a str,
    draws: &'a Draws,
}

impl Simulation<'_> {
    /// The value of a site.
    ///
    /// # Errors
    /// [`InferError::UnknownSite`] with the names that there are.
    pub fn get(&self, site: &str) -> Result<ArrayD<f64>, InferError> {
        let draws = self.draws.get(site).ok_or_else(|| InferError::UnknownSite {
            model: self.model.to_owned(),
            site: site.to_owned(),
            known: self.draws.sites().map(|(name, _)| name.to_owned()).collect(),
        })?;
        Ok(draws.index_axis(Axis(0), 0).index_axis(Axis(0), self.index).to_owned())
    }

    /// The value of a site, one number after another.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn values(&self, site: &str) -> Result<Vec<f64>, InferError> {
        Ok(self.get(site)?.into_iter().collect())
    }
}

/// Calibrates NUTS with its default settings: `simulations` simulations, 99 draws of each posterior. See
/// [`Calibration`] for an example and for other methods.
///
/// # Errors
/// As [`Calibration::nuts`].
pub fn sbc<M: Model>(
    prior: &dyn Model,
    simulations: usize,
    model: impl Fn(&Simulation<'_>) -> Result<M, InferError> + Sync,
) -> Result<CalibrationResult, InferError> {
    Calibration::new().simulations(simulations).nuts(&Nuts::new(), prior, model)
}

impl Calibration {
    /// 200 simulations, every fifth draw up to 99 of each, bands of probability 0.99 for all parameters together, seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many simulations, at least 1.
    pub fn simulations(self, simulations: usize) -> Self {
        Self { simulations, ..self }
    }

    /// How many draws of each posterior a parameter is ranked among, at least 1. One less than a multiple of 20 makes
    /// the finest comparison.
    pub fn draws(self, draws: usize) -> Self {
        Self { draws, ..self }
    }

    /// Every how many draws of a chain one is taken, at least 1. Ranks among draws that depend on each other are not
    /// uniform, however right the method.
    pub fn thin(self, thin: usize) -> Self {
        Self { thin, ..self }
    }

    /// With what probability a correct method passes, in (0, 1).
    pub fn prob(self, prob: f64) -> Self {
        Self { prob, ..self }
    }

    /// The seed. Simulation i is fitted with seed `seed + 1 + i`.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Calibrates NUTS: `prior` is the model without data, `model` puts simulated data in. Each posterior has one chain;
    /// chains and draws of `nuts` do not count.
    ///
    /// # Errors
    /// A setting out of range; what simulating or the first fit that fails gives.
    pub fn nuts<M: Model>(
        &self,
        nuts: &Nuts,
        prior: &dyn Model,
        model: impl Fn(&Simulation<'_>) -> Result<M, InferError> + Sync,
    ) -> Result<CalibrationResult, InferError> {
        let length = self.draws.saturating_mul(self.thin.max(1));
        self.run(prior, |simulation, seed| {
            let posterior = nuts.clone().chains(1).draws(length).seed(seed).run(&model(simulation)?)?;
            Ok(posterior.draws().thin(self.thin)?)
        })
    }

    /// Calibrates any method: `fit` is told a simulation and a seed and returns at least as many draws of its posterior
    /// as are wanted, nearly independent, of which the first are taken. Sites that only one side knows are left out.
    ///
    /// # Errors
    /// A setting out of range; what simulating or the first fit that fails gives.
    pub fn run(
        &self,
        prior: &dyn Model,
        fit: impl Fn(&Simulation<'_>, u64) -> Result<Draws, InferError> + Sync,
    ) -> Result<CalibrationResult, InferError> {
        self.check()?;
        let simulated = prior_predictive(prior, self.simulations, self.seed)?;
        let fits: Vec<Vec<(String, Place)>> = (0..self.simulations)
            .into_par_iter()
            .map(|index| {
                let simulation = Simulation { index, model: prior.name(), draws: &simulated };
                let posterior = fit(&simulation, self.seed.wrapping_add(1 + index as u64))?;
                self.ranks(&simulated, index, &posterior)
            })
            .collect::<Result<_, InferError>>()?;
        let mut parameters: Vec<Ranks> = Vec::new();
        if let Some(first) = fits.first() {
            for (k, (name, _)) in first.iter().enumerate() {
                let places: Vec<Place> = fits.iter().filter_map(|f| f.get(k)).map(|(_, place)| *place).collect();
                parameters.push(Ranks {
                    name: name.clone(),
                    ranks: places.iter().map(|p| p.rank).collect(),
                    truths: places.iter().map(|p| p.truth).collect(),
                    means: places.iter().map(|p| p.mean).collect(),
                    sds: places.iter().map(|p| p.sd).collect(),
                });
            }
        }
        // A correct method passes all parameters with at least the probability asked for.
        let prob = 1.0 - (1.0 - self.prob) / parameters.len().max(1) as f64;
        let ranks = self.draws + 1;
        let points = (1..=POINTS.min(ranks)).rev().find(|k| ranks.is_multiple_of(*k)).unwrap_or(1);
        let band = EcdfBand::new(self.simulations, points, prob).map_err(|_| SettingsError::Number {
            setting: "prob",
            got: self.prob,
            wanted: "more than 0 and less than 1",
        })?;
        Ok(CalibrationResult { parameters, draws: self.draws, band })
    }

    fn check(&self) -> Result<(), SettingsError> {
        let most = u32::MAX as usize / 2;
        for (setting, got) in [("simulations", self.simulations), ("draws", self.draws), ("thin", self.thin)] {
            if got < 1 || got > most {
                return Err(SettingsError::Count { setting, got, least: 1, most });
            }
        }
        if !(self.prob > 0.0 && self.prob < 1.0) {
            let wanted = "more than 0 and less than 1";
            return Err(SettingsError::Number { setting: "prob", got: self.prob, wanted });
        }
        Ok(())
    }

    /// The rank of every component that both sides know and that is free to vary.
    fn ranks(&self, simulated: &Draws, index: usize, posterior: &Draws) -> Result<Vec<(String, Place)>, InferError> {
        let mut out = Vec::new();
        for (k, component) in posterior.components().enumerate() {
            let label = component.label();
            let Some(truth) = simulated.components().find(|c| c.label() == label) else {
                continue;
            };
            let truth = truth.values[[0, index]];
            let draws: Vec<f64> = component.values.iter().take(self.draws).copied().collect();
            if draws.len() < self.draws {
                let (setting, got) = ("draws of a fit", draws.len());
                let most = u32::MAX as usize / 2;
                return Err(SettingsError::Count { setting, got, least: self.draws, most }.into());
            }
            let below = draws.iter().filter(|x| **x < truth).count();
            let ties = draws.iter().filter(|x| **x == truth).count();
            // Among equals the place is drawn.
            let mut random = Philox::new(self.seed, Purpose::StepSize, index as u32, k as u32);
            let place = ((ties + 1) as f64 * random.uniform()) as usize;
            let draws = ArrayView1::from(&draws);
            let (mean, sd) = (draws.mean().unwrap_or(f64::NAN), draws.std(if draws.len() > 1 { 1.0 } else { 0.0 }));
            out.push((label, Place { rank: below + place.min(ties), truth, mean, sd }));
        }
        Ok(out)
    }
}

/// Where the truth lies among the draws of one simulation's posterior.
#[derive(Debug, Clone, Copy)]
struct Place {
    rank: usize,
    truth: f64,
    mean: f64,
    sd: f64,
}

/// The ranks of one parameter, and what its posteriors say beside the truth; one entry a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranks {
    /// The parameter: a site, with its place.
    pub name: String,
    /// How many draws are less than the truth.
    pub ranks: Vec<usize>,
    /// What was simulated.
    pub truths: Vec<f64>,
    /// Means of the draws.
    pub means: Vec<f64>,
    /// Standard deviations of the draws.
    pub sds: Vec<f64>,
}

/// The empirical distribution function of a parameter's ranks against the band, ready to plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Where it is evaluated, in (0, 1].
    pub at: Vec<f64>,
    /// The share of simulations at or below, less the share that is expected.
    pub difference: Vec<f64>,
    /// The band of the difference.
    pub lower: Vec<f64>,
    /// The band of the difference.
    pub upper: Vec<f64>,
}

/// Ranks of all parameters, with the band that those of a correct method keep to.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationResult {
    parameters: Vec<Ranks>,
    draws: usize,
    band: EcdfBand,
}

impl CalibrationResult {
    /// Whether the ranks of all parameters stay in their bands.
    #[must_use]
    pub fn ok(&self) -> bool {
        !self.parameters.is_empty() && self.outside().next().is_none()
    }

    /// The parameters whose ranks leave the band.
    pub fn outside(&self) -> impl Iterator<Item = &Ranks> {
        self.parameters.iter().filter(|p| !self.band.contains(&self.uniform(p)))
    }

    /// All parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Ranks] {
        &self.parameters
    }

    /// Draws that each parameter was ranked among.
    #[must_use]
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// The curve of a parameter, by name.
    #[must_use]
    pub fn curve(&self, name: &str) -> Option<Curve> {
        let parameter = self.parameters.iter().find(|p| p.name == name)?;
        let uniform = self.uniform(parameter);
        let (points, count) = (self.band.lower.len(), uniform.len() as f64);
        let at: Vec<f64> = (1..=points).map(|k| k as f64 / points as f64).collect();
        let below = |z: f64| uniform.iter().filter(|u| **u <= z).count() as f64 / count - z;
        let bound = |counts: &[usize]| counts.iter().zip(&at).map(|(c, z)| *c as f64 / count - z).collect();
        Some(Curve {
            difference: at.iter().map(|z| below(*z)).collect(),
            lower: bound(&self.band.lower),
            upper: bound(&self.band.upper),
            at,
        })
    }

    /// How often the central interval of a probability, in (0, 1), covered the truth of a parameter.
    #[must_use]
    pub fn coverage(&self, name: &str, prob: f64) -> Option<Coverage> {
        let parameter = self.parameters.iter().find(|p| p.name == name)?;
        Coverage::of(&parameter.ranks, self.draws, prob)
    }

    /// Ranks in (0, 1].
    fn uniform(&self, parameter: &Ranks) -> Vec<f64> {
        parameter.ranks.iter().map(|rank| (rank + 1) as f64 / (self.draws + 1) as f64).collect()
    }
}

impl fmt::Display for CalibrationResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.parameters.iter().map(|p| p.name.len()).max().unwrap_or(0).max(9);
        writeln!(f, "{:width$}  mean rank  wanted  band", "parameter")?;
        let middle = 0.5 * self.draws as f64;
        for parameter in &self.parameters {
            let ranks: Vec<f64> = parameter.ranks.iter().map(|r| *r as f64).collect();
            let mean = ArrayView1::from(&ranks).mean().unwrap_or(f64::NAN);
            let inside = if self.band.contains(&self.uniform(parameter)) { "inside" } else { "OUTSIDE" };
            writeln!(f, "{:width$}  {mean:9.1}  {middle:6.1}  {inside}", parameter.name)?;
        }
        Ok(())
    }
}
