//! Why an inference could not be run, or a posterior not be asked.

use std::fmt;

use ppl_core::ModelError;
use ppl_diagnostics::DrawsError;
use thiserror::Error;

use crate::chain::ChainError;
use crate::runner::SettingsError;
use crate::variational::VariationalError;

/// Why there is no result.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum InferError {
    /// The model is wrong.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A setting is out of range.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No chain found a point with a finite density: the density of each site at the last point tried.
    #[error(
        "model `{model}` has no finite log-density with finite gradient at any of {attempts} starting points; at the last:\n{table}"
    )]
    NoStart {
        /// The model.
        model: String,
        /// How many points were tried.
        attempts: u32,
        /// The sites there.
        table: SiteTable,
    },
    /// Every chain ended before its first draw.
    #[error("model `{model}`: no chain made a draw; the first ended because {error}")]
    NoDraws {
        /// The model.
        model: String,
        /// How the first chain ended.
        error: ChainError,
    },
    /// The run was interrupted before the first draw.
    #[error("interrupted before the first draw")]
    Interrupted,
    /// A site that is not there.
    #[error("model `{model}` has no site `{site}` to ask for; it has {}", list(.known))]
    UnknownSite {
        /// The model.
        model: String,
        /// The name asked for.
        site: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A model that shares no latent site with the posterior.
    #[error(
        "model `{model}` shares no site with the posterior of `{fitted}`, which has {}",
        list(.known)
    )]
    Unrelated {
        /// The model.
        model: String,
        /// The model of the posterior.
        fitted: String,
        /// The posterior's sites.
        known: Vec<String>,
    },
    /// Draws that no chain of NUTS has made.
    #[error("the posterior of model `{model}` was not made by NUTS: there is no metric and no step size to go on from")]
    NotAdapted {
        /// The model.
        model: String,
    },
    /// Nothing to predict.
    #[error(
        "model `{model}` has nothing to predict: every site has data or is given; call it with `None` for what is to be drawn"
    )]
    NothingToPredict {
        /// The model.
        model: String,
    },
    /// A variational fit failed.
    #[error(transparent)]
    Variational(#[from] VariationalError),
    /// Draws that do not go together.
    #[error(transparent)]
    Draws(#[from] DrawsError),
}

/// `` `a`, `b` ``.
fn list(sites: &[String]) -> String {
    let quoted: Vec<String> = sites.iter().map(|s| format!("`{s}`")).collect();
    quoted.join(", ")
}

/// The log-density of each site at one point: shows which of them is to blame.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SiteTable(pub Vec<SiteRow>);

/// One site of a [`SiteTable`].
#[derive(Debug, Clone, PartialEq)]
pub struct SiteRow {
    /// The site.
    pub site: String,
    /// Its distribution; empty for a factor.
    pub distribution: String,
    /// The shape of its value.
    pub shape: String,
    /// Where it stands.
    pub location: String,
    /// Its log-density, with the log-Jacobian of its transform.
    pub log_density: f64,
    /// How many of the terms are not finite.
    pub bad: usize,
}

impl fmt::Display for SiteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: &dyn Fn(&SiteRow) -> usize| self.0.iter().map(of).max().unwrap_or(0);
        let (name, law) = (width(&|r| r.site.len()), width(&|r| r.distribution.len()));
        let shape = width(&|r| r.shape.len());
        for row in &self.0 {
            let SiteRow { site, distribution, shape: s, location, log_density, bad } = row;
            write!(f, "  {site:name$}  {distribution:law$}  {s:shape$}  {log_density:>12.5}")?;
            if *bad > 0 {
                let terms = if *bad == 1 { "term" } else { "terms" };
                write!(f, "  {bad} {terms} not finite")?;
            }
            writeln!(f, "  {location}")?;
        }
        Ok(())
    }
}
