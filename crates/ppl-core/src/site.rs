//! The sites of a model: `sample`, `observe`, `deterministic` and `factor`, the functions behind the macros.
//!
//! A name stands once in a run. Without a macro, a model reads
//!
//! ```
//! use ppl_core::dist::{HalfNormal, Normal};
//! use ppl_core::model::{FnModel, ModelTrace};
//! use ppl_core::{Kind, deterministic, observe, sample};
//!
//! let model = FnModel::new("measurements", || {
//!     let mean = sample("mean", || Normal::new(0.0, 10.0));
//!     let spread = sample("spread", || HalfNormal::new(5.0));
//!     deterministic("noise_to_signal", spread / mean);
//!     observe("y", || Normal::new(mean, spread), [1.0, 2.5, 3.0]);
//! });
//! let kinds: Vec<Kind> = ModelTrace::unconstrained(&model, &[])?.sites().iter().map(|s| s.kind).collect();
//! assert_eq!(kinds, [Kind::Latent, Kind::Latent, Kind::Deterministic, Kind::Observed]);
//! # Ok::<(), ppl_core::ModelError>(())
//! ```

use std::panic::Location;

use ppl_autodiff::{Mistake, Scope, Shape, Var, attribute_to, mistake, placeholder};

use crate::centring::Standardised;
use crate::dist::Distribution;
use crate::error::{SiteError, site_mistake};
use crate::observed::IntoObserved;
use crate::plate::batch_in_plates;
use crate::run::{Kind, Site, Values, with_current};
use crate::support::Support;

/// A random variable: its value is inferred, given or drawn, as the run wants it.
///
/// Usually written [`sample!`](crate::sample!). The distribution is made by a closure so that what is wrong in it is
/// reported with the site's name. The value has the distribution's batch shape, enlarged by the plates around the
/// site, followed by its event shape.
#[track_caller]
pub fn sample<D: Distribution>(name: &str, distribution: impl FnOnce() -> D) -> Var {
    random_site("sample!", name, distribution, None)
}

/// A random variable with data; without data (`None`) it is as in [`sample`]. Returns the value.
///
/// Usually written [`observe!`](crate::observe!). The data must lie in the distribution's support and have one element
/// (one event) for each term of the likelihood: they never broadcast against the distribution.
#[track_caller]
pub fn observe<D: Distribution>(name: &str, distribution: impl FnOnce() -> D, data: impl IntoObserved) -> Var {
    let data = attribute_to(Location::caller(), || data.into_observed());
    random_site("observe!", name, distribution, data)
}

/// Names a function of other sites, so that it is kept with the draws. Returns it.
///
/// Usually written [`deterministic!`](crate::deterministic!).
#[track_caller]
pub fn deterministic(name: &str, value: impl Into<Var>) -> Var {
    let value = value.into();
    named_value("deterministic!", name, value, Kind::Deterministic)
}

/// Adds the sum of a term's elements to the log-density (to its prior part).
///
/// Usually written [`factor!`](crate::factor!).
#[track_caller]
pub fn factor(name: &str, log_factor: impl Into<Var>) {
    let term = log_factor.into();
    named_value("factor!", name, term, Kind::Factor);
}

/// A site without a distribution.
#[track_caller]
fn named_value(operation: &'static str, name: &str, value: Var, kind: Kind) -> Var {
    let location = Location::caller();
    let _scope = Scope::enter(name);
    if !enter(operation, name, location) {
        return value;
    }
    if !value.is_own() {
        mistake(Mistake::ForeignVar { operation });
        return value;
    }
    let log_prob = (kind == Kind::Factor).then_some(value);
    if let Some(term) = log_prob {
        attribute_to(location, || check_data(term));
    }
    record(Site {
        name: name.to_owned(),
        kind,
        location,
        value,
        shape: value.shape(),
        log_prob,
        unconstrained: None,
        standardised: None,
        support: None,
        distribution: None,
    });
    value
}

/// Takes a name for a new site. `false` outside a model or where the name cannot be had.
#[track_caller]
fn enter(operation: &'static str, name: &str, location: &'static Location<'static>) -> bool {
    let taken = with_current(|run| (run.owns_trace(), run.take_name(name, location)));
    let error = match taken {
        None => {
            mistake(Mistake::OutsideTrace { operation });
            return false;
        }
        Some((false, _)) => SiteError::InnerTrace { operation },
        Some((true, Some(first))) => SiteError::Duplicate { first },
        Some((true, None)) if name.is_empty() => SiteError::NoName,
        Some((true, None)) => return true,
    };
    site_mistake(error);
    false
}

fn record(site: Site) {
    with_current(|run| run.sites.push(site));
}

fn check_data(value: Var) {
    if let Some(data) = value.bad_data() {
        site_mistake(SiteError::BadData(data));
    }
}

#[track_caller]
fn random_site<D: Distribution>(
    operation: &'static str,
    name: &str,
    distribution: impl FnOnce() -> D,
    data: Option<Var>,
) -> Var {
    let location = Location::caller();
    if with_current(|_| ()).is_none() {
        return placeholder(Mistake::OutsideTrace { operation }, Shape::scalar());
    }
    let _scope = Scope::enter(name);
    let distribution = distribution();
    attribute_to(location, || {
        let fresh = enter(operation, name, location);
        let event = distribution.event_shape();
        let batch = batch_in_plates(distribution.name(), &distribution.batch_shape());
        let shape = batch.join(&event);
        if !fresh {
            return Var::zeros(shape);
        }
        let Found { kind, value, unconstrained, standardised } = match data {
            Some(data) => {
                check_observed(&distribution, data, &batch);
                Found::new(Kind::Observed, data)
            }
            None => value_of(name, &distribution, &batch, &shape),
        };
        // The transform onto the unit interval is the logistic function: its argument has digits that the value lacks.
        let logit = standardised.map(|of| of.as_written).or(unconstrained.map(|(x, _)| x));
        let logit = logit.filter(|_| matches!(distribution.support(), Support::UnitInterval));
        let of_logit = logit.and_then(|logit| distribution.log_prob_of_logit(logit));
        let log_prob = of_logit.unwrap_or_else(|| distribution.log_prob(value));
        if kind == Kind::Observed {
            check_terms(&distribution, value, &batch, log_prob);
        }
        check_data(log_prob);
        record(Site {
            name: name.to_owned(),
            kind,
            location,
            value,
            shape: value.shape(),
            log_prob: Some(log_prob),
            unconstrained,
            standardised,
            support: Some(distribution.support()),
            distribution: Some(distribution.name()),
        });
        value
    })
}

/// The value of a site, and how it was made of coordinates if it was.
struct Found {
    kind: Kind,
    value: Var,
    unconstrained: Option<(Var, Var)>,
    standardised: Option<Standardised>,
}

impl Found {
    /// A value that was not made of coordinates.
    fn new(kind: Kind, value: Var) -> Self {
        Self { kind, value, unconstrained: None, standardised: None }
    }
}

/// The value of a site without data.
fn value_of(name: &str, distribution: &dyn Distribution, batch: &Shape, shape: &Shape) -> Found {
    let given = with_current(|run| match &run.values {
        Values::Unconstrained | Values::Local { .. } => Some((None, None)),
        Values::Chosen(coordinates) => Some((None, Some(coordinates.clone()))),
        Values::Prior => None,
        Values::Given(sites) => sites.get(name).map(|shape| (Some(shape.clone()), None)),
    });
    match given.flatten() {
        Some((None, coordinates)) => {
            let support = distribution.support();
            let Some(transform) = support.transform() else {
                let (distribution, support) = (distribution.name(), support.name());
                site_mistake(SiteError::Discrete { distribution, support });
                return Found::new(Kind::Latent, Var::zeros(shape));
            };
            let z = Var::input(0, transform.unconstrained_shape(shape));
            let standardised = coordinates.and_then(|coordinates| coordinates.apply(name, distribution, z));
            let x = standardised.map_or(z, |standardised| standardised.as_written);
            let y = transform.forward(x);
            let mut log_det = transform.log_det(x, y);
            if let Some(standardised) = standardised {
                log_det = log_det.sum() + standardised.log_det.sum();
            }
            let unconstrained = Some((z, log_det));
            Found { kind: Kind::Latent, value: y, unconstrained, standardised }
        }
        Some((Some(got), _)) => {
            if got != *shape {
                site_mistake(SiteError::GivenShape { got, wanted: shape.clone() });
            }
            Found::new(Kind::Latent, Var::input(0, shape))
        }
        None => Found::new(Kind::Drawn, distribution.draw(batch)),
    }
}

/// Data must have elements, fit the distribution's shape and lie in its support.
fn check_observed(distribution: &dyn Distribution, data: Var, batch: &Shape) {
    let (shape, event) = (data.shape(), distribution.event_shape());
    if shape.size() == 0 {
        site_mistake(SiteError::Empty { shape });
        return;
    }
    let fits = shape.rank() >= event.rank()
        && event[..] == shape[shape.rank() - event.rank()..]
        && Shape::from(&shape[..shape.rank() - event.rank()]).broadcast(batch).is_some();
    if !fits {
        let (distribution, batch) = (distribution.name(), batch.clone());
        site_mistake(SiteError::DataShape { data: shape, distribution, batch, event });
        return;
    }
    let (Some(inside), Some(values)) = (distribution.support().contains(data).as_constant(), data.as_constant()) else {
        return;
    };
    if let Some(outside) = inside.data().iter().position(|&x| x == 0.0) {
        // Bounds may broadcast the check to more elements than the data: the first value then stands for all.
        let whole = inside.shape().size().max(1);
        let at = (outside * values.data().len() / whole).min(values.data().len() - 1);
        let index = inside.shape().index(outside);
        let wanted = distribution.support().name();
        site_mistake(SiteError::OutOfSupport {
            distribution: distribution.name(),
            wanted,
            index,
            got: values.data()[at],
        });
    }
}

/// A likelihood has one term for each observation, never an outer product of data and parameters.
fn check_terms(distribution: &dyn Distribution, data: Var, batch: &Shape, log_prob: Var) {
    let event = distribution.event_shape();
    let shape = data.shape();
    let observations = Shape::from(&shape[..shape.rank().saturating_sub(event.rank())]);
    let terms = log_prob.shape().broadcast(batch).unwrap_or_else(|| log_prob.shape());
    if terms.size() > observations.size() {
        let (distribution, batch) = (distribution.name(), batch.clone());
        site_mistake(SiteError::Broadcast { data: shape, distribution, batch, event, log_prob: terms });
    }
}
