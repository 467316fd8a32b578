//! What a run's draws and statistics give cause to warn of, in words that say what it means and what to try.

use crate::chains::MIN_DRAWS;
use crate::summary::{Row, Summary};
use crate::{Draws, SampleStats, bfmi};
use std::fmt;

/// R-hat above this: chains have not mixed (Vehtari et al. 2021).
const R_HAT_LIMIT: f64 = 1.01;
/// Effective draws wanted for every chain, in bulk and tail (Vehtari et al. 2021).
const ESS_PER_CHAIN: f64 = 100.0;
/// E-BFMI below this: tails are explored badly (Betancourt 2016, and Stan).
const BFMI_LIMIT: f64 = 0.3;
/// Components that a warning names.
const NAMED: usize = 3;

/// Which effective sample size is low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EssKind {
    /// Of the centre.
    Bulk,
    /// Of the 5 % and 95 % quantiles.
    Tail,
}

/// Something about a run that limits what its draws may be used for. `Display` says what and what to try.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Trajectories left the region where the integrator is stable.
    Divergences {
        /// Divergent draws.
        count: usize,
        /// All draws.
        total: usize,
    },
    /// Trajectories were stopped before they turned around.
    MaxTreeDepth {
        /// Draws that were.
        count: usize,
        /// All draws.
        total: usize,
        /// The doublings they were stopped at.
        max_tree_depth: u32,
    },
    /// Energy Bayesian fraction of missing information below 0.3.
    LowBfmi {
        /// Chain and its E-BFMI, for every chain below.
        chains: Vec<(usize, f64)>,
    },
    /// Components with R-hat above 1.01.
    HighRHat {
        /// How many.
        count: usize,
        /// Of how many.
        components: usize,
        /// The worst of them with their R-hat, worst first.
        worst: Vec<(String, f64)>,
    },
    /// Components with fewer than 100 effective draws a chain.
    LowEss {
        /// Of the bulk or the tail.
        kind: EssKind,
        /// How many.
        count: usize,
        /// Of how many.
        components: usize,
        /// The effective sample size that was wanted.
        wanted: f64,
        /// The worst of them with their effective sample size, worst first.
        worst: Vec<(String, f64)>,
    },
    /// Components all of whose draws are equal.
    Constant {
        /// How many.
        count: usize,
        /// The first of them.
        first: Vec<String>,
    },
    /// Components with a NaN or infinite draw.
    NonFinite {
        /// How many.
        count: usize,
        /// The first of them.
        first: Vec<String>,
    },
    /// Too few draws for any diagnostic.
    TooFewDraws {
        /// Draws in each chain.
        draws: usize,
    },
    /// One chain cannot show that another would have gone elsewhere.
    SingleChain,
}

/// All warnings that draws and their sampler's statistics give cause for; none is the good news.
///
/// `max_tree_depth` is the limit the sampler ran with. Warnings on the sampler come first, they are the likelier cause.
///
/// ```
/// use ndarray::{Array2, ArrayD};
/// use ppl_diagnostics::{Draws, SampleStats, Warning, check};
///
/// let wave = ArrayD::from_shape_fn(vec![4, 500], |i| ((i[0] * 500 + i[1]) as f64 * 2.399963).sin());
/// let draws = Draws::new([("phase", wave)])?;
/// let mut stats = SampleStats { diverging: Array2::from_elem((4, 500), false), ..SampleStats::default() };
/// assert!(check(&draws, &stats, 10).is_empty());
///
/// stats.diverging[[2, 17]] = true;
/// let warnings = check(&draws, &stats, 10);
/// assert_eq!(warnings, [Warning::Divergences { count: 1, total: 2000 }]);
/// assert!(warnings[0].to_string().starts_with("1 of 2000 draws (0.05%) diverged"));
/// # Ok::<(), ppl_diagnostics::DrawsError>(())
/// ```
pub fn check(draws: &Draws, stats: &SampleStats, max_tree_depth: u32) -> Vec<Warning> {
    let mut warnings = check_stats(stats, max_tree_depth);
    warnings.extend(check_summary(&Summary::new(draws)));
    warnings
}

/// The warnings of a sampler's statistics alone: divergences, tree depth, E-BFMI.
///
/// ```
/// use ndarray::array;
/// use ppl_diagnostics::{SampleStats, Warning, check_stats};
/// let stats = SampleStats { tree_depth: array![[3, 10, 4]], ..SampleStats::default() };
/// assert_eq!(check_stats(&stats, 10), [Warning::MaxTreeDepth { count: 1, total: 3, max_tree_depth: 10 }]);
/// ```
pub fn check_stats(stats: &SampleStats, max_tree_depth: u32) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let count = stats.divergences();
    if count > 0 {
        warnings.push(Warning::Divergences { count, total: stats.diverging.len() });
    }
    let count = stats.tree_depth_hits(max_tree_depth);
    if count > 0 {
        warnings.push(Warning::MaxTreeDepth { count, total: stats.tree_depth.len(), max_tree_depth });
    }
    let chains: Vec<_> = bfmi(stats.energy.view()).into_iter().enumerate().filter(|&(_, b)| b < BFMI_LIMIT).collect();
    if !chains.is_empty() {
        warnings.push(Warning::LowBfmi { chains });
    }
    warnings
}

/// The warnings of a summary that exists already: R-hat, effective sample sizes, constants, non-finite draws.
///
/// ```
/// use ndarray::ArrayD;
/// use ppl_diagnostics::{Draws, Summary, Warning, check_summary};
/// let draws = Draws::new([("x", ArrayD::zeros(vec![4, 100]))])?;
/// let warnings = check_summary(&Summary::new(&draws));
/// assert_eq!(warnings, [Warning::Constant { count: 1, first: vec!["x".into()] }]);
/// # Ok::<(), ppl_diagnostics::DrawsError>(())
/// ```
pub fn check_summary(summary: &Summary) -> Vec<Warning> {
    let rows = summary.rows();
    let mut warnings = Vec::new();
    if let Some((count, first)) = named(rows, |row| !row.is_finite()) {
        // Without draws nothing is finite, and that is the thing to say.
        if summary.draws() > 0 {
            warnings.push(Warning::NonFinite { count, first });
        }
    }
    if summary.draws() < MIN_DRAWS {
        warnings.push(Warning::TooFewDraws { draws: summary.draws() });
        return warnings;
    }
    if let Some((count, first)) = named(rows, Row::is_constant) {
        warnings.push(Warning::Constant { count, first });
    }
    if summary.chains() == 1 {
        warnings.push(Warning::SingleChain);
    }
    let components = rows.len();
    if let Some((count, worst)) = worst(rows, |row| row.r_hat, |r_hat| r_hat - R_HAT_LIMIT) {
        warnings.push(Warning::HighRHat { count, components, worst });
    }
    let wanted = ESS_PER_CHAIN * summary.chains() as f64;
    for kind in [EssKind::Bulk, EssKind::Tail] {
        let size = |row: &Row| match kind {
            _ if row.is_constant() => f64::NAN,
            EssKind::Bulk => row.ess_bulk,
            EssKind::Tail => row.ess_tail,
        };
        if let Some((count, worst)) = worst(rows, size, |ess| wanted - ess) {
            warnings.push(Warning::LowEss { kind, count, components, wanted, worst });
        }
    }
    warnings
}

/// How many rows have a property, and the labels of the first; `None` if no row has it.
fn named(rows: &[Row], property: impl Fn(&Row) -> bool) -> Option<(usize, Vec<String>)> {
    let matching = || rows.iter().filter(|row| property(row));
    let first: Vec<_> = matching().take(NAMED).map(|row| row.label.clone()).collect();
    (!first.is_empty()).then(|| (matching().count(), first))
}

/// How many rows have a figure with positive excess, and the worst of them; `None` if no row has.
fn worst(
    rows: &[Row],
    figure: impl Fn(&Row) -> f64,
    excess: impl Fn(f64) -> f64,
) -> Option<(usize, Vec<(String, f64)>)> {
    let mut bad: Vec<(&Row, f64)> =
        rows.iter().map(|row| (row, figure(row))).filter(|&(_, v)| excess(v) > 0.0).collect();
    bad.sort_by(|a, b| excess(b.1).total_cmp(&excess(a.1)));
    let count = bad.len();
    (count > 0).then(|| (count, bad.into_iter().take(NAMED).map(|(row, v)| (row.label.clone(), v)).collect()))
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Divergences { count, total } => write!(
                f,
                "{count} of {total} draws ({}) diverged: part of the posterior is too curved for the step size, and \
                 estimates may be biased.\nRaise the target acceptance rate (0.95, 0.99), or reparameterise, for \
                 example with non-centred group effects.",
                share(*count, *total)
            ),
            Self::MaxTreeDepth { count, total, max_tree_depth } => write!(
                f,
                "{count} of {total} draws ({}) stopped at the maximum tree depth of {max_tree_depth}: the draws are \
                 valid, but sampling is slow.\nRaise the maximum, lengthen warm-up, or put parameters on similar scales.",
                share(*count, *total)
            ),
            Self::LowBfmi { chains } => {
                let list: Vec<_> = chains.iter().map(|(chain, bfmi)| format!("{chain} ({bfmi:.2})")).collect();
                write!(
                    f,
                    "E-BFMI is below {BFMI_LIMIT} in {} {}: the sampler wanders slowly between energies and may miss \
                     the tails.\nReparameterise, for example with non-centred group effects, or lengthen warm-up.",
                    if list.len() == 1 { "chain" } else { "chains" },
                    list.join(", ")
                )
            }
            Self::HighRHat { count, components, worst } => write!(
                f,
                "R-hat is above {R_HAT_LIMIT} for {count} of {components} components ({}): the chains disagree, do \
                 not trust these estimates.\nLengthen warm-up and run; if that does not help, look for several modes \
                 or parameters that the data do not identify.",
                list(worst, *count, |r_hat| format!("{r_hat:.3}"))
            ),
            Self::LowEss { kind, count, components, wanted, worst } => {
                let (name, concerned) = match kind {
                    EssKind::Bulk => ("Bulk", "means and medians"),
                    EssKind::Tail => ("Tail", "interval ends and other tail quantities"),
                };
                write!(
                    f,
                    "{name} ESS is below {wanted} (100 a chain) for {count} of {components} components ({}): {concerned} \
                     are imprecise, and so is R-hat.\nRun longer, or reparameterise so that draws are less correlated.",
                    list(worst, *count, |ess| format!("{ess:.0}"))
                )
            }
            Self::Constant { count, first } => write!(
                f,
                "{count} {} the same value in every draw ({}): fine for a quantity fixed by construction, else the \
                 chains are stuck.\nIf they are, check the starting points and the step size.",
                if *count == 1 { "component has" } else { "components have" },
                names(first, *count)
            ),
            Self::NonFinite { count, first } => write!(
                f,
                "{count} {} NaN or infinite draws ({}) and no estimates.\nLook for overflow, log(0) or 0/0 in what \
                 the model computes there.",
                if *count == 1 { "component has" } else { "components have" },
                names(first, *count)
            ),
            Self::TooFewDraws { draws } => {
                write!(
                    f,
                    "{draws} draws a chain are too few to judge convergence.\nTake at least {MIN_DRAWS}, better 1000."
                )
            }
            Self::SingleChain => write!(
                f,
                "A single chain cannot show whether others would disagree: R-hat compares its halves only.\nRun four."
            ),
        }
    }
}

fn share(count: usize, total: usize) -> String {
    let percent = 100.0 * count as f64 / total as f64;
    if percent < 1.0 { format!("{percent:.2}%") } else { format!("{percent:.1}%") }
}

fn names(first: &[String], count: usize) -> String {
    let more = if count > first.len() { ", ..." } else { "" };
    format!("{}{more}", first.join(", "))
}

fn list(worst: &[(String, f64)], count: usize, figure: impl Fn(f64) -> String) -> String {
    let named: Vec<_> = worst.iter().map(|(label, v)| format!("{label} {}", figure(*v))).collect();
    names(&named, count)
}
