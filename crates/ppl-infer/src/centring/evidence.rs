//! What the data say about the coordinates of hierarchical sites, from draws with scores and curvatures.
//!
//! The log-density without the law of a site itself has the derivative `score` by its coordinate u and the curvature
//! `-d score / du`. Means over draws make the normal factor of the same mean score and curvature.

use ppl_core::centring::Evidence;

/// Below this share of the precision of a coordinate given its parents, what the data say is noise of its estimate.
const LEAST: f64 = 0.01;
/// Above this share, location and scale say nothing: the form as written is as good and costs less.
const MOST: f64 = 0.99;

/// A draw, in the order of the coordinates that have a choice.
pub(super) struct Draw {
    /// Coordinates as they are written.
    pub as_written: Vec<f64>,
    /// Their locations.
    pub location: Vec<f64>,
    /// Their scales.
    pub scale: Vec<f64>,
    /// Derivatives of the log-density without the laws of the sites themselves.
    pub score: Vec<f64>,
    /// Negative derivatives of those.
    pub curvature: Vec<f64>,
}

impl Draw {
    pub fn new(count: usize) -> Self {
        let zeros = || vec![0.0; count];
        Self { as_written: zeros(), location: zeros(), scale: zeros(), score: zeros(), curvature: zeros() }
    }

    /// The law that a coordinate as written would have, given evidence, if its own were normal.
    pub fn normal(&self, i: usize, evidence: &Evidence) -> Normal {
        let (precision, potential) = (evidence.precision[i], evidence.potential[i]);
        Normal { m: self.location[i], s: self.scale[i], precision, potential }
    }
}

/// A normal law of location m and scale s, times what the data say.
pub(super) struct Normal {
    pub m: f64,
    pub s: f64,
    pub precision: f64,
    pub potential: f64,
}

impl Normal {
    /// Its standard deviation.
    pub fn sd(&self) -> f64 {
        self.s / (1.0 + self.s * self.s * self.precision).sqrt()
    }

    /// A coordinate, standardised.
    pub fn standard(&self, u: f64) -> f64 {
        let variance = self.s * self.s;
        (u - (self.m + variance * self.potential) / (1.0 + variance * self.precision)) / self.sd()
    }
}

fn mean(x: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = x.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    sum / count
}

/// The share of the data in the precision of a coordinate given its parents, over draws.
fn share(draws: &[Draw], i: usize, precision: f64) -> f64 {
    mean(draws.iter().map(|d| {
        let ratio = d.scale[i].powi(2) * precision;
        ratio / (1.0 + ratio)
    }))
}

/// What draws say of `count` coordinates.
pub(super) fn learn(draws: &[Draw], count: usize) -> Evidence {
    let mut found = Evidence { precision: vec![0.0; count], potential: vec![0.0; count] };
    for i in 0..count {
        // A likelihood that is not log-concave may have none.
        let precision = mean(draws.iter().map(|d| d.curvature[i])).max(0.0);
        let potential = mean(draws.iter().map(|d| d.score[i] + precision * d.as_written[i]));
        if share(draws, i, precision) > LEAST && precision.is_finite() && potential.is_finite() {
            found.precision[i] = precision;
            found.potential[i] = potential;
        }
    }
    found
}

/// Whether the data say nearly all about all coordinates of a site.
pub(super) fn is_all(draws: &[Draw], evidence: &Evidence, site: std::ops::Range<usize>) -> bool {
    site.into_iter().all(|i| share(draws, i, evidence.precision[i]) > MOST)
}

/// Between the coordinates of two evidences, the root of the mean square difference over draws and coordinates.
pub(super) fn difference(draws: &[Draw], a: &Evidence, b: &Evidence) -> f64 {
    let standard = |d: &Draw, i: usize, evidence: &Evidence| d.normal(i, evidence).standard(d.as_written[i]);
    let square = |d: &Draw, i: usize| (standard(d, i, a) - standard(d, i, b)).powi(2);
    mean(draws.iter().flat_map(|d| (0..a.precision.len()).map(move |i| square(d, i)))).sqrt()
}
