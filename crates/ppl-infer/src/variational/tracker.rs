//! Watching a fit, and stopping it.

use std::ops::ControlFlow;

/// A fit between two steps.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Steps done, from the beginning.
    pub iteration: u64,
    /// Steps until the planned end.
    pub planned: u64,
    /// The parameters of the approximation, in the order of its family: for normal laws locations come first.
    pub params: &'a [f64],
    /// The ELBO's estimate of every step so far.
    pub elbo: &'a [f64],
}

impl Progress<'_> {
    /// The mean of the last `n` estimates.
    pub fn mean_elbo(&self, n: usize) -> f64 {
        mean_of_last(self.elbo, n)
    }
}

/// The mean of the last `n` numbers; not a number if there are none.
pub(crate) fn mean_of_last(x: &[f64], n: usize) -> f64 {
    let last = &x[x.len().saturating_sub(n)..];
    last.iter().sum::<f64>() / last.len() as f64
}

/// Told about a fit every few steps; may stop it. A closure that takes [`Progress`] is one, called every 100 steps.
pub trait Tracker {
    /// Steps between two calls.
    fn every(&self) -> u64 {
        100
    }

    /// Looks at the fit; `Break` ends it, and what there is becomes the result.
    fn track(&mut self, now: &Progress<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(&Progress<'_>) -> ControlFlow<()>> Tracker for F {
    fn track(&mut self, now: &Progress<'_>) -> ControlFlow<()> {
        self(now)
    }
}

/// Keeps a function of the fit every few steps.
#[derive(Debug)]
pub struct Record<F, T> {
    every: u64,
    function: F,
    /// What was kept.
    pub values: Vec<T>,
}

impl<T, F: FnMut(&Progress<'_>) -> T> Record<F, T> {
    /// Calls `function` every `every` steps.
    pub fn new(every: u64, function: F) -> Self {
        Self { every: every.max(1), function, values: Vec::new() }
    }
}

impl<T, F: FnMut(&Progress<'_>) -> T> Tracker for Record<F, T> {
    fn every(&self) -> u64 {
        self.every
    }
    fn track(&mut self, now: &Progress<'_>) -> ControlFlow<()> {
        self.values.push((self.function)(now));
        ControlFlow::Continue(())
    }
}

/// Stops when no parameter changes any more: the largest of `(|p - q| + 1e-6) / (|q| + 1e-6)`, q the parameters one check
/// ago, falls below a tolerance.
///
/// This is PyMC's rule. A low learning rate meets it without having arrived: the verdict of a fit rests on more.
#[derive(Clone, Debug)]
pub struct ParametersConverged {
    every: u64,
    tolerance: f64,
    before: Vec<f64>,
}

impl ParametersConverged {
    /// With a tolerance, every 100 steps.
    pub fn new(tolerance: f64) -> Self {
        Self { every: 100, tolerance, before: Vec::new() }
    }

    /// Steps between two checks.
    #[must_use]
    pub fn every(self, every: u64) -> Self {
        Self { every: every.max(1), ..self }
    }
}

impl Default for ParametersConverged {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

impl Tracker for ParametersConverged {
    fn every(&self) -> u64 {
        self.every
    }
    fn track(&mut self, now: &Progress<'_>) -> ControlFlow<()> {
        const EPSILON: f64 = 1e-6;
        let change = |(p, q): (&f64, &f64)| ((p - q).abs() + EPSILON) / (q.abs() + EPSILON);
        let largest = now.params.iter().zip(&self.before).map(change).fold(0.0, f64::max);
        let first = self.before.is_empty();
        self.before.clear();
        self.before.extend_from_slice(now.params);
        if !first && largest < self.tolerance { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Stops when the ELBO stands still: the median over the last ten changes of its mean over 100 steps, relative to its
/// size, falls below a tolerance. Stan's rule, over means of the estimates that a fit has anyway.
#[derive(Clone, Debug)]
pub struct ElboConverged {
    tolerance: f64,
    means: Vec<f64>,
}

/// Changes of which the median is taken.
const CHANGES: usize = 10;

impl ElboConverged {
    /// With a relative tolerance; Stan's is 0.01.
    pub fn new(tolerance: f64) -> Self {
        Self { tolerance, means: Vec::new() }
    }
}

impl Tracker for ElboConverged {
    fn track(&mut self, now: &Progress<'_>) -> ControlFlow<()> {
        self.means.push(now.mean_elbo(Tracker::every(self) as usize));
        let mut changes: Vec<f64> =
            self.means.windows(2).rev().take(CHANGES).map(|w| ((w[1] - w[0]) / w[1]).abs()).collect();
        changes.sort_by(f64::total_cmp);
        let still = changes.len() == CHANGES && changes[CHANGES / 2] < self.tolerance;
        if still { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
