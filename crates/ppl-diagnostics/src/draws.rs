//! Posterior draws as labelled arrays.

use indexmap::IndexMap;
use ndarray::{ArrayD, ArrayView2, ArrayViewD, Axis, Dimension, IxDyn, Slice, concatenate};
use std::fmt;
use std::ops::Range;

/// Why arrays do not make up a set of draws.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawsError {
    /// No site, so the numbers of chains and draws are unknown.
    #[error("draws need at least one site")]
    NoSites,
    /// No chain at all.
    #[error("draws need at least one chain")]
    NoChains,
    /// An array that lacks the axes for chains and draws.
    #[error("site `{site}` has {axes} axes, but an array of draws begins with the axes (chain, draw)")]
    MissingAxes {
        /// The site.
        site: String,
        /// The axes it has.
        axes: usize,
    },
    /// Sites that differ in chains or draws.
    #[error("site `{site}` has (chains, draws) = {got:?}, but the sites before it have {wanted:?}")]
    UnequalSites {
        /// The first site that differs.
        site: String,
        /// Chains and draws of the sites before it.
        wanted: (usize, usize),
        /// Its own chains and draws.
        got: (usize, usize),
    },
    /// Two arrays of one name.
    #[error("site `{site}` appears twice")]
    DuplicateSite {
        /// The name.
        site: String,
    },
    /// A site that only one of two chains or runs has.
    #[error("site `{site}` is not in every chain or run")]
    MissingSite {
        /// The site.
        site: String,
    },
    /// Chains or runs whose arrays do not fit together.
    #[error("site `{site}` has shape {got:?} in one chain or run and {wanted:?} in another")]
    UnequalShapes {
        /// The site.
        site: String,
        /// The shape in the first chain or run.
        wanted: Vec<usize>,
        /// The shape in the other.
        got: Vec<usize>,
    },
    /// A range of draws that is not there.
    #[error("draws {start}..{end} were asked for, but there are {draws}")]
    DrawRange {
        /// First draw asked for.
        start: usize,
        /// One past the last draw asked for.
        end: usize,
        /// Draws in each chain.
        draws: usize,
    },
    /// Thinning to every zeroth draw.
    #[error("thinning keeps every k-th draw with k at least 1, not 0")]
    ThinByZero,
}

/// Posterior draws: an array of shape `(chain, draw, ...site shape)` for every site, in the order of the model.
///
/// ```
/// use ndarray::ArrayD;
/// use ppl_diagnostics::Draws;
///
/// let draws = Draws::new([("mu", ArrayD::zeros(vec![4, 500])), ("w0", ArrayD::ones(vec![4, 500, 2, 5]))])?;
/// assert_eq!((draws.chains(), draws.draws()), (4, 500));
/// assert_eq!(draws.get("w0").unwrap().shape(), [4, 500, 2, 5]);
/// assert_eq!(draws.flat("w0").unwrap().shape(), [2000, 2, 5]);
/// assert_eq!(draws.components().nth(10).unwrap().label(), "w0[1,4]");
/// # Ok::<(), ppl_diagnostics::DrawsError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    chains: usize,
    draws: usize,
    sites: IndexMap<String, ArrayD<f64>>,
}

/// Chains of unequal length were cut to the shortest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// Draws that every chain kept.
    pub kept: usize,
    /// Draws that each chain had.
    pub lengths: Vec<usize>,
}

impl fmt::Display for Truncation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chains of {:?} draws were cut to the first {} of each", self.lengths, self.kept)
    }
}

/// One scalar of a site: its draws over all chains.
#[derive(Clone, Debug)]
pub struct Component<'a> {
    /// The site it belongs to.
    pub site: &'a str,
    /// Its place in the site's shape; empty for a scalar site.
    pub index: Vec<usize>,
    /// Its draws, of shape `(chain, draw)`.
    pub values: ArrayView2<'a, f64>,
}

impl Component<'_> {
    /// The site's name with the place from zero: `mu`, `w0[1,3]`.
    pub fn label(&self) -> String {
        if self.index.is_empty() {
            return self.site.to_string();
        }
        let places: Vec<String> = self.index.iter().map(usize::to_string).collect();
        format!("{}[{}]", self.site, places.join(","))
    }
}

impl Draws {
    /// From arrays of shape `(chain, draw, ...site shape)`.
    ///
    /// # Errors
    /// No sites, a name twice, an array with fewer than two axes, or sites that differ in chains or draws.
    pub fn new<N: Into<String>>(sites: impl IntoIterator<Item = (N, ArrayD<f64>)>) -> Result<Self, DrawsError> {
        let mut out = IndexMap::new();
        let mut wanted = None;
        for (site, array) in sites {
            let site = site.into();
            let &[chains, draws, ..] = array.shape() else {
                return Err(DrawsError::MissingAxes { site, axes: array.ndim() });
            };
            let wanted = *wanted.get_or_insert((chains, draws));
            if wanted != (chains, draws) {
                return Err(DrawsError::UnequalSites { site, wanted, got: (chains, draws) });
            }
            // Row-major throughout, so that merging chains and draws is a view.
            let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
            if out.contains_key(&site) {
                return Err(DrawsError::DuplicateSite { site });
            }
            out.insert(site, array);
        }
        let (chains, draws) = wanted.ok_or(DrawsError::NoSites)?;
        if chains == 0 {
            return Err(DrawsError::NoChains);
        }
        Ok(Self { chains, draws, sites: out })
    }

    /// From chains that ran on their own, each with arrays of shape `(draw, ...site shape)`.
    ///
    /// Chains of unequal length (one failed, or the run was interrupted) are cut to the shortest, and the cut is
    /// reported. To leave out a failed chain instead, do not pass it.
    ///
    /// # Errors
    /// No chains or sites, chains that differ in sites or site shapes, or a chain whose sites differ in draws.
    ///
    /// ```
    /// use indexmap::IndexMap;
    /// use ndarray::ArrayD;
    /// use ppl_diagnostics::Draws;
    ///
    /// let chain = |draws: usize| IndexMap::from([("w".to_string(), ArrayD::<f64>::zeros(vec![draws, 3]))]);
    /// let (draws, truncation) = Draws::from_chains([chain(100), chain(70)])?;
    /// assert_eq!((draws.chains(), draws.draws()), (2, 70));
    /// assert_eq!(truncation.unwrap().lengths, [100, 70]);
    /// # Ok::<(), ppl_diagnostics::DrawsError>(())
    /// ```
    pub fn from_chains(
        chains: impl IntoIterator<Item = IndexMap<String, ArrayD<f64>>>,
    ) -> Result<(Self, Option<Truncation>), DrawsError> {
        let chains = chains
            .into_iter()
            .map(|sites| {
                let with_chain_axis = sites.into_iter().map(|(site, array)| (site, array.insert_axis(Axis(0))));
                Draws::new(with_chain_axis)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let lengths: Vec<usize> = chains.iter().map(Draws::draws).collect();
        let kept = lengths.iter().copied().min().ok_or(DrawsError::NoChains)?;
        let cut = chains.iter().map(|chain| chain.slice(0..kept)).collect::<Result<Vec<_>, _>>()?;
        let all = Self::joined(Axis(0), &cut.iter().collect::<Vec<_>>())?;
        let truncation = lengths.iter().any(|&n| n != kept).then_some(Truncation { kept, lengths });
        Ok((all, truncation))
    }

    /// Number of chains.
    pub fn chains(&self) -> usize {
        self.chains
    }

    /// Draws in each chain.
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// The array of a site, of shape `(chain, draw, ...site shape)`.
    pub fn get(&self, site: &str) -> Option<&ArrayD<f64>> {
        self.sites.get(site)
    }

    /// The array of a site with its chains one after the other, of shape `(chain * draw, ...site shape)`.
    pub fn flat(&self, site: &str) -> Option<ArrayViewD<'_, f64>> {
        let array = self.get(site)?;
        let mut shape = array.shape()[1..].to_vec();
        shape[0] = self.chains * self.draws;
        array.view().into_shape_with_order(shape).ok()
    }

    /// Names and arrays of all sites, in the order of the model.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = (&str, &ArrayD<f64>)> {
        self.sites.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Every scalar of every site, in row-major order within a site.
    pub fn components(&self) -> impl Iterator<Item = Component<'_>> {
        self.sites().flat_map(move |(site, array)| {
            let shape = IxDyn(&array.shape()[2..]);
            let columns = shape.size();
            // Row-major since `new`, so this is a view and cannot fail.
            let flat = array.view().into_shape_with_order((self.chains, self.draws, columns));
            let places = ndarray::indices(shape).into_iter().map(|place| place.slice().to_vec());
            flat.into_iter()
                .flat_map(move |flat| {
                    let columns: Vec<_> = (0..columns).map(|k| flat.index_axis_move(Axis(2), k)).collect();
                    columns.into_iter()
                })
                .zip(places)
                .map(move |(values, index)| Component { site, index, values })
        })
    }

    /// The draws in `range` of every chain.
    ///
    /// # Errors
    /// A range that ends after the last draw or before it starts.
    pub fn slice(&self, range: Range<usize>) -> Result<Self, DrawsError> {
        let Range { start, end } = range;
        if start > end || end > self.draws {
            return Err(DrawsError::DrawRange { start, end, draws: self.draws });
        }
        Ok(self.select(Slice::from(start..end), end - start))
    }

    /// Every `step`-th draw of every chain, from the first.
    ///
    /// # Errors
    /// A step of zero.
    pub fn thin(&self, step: usize) -> Result<Self, DrawsError> {
        if step == 0 {
            return Err(DrawsError::ThinByZero);
        }
        // A step beyond the last draw keeps the first alone, as does one equal to the number of draws.
        let stride = step.min(self.draws.max(1));
        Ok(self.select(Slice::new(0, None, stride as isize), self.draws.div_ceil(step)))
    }

    fn select(&self, slice: Slice, draws: usize) -> Self {
        let kept = |array: &ArrayD<f64>| array.slice_axis(Axis(1), slice).as_standard_layout().into_owned();
        let sites = self.sites.iter().map(|(site, array)| (site.clone(), kept(array))).collect();
        Self { chains: self.chains, draws, sites }
    }

    /// The same chains continued: the draws of `later` after those of `self`.
    ///
    /// # Errors
    /// Runs that differ in sites, site shapes or numbers of chains.
    ///
    /// ```
    /// # use ndarray::ArrayD;
    /// # use ppl_diagnostics::Draws;
    /// let run = |draws: usize| Draws::new([("mu", ArrayD::zeros(vec![4, draws]))]);
    /// assert_eq!(run(500)?.then(&run(200)?)?.draws(), 700);
    /// # Ok::<(), ppl_diagnostics::DrawsError>(())
    /// ```
    pub fn then(&self, later: &Draws) -> Result<Self, DrawsError> {
        Self::joined(Axis(1), &[self, later])
    }

    /// More chains: those of `other` after those of `self`.
    ///
    /// # Errors
    /// Runs that differ in sites, site shapes or numbers of draws.
    ///
    /// ```
    /// # use ndarray::ArrayD;
    /// # use ppl_diagnostics::Draws;
    /// let run = |chains: usize| Draws::new([("mu", ArrayD::zeros(vec![chains, 500]))]);
    /// assert_eq!(run(4)?.with_chains(&run(2)?)?.chains(), 6);
    /// # Ok::<(), ppl_diagnostics::DrawsError>(())
    /// ```
    pub fn with_chains(&self, other: &Draws) -> Result<Self, DrawsError> {
        Self::joined(Axis(0), &[self, other])
    }

    /// Runs with the same sites joined along the axis of chains or of draws.
    fn joined(axis: Axis, runs: &[&Draws]) -> Result<Self, DrawsError> {
        let [first, others @ ..] = runs else {
            return Err(DrawsError::NoChains);
        };
        for other in others {
            if let Some(site) = other.sites.keys().find(|&site| !first.sites.contains_key(site)) {
                return Err(DrawsError::MissingSite { site: site.clone() });
            }
        }
        let join = |(site, array): (&String, &ArrayD<f64>)| {
            let mut parts = vec![array.view()];
            for other in others {
                let part = other.get(site).ok_or_else(|| DrawsError::MissingSite { site: site.clone() })?;
                parts.push(part.view());
            }
            let joined = concatenate(axis, &parts).map_err(|_| {
                let odd = parts.iter().find(|part| !fits(axis, array.shape(), part.shape()));
                DrawsError::UnequalShapes {
                    site: site.clone(),
                    wanted: array.shape().to_vec(),
                    got: odd.map_or_else(Vec::new, |part| part.shape().to_vec()),
                }
            })?;
            Ok((site.clone(), joined))
        };
        Draws::new(first.sites.iter().map(join).collect::<Result<Vec<_>, _>>()?)
    }
}

/// Whether shapes agree in all axes but one.
fn fits(axis: Axis, a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && (0..a.len()).all(|k| k == axis.0 || a[k] == b[k])
}
