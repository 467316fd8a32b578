//! One run of a model's function: where values come from, which plates are open, which sites were met.
//!
//! Like the recorder of the tape, a run is ambient only while the function runs; runs stack, and a guard closes them.
//!
//! ```
//! use std::collections::HashMap;
//! use ppl_autodiff::random::Key;
//! use ppl_core::dist::Normal;
//! use ppl_core::model::{FnModel, ModelTrace};
//! use ppl_core::{Kind, Values, observe, sample};
//!
//! let model = FnModel::new("location", || {
//!     let mean = sample("mean", || Normal::new(0.0, 10.0));
//!     observe("y", || Normal::new(mean, 1.0), None::<f64>)
//! });
//! // `mean` is given (its number comes with each evaluation), so that `y` alone is drawn.
//! let given = Values::Given(HashMap::from([("mean".to_owned(), ().into())]));
//! let trace = ModelTrace::forward(&model, given, &[], Key::default())?;
//! let kinds: Vec<Kind> = trace.sites().iter().map(|s| s.kind).collect();
//! assert_eq!(kinds, [Kind::Latent, Kind::Drawn]);
//! # Ok::<(), ppl_core::ModelError>(())
//! ```

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;

use ppl_autodiff::{Shape, Var};

use crate::centring::{Coordinates, Standardised};
use crate::dense::LocalLayer;
use crate::support::Support;

/// Where the values of unobserved sites come from.
#[derive(Clone, Debug, Default)]
pub enum Values {
    /// From one flat vector of unconstrained numbers (input slot 0), through the transforms of the supports.
    #[default]
    Unconstrained,
    /// As `Unconstrained`, in coordinates that are chosen for hierarchical sites.
    Chosen(Coordinates),
    /// As `Unconstrained`, with the products of [dense layers](crate::dense()) drawn: their numbers stand in slot 0 as well.
    Local {
        /// Sites whose products are not drawn.
        except: Vec<String>,
    },
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

/// As in the middle of a sentence: "latent", "data", ...
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Latent => "latent",
            Kind::Observed => "data",
            Kind::Drawn => "drawn",
            Kind::Deterministic => "deterministic",
            Kind::Factor => "a factor",
        })
    }
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
    /// For a latent site of an unconstrained run: its coordinates, and the log-Jacobian, whose elements are to be summed.
    pub unconstrained: Option<(Var, Var)>,
    /// For a site in standard coordinates: those that it is written in, with their location and scale.
    pub standardised: Option<Standardised>,
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

pub(crate) struct Run {
    /// A value of the trace that records this run.
    mark: Var,
    pub values: Values,
    pub sites: Vec<Site>,
    /// Dense layers whose products are drawn.
    pub layers: Vec<LocalLayer>,
    names: HashMap<String, &'static Location<'static>>,
    pub plates: Vec<Plate>,
}

impl Run {
    /// Begins a run that the innermost trace records.
    fn new(values: Values) -> Self {
        let (sites, layers) = (Vec::new(), Vec::new());
        Self { mark: Var::from(0.0), values, sites, layers, names: HashMap::new(), plates: Vec::new() }
    }

    /// Whether the innermost trace is the one that records this run, and not one within the model's function.
    pub fn owns_trace(&self) -> bool {
        self.mark.is_own()
    }

    /// The site whose unconstrained matrix these weights are, where products with it are drawn.
    pub fn local_site(&self, w: Var) -> Option<usize> {
        let Values::Local { except } = &self.values else { return None };
        let is = |s: &Site| s.unconstrained.is_some_and(|(x, _)| x.node() == w.node() && s.value.node() == w.node());
        let fits = |s: &Site| is(s) && s.shape.rank() == 2 && !except.contains(&s.name);
        if self.owns_trace() { self.sites.iter().position(fits) } else { None }
    }

    /// Takes a name for a site; where it is taken already, by which line.
    pub fn take_name(
        &mut self,
        name: &str,
        location: &'static Location<'static>,
    ) -> Option<&'static Location<'static>> {
        if let Some(&first) = self.names.get(name) {
            return Some(first);
        }
        self.names.insert(name.to_owned(), location);
        None
    }
}

thread_local! {
    static RUNS: RefCell<Vec<Run>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` as a model's function and returns its result with the sites that it met and its layers whose products are
/// drawn.
pub(crate) fn with_run<R>(values: Values, f: impl FnOnce() -> R) -> (R, Vec<Site>, Vec<LocalLayer>) {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            // Only a panic of the function comes here.
            RUNS.with_borrow_mut(|runs| runs.pop());
        }
    }
    let run = Run::new(values);
    RUNS.with_borrow_mut(|runs| runs.push(run));
    let guard = Guard;
    let result = f();
    std::mem::forget(guard);
    let run = RUNS.with_borrow_mut(|runs| runs.pop());
    let (sites, layers) = run.map(|run| (run.sites, run.layers)).unwrap_or_default();
    (result, sites, layers)
}

/// The innermost run, if a model is running.
pub(crate) fn with_current<R>(f: impl FnOnce(&mut Run) -> R) -> Option<R> {
    RUNS.with_borrow_mut(|runs| runs.last_mut().map(f))
}
