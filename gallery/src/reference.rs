//! What others found: summaries of reference draws, and log-densities at some points.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::GalleryError;

/// Summaries of a posterior's reference draws.
#[derive(Clone, Debug, Deserialize)]
pub struct Reference {
    /// Where the draws come from.
    pub origin: String,
    /// How many draws there are, where they are draws.
    pub draws: Option<f64>,
    /// The marginal law of each parameter, by the reference's name of it.
    pub parameters: BTreeMap<String, Law>,
}

/// The marginal law of one parameter. What the reference does not say is `None`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Law {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub sd: f64,
    /// The 5 % quantile.
    pub q05: Option<f64>,
    /// The median.
    pub q50: Option<f64>,
    /// The 95 % quantile.
    pub q95: Option<f64>,
    /// The Monte Carlo standard error of the mean; without one the mean is exact.
    pub mcse_mean: Option<f64>,
    /// The Monte Carlo standard error of the standard deviation.
    pub mcse_sd: Option<f64>,
    /// Effective draws for the mean and the median.
    pub ess_bulk: Option<f64>,
    /// Effective draws for the outer quantiles.
    pub ess_tail: Option<f64>,
}

/// The log-density that Stan gives at some points.
#[derive(Clone, Debug, Deserialize)]
pub struct StanDensity {
    /// The points.
    pub points: Vec<StanPoint>,
}

/// Stan's log-density and its gradient at one point.
#[derive(Clone, Debug, Deserialize)]
pub struct StanPoint {
    /// The parameters on their natural scale, in no particular order.
    pub parameters: BTreeMap<String, f64>,
    /// The point on Stan's unconstrained scale, in the order of the parameters' declaration.
    pub unconstrained: Vec<f64>,
    /// The log-density there but for a constant, with the Jacobian of the transforms.
    pub lp_with_jacobian: f64,
    /// Its gradient there.
    pub grad_unconstrained: Vec<f64>,
}

impl Reference {
    /// From the text of a file.
    ///
    /// # Errors
    /// Text that is not of this form.
    pub fn parse(text: &str) -> Result<Self, GalleryError> {
        Ok(serde_json::from_str(text)?)
    }
}

impl StanDensity {
    /// From the text of a file.
    ///
    /// # Errors
    /// Text that is not of this form.
    pub fn parse(text: &str) -> Result<Self, GalleryError> {
        Ok(serde_json::from_str(text)?)
    }
}
