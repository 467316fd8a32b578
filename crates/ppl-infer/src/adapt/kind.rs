//! The kinds of metric that warm-up can learn.

use crate::density::TargetSite;
use crate::dynamics::Layout;

use super::groups::{SiteGroups, SiteGroupsError};

/// Up to this many coordinates [`MetricAdaptation::Fisher`] looks for directions.
const LOW_RANK_LIMIT: usize = 256;

/// How the metric is learned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MetricAdaptation {
    /// [`FisherLowRank`](Self::FisherLowRank) up to 256 coordinates, above that
    /// [`FisherDiagonal`](Self::FisherDiagonal).
    #[default]
    Fisher,
    /// A diagonal, from draws and gradients, refined after every draw, on nutpie's schedule.
    FisherDiagonal,
    /// As the diagonal, with those directions in which it is not enough, refined every 20 draws.
    FisherLowRank,
    /// A full matrix for each group of sites, a diagonal for other sites, from draws and gradients, refined every 20
    /// draws. Where a group has many more coordinates than warm-up has iterations, directions are better.
    FisherBlocks(SiteGroups),
    /// A diagonal, from the variances of the draws of Stan's windows.
    StanDiagonal,
    /// A full matrix, from the covariances of the draws of Stan's windows.
    StanDense,
    /// A full matrix for each group of sites, a diagonal for other sites, from the draws of Stan's windows.
    StanBlocks(SiteGroups),
}

impl MetricAdaptation {
    /// A full matrix for each group of sites, a diagonal for the others, as [`FisherBlocks`](Self::FisherBlocks).
    ///
    /// ```
    /// use ppl_core::{Distribution, dist::Normal, model, observe, sample};
    /// use ppl_infer::{Nuts, adapt::MetricAdaptation};
    ///
    /// model! {
    ///     /// Far from zero, slope and level hang together; the spread of their prior does not.
    ///     fn line(x: Vec<f64>, y: Vec<f64>) {
    ///         let slope = sample!("slope", Normal::new(0.0, 10.0));
    ///         let level = sample!("level", Normal::new(0.0, 100.0));
    ///         let other = sample!("other", Normal::new(0.0, 1.0).expand([3]));
    ///         let x = ppl_autodiff::Var::from(&x);
    ///         observe!("y", Normal::new(level + slope * x + other.sum(), 1.0), y);
    ///     }
    /// }
    /// let model = line(vec![50.0, 51.0, 52.0], vec![10.0, 12.0, 14.0]);
    /// let nuts = Nuts::new().warmup(300).draws(200).chains(2).seed(1);
    /// // NumPyro's `dense_mass=[("slope", "level")]`; `other` is scaled coordinate by coordinate.
    /// let posterior = nuts.clone().metric(MetricAdaptation::blocks([["slope", "level"]])).run(&model)?;
    /// assert!((posterior.mean("slope")?.sum() - 2.0).abs() < 0.5);
    ///
    /// let wrong = nuts.metric(MetricAdaptation::blocks([["slope", "intercept"]])).run(&model).unwrap_err();
    /// assert!(wrong.to_string().contains("`intercept`, which is no latent site"));
    /// # Ok::<(), ppl_infer::InferError>(())
    /// ```
    #[must_use]
    pub fn blocks<G, S>(groups: impl IntoIterator<Item = G>) -> Self
    where
        G: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self::FisherBlocks(SiteGroups::of(groups))
    }

    /// What the default means for so many coordinates.
    #[must_use]
    pub fn of(self, dim: usize) -> Self {
        match self {
            Self::Fisher if dim <= LOW_RANK_LIMIT => Self::FisherLowRank,
            Self::Fisher => Self::FisherDiagonal,
            chosen => chosen,
        }
    }

    /// The coordinates that are taken together; none but for a metric of blocks.
    ///
    /// # Errors
    /// [`SiteGroupsError`] where groups and sites do not fit.
    pub fn layout(&self, dim: usize, sites: &[TargetSite]) -> Result<Layout, SiteGroupsError> {
        match self {
            Self::FisherBlocks(groups) | Self::StanBlocks(groups) => groups.layout(dim, sites),
            _ => Ok(Layout::new(dim, Vec::new())?),
        }
    }

    /// Whether it is learned in Stan's windows.
    pub(super) fn is_stan(&self) -> bool {
        matches!(self, Self::StanDiagonal | Self::StanDense | Self::StanBlocks(_))
    }
}
