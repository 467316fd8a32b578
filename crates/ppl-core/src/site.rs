//! The sites of a model: `sample`, `observe`, `deterministic` and `factor`, the functions behind the macros.

use std::panic::Location;

use ppl_autodiff::{Mistake, Scope, Shape, Var, attribute_to, placeholder};

use crate::dist::Distribution;
use crate::error::{SiteError, site_mistake};
use crate::observed::IntoObserved;
use crate::plate::batch_in_plates;
use crate::run::{Kind, Site, Values, with_current};
use crate::support::Support;

/// A random variable: its value is inferred, given or drawn, as the run wants it.
///
/// Usually written [`sample!`](crate::sample!). The distribution is made by a closure so that what is wrong in it is
/// reported with the site's name.
#[track_caller]
pub fn sample<D: Distribution>(name: &str, distribution: impl FnOnce() -> D) -> Var {
    random_site("sample!", name, distribution, None, Location::caller())
}

/// A random variable with data; without data (`None`) it is as in [`sample`]. Returns the value.
///
/// Usually written [`observe!`](crate::observe!).
#[track_caller]
pub fn observe<D: Distribution>(name: &str, distribution: impl FnOnce() -> D, data: impl IntoObserved) -> Var {
    let data = data.into_observed();
    random_site("observe!", name, distribution, data, Location::caller())
}

/// Names a function of other sites, so that it is kept with the draws. Returns it.
///
/// Usually written [`deterministic!`](crate::deterministic!).
#[track_caller]
pub fn deterministic(name: &str, value: impl Into<Var>) -> Var {
    let location = Location::caller();
    let value = value.into();
    let _scope = Scope::enter(name);
    attribute_to(location, || {
        if enter("deterministic!", name, location) {
            record(name, Kind::Deterministic, location, value, None, None, None, None);
        }
    });
    value
}

/// Adds a term to the log-density.
///
/// Usually written [`factor!`](crate::factor!).
#[track_caller]
pub fn factor(name: &str, log_factor: impl Into<Var>) {
    let location = Location::caller();
    let term = log_factor.into();
    let _scope = Scope::enter(name);
    attribute_to(location, || {
        if enter("factor!", name, location) {
            check_data(term);
            record(name, Kind::Factor, location, term, Some(term), None, None, None);
        }
    });
}

/// Takes a name for a new site. `false` outside a model or where the name cannot be had.
fn enter(operation: &'static str, name: &str, location: &'static Location<'static>) -> bool {
    let first = with_current(|run| {
        let first = run.names.get(name).copied();
        run.names.entry(name.to_owned()).or_insert(location);
        first
    });
    match first {
        None => {
            placeholder(Mistake::OutsideTrace { operation }, Shape::scalar());
            false
        }
        Some(Some(first)) => {
            site_mistake(SiteError::Duplicate { first });
            false
        }
        Some(None) if name.is_empty() => {
            site_mistake(SiteError::NoName);
            false
        }
        Some(None) => true,
    }
}

#[expect(clippy::too_many_arguments, reason = "one call a kind of site, all fields named at the struct")]
fn record(
    name: &str,
    kind: Kind,
    location: &'static Location<'static>,
    value: Var,
    log_prob: Option<Var>,
    unconstrained: Option<(Var, Var)>,
    support: Option<Support>,
    distribution: Option<&'static str>,
) {
    let name = name.to_owned();
    let shape = value.shape();
    let site = Site { name, kind, location, value, shape, log_prob, unconstrained, support, distribution };
    with_current(|run| run.sites.push(site));
}

fn check_data(value: Var) {
    if value.has_bad_data() {
        site_mistake(SiteError::BadData);
    }
}

fn random_site<D: Distribution>(
    operation: &'static str,
    name: &str,
    distribution: impl FnOnce() -> D,
    data: Option<Var>,
    location: &'static Location<'static>,
) -> Var {
    let _scope = Scope::enter(name);
    let outside = || placeholder(Mistake::OutsideTrace { operation }, Shape::scalar());
    if with_current(|_| ()).is_none() {
        return attribute_to(location, outside);
    }
    let distribution = distribution();
    attribute_to(location, || {
        let fresh = enter(operation, name, location);
        let event = distribution.event_shape();
        let batch = batch_in_plates(&distribution.batch_shape());
        let shape = batch.join(&event);
        if !fresh {
            return Var::zeros(shape);
        }
        let support = distribution.support();
        let (kind, value, unconstrained) = match data {
            Some(data) => {
                check_observed(&distribution, data, &batch);
                (Kind::Observed, data, None)
            }
            None => value_of(name, &distribution, &batch, &shape),
        };
        let log_prob = distribution.log_prob(value);
        if kind == Kind::Observed {
            check_terms(&distribution, value, &batch, log_prob);
        }
        check_data(log_prob);
        let kind_of = Some(distribution.name());
        record(name, kind, location, value, Some(log_prob), unconstrained, Some(support), kind_of);
        value
    })
}

/// The value of a site without data.
fn value_of(
    name: &str,
    distribution: &dyn Distribution,
    batch: &Shape,
    shape: &Shape,
) -> (Kind, Var, Option<(Var, Var)>) {
    let given = with_current(|run| match &run.values {
        Values::Unconstrained => Some(None),
        Values::Prior => None,
        Values::Given(sites) => sites.get(name).cloned().map(Some),
    });
    match given.flatten() {
        Some(None) => {
            let support = distribution.support();
            let Some(transform) = support.transform() else {
                let (distribution, support) = (distribution.name(), support.name());
                site_mistake(SiteError::Discrete { distribution, support });
                return (Kind::Latent, Var::zeros(shape), None);
            };
            let x = Var::input(0, transform.unconstrained_shape(shape));
            let y = transform.forward(x);
            (Kind::Latent, y, Some((x, transform.log_det(x, y))))
        }
        Some(Some(got)) => {
            if got != *shape {
                site_mistake(SiteError::GivenShape { got, wanted: shape.clone() });
            }
            (Kind::Latent, Var::input(0, shape), None)
        }
        None => (Kind::Drawn, distribution.draw(batch), None),
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
        let index = index_of(outside, inside.shape());
        let wanted = distribution.support().name();
        site_mistake(SiteError::OutOfSupport {
            distribution: distribution.name(),
            wanted,
            index,
            got: values.data()[at],
        });
    }
}

fn index_of(mut flat: usize, shape: &Shape) -> Vec<usize> {
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&extent| {
            let i = flat % extent;
            flat /= extent;
            i
        })
        .collect();
    index.reverse();
    index
}

/// A likelihood has one term for each observation, never an outer product of data and parameters.
fn check_terms(distribution: &dyn Distribution, data: Var, batch: &Shape, log_prob: Var) {
    let event = distribution.event_shape();
    let shape = data.shape();
    let observations = Shape::from(&shape[..shape.rank().saturating_sub(event.rank())]);
    let terms = log_prob.shape().broadcast(batch).unwrap_or_else(|| log_prob.shape());
    if terms.size() > observations.size() {
        let (distribution, batch) = (distribution.name(), batch.clone());
        site_mistake(SiteError::Broadcast { data: shape, distribution, batch, log_prob: terms });
    }
}
