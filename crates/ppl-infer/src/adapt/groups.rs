//! Groups of sites, by name, within which a metric is dense.

use std::collections::HashSet;

use thiserror::Error;

use crate::density::TargetSite;
use crate::dynamics::{Layout, MetricError, size};

/// Which sites a block metric takes together. Sites in no group are scaled coordinate by coordinate.
///
/// ```
/// use ppl_infer::adapt::SiteGroups;
///
/// // NumPyro's `dense_mass=[("slope", "level"), ("weights",)]`.
/// let groups = SiteGroups::of([vec!["slope", "level"], vec!["weights"]]);
/// assert_ne!(groups, SiteGroups::each_site());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteGroups(Groups);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Groups {
    #[default]
    EachSite,
    All,
    Named(Vec<Vec<String>>),
}

/// Groups that do not fit a model's sites.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SiteGroupsError {
    /// A site that is not there.
    #[error("the metric has a block with site `{site}`, which is no latent site; there are {known:?}")]
    UnknownSite {
        /// The name given.
        site: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A site in two groups, or twice in one.
    #[error("the blocks of the metric name site `{site}` twice")]
    Twice {
        /// The site.
        site: String,
    },
    /// Sites that name other coordinates than the target has.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

impl SiteGroups {
    /// A block for every site: dense within each, nothing between them.
    #[must_use]
    pub const fn each_site() -> Self {
        Self(Groups::EachSite)
    }

    /// One block of all sites: a dense metric.
    #[must_use]
    pub const fn all() -> Self {
        Self(Groups::All)
    }

    /// A block for each group of sites; their order has no meaning.
    #[must_use]
    pub fn of<G, S>(groups: impl IntoIterator<Item = G>) -> Self
    where
        G: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self(Groups::Named(groups.into_iter().map(|g| g.into_iter().map(Into::into).collect()).collect()))
    }

    /// The coordinates that the groups take together. A block of one coordinate is none.
    ///
    /// # Errors
    /// [`SiteGroupsError`].
    pub fn layout(&self, dim: usize, sites: &[TargetSite]) -> Result<Layout, SiteGroupsError> {
        let mut end = 0;
        let ranges: Vec<_> = sites
            .iter()
            .map(|site| {
                let start = end;
                end += site.coordinates;
                start..end
            })
            .collect();
        let mut blocks = match &self.0 {
            Groups::EachSite => ranges.into_iter().map(|range| vec![range]).collect(),
            Groups::All => vec![ranges],
            Groups::Named(groups) => {
                if let Some(site) = twice(groups) {
                    return Err(SiteGroupsError::Twice { site: site.clone() });
                }
                let range = |name: &String| {
                    let place = sites.iter().position(|site| site.name == *name);
                    place.map(|i| ranges[i].clone()).ok_or_else(|| SiteGroupsError::UnknownSite {
                        site: name.clone(),
                        known: sites.iter().map(|site| site.name.clone()).collect(),
                    })
                };
                let block = |names: &Vec<String>| names.iter().map(range).collect::<Result<Vec<_>, _>>();
                groups.iter().map(block).collect::<Result<Vec<_>, _>>()?
            }
        };
        blocks.retain(|block| size(block) > 1);
        Ok(Layout::new(dim, blocks)?)
    }
}

/// The first name that is there a second time.
fn twice(groups: &[Vec<String>]) -> Option<&String> {
    let mut names = groups.iter().flatten();
    let mut seen = HashSet::new();
    names.find(|name| !seen.insert(*name))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "blocks are lists of ranges")]
mod tests {
    use super::*;

    fn sites() -> Vec<TargetSite> {
        [("a", 2), ("b", 1), ("c", 3)]
            .map(|(name, n)| TargetSite { name: name.to_owned(), shape: vec![n], coordinates: n })
            .to_vec()
    }

    #[test]
    fn groups_are_ranges_of_coordinates() {
        let blocks = |groups: SiteGroups| groups.layout(6, &sites()).unwrap().blocks().to_vec();
        assert_eq!(blocks(SiteGroups::each_site()), [vec![0..2], vec![3..6]]);
        assert_eq!(blocks(SiteGroups::all()), [vec![0..6]]);
        assert_eq!(blocks(SiteGroups::of([vec!["c", "a"], vec!["b"]])), [vec![0..2, 3..6]]);
        assert_eq!(blocks(SiteGroups::of([["b", "a"]])), [vec![0..3]]);
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        let refused = |groups: SiteGroups| groups.layout(6, &sites()).unwrap_err().to_string();
        let unknown = refused(SiteGroups::of([vec!["a"], vec!["d"]]));
        assert_eq!(
            unknown,
            r#"the metric has a block with site `d`, which is no latent site; there are ["a", "b", "c"]"#
        );
        assert_eq!(refused(SiteGroups::of([["a", "b"], ["c", "a"]])), "the blocks of the metric name site `a` twice");
    }
}
