//! Draws held against a reference: means, standard deviations and quantiles in units of their Monte Carlo errors.

use std::collections::HashMap;
use std::fmt;

use ndarray::ArrayView2;
use ppl::diagnostics::{Draws, ess_bulk, ess_quantile, mcse_mean, mcse_quantile, mcse_sd, quantile, r_hat};

use crate::entry::Entry;
use crate::error::GalleryError;
use crate::reference::Law;

/// What is compared of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The standard deviation.
    Sd,
    /// A quantile.
    Quantile(f64),
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statistic::Mean => f.write_str("mean"),
            Statistic::Sd => f.write_str("sd"),
            Statistic::Quantile(p) => write!(f, "{:.0} % quantile", 100.0 * p),
        }
    }
}

/// One figure of a parameter beside the reference's.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The parameter, by the reference's name of it.
    pub parameter: String,
    /// What it is.
    pub statistic: Statistic,
    /// From the draws.
    pub got: f64,
    /// From the reference.
    pub wanted: f64,
    /// The Monte Carlo standard error of the difference, from both sides.
    pub error: f64,
}

impl Figure {
    /// The difference in standard errors; infinite where it is not a number.
    pub fn errors(&self) -> f64 {
        let errors = (self.got - self.wanted) / self.error;
        if errors.is_nan() { f64::INFINITY } else { errors }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameter, statistic, got, wanted, .. } = self;
        write!(f, "{parameter} {statistic} {got:.5} for {wanted:.5} ({:+.1} errors)", self.errors())
    }
}

/// Draws of one posterior beside its reference.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Every figure that the reference has.
    pub figures: Vec<Figure>,
    /// Parameters of the reference that the draws lack.
    pub missing: Vec<String>,
    /// The largest R-hat of the reference's parameters.
    pub r_hat: f64,
    /// Their smallest effective sample size (bulk).
    pub ess: f64,
}

impl Comparison {
    /// The figures that are off by more than so many standard errors.
    pub fn off(&self, errors: f64) -> impl Iterator<Item = &Figure> {
        self.figures.iter().filter(move |f| f.errors().abs() > errors)
    }

    /// The figure that is off most.
    pub fn worst(&self) -> Option<&Figure> {
        self.figures.iter().max_by(|a, b| a.errors().abs().total_cmp(&b.errors().abs()))
    }
}

/// Holds the draws of an entry's model against its reference. An error of a quantile, which references do not state, is
/// ours scaled to the reference's effective draws.
///
/// # Errors
/// A reference that cannot be read.
pub fn compare(entry: &Entry, draws: &Draws) -> Result<Comparison, GalleryError> {
    let reference = entry.reference()?;
    let ours: HashMap<String, ArrayView2<f64>> = draws.components().map(|c| (c.label(), c.values)).collect();
    let mut comparison = Comparison { figures: Vec::new(), missing: Vec::new(), r_hat: 0.0, ess: f64::INFINITY };
    for (parameter, law) in &reference.parameters {
        let Some(&x) = ours.get(&entry.label(parameter)) else {
            comparison.missing.push(parameter.clone());
            continue;
        };
        comparison.r_hat = comparison.r_hat.max(r_hat(x));
        comparison.ess = comparison.ess.min(ess_bulk(x));
        comparison.figures.extend(figures(parameter, law, reference.draws, x));
    }
    Ok(comparison)
}

fn figures(parameter: &str, law: &Law, draws: Option<f64>, x: ArrayView2<f64>) -> Vec<Figure> {
    let figure = |statistic, got, wanted, ours: f64, theirs: f64| Figure {
        parameter: parameter.to_owned(),
        statistic,
        got,
        wanted,
        error: ours.hypot(theirs),
    };
    let mean = x.mean().unwrap_or(f64::NAN);
    let mut figures = vec![figure(Statistic::Mean, mean, law.mean, mcse_mean(x), law.mcse_mean.unwrap_or(0.0))];
    // The error of an sd that the reference does not state is to that of its mean as ours are.
    let as_ours = law.mcse_mean.map(|e| e * mcse_sd(x) / mcse_mean(x));
    let sd_error = law.mcse_sd.or(as_ours).unwrap_or(0.0);
    figures.push(figure(Statistic::Sd, x.std(1.0), law.sd, mcse_sd(x), sd_error));
    let quantiles = [(0.05, law.q05, law.ess_tail), (0.5, law.q50, law.ess_bulk), (0.95, law.q95, law.ess_tail)];
    for (p, wanted, size) in quantiles {
        let (Some(wanted), Some(size)) = (wanted, size) else { continue };
        // Draws that take turns know a mean better than independent ones would, but hardly a quantile.
        let size = draws.map_or(size, |draws| size.min(draws));
        let ours = mcse_quantile(x, p);
        let theirs = ours * (ess_quantile(x, p) / size).sqrt();
        figures.push(figure(Statistic::Quantile(p), quantile(x, p), wanted, ours, theirs));
    }
    figures
}
