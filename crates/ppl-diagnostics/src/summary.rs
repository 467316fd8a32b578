//! The table of a posterior: a row of estimates, their errors and their diagnostics for every scalar component.

use crate::chains::{Chains, mean_variance};
use crate::draws::{Component, Draws};
use crate::interval::Interval;
use crate::rank::{Ascending, Ranked, ScoreTable};
use crate::{ess, mcse, rhat};

/// Estimates for one scalar component, pooled over chains.
///
/// All numbers are NaN if a draw is not finite; errors and diagnostics are NaN for fewer than four draws, and `mcse_sd`
/// and `r_hat` for a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The site.
    pub site: String,
    /// The component: the site's name with its place, `w0[1,3]`.
    pub label: String,
    /// Posterior mean.
    pub mean: f64,
    /// Posterior standard deviation (divisor `S - 1`).
    pub sd: f64,
    /// Lower end of the summary's interval.
    pub lower: f64,
    /// Upper end of the summary's interval.
    pub upper: f64,
    /// Monte Carlo standard error of `mean`, see [`mcse_mean`](crate::mcse_mean).
    pub mcse_mean: f64,
    /// Monte Carlo standard error of `sd`, see [`mcse_sd`](crate::mcse_sd).
    pub mcse_sd: f64,
    /// Effective sample size of the centre, see [`ess_bulk`](crate::ess_bulk).
    pub ess_bulk: f64,
    /// Effective sample size of the tails, see [`ess_tail`](crate::ess_tail).
    pub ess_tail: f64,
    /// Rank-normalised split R-hat, see [`r_hat`](crate::r_hat).
    pub r_hat: f64,
}

impl Row {
    fn new(component: &Component, interval: Interval, scores: &ScoreTable) -> Self {
        let mut row = Self {
            site: component.site.to_string(),
            label: component.label(),
            mean: f64::NAN,
            sd: f64::NAN,
            lower: f64::NAN,
            upper: f64::NAN,
            mcse_mean: f64::NAN,
            mcse_sd: f64::NAN,
            ess_bulk: f64::NAN,
            ess_tail: f64::NAN,
            r_hat: f64::NAN,
        };
        let values: Vec<f64> = component.values.iter().copied().collect();
        if values.is_empty() || !values.iter().all(|v| v.is_finite()) {
            return row;
        }
        let order = Ascending::new(&values);
        let (mean, variance) = mean_variance(&values);
        (row.mean, row.sd) = (mean, variance.sqrt());
        (row.lower, row.upper) = interval.of_sorted(order.values());
        if let Some(chains) = Chains::new(component.values) {
            let ranked = Ranked::new(&order, chains.length(), scores);
            row.mcse_mean = mcse::mean_error(&chains, variance);
            row.mcse_sd = mcse::sd_error(&chains, mean);
            row.ess_bulk = ess::effective(&ranked.bulk);
            row.ess_tail = ess::tail(&chains, order.values());
            row.r_hat = rhat::ranked(&ranked);
        }
        row
    }

    /// Whether all draws of the component are finite.
    pub fn is_finite(&self) -> bool {
        self.mean.is_finite()
    }

    /// Whether all draws of the component are equal.
    pub fn is_constant(&self) -> bool {
        self.lower == self.upper && self.sd == 0.0
    }

    /// How far from converged, to sort by: R-hat, above it whatever is not finite, below it constants.
    fn badness(&self) -> f64 {
        match (self.is_finite(), self.r_hat.is_nan()) {
            (false, _) => f64::INFINITY,
            (true, true) => f64::NEG_INFINITY,
            (true, false) => self.r_hat,
        }
    }
}

/// Means, intervals, Monte Carlo errors and diagnostics of all scalar components.
///
/// [`Display`](std::fmt::Display) shows up to 40 components as a table; of more it shows the ranges by site and the
/// ten components with the largest R-hat. [`Summary::table`] shows all.
///
/// ```
/// use ndarray::ArrayD;
/// use ppl_diagnostics::{Draws, Interval, Summary};
///
/// let wave = ArrayD::from_shape_fn(vec![4, 250], |i| ((i[0] * 250 + i[1]) as f64 * 2.399963).sin());
/// let draws = Draws::new([("phase", wave)])?;
/// let summary = Summary::with_interval(&draws, Interval::highest_density(0.9).unwrap());
/// let row = summary.row("phase").unwrap();
/// assert!(row.lower < row.mean && row.mean < row.upper);
/// assert_eq!(summary.r_hat_max(), Some(row.r_hat));
/// println!("{summary}");
/// # Ok::<(), ppl_diagnostics::DrawsError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    chains: usize,
    draws: usize,
    interval: Interval,
    rows: Vec<Row>,
}

impl Summary {
    /// With the default [`Interval`], equal-tailed of probability 0.94.
    pub fn new(draws: &Draws) -> Self {
        Self::with_interval(draws, Interval::default())
    }

    /// With an interval of one's choice.
    pub fn with_interval(draws: &Draws, interval: Interval) -> Self {
        let scores = ScoreTable::new(draws.chains() * 2 * (draws.draws() / 2));
        let rows = draws.components().map(|component| Row::new(&component, interval, &scores)).collect();
        Self { chains: draws.chains(), draws: draws.draws(), interval, rows }
    }

    /// Number of chains.
    pub fn chains(&self) -> usize {
        self.chains
    }

    /// Draws in each chain.
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// Which interval `lower` and `upper` bound.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// A row for every scalar component, in the order of the draws.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row of a component, by its label: `mu`, `w0[1,3]`.
    pub fn row(&self, label: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.label == label)
    }

    /// Up to `count` rows, least converged first: what is not finite, then by falling R-hat.
    pub fn worst(&self, count: usize) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by(|a, b| b.badness().total_cmp(&a.badness()));
        rows.truncate(count);
        rows
    }

    /// Smallest bulk effective sample size; `None` if no component has one.
    pub fn ess_bulk_min(&self) -> Option<f64> {
        self.known(|row| row.ess_bulk).first().copied()
    }

    /// Median over the components of the bulk effective sample size; `None` if no component has one.
    pub fn ess_bulk_median(&self) -> Option<f64> {
        let sizes = self.known(|row| row.ess_bulk);
        (!sizes.is_empty()).then(|| crate::interval::median_of_sorted(&sizes))
    }

    /// Smallest tail effective sample size; `None` if no component has one.
    pub fn ess_tail_min(&self) -> Option<f64> {
        self.known(|row| row.ess_tail).first().copied()
    }

    /// Largest R-hat; `None` if no component has one.
    pub fn r_hat_max(&self) -> Option<f64> {
        self.known(|row| row.r_hat).last().copied()
    }

    /// A figure of all rows that have it, ascending. Constants and non-finite components are left out: the first are
    /// often meant, the second have a warning of their own.
    fn known(&self, figure: impl Fn(&Row) -> f64) -> Vec<f64> {
        let mut known: Vec<f64> =
            self.rows.iter().filter(|row| !row.is_constant()).map(figure).filter(|v| !v.is_nan()).collect();
        known.sort_unstable_by(f64::total_cmp);
        known
    }
}
