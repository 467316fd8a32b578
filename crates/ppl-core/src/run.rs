//! One run of a model's function: where values come from, which plates are open, which sites were met.
//!
//! Like the recorder of the tape, a run is ambient only while the function runs; runs stack, and a guard closes them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;

use ppl_autodiff::{Shape, Var};

use crate::support::Support;

/// Where the values of unobserved sites come from.
#[derive(Clone, Debug, Default)]
pub enum Values {
    /// From one flat vector of unconstrained numbers (input slot 0), through the transforms of the supports.
    #[default]
    Unconstrained,
    /// Drawn from their distributions, given what was drawn before.
    Prior,
    /// The sites of these names and shapes are given (input slot 0, in the order of the function); others are drawn.
    Given(HashMap<String, Shape>),
}

/// What a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Inferred: its value comes from the unconstrained vector or is given.
    Latent,
    /// Data.
    Observed,
    /// Drawn in this run.
    Drawn,
    /// A named function of other sites.
    Deterministic,
    /// A term of the log-density.
    Factor,
}

/// A site as a run met it. Its `Var`s belong to the trace of that run.
#[derive(Clone, Debug)]
pub struct Site {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where it stands in the source.
    pub location: &'static Location<'static>,
    /// Its value; for a factor, the term.
    pub value: Var,
    /// Its shape.
    pub shape: Shape,
    /// The log-density of its value, one number for each element of its batch; none for deterministic sites.
    pub log_prob: Option<Var>,
    /// For a latent site of an unconstrained run: its coordinates, and the log-Jacobian for each event.
    pub unconstrained: Option<(Var, Var)>,
    /// The support, for sites with a distribution.
    pub support: Option<Support>,
    /// The distribution's name.
    pub distribution: Option<&'static str>,
}

impl Site {
    /// What may not change from run to run.
    pub fn outline(&self) -> Outline {
        let Site { name, kind, location, shape, support, .. } = self;
        let support = support.as_ref().map(Support::name);
        Outline { name: name.clone(), kind: *kind, location, shape: shape.clone(), support }
    }
}

/// A site without its values: what may not change from run to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where it stands in the source.
    pub location: &'static Location<'static>,
    /// Its shape.
    pub shape: Shape,
    /// The kind of its support, for sites with a distribution.
    pub support: Option<&'static str>,
}

/// An open plate: independent copies along one axis, counted from the right.
#[derive(Clone, Debug)]
pub(crate) struct Plate {
    pub name: String,
    pub size: usize,
    pub dim: isize,
}

#[derive(Default)]
pub(crate) struct Run {
    pub values: Values,
    pub sites: Vec<Site>,
    pub names: HashMap<String, &'static Location<'static>>,
    pub plates: Vec<Plate>,
}

thread_local! {
    static RUNS: RefCell<Vec<Run>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` as a model's function and returns its result with the sites that it met.
pub(crate) fn with_run<R>(values: Values, f: impl FnOnce() -> R) -> (R, Vec<Site>) {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            // Only a panic of the function comes here.
            RUNS.with_borrow_mut(|runs| runs.pop());
        }
    }
    RUNS.with_borrow_mut(|runs| runs.push(Run { values, ..Run::default() }));
    let guard = Guard;
    let result = f();
    std::mem::forget(guard);
    let run = RUNS.with_borrow_mut(|runs| runs.pop()).unwrap_or_default();
    (result, run.sites)
}

/// The innermost run, if a model is running.
pub(crate) fn with_current<R>(f: impl FnOnce(&mut Run) -> R) -> Option<R> {
    RUNS.with_borrow_mut(|runs| runs.last_mut().map(f))
}
